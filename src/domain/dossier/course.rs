//! The course of one dossier: which steps are known, which of them subscribers have been shown, and what a further one does.
//!
//! Subscribers are shown the steps in order. A step that comes before its predecessors is held until they come, or until its time is up
//! and it is released with a gap before it. A predecessor that comes after that is shown at once, flagged late.

use super::super::limits::{DOSSIER_GAP_STEPS_MAX, DOSSIER_STEPS_MAX};
use super::super::time::Timestamp;
use super::{DossierStatus, Fingerprint, Flags};

/// What the course keeps of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its number.
    pub number: u32,
    /// Its status; none where it is a code no map knows.
    pub status: Option<DossierStatus>,
    /// When it came about.
    pub occurred_at: Timestamp,
    /// By which a repeat is known.
    pub fingerprint: Fingerprint,
    /// What is peculiar about it.
    pub flags: Flags,
    /// Where it stands in the log; none while it is held.
    pub position: Option<u64>,
}

/// A step that is offered to a course.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its number.
    pub number: u32,
    /// Its status; none where it is a code no map knows.
    pub status: Option<DossierStatus>,
    /// When it came about.
    pub occurred_at: Timestamp,
    /// By which a repeat is known.
    pub fingerprint: Fingerprint,
}

/// What became of an offered step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// It had been taken before; nothing has changed.
    pub repeated: bool,
    /// What is peculiar about it.
    pub flags: Flags,
    /// The steps that are shown now, in order; not this one while it is held.
    pub shown: Vec<u32>,
    /// Steps before it that have not come.
    pub missing: Vec<u32>,
}

/// Why a step is not possible. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepRefused {
    /// The number is not one.
    #[error("step {0} is not a number from 1 to {DOSSIER_STEPS_MAX}")]
    Number(u32),
    /// There is such a step, with other content.
    #[error("step {number} was published before with other content")]
    Conflict {
        /// The step.
        number: u32,
        /// Its status then.
        status: Option<DossierStatus>,
    },
    /// The dossier has ended before it.
    #[error(
        "the dossier ended with step {end}, by which the result was returned; step {number} cannot follow"
    )]
    Ended {
        /// The step.
        number: u32,
        /// The last step.
        end: u32,
    },
    /// The status is that of a dossier which has only begun, and it has got further.
    #[error("step {number} goes back to \"registered\"; step {before} had got further")]
    BackToStart {
        /// The step.
        number: u32,
        /// The step before it.
        before: u32,
    },
    /// It would end the dossier before steps that have been published.
    #[error("step {number} ends the dossier, but step {later} comes after it")]
    EndTooEarly {
        /// The step.
        number: u32,
        /// A step after it.
        later: u32,
    },
    /// Too many steps before it have not come.
    #[error(
        "step {number} is more than {DOSSIER_GAP_STEPS_MAX} steps ahead of step {shown}, the last that was shown"
    )]
    TooFar {
        /// The step.
        number: u32,
        /// The last step shown in order.
        shown: u32,
    },
}

/// What is known of a dossier's steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Course {
    marks: Vec<Mark>,
    shown: u32,
}

impl Course {
    /// As it was kept: the marks, and the highest number that was shown in order.
    pub fn of(mut marks: Vec<Mark>, shown: u32) -> Self {
        marks.sort_by_key(|mark| mark.number);
        Self { marks, shown }
    }

    /// The steps known, by their numbers.
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// The highest number shown in order.
    pub fn shown(&self) -> u32 {
        self.shown
    }

    /// The last step known.
    pub fn last(&self) -> Option<&Mark> {
        self.marks.last()
    }

    /// The status the dossier has: that of the last step whose status is known.
    pub fn status(&self) -> Option<DossierStatus> {
        self.marks.iter().rev().find_map(|mark| mark.status)
    }

    /// Whether some steps wait for others.
    pub fn is_holding(&self) -> bool {
        self.last().is_some_and(|mark| mark.number > self.shown)
    }

    /// The numbers below the last step's that have not come.
    pub fn missing(&self) -> Vec<u32> {
        self.missing_before(self.last().map_or(0, |mark| mark.number))
    }

    /// Takes a step, or says why it is not possible. The steps that are shown by it are to be placed with [`Course::place`].
    pub fn take(&mut self, offer: &Offer) -> Result<Taken, StepRefused> {
        let Offer { number, status, .. } = *offer;
        if !(1..=DOSSIER_STEPS_MAX).contains(&number) {
            return Err(StepRefused::Number(number));
        }
        let place = match self.marks.binary_search_by_key(&number, |mark| mark.number) {
            Ok(place) => return self.again(place, offer),
            Err(place) => place,
        };
        self.check(offer, place)?;
        let before = place.checked_sub(1).map(|before| &self.marks[before]);
        let is_late = number < self.shown;
        let flags = Flags::when(is_unusual(before, number, status), Flags::UNUSUAL)
            .with(Flags::when(is_late, Flags::LATE))
            .with(Flags::when(status.is_none(), Flags::UNMAPPED))
            .with(Flags::when(before.is_some_and(|b| offer.occurred_at < b.occurred_at), Flags::TIME_BACK));
        let mark = Mark {
            number,
            status,
            occurred_at: offer.occurred_at,
            fingerprint: offer.fingerprint,
            flags,
            position: None,
        };
        self.marks.insert(place, mark);
        let shown = if is_late { vec![number] } else { self.go_on() };
        Ok(Taken { repeated: false, flags, shown, missing: self.missing_before(number) })
    }

