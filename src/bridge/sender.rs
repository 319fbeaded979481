//! Who sent a message: the user the broker has validated, and the organ it stands for.

use crate::directory::Directory;
use crate::domain::organ_id::OrganId;
use crate::metrics::ParkCause;

/// What the user name of an organ begins with; the same name stands in its certificate.
pub const USER_PREFIX: &str = "urn:truc:organ:";

/// The user of an organ at the broker.
pub fn user_of(organ: &OrganId) -> String {
    format!("{USER_PREFIX}{organ}")
}

/// What a message says of its sender; the broker has refused a `user_id` that is not the connection's.
#[derive(Clone, Copy, Debug)]
pub struct Claimed<'a> {
    /// The property `user_id`.
    pub user: Option<&'a str>,
    /// The user of the message an operator replays, as the gateway parked it.
    pub replayed: Option<&'a str>,
}

/// Finds the organ behind a message, or why it is from nobody who may send here. Only the gateway's own user can say that
/// it replays another's message.
pub fn organ(claimed: Claimed<'_>, own_user: &str, directory: &Directory) -> Result<OrganId, ParkCause> {
    let user = match (claimed.user, claimed.replayed) {
        (None | Some(""), _) => return Err(ParkCause::NoUser),
        (Some(user), None) if user == own_user => return Err(ParkCause::OwnUser),
        (Some(user), Some(replayed)) if user == own_user => replayed,
        (Some(user), _) => user,
    };
    let organ = user.strip_prefix(USER_PREFIX).and_then(|id| OrganId::parse(id).ok());
    let organ = organ.ok_or(ParkCause::ForeignUser)?;
    match directory.get(&organ) {
        Some(found) if found.link.is_amqp() => Ok(organ),
        Some(_) | None => Err(ParkCause::NotAttached),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> Directory {
        let columns = "organ_id,name,open_date,close_date,successors,legal_basis,acts_for_below,link";
        let text = format!("{columns}\nH01,a,,,,,,amqp\nH02,b,,,,,,\n");
        Directory::from_csv_texts(&[("t.csv", &text)]).unwrap()
    }

    fn found(user: Option<&str>, replayed: Option<&str>) -> Result<String, ParkCause> {
        organ(Claimed { user, replayed }, "truc", &directory()).map(|organ| organ.to_string())
    }

    #[test]
    fn a_user_is_its_organ() {
        assert_eq!(found(Some("urn:truc:organ:H01"), None), Ok("H01".into()));
        assert_eq!(user_of(&OrganId::parse("H01").unwrap()), "urn:truc:organ:H01");
    }

    #[test]
    fn nobody_else_gets_in() {
        assert_eq!(found(None, None), Err(ParkCause::NoUser));
        assert_eq!(found(Some(""), None), Err(ParkCause::NoUser));
        assert_eq!(found(Some("guest"), None), Err(ParkCause::ForeignUser));
        assert_eq!(found(Some("urn:truc:organ:"), None), Err(ParkCause::ForeignUser));
        assert_eq!(found(Some("urn:truc:organ:H99"), None), Err(ParkCause::NotAttached));
        assert_eq!(found(Some("urn:truc:organ:H02"), None), Err(ParkCause::NotAttached), "attached by gRPC");
    }

    #[test]
    fn what_the_gateway_published_comes_in_only_as_a_replay() {
        assert_eq!(found(Some("truc"), None), Err(ParkCause::OwnUser));
        assert_eq!(found(Some("truc"), Some("urn:truc:organ:H01")), Ok("H01".into()));
        assert_eq!(found(Some("truc"), Some("truc")), Err(ParkCause::ForeignUser));
        assert_eq!(found(Some("truc"), Some("")), Err(ParkCause::ForeignUser));
        let forged = found(Some("urn:truc:organ:H02"), Some("urn:truc:organ:H01"));
        assert_eq!(forged, Err(ParkCause::NotAttached), "an agency replays nothing");
    }
}
