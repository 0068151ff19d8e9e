//! `$orderby` and `$select`.

use super::token::{Token, TokenKind, tokens};
use super::{check_length, column_of, invalid_at};
use crate::sql::{COLUMNS_MAX, ORDERS_MAX};
use offstage_model::Fault;
use offstage_model::metadata::Catalog;
use offstage_model::query::Order;

/// Reads `$orderby`, such as `name desc,createdon`.
///
/// # Errors
/// [`offstage_model::code::INVALID_QUERY`] or UNKNOWN_COLUMN, with the position.
pub fn parse_order(text: &str, catalog: &Catalog, table: &str) -> Result<Vec<Order>, Fault> {
    check_length(text, "$orderby")?;
    let mut orders = Vec::new();
    for item in items(&tokens(text)?) {
        let (name, rest) = named(item)?;
        let column = column_of(catalog, table, name, item[0].position)?;
        let descending = match rest {
            [] => false,
            [Token { kind: TokenKind::Word(word), .. }] if word == "asc" => false,
            [Token { kind: TokenKind::Word(word), .. }] if word == "desc" => true,
            [token, ..] => {
                let message = format!("Expected asc or desc, not {}", token.kind.shown());
                return Err(invalid_at(token.position, &message));
            }
        };
        orders.push(Order { column, descending });
        if orders.len() > ORDERS_MAX {
            let message = format!("Rows are sorted by at most {ORDERS_MAX} columns");
            return Err(invalid_at(item[0].position, &message));
        }
    }
    Ok(orders)
}

/// Reads `$select` into logical names, without repeats.
///
/// # Errors
/// [`offstage_model::code::INVALID_QUERY`] or UNKNOWN_COLUMN, with the position.
pub fn parse_select(text: &str, catalog: &Catalog, table: &str) -> Result<Vec<String>, Fault> {
    check_length(text, "$select")?;
    let mut columns: Vec<String> = Vec::new();
    for item in items(&tokens(text)?) {
        let (name, rest) = named(item)?;
        if let [token, ..] = rest {
            let message = format!("Expected a comma, not {}", token.kind.shown());
            return Err(invalid_at(token.position, &message));
        }
        let column = column_of(catalog, table, name, item[0].position)?;
        if !columns.contains(&column) {
            columns.push(column);
        }
        if columns.len() > COLUMNS_MAX {
            let message = format!("At most {COLUMNS_MAX} columns are selected");
            return Err(invalid_at(item[0].position, &message));
        }
    }
    Ok(columns)
}

/// The tokens between commas; an item keeps its comma or the end when it is empty otherwise.
fn items(tokens: &[Token]) -> Vec<&[Token]> {
    let mut list = Vec::new();
    let mut start = 0;
    for (i, token) in tokens.iter().enumerate() {
        if matches!(token.kind, TokenKind::Mark(',') | TokenKind::End) {
            let end = if i == start { i + 1 } else { i };
            list.push(&tokens[start..end]);
            start = i + 1;
        }
    }
    list
}

fn named(item: &[Token]) -> Result<(&str, &[Token]), Fault> {
    match item.split_first() {
        Some((Token { kind: TokenKind::Word(name), .. }, rest)) => Ok((name, rest)),
        Some((token, _)) => {
            let message = format!("Expected the name of a column, not {}", token.kind.shown());
            Err(invalid_at(token.position, &message))
        }
        None => Err(invalid_at(1, "Expected the name of a column")),
    }
}
