//! Reads the path below the service root into a resource: sets, rows, properties, metadata.
//!
//! Never looks at the method or the body, and never reads a row: keys stay literals here.

use super::errors;
use offstage_model::metadata::Table;
use offstage_model::{Catalog, Fault, Uuid};

/// The most segments of a path; the deepest one that means something has four.
const SEGMENTS_MAX: usize = 8;

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    /// The service document.
    Service,
    /// `$metadata`.
    Metadata,
    /// `WhoAmI`, `WhoAmI()`.
    WhoAmI,
    /// `RetrieveVersion`, `RetrieveVersion()`.
    RetrieveVersion,
    /// A set of rows.
    Set(String),
    /// The number of rows of a set.
    Count(String),
    /// One row.
    Row(RowAddress),
    /// One column of one row.
    Property {
        /// The row.
        row: RowAddress,
        /// The column as the path has it (`name` or `_x_value`).
        name: String,
        /// `/$value`: the bare text.
        raw: bool,
    },
    /// `EntityDefinitions`.
    Definitions,
    /// `EntityDefinitions(LogicalName='x')`, or by metadata id.
    Definition(DefinitionKey),
    /// `…/Attributes`, perhaps cast to one kind of attribute.
    Attributes {
        /// The table.
        of: DefinitionKey,
        /// `PicklistAttributeMetadata` and such, without its namespace.
        cast: Option<String>,
    },
}

/// One row by its table and key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowAddress {
    /// The table's logical name.
    pub(crate) table: String,
    /// The key.
    pub(crate) key: RowKey,
}

/// How a path names a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RowKey {
    /// By primary id.
    Id(Uuid),
    /// By an alternate key: columns and literals, in the order of the path.
    Alternate(Vec<(String, Literal)>),
}

/// How a path names a table definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DefinitionKey {
    /// By logical name.
    Name(String),
    /// By metadata id.
    Id(Uuid),
}

/// A literal of a key, not yet typed by metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Literal {
    /// `'text'`, without the quotes.
    Text(String),
    /// Anything else: numbers, GUIDs, dates, `true`.
    Bare(String),
}

impl Literal {
    /// The text, whichever kind it is.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Bare(text) => text,
        }
    }
}

/// One segment of a path: a name, perhaps with something in parentheses.
#[derive(Debug)]
struct Segment {
    name: String,
    arguments: Option<Vec<(Option<String>, Literal)>>,
}

/// Reads a percent-encoded path, with or without the slash at its start.
///
/// # Errors
/// A path that is not well formed (400), or that names nothing (404, 501).
pub(crate) fn parse(path: &str, catalog: &Catalog) -> Result<Resource, Fault> {
    let decoded = percent_decode(path, Plus::Literal)?;
    let segments = split(decoded.trim_start_matches('/'))?;
    let mut rest = segments.iter();
    let Some(first) = rest.next() else { return Ok(Resource::Service) };
    let rest: Vec<&Segment> = rest.collect();
    let alone = |resource: Resource| {
        if rest.is_empty() { Ok(resource) } else { Err(errors::no_resource(&rest[0].name)) }
    };
    match first.name.as_str() {
        "$metadata" => alone(Resource::Metadata),
        "WhoAmI" => alone(Resource::WhoAmI),
        "RetrieveVersion" => alone(Resource::RetrieveVersion),
        "EntityDefinitions" => definitions(first, &rest),
        "$batch" => Err(errors::not_supported("$batch")),
        set => match catalog.table_of_set(set) {
            Some(table) => below_set(table, first, &rest),
            None => Err(errors::no_resource(set)),
        },
    }
}

fn below_set(table: &Table, first: &Segment, rest: &[&Segment]) -> Result<Resource, Fault> {
    let Some(arguments) = &first.arguments else {
        return match rest {
            [] => Ok(Resource::Set(table.name.clone())),
            [count] if count.name == "$count" => Ok(Resource::Count(table.name.clone())),
            [other, ..] => Err(unsupported_or_unknown(&other.name)),
        };
    };
    let row = RowAddress { table: table.name.clone(), key: row_key(table, arguments)? };
    match rest {
        [] => Ok(Resource::Row(row)),
        [property] => Ok(Resource::Property { row, name: column_segment(property)?, raw: false }),
        [property, value] if value.name == "$value" => {
            Ok(Resource::Property { row, name: column_segment(property)?, raw: true })
        }
        [_, other, ..] => Err(unsupported_or_unknown(&other.name)),
    }
}

fn column_segment(segment: &Segment) -> Result<String, Fault> {
    if segment.arguments.is_some() || segment.name.contains('.') {
        return Err(errors::not_supported(&format!("the path segment '{}'", segment.name)));
    }
    if segment.name.starts_with('$') {
        return Err(unsupported_or_unknown(&segment.name));
    }
    Ok(segment.name.clone())
}

