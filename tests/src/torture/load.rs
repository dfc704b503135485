//! Clients that call without rest, and what their calls took.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinHandle;

use super::client::Client;

/// A call: its method and parameters.
pub type Call = (&'static str, Value);

/// What calls took and how they ended.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// The time of each call, sorted.
    pub times: Vec<Duration>,
    /// Answers that were not code 200, and calls without an answer, in words.
    pub failures: Vec<String>,
    /// The time of all.
    pub elapsed: Duration,
}

impl Figures {
    /// The time that this share of calls does not exceed, for example 0.99.
    pub fn quantile(&self, share: f64) -> Duration {
        let index = (self.times.len() as f64 * share) as usize;
        self.times
            .get(index.min(self.times.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    }

    /// Calls a second.
    pub fn rate(&self) -> f64 {
        self.times.len() as f64 / self.elapsed.as_secs_f64()
    }
}

/// Clients that call until they are told to end.
#[derive(Debug)]
pub struct Load {
    over: Arc<AtomicBool>,
    begun: Instant,
    clients: Vec<JoinHandle<Figures>>,
}

impl Load {
    /// Starts so many clients. `call` makes the n-th call of a client. With a pace, each client
    /// calls at most so often.
    pub fn start<F>(address: SocketAddr, clients: usize, pace: Option<Duration>, call: F) -> Load
    where
        F: Fn(usize, u64) -> Call + Clone + Send + 'static,
    {
        let over = Arc::new(AtomicBool::new(false));
        let clients = (0..clients)
            .map(|number| {
                let (over, call) = (Arc::clone(&over), call.clone());
                tokio::spawn(async move {
                    let (mut client, mut figures) = (Client::new(address), Figures::default());
                    let begun = Instant::now();
                    for n in 0.. {
                        if over.load(Ordering::Relaxed) {
                            break;
                        }
                        let (method, params) = call(number, n);
                        let sent = Instant::now();
                        match client.call(method, &params).await {
                            Ok(answer) if answer.code == 200 => {}
                            other => figures.failures.push(format!("{method} {params}: {other:?}")),
                        }
                        figures.times.push(sent.elapsed());
                        if let Some(pace) = pace {
                            let due = begun + pace * u32::try_from(n + 1).unwrap_or(u32::MAX);
                            tokio::time::sleep_until(due.into()).await;
                        }
                    }
                    figures
                })
            })
            .collect();
        Load {
            over,
            begun: Instant::now(),
            clients,
        }
    }

    /// Ends the clients, each after its present call.
    ///
    /// # Panics
    /// When a client panicked.
    pub async fn end(self) -> Figures {
        self.over.store(true, Ordering::Relaxed);
        let mut all = Figures::default();
        for client in self.clients {
            let figures = client.await.expect("a client does not panic");
            all.times.extend(figures.times);
            all.failures.extend(figures.failures);
        }
        all.elapsed = self.begun.elapsed();
        all.times.sort_unstable();
        all
    }

    /// Lets the clients call for so long, and ends them.
    pub async fn run_for(self, time: Duration) -> Figures {
        tokio::time::sleep(time).await;
        self.end().await
    }
}
