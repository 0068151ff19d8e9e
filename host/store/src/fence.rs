//! Which tables one query may read: worked out from the names in the query, apart from its SQL, and
//! held against what SQLite finds in the compiled statement. The second wall behind the model's names
//! (attacks B02 and B04). Never looks at rights; whoever asks has been asked before.

use offstage_model::Catalog;
use offstage_model::query::Filter;
use offstage_query::physical::bare_table_name;
use offstage_query::sql::navigation;
use std::collections::BTreeSet;

/// Tables of the database, by their names there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fence(BTreeSet<String>);

impl Fence {
    /// The queried table, and those to which conditions follow lookups.
    pub(crate) fn of(catalog: &Catalog, table: &str, filter: Option<&Filter>) -> Self {
        let mut tables = BTreeSet::from([bare_table_name(table)]);
        for condition in filter.into_iter().flat_map(Filter::conditions) {
            let mut at = table;
            for segment in &condition.path {
                // A path that leads nowhere does not compile either.
                let Ok((_, target)) = navigation(catalog, at, segment) else { break };
                tables.insert(bare_table_name(target));
                at = target;
            }
        }
        Self(tables)
    }

    /// Whether a statement may read this table.
    pub(crate) fn allows(&self, table: &str) -> bool {
        self.0.contains(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Role, Store, StoreError, StoreOptions, Tx};
    use offstage_model::Value;
    use offstage_model::query::{Condition, Operator};
    use offstage_query::SqlValue;

    fn within(tx: &mut Tx, fence: &Fence, sql: &str) -> Result<(), StoreError> {
        tx.sql_query_within(fence.clone(), sql, &[], &mut |_| Ok(()))
    }

    fn through(path: &str, column: &str) -> Filter {
        Filter::Condition(Condition {
            path: vec![path.into()],
            column: column.into(),
            operator: Operator::Equal,
            values: vec![Value::text("x")],
        })
    }

    /// Attack B04: the store's own tables are out of reach of a query, in every form and whatever the
    /// compiler of queries does.
    #[test]
    fn atk_b04_no_query_reads_a_table_of_the_store() {
        let store = Store::in_memory(&StoreOptions::new(Role::Device)).unwrap();
        let mut tx = store.read().unwrap();
        let contact = Fence::of(tx.catalog(), "contact", None);
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table'";
        let mut tables = tx.sql_rows("table", sql, &[], |cells| cells.text()).unwrap();
        assert!(tables.len() > 20 && tables.contains(&"t_contact".to_owned()), "{tables:?}");
        tables.extend(["sqlite_schema".to_owned(), "sqlite_master".to_owned()]);
        for table in &tables {
            let upper = table.to_uppercase();
            for sql in [
                format!("SELECT * FROM \"{table}\""),
                format!("SELECT * FROM [{upper}]"),
                format!("SELECT COUNT(*) FROM main.`{table}`"),
                format!("SELECT 1 FROM t_contact WHERE EXISTS (SELECT 1 FROM {table})"),
                format!("SELECT (SELECT COUNT(*) FROM {table}) FROM t_contact"),
                format!("WITH x AS (SELECT * FROM {table}) SELECT * FROM x"),
                format!("SELECT 1 FROM t_contact AS a JOIN {table} AS b"),
                format!("SELECT 1 FROM t_contact UNION SELECT 2 FROM {table}"),
            ] {
                // Control: nothing but the fence is in the way.
                tx.sql_query(&sql, &[], &mut |_| Ok(())).unwrap_or_else(|e| panic!("{sql}: {e}"));
                let allowed = within(&mut tx, &contact, &sql).is_ok();
                assert_eq!(allowed, table == "t_contact", "{sql}");
            }
        }
    }

    /// Attack B04, by statements that are no queries.
    #[test]
    fn atk_b04_a_query_changes_and_opens_nothing() {
        let store = Store::in_memory(&StoreOptions::new(Role::Server)).unwrap();
        let mut tx = store.write().unwrap();
        let contact = Fence::of(tx.catalog(), "contact", None);
        for sql in [
            "DELETE FROM t_contact",
            "UPDATE t_contact SET lastname = 'x'",
            "INSERT INTO t_contact DEFAULT VALUES",
            "DROP TABLE t_contact",
            "ALTER TABLE t_contact ADD COLUMN x",
            "CREATE TABLE x (y)",
            "CREATE TEMP TABLE x (y)",
            "CREATE INDEX x ON t_contact (lastname)",
            "CREATE TRIGGER x DELETE ON t_contact BEGIN SELECT 1; END",
            "CREATE VIEW x AS SELECT * FROM t_contact",
            "CREATE VIRTUAL TABLE x USING fts5(y)",
            "PRAGMA table_info(t_contact)",
            "PRAGMA writable_schema = 1",
            "SELECT * FROM pragma_table_info('t_contact')",
            "SELECT * FROM json_each('[1]')",
            "ATTACH 'file:x?mode=rwc' AS x",
            "VACUUM INTO 'x'",
            "SELECT load_extension('x')",
            "SAVEPOINT x",
            "COMMIT",
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT * FROM n",
        ] {
            within(&mut tx, &contact, sql).expect_err(sql);
        }
        within(&mut tx, &contact, "SELECT lastname FROM t_contact").unwrap();
    }

    /// Attack B02: a table that no condition of the query leads to is out of reach.
    #[test]
    fn atk_b02_a_query_reads_the_tables_of_its_conditions_only() {
        let store = Store::in_memory(&StoreOptions::new(Role::Server)).unwrap();
        let mut tx = store.read().unwrap();
        let catalog = tx.catalog().clone();
        let sql = "SELECT 1 FROM t_contact WHERE EXISTS (SELECT 1 FROM t_account)";
        let plain = Fence::of(&catalog, "contact", None);
        within(&mut tx, &plain, sql).expect_err("no condition leads there");
        let own = Filter::eq("lastname", Value::text("x"));
        within(&mut tx, &Fence::of(&catalog, "contact", Some(&own)), sql)
            .expect_err("nor this one");
        let path = through("parentcustomerid_account", "name");
        for filter in [
            path.clone(),
            Filter::Not(Box::new(path.clone())),
            Filter::Any(vec![own.clone(), Filter::All(vec![own, path])]),
        ] {
            let fence = Fence::of(&catalog, "contact", Some(&filter));
            within(&mut tx, &fence, sql).unwrap_or_else(|e| panic!("{filter:?}: {e}"));
            within(&mut tx, &fence, "SELECT 1 FROM t_task").expect_err("and nowhere else");
        }
        // A statement that was compiled inside of one fence is not let through by another: the text
        // of a query names its tables, so the same text has the same ones.
        within(&mut tx, &plain, "SELECT 2 FROM t_account").expect_err("it is no contact");
        within(&mut tx, &Fence::of(&catalog, "account", None), "SELECT 2 FROM t_account").unwrap();
    }

    /// Attack B11: sizes that SQLite itself refuses, at the limit and beyond it.
    #[test]
    fn atk_b11_sqlite_has_limits_of_its_own() {
        let store = Store::in_memory(&StoreOptions::new(Role::Server)).unwrap();
        let mut tx = store.write().unwrap();
        let length = |tx: &mut Tx, bytes: usize| {
            let params = [SqlValue::Blob(vec![7; bytes])];
            tx.sql_row("length", "SELECT LENGTH(?1)", &params, |cells| cells.unsigned())
        };
        assert_eq!(length(&mut tx, 64 << 20).unwrap(), Some(64 << 20));
        assert!(matches!(length(&mut tx, (64 << 20) + 1), Err(StoreError::TooLarge)));
        let padded = |bytes: usize| format!("SELECT {}1", " ".repeat(bytes - 8));
        tx.sql_query(&padded(1 << 20), &[], &mut |_| Ok(())).unwrap();
        let error = tx.sql_query(&padded((1 << 20) + 8), &[], &mut |_| Ok(())).unwrap_err();
        assert!(matches!(error, StoreError::TooLarge), "{error:?}");
        tx.sql_batch("ATTACH ':memory:' AS other").expect_err("no other database");
        let nested = format!("SELECT {}1", "- ".repeat(1_001));
        tx.sql_query(&nested, &[], &mut |_| Ok(())).expect_err("too deep");
    }
}
