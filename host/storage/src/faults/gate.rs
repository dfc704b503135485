//! A backend that a test can block, make fail, and keep from being reopened.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;

use crate::backend::{ApplyError, Backend, BackendSnapshot, CheckpointState, KeyUpdate};
use crate::error::BackendError;

/// What the next batch does. Without a plan, it succeeds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Plan {
    Succeed,
    Fail,
    Panic,
}

#[derive(Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    opened: Condvar,
    entered: Notify,
}

#[derive(Default)]
struct State {
    closed: bool,
    refuse_reopening: bool,
    plans: VecDeque<Plan>,
}

pub(super) struct Gated {
    inner: Box<dyn Backend>,
    gate: Arc<Gate>,
}

pub(super) fn gated(inner: Box<dyn Backend>) -> (Gated, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let backend = Gated {
        inner,
        gate: Arc::clone(&gate),
    };
    (backend, gate)
}

impl Gate {
    /// Makes each batch wait before it is written.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
    }

    pub(super) fn open(&self) {
        self.state.lock().closed = false;
        self.opened.notify_all();
    }

    /// Waits until a batch waits at the gate.
    pub(super) async fn entered(&self) {
        self.entered.notified().await;
    }

    pub(super) fn plan(&self, plans: impl IntoIterator<Item = Plan>) {
        self.state.lock().plans.extend(plans);
    }

    pub(super) fn refuse_reopening(&self, refuse: bool) {
        self.state.lock().refuse_reopening = refuse;
    }

    fn pass(&self) -> Plan {
        let mut state = self.state.lock();
        if state.closed {
            self.entered.notify_one();
        }
        while state.closed {
            self.opened.wait(&mut state);
        }
        state.plans.pop_front().unwrap_or(Plan::Succeed)
    }
}

impl Backend for Gated {
    fn snapshot(&self) -> Result<Arc<dyn BackendSnapshot>, BackendError> {
        self.inner.snapshot()
    }

    fn apply(
        &mut self,
        updates: &mut dyn Iterator<Item = KeyUpdate<'_>>,
    ) -> Result<Arc<dyn BackendSnapshot>, ApplyError> {
        match self.gate.pass() {
            Plan::Succeed => self.inner.apply(updates),
            Plan::Fail => Err(BackendError::Failed("as planned".into()).into()),
            Plan::Panic => panic!("as planned"),
        }
    }

    fn maintenance_due(&self) -> Option<Instant> {
        self.inner.maintenance_due()
    }

    fn maintain(&mut self) -> Result<Option<Arc<dyn BackendSnapshot>>, BackendError> {
        self.inner.maintain()
    }

    fn checkpoint(&mut self) -> Result<Option<CheckpointState>, ApplyError> {
        self.inner.checkpoint()
    }

    fn should_reopen(&mut self) -> bool {
        self.inner.should_reopen()
    }

    fn reopen(&mut self) -> Result<(), BackendError> {
        if self.gate.state.lock().refuse_reopening {
            return Err(BackendError::Failed("as planned".into()));
        }
        self.inner.reopen()
    }

    fn close(&mut self) -> Result<(), BackendError> {
        self.inner.close()
    }
}
