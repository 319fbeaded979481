//! What can be wrong with JSON of the portal's shape, in Vietnamese and in English.

use std::fmt;

/// Why a file of the portal's shape cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalError {
    /// Which entry, from 1; 0 for the file as a whole.
    pub place: usize,
    /// The field at fault, or nothing.
    pub field: String,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The file is not JSON.
    Json(String),
    /// An entry is no object.
    NoObject,
    /// The field is not there, or empty.
    Missing,
    /// The field is neither a text nor a number.
    NoText,
    /// The field is not a whole number.
    NoNumber(String),
    /// The field is not a time.
    Time(String),
    /// The field is none of the ten statuses.
    Status(String),
    /// The field is not the code of a dossier.
    Dossier(String),
}

impl PortalError {
    /// In Vietnamese.
    pub fn vietnamese(&self) -> String {
        let what = match &self.fault {
            Fault::Json(why) => format!("tệp không phải JSON: {why}"),
            Fault::NoObject => "mục này không phải một đối tượng JSON".to_owned(),
            Fault::Missing => "thiếu hoặc để trống trường bắt buộc".to_owned(),
            Fault::NoText => "giá trị phải là chuỗi hoặc số".to_owned(),
            Fault::NoNumber(text) => format!("\"{text}\" không phải số nguyên"),
            Fault::Time(text) => {
                format!(
                    "\"{text}\" không phải thời điểm; ghi theo dạng yyyyMMddHHmmss, giờ Việt Nam (+07:00)"
                )
            }
            Fault::Status(text) => format!("\"{text}\" không phải trạng thái 1 đến 10 của Cổng"),
            Fault::Dossier(why) => format!("mã hồ sơ không đúng ({why})"),
        };
        self.placed("mục", "trường", &what)
    }

    /// In English.
    pub fn english(&self) -> String {
        let what = match &self.fault {
            Fault::Json(why) => format!("the file is not JSON: {why}"),
            Fault::NoObject => "the entry is not a JSON object".to_owned(),
            Fault::Missing => "a required field is missing or empty".to_owned(),
            Fault::NoText => "the value has to be a text or a number".to_owned(),
            Fault::NoNumber(text) => format!("\"{text}\" is not a whole number"),
            Fault::Time(text) => {
                format!("\"{text}\" is not a time; write yyyyMMddHHmmss, in Vietnam's time (+07:00)")
            }
            Fault::Status(text) => format!("\"{text}\" is none of the portal's statuses, 1 to 10"),
            Fault::Dossier(why) => why.clone(),
        };
        self.placed("entry", "field", &what)
    }

    fn placed(&self, entry: &str, field: &str, what: &str) -> String {
        match (self.place, self.field.as_str()) {
            (0, _) => what.to_owned(),
            (place, "") => format!("{entry} {place}: {what}"),
            (place, name) => format!("{entry} {place}, {field} {name}: {what}"),
        }
    }
}

impl fmt::Display for PortalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.english())
    }
}

impl std::error::Error for PortalError {}
