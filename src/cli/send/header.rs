//! The header of a document that is no edXML file, from options, with defaults good enough for a first try.

use std::path::Path;

use clap::{Args, ValueEnum};
use time::Date;

use crate::cli::exit::Exit;
use crate::domain::limits::CODE_NUMBER_CHARS_MAX;
use crate::proto::v1;

/// What a document's header says.
#[derive(Debug, Args)]
#[command(next_help_heading = "Header of a document that is not edXML")]
#[group(id = "Header", multiple = true)]
pub struct Header {
    /// A recipient, H49 or 000.00.00.H49; once for each, or separated by commas
    #[arg(long, value_name = "ORGAN", value_delimiter = ',')]
    to: Vec<String>,
    /// Subject (trích yếu)
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// Number (số) [default: the digits the file's name begins with, else 0]
    #[arg(long, value_name = "NUMBER")]
    code_number: Option<String>,
    /// Notation (ký hiệu) [default: the sender's organ id]
    #[arg(long, value_name = "NOTATION")]
    code_notation: Option<String>,
    /// The sender's system's id for the document
    #[arg(long, value_name = "ID")]
    document_id: Option<String>,
    /// Type of document, for example `Công văn`
    #[arg(long, value_name = "TEXT")]
    document_type: Option<String>,
    /// Date of promulgation [default: today in Vietnam]
    #[arg(long, value_name = "YYYY-MM-DD")]
    promulgation_date: Option<String>,
    /// Urgency
    #[arg(long, value_enum, default_value_t = UrgencyArg::Normal)]
    urgency: UrgencyArg,
    /// Date by which an answer is asked for
    #[arg(long, value_name = "YYYY-MM-DD")]
    due_date: Option<String>,
    /// Media type of the file [default: by its extension]
    #[arg(long, value_name = "TYPE")]
    media_type: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum UrgencyArg {
    /// Thường
    Normal,
    /// Khẩn
    Urgent,
    /// Thượng khẩn
    VeryUrgent,
    /// Hỏa tốc
    Express,
    /// Hỏa tốc hẹn giờ
    TimedExpress,
}

impl From<UrgencyArg> for v1::Urgency {
    fn from(urgency: UrgencyArg) -> Self {
        match urgency {
            UrgencyArg::Normal => Self::Normal,
            UrgencyArg::Urgent => Self::Urgent,
            UrgencyArg::VeryUrgent => Self::VeryUrgent,
            UrgencyArg::Express => Self::Express,
            UrgencyArg::TimedExpress => Self::TimedExpress,
        }
    }
}

impl Header {
    /// The header of a file, as the contract has it.
    pub fn written(
        &self,
        file: &Path,
        own_organ: impl FnOnce() -> Result<String, Exit>,
        today: Date,
    ) -> Result<v1::DocumentHeader, Exit> {
        let notation = match &self.code_notation {
            Some(notation) => notation.clone(),
            None => own_organ()?,
        };
        let number = self.code_number.clone().unwrap_or_else(|| number_of(file));
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Ok(v1::DocumentHeader {
            recipients: self.to.clone(),
            subject: text(&self.subject),
            code: Some(v1::DocumentCode { number, notation }),
            document_id: text(&self.document_id),
            promulgation_date: self.promulgation_date.clone().unwrap_or_else(|| today.to_string()),
            document_type: text(&self.document_type),
            urgency: v1::Urgency::from(self.urgency).into(),
            due_date: text(&self.due_date),
            ..Default::default()
        })
    }

    /// The media type of a file.
    pub fn media_type(&self, file: &Path) -> String {
        let by_extension = || {
            let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
            MEDIA_TYPES
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(extension))
                .map_or("application/octet-stream", |(_, media_type)| *media_type)
                .to_owned()
        };
        self.media_type.clone().unwrap_or_else(by_extension)
    }
}

/// Extensions of files agencies exchange, with their media types. Of several for one type, the first is the usual one.
pub const MEDIA_TYPES: [(&str, &str); 14] = [
    ("pdf", "application/pdf"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("doc", "application/msword"),
    ("xls", "application/vnd.ms-excel"),
    ("zip", "application/zip"),
    ("xml", "application/xml"),
    ("json", "application/json"),
    ("txt", "text/plain"),
    ("csv", "text/csv"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
];

/// The digits a file's name begins with: 7816 of `7816-VPCP-TTDT.pdf`.
fn number_of(file: &Path) -> String {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let digits: String = name.chars().take_while(char::is_ascii_digit).take(CODE_NUMBER_CHARS_MAX).collect();
    if digits.is_empty() { "0".to_owned() } else { digits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_is_taken_from_the_file_the_day_and_the_organ() {
        let header = Header {
            to: vec!["H49".into()],
            subject: Some("V/v".into()),
            code_number: None,
            code_notation: None,
            document_id: None,
            document_type: None,
            promulgation_date: None,
            urgency: UrgencyArg::Express,
            due_date: None,
            media_type: None,
        };
        let today = Date::from_calendar_date(2025, time::Month::July, 2).unwrap();
        let file = Path::new("out/7816-VPCP.PDF");
        let written = header.written(file, || Ok("G22".into()), today).unwrap();
        assert_eq!(written.code.clone().unwrap(), v1::DocumentCode {
            number: "7816".into(),
            notation: "G22".into()
        });
        assert_eq!(written.promulgation_date, "2025-07-02");
        assert_eq!(written.urgency(), v1::Urgency::Express);
        assert_eq!(header.media_type(file), "application/pdf");
        assert_eq!(header.media_type(Path::new("bản thảo")), "application/octet-stream");
        assert_eq!(number_of(Path::new("bản thảo.txt")), "0");
    }
}
