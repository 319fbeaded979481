//! Where it plays: a gateway in its set-up, the government office, and 34 provinces.

use std::path::Path;
use std::process::Command;

use truc::proto::v1;

use crate::setup::{SetUp, Surroundings};
use crate::site::{Agency, Process, Site};

/// Who sends: the Government Office.
pub const SENDER: &str = "G22";

pub struct Stage {
    pub site: Site,
    pub gateway: Process,
    pub sender: Agency,
    /// The provinces that are open, as the shipped directory has them.
    pub provinces: Vec<String>,
    // End after the gateway.
    _around: Surroundings,
}

impl Stage {
    pub async fn build(set_up: SetUp) -> Self {
        let around = tokio::task::spawn_blocking(move || set_up.surroundings()).await.unwrap();
        let mut site = Site::new(&[]);
        around.tell(&mut site);
        let gateway = site.start();
        let sender = site.agency(&gateway, SENDER).await;
        Self { site, gateway, sender, provinces: open_provinces(), _around: around }
    }

    /// A client of an organ.
    pub async fn agency(&self, organ: &str) -> Agency {
        self.site.agency(&self.gateway, organ).await
    }

    /// What a command of the program shows the sender.
    pub fn shown(&self, arguments: &[&str]) -> String {
        let issued = self.site.organ(SENDER);
        let output = Command::new(env!("CARGO_BIN_EXE_truc"))
            .args(arguments)
            .arg("--endpoint")
            .arg(format!("https://{}", self.gateway.address))
            .arg("--ca")
            .arg(self.site.ca.certificate_path())
            .arg("--cert")
            .arg(issued.certificate)
            .arg("--key")
            .arg(issued.key)
            .env_clear()
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "truc {arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn leave(self) {
        assert_eq!(self.gateway.stop(), Some(0));
    }
}

fn open_provinces() -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/directory/provinces.csv");
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_path(file).unwrap();
    let column = reader.headers().unwrap().iter().position(|name| name == "close_date").unwrap();
    let rows = reader.records().map(Result::unwrap);
    let open: Vec<_> = rows.filter(|row| row[column].is_empty()).map(|row| row[0].to_owned()).collect();
    assert_eq!(open.len(), 34);
    open
}

/// A document of the Government Office.
pub fn document(message_id: &str, number: &str, subject: &str, to: &[&str]) -> v1::Submission {
    let mut submission = crate::site::document(message_id, to, subject.as_bytes());
    if let Some(v1::submission::Content::Document(document)) = &mut submission.content {
        let header = document.header.as_mut().unwrap();
        header.subject = subject.into();
        header.code = Some(v1::DocumentCode { number: number.into(), notation: "VPCP-TH".into() });
        header.document_id = document_id(number);
    }
    submission
}

/// The id the sender's system gives the document of a number.
pub fn document_id(number: &str) -> String {
    format!("000.00.00.{SENDER},2026/11/20,{number}/VPCP-TH")
}
