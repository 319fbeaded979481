//! Every limit that is a fact of the field or of the contract, in one place. Limits an operator sets are in
//! `config/truc.default.toml`; their bounds are here.

/// Longest organ id, characters (QĐ 20/2020/QĐ-TTg).
pub const ORGAN_ID_CHARS_MAX: usize = 35;
/// Most dot groups of an organ id (QCVN 102:2016/BTTTT).
pub const ORGAN_ID_GROUPS_MAX: usize = 4;

/// Longest message id, characters.
pub const MESSAGE_ID_CHARS_MAX: usize = 128;
/// Most recipients of one message.
pub const RECIPIENTS_MAX: usize = 500;
/// Most earlier messages one message changes.
pub const CHANGE_TARGETS_MAX: usize = 20;
/// Longest subject, abstract, organ address and attachment name, characters (edXML).
pub const SUBJECT_CHARS_MAX: usize = 500;
/// Longest organ name, characters (edXML).
pub const ORGAN_NAME_CHARS_MAX: usize = 200;
/// Most organs that take over from one.
pub const SUCCESSORS_MAX: usize = 16;
/// Largest reform file, bytes.
pub const REFORM_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most other organs whose certificates speak for one.
pub const CERTIFICATE_BINDINGS_MAX: usize = 16;
/// Longest e-mail address, characters (edXML).
pub const EMAIL_CHARS_MAX: usize = 100;
/// Longest telephone, fax and website, characters (edXML).
pub const TELEPHONE_CHARS_MAX: usize = 20;
/// Longest document number, characters (edXML).
pub const CODE_NUMBER_CHARS_MAX: usize = 11;
/// Longest document notation, characters (edXML).
pub const CODE_NOTATION_CHARS_MAX: usize = 30;
/// Longest place of promulgation, characters (edXML).
pub const PLACE_CHARS_MAX: usize = 50;
/// Longest name of a document type, characters (edXML).
pub const TYPE_NAME_CHARS_MAX: usize = 100;
/// Longest place a document is sent to, characters (edXML).
pub const TO_PLACE_CHARS_MAX: usize = 150;
/// Longest id the sender's system gives a document, characters.
pub const DOCUMENT_ID_CHARS_MAX: usize = 200;
/// Longest part of a signer's description, characters.
pub const SIGNER_CHARS_MAX: usize = 100;
/// Longest media type, characters (RFC 6838: 127 each side of the slash; nobody needs more in all).
pub const MEDIA_TYPE_CHARS_MAX: usize = 127;
/// Longest reason a recipient gives, characters.
pub const REASON_CHARS_MAX: usize = 1_000;

/// Longest part of what a report says of the clerk who acted, characters.
pub const STAFF_CHARS_MAX: usize = 1_000;
/// Reports of one delivery after which no further stage of work is recorded, only its end.
pub const STATUS_REPORTS_MAX: u32 = 200;
/// Largest edXML status file, bytes; real ones have 2,000.
pub const STATUS_FILE_BYTES_MAX: usize = 64 * 1024;
/// Most status reports in one message.
pub const REPORTS_MAX: usize = 1_000;

/// Most unsettled deliveries of one collector.
pub const WINDOW_MAX: u32 = 1_000;
/// Unsettled deliveries of a collector that names no window.
pub const WINDOW_DEFAULT: u32 = 32;
/// Most settlements in one message.
pub const SETTLEMENTS_MAX: usize = 1_000;
/// Most deliveries of one Fetch.
pub const FETCH_MAX: u32 = 100;
/// Deliveries of a Fetch that names no number.
pub const FETCH_DEFAULT: u32 = 10;
/// Longest wait of a Fetch, seconds.
pub const FETCH_WAIT_S_MAX: u64 = 60;
/// Shortest lease, seconds.
pub const LEASE_S_MIN: u64 = 5;
/// Longest lease, seconds.
pub const LEASE_S_MAX: u64 = 3_600;
/// Lease of a collector that names none, seconds.
pub const LEASE_S_DEFAULT: u64 = 60;
/// Farthest a recipient can put off the next attempt, seconds.
pub const DEFER_S_MAX: u64 = 86_400;
/// Most receipts in one response.
pub const RECEIPTS_PAGE_MAX: usize = 500;
/// Most messages in one page of a list.
pub const LIST_PAGE_MAX: u32 = 200;
/// Messages in a page of a list that names no size.
pub const LIST_PAGE_DEFAULT: u32 = 50;
/// Farthest apart of the days for which the figures of the duty are asked.
pub const DUTY_DAYS_MAX: i32 = 366;
/// Days before the last one where no first one is named.
pub const DUTY_DAYS_DEFAULT: i32 = 30;
/// Most organs in one page of the directory.
pub const ORGANS_PAGE_MAX: u32 = 1_000;
/// Organs in a page of the directory that names no size.
pub const ORGANS_PAGE_DEFAULT: u32 = 100;

