//! Handles on metrics, with and without a label, made in the same way.

use std::fmt;
use std::marker::PhantomData;

use metrics::{Counter, Gauge, Histogram, Key, Level, Metadata, Recorder};

const METADATA: Metadata<'static> = Metadata::new("truc", Level::INFO, None);

/// What a metric is to Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values by size.
    Histogram,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        })
    }
}

/// A label whose values are a closed set.
pub trait Label: Copy + 'static {
    /// The label's key.
    const KEY: &'static str;
    /// Every value.
    const ALL: &'static [Self];

    /// Its place in [`Label::ALL`].
    fn index(self) -> usize;
    /// Its text in `/metrics`.
    fn as_str(self) -> &'static str;
}

/// A metric as the table makes it.
pub(super) trait Handle: Sized {
    const KIND: Kind;
    const LABEL: &'static str = "";

    fn values() -> Vec<&'static str> {
        Vec::new()
    }

    fn register(recorder: &dyn Recorder, name: &'static str) -> Self;
}

/// A metric of one series.
pub(super) trait Single: Sized {
    const KIND: Kind;

    fn register(recorder: &dyn Recorder, key: &Key) -> Self;
}

macro_rules! singles {
    ($($single:ident: $register:ident;)*) => {$(
        impl Single for $single {
            const KIND: Kind = Kind::$single;

            fn register(recorder: &dyn Recorder, key: &Key) -> Self {
                recorder.$register(key, &METADATA)
            }
        }
    )*};
}

singles! {
    Counter: register_counter;
    Gauge: register_gauge;
    Histogram: register_histogram;
}

impl<S: Single> Handle for S {
    const KIND: Kind = S::KIND;

    fn register(recorder: &dyn Recorder, name: &'static str) -> Self {
        S::register(recorder, &Key::from_name(name))
    }
}

/// One series for each value of a label.
#[derive(Clone)]
pub struct Family<S, L> {
    series: Box<[S]>,
    label: PhantomData<fn(L)>,
}

impl<S, L: Label> Family<S, L> {
    /// The series of one value.
    pub fn of(&self, label: L) -> &S {
        &self.series[label.index()]
    }
}

impl<S: Single, L: Label> Handle for Family<S, L> {
    const KIND: Kind = S::KIND;
    const LABEL: &'static str = L::KEY;

    fn values() -> Vec<&'static str> {
        L::ALL.iter().map(|value| value.as_str()).collect()
    }

    fn register(recorder: &dyn Recorder, name: &'static str) -> Self {
        let series = L::ALL.iter().map(|value| {
            let label = metrics::Label::from_static_parts(L::KEY, value.as_str());
            S::register(recorder, &Key::from_parts(name, vec![label]))
        });
        Self { series: series.collect(), label: PhantomData }
    }
}
