//! The tie of an item to its record, as extension lines of a vCard or iCalendar object.
//!
//! `crmid` is written as `X-CRMID`, and so on. OriginalXML is one word of base64url without any
//! parameter: servers that decode `ENCODING=BASE64` cannot write it back. Never judges a tie.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use offstage_outlook::LinkProperties;
use offstage_outlook::link::names;

use super::lines::{Line, NewLine};
use super::text;

/// The line's name for a custom property.
fn line_name(name: &str) -> String {
    format!("X-{}", name.to_ascii_uppercase())
}

/// Reads the tie from among an object's own lines.
pub(super) fn read<'a>(lines: impl Iterator<Item = &'a Line>) -> LinkProperties {
    let mut found: Vec<(&str, String)> = Vec::new();
    for line in lines.filter(|line| line.name().starts_with("X-CRM")) {
        let Some(name) = names::ALL.into_iter().find(|name| line.name() == line_name(name)) else {
            continue;
        };
        let value = text::unescaped(line.value());
        if name == names::ORIGINAL_XML {
            let decoded = URL_SAFE_NO_PAD.decode(value.trim()).ok();
            found
                .extend(decoded.and_then(|xml| String::from_utf8(xml).ok()).map(|xml| (name, xml)));
        } else {
            found.push((name, value));
        }
    }
    LinkProperties::from_named(found.iter().map(|(name, value)| (*name, value.as_str())))
}

/// The lines of a tie by name; `None` where the line has to go.
pub(super) fn lines(link: &LinkProperties) -> Vec<(String, Option<NewLine>)> {
    let named = link.to_named();
    let value =
        |wanted: &str| named.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value);
    let line = |name: &str| {
        let value = value(name)?;
        let written = if name == names::ORIGINAL_XML {
            URL_SAFE_NO_PAD.encode(value)
        } else {
            text::escaped(value)
        };
        Some(NewLine::new(&line_name(name), written))
    };
    names::ALL.into_iter().map(|name| (line_name(name), line(name))).collect()
}
