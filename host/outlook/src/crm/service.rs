//! The server's side: answers Outlook clients over a [`Pipeline`].
//!
//! Every call may be repeated. Never changes a business row but through the pipeline.

use super::wire::{
    BODY_BYTES_MAX, ChangedRow, DataAnswer, DataRequest, PAGE_ROWS_MAX, PROTOCOL_VERSION,
    PostAnswer, PostRequest, PrepareRequest, RegisterAnswer, RegisterRequest, SPECIFIC_MAX,
    SpecificAnswer, SpecificRequest, TableCount, TrackRequest, WireParty, WireRecord, verb,
};
use crate::item::ItemKind;
use crate::mapping::of_table;
use crate::rules::{ClientRole, FILTERS, Rows};
use offstage_model::query::{Filter, Operator};
use offstage_model::{
    Entity, EntityReference, Fault, Request, Response, Timestamp, Uuid, Value, code,
};
use offstage_pipeline::{CallOptions, Caller, Pipeline};
use offstage_store::{OutlookClient, Tx};
use offstage_subscription::{ChildRule, OutlookFilter, outlook};
use serde::{Serialize, de::DeserializeOwned};

/// The most parties of one activity that are looked at.
const PARTIES_MAX: usize = 1_000;

/// The service of one server.
#[derive(Clone)]
pub struct OutlookService {
    pipeline: Pipeline,
}

impl OutlookService {
    /// The service over the server's pipeline.
    #[must_use]
    pub fn new(pipeline: Pipeline) -> Self {
        Self { pipeline }
    }

    /// Makes a directory a client of the caller, or changes its role and kinds.
    ///
    /// # Errors
    /// Another client of the user is the synchronising one; the client belongs to another user.
    pub fn register(
        &self,
        caller: &Caller,
        request: &RegisterRequest,
    ) -> Result<RegisterAnswer, Fault> {
        check_protocol(request.protocol)?;
        let role = ClientRole::named(&request.role).ok_or_else(|| {
            invalid(format!("'{}' is no role of a client.", request.role))
                .hint("It is primary, secondary, delegate or roaming.")
        })?;
        let kinds: Vec<ItemKind> =
            request.kinds.iter().filter_map(|k| ItemKind::named(k)).collect();
        if request.client.is_nil() || kinds.len() != request.kinds.len() {
            return Err(invalid("A client needs an id and known kinds of items.".to_owned()));
        }
        let mut tx = self.pipeline.store().write()?;
        let known = tx.outlook_client(request.client)?;
        if known.as_ref().is_some_and(|known| known.user != caller.user) {
            return Err(not_yours(request.client));
        }
        if role == ClientRole::Primary {
            make_room(&mut tx, caller, request)?;
        }
        tx.put_outlook_client(&OutlookClient {
            client: request.client,
            user: caller.user,
            name: request.name.clone(),
            role: role.name().to_owned(),
        })?;
        let filters = filters(&kinds);
        let token = match known {
            None => {
                let fresh = self.pipeline.random().guid();
                Some(outlook::open(&mut tx, request.client, caller.user, &filters, fresh)?)
            }
            Some(_) => {
                outlook::set_filters(&mut tx, request.client, &filters)?;
                None
            }
        };
        let address = address_of(&mut tx, &EntityReference::new("systemuser", caller.user))?;
        tx.commit()?;
        Ok(RegisterAnswer {
            organization: self.pipeline.organization().id,
            user: caller.user,
            address: address.map(|(_, address)| address).filter(|a| !a.is_empty()),
            may_synchronise: caller.sync_to_outlook,
            role: role.name().to_owned(),
            token,
            server_time: self.now(),
        })
    }

    /// PrepareSync.
    ///
    /// # Errors
    /// [`code::PRIVILEGE_DENIED`] without `prvSyncToOutlook`; [`code::DEVICE_FORKED`].
    pub fn prepare(
        &self,
        caller: &Caller,
        request: &PrepareRequest,
    ) -> Result<Vec<TableCount>, Fault> {
        require_right(caller)?;
        let mut tx = self.pipeline.store().write()?;
        check_client(&mut tx, caller, request.client)?;
        let counts = outlook::prepare(&mut tx, request.client, &request.token)?;
        tx.commit()?;
        let counts = counts.into_iter().map(|count| TableCount {
            table: count.table,
            upserts: count.upserts,
            removals: count.removals,
        });
        Ok(counts.collect())
    }

    /// GetSyncData: ids and timestamps.
    ///
    /// # Errors
    /// See [`OutlookService::prepare`].
    pub fn data(&self, caller: &Caller, request: &DataRequest) -> Result<DataAnswer, Fault> {
        require_right(caller)?;
        let mut tx = self.pipeline.store().read()?;
        check_client(&mut tx, caller, request.client)?;
        let limit = request.limit.clamp(1, PAGE_ROWS_MAX);
        let page = (request.after, limit);
        let found = outlook::data(&mut tx, request.client, &request.token, page)?;
        let rows = found.rows.into_iter().map(|row| ChangedRow {
            row: row.row,
            version: row.version,
            modified: row.modified,
        });
        Ok(DataAnswer { rows: rows.collect(), through: found.through, more: found.more })
    }

