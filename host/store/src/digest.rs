//! Digests of rows and tables: two stores with equal digests hold the same values.
//!
//! A table's digest is the sum of its rows' digests, so it does not depend on their order.

use crate::{StoreError, Tx};
use offstage_model::identity::digest;
use offstage_model::{Entity, Uuid, Value};
use offstage_query::SqlValue;

/// The digest of a row's values. A column that is empty and one that is absent are the same.
#[must_use]
pub fn row_digest(row: &Entity) -> [u8; 32] {
    let mut parts: Vec<Vec<u8>> = vec![row.table.clone().into_bytes()];
    parts.push(row.id.unwrap_or_default().as_bytes().to_vec());
    for (column, value) in &row.attributes {
        let value = value.canonical();
        if value.is_null() || value.as_text().is_some_and(str::is_empty) {
            continue;
        }
        parts.push(column.clone().into_bytes());
        parts.push(serde_json::to_vec(&value).expect("BUG: a value always has a JSON form"));
    }
    let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    digest(&slices)
}

/// Adds a row's digest to a table's, as numbers of 256 bits.
fn add(sum: &mut [u8; 32], row: &[u8; 32]) {
    let mut carry = 0u16;
    for (total, byte) in sum.iter_mut().zip(row) {
        let added = u16::from(*total) + u16::from(*byte) + carry;
        *total = added.to_le_bytes()[0];
        carry = added >> 8;
    }
}

impl Tx {
    /// The number and digest of the rows of a table: of `ids` that exist, or of all. Of `columns`
    /// only, or of all: a server and a device compare the columns that both keep.
    ///
    /// # Errors
    /// An unknown table or column.
    pub fn table_digest(
        &mut self,
        table: &str,
        ids: Option<&[Uuid]>,
        columns: Option<&[String]>,
    ) -> Result<(u64, [u8; 32]), StoreError> {
        let plan = self.plan(table)?;
        if let Some(columns) = columns {
            columns.iter().try_for_each(|c| plan.column(c).map(drop))?;
        }
        let (mut count, mut sum) = (0, [0; 32]);
        let mut add_row = |mut row: Entity| {
            if let Some(columns) = columns {
                row.attributes.retain(|name, _: &mut Value| columns.contains(name));
            }
            count += 1;
            add(&mut sum, &row_digest(&row));
        };
        let unreadable = |source| StoreError::Unreadable { table: table.to_owned(), source };
        match ids {
            Some(ids) => {
                for id in ids {
                    self.sql_query(&plan.get, &[SqlValue::Guid(*id)], &mut |cells| {
                        add_row(plan.layout.read(cells).map_err(unreadable)?);
                        Ok(())
                    })?;
                }
            }
            None => {
                let list = plan.layout.select_list(&plan.table.primary_id, "a0");
                let sql = format!("SELECT {list} FROM {} AS a0", plan.sql_name);
                self.sql_query(&sql, &[], &mut |cells| {
                    add_row(plan.layout.read(cells).map_err(unreadable)?);
                    Ok(())
                })?;
            }
        }
        Ok((count, sum))
    }
}
