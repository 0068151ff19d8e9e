//! From the contract to the model: what a plug-in asks for and returns, checked.
//!
//! Never drops or repairs anything quietly.

use super::{
    ATTRIBUTES_MAX, CHANGES_MAX, COOKIE_BYTES_MAX, ConvertError, DECIMAL_BYTES_MAX, ENTITIES_MAX,
    NAME_BYTES_MAX, OPTIONS_MAX, ORDERS_MAX, PARAMETERS_MAX, at_most, filter, short,
};
use crate::bindings::offstage::plugin::types;
use crate::limits::FAULT_MESSAGE_BYTES_MAX;
use crate::trace::{prefix, printable};
use offstage_model::query::Order;
use offstage_model::{
    ContextChange, Decimal, Entity, EntityCollection, EntityReference, Fault, Parameter,
    ParameterMap, Query, Request, Timestamp, Uuid, Value, code,
};
use std::collections::BTreeMap;

pub(super) fn name(text: String) -> Result<String, ConvertError> {
    // A name reaches messages, logs and terminals as it is.
    if text.chars().any(char::is_control) {
        return Err(ConvertError::ControlCharacter {
            name: printable(prefix(&text, NAME_BYTES_MAX)),
        });
    }
    short("name", text, NAME_BYTES_MAX)
}

fn guid(guid: types::Guid) -> Uuid {
    Uuid::from_u64_pair(guid.high, guid.low)
}

fn reference(guest: types::EntityReference) -> Result<EntityReference, ConvertError> {
    Ok(EntityReference { table: name(guest.table)?, id: guid(guest.id), name: guest.name })
}

fn decimal(text: String) -> Result<Decimal, ConvertError> {
    let bad =
        |text: &str| ConvertError::BadDecimal { text: printable(prefix(text, DECIMAL_BYTES_MAX)) };
    // The parser also takes `1_000`, and rounds what has too many digits; both are refused here.
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.'));
    if !plain || text.len() > DECIMAL_BYTES_MAX {
        return Err(bad(&text));
    }
    Decimal::from_str_exact(&text).map_err(|_| bad(&text))
}

fn options(mut options: Vec<i32>) -> Result<Vec<i32>, ConvertError> {
    at_most("options", options.len(), OPTIONS_MAX)?;
    options.sort_unstable();
    options.dedup();
    Ok(options)
}

pub(super) fn value(guest: types::Value) -> Result<Value, ConvertError> {
    Ok(match guest {
        types::Value::Null => Value::Null,
        types::Value::Boolean(value) => Value::Boolean(value),
        types::Value::Integer(value) => Value::Integer(value),
        types::Value::BigInt(value) => Value::BigInt(value),
        types::Value::Decimal(text) => Value::Decimal(decimal(text)?),
        types::Value::Double(value) => Value::Double(value),
        types::Value::Money(text) => Value::Money(decimal(text)?),
        types::Value::Text(value) => Value::Text(value),
        types::Value::DateTime(millis) => Value::DateTime(Timestamp(millis)),
        types::Value::OptionValue(value) => Value::Option(value),
        types::Value::OptionValues(values) => Value::Options(options(values)?),
        types::Value::Reference(value) => Value::Reference(reference(value)?),
        types::Value::UniqueIdentifier(value) => Value::Guid(guid(value)),
        types::Value::Bytes(value) => Value::Bytes(value),
    })
}

fn entity(guest: types::Entity) -> Result<Entity, ConvertError> {
    at_most("attributes", guest.attributes.len(), ATTRIBUTES_MAX)?;
    let attributes = unique(
        "column",
        guest.attributes.into_iter().map(|held| (held.column, held.value)),
        value,
    )?;
    Ok(Entity {
        table: name(guest.table)?,
        id: guest.id.map(guid),
        version: guest.row_version,
        attributes,
        ..Entity::default()
    })
}

fn collection(guest: types::EntityCollection) -> Result<EntityCollection, ConvertError> {
    at_most("entities", guest.entities.len(), ENTITIES_MAX)?;
    Ok(EntityCollection {
        table: name(guest.table)?,
        entities: guest.entities.into_iter().map(entity).collect::<Result<_, _>>()?,
        more_records: guest.more_records,
        paging_cookie: guest.paging_cookie.map(cookie).transpose()?,
        total_count: guest.total_count,
    })
}

fn cookie(text: String) -> Result<String, ConvertError> {
    short("paging cookie", text, COOKIE_BYTES_MAX)
}

fn columns(guest: Option<Vec<String>>) -> Result<Option<Vec<String>>, ConvertError> {
    let Some(columns) = guest else {
        return Ok(None);
    };
    at_most("columns", columns.len(), ATTRIBUTES_MAX)?;
    columns.into_iter().map(name).collect::<Result<_, _>>().map(Some)
}

