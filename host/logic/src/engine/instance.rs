//! Instances of a module: made, armed for one call at a time, reused a bounded number of times.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use stowage_storage::Transaction;
use wasmtime::component::{Func, Instance as Component, ResourceTable};
use wasmtime::{Engine, Store, Trap, UpdateDeadline};
use wasmtime_wasi::WasiCtx;

use crate::api::effect::{Effect, Request};
use crate::api::fact::{Facts, Question};
use crate::api::services::Services;
use crate::call::retry::CallId;
use crate::engine::config::Beat;
use crate::engine::limits::{Limiter, Limits};
use crate::engine::module::Module;
use crate::engine::wasi::World;
use crate::scheduler::paced_run::Ticks;

/// An idle instance with more linear memory is not kept.
const KEPT_BYTES: usize = 8 << 20;

/// How long and how often an instance is used again.
#[derive(Clone, Copy, Debug)]
pub struct Reuse {
    /// Calls an instance serves before it is thrown away; 1 gives every call a fresh one.
    pub calls: u32,
    /// How long an idle instance is kept.
    pub idle: Duration,
    /// Idle instances kept, a module.
    pub kept: usize,
}

impl Default for Reuse {
    fn default() -> Self {
        Reuse {
            calls: 1000,
            idle: Duration::from_secs(60),
            kept: 16,
        }
    }
}

/// What a store holds.
pub(crate) struct State {
    pub(crate) wasi: WasiCtx,
    pub(crate) table: ResourceTable,
    pub(crate) limiter: Limiter,
    pub(crate) world: Arc<World>,
    pub(crate) ticks_left: u64,
    /// Ticks that all runs have been interrupted by.
    ticks: Ticks,
    /// The call that is under way; none while the instance is being made or lies idle.
    pub(crate) call: Option<Box<Call>>,
}

impl State {
    /// The run has had the thread for a tick.
    ///
    /// # Errors
    /// [`Trap::Interrupt`] when that was the last one it may have.
    pub(crate) fn tick(&mut self) -> Result<(), Trap> {
        self.ticks.fetch_add(1, Ordering::Relaxed);
        self.ticks_left = self.ticks_left.checked_sub(1).ok_or(Trap::Interrupt)?;
        Ok(())
    }
}

/// One run of one call.
pub(crate) struct Call {
    pub(crate) transaction: Transaction,
    pub(crate) now_ms: u64,
    pub(crate) effects: Vec<Effect>,
    /// What it asked for, where somebody compares or records it.
    pub(crate) requests: Option<Vec<Request>>,
    pub(crate) facts: Facts,
    /// The question that ended the run.
    pub(crate) asked: Option<Question>,
    /// Why a host function ended the run.
    pub(crate) refused: Option<String>,
    pub(crate) host_calls_left: u32,
    pub(crate) host_bytes_left: u64,
    pub(crate) effects_left: usize,
    pub(crate) services: Arc<dyn Services>,
    /// Whether it depends on more than its parameters, the store and facts, or has printed; known once it has ended.
    pub(crate) touched: bool,
}

/// An instance and its store.
pub(crate) struct Instance {
    store: Store<State>,
    component: Component,
    /// The exported functions in the order of the module's exports, looked up once.
    functions: Vec<Option<Func>>,
    ticks: Ticks,
    calls: u32,
    idle_since: Instant,
}

