//! ZIP attachments, good and bad.

use std::io::{Cursor, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;

fn zip_of(entries: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn deflated(entries: &[(&str, &[u8])]) -> Vec<u8> {
    zip_of(entries, CompressionMethod::Deflated)
}

fn look(bytes: &[u8], inflated_max: u64) -> Result<Option<Entry>, BadArchive> {
    assert!(is_zip(bytes));
    let text = STANDARD.encode(bytes);
    read_entry(&Transfer::check(text.as_bytes()).unwrap(), inflated_max)
}

fn with(mut bytes: Vec<u8>, at: usize, new: &[u8]) -> Vec<u8> {
    bytes[at..at + new.len()].copy_from_slice(new);
    bytes
}

fn find(bytes: &[u8], signature: &[u8; 4]) -> usize {
    bytes.windows(4).rposition(|w| w == signature).unwrap()
}

#[test]
fn one_entry_is_counted() {
    let content = b"so van ban ".repeat(20_000);
    for method in [CompressionMethod::Deflated, CompressionMethod::Stored] {
        let entry = look(&zip_of(&[("a1.pdf", &content)], method), content.len() as u64).unwrap().unwrap();
        assert_eq!(entry, Entry { name: "a1.pdf".into(), bytes: content.len() as u64 });
    }
    assert_eq!(look(&deflated(&[("empty", b"")]), 0).unwrap().unwrap().bytes, 0);
}

#[test]
fn an_entry_followed_by_a_data_descriptor_is_counted() {
    let mut writer = ZipWriter::new_stream(Vec::new());
    writer.start_file("a1.pdf", SimpleFileOptions::default()).unwrap();
    writer.write_all(&b"so van ban ".repeat(100)).unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    assert_eq!(bytes[6] & 8, 8, "has a descriptor");
    assert_eq!(look(&bytes, 2_000).unwrap().unwrap().bytes, 1_100);
}

#[test]
fn other_numbers_of_entries_are_refused() {
    assert_eq!(look(&deflated(&[]), 9), Err(BadArchive::NotOneEntry(0)));
    assert_eq!(look(&deflated(&[("a", b"1"), ("b", b"2")]), 9), Err(BadArchive::NotOneEntry(2)));
    let names: Vec<String> = (0..3_000).map(|n| n.to_string()).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (&**name, &b""[..])).collect();
    assert_eq!(look(&deflated(&entries), 9), Err(BadArchive::NotOneEntry(3_000)));
}

#[test]
fn office_files_are_files_of_their_own() {
    let word = deflated(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", b"<w/>")]);
    let open =
        deflated(&[("mimetype", b"application/vnd.oasis.opendocument.text"), ("content.xml", b"<o/>")]);
    assert_eq!(look(&word, 9), Ok(None));
    assert_eq!(look(&open, 9), Ok(None));
}

#[test]
fn inflated_bytes_are_counted_not_believed() {
    let bomb = deflated(&[("bomb", &vec![0; 3_000_000])]);
    assert!(bomb.len() < 10_000);
    assert_eq!(look(&bomb, 2_999_999), Err(BadArchive::TooLarge));
    assert_eq!(look(&bomb, 3_000_000).unwrap().unwrap().bytes, 3_000_000);
    let directory = find(&bomb, b"PK\x01\x02");
    let claims_little = with(with(bomb, 22, &[1, 0, 0, 0]), directory + 24, &[1, 0, 0, 0]);
    assert_eq!(look(&claims_little, 2_999_999), Err(BadArchive::TooLarge));
}

#[test]
fn damaged_archives_are_refused() {
    let good = deflated(&[("a1.pdf", &b"so van ban ".repeat(50))]);
    let (directory, end) = (find(&good, b"PK\x01\x02"), find(&good, b"PK\x05\x06"));
    let second_start = [&good[..directory], &good[..directory], &good[directory..]].concat();
    let moved = with(second_start.clone(), find(&second_start, b"PK\x05\x06") + 16, &{
        (2 * directory as u32).to_le_bytes()
    });
    for (what, bytes) in [
        ("cut before the end", good[..end].to_vec()),
        ("cut in the data", good[..directory - 4].to_vec()),
        ("cut in the end record", good[..end + 20].to_vec()),
        ("only the first bytes", b"PK\x03\x04".to_vec()),
        ("something after the end", [&good[..], b"tail"].concat()),
        ("a changed byte of data", with(good.clone(), 45, &[good[45] ^ 0x55])),
        ("another checksum", with(good.clone(), directory + 16, &[1, 2, 3, 4])),
        ("encrypted", with(with(good.clone(), 6, &[1]), directory + 8, &[1])),
        ("an unknown method", with(with(good.clone(), 8, &[98]), directory + 10, &[98])),
        ("two counts that differ", with(good.clone(), end + 8, &[2])),
        ("a directory elsewhere", with(good.clone(), end + 16, &[0, 0, 0, 0])),
        ("ZIP64 placeholders", with(good.clone(), end + 16, &[0xFF; 4])),
        ("an entry elsewhere", with(good.clone(), directory + 42, &[9, 0, 0, 0])),
        ("a hidden second entry", moved),
        ("a folder", zip_of(&[("folder/", b"")], CompressionMethod::Stored)),
        ("a name too long", deflated(&[(&"x".repeat(ENTRY_NAME_CHARS_MAX + 1), b"1")])),
    ] {
        assert_eq!(look(&bytes, 10_000), Err(BadArchive::Damaged), "{what}");
    }
}
