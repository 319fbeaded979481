//! What a directory does to the mail that waits: for an operator who plans a change.

use time::Date;

use super::{Ambiguity, Directory, Resolution};
use crate::domain::organ_id::OrganId;

/// How much of a mailbox is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Whose.
    pub organ: OrganId,
    /// Ready, or waiting for another attempt.
    pub waiting: u64,
    /// Those that cannot go on by themselves.
    pub dead: u64,
    /// Held by somebody.
    pub in_flight: u64,
}

/// What becomes of the mail of one closed organ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// The closed organ.
    pub organ: OrganId,
    /// The day it happens, today or later.
    pub day: Date,
    /// Where its mail goes; none when it goes nowhere.
    pub to: Option<OrganId>,
    /// Where several organs could get it: those.
    pub candidates: Vec<OrganId>,
    /// Why it is closed.
    pub legal_basis: String,
    /// How many deliveries are moved, or end dead where they go nowhere.
    pub deliveries: u64,
    /// How many follow when they come back.
    pub in_flight: u64,
}

impl Directory {
    /// What becomes of this mail: one entry for each organ that is closed or will be and has any, in the order of the ids.
    pub fn forecast(&self, mail: &[Mail], today: Date, rule: Ambiguity) -> Vec<Forecast> {
        let mut forecasts: Vec<_> =
            mail.iter().filter_map(|mail| self.forecast_one(mail, today, rule)).collect();
        forecasts.sort_by(|a, b| a.organ.cmp(&b.organ));
        forecasts
    }

    fn forecast_one(&self, mail: &Mail, today: Date, rule: Ambiguity) -> Option<Forecast> {
        let day = self.get(&mail.organ)?.close_date?.max(today);
        let resolution = self.resolve(&mail.organ, day);
        let to = resolution.destination(rule).map(|organ| organ.id.clone());
        // The dead have a new chance at another organ; they cannot die again.
        let deliveries = if to.is_some() { mail.waiting + mail.dead } else { mail.waiting };
        let legal_basis = resolution.legal_basis().to_owned();
        let candidates = match resolution {
            Resolution::Ambiguous { candidates, .. } => {
                candidates.into_iter().map(|organ| organ.id.clone()).collect()
            }
            _ => Vec::new(),
        };
        let Mail { organ, in_flight, .. } = mail.clone();
        (deliveries + in_flight > 0).then_some(Forecast {
            organ,
            day,
            to,
            candidates,
            legal_basis,
            deliveries,
            in_flight,
        })
    }
}