impl Instance {
    /// Makes an instance. Its start-up code runs under the limits of a call, without a transaction.
    ///
    /// # Errors
    /// When the pool is exhausted or the start-up code traps.
    pub(crate) async fn new(
        engine: &Engine,
        module: &Module,
        limits: &Limits,
        beat: &Arc<Beat>,
    ) -> wasmtime::Result<Instance> {
        let ticks = Ticks::default();
        let world = World::new(Arc::clone(&module.name), Arc::clone(&module.printed));
        let mut table = ResourceTable::new();
        table.set_max_capacity(1000);
        let mut store = Store::new(
            engine,
            State {
                wasi: world.context(),
                table,
                limiter: Limiter::new(limits, &module.held),
                world,
                ticks_left: limits.cpu_ticks(),
                ticks: Ticks::clone(&ticks),
                call: None,
            },
        );
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(limits.host_bytes.try_into().unwrap_or(usize::MAX));
        // One tick at a time: a long run lets others have the thread in between.
        store.set_epoch_deadline(1);
        let beat = Arc::clone(beat);
        store.epoch_deadline_callback(move |mut context| {
            beat.busy();
            match context.data_mut().tick() {
                Ok(()) => Ok(UpdateDeadline::Yield(1)),
                Err(_) => Ok(UpdateDeadline::Interrupt),
            }
        });
        let component = module.pre.instantiate_async(&mut store).await?;
        Ok(Instance {
            store,
            component,
            functions: vec![None; module.exports.len()],
            ticks,
            calls: 0,
            idle_since: Instant::now(),
        })
    }

    /// Prepares the instance for a run.
    pub(crate) fn arm(&mut self, call: Call, call_id: CallId, now_ms: u64, seed: [u8; 32], limits: &Limits) {
        let state = self.store.data_mut();
        state.world.arm(call_id, now_ms, seed, limits.log_bytes);
        state.ticks_left = limits.cpu_ticks();
        state.limiter.refused = None;
        state.call = Some(Box::new(call));
        self.store.set_epoch_deadline(1);
        self.calls += 1;
    }

    /// Takes the run's transaction, effects and notes back.
    pub(crate) fn disarm(&mut self) -> Option<Box<Call>> {
        let state = self.store.data_mut();
        state.world.finish();
        let mut call = state.call.take()?;
        call.touched = state.world.is_touched();
        Some(call)
    }

    /// Counts the ticks that runs of this instance are interrupted by.
    pub(crate) fn ticks(&self) -> Ticks {
        Ticks::clone(&self.ticks)
    }

    /// Why the limiter refused memory or a table during the run.
    pub(crate) fn refused_growth(&self) -> Option<&'static str> {
        self.store.data().limiter.refused
    }

    /// Whether the run used up its time on the processor.
    pub(crate) fn out_of_time(&self) -> bool {
        self.store.data().ticks_left == 0
    }

    /// The store and the exported function with this ordinal.
    pub(crate) fn function(
        &mut self,
        ordinal: usize,
        index: &wasmtime::component::ComponentExportIndex,
    ) -> Option<(&mut Store<State>, Func)> {
        let func = match self.functions.get(ordinal).copied().flatten() {
            Some(func) => func,
            None => {
                let func = self.component.get_func(&mut self.store, index)?;
                if let Some(slot) = self.functions.get_mut(ordinal) {
                    *slot = Some(func);
                }
                func
            }
        };
        Some((&mut self.store, func))
    }
}

/// The idle instances of one module version, last used first.
#[derive(Default)]
pub(crate) struct Pool {
    idle: Mutex<Vec<Instance>>,
}

impl Pool {
    /// An idle instance that may still be used.
    pub(crate) fn take(&self, reuse: &Reuse) -> Option<Instance> {
        let now = Instant::now();
        let mut stale = Vec::new();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = idle.pop();
        // The least recently used lie at the front.
        while idle
            .first()
            .is_some_and(|i| now.duration_since(i.idle_since) > reuse.idle)
        {
            stale.push(idle.remove(0));
        }
        drop(idle);
        // Stores are dropped outside the lock: freeing their memory takes a while.
        drop(stale);
        taken.filter(|i| now.duration_since(i.idle_since) <= reuse.idle)
    }

    /// Keeps an instance for another call, unless it has served its calls, has grown large, or enough lie idle.
    pub(crate) fn give(&self, mut instance: Instance, reuse: &Reuse) {
        if instance.calls >= reuse.calls || instance.store.data().limiter.own_bytes() > KEPT_BYTES {
            return;
        }
        instance.idle_since = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < reuse.kept {
            idle.push(instance);
        }
    }
}
