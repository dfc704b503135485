//! What a layer of the log writes, for tests.

use std::io;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::{FormatEvent, FormatFields, Layer};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::Registry;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lines that a layer writes, without colors.
pub(super) fn lines<N, E>(layer: Layer<Registry, N, E>, work: impl FnOnce()) -> Vec<String>
where
    N: for<'w> FormatFields<'w> + Send + Sync + 'static,
    E: FormatEvent<Registry, N> + Send + Sync + 'static,
{
    let written = Written::default();
    let writer = written.clone();
    let layer = layer.with_writer(move || writer.clone()).with_ansi(false);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
    let text = String::from_utf8(written.0.lock().unwrap().clone()).expect("the log is UTF-8");
    text.lines().map(str::to_owned).collect()
}
