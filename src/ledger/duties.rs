//! The duty to acknowledge, as it is asked of a ledger and answered.

use crate::domain::calendar::Day;
use crate::domain::delivery::DeliveryId;
use crate::domain::organ_id::OrganId;

/// Whose overdue deliveries are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OverdueOf {
    /// Those an organ is to acknowledge.
    Recipient(OrganId),
    /// Those of what an organ sent.
    Sender(OrganId),
    /// All.
    Everybody,
}

/// What the overdue ones of a duty span lie between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DutyBounds {
    /// The first delivery that is to be acknowledged later.
    pub first_later: Option<DeliveryId>,
    /// The last delivery there is.
    pub last: Option<DeliveryId>,
}

/// How an organ has met its duty on one working day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DutyDay {
    /// The day.
    pub day: Day,
    /// Deliveries that were to be acknowledged by its end.
    pub due: u64,
    /// Those among them that were not.
    pub overdue: u64,
}

/// How an organ meets its duty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DutyFigures {
    /// The organ.
    pub organ: OrganId,
    /// Deliveries that were to be acknowledged, on all days that have ended.
    pub due: u64,
    /// Those among them that were not in time.
    pub overdue: u64,
    /// Those that still are not, and are open.
    pub overdue_now: u64,
    /// The days that were asked for, in order; those on which nothing was due are left out.
    pub days: Vec<DutyDay>,
}
