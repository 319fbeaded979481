//! edXML files through a running gateway: from the certificate of their sender to their recipients, byte for byte.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use truc::directory::Directory;
use truc::domain::message::Hash;
use truc::domain::organ_id::OrganId;
use truc::edxml::{BusinessKind, Change, Document, Edxml, RecipientChange};
use truc::proto::v1::{self, DeliveryState, PayloadFormat, ReceiptKind};

use crate::support::{Process, Site, delivered, edxml};

/// A file and what the library reads from it.
struct Sample {
    name: String,
    bytes: Vec<u8>,
    document: Box<Document>,
}

/// The documents among the files of a folder; those whose names begin with `prefix`.
fn samples(folder: &Path, prefix: &str) -> Vec<Sample> {
    let entries = std::fs::read_dir(folder).expect("the folder of samples can be read");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let sample = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.to_owned();
        let wanted = name.starts_with(prefix) && name.ends_with(".edxml");
        let bytes = wanted.then(|| std::fs::read(&path).unwrap())?;
        match truc::edxml::read(&bytes).unwrap_or_else(|refusal| panic!("{name}: {refusal}")) {
            Edxml::Document(document) => Some(Sample { name, bytes, document }),
            Edxml::Status(_) => None,
        }
    };
    paths.into_iter().filter_map(sample).collect()
}

