//! The sandbox: loads components and runs them, each run in a store and an instance of its own.
//!
//! Never reuses an instance unless the limits of a run say so (`reuse`): what one run left in memory,
//! no other run can read. Plug-ins that are debugged have an engine of their own; the others do not
//! notice.

use crate::bindings::PluginPre;
use crate::cache::{CodeCache, Fingerprint};
use crate::convert::{from_guest, to_guest};
use crate::deadline::Deadline;
use crate::debug::{self, DebugPlugins, Holds};
use crate::error::SandboxError;
use crate::limits::{INSTANCES_MAX, MEMORY_BYTES_MAX, STACK_BYTES_MAX, WALL_TIME_MAX};
use crate::reuse::{Held, Idle, Owner};
use crate::run_error::{RunError, RunErrorKind};
use crate::state::{Services, State};
use crate::ticker::{TICK, Ticker};
use crate::{RunLimits, engine, inspect};
use offstage_model::registration::PackageDeclaration;
use offstage_model::{ContextChange, ExecutionContext};
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Engine, Store, UpdateDeadline};

/// Loaded plug-ins that are kept, so that the same bytes are compiled once.
const LOADED_MAX: usize = 64;
/// Native stack that a run needs: the plug-in's own, and the host's for what is nested in it until
/// the next run makes sure of its own.
const STACK_BYTES_NEEDED: usize = STACK_BYTES_MAX + (1 << 20);
/// Native stack that is added when less than that is left.
const STACK_BYTES_ADDED: usize = 4 << 20;

/// How to set up a [`Sandbox`].
pub struct SandboxOptions {
    /// Where compiled code is kept between starts; without one it is compiled at each start.
    pub cache: Option<CodeCache>,
    /// Runs that may be open at once, nested ones included.
    pub instances_max: u32,
    /// Plug-ins that run for a native debugger.
    pub debug: DebugPlugins,
}

impl Default for SandboxOptions {
    /// No cache, [`INSTANCES_MAX`] runs, nothing debugged.
    fn default() -> Self {
        Self { cache: None, instances_max: INSTANCES_MAX, debug: DebugPlugins::None }
    }
}

/// Loads and runs plug-ins. Dropping it ends its thread.
pub struct Sandbox {
    normal: Side,
    debug: Option<Side>,
    debug_plugins: DebugPlugins,
    holds: Arc<Holds>,
    fingerprint: Fingerprint,
    cache: Option<CodeCache>,
    loaded: Mutex<VecDeque<Plugin>>,
}

/// One engine with what links components for it.
struct Side {
    shared: Arc<Shared>,
    linker: Linker<State>,
}

impl Side {
    fn new(engine: Engine, holds: &Arc<Holds>) -> Result<Self, SandboxError> {
        let mut linker = Linker::new(&engine);
        crate::bindings::Plugin::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)
            .map_err(|source| SandboxError::Engine { source })?;
        let ticker = Ticker::start(&engine, Arc::clone(holds))
            .map_err(|source| SandboxError::Ticker { source })?;
        let shared = Arc::new(Shared { engine, ticker, holds: Arc::clone(holds) });
        Ok(Self { shared, linker })
    }
}

/// What a plug-in needs of the sandbox that loaded it.
struct Shared {
    engine: Engine,
    ticker: Ticker,
    holds: Arc<Holds>,
}

/// A loaded component, ready to run. A cheap clone.
#[derive(Clone)]
pub struct Plugin(Arc<Loaded>);

struct Loaded {
    sha256: [u8; 32],
    pre: PluginPre<State>,
    // Before `shared`: instances go before their engine.
    idle: Idle,
    shared: Arc<Shared>,
}

impl Plugin {
    /// The SHA-256 of the component, in lower-case hex.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex::encode(self.0.sha256)
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Plugin").field(&self.sha256()).finish()
    }
}

/// What came of one run.
#[derive(Debug)]
pub struct Run {
    /// The changes that the plug-in made to its context, or why there are none.
    pub result: Result<Vec<ContextChange>, RunError>,
    /// What it used.
    pub usage: Usage,
    /// What it traced, with lines of the host that start with `[host]`.
    pub trace: String,
}

/// What a run used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Units of fuel; the same whenever plug-in, context and answers are the same.
    pub fuel: u64,
    /// The most linear memory in use, in bytes.
    pub memory_bytes_peak: u64,
    /// Calls of the host, of every class.
    pub host_calls: u64,
    /// Wall time in microseconds, nested work included.
    pub duration_us: u64,
}

