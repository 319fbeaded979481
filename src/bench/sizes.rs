//! How large documents are.

use serde::{Deserialize, Serialize};

/// Sizes of documents, bytes of payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sizes {
    /// All the same.
    Each(usize),
    /// As between state bodies, which is an assumption: nobody has published how large their documents are.
    National,
}

/// Of a thousand documents so many have sizes from here to there, each doubling equally often: notes and status reports, letters with a page or two,
/// scanned decisions, files with attachments. The mean is 83 KiB.
const NATIONAL: [(u64, usize, usize); 4] = [
    (450, 2 * 1_024, 8 * 1_024),
    (350, 8 * 1_024, 64 * 1_024),
    (170, 64 * 1_024, 512 * 1_024),
    (30, 512 * 1_024, 2 * 1_024 * 1_024),
];

impl Sizes {
    /// The size of one document.
    pub fn one(self, rng: &mut fastrand::Rng) -> usize {
        match self {
            Self::Each(size) => size,
            Self::National => {
                let mut place = rng.u64(..1_000);
                let class = NATIONAL.into_iter().find(|(share, ..)| {
                    let is_here = place < *share;
                    place = place.saturating_sub(*share);
                    is_here
                });
                let (_, from, to) = class.unwrap_or(NATIONAL[0]);
                let doublings = (to as f64 / from as f64).log2();
                (from as f64 * (doublings * rng.f64()).exp2()) as usize
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn national_sizes_have_the_mean_that_is_told() {
        let mut rng = fastrand::Rng::with_seed(7);
        let sizes: Vec<_> = (0..200_000).map(|_| Sizes::National.one(&mut rng)).collect();
        let mean = sizes.iter().sum::<usize>() / sizes.len();
        assert!((80 * 1_024..86 * 1_024).contains(&mean), "{mean}");
        assert!(sizes.iter().all(|size| (2_048..=2_097_152).contains(size)));
        assert_eq!(NATIONAL.iter().map(|(share, ..)| share).sum::<u64>(), 1_000);
        assert_eq!(Sizes::Each(5).one(&mut rng), 5);
    }
}
