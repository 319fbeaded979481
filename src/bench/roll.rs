//! The organs of a measurement, and the directory that names them.

/// Provinces and central bodies with certificates of their own.
const PROVINCES: usize = 34;
const CENTRAL: usize = 22;
/// Communes, wards and special zones.
const COMMUNES: usize = 3_321;
/// Communes whose ids share their second group.
const COMMUNES_PER_GROUP: usize = 50;

/// Fewest organs of a country: one more than have organs below them.
pub const COUNTRY_MIN: usize = PROVINCES + CENTRAL + 1;

/// Organs, made up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roll {
    /// The ids; those with certificates of their own come first.
    pub organs: Vec<String>,
    /// How many have certificates. They act for those below them.
    pub certified: usize,
}

impl Roll {
    /// Organs side by side, each with a certificate.
    pub fn flat(organs: usize) -> Self {
        let organs: Vec<_> = (1..=organs).map(|number| format!("K99.B{number:05}")).collect();
        Self { certified: organs.len(), organs }
    }

    /// So many organs of a country: provinces and central bodies, then communes, then departments, dealt out among the provinces.
    pub fn country(organs: usize) -> Self {
        let provinces = (1..=PROVINCES).map(|number| format!("H{number:02}"));
        let central = (1..=CENTRAL).map(|number| format!("G{number:02}"));
        let commune = |number: usize| {
            let (province, place) = (number % PROVINCES + 1, number / PROVINCES);
            let (group, number) = (place / COMMUNES_PER_GROUP + 30, place % COMMUNES_PER_GROUP + 1);
            format!("H{province:02}.{group}.{number:02}")
        };
        let department =
            |number: usize| format!("H{:02}.D{:03}", number % PROVINCES + 1, number / PROVINCES + 1);
        let below = (0..COMMUNES).map(commune).chain((0..).map(department));
        let organs: Vec<_> = provinces.chain(central).chain(below).take(organs).collect();
        Self { certified: (PROVINCES + CENTRAL).min(organs.len()), organs }
    }

    /// The organs with certificates.
    pub fn certified(&self) -> &[String] {
        &self.organs[..self.certified]
    }

    /// How many organs one connection speaks for at most.
    pub fn per_connection(&self) -> usize {
        1 + (self.organs.len() - self.certified).div_ceil(PROVINCES)
    }

    /// The directory file.
    pub fn directory(&self) -> String {
        let columns = "organ_id,name,open_date,close_date,successors,legal_basis,acts_for_below\n";
        let acts = |number| if number < self.certified { "true" } else { "" };
        let rows = self.organs.iter().enumerate();
        let rows = rows.map(|(number, organ)| format!("{organ},Đơn vị đo {organ},,,,,{}\n", acts(number)));
        std::iter::once(columns.to_owned()).chain(rows).collect()
    }
}

/// Whether an organ is below another.
pub fn is_below(organ: &str, above: &str) -> bool {
    organ.strip_prefix(above).is_some_and(|rest| rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::domain::organ_id::OrganId;

    #[test]
    fn a_country_has_different_organs_each_with_somebody_to_speak_for_it() {
        for wanted in [COUNTRY_MIN, 3_377, 3_500, 10_000] {
            let roll = Roll::country(wanted);
            assert_eq!(roll.organs.iter().collect::<HashSet<_>>().len(), wanted);
            for organ in &roll.organs {
                assert_eq!(OrganId::parse(organ).unwrap().as_str(), organ);
            }
            let (certified, below) = roll.organs.split_at(roll.certified);
            let most = certified.iter().map(|above| below.iter().filter(|o| is_below(o, above)).count() + 1);
            assert_eq!(most.clone().sum::<usize>(), wanted);
            assert!(most.max().unwrap() <= roll.per_connection() + 1, "{wanted}");
        }
        assert!(Roll::country(3_500).organs.contains(&"H34.30.01".to_owned()));
    }
}
