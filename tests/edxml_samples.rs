//! Reads whole files: the synthetic ones of this repository and, where `TRUC_EDXML_SAMPLES` names a folder, the
//! `*.edxml` files in it. Every text of the header must be found in what was read.

use std::path::{Path, PathBuf};

use truc::domain::organ_id::OrganId;
use truc::edxml::{self, Edxml};

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder of samples can be read")
        .map(|entry| entry.expect("its entries can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "edxml"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no edXML files in {}", folder.display());
    files
}

/// The elements of a header that hold a text: local name and text, found without an XML reader.
fn header_texts(file: &str) -> Vec<(&str, String)> {
    let signature = file.find("<Signature").unwrap_or(file.len());
    let body = file.find("edXMLBody>").unwrap_or(file.len());
    let end = file.find("</edXMLEnvelope>").or(file.find("</EdXMLEnvelope>")).unwrap_or(file.len());
    let header = &file[..signature.min(body).min(end)];
    let tags: Vec<&str> = header.split('<').collect();
    let mut texts = Vec::new();
    for pair in tags.windows(2) {
        let Some((tag, text)) = pair[0].split_once('>') else { continue };
        let is_leaf = !tag.is_empty() && pair[1].strip_prefix('/').is_some_and(|end| end.starts_with(tag));
        if is_leaf && !text.trim().is_empty() {
            texts.push((tag.rsplit(':').next().unwrap_or(tag), text.trim().replace("&amp;", "&")));
        }
    }
    texts
}

/// How a text of the header must show in the debug form of what was read.
fn expected(name: &str, text: &str) -> Option<String> {
    match name {
        "OrganId" => OrganId::parse(text).ok().map(|organ| organ.to_string()),
        // Numbers and dates have forms of their own; `edxml`'s unit tests look at them.
        "PromulgationDate" | "DueDate" | "Timestamp" | "Priority" | "SteeringType" | "StatusCode" => None,
        "BussinessDocType" | "ReceiverType" | "DocumentInfo" | "DocumentReceiver" => None,
        "Content" if text.len() > 500 => None,
        _ => Some(format!("{text:?}")),
    }
}

#[test]
fn edxml_samples_are_read_with_every_header_field() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/edxml")];
    folders.extend(std::env::var_os("TRUC_EDXML_SAMPLES").map(PathBuf::from));
    for path in folders.iter().flat_map(|folder| files_in(folder)) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let file = std::fs::read_to_string(&path).unwrap();
        let read = edxml::read(file.as_bytes()).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        assert_eq!(name.starts_with("status_"), matches!(read, Edxml::Status(_)), "{name}");
        let shown = format!("{read:?}");
        let texts = header_texts(&file);
        assert!(texts.len() >= 14, "{name}: {} texts", texts.len());
        for (element, text) in texts {
            if let Some(expected) = expected(element, &text) {
                assert!(shown.contains(&expected), "{name}: {element} {expected} is missing in {shown}");
            }
        }
    }
}