fn unsupported_or_unknown(segment: &str) -> Fault {
    if segment == "$ref" || segment == "$value" || segment.starts_with("Microsoft.Dynamics.CRM.") {
        errors::not_supported(&format!("the path segment '{segment}'"))
    } else {
        errors::no_resource(segment)
    }
}

fn definitions(first: &Segment, rest: &[&Segment]) -> Result<Resource, Fault> {
    let Some(arguments) = &first.arguments else {
        return match rest {
            [] => Ok(Resource::Definitions),
            [other, ..] => Err(errors::no_resource(&other.name)),
        };
    };
    let key = match arguments.as_slice() {
        [(Some(name), Literal::Text(text))] if name == "LogicalName" => {
            DefinitionKey::Name(text.clone())
        }
        [(None, literal)] => DefinitionKey::Id(guid(literal.text())?),
        _ => return Err(errors::syntax("EntityDefinitions takes (LogicalName='…') or an id.")),
    };
    match rest {
        [] => Ok(Resource::Definition(key)),
        [attributes] if attributes.name == "Attributes" && attributes.arguments.is_none() => {
            Ok(Resource::Attributes { of: key, cast: None })
        }
        [attributes, cast] if attributes.name == "Attributes" && attributes.arguments.is_none() => {
            match cast.name.strip_prefix("Microsoft.Dynamics.CRM.") {
                Some(kind) => Ok(Resource::Attributes { of: key, cast: Some(kind.to_owned()) }),
                None => Err(errors::no_resource(&cast.name)),
            }
        }
        [other, ..] => Err(errors::not_supported(&format!("EntityDefinitions(…)/{}", other.name))),
    }
}

/// The row of a URL in a body, as in `"primarycontactid@odata.bind": "/contacts(…)"`: relative to
/// the service root, or absolute with any origin.
///
/// # Errors
/// Text that names no row.
pub(crate) fn parse_row_url(url: &str, catalog: &Catalog) -> Result<RowAddress, Fault> {
    let path = match url.split_once("/api/data/v9.2/") {
        Some((_, path)) => path,
        None => url,
    };
    match parse(path, catalog)? {
        Resource::Row(row) => Ok(row),
        _ => Err(errors::payload(format!("'{}' does not name a row.", errors::shorten(url)))),
    }
}

fn row_key(table: &Table, arguments: &[(Option<String>, Literal)]) -> Result<RowKey, Fault> {
    match arguments {
        [(None, literal)] => return guid(literal.text()).map(RowKey::Id),
        [(Some(name), literal)] if *name == table.primary_id => {
            return guid(literal.text()).map(RowKey::Id);
        }
        _ => {}
    }
    let mut key = Vec::with_capacity(arguments.len());
    for (name, literal) in arguments {
        let Some(name) = name else {
            return Err(errors::syntax("Each part of an alternate key needs a column name."));
        };
        // A lookup in a key is written as `_x_value`.
        let column = bare_column(table, name);
        if key.iter().any(|(known, _)| *known == column) {
            return Err(errors::syntax(&format!("The key names '{column}' twice.")));
        }
        key.push((column, literal.clone()));
    }
    let mut named: Vec<&String> = key.iter().map(|(column, _)| column).collect();
    named.sort_unstable();
    let is_key = table.keys.iter().any(|known| {
        let mut columns: Vec<&String> = known.columns.iter().collect();
        columns.sort_unstable();
        columns == named
    });
    if is_key { Ok(RowKey::Alternate(key)) } else { Err(errors::not_a_key(table, &key)) }
}

/// The column behind `_x_value`, or the name itself.
pub(crate) fn bare_column(table: &Table, name: &str) -> String {
    name.strip_prefix('_')
        .and_then(|n| n.strip_suffix("_value"))
        .filter(|n| table.column(n).is_some_and(|c| c.kind.is_reference()))
        .unwrap_or(name)
        .to_owned()
}

/// A GUID in any case, with or without braces.
fn guid(text: &str) -> Result<Uuid, Fault> {
    let bare = text.trim().trim_start_matches('{').trim_end_matches('}');
    let hyphenated = bare.len() == 36;
    Uuid::parse_str(bare).ok().filter(|_| hyphenated).ok_or_else(|| {
        errors::syntax(&format!(
            "'{}' is not a GUID; write accounts(00000000-0000-0000-0000-000000000000).",
            errors::shorten(text)
        ))
    })
}

/// Splits decoded text into segments; slashes inside quotes do not count.
fn split(path: &str) -> Result<Vec<Segment>, Fault> {
    let mut segments = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if segments.len() == SEGMENTS_MAX {
            return Err(errors::syntax("The path has too many segments."));
        }
        let end = rest.find(['/', '(']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let (arguments, after) = match after.strip_prefix('(') {
            Some(inner) => {
                let (arguments, after) = arguments(inner)?;
                (Some(arguments), after)
            }
            None => (None, after),
        };
        segments.push(Segment { name: name.to_owned(), arguments });
        rest = match after.strip_prefix('/') {
            Some(next) => next,
            None if after.is_empty() => "",
            None => return Err(errors::syntax("There is something after a closing parenthesis.")),
        };
    }
    Ok(segments)
}

