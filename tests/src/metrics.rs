//! The metrics of a server.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::Method;
use http_body_util::Full;

use crate::host::TestHost;
use crate::wire;

/// A scrape of `/metrics`.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// The text.
    pub text: String,
    samples: Vec<Sample>,
}

/// A value with its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The name, with its end such as `_total`.
    pub name: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

impl Metrics {
    /// Asks a server that needs no token.
    ///
    /// # Panics
    /// When it does not answer with metrics.
    pub async fn of(host: &TestHost) -> Metrics {
        let request = wire::request(Method::GET, host.address(), "/metrics").body(Full::new(Bytes::new()));
        let reply = wire::send(host.address(), request.expect("a path")).await;
        assert_eq!(reply.status, 200, "{:?}", reply.body);
        Metrics::parse(std::str::from_utf8(&reply.body).expect("metrics are UTF-8"))
    }

    /// Reads metrics. A parser of others checks the format; this one is for values.
    ///
    /// # Panics
    /// When a line is no sample.
    pub fn parse(text: &str) -> Metrics {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Metrics {
            text: text.to_owned(),
            samples: lines.map(sample).collect(),
        }
    }

    /// The sum of the samples of this name whose labels include these. 0 if there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |sample: &&Sample| {
            let fits = |(label, value): &(&str, &str)| sample.labels.get(*label).is_some_and(|found| found == value);
            sample.name == name && labels.iter().all(fits)
        };
        self.samples.iter().filter(has).map(|sample| sample.value).sum()
    }

    /// The samples of this name.
    pub fn samples<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| sample.name == name)
    }

    /// The names of all families, with the end that their samples have: `_total` for counters,
    /// `_info` for texts. Histograms have the name without an end.
    pub fn names(&self) -> BTreeSet<String> {
        let types = self.text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        types
            .map(|line| match line.split_once(' ') {
                Some((name, "counter")) => format!("{name}_total"),
                Some((name, "info")) => format!("{name}_info"),
                Some((name, _)) => name.to_owned(),
                None => line.to_owned(),
            })
            .collect()
    }
}

/// `name{label="value",…} 1.5`.
fn sample(line: &str) -> Sample {
    let (head, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
    let (name, labels) = head.split_once('{').unwrap_or((head, "}"));
    let labels = labels.strip_suffix('}').unwrap_or_else(|| panic!("no labels: {line}"));
    let pairs = labels.split("\",").filter(|pair| !pair.is_empty()).map(|pair| {
        let (label, value) = pair.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
        (label.to_owned(), value.trim_end_matches('"').to_owned())
    });
    Sample {
        name: name.to_owned(),
        labels: pairs.collect(),
        value: value.parse().unwrap_or_else(|_| panic!("no number: {line}")),
    }
}

/// The names of metrics in a text: a document, a dashboard, rules of alerts. The ends of histograms
/// (`_bucket`, `_sum`, `_count`) are left out.
pub fn names_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names = words.filter(|word| word.starts_with("stowage_") || word.starts_with("process_"));
    names
        .map(|word| {
            let ends = ["_bucket", "_sum", "_count"];
            let cut = ends.iter().find_map(|end| word.strip_suffix(end));
            cut.unwrap_or(word).to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_with_their_labels() {
        let text =
            "# TYPE a counter\n# HELP a x.\na_total{m=\"x\",n=\"a b\"} 3\na_total{m=\"y\",n=\"\"} 4\nb 0.5\n# EOF\n";
        let metrics = Metrics::parse(text);
        assert_eq!(metrics.sum("a_total", &[]), 7.0);
        assert_eq!(metrics.sum("a_total", &[("n", "a b")]), 3.0);
        assert_eq!(metrics.sum("a_total", &[("n", "")]), 4.0);
        assert_eq!(metrics.sum("b", &[]), 0.5);
        assert_eq!(metrics.names(), BTreeSet::from(["a_total".to_owned()]));
    }

    #[test]
    fn names_are_found_in_queries() {
        let names = names_in("rate(stowage_a_seconds_bucket{le=\"1\"}[5m]) / process_b > other_c");
        let expected = ["process_b", "stowage_a_seconds"].map(str::to_owned);
        assert_eq!(names, BTreeSet::from(expected));
    }
}
