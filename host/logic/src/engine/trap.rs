//! The text of a trap: what happened, and the functions of the module that were running.
//!
//! The names come from the module's own name section. So they are bounded, and they cannot steer a
//! terminal. A module without names shows the numbers of its functions.

use std::fmt::{self, Write as _};

use wasmtime::{FrameInfo, WasmBacktrace};

use crate::printable::printable;

/// Functions that a text names, the one that trapped first.
const MAX_FRAMES: usize = 12;
/// Most bytes of a function's name in the module that are read.
const MAX_NAME_BYTES: usize = 1 << 10;
/// Most characters of a function's name in a text.
const MAX_SHOWN_CHARS: usize = 120;
/// Most characters of what happened.
const MAX_CAUSE_CHARS: usize = 500;

/// How wasmtime's own text of a backtrace begins. It is left out: the frames are in it again.
const BACKTRACE: &str = "error while executing at wasm backtrace";

/// The text of an error that ended a run.
pub(crate) struct TrapText<'a>(pub(crate) &'a wasmtime::Error);

impl fmt::Display for TrapText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let causes = self.0.chain().map(ToString::to_string);
        let causes: Vec<_> = causes.filter(|text| !text.starts_with(BACKTRACE)).collect();
        f.write_str(&cut(&printable(&causes.join(": ")), MAX_CAUSE_CHARS))?;
        let frames = self
            .0
            .downcast_ref::<WasmBacktrace>()
            .map_or(&[][..], WasmBacktrace::frames);
        f.write_str(&backtrace(frames.iter().map(name)))
    }
}

/// The name of the function of a frame.
fn name(frame: &FrameInfo) -> String {
    match frame.func_name() {
        Some(name) => function(name),
        None => format!("function {}", frame.func_index()),
    }
}

/// A function's name as people write it.
fn function(name: &str) -> String {
    let name = &name[..name.floor_char_boundary(MAX_NAME_BYTES)];
    // The alternate form leaves out the hash at the end.
    let shown = Bounded::of(format_args!("{:#}", rustc_demangle::demangle(name)));
    cut(&printable(&shown), MAX_SHOWN_CHARS)
}

/// The names of the running functions, with what connects them.
fn backtrace(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(MAX_FRAMES);
    let mut text = String::new();
    for (n, name) in names.take(MAX_FRAMES).enumerate() {
        text.push_str(if n == 0 { "; in " } else { ", called by " });
        text.push_str(&name);
    }
    if more > 0 {
        // Writing to a string does not fail.
        let _ = write!(text, ", and {more} more");
    }
    text
}

/// A text of at most so many characters.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A text that takes no more than [`MAX_NAME_BYTES`]: a short name may stand for a very long one.
#[derive(Default)]
struct Bounded(String);

impl Bounded {
    fn of(text: fmt::Arguments<'_>) -> String {
        let mut bounded = Bounded::default();
        // It fails when the bound is reached. What was written until then stays.
        let _ = bounded.write_fmt(text);
        bounded.0
    }
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > MAX_NAME_BYTES {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_as_people_write_them() {
        assert_eq!(
            function("_ZN17stowage_favorites7folders6delete17h0123456789abcdefE"),
            "stowage_favorites::folders::delete"
        );
        assert_eq!(function("delete"), "delete");
    }

    #[test]
    fn the_names_of_a_hostile_module_are_harmless() {
        assert_eq!(
            function("\u{1b}[2J\nERROR all is lost\u{202e}"),
            "\u{fffd}[2J|ERROR all is lost\u{fffd}"
        );
        assert_eq!(function(&"x".repeat(1 << 20)).chars().count(), MAX_SHOWN_CHARS + 1);
        assert_eq!(
            function(&"é".repeat(MAX_NAME_BYTES)).chars().count(),
            MAX_SHOWN_CHARS + 1
        );
        // Each back reference of such a name doubles it.
        let doubling = format!("_RN{}", "TB_B_".repeat(150));
        for name in [doubling.as_str(), "_ZN", "_ZN99999999999999999999E", "_R", ""] {
            assert!(function(name).chars().count() <= MAX_SHOWN_CHARS + 1, "{name}");
        }
    }

    #[test]
    fn a_deep_backtrace_is_counted_from_some_depth_on() {
        let names = |count: usize| (0..count).map(|n| format!("f{n}")).collect::<Vec<_>>().into_iter();
        assert_eq!(backtrace(names(0)), "");
        assert_eq!(backtrace(names(2)), "; in f0, called by f1");
        assert!(backtrace(names(MAX_FRAMES + 3)).ends_with("f11, and 3 more"));
    }
}
