//! Whether output has colours.
//!
//! A stream has colours if it is a terminal that knows them. `NO_COLOR`, `CLICOLOR` and
//! `CLICOLOR_FORCE` change that. The decision is that of clap's help, so that all output of a
//! command looks alike.

use anstream::{AutoStream, ColorChoice};

/// Makes the libraries that draw bars and reports follow the decision. Returns whether stderr,
/// which has the log, has colours.
pub fn decide() -> bool {
    let has_colors = |choice| choice != ColorChoice::Never;
    let stderr = has_colors(AutoStream::choice(&std::io::stderr()));
    console::set_colors_enabled(has_colors(AutoStream::choice(&std::io::stdout())));
    console::set_colors_enabled_stderr(stderr);
    stderr
}
