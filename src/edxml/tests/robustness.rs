//! Whatever arrives, the reader answers; it never panics and never reads a cut file.

use proptest::prelude::*;

use super::*;

fn any_fixture() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![NEW, UPDATE, REPLACEMENT, REVOCATION, REFUSED])
}

fn any_piece() -> impl Strategy<Value = Vec<u8>> {
    let markup = prop::sample::select(vec![
        "<",
        ">",
        "/>",
        "</",
        "&",
        ";",
        "&#",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?",
        "?>",
        "<!DOCTYPE a>",
        "\"",
        "=",
        "xmlns=\"\"",
        "<edXML:To>",
        "</edXML:To>",
        "null",
        "ậ",
        "\u{0}",
        "\u{FEFF}",
        "PK\u{3}\u{4}",
        "UEsDB",
        "=",
    ]);
    prop_oneof![markup.prop_map(|text| text.as_bytes().to_vec()), prop::collection::vec(any::<u8>(), 0..9)]
}

proptest! {
    #[test]
    fn random_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn random_markup_is_answered(pieces in prop::collection::vec(any_piece(), 0..60)) {
        prop_assert!(read(&pieces.concat()).is_err());
    }

    #[test]
    fn changed_files_are_answered(
        file in any_fixture(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0usize..40, any_piece()), 1..6),
    ) {
        let mut bytes = file.as_bytes().to_vec();
        for (place, removed, piece) in edits {
            let at = place.index(bytes.len());
            let end = (at + removed).min(bytes.len());
            bytes.splice(at..end, piece);
        }
        if let Err(refusal) = read(&bytes) {
            prop_assert!(!refusal.hint_text().is_empty(), "{}", refusal);
        }
    }

    #[test]
    fn cut_files_are_refused(file in any_fixture(), place in any::<prop::sample::Index>()) {
        let whole = file.trim_end();
        let cut = &whole.as_bytes()[..place.index(whole.len())];
        prop_assert!(read(cut).is_err());
    }
}