    /// PostSync.
    ///
    /// # Errors
    /// [`code::DEVICE_FORKED`].
    pub fn post(&self, caller: &Caller, request: &PostRequest) -> Result<PostAnswer, Fault> {
        let mut tx = self.pipeline.store().write()?;
        check_client(&mut tx, caller, request.client)?;
        let chance = (self.pipeline.random().guid(), self.now());
        let (client, token) = (request.client, &request.token);
        let token =
            offstage_subscription::post_sync(&mut tx, client, token, request.through, chance)?;
        tx.commit()?;
        Ok(PostAnswer { token })
    }

    /// GetSpecificSyncData: columns, parties and the parent's name, whatever the filter says now.
    ///
    /// # Errors
    /// Too many rows, or a table that does not take part.
    pub fn specific(
        &self,
        _caller: &Caller,
        request: &SpecificRequest,
    ) -> Result<SpecificAnswer, Fault> {
        if request.rows.len() > SPECIFIC_MAX {
            let text = format!("At most {SPECIFIC_MAX} rows can be asked for at once.");
            return Err(Fault::new(code::PAYLOAD_TOO_LARGE, text));
        }
        let mut tx = self.pipeline.store().read()?;
        let mut answer = SpecificAnswer::default();
        for reference in &request.rows {
            if of_table(&reference.table).is_none() {
                return Err(invalid(format!("'{}' has no items in Outlook.", reference.table)));
            }
            if let Some(row) = tx.get(&reference.table, reference.id)? {
                answer.records.push(record(&mut tx, row)?);
            }
        }
        Ok(answer)
    }

    /// Tracks a row by hand for a client, or no longer.
    ///
    /// # Errors
    /// A table that does not take part.
    pub fn track(&self, caller: &Caller, request: &TrackRequest) -> Result<(), Fault> {
        if of_table(&request.row.table).is_none() {
            return Err(invalid(format!("'{}' has no items in Outlook.", request.row.table)));
        }
        let mut tx = self.pipeline.store().write()?;
        check_client(&mut tx, caller, request.client)?;
        tx.track_manually(request.client, &request.row.table, request.row.id, request.track)?;
        Ok(tx.commit()?)
    }

    /// Runs one request, once.
    ///
    /// # Errors
    /// Whatever refuses it.
    pub fn execute(
        &self,
        caller: &Caller,
        operation: Uuid,
        request: &Request,
    ) -> Result<Response, Fault> {
        let options = CallOptions {
            operation: Some(operation),
            receipt: !request.is_read(),
            ..CallOptions::default()
        };
        self.pipeline.execute(caller, request.clone(), options)
    }

