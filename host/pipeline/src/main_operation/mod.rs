//! Stage 30: what the platform itself does for each message.
//!
//! Reads and writes rows through the transaction of the session, and only here.

mod associate;
mod compound;
mod create;
mod delete;
mod parts;
mod read;
mod state;
mod update;
mod values;

use crate::session::Session;
use offstage_model::request::message;
use offstage_model::{Fault, Parameter, Value, code};

impl Session {
    /// Runs the main operation of the innermost request.
    pub(crate) fn main_operation(&mut self) -> Result<(), Fault> {
        match self.frame().context.message_name.as_str() {
            message::CREATE => self.create(),
            message::UPDATE => self.update(),
            message::DELETE => self.delete(),
            message::RETRIEVE => self.retrieve(),
            message::RETRIEVE_MULTIPLE => self.retrieve_multiple(),
            message::UPSERT => self.upsert(),
            message::ASSOCIATE => self.associate(),
            message::DISASSOCIATE => self.disassociate(),
            message::SET_STATE => self.set_state(),
            message::ASSIGN => self.assign(),
            message::EXECUTE_TRANSACTION => self.execute_transaction(),
            message::ENQUEUE_HTTP => self.enqueue_http(),
            message::WHO_AM_I => {
                self.who_am_i();
                Ok(())
            }
            message::RETRIEVE_VERSION => {
                let version = Value::text(env!("CARGO_PKG_VERSION"));
                self.output("Version", Parameter::Value(version));
                Ok(())
            }
            other => Err(Fault::new(
                code::UNKNOWN_MESSAGE,
                format!("The message '{other}' does not exist."),
            )),
        }
    }

    /// Sets an output parameter of the innermost request.
    fn output(&mut self, name: &str, value: Parameter) {
        self.frame_mut().context.output_parameters.insert(name.to_owned(), value);
    }

    fn who_am_i(&mut self) {
        let context = &self.frame().context;
        let ids = [
            ("UserId", context.user_id),
            ("BusinessUnitId", context.business_unit_id),
            ("OrganizationId", context.organization_id),
        ];
        for (name, id) in ids {
            self.output(name, Parameter::Value(Value::Guid(id)));
        }
    }

    /// The innermost request, as the steps before the main operation left it.
    fn request(&self) -> offstage_model::Request {
        let context = &self.frame().context;
        offstage_model::Request {
            message: context.message_name.clone(),
            parameters: context.input_parameters.clone(),
        }
    }
}
