//! The options of several commands.

use clap::Args;

use super::admin::Query;

/// When a version on trial fails
#[derive(Clone, Debug, Default, Args)]
pub struct ThresholdArgs {
    /// Calls that may fail and do not fail on the version before; then it is rolled back [default:
    /// 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_faults: Option<u64>,
    /// Percent of the calls that may answer an error that the version before does not answer
    /// [default: 5]
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub max_errors: Option<f64>,
}

/// How a version goes live
#[derive(Clone, Debug, Default, Args)]
pub struct ProbationArgs {
    /// Seconds of probation, in which a bad version is rolled back automatically; 0 for none
    /// [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=86_400))]
    pub probation: Option<u64>,
    /// When it fails
    #[command(flatten)]
    pub thresholds: ThresholdArgs,
}

impl ThresholdArgs {
    pub(super) fn query(&self) -> Query<'static> {
        let faults = self.max_faults.map(|n| ("maxFaults", n.to_string()));
        let errors = self.max_errors.map(|percent| ("maxErrors", percent.to_string()));
        faults.into_iter().chain(errors).collect()
    }
}

impl ProbationArgs {
    pub(super) fn query(&self) -> Query<'static> {
        let mut query = self.thresholds.query();
        query.extend(self.probation.map(|seconds| ("probation", seconds.to_string())));
        query
    }
}

/// A number above 0, at most 100.
pub(super) fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(percent),
        _ => Err("expected a number above 0, at most 100".to_owned()),
    }
}
