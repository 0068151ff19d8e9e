//! Upsert and ExecuteTransaction: requests that only hold other requests. Those run at the same
//! depth, with stages of their own, and are members of the operation's record.

use crate::operation::Operation;
use crate::session::{Origin, Session};
use offstage_model::request::{message, parameter};
use offstage_model::{Fault, Parameter, Request, Response, Uuid, Value, code};

impl Session {
    pub(super) fn upsert(&mut self) -> Result<(), Fault> {
        let mut target = self.request().entity(parameter::TARGET)?.clone();
        let found = match (target.id, target.key.is_empty()) {
            (Some(id), _) => self.tx.exists(&target.table, id)?.then_some(id),
            (None, false) => self.tx.find_by_key(&target.table, &target.key)?,
            (None, true) => None,
        };
        let created = found.is_none();
        let (table, key) = (target.table.clone(), std::mem::take(&mut target.key));
        let inner = if created {
            // The key's values are columns of the new row.
            target.attributes.extend(key);
            Request::create(target)
        } else {
            target.id = found;
            Request::update(target)
        };
        // Not the id that the answer names: steps of stage 40 may change that.
        let (_, made) = self.run_member(0, inner)?;
        let id = found.or(made).unwrap_or_default();
        self.frame_mut().context.primary_entity_id = id;
        self.note_alias(&table, id)?;
        self.output(parameter::TARGET, Parameter::Value(Value::reference(table, id)));
        self.output(parameter::RECORD_CREATED, Parameter::Value(Value::Boolean(created)));
        Ok(())
    }

    /// The server matched another row than the device made: later entries mean that one
    /// ("Found by trying to break it", 16).
    fn note_alias(&mut self, table: &str, id: Uuid) -> Result<(), Fault> {
        let recorded = self.frame().recorded.as_ref().and_then(|node| node.row);
        match recorded {
            Some(offline) if offline != id => {
                let device = self.root.stamp.device;
                Ok(self.tx.put_alias(device, table, offline, id)?)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn execute_transaction(&mut self) -> Result<(), Fault> {
        let request = self.request();
        let Some(Parameter::Requests(requests)) = request.parameters.get(parameter::REQUESTS)
        else {
            return Err(request.missing(parameter::REQUESTS, "a list of requests"));
        };
        let requests_max = self.pipeline.limits().transaction_requests_max;
        if requests.len() > requests_max {
            return Err(Fault::new(
                code::TOO_LARGE_A_REQUEST,
                format!("A transaction holds at most {requests_max} requests."),
            ));
        }
        let mut responses: Vec<Response> = Vec::with_capacity(requests.len());
        for (index, member) in requests.iter().enumerate() {
            if member.message == message::EXECUTE_TRANSACTION {
                return Err(Fault::new(
                    code::INVALID_ARGUMENT,
                    "A transaction cannot hold another transaction.",
                ));
            }
            let ordinal = u32::try_from(index).expect("BUG: the number of requests is limited");
            let (response, _) = self.run_member(ordinal, member.clone()).map_err(|mut fault| {
                fault.message = format!("Request {}: {}", index + 1, fault.message);
                fault
            })?;
            responses.push(response);
        }
        self.output(parameter::RESPONSES, Parameter::Responses(responses));
        Ok(())
    }

    /// Runs a request as a member of this one; also returns the row that it was about.
    pub(super) fn run_member(
        &mut self,
        ordinal: u32,
        request: Request,
    ) -> Result<(Response, Option<Uuid>), Fault> {
        let reads = request.is_read();
        let frame = self.frame();
        let recorded = frame.recorded.as_ref().and_then(|node| {
            // Reads are not recorded, but they keep their place.
            node.members.iter().find(|m| m.occurrence == ordinal && m.cascade.is_none())
        });
        // The device may have made what the server changes (or the other way round): then the two
        // are different operations, whose steps do not correspond.
        let recorded = recorded.filter(|m| m.request.message == request.message).cloned();
        let operation = Operation {
            lineage: frame.lineage.member(ordinal),
            depth: frame.context.depth,
            user: frame.context.user_id,
            occurrence: ordinal,
            cascade: None,
            recorded,
            issuer: None,
            request,
        };
        let (response, node) = self.run(operation)?;
        let row = node.row;
        if self.root.origin == Origin::Offline && (!reads || !node.all_effects().is_empty()) {
            self.frame_mut().node.members.push(node);
        }
        Ok((response, row))
    }
}
