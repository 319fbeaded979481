//! The same steps, sent as the open-source one-stop system sends them: one pending entry a dossier, the dossier as it is when it is sent, at
//! each sending round; after ten tries the entry is given up.

use std::fmt;

use crate::plan::{Outage, Plan, Planned, owners};

/// Between two rounds, seconds.
const ROUND_S: u32 = 45;
/// Rounds in which an entry is tried.
const TRIES: u32 = 10;

/// What becomes of steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub steps: usize,
    /// Never sent: a newer state had taken the place of this one.
    pub overwritten: usize,
    /// Tried ten times, and given up.
    pub given_up: usize,
    /// Dossiers of which the receiver never learns some step.
    pub dossiers_hurt: usize,
}

impl Outcome {
    /// Steps that never arrive.
    pub fn lost(&self) -> usize {
        self.overwritten + self.given_up
    }
}

enum Fate {
    Arrives,
    Overwritten,
    GivenUp,
}

/// Sends all steps of these dossiers.
pub fn send(dossiers: &[Planned], outages: &[Outage]) -> Outcome {
    let mut outcome = Outcome::default();
    for dossier in dossiers {
        let lost = outcome.lost();
        for (place, step) in dossier.steps.iter().enumerate() {
            outcome.steps += 1;
            match fate(step.at_s, dossier.steps.get(place + 1).map(|next| next.at_s), outages) {
                Fate::Arrives => {}
                Fate::Overwritten => outcome.overwritten += 1,
                Fate::GivenUp => outcome.given_up += 1,
            }
        }
        outcome.dossiers_hurt += usize::from(outcome.lost() > lost);
    }
    outcome
}

/// A new state has ten tries of its own, which is kind to the baseline.
fn fate(at_s: u32, next_at_s: Option<u32>, outages: &[Outage]) -> Fate {
    let first = (at_s / ROUND_S + 1) * ROUND_S;
    for round in (0..TRIES).map(|number| first + number * ROUND_S) {
        if next_at_s.is_some_and(|next| next <= round) {
            return Fate::Overwritten;
        }
        if !outages.iter().any(|outage| (outage.at_s..outage.at_s + outage.lasts_s).contains(&round)) {
            return Fate::Arrives;
        }
    }
    Fate::GivenUp
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |part: usize| 100.0 * part as f64 / self.steps as f64;
        let Self { overwritten, given_up, dossiers_hurt, .. } = *self;
        let lost = self.lost();
        write!(
            f,
            "{} | {overwritten} | {given_up} | {lost} ({:.1} %) | {dossiers_hurt}",
            self.steps,
            percent(lost)
        )
    }
}

/// The rows of the table in the docs: the scenario's plan, without outages, and with fewer and more steps in quick succession.
pub fn table(plan: Plan, outages: u32) -> Vec<String> {
    let owners = owners();
    let away = plan.outages(outages);
    let away_s: u32 = away.iter().map(|outage| outage.lasts_s).sum();
    let available = 100.0 * (1.0 - f64::from(away_s) / f64::from(crate::plan::PERIOD_S));
    let row = |quick_percent, outages: &[Outage], available: f64| {
        let outcome = send(&Plan { quick_percent, ..plan }.all(&owners), outages);
        format!("| {quick_percent} % | {available:.1} % | {outcome} |")
    };
    [(plan.quick_percent, true), (plan.quick_percent, false), (10, true), (50, true)]
        .map(|(quick, is_away)| if is_away { row(quick, &away, available) } else { row(quick, &[], 100.0) })
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(moments: &[u32], outages: &[Outage]) -> (usize, usize) {
        let plan = Plan { seed: 1, dossiers: 2, quick_percent: 0 };
        let mut dossier = plan.all(&owners()).swap_remove(0);
        let step = dossier.steps[0];
        dossier.steps = moments.iter().map(|at_s| crate::plan::Step { at_s: *at_s, ..step }).collect();
        let outcome = send(&[dossier], outages);
        (outcome.overwritten, outcome.given_up)
    }

    #[test]
    fn what_is_not_sent_before_the_next_state_is_lost() {
        assert_eq!(fates(&[10, 46, 91], &[]), (0, 0));
        assert_eq!(fates(&[10, 20, 30, 91], &[]), (2, 0));
        // While nobody receives, the last state waits alone.
        let short = [Outage { at_s: 40, lasts_s: 200 }];
        assert_eq!(fates(&[10, 46, 91, 400], &short), (2, 0));
        let long = [Outage { at_s: 40, lasts_s: 10 * ROUND_S }];
        assert_eq!(fates(&[10, 600], &long), (0, 1));
        assert_eq!(fates(&[60, 600], &long), (0, 0));
    }

    /// The figures of `docs/dossiers.md` are those of the plan.
    #[test]
    fn the_figures_in_the_docs_are_measured() {
        let plan = Plan { dossiers: crate::DOSSIERS, seed: crate::SEED, quick_percent: crate::QUICK_PERCENT };
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/dossiers.md");
        let docs = std::fs::read_to_string(file).unwrap();
        let table = table(plan, crate::OUTAGES);
        crate::say(&format!("newest state only:\n{}", table.join("\n")));
        for row in table {
            assert!(docs.contains(&row), "docs/dossiers.md has no row\n{row}");
        }
    }
}
