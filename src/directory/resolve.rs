//! Where a document to an organ id goes on a given day.

use std::collections::HashSet;

use time::Date;

use super::{Directory, Organ};
use crate::domain::organ_id::OrganId;

/// What the directory says of an organ id on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution<'a> {
    /// The organ is open.
    Open(&'a Organ),
    /// The organ is closed, and all who took over lead to one open organ.
    Redirected {
        /// The open organ.
        organ: &'a Organ,
        /// The closed organs on the way, the one asked for first.
        path: Vec<OrganId>,
        /// Why the organ asked for is closed.
        legal_basis: &'a str,
    },
    /// The organ is closed, and the directory alone cannot say which of the organs that took over is meant.
    Ambiguous {
        /// The open organs among those that took over, at least one, in the order of their ids.
        candidates: Vec<&'a Organ>,
        /// The one of them that is named to handle it, if one is.
        default: Option<&'a Organ>,
        /// Why the organ asked for is closed.
        legal_basis: &'a str,
    },
    /// The organ is not open (closed, or not open yet), and neither is one that took over.
    Closed {
        /// Why the organ asked for is closed.
        legal_basis: &'a str,
    },
    /// No such organ.
    Unknown {
        /// Organs the caller may have meant; see [`Directory::near`].
        near: Vec<&'a Organ>,
    },
}

/// What is done with a document to a closed organ from which several took over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ambiguity {
    /// It goes to the organ named as handler, if one is.
    Handler,
    /// It goes nowhere.
    Refuse,
}

impl<'a> Resolution<'a> {
    /// The organ documents go to, if they go anywhere.
    pub fn destination(&self, rule: Ambiguity) -> Option<&'a Organ> {
        match self {
            Self::Open(organ) | Self::Redirected { organ, .. } => Some(organ),
            Self::Ambiguous { default, .. } if rule == Ambiguity::Handler => *default,
            Self::Ambiguous { .. } | Self::Closed { .. } | Self::Unknown { .. } => None,
        }
    }

    /// Why the organ asked for is closed; empty when it is not.
    pub fn legal_basis(&self) -> &'a str {
        match self {
            Self::Redirected { legal_basis, .. }
            | Self::Ambiguous { legal_basis, .. }
            | Self::Closed { legal_basis } => legal_basis,
            Self::Open(_) | Self::Unknown { .. } => "",
        }
    }
}

impl Directory {
    /// Where a document to that organ goes on that day of Vietnam time.
    ///
    /// A known id costs one look-up for itself and one for each successor on the way; an unknown one also the bounded
    /// search of [`Directory::near`].
    pub fn resolve(&self, id: &OrganId, day: Date) -> Resolution<'_> {
        let Some(asked) = self.get(id) else {
            return Resolution::Unknown { near: self.near(id.as_str()) };
        };
        if asked.is_open_on(day) {
            return Resolution::Open(asked);
        }
        let legal_basis = &*asked.legal_basis;
        let heirs = self.heirs(asked, day);
        match heirs.open[..] {
            [] => Resolution::Closed { legal_basis },
            [organ] if !heirs.some_gone => {
                Resolution::Redirected { organ, path: self.way_from(asked, day), legal_basis }
            }
            _ => Resolution::Ambiguous {
                candidates: heirs.open,
                default: self.handler(asked, day),
                legal_basis,
            },
        }
    }

    fn heirs<'a>(&'a self, asked: &'a Organ, day: Date) -> Heirs<'a> {
        let mut heirs = Heirs { open: Vec::new(), some_gone: false };
        let mut seen = HashSet::from([&asked.id]);
        let mut ahead = vec![asked];
        while let Some(organ) = ahead.pop() {
            if organ.is_open_on(day) {
                heirs.open.push(organ);
                continue;
            }
            let successors = organ.successors_on(day);
            heirs.some_gone |= successors.is_empty();
            ahead.extend(successors.iter().filter(|id| seen.insert(id)).filter_map(|id| self.get(id)));
        }
        heirs.open.sort_by(|a, b| a.id.cmp(&b.id));
        heirs
    }

    /// The open organ that the named handlers lead to, one after the other.
    fn handler<'a>(&'a self, asked: &'a Organ, day: Date) -> Option<&'a Organ> {
        let mut at = asked;
        while !at.is_open_on(day) {
            let next = match at.successors_on(day) {
                [only] => only,
                _ => at.default_successor.as_ref().filter(|_| at.is_closed_on(day))?,
            };
            at = self.get(next)?;
        }
        Some(at)
    }

    fn way_from(&self, asked: &Organ, day: Date) -> Vec<OrganId> {
        let mut path = vec![asked.id.clone()];
        let mut at = asked.successors_on(day).first();
        while let Some(organ) = at.and_then(|id| self.get(id)).filter(|organ| !organ.is_open_on(day)) {
            path.push(organ.id.clone());
            at = organ.successors_on(day).first();
        }
        path
    }
}

/// Who took over from a closed organ, however many closings ago.
struct Heirs<'a> {
    open: Vec<&'a Organ>,
    /// Whether a part of its business ended with an organ nobody took over from.
    some_gone: bool,
}

impl Organ {
    /// Who took over by that day: nobody before it closed.
    fn successors_on(&self, day: Date) -> &[OrganId] {
        if self.is_closed_on(day) { &self.successors } else { &[] }
    }
}

#[cfg(test)]
mod tests;
