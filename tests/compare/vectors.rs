//! The examples of `docs/compare.md` hold: for this program, and for one in another language that was written by the page.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use truc::domain::dossier::{Digests, DossierDigest, Node};
use truc::proto::{dossier, v1};

/// The blocks of JSON in the page: the steps, and what is made of them.
fn examples() -> (Value, Value) {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/compare.md")).unwrap();
    let mut blocks = page.split("```json\n").skip(1).map(|rest| {
        let (block, _) = rest.split_once("```").unwrap();
        serde_json::from_str(block).unwrap()
    });
    (blocks.next().unwrap(), blocks.next().unwrap())
}

fn step(written: &Value) -> v1::DossierStep {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let time = |value: &Value| {
        let at = OffsetDateTime::parse(value.as_str()?, &Rfc3339).unwrap();
        Some(prost_types::Timestamp { seconds: at.unix_timestamp(), nanos: at.nanosecond() as i32 })
    };
    let (own, actor) = (&written["own_status"], &written["actor"]);
    let documents = written["documents"].as_array().into_iter().flatten();
    v1::DossierStep {
        dossier_code: text(&written["dossier_code"]),
        step: written["step"].as_u64().unwrap() as u32,
        procedure_code: text(&written["procedure_code"]),
        status: written["status"].as_i64().unwrap_or(0) as i32,
        own_status: own
            .is_object()
            .then(|| v1::OwnStatusCode { code_set: text(&own["code_set"]), code: text(&own["code"]) }),
        actor: Some(v1::DossierActor {
            name: text(&actor["name"]),
            position: text(&actor["position"]),
            department: text(&actor["department"]),
        }),
        occurred_time: time(&written["occurred_time"]),
        due_time: time(&written["due_time"]),
        start_time: time(&written["start_time"]),
        note: text(&written["note"]),
        documents: documents
            .map(|link| v1::DossierDocument {
                sender: text(&link["sender"]),
                message_id: text(&link["message_id"]),
            })
            .collect(),
    }
}

#[test]
fn the_examples_hold_here() {
    let (steps, made) = examples();
    let contents: Vec<_> =
        steps.as_array().unwrap().iter().map(|written| dossier::content(&step(written)).unwrap()).collect();
    let fingerprints: Vec<_> = contents.iter().map(|step| format!("{:?}", step.fingerprint())).collect();
    assert_eq!(json!(fingerprints), made["fingerprints"]);
    let of = |code: &str| {
        let of = contents.iter().filter(|step| step.dossier.as_str() == code);
        DossierDigest::of(of.map(|step| (step.number, step.fingerprint())))
    };
    let dossiers = made["dossiers"].as_object().unwrap();
    let digests = Digests::of(dossiers.keys().map(|code| (code.as_str(), of(code))));
    for (code, said) in dossiers {
        assert_eq!(format!("{:?}", of(code)), said["digest"].as_str().unwrap());
        let node = Node::parse(said["place"].as_str().unwrap()).unwrap();
        let there: Vec<_> = digests.dossiers(node).map(|found| found.code).collect();
        assert_eq!(there, [code]);
    }
    assert_eq!(format!("{:032x}", digests.sum(Node::ROOT).sum), made["sum"].as_str().unwrap());
}

#[test]
fn the_examples_hold_elsewhere() {
    let (steps, made) = examples();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compare/vectors.py");
    let mut python = Command::new("python3");
    let mut python = python.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    python.stdin.take().unwrap().write_all(steps.to_string().as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), made);
}
