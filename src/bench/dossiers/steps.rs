//! The steps of a measurement. Everything about one but its time follows from who publishes it and its ordinal, so that who follows, in another
//! process, knows what it has to be.

use std::collections::HashMap;

use prost::Message;
use serde::{Deserialize, Serialize};

use crate::bench::received::Received;
use crate::domain::time::Timestamp;
use crate::proto::v1::{self, DossierStatus};

/// Steps of each dossier.
pub const STEPS_EACH: u64 = 6;
/// What is done with a dossier in them.
const COURSE: [DossierStatus; STEPS_EACH as usize] = [
    DossierStatus::Registered,
    DossierStatus::Accepted,
    DossierStatus::InProcess,
    DossierStatus::InProcess,
    DossierStatus::Processed,
    DossierStatus::Returned,
];
/// From one dossier in hand to the one whose turn is next, and from one round of steps to the next: prime, so that the turns go through all.
const STRIDE: u64 = 7_919;
const SHIFT: u64 = 311;
/// Bytes that notes are cut out of.
const TEXT_BYTES: usize = 16_384;
const PROCEDURES: u64 = 40;
/// When dossiers are to be done, seconds since the epoch.
const DUE_S: i64 = 2_000_000_000;

/// Which steps there are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Steps {
    /// The measurement: each on one log has dossiers of its own.
    pub run: u32,
    /// What contents follow from.
    pub seed: u64,
    /// Bytes of a step as it is published.
    pub size: usize,
    /// Dossiers each publisher has in hand at a time: they get their steps in turns, all the first, all the second, ..., each time in another order.
    pub open: u64,
}

impl Steps {
    /// Whether so many dossiers can be in hand.
    pub fn can_be_open(dossiers: u64) -> bool {
        (1..=1_000_000).contains(&dossiers) && !dossiers.is_multiple_of(STRIDE)
    }

    /// The dossier, counted from 0, and its step that a publisher's step with this ordinal is.
    pub fn place(&self, ordinal: u64) -> (u64, u32) {
        let block = self.open * STEPS_EACH;
        let (begun, within) = (ordinal / block * self.open, ordinal % block);
        let (round, turn) = (within / self.open, within % self.open);
        (begun + (turn * STRIDE + round * SHIFT) % self.open, round as u32 + 1)
    }

    /// The day in the codes of its dossiers.
    fn day(&self) -> u32 {
        20_250_000 + (self.run / 28 + 1) * 100 + self.run % 28 + 1
    }

    fn mix(&self, organ: usize, dossier: u64, step: u32) -> u64 {
        let place = ((organ as u64) << 48) ^ (dossier << 8) ^ u64::from(step) ^ self.seed;
        let mixed = place.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed ^ (mixed >> 29)
    }
}

/// Writes steps and knows them again.
pub struct Script {
    steps: Steps,
    text: String,
    organs: Vec<String>,
    by_id: HashMap<String, usize>,
}

impl Script {
    /// The script of these organs.
    pub fn new(steps: Steps, organs: &[String]) -> Self {
        let mut rng = fastrand::Rng::with_seed(steps.seed);
        let text = (0..TEXT_BYTES).map(|_| if rng.u8(..) < 40 { ' ' } else { rng.lowercase() }).collect();
        let by_id = organs.iter().enumerate().map(|(number, organ)| (organ.clone(), number)).collect();
        Self { steps, text, organs: organs.to_vec(), by_id }
    }

    /// A step.
    pub fn step(&self, organ: usize, ordinal: u64, at: Timestamp) -> v1::DossierStep {
        let (dossier, number) = self.steps.place(ordinal);
        let mut step = v1::DossierStep {
            dossier_code: format!("{}-{}-{:07}", self.organs[organ], self.steps.day(), dossier + 1),
            step: number,
            procedure_code: format!("1.{:06}", dossier % PROCEDURES + 4_194),
            status: COURSE[number as usize - 1].into(),
            actor: Some(v1::DossierActor {
                name: "Nguyễn Thị Minh".to_owned(),
                position: "Chuyên viên".to_owned(),
                department: "Bộ phận Một cửa".to_owned(),
            }),
            occurred_time: Some(time(at)),
            due_time: Some(prost_types::Timestamp { seconds: DUE_S, nanos: 0 }),
            ..v1::DossierStep::default()
        };
        let bare = step.encoded_len();
        // The note's tag, and its length in one byte or two.
        let room = self.steps.size.saturating_sub(bare + 2);
        self.note(organ, dossier, number, room - usize::from(room > 127)).clone_into(&mut step.note);
        step
    }

    fn note(&self, organ: usize, dossier: u64, step: u32, length: usize) -> &str {
        let length = length.min(TEXT_BYTES - 1);
        let start = self.steps.mix(organ, dossier, step) as usize % (TEXT_BYTES - length);
        &self.text[start..start + length]
    }

