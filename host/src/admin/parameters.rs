//! The parameters of an admin request: those of the query and the fields of a JSON body.

use std::str::FromStr;
use std::time::Duration;

use http::StatusCode;
use serde_json::Value;
use stowage_logic::Thresholds;

use super::problem::Problem;
use stowage_deploy::SwapOptions;

/// Most parameters of a request; a repeated one counts each time.
const MAX_PARAMETERS: usize = 1024;

/// The longest probation that a request may ask for.
const MAX_PROBATION_SECONDS: u64 = 86_400;

/// Names and values in the order of the request. Each handler takes the ones it knows; one that is
/// left is unknown.
#[derive(Debug)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// The parameters of a percent-encoded query.
    pub(super) fn of_query(query: &str) -> Result<Parameters, Problem> {
        let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .take(MAX_PARAMETERS + 1)
            .collect();
        if pairs.len() > MAX_PARAMETERS {
            return Err(Problem::parameter("query", "at most 1024 parameters"));
        }
        Ok(Parameters(pairs))
    }

    /// Adds the fields of a JSON object. An empty body has none.
    pub(super) fn add_json(&mut self, body: &[u8]) -> Result<(), Problem> {
        if body.is_empty() {
            return Ok(());
        }
        let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
            return Err(Problem::parameter("body", "a JSON object"));
        };
        for (name, value) in fields {
            let text = match value {
                Value::Null => continue,
                Value::String(text) => text,
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                Value::Array(_) | Value::Object(_) => {
                    return Err(Problem::parameter(&name, "a string, a number, true or false"));
                }
            };
            self.0.push((name, text));
        }
        Ok(())
    }

    /// All values of a parameter that may be repeated.
    pub(super) fn all(&mut self, name: &str) -> Vec<String> {
        self.0.extract_if(.., |(n, _)| n == name).map(|(_, v)| v).collect()
    }

    /// The value of an optional parameter.
    pub(super) fn one<T: FromStr>(&mut self, name: &str, expected: &str) -> Result<Option<T>, Problem> {
        let mut values = self.all(name);
        match (values.pop(), values.is_empty()) {
            (None, _) => Ok(None),
            (Some(value), true) => value.parse().map(Some).map_err(|_| Problem::parameter(name, expected)),
            (Some(_), false) => Err(Problem::parameter(name, "one value")),
        }
    }

    /// The name of a module, which is required.
    pub(super) fn name(&mut self) -> Result<String, Problem> {
        self.one::<String>("name", "the name of a module")?
            .filter(|name| !name.is_empty())
            .ok_or_else(|| Problem::parameter("name", "the name of a module"))
    }

    /// `true` or `false`; false if it is absent.
    pub(super) fn flag(&mut self, name: &str) -> Result<bool, Problem> {
        Ok(self.one(name, "true or false")?.unwrap_or(false))
    }

    /// A percentage above 0.
    pub(super) fn percent(&mut self, name: &str) -> Result<Option<f64>, Problem> {
        const EXPECTED: &str = "a number above 0, at most 100";
        match self.one::<f64>(name, EXPECTED)? {
            Some(percent) if !(percent > 0.0 && percent <= 100.0) => Err(Problem::parameter(name, EXPECTED)),
            percent => Ok(percent),
        }
    }

    /// `maxFaults` and `maxErrors`.
    pub(super) fn thresholds(&mut self) -> Result<Thresholds, Problem> {
        let mut thresholds = Thresholds::default();
        if let Some(faults) = self.one("maxFaults", "a whole number of calls")? {
            thresholds.faults = faults;
        }
        if let Some(percent) = self.percent("maxErrors")? {
            thresholds.errors_percent = percent;
        }
        if thresholds.faults == 0 {
            return Err(Problem::parameter("maxFaults", "at least 1"));
        }
        Ok(thresholds)
    }

    /// `force`, `probation` and the thresholds.
    pub(super) fn swap_options(&mut self, by: &'static str) -> Result<SwapOptions, Problem> {
        const EXPECTED: &str = "whole seconds, at most 86400";
        let probation = match self.one::<u64>("probation", EXPECTED)? {
            Some(seconds) if seconds > MAX_PROBATION_SECONDS => return Err(Problem::parameter("probation", EXPECTED)),
            seconds => seconds.map(Duration::from_secs),
        };
        Ok(SwapOptions {
            force: self.flag("force")?,
            by,
            probation,
            thresholds: self.thresholds()?,
        })
    }

    /// Refuses parameters that the handler has not taken.
    pub(super) fn end(self) -> Result<(), Problem> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => {
                let shown: String = name.chars().take(64).collect();
                Err(Problem::new(
                    StatusCode::BAD_REQUEST,
                    format!("{shown}: no such parameter here"),
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Parameters {
        Parameters::of_query(text).expect("few parameters")
    }

    #[test]
    fn parameters_come_from_the_query_and_from_the_body() {
        let mut parameters = query("force=true&probation=5");
        parameters
            .add_json(br#"{"name": "favorites", "maxFaults": 7, "maxErrors": 2.5, "to": null}"#)
            .expect("an object");
        assert_eq!(parameters.name().expect("there"), "favorites");
        let options = parameters.swap_options("command").expect("valid");
        assert!(options.force);
        assert_eq!(options.probation, Some(Duration::from_secs(5)));
        assert_eq!((options.thresholds.faults, options.thresholds.errors_percent), (7, 2.5));
        parameters.end().expect("nothing is left");
    }

    #[test]
    fn an_error_names_the_parameter() {
        let refused = |text: &str| {
            let mut parameters = query(text);
            let taken = parameters.name().and_then(|_| parameters.swap_options("command"));
            let problem = taken.and_then(|_| parameters.end()).expect_err(text);
            assert_eq!(problem.status, StatusCode::BAD_REQUEST);
            problem.body.error.message
        };
        for (text, name) in [
            ("", "name"),
            ("name=", "name"),
            ("name=a&name=b", "name"),
            ("name=a&force=yes", "force"),
            ("name=a&probation=-1", "probation"),
            ("name=a&probation=86401", "probation"),
            ("name=a&maxFaults=0", "maxFaults"),
            ("name=a&maxErrors=0", "maxErrors"),
            ("name=a&maxErrors=NaN", "maxErrors"),
            ("name=a&maxErrors=101", "maxErrors"),
        ] {
            let message = refused(text);
            assert!(message.starts_with(&format!("{name}: expected ")), "{text}: {message}");
        }
        assert_eq!(refused("name=a&forced=true"), "forced: no such parameter here");
        assert!(Parameters::of_query(&"a&".repeat(2000)).is_err());
        for body in [&b"[]"[..], b"{", b"{\"name\": [1]}", b"\xff"] {
            assert!(query("").add_json(body).is_err(), "{body:?}");
        }
    }
}