/// Longest sequence of a dossier code, digits.
pub const DOSSIER_SEQUENCE_DIGITS_MAX: usize = 12;
/// Longest code of a procedure, characters.
pub const PROCEDURE_CODE_CHARS_MAX: usize = 64;
/// Most steps of one dossier; real ones have five to ten.
pub const DOSSIER_STEPS_MAX: u32 = 1_000;
/// How far a step may be ahead of those that have been shown.
pub const DOSSIER_GAP_STEPS_MAX: u32 = 100;
/// Longest name, position and department of who worked on a dossier, characters.
pub const DOSSIER_ACTOR_CHARS_MAX: usize = 200;
/// Longest note of a step, characters.
pub const DOSSIER_NOTE_CHARS_MAX: usize = 1_000;
/// Longest code of a publisher's own system and longest name of its set, characters.
pub const OWN_CODE_CHARS_MAX: usize = 64;
/// Most documents a step refers to.
pub const DOSSIER_DOCUMENTS_MAX: usize = 20;
/// Most steps in one message.
pub const DOSSIER_STEPS_BATCH_MAX: usize = 500;
/// Most events in one response.
pub const DOSSIER_EVENTS_PAGE_MAX: usize = 500;
/// Most dossiers in one comparison; some sixty bytes of memory each.
pub const COMPARE_DOSSIERS_MAX: usize = 2_000_000;
/// Most dossiers of a node that is answered by its dossiers, not by its children.
pub const COMPARE_LISTED_MAX: usize = 64;
/// Most nodes in one request of a comparison.
pub const COMPARE_NODES_MAX: usize = 500;
/// Most dossiers whose fingerprints are asked for in one request of a comparison.
pub const COMPARE_CODES_MAX: usize = 100;
/// Most procedures or statuses in one filter.
pub const DOSSIER_FILTER_MAX: usize = 100;
/// Longest name of a consumer, characters.
pub const CONSUMER_NAME_CHARS_MAX: usize = 64;
/// Most consumers of one organ.
pub const CONSUMERS_PER_ORGAN_MAX: usize = 100;
/// Most connections that share one consumer.
pub const CONSUMER_SHARES_MAX: u32 = 64;
/// Most dead letters in one page, and most that are named in one call.
pub const DEAD_LETTERS_MAX: u32 = 1_000;
/// Dead letters in a page that names no size.
pub const DEAD_LETTERS_DEFAULT: u32 = 100;
/// Most dead letters one call decides about by a filter.
pub const DEAD_LETTERS_DECIDED_MAX: u32 = 10_000;
/// Most holds in one page.
pub const HOLDS_PAGE_MAX: u32 = 1_000;
/// Holds in a page that names no size.
pub const HOLDS_PAGE_DEFAULT: u32 = 100;
/// Longest endpoint of a push link, characters.
pub const ENDPOINT_CHARS_MAX: usize = 300;
/// Most deliveries a push link can have on their way.
pub const PUSH_WINDOW_MAX: u32 = 256;
/// Deliveries on their way of a push link that names no number.
pub const PUSH_WINDOW_DEFAULT: u32 = 16;
/// Shortest time a push link can give a call, seconds.
pub const PUSH_TIMEOUT_S_MIN: u64 = 1;
/// Longest time a push link can give a call, seconds.
pub const PUSH_TIMEOUT_S_MAX: u64 = 300;
/// Time a call has on a push link that names none, seconds.
pub const PUSH_TIMEOUT_S_DEFAULT: u64 = 30;
/// The slowest line a large document is brought over, bytes a second.
pub const PUSH_LINE_BYTES_PER_S: u64 = 64 * 1024;

/// Largest payload an operator can allow, bytes: four times the 50 MB of a real hub.
pub const PAYLOAD_BYTES_CEILING: usize = 200 * 1024 * 1024;
/// What a gRPC message may hold beside its payload, bytes.
pub const ENVELOPE_BYTES_MAX: usize = 1024 * 1024;

const _: () = {
    assert!(WINDOW_DEFAULT <= WINDOW_MAX);
    assert!(FETCH_DEFAULT <= FETCH_MAX && FETCH_MAX <= WINDOW_MAX);
    assert!(WINDOW_MAX as usize <= SETTLEMENTS_MAX, "a full window settles in one message");
    assert!(LEASE_S_MIN < LEASE_S_DEFAULT && LEASE_S_DEFAULT < LEASE_S_MAX);
    assert!(LIST_PAGE_DEFAULT <= LIST_PAGE_MAX && ORGANS_PAGE_DEFAULT <= ORGANS_PAGE_MAX);
    assert!(DOSSIER_GAP_STEPS_MAX < DOSSIER_STEPS_MAX);
    // The largest answers of a comparison fit into what gRPC clients take by default, 4 MiB.
    assert!(COMPARE_NODES_MAX * COMPARE_LISTED_MAX * 100 < 4 * 1024 * 1024);
    assert!(COMPARE_CODES_MAX * DOSSIER_STEPS_MAX as usize * 26 < 4 * 1024 * 1024);
    // The longest step, 4 bytes a character, fits into a message with as many as there may be of usual length.
    assert!(
        4 * (3 * DOSSIER_ACTOR_CHARS_MAX + DOSSIER_NOTE_CHARS_MAX + 4 * OWN_CODE_CHARS_MAX)
            + DOSSIER_DOCUMENTS_MAX * (ORGAN_ID_CHARS_MAX + MESSAGE_ID_CHARS_MAX + 8)
            + DOSSIER_STEPS_BATCH_MAX * 1_024
            < ENVELOPE_BYTES_MAX
    );
    // The longest header fits beside the payload: 4 bytes a character, every recipient, the long texts.
    assert!(
        RECIPIENTS_MAX * (ORGAN_ID_CHARS_MAX + 4)
            + 4 * (2 * SUBJECT_CHARS_MAX + DOCUMENT_ID_CHARS_MAX + 1_000)
            < ENVELOPE_BYTES_MAX
    );
};
