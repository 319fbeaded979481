//! What a publisher sends, and in which order: twice what it is not sure of, some steps after later ones, some much later.

use std::collections::HashMap;

use crate::plan::Planned;

/// Steps in one request, at most.
const BATCH_MAX: usize = 60;
/// Of so many steps, so many ...
const OF: u32 = 1_000;
/// ... come right after the step that follows them, ...
const REORDERED: u32 = 30;
/// ... are delayed by up to an hour, ...
const DELAYED: u32 = 10;
const DELAY_S: std::ops::Range<u32> = 600..3_600;
/// ... are forgotten until all else is sent and nobody waits for them any more, ...
const FORGOTTEN: u32 = 2;
/// ... are sent twice.
const DUPLICATED: u32 = 40;

/// A step to be sent: the places of the dossier and of the step.
pub type Place = (usize, usize);

/// All that a publisher sends.
#[derive(Debug, Default)]
pub struct Script {
    /// Requests, in order.
    pub batches: Vec<Vec<Place>>,
    /// From this one on: what had been forgotten.
    pub forgotten_from: usize,
    pub counts: Counts,
}

/// What is peculiar in a script.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// Steps sent, each time counted.
    pub sent: usize,
    pub duplicates: usize,
    /// First sent after a later step of the same dossier.
    pub reordered: usize,
    pub delayed: usize,
    pub forgotten: usize,
}

impl Counts {
    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            sent: self.sent + other.sent,
            duplicates: self.duplicates + other.duplicates,
            reordered: self.reordered + other.reordered,
            delayed: self.delayed + other.delayed,
            forgotten: self.forgotten + other.forgotten,
        }
    }
}

impl Script {
    /// The script of the owner of these dossiers.
    pub fn of(dossiers: &[Planned], seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (mut sends, mut forgotten) = (Vec::new(), Vec::new());
        let mut counts = Counts::default();
        for (dossier, planned) in dossiers.iter().enumerate() {
            for (step, now) in planned.steps.iter().enumerate() {
                let next = planned.steps.get(step + 1);
                let at_s = match (rng.u32(..OF), next) {
                    (chance, Some(_)) if chance < FORGOTTEN => {
                        forgotten.push((dossier, step));
                        continue;
                    }
                    (chance, Some(next)) if chance < FORGOTTEN + REORDERED => next.at_s + rng.u32(1..20),
                    (chance, _) if chance < FORGOTTEN + REORDERED + DELAYED => {
                        counts.delayed += 1;
                        now.at_s + rng.u32(DELAY_S)
                    }
                    _ => now.at_s,
                };
                sends.push((at_s, (dossier, step)));
                if rng.u32(..OF) < DUPLICATED {
                    counts.duplicates += 1;
                    sends.push((at_s + rng.u32(..DELAY_S.end), (dossier, step)));
                }
            }
        }
        sends.sort_unstable();
        let places: Vec<_> = sends.into_iter().map(|(_, place)| place).collect();
        counts.sent = places.len() + forgotten.len();
        counts.forgotten = forgotten.len();
        counts.reordered = reordered(&places) + forgotten.len();
        let mut batches = batches(&places, &mut rng);
        let forgotten_from = batches.len();
        batches.extend(self::batches(&forgotten, &mut rng));
        Self { batches, forgotten_from, counts }
    }
}

fn batches(mut places: &[Place], rng: &mut fastrand::Rng) -> Vec<Vec<Place>> {
    let mut batches = Vec::new();
    while !places.is_empty() {
        let (batch, rest) = places.split_at(rng.usize(1..=BATCH_MAX).min(places.len()));
        batches.push(batch.to_vec());
        places = rest;
    }
    batches
}

fn reordered(places: &[Place]) -> usize {
    let mut last: HashMap<usize, (usize, Vec<usize>)> = HashMap::new();
    let is_reordered = |(dossier, step): &&Place| {
        let (highest, sent) = last.entry(*dossier).or_default();
        let is_first = !sent.contains(step);
        sent.push(*step);
        *highest = (*highest).max(*step);
        is_first && *step < *highest
    };
    places.iter().filter(is_reordered).count()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::plan::{Plan, owners};

    #[test]
    fn everything_is_sent_and_much_of_it_strangely() {
        let plan = Plan { seed: 3, dossiers: 20_000, quick_percent: 30 };
        let dossiers = plan.of(5, &owners());
        let script = Script::of(&dossiers, 11);
        let sent: Vec<_> = script.batches.iter().flatten().copied().collect();
        let distinct: HashSet<_> = sent.iter().copied().collect();
        let steps: usize = dossiers.iter().map(|dossier| dossier.steps.len()).sum();
        let Counts { duplicates, reordered, delayed, forgotten, .. } = script.counts;
        assert_eq!((distinct.len(), sent.len()), (steps, steps + duplicates));
        assert_eq!(script.counts.sent, sent.len());
        assert!(
            duplicates > 0 && delayed > 0 && forgotten > 0 && reordered > forgotten,
            "{:?}",
            script.counts
        );
        assert!(script.forgotten_from < script.batches.len());
        assert!(script.batches.iter().all(|batch| (1..=BATCH_MAX).contains(&batch.len())));
    }
}
