//! Codes of dossiers in their two written forms, normalised to one; codes of procedures.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use time::{Date, Month};

use super::super::limits::{DOSSIER_SEQUENCE_DIGITS_MAX, PROCEDURE_CODE_CHARS_MAX};
use super::super::organ_id::{OrganId, ParseOrganIdError};

/// The code of a dossier: organ id, date, sequence.
///
/// [`DossierCode::parse`] takes `000.00.14.H20-200703-0002` (yymmdd) and `G09.20-20260609-0092637` (yyyymmdd), and the organ in either
/// form. One dossier has one normal form, `H20.14-20200703-0002`, however it is written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DossierCode {
    normal: Arc<str>,
    owner: OrganId,
}

impl Hash for DossierCode {
    // The owner follows from it.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.normal.hash(state);
    }
}

/// Why a text is not the code of a dossier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseDossierCodeError {
    /// Nothing.
    #[error("a dossier code is missing")]
    Missing,
    /// Not three parts.
    #[error("a dossier code is ORGAN-DATE-SEQUENCE")]
    Parts,
    /// The organ is none.
    #[error("the organ of a dossier code: {0}")]
    Organ(#[from] ParseOrganIdError),
    /// The date is none.
    #[error("the date of a dossier code is six digits (yymmdd) or eight (yyyymmdd), a day that exists")]
    Date,
    /// The sequence is none.
    #[error("the sequence of a dossier code is 1 to {DOSSIER_SEQUENCE_DIGITS_MAX} digits")]
    Sequence,
}

impl DossierCode {
    /// Parses either form; surrounding white space and letter case do not matter.
    pub fn parse(text: &str) -> Result<Self, ParseDossierCodeError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(ParseDossierCodeError::Missing);
        }
        let mut parts = text.split('-');
        let (Some(organ), Some(day), Some(sequence), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(ParseDossierCodeError::Parts);
        };
        let owner = OrganId::parse(organ)?;
        let date = date(day).ok_or(ParseDossierCodeError::Date)?;
        let digits = 1..=DOSSIER_SEQUENCE_DIGITS_MAX;
        if !digits.contains(&sequence.len()) || !sequence.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ParseDossierCodeError::Sequence);
        }
        let (year, month) = (date.year(), u8::from(date.month()));
        let normal = format!("{owner}-{year:04}{month:02}{:02}-{sequence}", date.day());
        Ok(Self { normal: normal.into(), owner })
    }

    /// The normal form: `H20.14-20200703-0002`.
    pub fn as_str(&self) -> &str {
        &self.normal
    }

    /// The day in it, as the number yyyymmdd.
    pub fn day(&self) -> u32 {
        let digits = self.normal.split('-').nth(1).unwrap_or_default();
        digits.parse().expect("the second part of a normal form is eight digits")
    }

    /// The organ that has the dossier in hand.
    pub fn owner(&self) -> &OrganId {
        &self.owner
    }
}

/// Six digits are of this century: dossiers are numbered so since 2012.
fn date(digits: &str) -> Option<Date> {
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i32 = digits.parse().ok()?;
    let number = match digits.len() {
        6 => 20_000_000 + number,
        8 => number,
        _ => return None,
    };
    let month = Month::try_from(u8::try_from(number / 100 % 100).ok()?).ok()?;
    Date::from_calendar_date(number / 10_000, month, u8::try_from(number % 100).ok()?).ok()
}

impl fmt::Display for DossierCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.normal)
    }
}

impl fmt::Debug for DossierCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.normal)
    }
}

/// The code of an administrative procedure (`MaTTHC`), for example `1.004194` or `2.000815.000.00.00.H20`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcedureCode(Arc<str>);

/// Why a text is not the code of a procedure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseProcedureCodeError {
    /// Nothing.
    #[error("a procedure code is missing")]
    Missing,
    /// Too long.
    #[error("a procedure code has at most {PROCEDURE_CODE_CHARS_MAX} characters")]
    TooLong,
    /// A character that is not allowed.
    #[error("a procedure code is made of the characters A-Z a-z 0-9 . _ -")]
    BadCharacter,
}

impl ProcedureCode {
    /// Parses a code: ASCII letters, digits, dots, underscores and hyphens.
    pub fn parse(text: &str) -> Result<Self, ParseProcedureCodeError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(ParseProcedureCodeError::Missing);
        }
        if text.len() > PROCEDURE_CODE_CHARS_MAX {
            return Err(ParseProcedureCodeError::TooLong);
        }
        match text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
            true => Ok(Self(text.into())),
            false => Err(ParseProcedureCodeError::BadCharacter),
        }
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProcedureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ProcedureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_dossier_has_one_normal_form() {
        for (written, normal, owner) in [
            ("000.00.14.H20-200703-0002", "H20.14-20200703-0002", "H20.14"),
            ("G09.20-20260609-0092637", "G09.20-20260609-0092637", "G09.20"),
            (" h20.14-20200703-0002 ", "H20.14-20200703-0002", "H20.14"),
            ("H49-240229-1", "H49-20240229-1", "H49"),
        ] {
            let code = DossierCode::parse(written).unwrap();
            assert_eq!((code.as_str(), code.owner().as_str()), (normal, owner), "{written}");
            assert_eq!(code.day().to_string(), normal.split('-').nth(1).unwrap());
            assert_eq!(DossierCode::parse(code.as_str()), Ok(code));
        }
    }

    #[test]
    fn what_is_not_a_dossier_code_says_why() {
        use ParseDossierCodeError::{Date, Missing, Organ, Parts, Sequence};
        for (written, why) in [
            ("", Missing),
            ("H20", Parts),
            ("H20-200703", Parts),
            ("H20-200703-1-2", Parts),
            ("Z99-200703-1", Organ(ParseOrganIdError::NoLevelOne)),
            ("-200703-1", Organ(ParseOrganIdError::Missing)),
            ("H20-200230-1", Date),
            ("H20-20200732-1", Date),
            ("H20-2007031-1", Date),
            ("H20-٢٠٠٧٠٣-1", Date),
            ("H20-200703-", Sequence),
            ("H20-200703-12a", Sequence),
            ("H20-200703-1234567890123", Sequence),
        ] {
            assert_eq!(DossierCode::parse(written), Err(why), "{written}");
        }
    }

    #[test]
    fn procedures_have_codes_of_plain_characters() {
        assert_eq!(ProcedureCode::parse(" 1.004194 ").unwrap().as_str(), "1.004194");
        assert_eq!(ProcedureCode::parse(""), Err(ParseProcedureCodeError::Missing));
        assert_eq!(ProcedureCode::parse("1 2"), Err(ParseProcedureCodeError::BadCharacter));
        assert_eq!(ProcedureCode::parse(&"1".repeat(65)), Err(ParseProcedureCodeError::TooLong));
    }
}
