//! Medians, ratios, and the table of figures at the end.

use std::time::Duration;

/// What a figure must reach.
#[derive(Clone, Copy)]
pub enum Target {
    /// At least this.
    AtLeast(f64),
    /// Less than this.
    LessThan(f64),
    /// It is only shown.
    None,
}

struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    target: Target,
}

/// All figures of a run.
#[derive(Default)]
pub struct Report {
    figures: Vec<Figure>,
}

impl Report {
    /// Adds a figure and prints it.
    pub fn add(&mut self, name: impl Into<String>, value: f64, unit: &'static str, target: Target) {
        let figure = Figure {
            name: name.into(),
            value,
            unit,
            target,
        };
        println!("  {}", figure.line());
        self.figures.push(figure);
    }

    /// Prints the table.
    pub fn print(&self) {
        println!("\n{:<62} {:>12} {:<8} target", "figure", "measured", "");
        for figure in &self.figures {
            println!("{}", figure.line());
        }
    }
}

impl Figure {
    fn line(&self) -> String {
        let (target, reached) = match self.target {
            Target::AtLeast(least) => (format!("≥ {least}"), self.value >= least),
            Target::LessThan(limit) => (format!("< {limit}"), self.value < limit),
            Target::None => (String::new(), true),
        };
        let mark = if reached { "" } else { "   MISSED" };
        format!("{:<62} {:>12.2} {:<8} {target}{mark}", self.name, self.value, self.unit)
    }
}

/// The turns of several programs, round by round.
pub struct Rounds<const N: usize> {
    names: [&'static str; N],
    rounds: Vec<[Duration; N]>,
}

impl<const N: usize> Rounds<N> {
    pub fn new(names: [&'static str; N]) -> Self {
        Rounds {
            names,
            rounds: Vec::new(),
        }
    }

    pub fn push(&mut self, round: [Duration; N]) {
        self.rounds.push(round);
    }

    /// Prints the median speed of each program; `amount` is what one turn moved, in `unit`s.
    pub fn print(&self, amount: f64, unit: &str) {
        for (index, name) in self.names.iter().enumerate() {
            let speed = median(self.rounds.iter().map(|r| amount / r[index].as_secs_f64()).collect());
            let turns: Vec<_> = self
                .rounds
                .iter()
                .map(|r| format!("{:.2}", r[index].as_secs_f64()))
                .collect();
            println!("  {name:<28} {speed:>8.0} {unit}/s   turns in s: {}", turns.join(" "));
        }
    }

    /// The median of the ratios of each round. So a machine whose speed drifts does not matter.
    ///
    /// # Panics
    /// For a program that took no part.
    pub fn speed_ratio(&self, of: &str, to: &str) -> f64 {
        let index = |name| self.names.iter().position(|n| *n == name).expect("one of the programs");
        let (of, to) = (index(of), index(to));
        median(
            self.rounds
                .iter()
                .map(|r| r[to].as_secs_f64() / r[of].as_secs_f64())
                .collect(),
        )
    }
}

/// The middle of the values.
///
/// # Panics
/// When there are none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}
