//! A status message written by the gateway, for a sender that speaks edXML about what a recipient reported otherwise. Nothing that
//! somebody else wrote is ever written anew.

use std::fmt::Write;

use time::macros::{format_description, offset};
use time::{Date, OffsetDateTime};

use super::super::xml::is_allowed;
use super::Status;

impl Status {
    /// The status as a file of the standard, which [`crate::edxml::read`] reads back as what it is.
    pub fn to_file(&self) -> String {
        let mut file = Writer(String::with_capacity(2_048));
        file.0.push_str(HEAD);
        let from = &self.from;
        file.open("From");
        file.text("OrganId", Some(from.organ.as_str()));
        let parts = [
            ("OrganizationInCharge", &from.in_charge),
            ("OrganName", &from.name),
            ("OrganAdd", &from.address),
            ("Email", &from.email),
            ("Telephone", &from.telephone),
            ("Fax", &from.fax),
            ("Website", &from.website),
        ];
        file.texts(&parts);
        file.close("From");
        let about = &self.response_for;
        file.open("ResponseFor");
        file.text("OrganId", about.organ.as_ref().map(|organ| organ.as_str()));
        file.text("Code", about.code.as_deref());
        file.text("PromulgationDate", about.promulgation_date.and_then(day).as_deref());
        file.text("DocumentId", about.document_id.as_deref());
        file.close("ResponseFor");
        if let Some(staff) = &self.staff {
            file.open("StaffInfo");
            let parts = [
                ("Department", &staff.department),
                ("DepartmentId", &staff.department_id),
                ("Staff", &staff.name),
                ("StaffId", &staff.id),
                ("Email", &staff.email),
                ("Mobile", &staff.mobile),
            ];
            file.texts(&parts);
            file.close("StaffInfo");
        }
        file.text("StatusCode", Some(self.code.as_str()));
        file.text("Description", self.description.as_deref());
        file.text("Timestamp", self.time.and_then(moment).as_deref());
        file.0.push_str(FOOT);
        file.0
    }
}

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<edXML:edXML xmlns:edXML="http://www.mic.gov.vn/TBT/QCVN_102_2016">
<edXML:edXMLEnvelope><edXML:edXMLHeader><edXML:MessageHeader>
"#;
const FOOT: &str = "</edXML:MessageHeader></edXML:edXMLHeader></edXML:edXMLEnvelope>\n</edXML:edXML>\n";

fn day(date: Date) -> Option<String> {
    date.format(format_description!("[year]/[month]/[day]")).ok()
}

/// Vietnam's time, as the standard writes it.
fn moment(at: OffsetDateTime) -> Option<String> {
    let form = format_description!("[year]/[month]/[day] [hour]:[minute]:[second]");
    at.checked_to_offset(offset!(+7))?.format(form).ok()
}

struct Writer(String);

impl Writer {
    fn open(&mut self, name: &str) {
        self.tag("", name);
    }

    fn close(&mut self, name: &str) {
        self.tag("/", name);
    }

    fn tag(&mut self, slash: &str, name: &str) {
        writeln!(self.0, "<{slash}edXML:{name}>").expect("a text takes all that is written");
    }

    fn texts(&mut self, parts: &[(&str, &Option<String>)]) {
        parts.iter().for_each(|(name, text)| self.text(name, text.as_deref()));
    }

    fn text(&mut self, name: &str, text: Option<&str>) {
        let Some(text) = text else { return };
        let characters: String = text.chars().filter(|c| is_allowed(*c)).collect();
        // A bare carriage return would be read as a line feed.
        let escaped = quick_xml::escape::escape(characters.as_str()).replace('\r', "&#13;");
        writeln!(self.0, "<edXML:{name}>{escaped}</edXML:{name}>").expect("a text takes all that is written");
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Edxml, read};

    #[test]
    fn what_is_written_is_read_back() {
        for code in ["01", "02", "03", "04", "05", "06", "13", "15", "16"] {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/edxml");
            let original = std::fs::read(format!("{folder}/status_{code}.edxml")).unwrap();
            let Ok(Edxml::Status(mut status)) = read(&original) else { panic!("{code}") };
            status.description = Some("<lý do> & \"nguyên nhân\"\r\n]]> \u{7}hết".to_owned());
            let Ok(Edxml::Status(mut back)) = read(status.to_file().as_bytes()) else { panic!("{code}") };
            assert_eq!(back.description.as_deref(), Some("<lý do> & \"nguyên nhân\"\r\n]]> hết"));
            back.description = status.description.clone();
            assert_eq!(back, status);
        }
    }
}
