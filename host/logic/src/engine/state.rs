//! What a wasmtime store holds.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tracing::Span;
use wasmtime::Trap;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::WasiCtx;

use super::active_call::ActiveCall;
use super::limiter::Limiter;
use super::wasi::world::World;
use crate::api::error::Refusal;
use crate::scheduler::tick::TickCount;
use crate::spans;

/// What a store holds.
pub(crate) struct State {
    pub(crate) wasi: WasiCtx,
    pub(crate) table: ResourceTable,
    pub(crate) limiter: Limiter,
    pub(crate) world: Arc<World>,
    /// Ticks that the run may still be interrupted by.
    pub(crate) ticks_left: u64,
    /// Ticks that interrupted all runs of the instance.
    pub(crate) ticks: TickCount,
    /// The call that runs. There is none while the instance is made or idle.
    pub(crate) call: Option<Box<ActiveCall>>,
}

impl State {
    /// The run had the thread for a tick.
    ///
    /// # Errors
    /// [`Trap::Interrupt`] when that was the last one it may have.
    pub(crate) fn tick(&mut self) -> Result<(), Trap> {
        self.ticks.fetch_add(1, Ordering::Relaxed);
        self.ticks_left = self.ticks_left.checked_sub(1).ok_or(Trap::Interrupt)?;
        Ok(())
    }

    /// The call that runs.
    pub(crate) fn active_call(&mut self) -> wasmtime::Result<&mut ActiveCall> {
        self.call
            .as_deref_mut()
            .ok_or_else(|| wasmtime::Error::msg("a host function was called outside of a call"))
    }

    /// The span of a function of the host that the module calls. It ends when it is dropped.
    pub(crate) fn host_span(&self, function: &'static str) -> Span {
        match &self.call {
            Some(call) => spans::host_call(&call.span, function),
            None => Span::none(),
        }
    }

    /// The call that runs, charged for one host call that takes `bytes`.
    pub(crate) fn host_call(&mut self, bytes: usize) -> wasmtime::Result<&mut ActiveCall> {
        let call = self.active_call()?;
        match call.host_calls_left.checked_sub(1) {
            Some(left) => call.host_calls_left = left,
            None => return Err(call.refuse(Refusal::HostCallLimit)),
        }
        call.charge(bytes)?;
        Ok(call)
    }
}
