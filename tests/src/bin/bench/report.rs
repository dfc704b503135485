//! Medians and ratios.

use std::time::Duration;

/// What one turn measured.
pub struct Measured {
    /// The requests that succeeded.
    pub requests: u64,
    /// The length of the turn.
    pub elapsed: Duration,
    /// The latencies of all requests, sorted.
    pub latencies: Vec<Duration>,
}

impl Measured {
    fn rate(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }

    fn percentile(&self, p: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        let index = (last as f64 * p).round() as usize;
        self.latencies.get(index).copied().unwrap_or_default()
    }
}

/// The turns of several servers, round by round.
pub struct Rounds<const N: usize> {
    names: [&'static str; N],
    rounds: Vec<[Measured; N]>,
}

impl<const N: usize> Rounds<N> {
    pub fn new(names: [&'static str; N]) -> Self {
        Rounds {
            names,
            rounds: Vec::new(),
        }
    }

    pub fn push(&mut self, round: [Measured; N]) {
        self.rounds.push(round);
    }

    fn median(&self, server: usize, figure: impl Fn(&Measured) -> f64) -> f64 {
        median(self.rounds.iter().map(|r| figure(&r[server])).collect())
    }

    pub fn print(&self) {
        for (server, name) in self.names.iter().enumerate() {
            println!(
                "  {name:<18} {:>9.0} /s   p50 {:>7.3} ms   p99 {:>7.3} ms",
                self.median(server, Measured::rate),
                self.median(server, |m| m.percentile(0.5).as_secs_f64() * 1e3),
                self.median(server, |m| m.percentile(0.99).as_secs_f64() * 1e3),
            );
        }
    }

    /// Prints the median of the ratios of each round. So a machine whose speed drifts does not
    /// matter.
    pub fn print_ratio(&self, of: &str, to: &str) {
        println!("  {of} / {to} = {:.2}", self.ratio(of, to, Measured::rate));
    }

    /// [`Rounds::print_ratio`] for the 99th percentile of the latency.
    pub fn print_p99_ratio(&self, of: &str, to: &str) {
        let p99 = |m: &Measured| m.percentile(0.99).as_secs_f64();
        println!("  p99 {of} / {to} = {:.2}", self.ratio(of, to, p99));
    }

    fn ratio(&self, of: &str, to: &str, figure: impl Fn(&Measured) -> f64) -> f64 {
        let index = |name: &str| {
            self.names
                .iter()
                .position(|n| *n == name)
                .expect("a server of these rounds")
        };
        let (of, to) = (index(of), index(to));
        median(self.rounds.iter().map(|r| figure(&r[of]) / figure(&r[to])).collect())
    }
}

/// The median.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