fn query(guest: types::Query) -> Result<Query, ConvertError> {
    at_most("sort keys", guest.orders.len(), ORDERS_MAX)?;
    let order = |order: types::Order| {
        Ok(Order { column: name(order.column)?, descending: order.descending })
    };
    Ok(Query {
        table: name(guest.table)?,
        columns: columns(guest.columns)?,
        filter: filter::from_guest(guest.filter)?,
        orders: guest.orders.into_iter().map(order).collect::<Result<_, _>>()?,
        top: guest.top,
        page_size: guest.page_size,
        paging_cookie: guest.paging_cookie.map(cookie).transpose()?,
        total_count: guest.total_count,
    })
}

fn parameter(guest: types::Parameter) -> Result<Parameter, ConvertError> {
    Ok(match guest {
        types::Parameter::Value(held) => Parameter::Value(value(held)?),
        types::Parameter::Entity(held) => Parameter::Entity(entity(held)?),
        types::Parameter::Entities(held) => Parameter::Entities(collection(held)?),
        types::Parameter::References(held) => {
            at_most("references", held.len(), ENTITIES_MAX)?;
            Parameter::References(held.into_iter().map(reference).collect::<Result<_, _>>()?)
        }
        types::Parameter::Columns(held) => Parameter::Columns(columns(held)?),
        types::Parameter::Query(held) => Parameter::Query(query(held)?),
    })
}

fn parameters(guest: Vec<types::NamedParameter>) -> Result<ParameterMap, ConvertError> {
    at_most("parameters", guest.len(), PARAMETERS_MAX)?;
    unique("parameter", guest.into_iter().map(|held| (held.name, held.parameter)), parameter)
}

/// Collects named things; a name that is there twice is refused, because which one counts would
/// differ between readers.
fn unique<G, T>(
    what: &'static str,
    guest: impl Iterator<Item = (String, G)>,
    convert: impl Fn(G) -> Result<T, ConvertError>,
) -> Result<BTreeMap<String, T>, ConvertError> {
    let mut map = BTreeMap::new();
    for (key, held) in guest {
        let key = name(key)?;
        if map.contains_key(&key) {
            return Err(ConvertError::Twice { what, name: printable(&key) });
        }
        map.insert(key, convert(held)?);
    }
    Ok(map)
}

pub(crate) fn request(guest: types::Request) -> Result<Request, ConvertError> {
    Ok(Request { message: name(guest.message)?, parameters: parameters(guest.parameters)? })
}

pub(crate) fn changes(guest: Vec<types::Change>) -> Result<Vec<ContextChange>, ConvertError> {
    at_most("changes", guest.len(), CHANGES_MAX)?;
    guest.into_iter().map(change).collect()
}

fn change(guest: types::Change) -> Result<ContextChange, ConvertError> {
    let named = |held: types::NamedParameter| -> Result<_, ConvertError> {
        Ok((name(held.name)?, parameter(held.parameter)?))
    };
    Ok(match guest {
        types::Change::SetAttribute(held) => ContextChange::SetAttribute {
            parameter: name(held.parameter)?,
            column: name(held.column)?,
            value: value(held.value)?,
        },
        types::Change::RemoveAttribute(held) => ContextChange::RemoveAttribute {
            parameter: name(held.parameter)?,
            column: name(held.column)?,
        },
        types::Change::SetInput(held) => {
            let (name, parameter) = named(held)?;
            ContextChange::SetInput(name, parameter)
        }
        types::Change::RemoveInput(held) => ContextChange::RemoveInput(name(held)?),
        types::Change::SetOutput(held) => {
            let (name, parameter) = named(held)?;
            ContextChange::SetOutput(name, parameter)
        }
        types::Change::RemoveOutput(held) => ContextChange::RemoveOutput(name(held)?),
        types::Change::SetSharedVariable(held) => {
            let (name, parameter) = named(held)?;
            ContextChange::SetSharedVariable(name, parameter)
        }
        types::Change::RemoveSharedVariable(held) => {
            ContextChange::RemoveSharedVariable(name(held)?)
        }
    })
}