impl Sandbox {
    /// Starts an engine and the thread that watches its deadlines.
    ///
    /// # Errors
    /// The engine or the thread does not start.
    pub fn new(options: SandboxOptions) -> Result<Self, SandboxError> {
        let debugs = !options.debug.is_none();
        let holds = Arc::new(if debugs { Holds::on() } else { Holds::off() });
        let normal = Side::new(engine::engine(options.instances_max)?, &holds)?;
        let debug = debugs.then(|| Side::new(engine::debug_engine()?, &holds)).transpose()?;
        Ok(Self {
            fingerprint: Fingerprint::of(&normal.shared.engine),
            normal,
            debug,
            debug_plugins: options.debug,
            holds,
            cache: options.cache,
            loaded: Mutex::new(VecDeque::new()),
        })
    }

    /// How long a debugger has held this process so far, while plug-ins ran: time that deadlines
    /// must not count. Zero in a sandbox that debugs nothing.
    #[must_use]
    pub fn held(&self) -> Duration {
        self.holds.total()
    }

    /// Which plug-ins run for a native debugger.
    #[must_use]
    pub fn debug_plugins(&self) -> &DebugPlugins {
        &self.debug_plugins
    }

    /// What a component declares about itself; see [`crate::inspect()`].
    ///
    /// # Errors
    /// The content is no plug-in component, or its declarations are not as they should be.
    pub fn inspect(bytes: &[u8]) -> Result<PackageDeclaration, SandboxError> {
        inspect::inspect(bytes)
    }

    /// Makes a component ready to run: checks and compiles it, or takes its code from the cache.
    ///
    /// # Errors
    /// The content is no component of the contract, too large or too complex, or not valid.
    pub fn load(&self, bytes: &[u8]) -> Result<Plugin, SandboxError> {
        if bytes.len() > inspect::COMPONENT_BYTES_MAX {
            return Err(SandboxError::TooLarge { bytes: bytes.len() });
        }
        let sha256: [u8; 32] = Sha256::digest(bytes).into();
        if let Some(plugin) = self.loaded().iter().find(|plugin| plugin.0.sha256 == sha256) {
            return Ok(plugin.clone());
        }
        // Not under the lock: a large component takes seconds.
        let (side, component) = match self.debug_side(bytes)? {
            Some(side) => (side, debug_component(&side.shared.engine, bytes)?),
            None => (&self.normal, self.component(bytes, &sha256)?),
        };
        let pre = side.linker.instantiate_pre(&component).and_then(PluginPre::new);
        let pre = pre.map_err(|error| SandboxError::OtherWorld { reason: format!("{error:#}") })?;
        let plugin = Plugin(Arc::new(Loaded {
            sha256,
            pre,
            idle: Idle::default(),
            shared: Arc::clone(&side.shared),
        }));
        let mut loaded = self.loaded();
        loaded.truncate(LOADED_MAX - 1);
        loaded.push_front(plugin.clone());
        Ok(plugin)
    }

    fn loaded(&self) -> std::sync::MutexGuard<'_, VecDeque<Plugin>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine for debugging, if the component is one that is debugged.
    fn debug_side(&self, bytes: &[u8]) -> Result<Option<&Side>, SandboxError> {
        match &self.debug {
            Some(side) if self.debug_plugins.contains(&inspect::inspect(bytes)?) => Ok(Some(side)),
            _ => Ok(None),
        }
    }

    fn component(&self, bytes: &[u8], sha256: &[u8; 32]) -> Result<Component, SandboxError> {
        let engine = &self.normal.shared.engine;
        let cached = self.cache.as_ref().and_then(|cache| cache.read(&self.fingerprint, sha256));
        if let Some(component) = cached.and_then(|code| deserialize(engine, &code)) {
            return Ok(component);
        }
        inspect::check(bytes)?;
        let component = compile(engine, bytes)?;
        if let Some(cache) = &self.cache {
            match component.serialize() {
                Ok(code) => cache.write(&self.fingerprint, sha256, &code),
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::warn!(error, "cannot serialize compiled plug-in code");
                }
            }
        }
        Ok(component)
    }

    /// Runs a plug-in type once. The services are moved in and come back with what happened.
    ///
    /// Blocks until the run has ended. Runs may nest: `services` may run other plug-ins in its
    /// calls.
    pub fn run<S: Services>(
        &self,
        plugin: &Plugin,
        plugin_type: &str,
        context: &ExecutionContext,
        limits: &RunLimits,
        services: S,
    ) -> (S, Run) {
        // Stack limits count per run, so nested runs could use up the thread's own stack, which
        // would end the process.
        stacker::maybe_grow(STACK_BYTES_NEEDED, STACK_BYTES_ADDED, || {
            run(&plugin.0, plugin_type, context, limits, services)
        })
    }
}

/// Compiles a component for a debugger, always anew: breakpoints are written into the code of a
/// process, and must not end up in a cache.
fn debug_component(engine: &Engine, bytes: &[u8]) -> Result<Component, SandboxError> {
    compile(engine, &debug::with_base_addresses(bytes))
}

fn compile(engine: &Engine, bytes: &[u8]) -> Result<Component, SandboxError> {
    Component::new(engine, bytes)
        .map_err(|error| SandboxError::Invalid { reason: format!("{error:#}") })
}

