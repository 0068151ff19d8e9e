//! Finding a user's collections (RFC 6764, 5397, 4791, 6352).
//!
//! The given address may be a collection, a home, a principal or just the server; the well-known
//! addresses are tried last. Never looks outside the server.

use offstage_outlook::{ItemKind, MailStoreError};

use super::client::Client;
use super::multistatus::{Multistatus, Resource};
use super::{Collection, STORE};

const COLLECTION: &str = "<D:resourcetype/><D:displayname/><D:current-user-principal/>\
    <D:supported-report-set/><D:sync-token/><C:supported-calendar-component-set/>\
    <C:calendar-home-set/><A:addressbook-home-set/>";

/// What was found.
pub(super) struct Found {
    pub(super) collections: Vec<Collection>,
    /// Whether the server handles invitations.
    pub(super) schedules: bool,
}

pub(super) fn discover(client: &mut Client, path: &str) -> Result<Found, MailStoreError> {
    let mut collections = Vec::new();
    let mut homes = Vec::new();
    // An address that leads nowhere is not replaced by another one: only those who name no place on
    // the server want theirs looked for.
    let wanted: &[&str] =
        if path == "/" { &[path, "/.well-known/caldav", "/.well-known/carddav"] } else { &[path] };
    let mut failure = None;
    for (number, start) in wanted.iter().enumerate() {
        match client.propfind(start, "0", COLLECTION) {
            Ok(answer) => look(client, &answer, &mut collections, &mut homes)?,
            // The address that was given has to answer; the others need not exist.
            Err(error) if number == 0 => failure = Some(error),
            Err(_) => {}
        }
        // A server that refuses the credentials, or is not there, is not asked again.
        let over = !matches!(failure, None | Some(MailStoreError::Refused { .. }));
        if over || (number == 0 && !(collections.is_empty() && homes.is_empty())) {
            break;
        }
    }
    for home in homes {
        let listing = client.propfind(&home, "1", COLLECTION)?;
        for resource in &listing.responses {
            add(resource, &mut collections);
        }
    }
    if collections.is_empty() {
        return Err(failure.map(|error| named(client, path, error)).unwrap_or_else(|| {
            MailStoreError::NeedsAttention {
                store: STORE,
                problem: format!("{}{path} has no calendar and no address book", client.origin()),
                hint: "make one on the server, or give the address of one",
            }
        }));
    }
    let calendar = collections.iter().find(|one| one.kind != ItemKind::Contact).cloned();
    let schedules = match calendar {
        Some(calendar) => client.schedules(&calendar.path)?,
        None => false,
    };
    Ok(Found { collections, schedules })
}

/// The refusal of an address that somebody gave, with that address.
fn named(client: &Client, path: &str, error: MailStoreError) -> MailStoreError {
    let MailStoreError::Refused { reason, .. } = error else { return error };
    MailStoreError::NeedsAttention {
        store: STORE,
        problem: format!("{}{path} cannot be used: {reason}", client.origin()),
        hint: "check the address; with that of the server alone, the collections are looked for",
    }
}

/// Takes what an answer about one resource says, and goes on to the principal that it names.
fn look(
    client: &mut Client,
    answer: &Multistatus,
    collections: &mut Vec<Collection>,
    homes: &mut Vec<String>,
) -> Result<(), MailStoreError> {
    let mut principals = Vec::new();
    for resource in &answer.responses {
        add(resource, collections);
        take_homes(resource, homes);
        let links = resource.links.iter().filter(|(name, _)| name == "current-user-principal");
        principals.extend(links.map(|(_, href)| href.clone()));
    }
    if !collections.is_empty() || !homes.is_empty() {
        return Ok(());
    }
    for principal in principals {
        for resource in client.propfind(&principal, "0", COLLECTION)?.responses {
            take_homes(&resource, homes);
        }
    }
    Ok(())
}

fn take_homes(resource: &Resource, homes: &mut Vec<String>) {
    for (name, href) in &resource.links {
        if matches!(name.as_str(), "calendar-home-set" | "addressbook-home-set")
            && !homes.contains(href)
        {
            homes.push(href.clone());
        }
    }
}

fn add(resource: &Resource, collections: &mut Vec<Collection>) {
    let is = |kind: &str| resource.kinds.iter().any(|one| one == kind);
    let holds = |name: &str| {
        resource.components.is_empty() || resource.components.iter().any(|one| one == name)
    };
    // A collection of events and to-dos takes part as what it holds first.
    let kind = if is("addressbook") {
        ItemKind::Contact
    } else if is("calendar") && holds("VEVENT") {
        ItemKind::Appointment
    } else if is("calendar") && holds("VTODO") {
        ItemKind::Task
    } else {
        return;
    };
    let path = if resource.href.ends_with('/') {
        resource.href.clone()
    } else {
        format!("{}/", resource.href)
    };
    if collections.iter().any(|one| one.path == path) {
        return;
    }
    let synchronises = resource.sync_token.is_some()
        || resource.reports.iter().any(|report| report == "sync-collection");
    let name = resource.name.clone().unwrap_or_else(|| path.clone());
    collections.push(Collection { path, name, kind, synchronises });
}
