//! wasmtime alone: the contract's bindings, a pool, no limits, no conversion from the model.

use anyhow::{Result, anyhow};
use offstage::plugin::{files, http, types};
use offstage_model::{Uuid, Value};
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store,
};

wasmtime::component::bindgen!({ path: "../../sdk/wit", world: "plugin" });

/// A compiled component in an engine that is tuned for speed alone.
pub(crate) struct Bare {
    engine: Engine,
    pre: PluginPre<Nothing>,
}

/// Host functions that answer with constants.
struct Nothing;

impl types::Host for Nothing {}

impl offstage::plugin::organization::Host for Nothing {
    fn execute(
        &mut self,
        _request: types::Request,
    ) -> std::result::Result<Vec<types::NamedParameter>, types::Fault> {
        Ok(Vec::new())
    }

    fn parent_context(&mut self, _level: u32) -> Option<types::Context> {
        None
    }

    fn is_offline_playback(&mut self) -> bool {
        false
    }
}

impl offstage::plugin::operation::Host for Nothing {
    fn now(&mut self) -> i64 {
        1
    }

    fn server_now(&mut self) -> i64 {
        1
    }

    fn new_guid(&mut self) -> types::Guid {
        types::Guid { high: 0, low: 3 }
    }

    fn random(&mut self) -> u64 {
        4
    }

    fn keyed_guid(&mut self, _key: String) -> types::Guid {
        types::Guid { high: 0, low: 5 }
    }
}

impl offstage::plugin::tracing::Host for Nothing {
    fn trace(&mut self, _text: String) {}
}

/// What files and HTTP answer: the measured plug-in uses neither.
fn absent() -> types::Fault {
    types::Fault { code: 1, message: "not here".into(), status: 0 }
}

impl files::Host for Nothing {
    fn read(
        &mut self,
        _directory: String,
        _path: String,
    ) -> std::result::Result<Vec<u8>, types::Fault> {
        Err(absent())
    }

    fn write(
        &mut self,
        _directory: String,
        _path: String,
        _contents: Vec<u8>,
    ) -> std::result::Result<(), types::Fault> {
        Err(absent())
    }

    fn remove(
        &mut self,
        _directory: String,
        _path: String,
    ) -> std::result::Result<(), types::Fault> {
        Err(absent())
    }

    fn list(
        &mut self,
        _directory: String,
        _path: Option<String>,
    ) -> std::result::Result<Vec<files::FileEntry>, types::Fault> {
        Err(absent())
    }
}

impl http::Host for Nothing {
    fn enqueue(
        &mut self,
        _request: http::HttpRequest,
    ) -> std::result::Result<types::Guid, types::Fault> {
        Err(absent())
    }
}

impl Bare {
    /// Compiles a component.
    pub(crate) fn new(bytes: &[u8]) -> Result<Self> {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(16)
            .total_core_instances(128)
            .total_memories(16)
            .total_tables(64)
            .linear_memory_keep_resident(64 << 10)
            .table_keep_resident(64 << 10);
        // What makes an instance cheap; see the product's `engine.rs`. No fuel, no deadlines.
        pool.max_memory_size(64 << 20).pagemap_scan(Enabled::Auto);
        let mut config = Config::new();
        config
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
            .signals_based_traps(false)
            .memory_reservation(64 << 20)
            .memory_guard_size(0)
            .guard_before_linear_memory(false)
            .concurrency_support(false)
            .gc_support(false);
        let engine = Engine::new(&config).map_err(plain)?;
        let component = Component::new(&engine, bytes).map_err(plain)?;
        let mut linker = Linker::new(&engine);
        Plugin::add_to_linker::<_, HasSelf<Nothing>>(&mut linker, |state| state).map_err(plain)?;
        let pre = linker.instantiate_pre(&component).and_then(PluginPre::new).map_err(plain)?;
        Ok(Self { engine, pre })
    }

    /// Makes an instance and calls it once.
    pub(crate) fn call(&self, configuration: &str) -> Result<()> {
        let mut store = Store::new(&self.engine, Nothing);
        let plugin = self.pre.instantiate(&mut store).map_err(plain)?;
        let context = context(configuration);
        let answer =
            plugin.call_execute(&mut store, super::PLUGIN_TYPE, &context).map_err(plain)?;
        match answer {
            Ok(changes) if changes.len() == 1 => Ok(()),
            Ok(changes) => Err(anyhow!("the plug-in made {} changes", changes.len())),
            Err(fault) => Err(anyhow!("the plug-in failed: {}", fault.message)),
        }
    }
}

fn plain(error: wasmtime::Error) -> anyhow::Error {
    anyhow!("{error:#}")
}

fn guid(id: Uuid) -> types::Guid {
    let (high, low) = id.as_u64_pair();
    types::Guid { high, low }
}

fn value(value: Value) -> types::Value {
    match value {
        Value::Text(text) => types::Value::Text(text),
        Value::Integer(number) => types::Value::Integer(number),
        Value::Option(number) => types::Value::OptionValue(number),
        Value::Boolean(flag) => types::Value::Boolean(flag),
        Value::DateTime(time) => types::Value::DateTime(time.0),
        Value::Guid(id) => types::Value::UniqueIdentifier(guid(id)),
        Value::Reference(row) => types::Value::Reference(types::EntityReference {
            table: row.table,
            id: guid(row.id),
            name: row.name,
        }),
        _ => types::Value::Null,
    }
}

fn context(configuration: &str) -> types::Context {
    let target = super::target();
    let attributes = target
        .attributes
        .into_iter()
        .map(|(column, held)| types::Attribute { column, value: value(held) })
        .collect();
    let entity = types::Entity { table: target.table, id: None, row_version: None, attributes };
    let nil = types::Guid { high: 0, low: 0 };
    types::Context {
        business_unit_id: nil,
        correlation_id: nil,
        depth: 1,
        initiating_user_id: nil,
        user_id: nil,
        authenticated_user_id: nil,
        input_parameters: vec![types::NamedParameter {
            name: "Target".into(),
            parameter: types::Parameter::Entity(entity),
        }],
        output_parameters: Vec::new(),
        is_executing_offline: false,
        is_in_transaction: true,
        isolation_mode: 2,
        message_name: "Create".into(),
        mode: 0,
        operation_id: nil,
        operation_created_on: 0,
        organization_id: nil,
        organization_name: "contoso".into(),
        environment_id: String::new(),
        owning_extension: types::EntityReference {
            table: "sdkmessageprocessingstep".into(),
            id: nil,
            name: None,
        },
        step_key: "bench".into(),
        primary_entity_id: nil,
        primary_entity_name: "account".into(),
        secondary_entity_name: "none".into(),
        pre_entity_images: Vec::new(),
        post_entity_images: Vec::new(),
        request_id: nil,
        shared_variables: Vec::new(),
        stage: 20,
        initiating_user_agent: String::new(),
        is_application_user: false,
        configuration: configuration.to_owned(),
        secure_configuration: String::new(),
    }
}
