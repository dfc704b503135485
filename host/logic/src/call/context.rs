//! One call, through all its attempts and versions.

use std::time::{Duration, Instant};

use tracing::Span;

use crate::api::call_id::CallId;
use crate::api::fact::Facts;
use crate::api::invocation::Invocation;
use crate::api::moment::Moment;
use crate::api::row_hooks::RowHooks;
use crate::engine::limits::{LimitClass, Limits};
use crate::engine::typed::TypedEntry;

/// One call, through all its attempts and versions.
pub(crate) struct CallContext<'a> {
    pub(crate) id: CallId,
    pub(crate) moment: Moment,
    pub(crate) invocation: &'a dyn Invocation,
    /// Enters the function in place of the invocation's arguments.
    pub(crate) typed: Option<&'a dyn TypedEntry>,
    /// The modules' functions that a sync calls.
    pub(crate) hooks: &'a dyn RowHooks,
    /// Host calls that an attempt may make.
    pub(crate) host_calls: u32,
    /// What the cloud has answered so far.
    pub(crate) facts: Facts,
    /// Whether the call runs on the only version of the route it was found by.
    pub(crate) sole_version: bool,
    pub(crate) limits: &'a Limits,
    pub(crate) class: LimitClass,
    /// What is left of the wall limit. The call does not lose time while the cloud answers a
    /// question or while calls are held back.
    pub(crate) time_left: Duration,
    /// The start of the present attempt.
    pub(crate) started: Instant,
    /// Whether the next attempt needs a new instance, because an earlier attempt was undone.
    pub(crate) fresh_instance: bool,
    /// Whether the requests of the present attempt are kept.
    pub(crate) keep_requests: bool,
    /// The call in traces; none if it is not traced.
    pub(crate) span: Span,
    /// Attempts that were made, of all versions.
    pub(crate) attempts: u64,
}

impl<'a> CallContext<'a> {
    /// A call that makes its first attempt.
    pub(crate) fn new(
        id: CallId,
        moment: Moment,
        invocation: &'a dyn Invocation,
        hooks: &'a dyn RowHooks,
        limits: &'a Limits,
    ) -> CallContext<'a> {
        CallContext {
            id,
            moment,
            invocation,
            typed: None,
            hooks,
            host_calls: limits.host_calls,
            facts: Facts::default(),
            sole_version: true,
            limits,
            class: LimitClass::Live,
            time_left: limits.wall,
            started: Instant::now(),
            fresh_instance: false,
            keep_requests: false,
            span: Span::none(),
            attempts: 0,
        }
    }

    /// Begins the attempts of one version, with these limits.
    pub(crate) fn begin(&mut self, class: LimitClass, limits: &'a Limits) {
        self.class = class;
        self.limits = limits;
        self.time_left = limits.wall;
        self.fresh_instance = false;
    }
}
