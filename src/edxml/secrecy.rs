//! State-secret markings. QCVN 102 has no field for them, so they are looked for where people put them.

use unicode_normalization::UnicodeNormalization;

use super::layout::Layout;
use super::refusals::state_secret;
use super::xml::Element;
use crate::domain::refusal::Refusal;

/// The levels (Law on Protection of State Secrets), the longest first.
const LEVELS: [&str; 3] = ["TUYỆT MẬT", "TỐI MẬT", "MẬT"];
/// The label senders put before a level.
const LABEL: &str = "độ mật";
/// Elements some senders add for a level.
const LEVEL_ELEMENTS: [&str; 5] =
    ["SecurityLevel", "SecretLevel", "Secrecy", "DoMat", "ConfidentialityLevel"];
/// What stands in such an element when the document is no secret.
const NO_LEVEL: [&str; 11] =
    ["", "0", "none", "normal", "null", "false", "thường", "thuong", "không", "khong", "không mật"];
/// Second syllables that make MẬT at the start of a text an ordinary word: password, code, density, honey...
const COMPOUNDS: [&str; 20] = [
    "khẩu", "mã", "độ", "ong", "thư", "vụ", "thiết", "ngọt", "gấu", "mía", "danh", "hiệu", "lệnh", "ước",
    "viện", "tông", "giáo", "hoa", "dừa", "rừng",
];

/// The level a text is marked with: `MẬT`, `TỐI MẬT` or `TUYỆT MẬT`; nothing when it carries no marking.
///
/// A marking is a level in capitals at the start of the text, in brackets or set off by a dash or colon, or any
/// spelling of it after `Độ mật:`. The same letters inside a word or sentence (bảo mật, bí mật, mật khẩu) are no marking.
/// Composed and decomposed Unicode are the same.
pub fn secrecy_marking(text: &str) -> Option<&'static str> {
    // No ậ, composed or not, no marking: the usual text is done here.
    if !text.contains(|c| matches!(c, 'ậ' | 'Ậ' | '\u{300}'..='\u{36F}')) {
        return None;
    }
    let text = fold(text);
    after_label(&text).or_else(|| at_start(&text)).or_else(|| set_apart(&text))
}

/// Refuses elements that state a level of secrecy, wherever they are.
pub(super) fn check_elements(element: &Element<'_>, path: &str) -> Result<(), Refusal> {
    for child in &element.children {
        let states_level = LEVEL_ELEMENTS.iter().any(|name| child.name.eq_ignore_ascii_case(name));
        if states_level && !NO_LEVEL.contains(&fold(&child.text).to_lowercase().as_str()) {
            return Err(state_secret(&format!("{path}{}", child.name), secrecy_level(&child.text)));
        }
        match Layout::is_above_paths(child.name) {
            _ if child.children.is_empty() => {}
            true => check_elements(child, path)?,
            false => check_elements(child, &format!("{path}{}.", child.name))?,
        }
    }
    Ok(())
}

fn secrecy_level(text: &str) -> &'static str {
    level_at_start(&fold(text).to_uppercase()).map_or("stated", |(level, _)| level)
}

/// One form for what looks the same: composed, single spaces, no invisible characters.
fn fold(text: &str) -> String {
    let visible =
        text.nfkc().filter(|c| !matches!(c, '\u{200B}'..='\u{200D}' | '\u{2060}' | '\u{FEFF}' | '\u{AD}'));
    let mut folded = String::with_capacity(text.len());
    for c in visible {
        match c == '_' || c.is_whitespace() {
            true if folded.is_empty() || folded.ends_with(' ') => {}
            true => folded.push(' '),
            false => folded.push(c),
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

/// A level at the very start of a text, and what follows it.
fn level_at_start(text: &str) -> Option<(&'static str, &str)> {
    LEVELS.iter().find_map(|level| {
        let rest = text.strip_prefix(level)?;
        (!rest.starts_with(char::is_alphanumeric)).then_some((*level, rest))
    })
}

/// `Độ mật: Tối mật`, in any letter case, anywhere.
fn after_label(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    text.match_indices(LABEL).find_map(|(at, label)| {
        if text[..at].ends_with(char::is_alphanumeric) {
            return None;
        }
        let value = text[at + label.len()..].trim_start().strip_prefix([':', '=', '-', '–', '—'])?;
        let value = value.trim_start_matches(|c: char| !c.is_alphanumeric()).to_uppercase();
        level_at_start(&value).map(|(level, _)| level)
    })
}

/// `MẬT - Báo cáo`, `TỐI MẬT Báo cáo`, `[Mật] Báo cáo`; not `MẬT KHẨU`.
fn at_start(text: &str) -> Option<&'static str> {
    let start = text.trim_start_matches(|c: char| !c.is_alphanumeric());
    if let Some((level, rest)) = level_at_start(start) {
        let next = rest.trim_start().split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        let ordinary =
            level == "MẬT" && rest.starts_with(' ') && COMPOUNDS.contains(&next.to_lowercase().as_str());
        return (!ordinary).then_some(level);
    }
    let bracketed = text.starts_with(is_bracket);
    let alone = start.split(is_bracket).next().filter(|_| bracketed).unwrap_or(start);
    let alone = alone.trim_end_matches(|c: char| !c.is_alphanumeric());
    exactly_a_level(&alone.to_uppercase()).filter(|_| alone.starts_with(char::is_uppercase))
}

/// A level in capitals between brackets, dashes, bars or colons: `Báo cáo - MẬT`.
fn set_apart(text: &str) -> Option<&'static str> {
    let text = text.replace(" - ", "|").replace(" -", "|").replace("- ", "|");
    text.split(|c| is_bracket(c) || "|;:*=/•·–—".contains(c)).find_map(|part| {
        let part = part.trim_matches(|c: char| !c.is_alphanumeric());
        exactly_a_level(part.split('.').next().unwrap_or(part))
    })
}

fn exactly_a_level(text: &str) -> Option<&'static str> {
    LEVELS.into_iter().find(|level| *level == text)
}

