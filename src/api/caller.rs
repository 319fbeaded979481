//! Who calls, and for which organ it may speak.

use std::sync::Arc;

use tonic::{Extensions, Request};

use super::Api;
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::{Reason, Refusal};
use crate::identity::{Peer, Role};
use crate::intake;

/// One who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// An organ.
    Organ(OrganId),
    /// An operator of the gateway, by name.
    Operator(String),
}

impl Caller {
    /// The one behind a request.
    pub fn of<T>(request: &Request<T>) -> Result<Self, Refusal> {
        Self::in_extensions(request.extensions())
    }

    fn in_extensions(extensions: &Extensions) -> Result<Self, Refusal> {
        let peer = extensions.get::<Arc<Peer>>();
        match peer.map(|peer| &peer.role) {
            Some(Role::Organ(organ)) => Ok(Self::Organ(organ.clone())),
            Some(Role::Operator(name)) => Ok(Self::Operator(name.clone())),
            Some(Role::None) | None => {
                let why = peer.and_then(|peer| peer.no_role.as_ref()).map(ToString::to_string);
                Err(Refusal::new(
                    Reason::CertificateWithoutRole,
                    why.unwrap_or_else(|| "no client certificate".to_owned()),
                )
                .hint("use a certificate with the SAN URI urn:truc:organ:ID"))
            }
        }
    }

    /// The organ, for calls that are for organs.
    pub fn organ(self) -> Result<OrganId, Refusal> {
        match self {
            Self::Organ(organ) => Ok(organ),
            Self::Operator(_) => {
                Err(Refusal::new(Reason::OperatorNotAllowed, "an operator exchanges no documents")
                    .hint("use the certificate of an organ"))
            }
        }
    }

    /// The operator's name, for calls that are for operators.
    pub fn operator(self) -> Result<String, Refusal> {
        match self {
            Self::Operator(name) => Ok(name),
            Self::Organ(organ) => {
                Err(Refusal::new(Reason::OperatorsOnly, format!("{organ} is an organ, not an operator"))
                    .hint("use a certificate with the SAN URI urn:truc:operator:NAME"))
            }
        }
    }
}

/// One who speaks for an organ.
#[derive(Clone, Debug)]
pub struct Speaker {
    /// The organ of the certificate.
    pub by: OrganId,
    /// The organ it speaks for.
    pub organ: OrganId,
}

impl Api {
    /// The organ a call is about: the one named, if the caller may act for it, else the caller's own.
    pub fn speaker(&self, caller: Caller, named: &str, path: &str) -> Result<Speaker, Refusal> {
        let by = caller.organ()?;
        let organ = intake::speaks_for(&self.directory.load(), &by, named, path, self.today())?;
        Ok(Speaker { by, organ })
    }
}
