//! Values of dossiers as the contract writes them, and back.

mod content;

pub use content::{NotAStep, content};

use super::v1;
use crate::domain::dossier::{DossierStatus, Flags};

/// A status.
pub fn status(status: DossierStatus) -> v1::DossierStatus {
    match status {
        DossierStatus::Registered => v1::DossierStatus::Registered,
        DossierStatus::Accepted => v1::DossierStatus::Accepted,
        DossierStatus::Refused => v1::DossierStatus::Refused,
        DossierStatus::InProcess => v1::DossierStatus::InProcess,
        DossierStatus::SupplementRequired => v1::DossierStatus::SupplementRequired,
        DossierStatus::PaymentRequired => v1::DossierStatus::PaymentRequired,
        DossierStatus::WithdrawalRequested => v1::DossierStatus::WithdrawalRequested,
        DossierStatus::Stopped => v1::DossierStatus::Stopped,
        DossierStatus::Processed => v1::DossierStatus::Processed,
        DossierStatus::Returned => v1::DossierStatus::Returned,
    }
}

/// A status given by a caller; none when the number is none of the ten.
pub fn status_of(number: i32) -> Option<DossierStatus> {
    DossierStatus::from_number(u32::try_from(number).ok()?)
}

/// What is peculiar about a step.
pub fn flags(flags: Flags) -> Vec<i32> {
    let all = Flags::ALL.into_iter().filter(|flag| flags.has(*flag));
    all.map(|flag| flag_of(flag).into()).collect()
}

fn flag_of(flag: Flags) -> v1::StepFlag {
    match flag {
        Flags::UNUSUAL => v1::StepFlag::Unusual,
        Flags::AFTER_GAP => v1::StepFlag::AfterGap,
        Flags::LATE => v1::StepFlag::Late,
        Flags::UNMAPPED => v1::StepFlag::Unmapped,
        Flags::TIME_BACK => v1::StepFlag::TimeBack,
        _ => v1::StepFlag::Unspecified,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_have_the_portals_numbers_and_flags_names() {
        for known in DossierStatus::ALL {
            assert_eq!(status_of(status(known).into()), Some(known));
            assert_eq!(i32::from(status(known)), i32::from(known.number()));
        }
        assert_eq!([status_of(0), status_of(11), status_of(-1)], [None; 3]);
        let all = Flags::ALL.into_iter().fold(Flags::default(), Flags::with);
        assert_eq!(flags(all), [1, 2, 3, 4, 5]);
        assert_eq!(flags(Flags::LATE), [i32::from(v1::StepFlag::Late)]);
    }
}