fn fixtures() -> Vec<Sample> {
    samples(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/edxml"), "")
}

/// A site whose directory has every organ the files name: those the program does not carry are added.
fn site_for(samples: &[Sample]) -> Site {
    let carried = Directory::embedded();
    let named = samples.iter().flat_map(|s| s.document.to.iter().chain([&s.document.from]));
    let missing: BTreeSet<&OrganId> =
        named.map(|party| &party.organ).filter(|id| carried.get(id).is_none()).collect();
    let rows: Vec<String> = missing.iter().map(|id| format!("{id},Cơ quan thử {id},,,,,")).collect();
    let mut site = Site::new(&[]);
    site.directory(&rows.join("\n"));
    site
}

/// Sends a file and has all its recipients take it; nothing of it may be changed on the way.
async fn pass(site: &Site, gateway: &Process, sample: &Sample) {
    let Sample { name, bytes, document } = sample;
    let sender = site.agency(gateway, document.from.organ.as_str()).await;
    let hash = Hash::of(bytes);
    let accepted = sender.submit(edxml("", bytes.as_slice())).await;
    let accepted = accepted.unwrap_or_else(|status| panic!("{name}: {status:?}"));
    let message_id = accepted.receipt.unwrap().message_id;
    assert_eq!(message_id, format!("edxml:{}", &hash.to_string()[..32]), "{name}");
    assert!(accepted.deliveries.len() >= goes_to(document).len(), "{name}");
    for (to, delivery) in goes_to(document).into_iter().zip(&accepted.deliveries) {
        let written =
            if delivery.addressed_to.is_empty() { &delivery.recipient } else { &delivery.addressed_to };
        assert_eq!(written, to, "{name}");
        let recipient = site.agency(gateway, &delivery.recipient).await;
        let got = recipient.fetch(10, 10).await;
        assert_eq!(got.len(), 1, "{name}");
        assert_eq!(Hash::of(&got[0].payload), hash, "{name}: {} gets these very bytes", delivery.recipient);
        assert_eq!(got[0].delivery_id, delivery.delivery_id, "{name}");
        check_envelope(got[0].envelope.as_ref().unwrap(), sample);
        assert_eq!(recipient.settle(vec![delivered(&got[0])]).await[0].state(), DeliveryState::Delivered);
    }
    // One from whom an update takes the document away gets it all the same where the gateway never saw that.
    for asked in accepted.deliveries.iter().skip(goes_to(document).len()) {
        let recipient = site.agency(gateway, &asked.recipient).await;
        let got = recipient.fetch(10, 10).await.remove(0);
        assert_eq!((&got.delivery_id, Hash::of(&got.payload)), (&asked.delivery_id, hash), "{name}");
        recipient.settle(vec![delivered(&got)]).await;
    }
    let story = sender.track("", &message_id).await.unwrap();
    assert!(story.deliveries.iter().all(|d| d.state() == DeliveryState::Delivered), "{name}");
    let ended = story.receipts.iter().filter(|r| r.kind() == ReceiptKind::Delivered).count();
    assert_eq!(ended, accepted.deliveries.len(), "{name}");
}

/// The recipients a file names. The one an update takes the document away from is none any more, the one it adds is.
fn goes_to(document: &Document) -> Vec<&str> {
    let mut to: Vec<_> = document.to.iter().map(|party| party.organ.as_str()).collect();
    if let BusinessKind::Update(update) = &document.business.kind {
        for RecipientChange { organ, change } in &update.changes {
            match change {
                Change::Removed => to.retain(|written| *written != organ.as_str()),
                Change::Added if to.contains(&organ.as_str()) => {}
                Change::Added => to.push(organ.as_str()),
            }
        }
    }
    to
}

/// The envelope says what the file says.
fn check_envelope(envelope: &v1::Envelope, sample: &Sample) {
    let Sample { name, bytes, document } = sample;
    let header = envelope.header.as_ref().unwrap();
    assert_eq!(envelope.format(), PayloadFormat::Edxml, "{name}");
    assert_eq!(envelope.media_type, "application/xml", "{name}");
    assert_eq!(envelope.payload_bytes, bytes.len() as u64, "{name}");
    assert_eq!(envelope.payload_sha256, Hash::of(bytes).as_bytes().as_slice(), "{name}");
    assert_eq!(envelope.sender, document.from.organ.as_str(), "{name}");
    assert_eq!(header.recipients, goes_to(document), "{name}");
    assert_eq!(header.subject, document.subject, "{name}");
    let code = header.code.as_ref().unwrap();
    assert_eq!((&code.number, &code.notation), (&document.code.number, &document.code.notation), "{name}");
    assert_eq!(header.document_id, document.document_id.clone().unwrap_or_default(), "{name}");
    assert_eq!(header.promulgation_date, document.promulgation.date.to_string(), "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fixture_goes_from_its_sender_to_its_recipients_byte_for_byte() {
    let samples = fixtures();
    assert!(samples.len() >= 20, "{}", samples.len());
    let site = site_for(&samples);
    let gateway = site.start();
    for sample in &samples {
        pass(&site, &gateway, sample).await;
    }
    assert_eq!(gateway.stop(), Some(0));
}

/// Files from outside the repository, where `TRUC_EDXML_SAMPLES` names their folder.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "which files were tried")]
async fn every_sample_goes_from_its_sender_to_its_recipients_byte_for_byte() {
    let Some(folder) = std::env::var_os("TRUC_EDXML_SAMPLES") else {
        return println!("TRUC_EDXML_SAMPLES names no folder of samples");
    };
    let samples = samples(Path::new(&folder), "edoc_");
    assert!(!samples.is_empty(), "no edoc_*.edxml in {folder:?}");
    let site = site_for(&samples);
    let gateway = site.start();
    for sample in &samples {
        pass(&site, &gateway, sample).await;
        let to: Vec<&str> = sample.document.to.iter().map(|party| party.organ.as_str()).collect();
        println!("{}: {} bytes, {} -> {to:?}", sample.name, sample.bytes.len(), sample.document.from.organ);
    }
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_file_says_is_in_the_envelope() {
    let samples: Vec<Sample> = fixtures().into_iter().filter(|sample| sample.name == "new.edxml").collect();
    let site = site_for(&samples);
    let gateway = site.start();
    site.agency(&gateway, "G22").await.submit(edxml("m-1", samples[0].bytes.as_slice())).await.unwrap();
    let got = site.agency(&gateway, "H05").await.fetch(1, 10).await.remove(0);
    assert_eq!((got.recipient.as_str(), got.addressed_to.as_str()), ("H05", "H02"));
    let envelope = got.envelope.unwrap();
    assert_eq!((envelope.message_id.as_str(), envelope.sender.as_str()), ("m-1", "G22"));
    let expected = v1::DocumentHeader {
        recipients: vec!["H49".into(), "H02".into()],
        subject: "V/v thử nghiệm liên thông & bảo mật dữ liệu".into(),
        code: Some(v1::DocumentCode { number: "1234".into(), notation: "VD-TN".into() }),
        document_id: "000.00.00.G22,2025/07/02,1234/VD-TN".into(),
        promulgation_date: "2025-07-02".into(),
        promulgation_place: "Thành phố Mẫu".into(),
        document_type: "Công văn thử nghiệm".into(),
        urgency: v1::Urgency::Normal.into(),
        secrecy: v1::Secrecy::None.into(),
        due_date: "2025-07-31".into(),
        signer: Some(v1::Signer {
            competence: "TL. THỦ TRƯỞNG".into(),
            position: "Chánh Văn phòng thử nghiệm".into(),
            full_name: "Nguyễn Văn Mẫu".into(),
        }),
        content: "Trích yếu dài hơn của văn bản thử nghiệm".into(),
    };
    assert_eq!(envelope.header, Some(expected));
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_priority_in_the_file_decides_the_lane() {
    let samples = fixtures();
    let site = site_for(&samples);
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    let file = |name: &str| samples.iter().find(|sample| sample.name == name).unwrap().bytes.as_slice();
    g22.submit(edxml("normal", file("variance_mixed_organ_ids.edxml"))).await.unwrap();
    g22.submit(edxml("urgent-1", file("variance_e_doc_vn_schema.edxml"))).await.unwrap();
    g22.submit(edxml("urgent-2", file("variance_go_vn_edoc.edxml"))).await.unwrap();
    let h49_12 = site.agency(&gateway, "H49.12").await;
    let mut got = Vec::new();
    while got.len() < 3 {
        got.extend(h49_12.fetch(10, 10).await);
    }
    let ids: Vec<&str> = got.iter().map(|d| d.envelope.as_ref().unwrap().message_id.as_str()).collect();
    assert_eq!(ids, ["urgent-1", "urgent-2", "normal"]);
    let urgency = |n: usize| got[n].envelope.as_ref().unwrap().header.as_ref().unwrap().urgency();
    assert_eq!((urgency(0), urgency(2)), (v1::Urgency::Urgent, v1::Urgency::Normal));
    assert_eq!(gateway.stop(), Some(0));
}
