//! Publishers: whose signature counts, for which packages, from when to when, and for how much.
//!
//! Never verifies anything; `decide` does.

use crate::source::Source;
use crate::{CapabilitySet, PackagePattern, PolicyError};
use base64::Engine as _;
use minisign_verify::PublicKey;
use offstage_model::Timestamp;
use offstage_model::registration::CapabilityDeclaration;
use serde::Deserialize;
use toml::Spanned;
use toml::value::Datetime;

/// In a minisign public key, two bytes name the algorithm and eight the key; then comes the point.
const KEY_OFFSET: usize = 2 + 8;
/// The length of one day in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// Somebody whose signed packages may run here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publisher {
    /// The name, for grants and messages.
    pub name: String,
    /// The minisign public key, in base64.
    pub key: String,
    /// The packages that the key may sign.
    pub packages: Vec<PackagePattern>,
    /// From when the key counts.
    pub valid_from: Option<Timestamp>,
    /// Until when the key counts; the first moment at which it does not.
    pub valid_until: Option<Timestamp>,
    /// The most that packages of the publisher can be granted.
    pub ceiling: Ceiling,
    /// Why.
    pub reason: String,
    /// The line of the entry, counted from 1.
    pub line: usize,
}

/// The most that packages of a publisher can be granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ceiling {
    /// What that is.
    pub allows: CapabilitySet,
    /// Where it is written, as `file:line`.
    pub place: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PublisherForm {
    pub(crate) name: Spanned<String>,
    key: Spanned<String>,
    packages: Spanned<Vec<Spanned<String>>>,
    valid_from: Option<Spanned<Datetime>>,
    valid_to: Option<Spanned<Datetime>>,
    ceiling: Spanned<Vec<Spanned<CapabilityDeclaration>>>,
    reason: Spanned<String>,
}

impl Publisher {
    pub(crate) fn of(
        source: &Source<'_>,
        entry: Spanned<PublisherForm>,
    ) -> Result<Self, PolicyError> {
        let (span, line) = (entry.span(), source.line(entry.span().start));
        let form = entry.into_inner();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if form.name.get_ref().is_empty() || !form.name.get_ref().bytes().all(plain) {
            let reason = format!("{:?} is not a publisher's name", form.name.get_ref());
            let hint = "Use letters, digits, '_', '-' and '.'.";
            return Err(source.error(form.name.span(), reason, hint));
        }
        if form.packages.get_ref().is_empty() {
            let hint = "Name what the key may sign, such as packages = [\"acme/*\"].";
            let reason = "the key may sign no package".to_owned();
            return Err(source.error(form.packages.span(), reason, hint));
        }
        let packages = form.packages.into_inner().into_iter().map(|text| packages(source, text));
        let packages = packages.collect::<Result<_, _>>()?;
        let valid_from = form.valid_from.map(|date| day(source, date)).transpose()?;
        let valid_to = form.valid_to.map(|date| day(source, date)).transpose()?;
        let valid_until = valid_to.map(|day| day.plus_ms(DAY_MS));
        if let (Some(from), Some(until)) = (valid_from, valid_until)
            && from >= until
        {
            let reason = "the key stops being valid before it starts".to_owned();
            return Err(source.error(span, reason, "Swap valid_from and valid_to."));
        }
        let reason = source.reason(form.reason, "Say why this publisher is trusted.")?;
        let ceiling = Ceiling {
            place: source.place(form.ceiling.span().start),
            allows: source.capabilities(form.ceiling.into_inner(), &reason)?,
        };
        Ok(Self {
            name: form.name.into_inner(),
            key: key(source, form.key)?,
            packages,
            valid_from,
            valid_until,
            ceiling,
            reason,
            line,
        })
    }

    /// Whether the key may sign this package.
    #[must_use]
    pub fn signs(&self, package: &str) -> bool {
        self.packages.iter().any(|pattern| pattern.matches(package))
    }
}

/// A minisign public key: the second line of `minisign.pub`.
pub(crate) fn key(source: &Source<'_>, key: Spanned<String>) -> Result<String, PolicyError> {
    if PublicKey::from_base64(key.get_ref()).is_err() {
        let reason = "this is not a minisign public key".to_owned();
        let hint = "Give the second line of the .pub file; it starts with RW.";
        return Err(source.error(key.span(), reason, hint));
    }
    if is_weak(key.get_ref()) {
        let reason = "this key is weak: anybody can make signatures that it accepts".to_owned();
        return Err(source.error(key.span(), reason, "Ask the publisher for another key."));
    }
    Ok(key.into_inner())
}

/// Whether the key is a point of small order, for which signatures can be made without a secret
/// key (attack D04). The verifier only refuses one of them.
fn is_weak(key: &str) -> bool {
    let bytes = base64::engine::general_purpose::STANDARD.decode(key).unwrap_or_default();
    let point: Option<[u8; 32]> = bytes.get(KEY_OFFSET..).and_then(|key| key.try_into().ok());
    let key = point.and_then(|point| ed25519_dalek::VerifyingKey::from_bytes(&point).ok());
    key.is_none_or(|key| key.is_weak())
}

/// What a key may sign is never everything: a stolen key must not reach other vendors' ids.
fn packages(source: &Source<'_>, text: Spanned<String>) -> Result<PackagePattern, PolicyError> {
    match PackagePattern::parse(text.get_ref()) {
        Some(PackagePattern::Every) | None => {
            let reason = format!("{:?} is no package that a key may sign", text.get_ref());
            let hint = "Give a prefix such as \"acme/*\", or a package id.";
            Err(source.error(text.span(), reason, hint))
        }
        Some(pattern) => Ok(pattern),
    }
}

/// The start of a day, in UTC.
fn day(source: &Source<'_>, date: Spanned<Datetime>) -> Result<Timestamp, PolicyError> {
    let start = match (date.get_ref().date, date.get_ref().time, date.get_ref().offset) {
        (Some(day), None, None) => day_start(day.year, day.month, day.day),
        _ => None,
    };
    start.ok_or_else(|| {
        let reason = format!("'{}' is not a day", date.get_ref());
        source.error(date.span(), reason, "Write it as 2026-12-31, without quotes.")
    })
}

fn day_start(year: u16, month: u8, day: u8) -> Option<Timestamp> {
    let (year, month) = (i16::try_from(year).ok()?, i8::try_from(month).ok()?);
    let date = jiff::civil::Date::new(year, month, i8::try_from(day).ok()?).ok()?;
    let zoned = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp(zoned.timestamp().as_millisecond()))
}