    /// Shows the held steps up to this number, with gaps before those whose predecessors have not come, and those that follow.
    /// Gives the numbers, in order.
    pub fn release(&mut self, up_to: u32) -> Vec<u32> {
        let mut released = Vec::new();
        while let Some(number) = self.first_held().filter(|number| *number <= up_to) {
            if number > self.shown + 1 {
                let mark = self.mark_mut(number).expect("it was found a moment ago");
                mark.flags = mark.flags.with(Flags::AFTER_GAP);
            }
            self.shown = number;
            released.push(number);
            released.extend(self.go_on());
        }
        released
    }

    /// Records where a step stands in the log.
    pub fn place(&mut self, number: u32, position: u64) {
        if let Some(mark) = self.mark_mut(number) {
            mark.position = Some(position);
        }
    }

    /// What is known of a step.
    pub fn mark(&self, number: u32) -> Option<&Mark> {
        let place = self.marks.binary_search_by_key(&number, |mark| mark.number).ok()?;
        self.marks.get(place)
    }

    /// The first of the numbers right before this one that have not come; this one where there are none.
    pub fn gap_from(&self, number: u32) -> u32 {
        let place = self.marks.partition_point(|mark| mark.number < number);
        place.checked_sub(1).map_or(1, |before| self.marks[before].number + 1)
    }

    fn mark_mut(&mut self, number: u32) -> Option<&mut Mark> {
        let place = self.marks.binary_search_by_key(&number, |mark| mark.number).ok()?;
        self.marks.get_mut(place)
    }

    fn again(&self, place: usize, offer: &Offer) -> Result<Taken, StepRefused> {
        let known = &self.marks[place];
        if known.fingerprint != offer.fingerprint {
            return Err(StepRefused::Conflict { number: known.number, status: known.status });
        }
        let missing = self.missing_before(known.number);
        Ok(Taken { repeated: true, flags: known.flags, shown: Vec::new(), missing })
    }

    fn check(&self, offer: &Offer, place: usize) -> Result<(), StepRefused> {
        let Offer { number, status, .. } = *offer;
        let (earlier, later) = self.marks.split_at(place);
        if let Some(end) = earlier.last().filter(|mark| mark.status == Some(DossierStatus::Returned)) {
            return Err(StepRefused::Ended { number, end: end.number });
        }
        if status == Some(DossierStatus::Returned)
            && let Some(later) = later.first()
        {
            return Err(StepRefused::EndTooEarly { number, later: later.number });
        }
        let further = |mark: &&Mark| mark.status.is_some_and(|status| status != DossierStatus::Registered);
        if status == Some(DossierStatus::Registered)
            && let Some(before) = earlier.iter().rev().find(further)
        {
            return Err(StepRefused::BackToStart { number, before: before.number });
        }
        if number > self.shown + DOSSIER_GAP_STEPS_MAX {
            return Err(StepRefused::TooFar { number, shown: self.shown });
        }
        Ok(())
    }

    /// Shows what follows the last shown without a gap.
    fn go_on(&mut self) -> Vec<u32> {
        let start = self.marks.partition_point(|mark| mark.number <= self.shown);
        let mut shown = Vec::new();
        for mark in &self.marks[start..] {
            if mark.number != self.shown + 1 {
                break;
            }
            self.shown = mark.number;
            shown.push(mark.number);
        }
        shown
    }

    /// The number of the first held step.
    fn first_held(&self) -> Option<u32> {
        let place = self.marks.partition_point(|mark| mark.number <= self.shown);
        self.marks.get(place).map(|mark| mark.number)
    }

    /// Numbers below this one that have not come, from the first.
    fn missing_before(&self, number: u32) -> Vec<u32> {
        let mut known = self.marks.iter().map(|mark| mark.number).peekable();
        let mut missing = Vec::new();
        for wanted in 1..number {
            while known.next_if(|known| *known < wanted).is_some() {}
            if known.next_if_eq(&wanted).is_none() {
                missing.push(wanted);
            }
        }
        missing
    }
}

/// Whether the status does not usually come there. Said only of a step whose predecessor is known, with its status.
fn is_unusual(before: Option<&Mark>, number: u32, status: Option<DossierStatus>) -> bool {
    let Some(status) = status else { return false };
    match before {
        None => number == 1 && !status.usually_first(),
        Some(before) if before.number + 1 == number => {
            before.status.is_some_and(|before| !before.usually_before().contains(&status))
        }
        Some(_) => false,
    }
}