/// The plug-in's own fault: its code, message and status are kept (case of
/// InvalidPluginExecutionException); without a code it is IsvAborted.
///
/// A code that says "try again later" is kept only when a nested request of this run failed with
/// it (`transient`): a plug-in that could invent one would block the playback of a device.
pub(crate) fn fault(guest: types::Fault, plugin_type: &str, transient: &[u32]) -> Fault {
    let message = printable(prefix(&guest.message, FAULT_MESSAGE_BYTES_MAX));
    let message = if message.trim().is_empty() {
        format!("The plug-in '{plugin_type}' refused without a message.")
    } else {
        message
    };
    let mut fault = Fault::new(guest.code, message);
    let invented = fault.is_transient() && !transient.contains(&guest.code);
    if guest.code == 0 || invented {
        fault.code = code::ISV_ABORTED;
    }
    let given = (400..=599).contains(&guest.status) && guest.status != code::status(fault.code);
    fault.status = given.then_some(guest.status);
    fault
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::to_guest;

    #[test]
    fn decimals_are_plain_and_exact() {
        let good = ["0", "-12.50", "+1", "79228162514264337593543950335"];
        for text in good {
            assert!(decimal(text.into()).is_ok(), "{text}");
        }
        let long = "1".repeat(41);
        let bad = [
            "",
            "1e5",
            "1_000",
            "--1",
            "1.2.3",
            "NaN",
            " 1",
            &long,
            "0.12345678901234567890123456789",
        ];
        for text in bad {
            assert!(matches!(decimal(text.into()), Err(ConvertError::BadDecimal { .. })), "{text}");
        }
    }

    #[test]
    fn what_goes_to_the_guest_comes_back_the_same() {
        let id = Uuid::from_u128(0x0123_4567_89ab_cdef_0011_2233_4455_6677);
        let values = [
            Value::Null,
            Value::Boolean(true),
            Value::Integer(-1),
            Value::BigInt(i64::MIN),
            Value::Decimal(Decimal::new(-1250, 2)),
            Value::Double(0.5),
            Value::Money(Decimal::new(5, 0)),
            Value::text("Zoë\n"),
            Value::DateTime(Timestamp(-1)),
            Value::Option(3),
            Value::Options(vec![1, 2]),
            Value::reference("contact", id),
            Value::Guid(id),
            Value::Bytes(vec![0, 255]),
        ];
        let mut row = Entity::with_id("account", id);
        row.version = Some(7);
        for (number, value) in values.into_iter().enumerate() {
            row.attributes.insert(format!("column{number}"), value);
        }
        let page = EntityCollection {
            table: "account".into(),
            entities: vec![row.clone()],
            more_records: true,
            paging_cookie: Some("cookie".into()),
            total_count: Some(9),
        };
        let orders = vec![Order { column: "name".into(), descending: true }];
        let query = Query { orders, top: Some(3), ..Query::all("account") };
        let request = Request::new("Custom")
            .with("a", Parameter::Entity(row))
            .with("b", Parameter::Entities(page))
            .with("c", Parameter::References(vec![EntityReference::new("task", id)]))
            .with("d", Parameter::Columns(None))
            .with("e", Parameter::Columns(Some(vec!["name".into()])))
            .with("f", Parameter::Query(query))
            .with("g", Parameter::Value(Value::Null));
        let guest = types::Request {
            message: request.message.clone(),
            parameters: to_guest::parameters(&request.parameters),
        };
        assert_eq!(super::request(guest), Ok(request));
    }

    #[test]
    fn counts_lengths_and_repeats_are_checked() {
        let attribute =
            |column: &str| types::Attribute { column: column.into(), value: types::Value::Null };
        let row = |attributes| types::Entity {
            table: "account".into(),
            id: None,
            row_version: None,
            attributes,
        };
        let twice = entity(row(vec![attribute("name"), attribute("name")]));
        assert_eq!(twice, Err(ConvertError::Twice { what: "column", name: "name".into() }));
        let many = (0..=ATTRIBUTES_MAX).map(|n| attribute(&n.to_string())).collect();
        assert!(matches!(entity(row(many)), Err(ConvertError::TooMany { count: 1_025, .. })));
        let long = entity(row(vec![attribute(&"é".repeat(200))]));
        assert!(matches!(long, Err(ConvertError::TooLong { bytes: 400, .. })));
    }

    #[test]
    fn a_plug_in_keeps_its_own_code_but_cannot_invent_a_transient_one() {
        let guest = |code, status| types::Fault { code, message: "no".into(), status };
        let cases = [
            (0, 0, &[][..], code::ISV_ABORTED, 400),
            (0x8004_0217, 0, &[][..], 0x8004_0217, 404),
            (0x1234, 422, &[][..], 0x1234, 422),
            (0x1234, 200, &[][..], 0x1234, 400),
            (code::INTERNAL, 0, &[][..], code::ISV_ABORTED, 400),
            (code::INTERNAL, 0, &[code::INTERNAL][..], code::INTERNAL, 500),
        ];
        for (given, status, transient, code, http) in cases {
            let fault = fault(guest(given, status), "t", transient);
            assert_eq!((fault.code, fault.http_status()), (code, http), "{given:#x}");
        }
    }
}
