//! Collections as an engine leaves them: every object tied to its record.
//!
//! Each collection is put in place by one request, because a server that looks through a collection
//! for every new object would take hours. Never part of what is measured.

use super::{Desk, Radicale};
use anyhow::{Context as _, Result};
use jiff::tz::TimeZone;
use offstage_mailstores::codec::icalendar::{CalendarObject, Writing};
use offstage_mailstores::codec::vcard::VCard;
use offstage_mailstores::codec::zone::Zone;
use offstage_model::{Clock as _, Uuid};
use offstage_outlook::convert::{Options, Record, item_patch, record_state};
use offstage_outlook::mapping::{TableMapping, of_table};
use offstage_outlook::{
    Changes, EntryId, ItemKind, ItemPatch, LinkProperties, LinkState, original,
};

use crate::world::SystemClock;

/// Fills a user's collections with the items of all contacts and appointments of a desk's server.
pub(super) fn seed(radicale: &Radicale, user: &str, desk: &mut Desk, count: usize) -> Result<()> {
    let organization = desk.engine.client()?.context("it is registered")?.organization;
    let cards = each(desk, "contact", count, (user, organization))?.concat();
    radicale.put(user, "contacts/", "text/vcard", &cards)?;
    let mut calendar = String::from("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//EN\r\n");
    for object in each(desk, "appointment", count, (user, organization))? {
        let start = object.find("BEGIN:VEVENT").context("an event")?;
        let end = object.rfind("END:VCALENDAR").context("a calendar")?;
        calendar.push_str(&object[start..end]);
    }
    calendar.push_str("END:VCALENDAR\r\n");
    radicale.put(user, "calendar/", "text/calendar", &calendar)
}

fn each(desk: &Desk, table: &str, count: usize, whose: (&str, Uuid)) -> Result<Vec<String>> {
    let mapping = of_table(table).context("a table of Outlook's")?;
    let mut tx = desk.world.server.store().read()?;
    let mut objects = Vec::with_capacity(count);
    for id in (0..count).map(|number| crate::outlook::row_id(table, number)) {
        let entity = tx.get(table, id)?.context("the row")?;
        let record = Record { entity, parties: Vec::new(), parent_name: None };
        objects.push(object(mapping, &record, whose)?);
    }
    Ok(objects)
}

fn object(
    mapping: &TableMapping,
    record: &Record,
    (user, organization): (&str, Uuid),
) -> Result<String> {
    let id = record.entity.id.context("an id")?;
    let options = Options { zone: TimeZone::UTC, update_company: false };
    let state = record_state(mapping, record, &options);
    let contact = mapping.kind == ItemKind::Contact;
    let place = if contact { "contacts" } else { "calendar" };
    let ending = if contact { "vcf" } else { "ics" };
    let version = record.entity.version.unwrap_or(0);
    let link = LinkProperties {
        crm_id: Some(id),
        state: Some(LinkState::Tracked),
        organization: Some(organization),
        object_type: Some(mapping.object_type),
        entry_id: Some(EntryId::new(format!("/{user}/{place}/{id}.{ending}"))),
        regarding: None,
        original_xml: Some(original::write(mapping.table, &state, version)),
    };
    let changes: Changes = state.values().map(|(p, value)| (p, Some(value.clone()))).collect();
    let patch = ItemPatch { link: Some(link), ..item_patch(&changes, None) };
    let bytes = if contact {
        let mut card = VCard::new(&id.to_string());
        card.patch(&patch)?;
        card.to_bytes()
    } else {
        let home = Zone::named("Europe/Berlin").context("the zone")?;
        let now = SystemClock.now();
        let mut event = CalendarObject::new(mapping.kind, &id.to_string(), now);
        event.patch(&patch, Writing { home: &home, now })?;
        event.to_bytes()
    };
    Ok(String::from_utf8(bytes)?)
}
