//! The last lines of the log, in memory: those about each module, and the latest error of the
//! server.
//!
//! They are kept whatever STOWAGE_LOG says, from the level `info` on. Everything has a bound.

mod layer;
mod ring;

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use stowage_deploy::api::ModuleLog;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use layer::{JournalLayer, is_kept};
use ring::{NewLine, Ring};

/// Most modules whose lines are kept. A further one replaces the one that was silent for longest.
const MAX_MODULES: usize = 64;

/// The kept lines. A cheap handle.
#[derive(Clone, Debug, Default)]
pub struct Journal(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    rings: HashMap<String, Ring>,
    errors: Option<Errors>,
}

/// Errors of the server that belong to no call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Errors {
    /// Those since the server started.
    pub(crate) count: u64,
    /// When the last one was logged, in milliseconds since 1970.
    pub(crate) last_ms: u64,
    /// Its text.
    pub(crate) last: String,
}

impl Journal {
    /// What gives the events of the program to this journal.
    pub fn layer<S: tracing::Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        let filter = tracing_subscriber::filter::filter_fn(is_kept)
            .with_max_level_hint(tracing_subscriber::filter::LevelFilter::INFO);
        Layer::<S>::with_filter(JournalLayer(self.clone()), filter)
    }

    /// The lines about a module: the first `limit` after the number `after`, or the last `limit`.
    /// None if nothing was ever logged about it.
    pub(crate) fn lines(&self, module: &str, after: Option<u64>, limit: usize) -> Option<ModuleLog> {
        Some(self.0.lock().rings.get(module)?.lines(after, limit))
    }

    /// The errors of the server.
    pub(crate) fn errors(&self) -> Option<Errors> {
        self.0.lock().errors.clone()
    }

    fn add(&self, module: &str, line: NewLine) {
        let mut kept = self.0.lock();
        let rings = &mut kept.rings;
        if rings.len() >= MAX_MODULES && !rings.contains_key(module) {
            let silent = rings
                .iter()
                .min_by_key(|(_, ring)| ring.last_ms())
                .map(|(name, _)| name.clone());
            silent.and_then(|name| rings.remove(&name));
        }
        rings.entry(module.to_owned()).or_default().push(line);
    }

    fn add_error(&self, at_ms: u64, text: String) {
        let mut kept = self.0.lock();
        let count = kept.errors.as_ref().map_or(0, |errors| errors.count) + 1;
        kept.errors = Some(Errors {
            count,
            last_ms: at_ms,
            last: text,
        });
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// What a journal keeps of the events of `work`.
    fn kept(work: impl FnOnce()) -> Journal {
        let journal = Journal::default();
        let subscriber = tracing_subscriber::registry().with(journal.layer());
        tracing::subscriber::with_default(subscriber, work);
        journal
    }

    fn messages(log: &ModuleLog) -> Vec<&str> {
        log.lines.iter().map(|line| &*line.message).collect()
    }

    #[test]
    fn lines_are_kept_by_module_from_info_on() {
        let journal = kept(|| {
            tracing::info!(module = "a", version = %"9f2c", stream = "stdout", rows = 7, "printed {}", "this");
            tracing::warn!(module = %"a", "warned");
            tracing::debug!(module = "a", "too detailed");
            tracing::info!("about no module");
            tracing::error!(modules = "b c", reason = ?"so", "about two");
        });
        let a = journal.lines("a", None, 10).expect("lines");
        assert_eq!(messages(&a), ["printed this", "warned"]);
        let first = &a.lines[0];
        assert_eq!(
            (first.n, &*first.level, first.version.as_deref()),
            (1, "info", Some("9f2c"))
        );
        let fields: Vec<_> = first.fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(fields, [("rows", "7"), ("stream", "stdout")]);
        assert_eq!(a.lines[1].level, "warn");
        assert_eq!(a.next, 2);
        for module in ["b", "c"] {
            let log = journal.lines(module, None, 10).expect("lines");
            assert_eq!(messages(&log), ["about two"]);
            assert_eq!(log.lines[0].fields["reason"], "\"so\"");
        }
        assert_eq!(journal.lines("d", None, 10), None);
    }

    #[test]
    fn errors_outside_of_calls_are_counted() {
        let journal = kept(|| {
            tracing::error!(call_id = 7, module = "a", "call failed");
            tracing::warn!("no error");
        });
        assert_eq!(journal.errors(), None);
        let journal = kept(|| {
            tracing::error!("first");
            tracing::error!(error = "no room", module = "a", "second");
        });
        let errors = journal.errors().expect("errors");
        assert_eq!((errors.count, &*errors.last), (2, "second: no room"));
        assert!(errors.last_ms > 1_700_000_000_000);
    }

    #[test]
    fn the_module_that_was_silent_for_longest_makes_room() {
        let journal = Journal::default();
        let line = |at_ms| NewLine {
            at_ms,
            level: "info",
            version: None,
            message: "x".into(),
            fields: Default::default(),
        };
        for number in 0..MAX_MODULES as u64 {
            journal.add(&number.to_string(), line(100 + number));
        }
        journal.add("0", line(1000));
        journal.add("new", line(1001));
        assert_eq!(journal.0.lock().rings.len(), MAX_MODULES);
        assert!(journal.lines("1", None, 1).is_none());
        for module in ["0", "2", "new"] {
            assert!(journal.lines(module, None, 1).is_some(), "{module}");
        }
    }
}
