//! The rows of all benchmarks: accounts of about 190 bytes.

use offstage_model::{Decimal, Entity, Uuid, Value};

/// The columns that a caller gives for account `number`.
pub(crate) fn account(number: usize) -> Entity {
    Entity::new("account")
        .with("name", Value::text(format!("Contoso {number} Handels GmbH")))
        .with("accountnumber", Value::text(format!("AC-{number:07}")))
        .with("telephone1", Value::text("+49 30 901820"))
        .with("emailaddress1", Value::text(format!("office{number}@contoso.example")))
        .with("address1_city", Value::text(city(number)))
        .with("revenue", Value::Money(Decimal::new(1_234_567, 2)))
        .with("numberofemployees", Value::Integer(120))
        .with("industrycode", Value::Option(3))
}

/// Two of a hundred accounts are in Bergen.
pub(crate) fn city(number: usize) -> &'static str {
    if number % 50 == 7 { "Bergen" } else { "Berlin" }
}

/// A row id that is spread as random ones are, and the same in each run.
pub(crate) fn id(number: usize) -> Uuid {
    let spread = (number as u128 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    Uuid::from_u128(spread)
}