    /// Publisher, day and dossier of a code.
    fn parse(&self, code: &str) -> Option<(usize, u32, u64)> {
        let mut parts = code.rsplitn(3, '-');
        let (number, day, organ) = (parts.next()?, parts.next()?, parts.next()?);
        let number: u64 = number.parse().ok()?;
        Some((*self.by_id.get(organ)?, day.parse().ok()?, number.checked_sub(1)?))
    }
}

/// What one who follows has seen: each step once, each dossier's in order, nothing left out.
pub struct Follower {
    script: Script,
    /// By publisher and day, the last step seen of each dossier.
    last: HashMap<(usize, u32), Vec<u8>>,
}

impl Follower {
    /// One who has seen nothing.
    pub fn new(script: Script) -> Self {
        Self { script, last: HashMap::new() }
    }

    /// Notes a step; gives when it was published.
    pub fn see(&mut self, step: &v1::DossierStep, received: &mut Received) -> Timestamp {
        let at = step.occurred_time.as_ref().map_or(Timestamp::EPOCH, |time| {
            Timestamp::from_micros(time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000)
        });
        let code = &step.dossier_code;
        let Some((organ, day, dossier)) = self.script.parse(code) else {
            received.foreign += 1;
            received.faults.add(|| format!("{code} is of nobody's measurement"));
            return at;
        };
        let dossiers = self.last.entry((organ, day)).or_default();
        let place = dossier as usize;
        if dossiers.len() <= place {
            dossiers.resize(place + 1, 0);
        }
        let last = u32::from(dossiers[place]);
        if step.step <= last {
            received.duplicates += 1;
            received.faults.add(|| format!("{code}: step {} after step {last}", step.step));
            return at;
        }
        if step.step > last + 1 {
            received.faults.add(|| format!("{code}: step {} right after step {last}", step.step));
        }
        dossiers[place] = u8::try_from(step.step).unwrap_or(u8::MAX);
        let wanted = self.script.note(organ, dossier, step.step, step.note.len());
        let status = COURSE.get(step.step as usize - 1).copied().map(i32::from);
        if step.note != wanted || step.encoded_len() != self.script.steps.size || status != Some(step.status)
        {
            received.altered += 1;
            received.faults.add(|| format!("{code}, step {}, is not what was published", step.step));
        }
        let (distinct, beyond) = &mut received.from[organ];
        *distinct += 1;
        *beyond += 1;
        at
    }
}

fn time(at: Timestamp) -> prost_types::Timestamp {
    let micros = at.as_micros();
    let nanos = micros.rem_euclid(1_000_000) * 1_000;
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: i32::try_from(nanos).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(size: usize) -> Script {
        Script::new(Steps { run: 30, seed: 7, size, open: 50 }, &["K99.A".to_owned(), "H49".to_owned()])
    }

    fn follow(ordinals: &[u64], change: impl Fn(&mut v1::DossierStep)) -> Received {
        let mut received = Received { from: vec![(0, 0); 2], ..Received::default() };
        let (writer, mut follower) = (script(300), Follower::new(script(300)));
        for ordinal in ordinals {
            let mut step = writer.step(1, *ordinal, Timestamp::from_micros(1_790_000_000_123_456));
            change(&mut step);
            let at = follower.see(&step, &mut received);
            assert_eq!(at, Timestamp::from_micros(1_790_000_000_123_456));
        }
        received
    }

    #[test]
    fn every_dossier_gets_its_steps_in_order_and_all_are_different() {
        let all: Vec<u64> = (0..900).collect();
        let received = follow(&all, |_| ());
        assert_eq!((received.from[1], received.faults.count), ((900, 900), 0), "{:?}", received.faults);
        let steps = script(300).steps;
        let dossiers: std::collections::HashSet<_> = (0..50).map(|ordinal| steps.place(ordinal)).collect();
        assert!(dossiers.len() == 50 && dossiers.iter().all(|(dossier, step)| *dossier < 50 && *step == 1));
    }

    #[test]
    fn a_step_has_the_size_it_is_to_have() {
        for size in [200, 250, 300, 1_000] {
            let sizes =
                (0..900).map(|n| script(size).step(0, n, Timestamp::from_micros(n as i64)).encoded_len());
            assert!(sizes.into_iter().all(|found| found.abs_diff(size) <= 1), "{size}");
        }
    }

    #[test]
    fn what_is_wrong_is_a_fault() {
        assert_eq!(follow(&[0, 0], |_| ()).duplicates, 1);
        assert_eq!(follow(&[0, 50, 99], |_| ()).faults.count, 2, "two second steps without the first");
        assert_eq!(follow(&[0], |step| step.note.replace_range(0..1, "é")).altered, 1);
        assert_eq!(follow(&[0], |step| step.status = 2).altered, 1);
        assert_eq!(follow(&[0], |step| step.dossier_code = "H50-20250101-1".to_owned()).foreign, 1);
    }
}
