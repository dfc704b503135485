//! An instance of a module and its store.

use std::sync::Arc;

use wasmtime::component::{self, ComponentExportIndex, Func, InstancePre, ResourceTable};
use wasmtime::{Engine, Store, UpdateDeadline};

use super::active_call::ActiveCall;
use super::limiter::{Limiter, ModuleMemory};
use super::limits::{Limits, MAX_PASSED_BYTES};
use super::state::State;
use super::ticker::Activity;
use super::wasi::world::World;
use crate::api::call_id::CallId;
use crate::api::error::GrowthLimit;
use crate::api::moment::Moment;
use crate::scheduler::tick::TickCount;

/// What an instance is made from.
pub(crate) struct Blueprint<'a> {
    pub(crate) pre: &'a InstancePre<State>,
    /// How many functions the module exports.
    pub(crate) functions: usize,
    pub(crate) world: Arc<World>,
    pub(crate) module_memory: &'a Arc<ModuleMemory>,
}

/// An instance and its store. It is armed for one run at a time.
pub(crate) struct Instance {
    store: Store<State>,
    exports: component::Instance,
    /// The exported functions in the order of the module's exports, each looked up once.
    functions: Vec<Option<Func>>,
    /// Counts the ticks that interrupt the runs.
    pub(crate) ticks: TickCount,
    /// Calls that the instance served.
    pub(crate) calls: u32,
}

impl Instance {
    /// Makes an instance. Its start-up code runs under the limits of a call, without a transaction.
    ///
    /// # Errors
    /// When the pool is exhausted or the start-up code traps.
    pub(crate) async fn new(
        engine: &Engine,
        blueprint: Blueprint<'_>,
        limits: &Limits,
        activity: &Arc<Activity>,
    ) -> wasmtime::Result<Instance> {
        let ticks = TickCount::default();
        let mut table = ResourceTable::new();
        table.set_max_capacity(1000);
        let mut store = Store::new(
            engine,
            State {
                wasi: blueprint.world.context(),
                table,
                limiter: Limiter::new(limits, blueprint.module_memory),
                world: blueprint.world,
                ticks_left: limits.cpu_ticks(),
                ticks: TickCount::clone(&ticks),
                call: None,
            },
        );
        store.limiter(|state| &mut state.limiter);
        let passed_bytes = usize::try_from(limits.host_bytes).unwrap_or(usize::MAX);
        store.set_hostcall_fuel(passed_bytes.min(MAX_PASSED_BYTES));
        // One tick at a time: a long run lets others have the thread in between.
        store.set_epoch_deadline(1);
        let activity = Arc::clone(activity);
        store.epoch_deadline_callback(move |mut context| {
            activity.busy();
            match context.data_mut().tick() {
                Ok(()) => Ok(UpdateDeadline::Yield(1)),
                Err(_) => Ok(UpdateDeadline::Interrupt),
            }
        });
        let exports = blueprint.pre.instantiate_async(&mut store).await?;
        Ok(Instance {
            store,
            exports,
            functions: vec![None; blueprint.functions],
            ticks,
            calls: 0,
        })
    }

    /// Prepares the instance for a run.
    pub(crate) fn arm(&mut self, call: ActiveCall, call_id: CallId, moment: &Moment, limits: &Limits) {
        let state = self.store.data_mut();
        state.world.arm(call_id, moment, limits.log_bytes);
        state.ticks_left = limits.cpu_ticks();
        state.limiter.refused = None;
        state.call = Some(Box::new(call));
        self.store.set_epoch_deadline(1);
        self.calls += 1;
    }

    /// Takes back what the run left: its transaction, effects and requests.
    pub(crate) fn disarm(&mut self) -> Option<Box<ActiveCall>> {
        let state = self.store.data_mut();
        state.world.log.finish();
        let mut call = state.call.take()?;
        call.used_world = state.world.was_used();
        Some(call)
    }

    /// Bytes of linear memory that the instance has.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.store.data().limiter.own_bytes
    }

    /// Handles of the host that the instance holds.
    pub(crate) fn handles(&mut self) -> usize {
        self.store.data_mut().table.iter_mut().count()
    }

    /// Why memory or a table was refused during the run.
    pub(crate) fn refused_growth(&self) -> Option<GrowthLimit> {
        self.store.data().limiter.refused
    }

    /// Whether the run used up its processor time.
    pub(crate) fn out_of_time(&self) -> bool {
        self.store.data().ticks_left == 0
    }

    /// The store and the exported function with this ordinal.
    pub(crate) fn function(
        &mut self,
        ordinal: usize,
        index: &ComponentExportIndex,
    ) -> Option<(&mut Store<State>, Func)> {
        let function = self.functions.get_mut(ordinal)?;
        if function.is_none() {
            *function = self.exports.get_func(&mut self.store, index);
        }
        Some((&mut self.store, (*function)?))
    }
}
