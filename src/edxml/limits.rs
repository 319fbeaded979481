//! What a hostile edXML file may cost the gateway. The lengths of single fields are in `domain::limits`.

/// Deepest nesting of elements; real files have 10 levels.
pub const DEPTH_MAX: usize = 32;
/// Most attributes of one element, namespace declarations included.
pub const ATTRIBUTES_MAX: usize = 64;
/// Most elements of one file: 500 recipients are 4,500.
pub const ELEMENTS_MAX: usize = 20_000;
/// Longest text of one header element, bytes; past it nothing more is gathered.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Most bytes all ZIP attachments of one file may inflate to.
pub const INFLATED_BYTES_MAX: u64 = 200 * 1024 * 1024;
/// Longest name of the one entry of a ZIP attachment, characters.
pub const ENTRY_NAME_CHARS_MAX: usize = 500;
/// Longest header text for which the field knows no limit, characters.
pub const TEXT_CHARS_MAX: usize = 1_000;
