//! Whose turn it is among the lanes of a mailbox: the most urgent lane in which something waits, but none is passed over for ever.

use std::num::NonZeroU32;

use super::message::Lane;

/// The turns of one mailbox. A lane in which something waits gives one delivery after at most `urgent_run_max` and three more of more
/// urgent lanes: the three are of other lanes that have been passed over as long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turns {
    urgent_run_max: NonZeroU32,
    // Of each lane how many deliveries of more urgent ones went while something waited in it.
    passed: [u32; Lane::ALL.len()],
}

impl Turns {
    /// The deliveries of more urgent lanes after which a lane has its turn, where nothing else is said.
    pub const URGENT_RUN_MAX: NonZeroU32 = NonZeroU32::new(16).expect("it is not zero");

    /// Of a mailbox from which nothing was handed over.
    pub fn new(urgent_run_max: NonZeroU32) -> Self {
        Self { urgent_run_max, passed: Default::default() }
    }

    /// The lane that is next among those in which something waits.
    pub fn next(&self, waits: impl Fn(Lane) -> bool) -> Option<Lane> {
        let mut next: Option<Lane> = None;
        for lane in Lane::ALL.into_iter().filter(|lane| waits(*lane)) {
            let passed = self.passed[lane.place()];
            let owed = passed >= self.urgent_run_max.get();
            match next {
                None => next = Some(lane),
                Some(other) if owed && passed > self.passed[other.place()] => next = Some(lane),
                Some(_) => {}
            }
        }
        next
    }

    /// A delivery of a lane was handed over, while something waited in others.
    pub fn handed(&mut self, lane: Lane, waits: impl Fn(Lane) -> bool) {
        self.passed[lane.place()] = 0;
        for lower in &Lane::ALL[lane.place() + 1..] {
            let passed = &mut self.passed[lower.place()];
            *passed = if waits(*lower) { passed.saturating_add(1) } else { 0 };
        }
    }

    /// True when a lane was passed over that has not had its turn since.
    pub fn is_owed(&self) -> bool {
        self.passed.iter().any(|passed| *passed > 0)
    }
}

impl Default for Turns {
    fn default() -> Self {
        Self::new(Self::URGENT_RUN_MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn turns(urgent_run_max: u32) -> Turns {
        Turns::new(NonZeroU32::new(urgent_run_max).unwrap())
    }

    /// Hands over so many of what waits, of which nothing comes after.
    fn order(mut turns: Turns, mut waiting: [usize; 5], count: usize) -> Vec<Lane> {
        let mut order = Vec::new();
        while order.len() < count
            && let Some(lane) = turns.next(|lane| waiting[lane.place()] > 0)
        {
            waiting[lane.place()] -= 1;
            turns.handed(lane, |lane| waiting[lane.place()] > 0);
            order.push(lane);
        }
        order
    }

    #[test]
    fn the_most_urgent_first_as_long_as_it_is_not_many() {
        let order = order(Turns::default(), [3, 2, 4, 3, 9], 99);
        assert!(order.is_sorted(), "{order:?}");
        assert_eq!(order.len(), 21);
    }

    #[test]
    fn each_that_was_passed_over_gives_one() {
        use Lane::{Express, Normal, TimedExpress, Urgent};
        let order = order(turns(3), [9, 1, 0, 9, 9], 14);
        let run = [TimedExpress; 3];
        let expected = [&run[..], &[Express, Urgent, Normal], &run[..], &[Urgent, Normal], &run[..]].concat();
        assert_eq!(order, expected);
    }

    #[test]
    fn what_waits_no_more_is_owed_nothing() {
        let mut turns = turns(2);
        turns.handed(Lane::Express, |lane| lane == Lane::Normal);
        assert!(turns.is_owed());
        turns.handed(Lane::Express, |_| false);
        assert!(!turns.is_owed());
    }

    proptest! {
        /// Whatever comes when: nothing waits for more than it may, a lower lane goes only when it is owed, and all goes.
        #[test]
        fn nothing_waits_for_ever(
            urgent_run_max in 1u32..6,
            steps in proptest::collection::vec((0usize..8, 1usize..9), 1..200),
        ) {
            let mut turns = turns(urgent_run_max);
            let mut waiting = [0usize; 5];
            let mut passed = [0u32; 5];
            for (what, count) in steps {
                if let Some(lane) = waiting.get_mut(what) {
                    *lane += count;
                    continue;
                }
                for _ in 0..count {
                    let waits = |lane: Lane| waiting[lane.place()] > 0;
                    let Some(lane) = turns.next(waits) else {
                        prop_assert_eq!(waiting, [0; 5]);
                        break;
                    };
                    prop_assert!(waits(lane));
                    let first = Lane::ALL.into_iter().find(|lane| waits(*lane)).unwrap();
                    prop_assert!(lane == first || passed[lane.place()] >= urgent_run_max);
                    waiting[lane.place()] -= 1;
                    turns.handed(lane, |lane| waiting[lane.place()] > 0);
                    passed[lane.place()] = 0;
                    for lower in lane.place() + 1..5 {
                        passed[lower] = if waiting[lower] > 0 { passed[lower] + 1 } else { 0 };
                        prop_assert!(passed[lower] <= urgent_run_max + 3);
                    }
                }
            }
        }
    }
}
