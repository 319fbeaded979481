//! Writes organs as a directory file: what [`super::load`] reads back as it was.

use super::load::COLUMNS;
use super::organ::Organ;
use crate::domain::organ_id::OrganId;

/// The text of a file with these organs.
pub(super) fn csv<'a>(organs: impl IntoIterator<Item = &'a Organ>) -> String {
    let mut text = format!("{}\n", COLUMNS.join(","));
    for organ in organs {
        let fields = COLUMNS.map(|column| field(organ, column));
        let quoted: Vec<String> = fields.into_iter().map(quoted).collect();
        text.push_str(&quoted.join(","));
        text.push('\n');
    }
    text
}

fn field(organ: &Organ, column: &str) -> String {
    let day = |day: Option<time::Date>| day.map(|day| day.to_string()).unwrap_or_default();
    match column {
        "organ_id" => organ.id.to_string(),
        "name" => organ.name.to_string(),
        "open_date" => day(organ.open_date),
        "close_date" => day(organ.close_date),
        "successors" => organ.successors.iter().map(OrganId::as_str).collect::<Vec<_>>().join(";"),
        "legal_basis" => organ.legal_basis.to_string(),
        "acts_for_below" => organ.acts_for_below.map(|acts| acts.to_string()).unwrap_or_default(),
        "link" => organ.link.as_str().to_owned(),
        "default_successor" => organ.default_successor.as_ref().map(ToString::to_string).unwrap_or_default(),
        "rename_date" => day(organ.rename.as_ref().map(|rename| rename.from)),
        "new_name" => organ.rename.as_ref().map(|rename| rename.name.to_string()).unwrap_or_default(),
        "certificates" => {
            let one =
                |binding: &super::Binding| format!("{}:{}:{}", binding.organ, binding.from, binding.until);
            organ.certificates.iter().map(one).collect::<Vec<_>>().join(";")
        }
        _ => unreachable!("every column is written"),
    }
}

/// A field that the reader takes for one, whatever is in it. A line that begins with `#` would be a comment.
fn quoted(field: String) -> String {
    match field.contains([',', '"', '\n', '\r', '#']) || field.trim() != field {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field,
    }
}

#[cfg(test)]
mod tests {
    use crate::directory::Directory;

    #[test]
    fn what_is_written_is_read_back() {
        let text = "organ_id,name,open_date,close_date,successors,legal_basis,acts_for_below,link,default_successor,\
                    rename_date,new_name,certificates\n\
                    H01,\"#1, \"\"một\"\"\",2020-01-01,2025-07-01,H02;H03,\"a, b\",false,amqp,H03,2024-01-01,Mới,\n\
                    H02,hai,,,,,true,amqp-json,,,,H01:2025-07-01:2026-01-01\nH03,ba,,,,,,,,,,\n";
        let read = Directory::from_csv_texts(&[("t.csv", text)]).unwrap();
        let again = Directory::to_csv(read.organs());
        let again = Directory::from_csv_texts(&[("u.csv", &again)]).unwrap();
        assert_eq!(read.organs(), again.organs());
        let embedded = Directory::embedded();
        let again = Directory::to_csv(embedded.organs());
        assert_eq!(Directory::from_csv_texts(&[("e.csv", &again)]).unwrap().organs(), embedded.organs());
    }
}
