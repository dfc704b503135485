//! Writes metrics: a family is a name, a help text and its samples.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;
use stowage_storage::DistributionCounts;

/// Labels of a sample: name and value.
pub(super) type Labels<'a, const N: usize> = [(&'a str, &'a str); N];

/// Writes families. The end of a name (`_total`, the unit) is added as the type demands.
pub(super) struct Families<'a>(pub(super) DescriptorEncoder<'a>);

impl Families<'_> {
    /// A count that only grows, for each set of labels.
    pub(super) fn counter<'l, const N: usize>(
        &mut self,
        name: &str,
        unit: Option<&Unit>,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'l, N>, u64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, unit, MetricType::Counter)?;
        for (labels, value) in samples {
            match N {
                0 => metric.encode_counter::<NoLabelSet, _, u64>(&value, None)?,
                _ => metric
                    .encode_family(&labels)?
                    .encode_counter::<NoLabelSet, _, u64>(&value, None)?,
            }
        }
        Ok(())
    }

    /// A count with a fraction, if it is known.
    pub(super) fn float_counter(
        &mut self,
        name: &str,
        unit: Option<&Unit>,
        help: &str,
        value: Option<f64>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, unit, MetricType::Counter)?;
        value.map_or(Ok(()), |value| {
            metric.encode_counter::<NoLabelSet, _, u64>(&value, None)
        })
    }

    /// A number that rises and falls, for each set of labels.
    pub(super) fn gauge<'l, const N: usize, V: EncodeGaugeValue>(
        &mut self,
        name: &str,
        unit: Option<&Unit>,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'l, N>, V)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, unit, MetricType::Gauge)?;
        for (labels, value) in samples {
            match N {
                0 => metric.encode_gauge(&value)?,
                _ => metric.encode_family(&labels)?.encode_gauge(&value)?,
            }
        }
        Ok(())
    }

    /// Counts of values by their size, for each set of labels. Values are divided by `scale`: 10⁶
    /// for seconds, if they are microseconds.
    pub(super) fn histogram<'l, const N: usize>(
        &mut self,
        name: &str,
        unit: Option<&Unit>,
        help: &str,
        scale: f64,
        samples: impl IntoIterator<Item = (Labels<'l, N>, DistributionCounts)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, unit, MetricType::Histogram)?;
        for (labels, counts) in samples {
            let bounds = counts.bounds.iter().map(|bound| *bound as f64 / scale);
            let buckets: Vec<_> = bounds
                .chain([f64::INFINITY])
                .zip(counts.counts.iter().copied())
                .collect();
            let (sum, count) = (counts.sum as f64 / scale, counts.counts.iter().sum());
            match N {
                0 => metric.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?,
                _ => metric
                    .encode_family(&labels)?
                    .encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?,
            }
        }
        Ok(())
    }

    /// Texts about the process, as the labels of one sample.
    pub(super) fn info<const N: usize>(&mut self, name: &str, help: &str, labels: Labels<'_, N>) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Info)?;
        metric.encode_info(&labels)
    }
}