fn is_bracket(c: char) -> bool {
    "()[]{}<>«»“”‘’\"'【】".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKED: &[(&str, &str)] = &[
        ("MẬT", "MẬT"),
        ("Mật", "MẬT"),
        ("[MẬT] Báo cáo tình hình", "MẬT"),
        ("[Mật] Báo cáo tình hình", "MẬT"),
        ("(TỐI MẬT) Báo cáo tình hình", "TỐI MẬT"),
        ("(Tối mật) Báo cáo tình hình", "TỐI MẬT"),
        ("Báo cáo tình hình (MẬT)", "MẬT"),
        ("Báo cáo tình hình - MẬT", "MẬT"),
        ("MẬT - Báo cáo tình hình", "MẬT"),
        ("MẬT-Báo cáo tình hình", "MẬT"),
        ("MẬT: Báo cáo tình hình", "MẬT"),
        ("MẬT. Báo cáo tình hình", "MẬT"),
        ("MẬT Báo cáo tình hình", "MẬT"),
        ("MẬT BÁO CÁO TÌNH HÌNH", "MẬT"),
        ("TUYỆT MẬT Kế hoạch", "TUYỆT MẬT"),
        ("TỐI\u{A0}MẬT - Kế hoạch", "TỐI MẬT"),
        ("  * TUYỆT  MẬT * Kế hoạch", "TUYỆT MẬT"),
        ("Độ mật: Tuyệt mật", "TUYỆT MẬT"),
        ("Công văn, độ mật: mật", "MẬT"),
        ("ĐỘ MẬT: TỐI MẬT. Kế hoạch", "TỐI MẬT"),
        ("Kế hoạch [Độ Mật - Mật]", "MẬT"),
        ("HỎA TỐC - TỐI MẬT - Kế hoạch", "TỐI MẬT"),
        ("KHẨN/MẬT", "MẬT"),
        ("［ＭẬＴ］ Báo cáo", "MẬT"),
        ("M\u{200B}ẬT - Báo cáo", "MẬT"),
        ("MẬT_bao cao.pdf", "MẬT"),
        ("Bao cao - MẬT.pdf", "MẬT"),
        ("“TUYỆT MẬT”", "TUYỆT MẬT"),
    ];

    const ORDINARY: &[&str] = &[
        "",
        "Bao cao tinh hinh",
        "V/v tăng cường bảo mật thông tin",
        "BẢO MẬT THÔNG TIN",
        "BẢO MẬT: QUY ĐỊNH MỚI",
        "Quy định về bảo vệ bí mật nhà nước",
        "Danh mục bí mật nhà nước độ Tuyệt mật, Tối mật và Mật",
        "DANH MỤC BÍ MẬT NHÀ NƯỚC ĐỘ TUYỆT MẬT, TỐI MẬT",
        "Đổi mật khẩu hệ thống",
        "Mật khẩu hệ thống hết hạn",
        "MẬT KHẨU HỆ THỐNG HẾT HẠN",
        "MẬT MÃ DÂN SỰ",
        "MẬT ONG RỪNG",
        "Mật ong rừng U Minh",
        "Mật độ dân số",
        "MẬT_KHẨU.docx",
        "QUY_CHẾ_BẢO_MẬT.docx",
        "Nâng cấp đường mật",
        "Sản lượng nuôi ong (mật)",
        "Độ mật: thường",
        "Độ mật: Không",
        "Mức độ bảo mật: cao",
        "Hướng dẫn xác định độ mật của tài liệu",
        "Hướng dẫn phân loại (tuyệt mật, tối mật, mật)",
        "Cơ mật viện",
        "Thân mật, chân tình",
    ];

    #[test]
    fn marks_are_told_from_ordinary_words() {
        for (text, level) in MARKED {
            assert_eq!(secrecy_marking(text), Some(*level), "{text}");
            assert_eq!(secrecy_marking(&text.nfd().collect::<String>()), Some(*level), "{text}, decomposed");
        }
        for text in ORDINARY {
            assert_eq!(secrecy_marking(text), None, "{text}");
            assert_eq!(secrecy_marking(&text.nfd().collect::<String>()), None, "{text}, decomposed");
        }
    }
}
