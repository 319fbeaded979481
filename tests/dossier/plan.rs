//! What happens in the scenario: which dossiers there are, which steps they take and when, and when the gateway is away. All of it follows
//! from a seed, so that every process, and whoever checks them, knows the same.

use std::path::Path;

use serde::{Deserialize, Serialize};
use truc::domain::dossier::DossierStatus;
use truc::proto::v1;

/// The time the plan covers, seconds: five working days of eight hours, nights left out.
pub const PERIOD_S: u32 = 5 * 8 * 3_600;
/// Steps of two dossiers together.
const STEPS_OF_TWO: u32 = 12;
/// Ministries and ministry-level bodies.
pub const MINISTRIES: [&str; 17] = [
    "G01", "G02", "G03", "G06", "G08", "G09", "G10", "G11", "G12", "G15", "G16", "G17", "G18", "G19", "G20",
    "G21", "G22",
];
/// The National Public Service Portal, and the statistics office.
pub const PORTAL: &str = "G22.01";
pub const STATISTICS: &str = "G12.99";
/// Procedures; each belongs to one ministry.
const PROCEDURES: usize = 68;
/// One in so many dossiers is a ministry's own.
const MINISTRY_EVERY: u32 = 7;
/// The start of the period, 2026-01-05 08:00 +07:00, seconds since the epoch.
const START_S: i64 = 1_767_574_800;
/// One in so many steps is not a usual one.
const UNUSUAL_EVERY: u32 = 50;

/// What the scenario is made from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub seed: u64,
    /// How many dossiers there are; six steps each on average.
    pub dossiers: u32,
    /// How many of a hundred steps follow the one before within a minute, at the same desk.
    pub quick_percent: u32,
}

/// A dossier.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Whose it is, among [`owners`].
    pub owner: usize,
    /// Its code in the normal form, and as its owner writes it.
    pub code: String,
    pub written: String,
    /// Its procedure.
    pub procedure: usize,
    pub steps: Vec<Step>,
    seed: u64,
}

/// A step of a dossier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    pub number: u32,
    pub status: DossierStatus,
    /// When it comes about, seconds from the start of the period.
    pub at_s: u32,
}

/// A time in which the gateway is away.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outage {
    /// Seconds from the start of the period.
    pub at_s: u32,
    pub lasts_s: u32,
}

/// The provinces that are open, as the shipped directory has them.
pub fn provinces() -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/directory/provinces.csv");
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_path(file).unwrap();
    let column = reader.headers().unwrap().iter().position(|name| name == "close_date").unwrap();
    let rows = reader.records().map(Result::unwrap);
    rows.filter(|row| row[column].is_empty()).map(|row| row[0].to_owned()).collect()
}

/// Who owns dossiers: 34 provinces, then 17 ministries.
pub fn owners() -> Vec<String> {
    provinces().into_iter().chain(MINISTRIES.map(str::to_owned)).collect()
}

/// The code of a procedure.
pub fn procedure(number: usize) -> String {
    format!("1.{:06}", 4_000 + number)
}

/// The procedures of a ministry, by its place among [`MINISTRIES`].
pub fn procedures_of(ministry: usize) -> impl Iterator<Item = usize> {
    (ministry..PROCEDURES).step_by(MINISTRIES.len())
}

impl Plan {
    /// All dossiers.
    pub fn all(&self, owners: &[String]) -> Vec<Planned> {
        (0..self.dossiers).map(|number| self.dossier(number, owners)).collect()
    }

    /// The dossiers of one owner.
    pub fn of(&self, owner: usize, owners: &[String]) -> Vec<Planned> {
        let own = (0..self.dossiers).filter(|number| self.owner(*number, owners.len()).0 == owner);
        own.map(|number| self.dossier(number, owners)).collect()
    }

    fn owner(&self, number: u32, owners: usize) -> (usize, fastrand::Rng) {
        let mut rng = self.rng(u64::from(number));
        let provinces = owners - MINISTRIES.len();
        let owner = match rng.u32(..MINISTRY_EVERY) {
            0 => rng.usize(provinces..owners),
            _ => rng.usize(..provinces),
        };
        (owner, rng)
    }

