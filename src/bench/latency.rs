//! Latencies: recorded in client processes, merged, and read as percentiles.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Significant digits kept.
const DIGITS: u8 = 3;

/// A distribution of durations, to the microsecond at best.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Vec<(u64, u64)>", into = "Vec<(u64, u64)>")]
pub struct Latency(Histogram<u64>);

/// What is told of a distribution, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Percentiles {
    /// The median.
    pub p50: f64,
    /// 99 of 100 are not longer.
    pub p99: f64,
    /// 999 of 1,000 are not longer.
    pub p999: f64,
}

impl Default for Latency {
    fn default() -> Self {
        Self(Histogram::new(DIGITS).expect("3 digits are among the 1 to 5 there can be"))
    }
}

impl Latency {
    /// Adds one.
    pub fn record(&mut self, duration: Duration) {
        self.record_times(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX), 1);
    }

    /// Adds all of another distribution.
    pub fn merge(&mut self, other: &Self) {
        for (micros, times) in other.pairs() {
            self.record_times(micros, times);
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// What is told of it; zeros when there is none.
    pub fn percentiles(&self) -> Percentiles {
        let ms = |quantile| self.0.value_at_quantile(quantile) as f64 / 1_000.0;
        Percentiles { p50: ms(0.5), p99: ms(0.99), p999: ms(0.999) }
    }

    fn record_times(&mut self, micros: u64, times: u64) {
        // The histogram grows to any value; what cannot be recorded would be one of 2^63 microseconds.
        let _beyond = self.0.record_n(micros.min(i64::MAX as u64), times).is_err();
    }

    fn pairs(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter_recorded().map(|at| (at.value_iterated_to(), at.count_at_value()))
    }
}

impl From<Vec<(u64, u64)>> for Latency {
    fn from(pairs: Vec<(u64, u64)>) -> Self {
        let mut latency = Self::default();
        pairs.into_iter().for_each(|(micros, times)| latency.record_times(micros, times));
        latency
    }
}

impl From<Latency> for Vec<(u64, u64)> {
    fn from(latency: Latency) -> Self {
        latency.pairs().collect()
    }
}

/// The middle one of some figures; of an even number, the mean of the two in the middle. Zero of none.
pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    match figures.len() {
        0 => 0.0,
        n if n % 2 == 1 => figures[n / 2],
        n => (figures[n / 2 - 1] + figures[n / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_survive_the_way_between_processes() {
        let mut latency = Latency::default();
        (1..=1_000).for_each(|ms| latency.record(Duration::from_millis(ms)));
        let text = serde_json::to_string(&latency).unwrap();
        let mut merged: Latency = serde_json::from_str(&text).unwrap();
        assert_eq!(merged.count(), 1_000);
        merged.merge(&latency);
        assert_eq!(merged.count(), 2_000);
        let told = merged.percentiles();
        for (told, wanted) in [(told.p50, 500.0), (told.p99, 990.0), (told.p999, 999.0)] {
            assert!((told - wanted).abs() / wanted < 0.002, "{told} is not about {wanted}");
        }
        assert_eq!(Latency::default().percentiles().p99, 0.0);
    }

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0]), 2.5);
        assert_eq!(median([]), 0.0);
    }
}
