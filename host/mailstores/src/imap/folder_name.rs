//! Names of folders as people read them: servers send them in a form of UTF-7 (RFC 3501, 5.1.3).
//!
//! Names go back to the server as they came; this form is only shown and compared with settings.

use base64::Engine as _;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const UTF7: GeneralPurpose = GeneralPurpose::new(
    &IMAP_MUTF7,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The name as people read it; one that is not in the form stays as it is.
pub(super) fn shown(wire_name: &str) -> String {
    decoded(wire_name).unwrap_or_else(|| wire_name.to_owned())
}

fn decoded(wire_name: &str) -> Option<String> {
    let mut shown = String::new();
    let mut rest = wire_name;
    while let Some((before, after)) = rest.split_once('&') {
        shown += before;
        let (encoded, after) = after.split_once('-')?;
        rest = after;
        if encoded.is_empty() {
            shown.push('&');
            continue;
        }
        let bytes = UTF7.decode(encoded).ok()?;
        let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
        shown += &String::from_utf16(&units.collect::<Vec<_>>()).ok()?;
    }
    Some(shown + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_what_is_not_in_the_form_stays() {
        let cases = [
            ("INBOX", "INBOX"),
            ("Entw&APw-rfe", "Entwürfe"),
            ("R&-D", "R&D"),
            ("&U,BTFw-", "台北"),
            ("a&", "a&"),
            ("a&!!-", "a&!!-"),
        ];
        for (wire_name, name) in cases {
            assert_eq!(shown(wire_name), name);
        }
    }
}
