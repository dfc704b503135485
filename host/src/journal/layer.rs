//! Takes events of the program for the journal.

use std::collections::BTreeMap;
use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::Journal;
use super::ring::NewLine;
use crate::console::now_ms;

/// The field that names the module of an event.
const MODULE: &str = "module";
/// The field that names several modules, with blanks between.
const MODULES: &str = "modules";
/// The field of an event that is about one call.
const CALL_ID: &str = "call_id";

/// Whether an event may belong into the journal. It is decided once for each place in the code.
pub(super) fn is_kept(metadata: &Metadata<'_>) -> bool {
    let has = |name| metadata.fields().field(name).is_some();
    let level = *metadata.level();
    // The SDK of the traces tells about its endpoint, which is no error of this server.
    let is_sdk = metadata.target().starts_with("opentelemetry");
    metadata.is_event() && !is_sdk && (level == Level::ERROR || (level <= Level::INFO && (has(MODULE) || has(MODULES))))
}

pub(super) struct JournalLayer(pub(super) Journal);

impl<S: Subscriber> Layer<S> for JournalLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut texts = Texts::default();
        event.record(&mut texts);
        let Texts { message, mut fields } = texts;
        let level = *event.metadata().level();
        let at_ms = now_ms();
        if level == Level::ERROR && !fields.contains_key(CALL_ID) {
            let reason = fields.get("error").or_else(|| fields.get("reason"));
            self.0.add_error(
                at_ms,
                match reason {
                    Some(reason) => format!("{message}: {reason}"),
                    None => message.clone(),
                },
            );
        }
        let mut names = Vec::new();
        names.extend(fields.remove(MODULE));
        if let Some(modules) = fields.remove(MODULES) {
            names.extend(modules.split_whitespace().map(str::to_owned));
        }
        let line = NewLine {
            at_ms,
            level: match level {
                Level::ERROR => "error",
                Level::WARN => "warn",
                _ => "info",
            },
            version: fields.remove("version"),
            message,
            fields,
        };
        for name in names {
            self.0.add(&name, line.clone());
        }
    }
}

/// The fields of an event as text.
#[derive(Default)]
struct Texts {
    message: String,
    fields: BTreeMap<String, String>,
}

impl Texts {
    fn add(&mut self, field: &Field, text: String) {
        match field.name() {
            "message" => self.message = text,
            name => {
                self.fields.insert(name.to_owned(), text);
            }
        }
    }
}

impl Visit for Texts {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }
}
