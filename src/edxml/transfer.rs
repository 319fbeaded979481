//! Base64 content read where it lies in the file, block by block.

use std::io::{self, Read, Seek, SeekFrom};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Bytes of a block, and the base64 characters they take.
const BLOCK: usize = 48 * 1024;
const BLOCK_CHARS: usize = BLOCK / 3 * 4;

/// The content is not base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the content is not base64")]
pub(super) struct NotBase64;

/// Base64 text that has been checked from end to end.
#[derive(Debug)]
pub(super) struct Transfer<'x> {
    text: &'x [u8],
    /// Where the text of each block starts.
    starts: Vec<usize>,
    len: u64,
}

impl<'x> Transfer<'x> {
    /// Checks a text: RFC 4648 base64 with padding; white space and references to it (`&#13;`) may stand anywhere.
    pub fn check(text: &'x [u8]) -> Result<Self, NotBase64> {
        let (mut starts, mut len, mut at) = (Vec::new(), 0, 0);
        let mut block = Block::for_text(text);
        while at < text.len() {
            let (used, bytes) = block.decode(&text[at..])?;
            // A block short of its bytes is the last: padding stands at the end only.
            if bytes > 0 && len % BLOCK as u64 != 0 {
                return Err(NotBase64);
            }
            if bytes > 0 {
                starts.push(at);
            }
            len += bytes as u64;
            at += used;
        }
        Ok(Self { text, starts, len })
    }

    /// How many bytes the text stands for.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// A reader over those bytes.
    pub fn reader(&self) -> Reader<'_> {
        Reader { transfer: self, position: 0, loaded: None, block: Block::for_text(self.text) }
    }
}

/// The bytes of one block.
struct Block {
    bytes: Vec<u8>,
    /// The characters of a block without the white space between them.
    compact: Vec<u8>,
}

impl Block {
    fn for_text(text: &[u8]) -> Self {
        Self { bytes: vec![0; BLOCK.min(text.len())], compact: Vec::new() }
    }

    /// Decodes the block a text starts with: how much of the text it takes, and how many bytes it gives.
    fn decode(&mut self, text: &[u8]) -> Result<(usize, usize), NotBase64> {
        if let Some(plain) = text.get(..BLOCK_CHARS)
            && let Ok(bytes) = STANDARD.decode_slice(plain, &mut self.bytes)
        {
            return Ok((BLOCK_CHARS, bytes));
        }
        let used = self.compact(text)?;
        let bytes = STANDARD.decode_slice(&self.compact, &mut self.bytes).map_err(|_| NotBase64)?;
        Ok((used, bytes))
    }

    fn compact(&mut self, text: &[u8]) -> Result<usize, NotBase64> {
        self.compact.clear();
        let mut at = 0;
        while at < text.len() && self.compact.len() < BLOCK_CHARS {
            let room = (text.len() - at).min(BLOCK_CHARS - self.compact.len());
            let run = &text[at..at + room];
            let run = &run[..run.iter().position(|b| *b <= b' ' || *b == b'&').unwrap_or(room)];
            self.compact.extend_from_slice(run);
            at += run.len();
            if run.len() < room {
                at += blank_at(&text[at..]).ok_or(NotBase64)?;
            }
        }
        Ok(at)
    }
}

/// The length of one white-space character, or of a reference to one.
fn blank_at(text: &[u8]) -> Option<usize> {
    const REFERENCE_MAX: usize = 8;
    if text[0].is_ascii_whitespace() {
        return Some(1);
    }
    let end = text.iter().take(REFERENCE_MAX).position(|b| *b == b';')?;
    let number = std::str::from_utf8(text[..end].strip_prefix(b"&#")?).ok()?;
    let code = match number.strip_prefix('x') {
        Some(digits) => u8::from_str_radix(digits, 16).ok()?,
        None => number.parse().ok()?,
    };
    code.is_ascii_whitespace().then_some(end + 1)
}