type Arguments = Vec<(Option<String>, Literal)>;

/// Reads up to the closing parenthesis; answers what follows it too.
fn arguments(text: &str) -> Result<(Arguments, &str), Fault> {
    let mut parts: Vec<String> = vec![String::new()];
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            ')' if !quoted => {
                let empty = parts.len() == 1 && parts[0].trim().is_empty();
                let parts = if empty { Vec::new() } else { parts };
                let arguments =
                    parts.iter().map(|part| argument(part)).collect::<Result<_, _>>()?;
                return Ok((arguments, &text[at + 1..]));
            }
            ',' if !quoted => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    Err(errors::syntax("A parenthesis or a quote in the path is not closed."))
}

fn argument(part: &str) -> Result<(Option<String>, Literal), Fault> {
    let part = part.trim();
    let quote = part.find('\'').unwrap_or(part.len());
    let (name, value) = match part.find('=').filter(|&at| at < quote) {
        Some(at) => (Some(part[..at].trim().to_owned()), part[at + 1..].trim()),
        None => (None, part),
    };
    let literal = match value.strip_prefix('\'') {
        None => Literal::Bare(value.to_owned()),
        Some(inner) => match inner.strip_suffix('\'') {
            Some(text) => Literal::Text(text.replace("''", "'")),
            None => return Err(errors::syntax("A quoted key value is not closed.")),
        },
    };
    Ok((name, literal))
}

/// What `+` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plus {
    /// Itself (paths).
    Literal,
    /// A space (queries and forms).
    Space,
}

/// Undoes percent-encoding.
///
/// # Errors
/// `%` without two hexadecimal digits, or bytes that are not UTF-8.
pub(crate) fn percent_decode(text: &str, plus: Plus) -> Result<String, Fault> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
                let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
                    return Err(errors::syntax("'%' in a URL needs two hexadecimal digits."));
                };
                bytes.push(u8::try_from(high * 16 + low).expect("BUG: two digits make a byte"));
            }
            b'+' if plus == Plus::Space => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).map_err(|_| errors::syntax("The URL does not hold UTF-8 text."))
}

/// Percent-encodes everything but unreserved characters.
pub(crate) fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0a1b2c3d-0000-0000-0000-00000000000f";

    fn row(key: RowKey) -> Resource {
        Resource::Row(RowAddress { table: "account".into(), key })
    }

    fn by_number(text: &str) -> Resource {
        row(RowKey::Alternate(vec![("accountnumber".into(), Literal::Text(text.into()))]))
    }

    #[test]
    fn paths_name_resources() {
        let catalog = Catalog::base();
        let id = row(RowKey::Id(Uuid::parse_str(ID).unwrap()));
        let cases = [
            ("", Resource::Service),
            ("/", Resource::Service),
            ("WhoAmI", Resource::WhoAmI),
            ("WhoAmI()", Resource::WhoAmI),
            ("accounts", Resource::Set("account".into())),
            ("accounts/$count", Resource::Count("account".into())),
            ("accounts(0A1B2C3D-0000-0000-0000-00000000000F)", id.clone()),
            ("accounts(%7B0a1b2c3d-0000-0000-0000-00000000000f%7D)", id.clone()),
            ("accounts({0a1b2c3d-0000-0000-0000-00000000000f})", id.clone()),
            ("accounts(accountid=0a1b2c3d-0000-0000-0000-00000000000f)", id),
            ("accounts(accountnumber='K-1')", by_number("K-1")),
            ("accounts(accountnumber=%27O%27%27Hara%2F1%27)", by_number("O'Hara/1")),
            ("accounts(accountnumber='a,b)c')", by_number("a,b)c")),
            ("EntityDefinitions", Resource::Definitions),
        ];
        for (path, expected) in cases {
            assert_eq!(parse(path, &catalog).unwrap(), expected, "{path}");
        }
    }

    #[test]
    fn paths_that_name_nothing_are_refused() {
        let catalog = Catalog::base();
        let cases = [
            ("acounts", 404),
            ("accounts(1)", 400),
            ("accounts(name='x')", 400),
            ("accounts(accountnumber='x'", 400),
            ("accounts(accountnumber='x)", 400),
            ("accounts%2", 400),
            ("accounts%FF", 400),
            ("accounts/$ref", 501),
            ("$batch", 501),
            ("WhoAmI/x", 404),
            ("a/a/a/a/a/a/a/a/a/a", 400),
        ];
        for (path, status) in cases {
            assert_eq!(parse(path, &catalog).unwrap_err().http_status(), status, "{path}");
        }
    }

    #[test]
    fn encoding_and_decoding_are_inverse() {
        let text = "a b+c/d'é%";
        assert_eq!(percent_decode(&percent_encode(text), Plus::Space).unwrap(), text);
    }
}
