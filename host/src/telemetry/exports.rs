//! Bounds what waits to be sent, and counts what was sent and what was dropped.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, LogExporter, LogProcessor, SdkLogRecord};
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter, SpanProcessor};
use tokio::runtime::Handle;

/// The most spans, and the most log records, that wait to be sent. Further ones are dropped.
pub(super) const MAX_WAITING: usize = 8192;

/// Counts of what is sent to the endpoint. A cheap handle. Without an endpoint all are 0.
#[derive(Clone, Debug, Default)]
pub struct Exports(Arc<[Signal; 2]>);

/// The counts of one kind of thing that is sent.
#[derive(Debug, Default)]
pub(super) struct Signal {
    waiting: AtomicUsize,
    sent: AtomicU64,
    dropped: AtomicU64,
    /// Whether the endpoint did not take the last batch.
    fails: AtomicBool,
}

/// What was sent of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExportCounts {
    /// `traces` or `logs`.
    pub(crate) signal: &'static str,
    /// Spans or log records that the endpoint took.
    pub(crate) sent: u64,
    /// Those that were dropped: too many waited, or the endpoint did not take them.
    pub(crate) dropped: u64,
}

/// The names of the kinds.
const SIGNALS: [&str; 2] = ["traces", "logs"];

impl Exports {
    pub(super) fn traces(&self) -> Counter {
        Counter(self.clone(), 0)
    }

    pub(super) fn logs(&self) -> Counter {
        Counter(self.clone(), 1)
    }

    /// The counts of each kind.
    pub(crate) fn counts(&self) -> [ExportCounts; 2] {
        [0, 1].map(|kind| ExportCounts {
            signal: SIGNALS[kind],
            sent: self.0[kind].sent.load(Ordering::Relaxed),
            dropped: self.0[kind].dropped.load(Ordering::Relaxed),
        })
    }
}

/// Counts one kind.
#[derive(Clone, Debug)]
pub(super) struct Counter(Exports, usize);

impl Counter {
    fn signal(&self) -> &Signal {
        &self.0.0[self.1]
    }

    /// Whether one more may wait. If not, it is counted as dropped.
    fn admit(&self) -> bool {
        let signal = self.signal();
        let admitted = signal.waiting.fetch_add(1, Ordering::Relaxed) < MAX_WAITING;
        if !admitted {
            signal.waiting.fetch_sub(1, Ordering::Relaxed);
            signal.dropped.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }

    /// A batch was sent, or given up. The log has a line when that changes.
    fn ended(&self, items: usize, result: &OTelSdkResult) {
        let signal = self.signal();
        signal.waiting.fetch_sub(items, Ordering::Relaxed);
        let counter = match result {
            Ok(()) => &signal.sent,
            Err(_) => &signal.dropped,
        };
        counter.fetch_add(items as u64, Ordering::Relaxed);
        let failed = signal.fails.swap(result.is_err(), Ordering::Relaxed);
        let name = SIGNALS[self.1];
        match result {
            Err(error) if !failed => tracing::warn!(
                signal = name,
                %error,
                "the OTLP endpoint does not take what is sent; it is dropped until the endpoint takes it again"
            ),
            Ok(()) if failed => tracing::info!(signal = name, "the OTLP endpoint takes what is sent again"),
            _ => {}
        }
    }
}

/// An exporter that runs in the program's runtime, and whose results are counted. The SDK calls it
/// on a thread of its own, which has no runtime.
#[derive(Debug)]
pub(super) struct Counted<E> {
    pub(super) inner: E,
    pub(super) counter: Counter,
    pub(super) runtime: Handle,
}

async fn in_runtime<T>(runtime: &Handle, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|context| {
        let _entered = runtime.enter();
        work.as_mut().poll(context)
    })
    .await
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let items = batch.len();
        let result = in_runtime(&self.runtime, self.inner.export(batch)).await;
        self.counter.ended(items, &result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<E: LogExporter> LogExporter for Counted<E> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let items = batch.iter().count();
        let result = in_runtime(&self.runtime, self.inner.export(batch)).await;
        self.counter.ended(items, &result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// A processor whose queue has a bound that is counted. The SDK's own bound is never reached.
#[derive(Debug)]
pub(super) struct Bounded<P> {
    pub(super) inner: P,
    pub(super) counter: Counter,
}

impl<P: SpanProcessor> SpanProcessor for Bounded<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.inner.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.counter.admit() {
            self.inner.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<P: LogProcessor> LogProcessor for Bounded<P> {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        if self.counter.admit() {
            self.inner.emit(record, scope);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_sdk::error::OTelSdkError;

    use super::*;

    #[test]
    fn what_waits_is_bounded_and_what_is_lost_is_counted() {
        let exports = Exports::default();
        let counter = exports.traces();
        let admitted = (0..MAX_WAITING + 5).filter(|_| counter.admit()).count();
        assert_eq!(admitted, MAX_WAITING);
        counter.ended(10, &Ok(()));
        counter.ended(20, &Err(OTelSdkError::InternalFailure("away".into())));
        let [traces, logs] = exports.counts();
        assert_eq!((traces.signal, traces.sent, traces.dropped), ("traces", 10, 25));
        assert_eq!((logs.signal, logs.sent, logs.dropped), ("logs", 0, 0));
        assert_eq!((0..100).filter(|_| counter.admit()).count(), 30, "there is room again");
    }
}
