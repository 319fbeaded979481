//! Parts that documents and status messages have in common.

use time::Date;

use super::fields::Fields;
use super::limits::TEXT_CHARS_MAX;
use super::refusals::missing;
use crate::domain::limits::{DOCUMENT_ID_CHARS_MAX, EMAIL_CHARS_MAX, ORGAN_NAME_CHARS_MAX};
use crate::domain::limits::{STAFF_CHARS_MAX, SUBJECT_CHARS_MAX, TELEPHONE_CHARS_MAX};
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::Refusal;

/// Sender or recipient (`From`, `To`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// `OrganId`, normalised.
    pub organ: OrganId,
    /// `OrganizationInCharge`: the body above.
    pub in_charge: Option<String>,
    /// `OrganName`; a sender always has one.
    pub name: Option<String>,
    /// `OrganAdd`: postal address.
    pub address: Option<String>,
    /// `Email`.
    pub email: Option<String>,
    /// `Telephone`.
    pub telephone: Option<String>,
    /// `Fax`.
    pub fax: Option<String>,
    /// `Website`.
    pub website: Option<String>,
}

impl Party {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            organ: fields.required_organ("OrganId")?,
            in_charge: fields.text("OrganizationInCharge", ORGAN_NAME_CHARS_MAX)?,
            name: fields.text("OrganName", ORGAN_NAME_CHARS_MAX)?,
            address: fields.text("OrganAdd", SUBJECT_CHARS_MAX)?,
            email: fields.text("Email", EMAIL_CHARS_MAX)?,
            telephone: fields.text("Telephone", TELEPHONE_CHARS_MAX)?,
            fax: fields.text("Fax", TELEPHONE_CHARS_MAX)?,
            website: fields.text("Website", TELEPHONE_CHARS_MAX)?,
        })
    }

    pub(super) fn sender(message: &Fields<'_>) -> Result<Self, Refusal> {
        let from = message.one("From")?.ok_or_else(|| missing(&message.path_of("From.OrganId")))?;
        let sender = Self::read(&from)?;
        match sender.name {
            Some(_) => Ok(sender),
            None => Err(missing(&from.path_of("OrganName"))),
        }
    }
}

/// The document that is answered or reported about (`ResponseFor`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseFor {
    /// `OrganId`: the organ that sent it. Always there in a status message.
    pub organ: Option<OrganId>,
    /// `Code`: number and notation in one text. Always there in a status message.
    pub code: Option<String>,
    /// `DocumentId`. Always there in a status message.
    pub document_id: Option<String>,
    /// `PromulgationDate`.
    pub promulgation_date: Option<Date>,
}

impl ResponseFor {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            organ: fields.organ("OrganId")?,
            code: fields.text("Code", TEXT_CHARS_MAX)?,
            document_id: fields.text("DocumentId", DOCUMENT_ID_CHARS_MAX)?,
            promulgation_date: fields.date("PromulgationDate")?,
        })
    }
}

/// The clerk who acted (`StaffInfo`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Staff {
    /// `Department`.
    pub department: Option<String>,
    /// `DepartmentId`.
    pub department_id: Option<String>,
    /// `Staff`: the name.
    pub name: Option<String>,
    /// `StaffId`.
    pub id: Option<String>,
    /// `Email`.
    pub email: Option<String>,
    /// `Mobile`.
    pub mobile: Option<String>,
}

impl Staff {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            department: fields.text("Department", STAFF_CHARS_MAX)?,
            department_id: fields.text("DepartmentId", STAFF_CHARS_MAX)?,
            name: fields.text("Staff", STAFF_CHARS_MAX)?,
            id: fields.text("StaffId", STAFF_CHARS_MAX)?,
            email: fields.text("Email", EMAIL_CHARS_MAX)?,
            mobile: fields.text("Mobile", STAFF_CHARS_MAX)?,
        })
    }
}
