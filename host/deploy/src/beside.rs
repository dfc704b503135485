//! Versions beside the live ones: shadows and canaries begin, are promoted, and end.

use std::collections::BTreeSet;
use std::sync::Arc;

use stowage_logic::codec::fold_name;
use stowage_logic::{Generation, Watch};

use super::api::{CanaryStatus, ShadowReport, SwapReport};
use super::check::forbid_migration;
use super::deployer::{Deployer, alone};
use super::error::DeployError;
use super::history::Action;
use super::inner::put;
use super::options::{CanaryOptions, Source, SwapOptions, validate_percent, validate_thresholds};
use super::trials::{Canary, Candidate, Shadow, room_for_another};

impl Deployer {
    /// Runs a module beside the live calls and compares what it does. Nothing of it is visible to clients or to disk. It ends with
    /// [`Deployer::abort`], when the live version of its name changes, and with the process.
    ///
    /// # Errors
    /// [`DeployError::Refused`] where it does not load or start.
    pub async fn shadow(&self, source: Source, percent: f64) -> Result<ShadowReport, DeployError> {
        source.validate()?;
        validate_percent(percent)?;
        let this = self.clone();
        alone(async move {
            let mut candidate = this.candidate(source).await?;
            let _changing = this.0.changing.lock().await;
            let name = candidate.module.name.to_string();
            // It answers nobody: what clients would notice is what a shadow is to find out.
            this.admit_beside(&mut candidate, true).await?;
            let run = this.0.logic.shadow(Arc::clone(&candidate.module), percent);
            let shadow = Shadow {
                candidate,
                percent,
                run,
            };
            let report = shadow.report();
            let mut now = this.0.now();
            if let Some(old) = now.shadows.insert(name, shadow) {
                now.retire(&old.candidate.module);
            }
            drop(now);
            this.0.serve_again();
            Ok(report)
        })
        .await
    }

    /// What the shadow of a module has found so far.
    ///
    /// # Errors
    /// [`DeployError::NoTrial`].
    pub fn shadow_report(&self, name: &str) -> Result<ShadowReport, DeployError> {
        let now = self.0.now();
        let shadow = now.shadows.get(name);
        shadow
            .map(Shadow::report)
            .ok_or_else(|| DeployError::NoTrial { name: name.to_owned() })
    }

    /// Gives a share of the calls to a module. It ends with [`Deployer::promote`], with [`Deployer::abort`], by itself when it is too
    /// bad, when the live version of its name changes, and with the process.
    ///
    /// # Errors
    /// [`DeployError::Refused`] with what the check found; [`DeployError::Busy`] while the live version is on probation.
    pub async fn canary(&self, source: Source, options: CanaryOptions) -> Result<CanaryStatus, DeployError> {
        source.validate()?;
        validate_percent(options.percent)?;
        validate_thresholds(&options.thresholds)?;
        let this = self.clone();
        alone(async move {
            let mut candidate = this.candidate(source).await?;
            let _changing = this.0.changing.lock().await;
            let name = candidate.module.name.to_string();
            this.check_share(&candidate, &options.methods)?;
            this.admit_beside(&mut candidate, options.force).await?;
            let canary = Canary {
                candidate,
                percent: options.percent,
                methods: options.methods,
                watch: Watch::new(options.thresholds),
                thresholds: options.thresholds,
            };
            let status = canary.status();
            let mut now = this.0.now();
            if let Some(old) = now.canaries.insert(name, canary) {
                now.retire(&old.candidate.module);
            }
            drop(now);
            this.0.serve_again();
            Ok(status)
        })
        .await
    }

    /// Puts a canary, or else a shadow, in place of the live module; or ends the probation of the live one.
    ///
    /// # Errors
    /// As [`Deployer::swap`]; [`DeployError::NoTrial`].
    pub async fn promote(&self, name: &str, options: SwapOptions) -> Result<SwapReport, DeployError> {
        validate_thresholds(&options.thresholds)?;
        let (this, name) = (self.clone(), name.to_owned());
        alone(async move {
            let _changing = this.0.changing.lock().await;
            let (candidate, on_probation) = {
                let now = this.0.now();
                let canary = now.canaries.get(&name).map(|c| &c.candidate);
                let shadow = now.shadows.get(&name).map(|s| &s.candidate);
                let watched = now.module(&name).zip(now.probation.as_ref());
                (canary.or(shadow).cloned(), watched.is_some_and(|(m, p)| p.is_of(m)))
            };
            if let Some(candidate) = candidate {
                return this.swap_in(vec![candidate], &options, Action::Promote).await;
            }
            if !on_probation {
                return Err(this.nothing_of(&name));
            }
            this.0.end_probation().await?;
            tracing::info!(module = %name, by = options.by, "its probation ends");
            Ok(this.unchanged())
        })
        .await
    }

    /// Ends the shadow and the canary of a module, or the migration to it while one runs.
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
        alone(async move {
            let _changing = this.0.changing.lock().await;
            let shadow = {
                let mut now = this.0.now();
                let shadow = now.shadows.remove(&name);
                if let Some(shadow) = &shadow {
                    now.retire(&shadow.candidate.module);
                }
                shadow
            };
            if shadow.is_some() {
                this.0.serve_again();
            }
            match this.0.end_canary(&name, None) {
                Some(canary) => {
                    this.0
                        .record_abort(canary.candidate.row("command"), "command", None)
                        .await
                }
                None if shadow.is_some() => Ok(()),
                None => Err(this.nothing_of(&name)),
            }
        })
        .await
    }

    /// Checks a candidate that is to run beside the live modules, on their data.
    async fn admit_beside(&self, candidate: &mut Candidate, force: bool) -> Result<(), DeployError> {
        let name = candidate.module.name.to_string();
        let (running, probation) = {
            let now = self.0.now();
            let watched = now.module(&name).zip(now.probation.as_ref());
            (
                now.shadows.len() + now.canaries.len(),
                watched.is_some_and(|(m, p)| p.is_of(m)),
            )
        };
        room_for_another(running, &name)?;
        if probation {
            return Err(DeployError::Busy {
                name,
                reason: "its live version is on probation; wait until that ends, or promote it".into(),
            });
        }
        let mut after = self.0.pairs();
        put(
            &mut after,
            (candidate.row("check"), Arc::clone(&candidate.module)),
            |(row, _)| &row.name,
        );
        let after: Vec<_> = after.into_iter().map(|(_, module)| module).collect();
        let mut examined = self.examine(candidate, &after, None).await?;
        forbid_migration(&mut examined);
        if !examined.admits(force) {
            return Err(DeployError::Refused {
                report: examined.report,
            });
        }
        candidate.schema = examined.schema;
        Ok(())
    }

    /// # Errors
    /// When a canary would answer no call: a method that it or the live modules do not have.
    fn check_share(&self, candidate: &Candidate, methods: &[String]) -> Result<(), DeployError> {
        let table = Generation::new(self.0.now().modules.clone());
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

    fn nothing_of(&self, name: &str) -> DeployError {
        let name = name.to_owned();
        match self.0.now().module(&name) {
            Some(_) => DeployError::NoTrial { name },
            None => DeployError::NoSuchModule { name },
        }
    }
}
