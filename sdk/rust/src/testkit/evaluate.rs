//! Runs a query on the fake organization's rows.
//!
//! Texts compare without regard to case, as on the platform; a null satisfies no comparison.

use std::cmp::Ordering;

use rust_decimal::Decimal;

use super::store::Store;
use crate::entity::{Entity, EntityCollection};
use crate::guid::Guid;
use crate::query::{Condition, Filter, Operator, Query};
use crate::value::Value;

/// Returns the page that the query asks for. The cookie is the number of rows before the page.
pub(crate) fn run(store: &Store, query: &Query, user: Guid) -> EntityCollection {
    let holds = |row: &&Entity| {
        query.filter.as_ref().is_none_or(|filter| filter_holds(store, row, filter, user))
    };
    let mut rows: Vec<&Entity> = store.table(&query.table).filter(holds).collect();
    rows.sort_by(|left, right| compare_rows(query, left, right));
    let total = rows.len();
    if let Some(top) = query.top {
        rows.truncate(top as usize);
    }
    let start = query.paging_cookie.as_ref().and_then(|cookie| cookie.parse().ok()).unwrap_or(0);
    let size = query.page_size.map_or(usize::MAX, |size| size as usize);
    let end = rows.len().min(size.saturating_add(start));
    let page = rows.get(start..end).unwrap_or_default();
    EntityCollection {
        table: query.table.clone(),
        entities: page.iter().map(|row| row.select(&query.columns)).collect(),
        more_records: end < rows.len(),
        paging_cookie: (end < rows.len()).then(|| end.to_string()),
        total_count: query.total_count.then_some(total as u64),
    }
}

fn compare_rows(query: &Query, left: &Entity, right: &Entity) -> Ordering {
    for order in &query.orders {
        let values = [left, right].map(|row| row.get(&order.column).cloned().unwrap_or_default());
        let ordering = match (values[0].is_null(), values[1].is_null()) {
            (false, false) => compare(&values[0], &values[1]).unwrap_or(Ordering::Equal),
            (left_null, right_null) => right_null.cmp(&left_null),
        };
        let ordering = if order.descending { ordering.reverse() } else { ordering };
        if ordering.is_ne() {
            return ordering;
        }
    }
    left.id.cmp(&right.id)
}

fn filter_holds(store: &Store, row: &Entity, filter: &Filter, user: Guid) -> bool {
    match filter {
        Filter::All(filters) => filters.iter().all(|each| filter_holds(store, row, each, user)),
        Filter::Any(filters) => filters.iter().any(|each| filter_holds(store, row, each, user)),
        Filter::Negate(inner) => !filter_holds(store, row, inner, user),
        Filter::Condition(condition) => condition_holds(store, row, condition, user),
    }
}

fn condition_holds(store: &Store, row: &Entity, condition: &Condition, user: Guid) -> bool {
    let held = store.column(row, &condition.path, &condition.column);
    match condition.operator {
        Operator::IsNull => return held.is_null(),
        Operator::IsNotNull => return !held.is_null(),
        _ if held.is_null() => return false,
        _ => {}
    }
    let first = condition.values.first().unwrap_or(&Value::Null);
    let equals = |value: &Value| compare(&held, value) == Some(Ordering::Equal);
    let ordered = |accepts: fn(Ordering) -> bool| compare(&held, first).is_some_and(accepts);
    let texts = |accepts: fn(&str, &str) -> bool| match (&held, first) {
        (Value::Text(held), Value::Text(part)) => {
            accepts(&held.to_lowercase(), &part.to_lowercase())
        }
        _ => false,
    };
    match condition.operator {
        Operator::Equal => equals(first),
        Operator::NotEqual => !equals(first),
        Operator::GreaterThan => ordered(Ordering::is_gt),
        Operator::GreaterEqual => ordered(Ordering::is_ge),
        Operator::LessThan => ordered(Ordering::is_lt),
        Operator::LessEqual => ordered(Ordering::is_le),
        Operator::In => condition.values.iter().any(equals),
        Operator::NotIn => !condition.values.iter().any(equals),
        Operator::Contains => texts(|held, part| held.contains(part)),
        Operator::BeginsWith => texts(|held, part| held.starts_with(part)),
        Operator::EndsWith => texts(|held, part| held.ends_with(part)),
        Operator::EqualUserId => id(&held) == Some(user),
        Operator::NotEqualUserId => id(&held) != Some(user),
        Operator::IsNull | Operator::IsNotNull => false,
    }
}

fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    if let (Some(left), Some(right)) = (id(left), id(right)) {
        return Some(left.cmp(&right));
    }
    if let (Some(left), Some(right)) = (number(left), number(right)) {
        return Some(left.cmp(&right));
    }
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => {
            Some(left.to_lowercase().cmp(&right.to_lowercase()))
        }
        (Value::DateTime(left), Value::DateTime(right)) => Some(left.cmp(right)),
        (Value::Boolean(left), Value::Boolean(right)) => Some(left.cmp(right)),
        (Value::Double(left), Value::Double(right)) => left.partial_cmp(right),
        (left, right) => (left == right).then_some(Ordering::Equal),
    }
}

fn id(value: &Value) -> Option<Guid> {
    match value {
        Value::Guid(id) => Some(*id),
        Value::Reference(reference) => Some(reference.id),
        _ => None,
    }
}

fn number(value: &Value) -> Option<Decimal> {
    match value {
        Value::Integer(value) | Value::OptionValue(value) => Some((*value).into()),
        Value::BigInt(value) => Some((*value).into()),
        Value::Decimal(value) | Value::Money(value) => Some(*value),
        _ => None,
    }
}