    /// Answers `POST /offstage/v1/outlook/<verb>` with a JSON document.
    ///
    /// # Errors
    /// An unknown verb, a body that is not the verb's document, or what the call says.
    pub fn dispatch(&self, caller: &Caller, name: &str, body: &[u8]) -> Result<Vec<u8>, Fault> {
        if body.len() > BODY_BYTES_MAX {
            let text = format!("A request has at most {BODY_BYTES_MAX} bytes.");
            return Err(Fault::new(code::PAYLOAD_TOO_LARGE, text));
        }
        match name {
            verb::REGISTER => json(&self.register(caller, &read(name, body)?)?),
            verb::PREPARE => json(&self.prepare(caller, &read(name, body)?)?),
            verb::DATA => json(&self.data(caller, &read(name, body)?)?),
            verb::POST => json(&self.post(caller, &read(name, body)?)?),
            verb::SPECIFIC => json(&self.specific(caller, &read(name, body)?)?),
            verb::TRACK => json(&self.track(caller, &read(name, body)?)?),
            other => {
                Err(Fault::new(code::NOT_FOUND, format!("There is no Outlook call '{other}'.")))
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.pipeline.clock().now()
    }
}

/// The fixed filters of the kinds that are switched on.
fn filters(kinds: &[ItemKind]) -> Vec<OutlookFilter> {
    let own = || Filter::condition("ownerid", Operator::EqualUserId, Vec::new());
    let taken = FILTERS.iter().filter(|filter| kinds.contains(&filter.kind));
    // Of e-mail only what was tracked: what it is about may change in the CRM.
    let mail = OutlookFilter::rows("email", Filter::Any(Vec::new()));
    taken
        .map(|filter| match filter.rows {
            Rows::Own => OutlookFilter::rows(filter.table, own()),
            Rows::OwnOpen => {
                let open = Filter::eq("statecode", Value::Option(0));
                OutlookFilter::rows(filter.table, Filter::All(vec![own(), open]))
            }
            Rows::OwnOrParty => OutlookFilter::rows(filter.table, own()).or_child(ChildRule {
                table: "activityparty".to_owned(),
                lookup: "activityid".to_owned(),
                filter: Filter::condition("partyid", Operator::EqualUserId, Vec::new()),
            }),
        })
        .chain([mail])
        .collect()
}

fn make_room(tx: &mut Tx, caller: &Caller, request: &RegisterRequest) -> Result<(), Fault> {
    let clients = tx.outlook_clients(caller.user)?;
    let primary = clients.into_iter().find(|client| {
        client.role == ClientRole::Primary.name() && client.client != request.client
    });
    let Some(mut primary) = primary else { return Ok(()) };
    if !request.take_over {
        return Err(Fault::new(
            code::CONFLICT,
            format!("'{}' is the synchronising client of {} already.", primary.name, caller.name),
        )
        .hint("A user has one. Take its place with `offstage outlook client set primary --take-over`, or be secondary."));
    }
    primary.role = ClientRole::Secondary.name().to_owned();
    Ok(tx.put_outlook_client(&primary)?)
}

fn check_client(tx: &mut Tx, caller: &Caller, client: Uuid) -> Result<OutlookClient, Fault> {
    let known = tx.outlook_client(client)?.ok_or_else(|| {
        Fault::new(code::NOT_FOUND, format!("Client {client} is not registered on this server."))
            .hint("`offstage outlook client set primary` registers it.")
    })?;
    if known.user != caller.user {
        return Err(not_yours(client));
    }
    Ok(known)
}

fn require_right(caller: &Caller) -> Result<(), Fault> {
    if caller.sync_to_outlook {
        return Ok(());
    }
    Err(Fault::new(
        code::PRIVILEGE_DENIED,
        format!("{} has no right to synchronise to Outlook (prvSyncToOutlook).", caller.name),
    )
    .hint("Tasks, appointments and contacts stay out; e-mail can still be tracked. Ask an administrator."))
}

fn record(tx: &mut Tx, row: Entity) -> Result<WireRecord, Fault> {
    let mut parties = Vec::new();
    if row.table == "appointment" {
        let id = row.id.unwrap_or_default();
        for party in tx.children("activityparty", "activityid", id, PARTIES_MAX)? {
            let Some(party) = tx.get("activityparty", party)? else { continue };
            parties.push(wire_party(tx, &party)?);
        }
    }
    let parent = match row.value("parentcustomerid").as_reference() {
        Some(parent) if parent.table == "account" => {
            tx.get("account", parent.id)?.and_then(|a| a.text("name").map(str::to_owned))
        }
        _ => None,
    };
    Ok(WireRecord { row, parties, parent_name: parent })
}

fn wire_party(tx: &mut Tx, row: &Entity) -> Result<WireParty, Fault> {
    let party = row.value("partyid").as_reference().cloned();
    let known = match &party {
        Some(party) => address_of(tx, party)?,
        None => None,
    };
    let (name, address) = known.unwrap_or_default();
    let own = |column: &str| row.text(column).filter(|t| !t.is_empty()).map(str::to_owned);
    Ok(WireParty {
        row: row.id.unwrap_or_default(),
        mask: row.value("participationtypemask").as_option().unwrap_or_default(),
        party,
        name: own("partyname").unwrap_or(name),
        address: own("addressused").unwrap_or(address),
    })
}

/// The name and the address of a user, contact or account.
fn address_of(tx: &mut Tx, of: &EntityReference) -> Result<Option<(String, String)>, Fault> {
    let (name, address) = match of.table.as_str() {
        "systemuser" => ("fullname", "internalemailaddress"),
        "contact" => ("fullname", "emailaddress1"),
        "account" => ("name", "emailaddress1"),
        _ => return Ok(None),
    };
    let row = tx.get(&of.table, of.id)?;
    let text = |row: &Entity, column: &str| row.text(column).unwrap_or_default().to_owned();
    Ok(row.map(|row| (text(&row, name), text(&row, address))))
}

fn check_protocol(protocol: u32) -> Result<(), Fault> {
    if protocol == PROTOCOL_VERSION {
        return Ok(());
    }
    let text = format!("The client speaks protocol {protocol}, the server {PROTOCOL_VERSION}.");
    Err(Fault::new(code::NOT_AVAILABLE, text).hint("Install the same version of Offstage on both."))
}

fn not_yours(client: Uuid) -> Fault {
    Fault::new(code::PRIVILEGE_DENIED, format!("Client {client} belongs to another user."))
}

fn invalid(text: String) -> Fault {
    Fault::new(code::INVALID_ARGUMENT, text)
}

fn read<T: DeserializeOwned>(verb: &str, body: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|error| {
        invalid(format!("The body of '{verb}' cannot be read: {error}."))
            .hint("Client and server may have different versions; update the older one.")
    })
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(value).map_err(|error| {
        Fault::new(code::INTERNAL, format!("An answer has no JSON form: {error}."))
    })
}
