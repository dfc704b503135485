//! The deployer with real modules: checks, swaps, trials, migrations, restarts.

mod check;
mod hostile;
mod migration;
mod shadow;
mod signed;
mod stage;
mod start;
mod swap;
mod trials;