/// Reads a transfer's bytes, one block in memory at a time.
pub(super) struct Reader<'t> {
    transfer: &'t Transfer<'t>,
    position: u64,
    loaded: Option<(usize, usize)>,
    block: Block,
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let index = usize::try_from(self.position / BLOCK as u64).unwrap_or(usize::MAX);
        let Some(start) = self.transfer.starts.get(index) else { return Ok(0) };
        let bytes = match self.loaded {
            Some((loaded, bytes)) if loaded == index => bytes,
            _ => {
                let (_, bytes) =
                    self.block.decode(&self.transfer.text[*start..]).map_err(io::Error::other)?;
                self.loaded = Some((index, bytes));
                bytes
            }
        };
        let skip = (self.position % BLOCK as u64) as usize;
        let rest = self.block.bytes[..bytes].get(skip..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Reader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.transfer.len.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wrapped(text: &str, width: usize, line_end: &str) -> String {
        let lines: Vec<&str> =
            text.as_bytes().chunks(width).map(|l| std::str::from_utf8(l).unwrap()).collect();
        format!("{line_end}{}{line_end}", lines.join(line_end))
    }

    fn read_back(text: &[u8]) -> Vec<u8> {
        let transfer = Transfer::check(text).unwrap();
        let mut bytes = Vec::new();
        transfer.reader().read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, transfer.len());
        bytes
    }

    #[test]
    fn what_is_not_base64_is_found_wherever_it_is() {
        let long = STANDARD.encode(vec![7u8; 3 * BLOCK]);
        let mut broken = long.clone().into_bytes();
        broken[BLOCK_CHARS + 5] = b'!';
        let padded_inside =
            format!("{}{}", STANDARD.encode(vec![7u8; BLOCK - 1]), STANDARD.encode([1, 2, 3]));
        for text in
            ["QQ", "QQ=", "QR==", "Q===", "=", "QQ==QQ==", "QUI&amp;", "QUI&#65;", "QUI&", "QUI\u{1}", "-_-_"]
        {
            assert!(Transfer::check(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Transfer::check(&broken).is_err());
        assert!(Transfer::check(padded_inside.as_bytes()).is_err());
        assert!(Transfer::check(&long.as_bytes()[..long.len() - 1]).is_err());
        assert_eq!(Transfer::check(b" \r\n").unwrap().len(), 0);
    }

    proptest! {
        #[test]
        fn bytes_come_back_however_the_text_is_wrapped(
            len in prop_oneof![0usize..300, BLOCK - 4..BLOCK + 4, 2 * BLOCK - 4..2 * BLOCK + 4],
            width in prop_oneof![Just(1_000_000usize), 64usize..80],
            line_end in prop_oneof![Just("\n"), Just("\r\n"), Just("&#13;\n"), Just("&#xD;"), Just(" ")],
            seed: u8,
        ) {
            let bytes: Vec<u8> = (0..len).map(|n| (n as u8).wrapping_mul(31).wrapping_add(seed)).collect();
            let text = wrapped(&STANDARD.encode(&bytes), width, line_end);
            prop_assert_eq!(read_back(text.as_bytes()), bytes);
        }

        #[test]
        fn any_place_can_be_read(from in 0usize..2 * BLOCK + 9, count in 1usize..9) {
            let bytes: Vec<u8> = (0..2 * BLOCK + 7).map(|n| (n / 7) as u8).collect();
            let text = wrapped(&STANDARD.encode(&bytes), 76, "\r\n");
            let transfer = Transfer::check(text.as_bytes()).unwrap();
            let mut reader = transfer.reader();
            reader.seek(SeekFrom::Start(from as u64)).unwrap();
            let mut found = Vec::new();
            reader.take(count as u64).read_to_end(&mut found).unwrap();
            let expected = &bytes[from.min(bytes.len())..(from + count).min(bytes.len())];
            prop_assert_eq!(found, expected);
        }
    }
}
