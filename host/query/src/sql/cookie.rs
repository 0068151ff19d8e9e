//! The paging cookie: where the last page ended, as opaque text. It names values and never SQL;
//! a cookie of another query is refused.

use super::filter::Compiler;
use super::operand::operand;
use super::{Dialect, invalid, sort_key};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use offstage_model::metadata::Table;
use offstage_model::query::Order;
use offstage_model::{Fault, Uuid, Value};
use serde::{Deserialize, Serialize};

/// The longest cookie that is read.
const COOKIE_LENGTH_MAX: usize = 64 * 1024;
/// The longest text of one sort key in a cookie.
const KEY_LENGTH_MAX: usize = 4 * 1024;

/// Where a page ended.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Cookie {
    /// The number of the page that it was given with, from 1.
    #[serde(rename = "p")]
    pub(super) page: u32,
    /// The table and order, to recognise a cookie of another query.
    #[serde(rename = "o")]
    order: String,
    /// The last row's sort keys, without the id.
    #[serde(rename = "k")]
    keys: Vec<Value>,
    /// The last row's id.
    #[serde(rename = "i")]
    id: Uuid,
}

impl Cookie {
    pub(super) fn new(
        page: u32,
        table: &str,
        orders: &[Order],
        keys: Vec<Value>,
        id: Uuid,
    ) -> Self {
        Self { page, order: signature(table, orders), keys, id }
    }

    /// The opaque text.
    pub(super) fn text(&self) -> Result<String, Fault> {
        if self.keys.iter().any(|key| key.size() > KEY_LENGTH_MAX) {
            return Err(invalid(format!(
                "A page cannot end at a sort key longer than {KEY_LENGTH_MAX} bytes."
            ))
            .hint("Sort by a shorter column."));
        }
        let json = serde_json::to_vec(self).expect("BUG: a cookie always has a JSON form");
        Ok(URL_SAFE_NO_PAD.encode(json))
    }

    pub(super) fn read(text: &str, table: &Table, orders: &[Order]) -> Result<Self, Fault> {
        let damaged = || invalid("The paging cookie is damaged or not from this program.".into());
        if text.len() > COOKIE_LENGTH_MAX {
            return Err(damaged());
        }
        let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| damaged())?;
        let cookie: Self = serde_json::from_slice(&json).map_err(|_| damaged())?;
        let sorted_columns = orders.iter().filter(|o| o.column != table.primary_id).count();
        if cookie.order != signature(&table.name, orders) || cookie.keys.len() != sorted_columns {
            return Err(invalid("The paging cookie belongs to another query.".into())
                .hint("Send the cookie with the same table and order that it came with."));
        }
        Ok(cookie)
    }

    /// The condition for rows after the page: for some key the row is further on and all keys
    /// before are equal. Null is the smallest value.
    pub(super) fn after(
        &self,
        compiler: &mut Compiler<'_>,
        table: &Table,
        orders: &[Order],
        alias: &str,
    ) -> Result<String, Fault> {
        let mut alternatives = Vec::new();
        let mut equal: Vec<String> = Vec::new();
        let id = Value::Guid(self.id);
        let mut keys = self.keys.iter();
        for order in orders {
            let is_id = order.column == table.primary_id;
            let key = if is_id { &id } else { keys.next().unwrap_or(&Value::Null) };
            let name = sort_key(table, &order.column, alias, compiler.dialect);
            let column = table
                .column(&order.column)
                .ok_or_else(|| Fault::unknown_column(&table.name, &order.column))?;
            let (beyond, same) = if key.is_null() {
                let beyond = (!order.descending).then(|| format!("{name} IS NOT NULL"));
                (beyond, format!("{name} IS NULL"))
            } else {
                let bound = compiler.bind(operand(&table.name, &order.column, column, key)?);
                let folded = column.kind.is_text() && compiler.dialect == Dialect::Postgres;
                let bound = if folded { format!("lower({bound})") } else { bound };
                let beyond = match (order.descending, is_id) {
                    (false, _) => format!("{name} > {bound}"),
                    (true, true) => format!("{name} < {bound}"),
                    (true, false) => format!("({name} < {bound} OR {name} IS NULL)"),
                };
                (Some(beyond), format!("{name} = {bound}"))
            };
            if let Some(beyond) = beyond {
                let mut parts = equal.clone();
                parts.push(beyond);
                alternatives.push(format!("({})", parts.join(" AND ")));
            }
            equal.push(same);
        }
        Ok(format!("({})", alternatives.join(" OR ")))
    }
}

fn signature(table: &str, orders: &[Order]) -> String {
    let mut text = table.to_owned();
    for order in orders {
        text.push(if order.descending { '-' } else { '+' });
        text.push_str(&order.column);
    }
    text
}
