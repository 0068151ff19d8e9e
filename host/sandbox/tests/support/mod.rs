//! Components of the hostile plug-ins, and services that answer them.

#![allow(dead_code, unused_imports, reason = "each test uses a part of it")]

mod component;

pub(crate) use component::{
    component, component_with_declarations, encode, hostile, repository, with_instances,
};

use offstage_model::{
    CapabilityAnswer, CapabilityCall, Entity, ExecutionContext, Fault, Parameter, Request,
    Response, Timestamp, Uuid, Value,
};
use offstage_sandbox::{Plugin, Run, RunLimits, Sandbox, SandboxOptions, Services};

/// A sandbox without a cache.
pub(crate) fn sandbox() -> Sandbox {
    Sandbox::new(SandboxOptions::default()).expect("the engine starts")
}

/// A context as a small Create has it, with 12 attributes.
pub(crate) fn context() -> ExecutionContext {
    let owner = Uuid::from_u128(7);
    let target = Entity::new("account")
        .with("name", Value::text("Contoso Pharmaceuticals"))
        .with("accountnumber", Value::text("AB-1000"))
        .with("telephone1", Value::text("+49 30 123456"))
        .with("address1_city", Value::text("Berlin"))
        .with("revenue", Value::Money("1250000.00".parse().expect("a number")))
        .with("creditlimit", Value::Money("5000.00".parse().expect("a number")))
        .with("numberofemployees", Value::Integer(12))
        .with("industrycode", Value::Option(3))
        .with("donotemail", Value::Boolean(true))
        .with("lastusedincampaign", Value::DateTime(Timestamp(1_700_000_000_000)))
        .with("processid", Value::Guid(Uuid::from_u128(9)))
        .with("ownerid", Value::reference("systemuser", owner));
    let mut context = ExecutionContext {
        depth: 1,
        user_id: owner,
        message_name: "Create".into(),
        primary_entity_name: "account".into(),
        secondary_entity_name: "none".into(),
        organization_name: "contoso".into(),
        step_key: "tests.hostile".into(),
        stage: 20,
        ..ExecutionContext::default()
    };
    context.input_parameters.insert("Target".into(), Parameter::Entity(target));
    context
}

/// Services that count requests and answer all of them with an id.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub(crate) requests: u64,
    pub(crate) fault: Option<Fault>,
}

impl Services for Answers {
    fn execute(&mut self, _request: Request) -> Result<Response, Fault> {
        self.requests += 1;
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let id = Parameter::Value(Value::Guid(Uuid::from_u128(1)));
        Ok(Response::default().with("id", id))
    }

    fn parent_context(&mut self, level: u32) -> Option<ExecutionContext> {
        (level == 1).then(context)
    }

    fn is_offline_playback(&mut self) -> bool {
        false
    }

    fn now(&mut self) -> Timestamp {
        Timestamp(1)
    }

    fn server_now(&mut self) -> Timestamp {
        Timestamp(2)
    }

    fn new_guid(&mut self) -> Uuid {
        Uuid::from_u128(3)
    }

    fn random(&mut self) -> u64 {
        4
    }

    fn keyed_guid(&mut self, _key: &str) -> Uuid {
        Uuid::from_u128(5)
    }

    fn capability(&mut self, _call: CapabilityCall) -> Result<CapabilityAnswer, Fault> {
        self.requests += 1;
        Err(Fault::new(offstage_model::code::PRIVILEGE_DENIED, "It is not granted."))
    }
}

/// Runs a plug-in with fresh [`Answers`].
pub(crate) fn run(sandbox: &Sandbox, plugin: &Plugin, limits: &RunLimits) -> (Answers, Run) {
    sandbox.run(plugin, "tests.Hostile", &context(), limits, Answers::default())
}
