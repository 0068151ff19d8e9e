//! One call of a plug-in: a fresh instance, a context with 12 attributes, one host call, the result.
//! The floor is wasmtime alone with the same component, tuned for speed, without fuel and deadlines.

use crate::measure::{Rounds, sample};
use crate::report::Line;
use crate::{Setting, world};
use anyhow::{Result, anyhow, ensure};
use offstage_model::{
    CapabilityAnswer, CapabilityCall, Entity, ExecutionContext, Fault, Parameter, Request,
    Response, Timestamp, Uuid, Value, code,
};
use offstage_sandbox::{Plugin, RunLimits, Sandbox, SandboxOptions, Services};
use std::sync::OnceLock;
use std::time::Duration;

mod bare;

pub(crate) use bare::Bare;

pub(crate) const PLUGIN_TYPE: &str = "test.Script";
/// One host call and one changed attribute.
pub(crate) const SCRIPT: &str = "set description s:{now}";
const TARGET: f64 = 1.5;

/// Runs the benchmark.
pub(crate) fn run(setting: &Setting) -> Result<Vec<Line>> {
    let count = setting.size(50, 5_000, 20_000);
    let bytes = world::script()?;
    let bare = Bare::new(&bytes)?;
    let sandbox = Sandbox::new(SandboxOptions::default())?;
    let plugin = sandbox.load(&bytes)?;
    let (mut product_rounds, mut floor_rounds) = (Rounds::default(), Rounds::default());
    for round in 0..=setting.rounds {
        let (floor, ()) = sample(|| (0..count).try_for_each(|_| bare.call(SCRIPT)))?;
        let (product, ()) = sample(|| run_many(&sandbox, &plugin, &limits(), count))?;
        // The first round warms the pool up.
        if round > 0 {
            floor_rounds.push(floor, count);
            product_rounds.push(product, count);
        }
    }
    let one = Line::beside("plug-in call, fresh instance", &product_rounds, &floor_rounds)
        .target(format!("CPU <= {TARGET} x"), |line| line.cpu_ratio <= Some(TARGET))
        .note("floor: wasmtime alone, same component");
    Ok(vec![one, two_threads(setting, &sandbox, &plugin, count, &product_rounds)?])
}

/// The same from two threads: wall time should halve.
fn two_threads(
    setting: &Setting,
    sandbox: &Sandbox,
    plugin: &Plugin,
    count: usize,
    alone: &Rounds,
) -> Result<Line> {
    let mut rounds = Rounds::default();
    for _ in 0..setting.rounds {
        let (time, ()) = sample(|| {
            std::thread::scope(|scope| {
                let threads =
                    [(); 2].map(|()| scope.spawn(|| run_many(sandbox, plugin, &limits(), count)));
                threads.into_iter().try_for_each(|thread| {
                    thread.join().unwrap_or_else(|_| Err(anyhow!("a thread panicked")))
                })
            })
        })?;
        rounds.push(time, 2 * count);
    }
    Ok(Line::beside("plug-in call, two threads", &rounds, alone)
        .target("wall <= 0.6 x of one thread", |line| line.wall_ratio <= Some(0.6))
        .note("beside the product on one thread"))
}

/// Calls with wasmtime alone.
pub(crate) fn floor_rounds(setting: &Setting, component: &[u8], count: usize) -> Result<Rounds> {
    let bare = Bare::new(component)?;
    let mut rounds = Rounds::default();
    for _ in 0..setting.rounds {
        rounds.push(sample(|| (0..count).try_for_each(|_| bare.call(SCRIPT)))?.0, count);
    }
    Ok(rounds)
}

/// What a bare call costs in microseconds of CPU; measured once.
pub(crate) fn bare_call_us() -> Result<f64> {
    static COST: OnceLock<f64> = OnceLock::new();
    if let Some(&known) = COST.get() {
        return Ok(known);
    }
    let bare = Bare::new(&world::script()?)?;
    let count = 2_000;
    let mut rounds = Rounds::default();
    for _ in 0..5 {
        rounds.push(sample(|| (0..count).try_for_each(|_| bare.call(SCRIPT)))?.0, count);
    }
    Ok(*COST.get_or_init(|| rounds.cpu().median))
}

/// The limits of the calls.
pub(crate) fn limits() -> RunLimits {
    RunLimits { wall_time: Duration::from_secs(60), ..RunLimits::default() }
}

/// Calls with the product.
pub(crate) fn run_many(
    sandbox: &Sandbox,
    plugin: &Plugin,
    limits: &RunLimits,
    count: usize,
) -> Result<()> {
    let context = context();
    for _ in 0..count {
        let (_, run) = sandbox.run(plugin, PLUGIN_TYPE, &context, limits, Answers);
        ensure!(run.result.is_ok_and(|changes| changes.len() == 1), "the plug-in did nothing");
    }
    Ok(())
}

/// The attributes of Target: twelve.
fn target() -> Entity {
    let owner = Uuid::from_u128(7);
    Entity::new("account")
        .with("name", Value::text("Contoso Pharmaceuticals"))
        .with("accountnumber", Value::text("AB-1000"))
        .with("telephone1", Value::text("+49 30 123456"))
        .with("address1_city", Value::text("Berlin"))
        .with("address1_country", Value::text("Germany"))
        .with("websiteurl", Value::text("https://contoso.example"))
        .with("numberofemployees", Value::Integer(12))
        .with("industrycode", Value::Option(3))
        .with("creditonhold", Value::Boolean(true))
        .with("lastusedincampaign", Value::DateTime(Timestamp(1_700_000_000_000)))
        .with("processid", Value::Guid(Uuid::from_u128(9)))
        .with("ownerid", Value::reference("systemuser", owner))
}

/// The context of the call.
pub(crate) fn context() -> ExecutionContext {
    let mut context = ExecutionContext {
        depth: 1,
        message_name: "Create".into(),
        primary_entity_name: "account".into(),
        secondary_entity_name: "none".into(),
        organization_name: "contoso".into(),
        step_key: "bench".into(),
        stage: 20,
        configuration: SCRIPT.into(),
        ..ExecutionContext::default()
    };
    context.input_parameters.insert("Target".into(), Parameter::Entity(target()));
    context
}

/// Services that know nothing.
pub(crate) struct Answers;

impl Services for Answers {
    fn execute(&mut self, _request: Request) -> Result<Response, Fault> {
        Err(Fault::new(code::NOT_AVAILABLE, "There is no store here."))
    }

    fn parent_context(&mut self, _level: u32) -> Option<ExecutionContext> {
        None
    }

    fn is_offline_playback(&mut self) -> bool {
        false
    }

    fn now(&mut self) -> Timestamp {
        Timestamp(1)
    }

    fn server_now(&mut self) -> Timestamp {
        Timestamp(1)
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
        Err(Fault::new(code::NOT_AVAILABLE, "There are no files and no network here."))
    }
}
