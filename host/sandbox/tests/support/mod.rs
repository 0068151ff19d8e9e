//! Makes components of the hostile plug-ins, and services that answer them.
//!
//! Never builds with cargo: the text of a plug-in becomes a component in memory.

#![allow(dead_code, reason = "each test uses a part of it")]

use offstage_model::{
    Entity, ExecutionContext, Fault, Parameter, Request, Response, Timestamp, Uuid, Value,
};
use offstage_sandbox::{Plugin, Run, RunLimits, Sandbox, SandboxOptions, Services};
use std::path::{Path, PathBuf};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A path in the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The component of `tests/hostile-plugins/wat/<name>.wat`.
pub(crate) fn hostile(name: &str) -> Vec<u8> {
    let path = repository("tests/hostile-plugins/wat").join(format!("{name}.wat"));
    let body = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    component(&body)
}

/// The component of a core module that has the fields `body` after the prelude.
pub(crate) fn component(body: &str) -> Vec<u8> {
    component_with_declarations(body, r#"{"package":"tests/hostile","version":"1.0.0"}"#)
}

/// The same with these lines in the section `offstage:declarations`.
pub(crate) fn component_with_declarations(body: &str, declarations: &str) -> Vec<u8> {
    let prelude = repository("tests/hostile-plugins/wat/prelude.wat.in");
    let prelude = std::fs::read_to_string(prelude).expect("the prelude is in the repository");
    let escaped: String = declarations.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    let section = format!("(@custom \"offstage:declarations\" \"{escaped}\")\n");
    let module = prelude.replace(";; BODY", &format!("{body}\n{section}"));
    encode(&wat::parse_str(module).expect("the text is WebAssembly"))
}

/// Makes a component of the contract's world of a core module.
pub(crate) fn encode(module: &[u8]) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(repository("sdk/wit")).expect("sdk/wit is valid");
    let world = resolve.select_world(&[package], Some("plugin")).expect("it has the world");
    let mut module = module.to_vec();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("the world fits");
    ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.validate(false).encode())
        .expect("the module makes a component")
}

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
}

/// Runs a plug-in with fresh [`Answers`].
pub(crate) fn run(sandbox: &Sandbox, plugin: &Plugin, limits: &RunLimits) -> (Answers, Run) {
    sandbox.run(plugin, "tests.Hostile", &context(), limits, Answers::default())
}
