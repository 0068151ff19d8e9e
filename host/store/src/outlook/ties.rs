//! Ties of items whose mail store cannot carry them: by item, as named texts.
//!
//! Every change gets a number that only grows, so that a scan can ask what changed since it last
//! looked. Never knows what a name or a value means.

use crate::StoreError;
use crate::cells::Cells;
use crate::side::{SideFile, SideKind, SideTx};
use offstage_query::SqlValue;
use std::path::Path;

const KIND: SideKind = SideKind {
    application_id: 0x4F46_5449, // "OFTI"
    format: 1,
    tables: "
CREATE TABLE IF NOT EXISTS Tie (
    Number INTEGER PRIMARY KEY AUTOINCREMENT,
    Item TEXT NOT NULL UNIQUE,
    Folder TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS Tie_Folder ON Tie (Folder, Number);
CREATE TABLE IF NOT EXISTS TieValue (
    Item TEXT NOT NULL,
    Name TEXT NOT NULL,
    Value TEXT NOT NULL,
    PRIMARY KEY (Item, Name)
) STRICT, WITHOUT ROWID;",
};

/// The tie of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TieRow {
    /// The item.
    pub item: String,
    /// The number of its last change.
    pub number: i64,
    /// Names and values.
    pub named: Vec<(String, String)>,
}

/// An open file of ties.
#[derive(Debug)]
pub struct TieFile {
    file: SideFile,
}

impl TieFile {
    /// Opens the file, and makes it if it is missing; its folder must exist.
    ///
    /// # Errors
    /// It is in use, damaged, something else, or from a newer program.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { file: SideFile::open(path, &KIND)? })
    }

    /// The tie of an item.
    ///
    /// # Errors
    /// The database fails.
    pub fn tie(&mut self, item: &str) -> Result<Option<TieRow>, StoreError> {
        let sql = "SELECT Item, Number FROM Tie WHERE Item = ?1";
        self.file.transaction(|tx| Ok(rows(tx, sql, &[SqlValue::text(item)])?.pop()))
    }

    /// The ties of a folder that changed after a number, in the order of their changes.
    ///
    /// # Errors
    /// The database fails.
    pub fn changed(&mut self, folder: &str, after: i64) -> Result<Vec<TieRow>, StoreError> {
        let sql = "SELECT Item, Number FROM Tie WHERE Folder = ?1 AND Number > ?2 ORDER BY Number";
        self.file
            .transaction(|tx| rows(tx, sql, &[SqlValue::text(folder), SqlValue::Integer(after)]))
    }

    /// The number of the last change there was.
    ///
    /// # Errors
    /// The database fails.
    pub fn last_number(&mut self) -> Result<i64, StoreError> {
        let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'Tie'";
        let last = self.file.transaction(|tx| tx.row("tie", sql, &[], |cells| cells.integer()))?;
        Ok(last.unwrap_or(0))
    }

    /// Replaces the tie of an item. One without any value stays as a row: the change has a number.
    ///
    /// # Errors
    /// The database fails.
    pub fn put(
        &mut self,
        (item, folder): (&str, &str),
        named: &[(&str, String)],
    ) -> Result<TieRow, StoreError> {
        self.file.transaction(|tx| {
            forget(tx, item)?;
            let params = [SqlValue::text(item), SqlValue::text(folder)];
            tx.execute("INSERT INTO Tie (Item, Folder) VALUES (?1, ?2)", &params)?;
            let number = tx.last_id()?;
            for (name, value) in named {
                let params = [SqlValue::text(item), SqlValue::text(*name), SqlValue::text(value)];
                let sql = "INSERT INTO TieValue (Item, Name, Value) VALUES (?1, ?2, ?3)";
                tx.execute(sql, &params)?;
            }
            let mut named: Vec<(String, String)> =
                named.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            named.sort();
            Ok(TieRow { item: item.to_owned(), number, named })
        })
    }

    /// The item has another id, and may be in another folder. Nothing happens when it has no tie or
    /// the other id has one already.
    ///
    /// # Errors
    /// The database fails.
    pub fn rename(&mut self, item: &str, (new, folder): (&str, &str)) -> Result<(), StoreError> {
        self.file.transaction(|tx| {
            let known =
                rows(tx, "SELECT Item, Number FROM Tie WHERE Item = ?1", &[SqlValue::text(new)])?;
            if !known.is_empty() {
                return Ok(());
            }
            let params = [SqlValue::text(item), SqlValue::text(new), SqlValue::text(folder)];
            tx.execute("UPDATE Tie SET Item = ?2, Folder = ?3 WHERE Item = ?1", &params)?;
            tx.execute("UPDATE TieValue SET Item = ?2 WHERE Item = ?1", &params[..2])?;
            Ok(())
        })
    }
}

fn forget(tx: &mut SideTx<'_>, item: &str) -> Result<(), StoreError> {
    let params = [SqlValue::text(item)];
    tx.execute("DELETE FROM TieValue WHERE Item = ?1", &params)?;
    tx.execute("DELETE FROM Tie WHERE Item = ?1", &params)?;
    Ok(())
}

fn rows(tx: &mut SideTx<'_>, sql: &str, params: &[SqlValue]) -> Result<Vec<TieRow>, StoreError> {
    let read = |cells: &mut Cells<'_>| Ok((cells.text()?, cells.integer()?));
    let found = tx.rows("tie", sql, params, read)?;
    let sql = "SELECT Name, Value FROM TieValue WHERE Item = ?1 ORDER BY Name";
    let mut ties = Vec::with_capacity(found.len());
    for (item, number) in found {
        let read = |cells: &mut Cells<'_>| Ok((cells.text()?, cells.text()?));
        let named = tx.rows("tie", sql, &[SqlValue::text(&item)], read)?;
        ties.push(TieRow { item, number, named });
    }
    Ok(ties)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_are_replaced_renamed_and_numbered() {
        let folder = std::env::temp_dir().join(format!("offstage-ties-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut ties = TieFile::open(&folder.join("ties.db")).unwrap();
        assert_eq!((ties.last_number().unwrap(), ties.tie("a").unwrap()), (0, None));
        ties.put(("a", "INBOX"), &[("x", "1".into())]).unwrap();
        let b = ties.put(("b", "INBOX"), &[("x", "2".into()), ("y", "3".into())]).unwrap();
        let a = ties.put(("a", "INBOX"), &[]).unwrap();
        assert!(a.number > b.number && ties.last_number().unwrap() == a.number);
        assert_eq!(ties.tie("b").unwrap(), Some(b.clone()));
        assert_eq!(ties.changed("INBOX", b.number).unwrap(), vec![a]);
        ties.rename("b", ("c", "Sent")).unwrap();
        assert_eq!(ties.tie("b").unwrap(), None);
        assert_eq!(ties.tie("c").unwrap().unwrap().named, b.named);
        ties.rename("c", ("a", "INBOX")).unwrap();
        assert!(ties.tie("c").unwrap().is_some(), "a tie that is there is not written over");
        ties.rename("nothing", ("d", "INBOX")).unwrap();
        assert_eq!(ties.tie("d").unwrap(), None);
        drop(ties);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
