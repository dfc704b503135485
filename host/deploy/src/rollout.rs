//! Trials beside the live modules: shadows and canaries begin, are promoted, and end.

use std::collections::BTreeSet;
use std::sync::Arc;

use stowage_logic::codec::fold_name;
use stowage_logic::{Generation, Watch};

use super::api::{CanaryStatus, ShadowReport, SwapReport};
use super::candidate::Candidate;
use super::deployer::Deployer;
use super::error::DeployError;
use super::history::Action;
use super::options::{CanaryOptions, Source, SwapOptions, validate_percent, validate_thresholds};
use super::shared::run_detached;
use super::trials::{Canary, Shadow};

/// Trials that run at the same time. Each keeps a module in memory.
const MAX_TRIALS: usize = 8;

impl Deployer {
    /// Repeats live calls with a module and compares what it does. Clients and the disk see nothing
    /// of it. It ends with [`Deployer::abort`], when the live version of its name changes, and with
    /// the process.
    ///
    /// # Errors
    /// [`DeployError::Refused`] if the module does not load or start.
    pub async fn shadow(&self, source: Source, percent: f64) -> Result<ShadowReport, DeployError> {
        source.validate()?;
        validate_percent(percent)?;
        let this = self.clone();
        run_detached(async move {
            let mut candidate = this.compile(source).await?;
            let _changing = this.0.changing.lock().await;
            let name = candidate.module.name.to_string();
            // A shadow answers nobody, and it is run to find what clients would notice: forced.
            this.admit_trial(&mut candidate, true).await?;
            let run = this.0.logic.shadow(Arc::clone(&candidate.module), percent);
            let shadow = Shadow {
                candidate,
                percent,
                run,
            };
            let report = shadow.report();
            let mut serving = this.0.serving();
            if let Some(old) = serving.shadows.insert(name.clone(), shadow) {
                serving.retire(&old.candidate.module);
            }
            drop(serving);
            this.0.serve_again();
            tracing::info!(module = %name, version = %report.version, percent, "a shadow began");
            Ok(report)
        })
        .await
    }

    /// What the shadow of a module has found so far.
    ///
    /// # Errors
    /// [`DeployError::NoTrial`].
    pub fn shadow_report(&self, name: &str) -> Result<ShadowReport, DeployError> {
        let serving = self.0.serving();
        let shadow = serving.shadows.get(name);
        shadow
            .map(Shadow::report)
            .ok_or_else(|| DeployError::NoTrial { name: name.to_owned() })
    }

    /// Lets a module answer a share of the calls. The canary ends with [`Deployer::promote`], with
    /// [`Deployer::abort`], by itself when it exceeds a threshold, when the live version of its
    /// name changes, and with the process.
    ///
    /// # Errors
    /// [`DeployError::Refused`] with what the check found; [`DeployError::Busy`] while the live
    /// version is on probation.
    pub async fn canary(&self, source: Source, options: CanaryOptions) -> Result<CanaryStatus, DeployError> {
        source.validate()?;
        validate_percent(options.percent)?;
        validate_thresholds(&options.thresholds)?;
        let this = self.clone();
        run_detached(async move {
            let mut candidate = this.compile(source).await?;
            let _changing = this.0.changing.lock().await;
            let name = candidate.module.name.to_string();
            this.check_share(&candidate, &options.methods)?;
            this.admit_trial(&mut candidate, options.force).await?;
            let canary = Canary {
                candidate,
                percent: options.percent,
                methods: options.methods,
                watch: Watch::new(options.thresholds),
                thresholds: options.thresholds,
            };
            let status = canary.status();
            let mut serving = this.0.serving();
            if let Some(old) = serving.canaries.insert(name.clone(), canary) {
                serving.retire(&old.candidate.module);
            }
            drop(serving);
            this.0.serve_again();
            tracing::info!(module = %name, version = %status.version, percent = status.percent, "a canary began");
            Ok(status)
        })
        .await
    }

    /// Changes the share of calls that a running canary answers. What its watch has counted stays.
    ///
    /// # Errors
    /// [`DeployError::NoTrial`]; [`DeployError::BadInput`] for a percentage that is not above 0 and
    /// at most 100.
    pub async fn set_canary_percent(&self, name: &str, percent: f64) -> Result<CanaryStatus, DeployError> {
        validate_percent(percent)?;
        let (this, name) = (self.clone(), name.to_owned());
        run_detached(async move {
            let _changing = this.0.changing.lock().await;
            let status = {
                let mut serving = this.0.serving();
                serving.canaries.get_mut(&name).map(|canary| {
                    canary.percent = percent;
                    canary.status()
                })
            };
            let status = status.ok_or_else(|| this.no_trial(&name))?;
            this.0.serve_again();
            tracing::info!(module = %name, percent, "the canary answers another share of the calls");
            Ok(status)
        })
        .await
    }

