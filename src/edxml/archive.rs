//! ZIP attachments: one entry, inflated once to count its bytes, never kept and never entered.

use std::io::{self, Read, Seek, SeekFrom};

use zip::ZipArchive;
use zip::read::{ArchiveOffset, Config};

use super::limits::ENTRY_NAME_CHARS_MAX;
use super::transfer::{Reader, Transfer};

/// Why a ZIP is not a good attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadArchive {
    /// No entry, or several.
    #[error("a ZIP attachment holds {0} entries")]
    NotOneEntry(u16),
    /// It inflates beyond the cap.
    #[error("the ZIP attachments inflate to more than the gateway reads")]
    TooLarge,
    /// It is cut, changed, encrypted, or uses what is not read.
    #[error("a ZIP attachment is damaged")]
    Damaged,
}

/// The one entry of a ZIP attachment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub name: String,
    pub bytes: u64,
}

/// Whether some bytes begin as a ZIP does; one without entries begins with its end.
pub(super) fn is_zip(start: &[u8]) -> bool {
    start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06")
}

/// Reads the one entry of a ZIP. Nothing for an office file (OOXML, OpenDocument), which is a ZIP of many entries itself.
pub(super) fn read_entry(transfer: &Transfer<'_>, inflated_max: u64) -> Result<Option<Entry>, BadArchive> {
    let mut reader = transfer.reader();
    let end = Ending::find(&mut reader, transfer.len())?;
    if end.entries != 1 {
        return match is_office_file(&mut reader) {
            true => Ok(None),
            false => Err(BadArchive::NotOneEntry(end.entries)),
        };
    }
    // With the directory pinned down, the ZIP reader has nothing to search for: its work is bounded.
    let config = Config { archive_offset: ArchiveOffset::Known(0) };
    let mut archive = ZipArchive::with_config(config, reader).map_err(|_| BadArchive::Damaged)?;
    let mut file = archive.by_index(0).map_err(|_| BadArchive::Damaged)?;
    let name = file.name().to_owned();
    if file.is_dir() || name.is_empty() || name.chars().count() > ENTRY_NAME_CHARS_MAX {
        return Err(BadArchive::Damaged);
    }
    // Some readers go by the directory, others by what lies before it: both must find the same single entry.
    const DESCRIPTOR_BYTES_MAX: u64 = 24;
    let data_end = file.data_start().and_then(|start| start.checked_add(file.compressed_size()));
    let gap = data_end.and_then(|end_of_data| end.directory.checked_sub(end_of_data));
    if file.header_start() != 0 || gap.is_none_or(|gap| gap > DESCRIPTOR_BYTES_MAX) {
        return Err(BadArchive::Damaged);
    }
    let mut limited = (&mut file).take(inflated_max.saturating_add(1));
    let bytes = io::copy(&mut limited, &mut io::sink()).map_err(|_| BadArchive::Damaged)?;
    match bytes > inflated_max {
        true => Err(BadArchive::TooLarge),
        false => Ok(Some(Entry { name, bytes })),
    }
}

/// The end-of-directory record.
struct Ending {
    entries: u16,
    directory: u64,
}

impl Ending {
    const BYTES: usize = 22;

    /// Finds it where it must be: at the very end, before a comment that reaches exactly to the end.
    fn find(reader: &mut Reader<'_>, len: u64) -> Result<Self, BadArchive> {
        let tail_len = len.min(Self::BYTES as u64 + u64::from(u16::MAX));
        let mut tail = Vec::new();
        reader.seek(SeekFrom::Start(len - tail_len)).map_err(|_| BadArchive::Damaged)?;
        reader.read_to_end(&mut tail).map_err(|_| BadArchive::Damaged)?;
        let at = tail.windows(4).rposition(|w| w == b"PK\x05\x06").ok_or(BadArchive::Damaged)?;
        let record = tail.get(at..at + Self::BYTES).ok_or(BadArchive::Damaged)?;
        let short = |at: usize| u16::from_le_bytes([record[at], record[at + 1]]);
        let long = |at: usize| u64::from(short(at)) | u64::from(short(at + 2)) << 16;
        let (entries, entries_here) = (short(10), short(8));
        let (size, directory) = (long(12), long(16));
        let at_end = at + Self::BYTES + usize::from(short(20)) == tail.len();
        let adjoining = directory + size == len - tail_len + at as u64;
        match at_end && adjoining && entries == entries_here {
            true => Ok(Self { entries, directory }),
            false => Err(BadArchive::Damaged),
        }
    }
}

/// By the name of the first entry, which the formats fix or their writers agree on.
fn is_office_file(reader: &mut Reader<'_>) -> bool {
    const NAME_AT: usize = 30;
    const FIRST: [&[u8]; 7] =
        [b"[Content_Types].xml", b"mimetype", b"_rels/", b"docProps/", b"word/", b"xl/", b"ppt/"];
    let mut start = Vec::new();
    let read = reader.seek(SeekFrom::Start(0)).and_then(|_| reader.take(64).read_to_end(&mut start));
    read.is_ok() && start.get(NAME_AT..).is_some_and(|name| FIRST.iter().any(|first| name.starts_with(first)))
}

#[cfg(test)]
mod tests;
