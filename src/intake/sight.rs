//! Who may follow which dossiers.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use time::Date;

use super::steps::stands_for;
use crate::directory::{Ambiguity, Directory};
use crate::domain::dossier::ProcedureCode;
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::{Reason, Refusal};

/// An organ that may follow dossiers of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who may follow.
    pub reader: OrganId,
    /// The dossiers of this organ and those below it; all without one.
    pub at_or_below: Option<OrganId>,
    /// Of this procedure; all without one.
    pub procedure: Option<ProcedureCode>,
}

impl Grant {
    /// Whether it is about a dossier of this owner and procedure.
    pub fn covers(&self, owner: &OrganId, procedure: &str) -> bool {
        self.is_of_owner(owner) && self.procedure.as_ref().is_none_or(|granted| granted.as_str() == procedure)
    }

    fn is_of_owner(&self, owner: &OrganId) -> bool {
        self.at_or_below.as_ref().is_none_or(|top| owner == top || owner.is_below(top))
    }
}

/// What one organ may see. Remembers what it has found out of an owner until the directory changes.
pub struct Sight {
    organ: OrganId,
    grants: Vec<Grant>,
    directory: Arc<ArcSwap<Directory>>,
    seen: Arc<Directory>,
    today: Date,
    rule: Ambiguity,
    own: HashMap<OrganId, bool>,
}

impl Sight {
    /// Of an organ.
    pub fn of(
        organ: &OrganId,
        grants: &[Grant],
        directory: &Arc<ArcSwap<Directory>>,
        today: Date,
        rule: Ambiguity,
    ) -> Self {
        Self {
            organ: organ.clone(),
            grants: grants.iter().filter(|grant| grant.reader == *organ).cloned().collect(),
            directory: Arc::clone(directory),
            seen: directory.load_full(),
            today,
            rule,
            own: HashMap::new(),
        }
    }

    /// Looks at the directory as it is now, on this day.
    pub fn refresh(&mut self, today: Date) {
        let now = self.directory.load();
        if !Arc::ptr_eq(&now, &self.seen) || today != self.today {
            (self.seen, self.today) = (Arc::clone(&now), today);
            self.own.clear();
        }
    }

    /// Whether dossiers of this owner are its own.
    pub fn is_own(&mut self, owner: &OrganId) -> bool {
        if let Some(known) = self.own.get(owner) {
            return *known;
        }
        let own = stands_for(&self.seen, &self.organ, owner, self.today, self.rule);
        self.own.insert(owner.clone(), own);
        own
    }

    /// Whether it may see a dossier.
    pub fn sees(&mut self, owner: &OrganId, procedure: &str) -> bool {
        self.grants.iter().any(|grant| grant.covers(owner, procedure)) || self.is_own(owner)
    }

    /// Refuses one who asks for dossiers of an organ of which it may see none.
    pub fn check_some(&mut self, top: &OrganId, path: &str) -> Result<(), Refusal> {
        let granted = self.grants.iter().any(|grant| {
            grant.is_of_owner(top) || grant.at_or_below.as_ref().is_some_and(|granted| granted.is_below(top))
        });
        match granted || self.is_own(top) {
            true => Ok(()),
            false => Err(self.refusal(top, path)),
        }
    }

    /// Refuses one who asks for dossiers of an organ and those below of which it may not see all.
    pub fn check_all(&mut self, top: &OrganId, path: &str) -> Result<(), Refusal> {
        let granted = self.grants.iter().any(|grant| grant.is_of_owner(top) && grant.procedure.is_none());
        match granted || self.is_own(top) {
            true => Ok(()),
            false => Err(self.refusal(top, path)),
        }
    }

    /// What one is told who may not see.
    pub fn refusal(&self, owner: &OrganId, path: &str) -> Refusal {
        let message = format!("organ {} may not follow dossiers of {owner}", self.organ);
        Refusal::new(Reason::DossierNotReadable, message)
            .field(path)
            .fact("owner", owner)
            .hint("an organ follows its own dossiers, those of organs it acts for, and what dossiers.readers grants it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> OrganId {
        OrganId::parse(text).unwrap()
    }

    fn grant(reader: &str, top: Option<&str>, procedure: Option<&str>) -> Grant {
        Grant {
            reader: id(reader),
            at_or_below: top.map(id),
            procedure: procedure.map(|code| ProcedureCode::parse(code).unwrap()),
        }
    }

    fn sight(organ: &str) -> Sight {
        let grants = [
            grant("G01", None, None),
            grant("G02", Some("H49"), Some("1.004194")),
            grant("G03", Some("H49.12"), None),
        ];
        let directory = Arc::new(ArcSwap::from_pointee(Directory::embedded()));
        let today = Date::from_calendar_date(2026, time::Month::January, 5).unwrap();
        Sight::of(&id(organ), &grants, &directory, today, Ambiguity::Refuse)
    }

    #[test]
    fn an_organ_sees_its_own_and_what_it_is_granted() {
        for (organ, owner, procedure, sees) in [
            ("H49", "H49", "1", true),
            ("H49", "H49.12", "1", true),
            ("H49", "H50", "1", false),
            ("G01", "H50.7", "9", true),
            ("G02", "H49.12", "1.004194", true),
            ("G02", "H49.12", "1.004195", false),
            ("G02", "H50", "1.004194", false),
            ("G03", "H49.12.7", "1", true),
            ("G03", "H49", "1", false),
            ("G04", "H49", "1", false),
        ] {
            assert_eq!(sight(organ).sees(&id(owner), procedure), sees, "{organ} {owner} {procedure}");
        }
    }

    #[test]
    fn who_sees_nothing_of_what_it_asks_for_is_told() {
        let some = |organ: &str, top: &str| sight(organ).check_some(&id(top), "p").is_ok();
        assert!(some("H49", "H49.12") && some("G01", "H50") && some("G02", "H49") && some("G03", "H49"));
        assert!(!some("H49", "G01") && !some("G03", "H50"));
        let all = |organ: &str, top: &str| sight(organ).check_all(&id(top), "p").is_ok();
        assert!(all("H49", "H49") && all("G01", "H49") && all("G03", "H49.12"));
        assert!(!all("G02", "H49") && !all("G03", "H49"));
        let refusal = sight("H49").check_all(&id("G01"), "at_or_below").unwrap_err();
        assert_eq!(refusal.reason(), Reason::DossierNotReadable);
    }
}
