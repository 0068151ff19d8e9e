//! Values and row names as scenarios write them.

use offstage_model::{Timestamp, Uuid, Value};
use sha2::{Digest, Sha256};

/// The id of the row that scenarios call `name`.
pub(crate) fn row_id(name: &str) -> Uuid {
    if let Ok(id) = name.parse() {
        return id;
    }
    let hash = Sha256::digest(name);
    Uuid::from_bytes(hash[..16].try_into().expect("a digest is long enough"))
}

/// `s:text` (`~` is a space), `i:1`, `l:1`, `m:1.5`, `o:1`, `b:true`, `d:2026-01-01`,
/// `r:table:name`, `null`.
pub(crate) fn parse(text: &str) -> Value {
    let Some((kind, rest)) = text.split_once(':') else {
        assert_eq!(text, "null", "a value needs a type");
        return Value::Null;
    };
    match kind {
        "s" => Value::text(rest.replace('~', " ")),
        "i" => Value::Integer(rest.parse().expect("an integer")),
        "l" => Value::BigInt(rest.parse().expect("an integer")),
        "m" => Value::Money(rest.parse().expect("a number")),
        "o" => Value::Option(rest.parse().expect("an integer")),
        "b" => Value::Boolean(rest == "true"),
        "d" => Value::DateTime(Timestamp::parse(rest).expect("a time")),
        "r" => {
            let (table, name) = rest.split_once(':').expect("r:table:name");
            Value::reference(table, row_id(name))
        }
        _ => panic!("unknown type in {text}"),
    }
}
