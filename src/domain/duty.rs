//! The duty to acknowledge a document on the working day it came: until when, whether it was met, and whether it was noted that it was not.

use super::delivery::State;
use super::status::StatusCode;
use super::time::Timestamp;

/// What counts as acknowledging a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AcknowledgedBy {
    /// That it was settled as delivered or rejected, or that its recipient reported any status.
    #[default]
    Delivery,
    /// That it was registered or refused: status 02, 03 or what follows it, or settled as rejected.
    Registration,
}

impl AcknowledgedBy {
    /// Whether a delivery that came to this state is acknowledged by it.
    pub fn is_met_by_state(self, state: State) -> bool {
        match self {
            Self::Delivery => matches!(state, State::Delivered | State::Rejected),
            Self::Registration => state == State::Rejected,
        }
    }

    /// Whether a delivery of which this status was reported is acknowledged by it.
    pub fn is_met_by_status(self, status: StatusCode) -> bool {
        match status {
            // The sender's word.
            StatusCode::RecallAsked => false,
            StatusCode::Arrived | StatusCode::ChangeAgreed | StatusCode::ChangeRefused => {
                self == Self::Delivery
            }
            StatusCode::Refused
            | StatusCode::Accepted
            | StatusCode::Assigned
            | StatusCode::InProcess
            | StatusCode::Done => true,
        }
    }
}

/// The duty of one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duty {
    /// Until when it is to be acknowledged.
    pub acknowledge_by: Timestamp,
    /// When it was.
    pub acknowledged_at: Option<Timestamp>,
    /// When it was noted that it had not been in time.
    pub overdue_at: Option<Timestamp>,
}

impl Duty {
    /// Of a delivery just accepted.
    pub fn until(acknowledge_by: Timestamp) -> Self {
        Self { acknowledge_by, acknowledged_at: None, overdue_at: None }
    }

    /// It is acknowledged; the first time counts.
    pub fn acknowledged(self, at: Timestamp) -> Self {
        Self { acknowledged_at: self.acknowledged_at.or(Some(at)), ..self }
    }

    /// Whether it is to be noted now as overdue: once, where the duty stood when its time came and was not met by then. What had ended
    /// before - recalled, redirected, expired - was owed no more.
    pub fn is_to_be_noted(&self, ended_at: Option<Timestamp>, at: Timestamp) -> bool {
        let late = |done: Option<Timestamp>| done.is_none_or(|done| done > self.acknowledge_by);
        self.overdue_at.is_none() && at >= self.acknowledge_by && late(self.acknowledged_at) && late(ended_at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn t(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds)
    }

    #[test]
    fn what_counts_as_acknowledging() {
        use AcknowledgedBy::{Delivery, Registration};
        let states = |by: AcknowledgedBy| {
            State::ALL.into_iter().filter(|state| by.is_met_by_state(*state)).collect::<Vec<_>>()
        };
        assert_eq!(states(Delivery), [State::Delivered, State::Rejected]);
        assert_eq!(states(Registration), [State::Rejected]);
        let not = |by: AcknowledgedBy| {
            let not = StatusCode::ALL.into_iter().filter(|code| !by.is_met_by_status(*code));
            not.map(StatusCode::as_str).collect::<Vec<_>>()
        };
        assert_eq!(not(Delivery), ["13"]);
        assert_eq!(not(Registration), ["01", "13", "15", "16"]);
    }

    #[test]
    fn late_is_noted_once_whatever_came_after() {
        let duty = Duty::until(t(100));
        assert!(!duty.is_to_be_noted(None, t(99)), "not yet");
        assert!(duty.is_to_be_noted(None, t(100)));
        assert!(!duty.acknowledged(t(100)).is_to_be_noted(Some(t(100)), t(500)), "in time");
        assert!(duty.acknowledged(t(101)).is_to_be_noted(Some(t(101)), t(500)), "too late");
        assert!(!duty.is_to_be_noted(Some(t(80)), t(500)), "recalled before");
        assert!(duty.is_to_be_noted(Some(t(300)), t(500)), "expired after");
        let noted = Duty { overdue_at: Some(t(500)), ..duty };
        assert!(!noted.is_to_be_noted(None, t(501)));
        assert_eq!(duty.acknowledged(t(7)).acknowledged(t(9)).acknowledged_at, Some(t(7)));
    }

    proptest! {
        /// Whenever it is looked: a duty that was met in time is never noted, one that was not is noted exactly once.
        #[test]
        fn noted_exactly_when_it_was_not_met(
            acknowledged in proptest::option::of(0i64..200),
            looks in proptest::collection::vec(0i64..300, 1..20),
        ) {
            let mut duty = Duty::until(t(100));
            let mut looks = looks;
            looks.sort_unstable();
            looks.push(400);
            let mut noted = 0;
            for look in looks {
                if let Some(at) = acknowledged.filter(|at| *at <= look) {
                    duty = duty.acknowledged(t(at));
                }
                if duty.is_to_be_noted(None, t(look)) {
                    duty.overdue_at = Some(t(look));
                    noted += 1;
                }
            }
            prop_assert_eq!(noted, i32::from(acknowledged.is_none_or(|at| at > 100)));
        }
    }
}