    /// Puts a canary live, or else a shadow; or ends the probation of the live module.
    ///
    /// # Errors
    /// As [`Deployer::swap`]; [`DeployError::NoTrial`].
    pub async fn promote(&self, name: &str, options: SwapOptions) -> Result<SwapReport, DeployError> {
        validate_thresholds(&options.thresholds)?;
        let (this, name) = (self.clone(), name.to_owned());
        run_detached(async move {
            let _changing = this.0.changing.lock().await;
            let (candidate, is_on_probation) = {
                let serving = this.0.serving();
                let canary = serving.canaries.get(&name).map(|c| &c.candidate);
                let shadow = serving.shadows.get(&name).map(|s| &s.candidate);
                (canary.or(shadow).cloned(), serving.is_on_probation(&name))
            };
            if let Some(candidate) = candidate {
                return this.swap_in(vec![candidate], &options, Action::Promote).await;
            }
            if !is_on_probation {
                return Err(this.no_trial(&name));
            }
            this.0.end_probation().await?;
            tracing::info!(module = %name, by = options.by, "the probation is ended by a promotion");
            Ok(this.unchanged())
        })
        .await
    }

    /// Ends the shadow and the canary of a module, or the running migration to it.
    ///
    /// # Errors
    /// [`DeployError::NoTrial`], [`DeployError::NoSuchModule`].
    pub async fn abort(&self, name: &str) -> Result<(), DeployError> {
        let (this, name) = (self.clone(), name.to_owned());
        if let Some(running) = &*this.0.migration()
            && running.status.module == name
        {
            running.stop.cancel();
            return Ok(());
        }
        run_detached(async move {
            let _changing = this.0.changing.lock().await;
            let had_shadow = this.end_shadow(&name);
            if had_shadow {
                tracing::info!(module = %name, "the shadow was ended");
            }
            match this.0.end_canary(&name, None) {
                Some(canary) => {
                    tracing::info!(module = %name, "the canary was ended");
                    let row = canary.candidate.row("command");
                    this.0.record_abort(row, "command", None).await
                }
                None if had_shadow => Ok(()),
                None => Err(this.no_trial(&name)),
            }
        })
        .await
    }

    /// Ends the shadow of a module. Returns whether there was one.
    fn end_shadow(&self, name: &str) -> bool {
        let mut serving = self.0.serving();
        let Some(shadow) = serving.shadows.remove(name) else {
            return false;
        };
        serving.retire(&shadow.candidate.module);
        drop(serving);
        self.0.serve_again();
        true
    }

    /// Checks a candidate that is to run beside the live modules, on their data.
    async fn admit_trial(&self, candidate: &mut Candidate, force: bool) -> Result<(), DeployError> {
        let name = candidate.module.name.to_string();
        let (running, is_on_probation) = {
            let serving = self.0.serving();
            (serving.trials(), serving.is_on_probation(&name))
        };
        if running >= MAX_TRIALS {
            return Err(DeployError::Busy {
                name,
                reason: format!("{MAX_TRIALS} shadows and canaries run already; abort one of them first"),
            });
        }
        if is_on_probation {
            return Err(DeployError::Busy {
                name,
                reason: "its live version is on probation; wait until that ends, or promote it".into(),
            });
        }
        let after = self.0.live_modules_with(candidate);
        let mut outcome = self.examine(candidate, &after, None).await?;
        outcome.forbid_migration();
        if !outcome.admits(force) {
            return Err(DeployError::Refused { report: outcome.report });
        }
        candidate.schema = outcome.schema;
        Ok(())
    }

    /// # Errors
    /// When a canary would answer no call: one of `methods` is not served, or the module lacks it.
    fn check_share(&self, candidate: &Candidate, methods: &[String]) -> Result<(), DeployError> {
        let table = Generation::new(self.0.serving().modules.clone());
        let shared: BTreeSet<String> = Generation::new(vec![Arc::clone(&candidate.module)])
            .routes()
            .filter(|route| table.version_of(route.function()).is_some())
            .map(|route| fold_name(&route.export().function))
            .collect();
        let unknown = methods.iter().find(|m| !shared.contains(&fold_name(m)));
        if shared.is_empty() || unknown.is_some() {
            return Err(DeployError::BadInput {
                field: "methods".into(),
                expected: match unknown {
                    Some(method) => format!("methods that are served and that the module has, found {method}"),
                    None => "a module with a method that is served".into(),
                },
            });
        }
        Ok(())
    }

    fn no_trial(&self, name: &str) -> DeployError {
        let name = name.to_owned();
        match self.0.serving().module(&name) {
            Some(_) => DeployError::NoTrial { name },
            None => DeployError::NoSuchModule { name },
        }
    }
}
