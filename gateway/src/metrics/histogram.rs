//! Durations in buckets. What it will never know: what took so long.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How many durations there were up to each bound, and what they come to.
#[derive(Debug)]
pub(crate) struct Histogram {
    /// Upper bounds, in seconds.
    bounds: &'static [f64],
    /// One more than there are bounds: the last one has what is longer.
    counts: Vec<AtomicU64>,
    nanos: AtomicU64,
}

impl Histogram {
    pub(crate) fn new(bounds: &'static [f64]) -> Histogram {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Histogram { bounds, counts, nanos: AtomicU64::new(0) }
    }

    pub(crate) fn add(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let at = self.bounds.iter().position(|bound| seconds <= *bound).unwrap_or(self.bounds.len());
        if let Some(count) = self.counts.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Its lines, with labels in front of the bucket's own.
    pub(crate) fn write(&self, name: &str, labels: &str, out: &mut String) {
        let (comma, mut sum) = (if labels.is_empty() { "" } else { "," }, 0);
        let bounds = self.bounds.iter().map(ToString::to_string).chain(["+Inf".into()]);
        for (count, bound) in self.counts.iter().zip(bounds) {
            sum += count.load(Ordering::Relaxed);
            let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {sum}");
        }
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let seconds = Duration::from_nanos(self.nanos.load(Ordering::Relaxed)).as_secs_f64();
        let _ = writeln!(out, "{name}_sum{labels} {seconds}\n{name}_count{labels} {sum}");
    }
}

/// How long a storage takes to make something durable, for `/metrics`: whoever has the storage counts.
///
/// ```
/// let times = kvorum_gateway::SyncTimes::default();
/// times.add(std::time::Duration::from_millis(3), 512);
/// ```
#[derive(Debug)]
pub struct SyncTimes {
    pub(crate) times: Histogram,
    pub(crate) bytes: AtomicU64,
}

impl SyncTimes {
    /// An append of so many bytes took so long, with its sync.
    pub fn add(&self, took: Duration, bytes: u64) {
        self.times.add(took);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Two are equal if they are the same one: they change all the time.
impl PartialEq for SyncTimes {
    fn eq(&self, other: &SyncTimes) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for SyncTimes {}

impl Default for SyncTimes {
    fn default() -> SyncTimes {
        // etcd's buckets, from 1 ms, each twice the one before.
        const BOUNDS: &[f64] = &[
            0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192,
        ];
        SyncTimes { times: Histogram::new(BOUNDS), bytes: AtomicU64::new(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_count_everything_up_to_their_bound() {
        let histogram = Histogram::new(&[0.001, 0.5]);
        for millis in [1, 2, 500, 600] {
            histogram.add(Duration::from_millis(millis));
        }
        let mut out = String::new();
        histogram.write("x", "a=\"b\"", &mut out);
        assert_eq!(
            out,
            "x_bucket{a=\"b\",le=\"0.001\"} 1\nx_bucket{a=\"b\",le=\"0.5\"} 3\nx_bucket{a=\"b\",le=\"+Inf\"} 4\n\
             x_sum{a=\"b\"} 1.103\nx_count{a=\"b\"} 4\n"
        );
    }
}