#[expect(unsafe_code, reason = "compiled code cannot be checked, only authenticated")]
fn deserialize(engine: &Engine, code: &[u8]) -> Option<Component> {
    // SAFETY: `CodeCache::read` returned these bytes from memory after it authenticated them, with
    // this machine's key, as what `Component::serialize` made for this component and this engine.
    let component = unsafe { Component::deserialize(engine, code) };
    component
        .inspect_err(|error| {
            let error = format!("{error:#}");
            tracing::warn!(error, "cached plug-in code does not load; it is made again");
        })
        .ok()
}

fn run<S: Services>(
    plugin: &Loaded,
    plugin_type: &str,
    context: &ExecutionContext,
    limits: &RunLimits,
    services: S,
) -> (S, Run) {
    let started = Instant::now();
    let limits = RunLimits {
        memory_bytes: limits.memory_bytes.min(MEMORY_BYTES_MAX),
        wall_time: limits.wall_time.min(WALL_TIME_MAX),
        ..limits.clone()
    };
    let deadline = Deadline::new(started, limits.wall_time, &plugin.shared.holds);
    let state = State::new(Box::new(services), &limits, deadline);
    let mut held = hold(plugin, Owner::of(context), state, &limits);
    let guard = plugin.shared.ticker.run();
    let result = execute(&mut held, plugin, plugin_type, context, &limits);
    drop(guard);
    let fuel = limits.fuel.saturating_sub(held.store.get_fuel().unwrap_or(0));
    let mut state = if result.is_ok() && held.runs < limits.instance_runs {
        let deadline = Deadline::new(started, Duration::ZERO, &plugin.shared.holds);
        let next = State::between_runs(held.store.data(), deadline);
        let state = std::mem::replace(held.store.data_mut(), next);
        plugin.idle.keep(held);
        state
    } else {
        held.store.into_data()
    };
    let result = result.map_err(|kind| RunError { plugin_type: plugin_type.to_owned(), kind });
    if let Err(error) = &result {
        state.trace.host_line(&error.to_string());
    }
    let usage = Usage {
        fuel,
        memory_bytes_peak: state.meter.bytes_peak(),
        host_calls: state.calls.total(),
        duration_us: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
    };
    let run = Run { result, usage, trace: state.trace.into_text() };
    let services = state.services.into_any().downcast::<S>();
    (*services.expect("BUG: the services are those that were moved in"), run)
}

/// An instance for one run: one that served the same users before, or a new store.
fn hold(plugin: &Loaded, owner: Owner, mut state: State, limits: &RunLimits) -> Held {
    match plugin.idle.take(owner, limits.instance_runs) {
        Some(mut held) => {
            state.meter = held.store.data().meter.next_run(limits.memory_bytes);
            *held.store.data_mut() = state;
            held.runs += 1;
            held
        }
        None => {
            let store = Store::new(&plugin.shared.engine, state);
            Held { store, instance: None, runs: 1, owner }
        }
    }
}

fn execute(
    held: &mut Held,
    plugin: &Loaded,
    plugin_type: &str,
    context: &ExecutionContext,
    limits: &RunLimits,
) -> Result<Vec<ContextChange>, RunErrorKind> {
    let answer = call(held, plugin, plugin_type, context, limits);
    match answer.map_err(|error| RunErrorKind::of(&error, limits))? {
        Ok(changes) => from_guest::changes(changes).map_err(RunErrorKind::BadResult),
        Err(fault) => {
            let transient = &held.store.data().transient;
            Err(RunErrorKind::Refused(from_guest::fault(fault, plugin_type, transient)))
        }
    }
}

type Answer = Result<Vec<crate::bindings::Change>, crate::bindings::Fault>;

fn call(
    held: &mut Held,
    plugin: &Loaded,
    plugin_type: &str,
    context: &ExecutionContext,
    limits: &RunLimits,
) -> wasmtime::Result<Answer> {
    let store = &mut held.store;
    store.data().check_deadline()?;
    store.limiter(|state| &mut state.meter);
    store.set_fuel(limits.fuel)?;
    store.set_hostcall_fuel(limits.transfer_bytes);
    store.set_epoch_deadline(ticks(limits.wall_time));
    // Ticks only say when to look: the clock decides.
    store.epoch_deadline_callback(|store| {
        let state = store.data();
        state.check_deadline()?;
        Ok(UpdateDeadline::Continue(ticks(state.deadline.left())))
    });
    if held.instance.is_none() {
        held.instance = Some(plugin.pre.instantiate(&mut *store)?);
    }
    let instance = held.instance.as_ref().expect("BUG: it was made just now");
    let answer = instance.call_execute(&mut *store, plugin_type, &to_guest::context(context))?;
    store.data().check_deadline()?;
    Ok(answer)
}

fn ticks(time: Duration) -> u64 {
    let ticks = time.as_nanos() / TICK.as_nanos() + 1;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}