    fn rng(&self, of: u64) -> fastrand::Rng {
        fastrand::Rng::with_seed((self.seed ^ of.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn dossier(&self, number: u32, owners: &[String]) -> Planned {
        let (owner, mut rng) = self.owner(number, owners.len());
        let procedure = match owner.checked_sub(owners.len() - MINISTRIES.len()) {
            Some(ministry) => {
                procedures_of(ministry).nth(rng.usize(..procedures_of(ministry).count())).unwrap()
            }
            None => rng.usize(..PROCEDURES),
        };
        let first = self.rng(u64::from(number / 2) | 1 << 40).u32(2..=STEPS_OF_TWO - 2);
        let count = if number.is_multiple_of(2) { first } else { STEPS_OF_TWO - first };
        let moments = self.moments(count, &mut rng);
        let statuses = statuses(count, &mut rng);
        let steps = (1..).zip(moments).zip(statuses);
        let steps: Vec<_> = steps.map(|((number, at_s), status)| Step { number, status, at_s }).collect();
        let day = 5 + steps[0].at_s / (8 * 3_600);
        let (organ, unit) = (&owners[owner], [0, 12, 34][rng.usize(..3)]);
        let below = if unit == 0 { String::new() } else { format!(".{unit}") };
        let code = format!("{organ}{below}-202601{day:02}-{number:07}");
        let written = match rng.u8(..4) {
            0 => format!("000.00.{unit:02}.{organ}-2601{day:02}-{number:07}"),
            _ => code.clone(),
        };
        Planned { owner, code, written, procedure, steps, seed: rng.u64(..) }
    }

    /// When the steps of a dossier come about.
    fn moments(&self, count: u32, rng: &mut fastrand::Rng) -> Vec<u32> {
        let gap = |rng: &mut fastrand::Rng| match rng.u32(..100) {
            // Taken in, assigned and begun in one sitting.
            kind if kind < self.quick_percent => rng.u32(5..60),
            // The rest of the same hour, or of the same day, in the ratio of four to three.
            _ if rng.u32(..7) < 4 => rng.u32(60..3_600),
            _ => rng.u32(3_600..6 * 3_600),
        };
        loop {
            let gaps: Vec<_> = (1..count).map(|_| gap(rng)).collect();
            let Some(slack) = PERIOD_S.checked_sub(gaps.iter().sum()).filter(|slack| *slack > 0) else {
                continue;
            };
            let mut moments = vec![rng.u32(..slack)];
            for gap in gaps {
                moments.push(moments[moments.len() - 1] + gap);
            }
            return moments;
        }
    }

    /// When the gateway is away: so often, once in each part of the period; every sixth time for long.
    pub fn outages(&self, count: u32) -> Vec<Outage> {
        let mut rng = self.rng(u64::MAX);
        let part = PERIOD_S / count.max(1);
        let outage = |place: u32| {
            let lasts_s = if place % 6 == 3 { rng.u32(480..1_200) } else { rng.u32(60..300) };
            Outage { at_s: place * part + rng.u32(..part - lasts_s), lasts_s }
        };
        (0..count).map(outage).collect()
    }
}

/// The course of a dossier: mostly as usual, mostly to its end.
fn statuses(count: u32, rng: &mut fastrand::Rng) -> Vec<DossierStatus> {
    let first = if rng.u8(..3) == 0 { DossierStatus::Accepted } else { DossierStatus::Registered };
    let mut statuses = vec![first];
    let between =
        |status: &DossierStatus| !matches!(status, DossierStatus::Registered | DossierStatus::Returned);
    for number in 2..=count {
        let last = *statuses.last().expect("there is a first");
        let usual: Vec<_> = last.usually_before().iter().copied().filter(between).collect();
        statuses.push(match (number == count, rng.u32(..UNUSUAL_EVERY)) {
            (true, chance) if chance % 5 != 0 => DossierStatus::Returned,
            (_, 1) => DossierStatus::ALL[rng.usize(1..9)],
            _ if usual.is_empty() => DossierStatus::InProcess,
            _ => usual[rng.usize(..usual.len())],
        });
    }
    statuses
}

impl Planned {
    /// A step as it is published, by its place.
    pub fn message(&self, place: usize) -> v1::DossierStep {
        let Step { number, status, at_s } = self.steps[place];
        let mut rng = fastrand::Rng::with_seed(self.seed.wrapping_add(u64::from(number)));
        let time = |seconds: i64| Some(prost_types::Timestamp { seconds: START_S + seconds, nanos: 0 });
        let words = "Chuyển hồ sơ đến phòng chuyên môn để thẩm định theo quy định; đã thông báo cho công dân qua tin nhắn ";
        let kept = words.chars().cycle().take(rng.usize(20..150)).collect::<String>();
        v1::DossierStep {
            dossier_code: self.written.clone(),
            step: number,
            procedure_code: procedure(self.procedure),
            status: i32::from(status.number()),
            actor: Some(v1::DossierActor {
                name: format!("Cán bộ mẫu {}", rng.u16(..500)),
                department: "Bộ phận Một cửa".to_owned(),
                ..Default::default()
            }),
            occurred_time: time(i64::from(at_s)),
            due_time: (number == 1).then(|| time(i64::from(at_s) + 15 * 86_400)).flatten(),
            note: format!("{kept} {:016x}", rng.u64(..)),
            ..Default::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan { seed: 7, dossiers: 2_000, quick_percent: 30 };

    #[test]
    fn six_steps_a_dossier_in_time_and_the_same_for_all() {
        let owners = owners();
        assert_eq!(owners.len(), 34 + 17);
        let all = PLAN.all(&owners);
        assert_eq!(all.iter().map(|dossier| dossier.steps.len()).sum::<usize>(), 12_000);
        for dossier in &all {
            let numbers: Vec<_> = dossier.steps.iter().map(|step| step.number).collect();
            assert_eq!(numbers, (1..=dossier.steps.len() as u32).collect::<Vec<_>>());
            assert!(dossier.steps.is_sorted_by(|a, b| a.at_s < b.at_s), "{dossier:?}");
            assert!(dossier.steps.iter().all(|step| step.at_s < PERIOD_S));
            let normal = truc::domain::dossier::DossierCode::parse(&dossier.written).unwrap();
            assert_eq!(normal.as_str(), dossier.code);
        }
        let of: Vec<_> = (0..owners.len()).map(|owner| PLAN.of(owner, &owners)).collect();
        assert!(of.iter().all(|own| own.len() > 5));
        assert_eq!(of.iter().map(Vec::len).sum::<usize>(), all.len());
        assert!(of[3].iter().all(|dossier| all.contains(dossier)));
    }

    #[test]
    fn outages_do_not_touch() {
        let outages = PLAN.outages(12);
        assert!(outages.is_sorted_by(|a, b| a.at_s + a.lasts_s <= b.at_s), "{outages:?}");
        assert!(outages.iter().any(|outage| outage.lasts_s > 450));
        assert!(outages.iter().all(|outage| outage.at_s + outage.lasts_s <= PERIOD_S));
    }
}
