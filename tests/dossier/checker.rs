//! Proves from the journals alone that what a subscriber was shown is what the owners have published: every step, its content, in order.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use crate::mark::Mark;
use crate::plan::Planned;

#[cfg(test)]
mod tests;

/// Violations that are told; the others are counted.
const TOLD: usize = 20;

/// What the owners have published, as they were answered.
#[derive(Default)]
pub struct Books {
    dossiers: HashMap<String, BTreeMap<u32, Told>>,
    pub counts: Answers,
    pub violations: Vec<String>,
}

/// What an owner was told of a step.
#[derive(Clone, Copy)]
struct Told {
    digest: u64,
    /// 0 while it was only told that the step is held.
    position: u64,
}

/// What owners were answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answers {
    pub steps: usize,
    /// Answers that said the step had been published before.
    pub repeated: usize,
    /// Answers that said the step is held.
    pub held: usize,
}

impl Books {
    /// Enters what an owner was told.
    pub fn enter(&mut self, mark: &Mark) {
        self.counts.repeated += usize::from(mark.is_repeated);
        self.counts.held += usize::from(mark.position == 0);
        let steps = self.dossiers.entry(mark.code.clone()).or_default();
        let told = steps.entry(mark.step).or_insert_with(|| {
            self.counts.steps += 1;
            Told { digest: mark.digest, position: 0 }
        });
        if told.digest != mark.digest {
            self.violations.push(format!("{mark}: its owner has sent two contents"));
        }
        if mark.position > 0 && ![0, mark.position].contains(&told.position) {
            self.violations.push(format!("{mark}: its owner was told position {} before", told.position));
        }
        told.position = told.position.max(mark.position);
    }

    /// Compares with what was to be published.
    pub fn check(&mut self, plan: &[Planned]) {
        for dossier in plan {
            let numbers =
                self.dossiers.get(&dossier.code).map(|steps| steps.keys().copied().collect::<Vec<_>>());
            let planned: Vec<_> = dossier.steps.iter().map(|step| step.number).collect();
            if numbers.as_ref() != Some(&planned) {
                self.violations.push(format!("{}: answered were {numbers:?} of {planned:?}", dossier.code));
            }
        }
        if self.dossiers.len() != plan.len() {
            self.violations.push(format!(
                "{} dossiers answered, {} planned",
                self.dossiers.len(),
                plan.len()
            ));
        }
    }
}

/// How often a subscriber may be shown a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Once: it keeps its own cursor with what it was shown.
    Once,
    /// Again after it was cut off: the gateway keeps its place.
    AtLeastOnce,
}

/// What a subscriber's picture comes to.
#[derive(Debug, Default)]
pub struct Verdict {
    pub counts: Counts,
    pub violations: Vec<String>,
}

/// What there was in a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub dossiers: usize,
    /// Dossiers shown in the order of their steps throughout.
    pub in_order: usize,
    /// Steps equal to the owner's.
    pub equal: usize,
    /// Steps shown with a gap before them.
    pub gaps: usize,
    /// Steps shown after later ones, and said to be.
    pub late: usize,
    /// Steps shown again.
    pub repeated: usize,
}

/// How far a subscriber is with a dossier.
#[derive(Default)]
struct Progress {
    seen: HashSet<u32>,
    highest: u32,
    is_out_of_order: bool,
}

/// Compares a picture with the books: every wanted dossier, every step, nothing else.
pub fn check(
    books: &Books,
    wanted: impl Fn(&str) -> bool,
    shown: impl Iterator<Item = Mark>,
    manner: Manner,
) -> Verdict {
    let mut verdict = Verdict::default();
    let mut progress: HashMap<String, Progress> = HashMap::new();
    let mut last = 0;
    for mark in shown {
        if let Err(why) = books.judge(&mark, &wanted) {
            verdict.violations.push(format!("{mark}: {why}"));
            continue;
        }
        if !progress.contains_key(&mark.code) {
            progress.insert(mark.code.clone(), Progress::default());
        }
        let dossier = progress.get_mut(&mark.code).expect("it has just been put in");
        if !dossier.seen.insert(mark.step) {
            verdict.counts.repeated += 1;
            if manner == Manner::Once {
                verdict.violations.push(format!("{mark}: shown again"));
            }
            continue;
        }
        if mark.position <= last {
            verdict.violations.push(format!("{mark}: shown after position {last}"));
        }
        last = mark.position;
        verdict.counts.equal += 1;
        verdict.follow(dossier, &mark);
    }
    verdict.counts.dossiers = progress.len();
    verdict.counts.in_order = progress.values().filter(|dossier| !dossier.is_out_of_order).count();
    for (code, steps) in books.dossiers.iter().filter(|(code, _)| wanted(code)) {
        let seen = |step: &u32| progress.get(code).is_some_and(|dossier| dossier.seen.contains(step));
        let missing: Vec<_> = steps.keys().filter(|step| !seen(step)).collect();
        if !missing.is_empty() {
            verdict.violations.push(format!("{code}: steps {missing:?} were never shown"));
        }
    }
    verdict
}

impl Books {
    fn judge(&self, mark: &Mark, wanted: impl Fn(&str) -> bool) -> Result<(), &'static str> {
        let told = self.dossiers.get(&mark.code).and_then(|steps| steps.get(&mark.step));
        let told = told.ok_or("nobody has published it")?;
        match () {
            () if !wanted(&mark.code) => Err("it is not for this subscriber"),
            () if told.digest != mark.digest => Err("its content is not its owner's"),
            () if ![0, mark.position].contains(&told.position) => Err("its owner was told another position"),
            () => Ok(()),
        }
    }
}

impl Verdict {
    /// Judges the place of a step that is shown for the first time.
    fn follow(&mut self, dossier: &mut Progress, mark: &Mark) {
        let expected = dossier.highest + 1;
        let (is_late, has_gap) = (mark.step < expected, mark.step > expected);
        if mark.is_late != is_late {
            self.violations.push(format!("{mark}: after step {}, late: {}", dossier.highest, mark.is_late));
        }
        let gap_from = if has_gap { expected } else { 0 };
        if mark.missing_from != gap_from {
            self.violations
                .push(format!("{mark}: after step {}, gap from {}", dossier.highest, mark.missing_from));
        }
        self.counts.late += usize::from(is_late);
        self.counts.gaps += usize::from(has_gap);
        dossier.is_out_of_order |= is_late;
        dossier.highest = dossier.highest.max(mark.step);
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dossiers, in_order, equal, gaps, late, repeated } = self;
        write!(
            f,
            "{dossiers} dossiers, {equal} steps equal to the owner's, {in_order} dossiers in order throughout, \
             {gaps} gaps seen, {late} steps late, {repeated} repeated"
        )
    }
}

/// Violations, so many as can be read.
pub fn told(violations: &[String]) -> String {
    let first: Vec<_> = violations.iter().take(TOLD).map(String::as_str).collect();
    format!("{} violations:\n{}", violations.len(), first.join("\n"))
}
