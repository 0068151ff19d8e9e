//! Text comparison without regard to case, for databases to register as collation and functions.
//!
//! Follows Unicode lowercase, character by character; never normalises and never knows a locale.

use std::cmp::Ordering;

/// The name under which a backend registers [`compare`] as a collation.
pub const COLLATION: &str = "OFFSTAGE_NOCASE";

/// Compares two texts without regard to case.
#[must_use]
pub fn compare(a: &str, b: &str) -> Ordering {
    // Nearly all text is ASCII; this saves decoding it.
    let (left, right) = (a.as_bytes(), b.as_bytes());
    let shared = left.len().min(right.len());
    for i in 0..shared {
        let (x, y) = (left[i], right[i]);
        if !x.is_ascii() || !y.is_ascii() {
            // Both are on a character boundary here: all bytes before were ASCII.
            return lower(&a[i..]).cmp(lower(&b[i..]));
        }
        match x.to_ascii_lowercase().cmp(&y.to_ascii_lowercase()) {
            Ordering::Equal => {}
            unequal => return unequal,
        }
    }
    left.len().cmp(&right.len())
}

/// Whether `text` holds `part`, without regard to case.
#[must_use]
pub fn contains(text: &str, part: &str) -> bool {
    fold(text).contains(&fold(part))
}

/// Whether `text` begins with `part`, without regard to case.
#[must_use]
pub fn begins_with(text: &str, part: &str) -> bool {
    let mut text = lower(text);
    lower(part).all(|c| text.next() == Some(c))
}

/// Whether `text` ends with `part`, without regard to case.
#[must_use]
pub fn ends_with(text: &str, part: &str) -> bool {
    fold(text).ends_with(&fold(part))
}

fn lower(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

fn fold(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { lower(text).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_total_and_ignores_case() {
        let words =
            ["", "a", "A", "Ä", "ä", "ab", "AB", "Straße", "STRASSE", "İ", "z", "Zürich", "日本"];
        for a in words {
            for b in words {
                assert_eq!(compare(a, b), compare(b, a).reverse(), "{a} {b}");
                for c in words {
                    if compare(a, b).is_le() && compare(b, c).is_le() {
                        assert!(compare(a, c).is_le(), "{a} {b} {c}");
                    }
                }
            }
        }
        assert_eq!(compare("ZÜRICH", "zürich"), Ordering::Equal);
        assert!(contains("Zürich HB", "RICH h") && begins_with("ÄPFEL", "äp"));
        assert!(ends_with("Contoso GmbH", "GMBH") && !contains("100", "%"));
    }
}
