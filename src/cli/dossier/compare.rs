//! `truc dossier compare`: which steps of dossiers a file has and the gateway has not, and the other way round.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use time::Date;
use time::macros::format_description;

use super::texts;
use crate::cli::block_on;
use crate::cli::connection::Connection;
use crate::cli::exit::Exit;
use crate::cli::out::{Form, Out};
use crate::cli::tables::{self, Rows};
use crate::cli::words::{Lang, Word};
use crate::client::{Agency, Comparison, Difference};
use crate::domain::dossier::DossierCode;
use crate::domain::organ_id::OrganId;
use crate::portal::Reading;
use crate::proto::v1;

mod copy;
mod entries;
mod mend;

use copy::Copy;
use mend::Mended;

const COLUMNS: [(Word, u16); 4] =
    [(Word::DossierCode, 26), (Word::GatewayLacks, 18), (Word::FileLacks, 18), (Word::ContentDiffers, 18)];

/// Compare dossiers with a file, and mend what differs / Đối chiếu hồ sơ
///
/// The file holds what `truc dossier follow --json` or `--portal` writes, or the portal's JSON. Digests are
/// exchanged, not steps, so that few bytes find few differences. The exit code is 0 when both sides
/// have the same, and 2 when they have not.
#[derive(Debug, Args)]
pub struct Compare {
    /// The file
    #[arg(long, value_name = "FILE")]
    with: PathBuf,
    /// Dossiers of this organ and those below it [default: the organ itself]
    #[arg(long, value_name = "ORGAN")]
    owner: Option<String>,
    /// Only dossiers whose code has this day or a later one, YYYY-MM-DD
    #[arg(long, value_name = "DAY", value_parser = day)]
    from: Option<Date>,
    /// Only dossiers whose code has this day or an earlier one, YYYY-MM-DD
    #[arg(long, value_name = "DAY", value_parser = day)]
    to: Option<Date>,
    /// Publish what the gateway lacks, and add to the file what it lacks; what differs in content is only told
    #[arg(long)]
    mend: bool,
    /// Procedure of steps that name none (MaTTHC); of the portal's JSON
    #[arg(long, value_name = "CODE")]
    procedure: Option<String>,
    /// Number of the first step of each dossier without SoBuoc; of the portal's JSON
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    first_step: u32,
    /// Set of codes the statuses are from [default: the portal's, 1 to 10]; of the portal's JSON
    #[arg(long, value_name = "NAME")]
    code_set: Option<String>,
    /// The organ that asks and publishes [default: the certificate's]
    #[arg(long, value_name = "ORGAN")]
    organ: Option<String>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    form: Form,
}

fn day(text: &str) -> Result<Date, String> {
    Date::parse(text, format_description!("[year]-[month]-[day]")).map_err(|_| "write YYYY-MM-DD".to_owned())
}

impl Compare {
    /// Compares.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        let mut out = Out::new(lang, self.form);
        block_on(async {
            let agency = self.connection.agency().await?;
            let extent = self.extent();
            // What is empty is the organ itself, which only the gateway knows.
            let asked = agency.compare(extent.clone()).await.map_err(Exit::failed)?;
            let mut copy = self.read(&asked.at_or_below, lang)?;
            let digests = copy.digests();
            let compared = agency.differences(&extent, &digests, |code| copy.steps(code)).await;
            let comparison = compared.map_err(Exit::failed)?;
            show(&comparison.differences, &mut out)?;
            let mended = self.mend(&agency, &mut copy, &comparison).await?;
            mended.iter().flat_map(|mended| &mended.refused).try_for_each(|one| refused(one, &mut out))?;
            sum_up(&asked.at_or_below, &copy, &comparison, mended.as_ref(), &mut out)?;
            let same =
                comparison.differences.iter().all(|one| mended.is_some() && one.conflicting.is_empty());
            match same && mended.is_none_or(|mended| mended.refused.is_empty()) {
                true => Ok(()),
                false => Err(Exit::Different),
            }
        })
    }

    fn extent(&self) -> v1::CompareRequest {
        let day = |day: Option<Date>| day.map_or_else(String::new, |day| day.to_string());
        v1::CompareRequest {
            organ: self.organ.clone().unwrap_or_default(),
            at_or_below: self.owner.clone().unwrap_or_default(),
            from_day: day(self.from),
            to_day: day(self.to),
            ..Default::default()
        }
    }

    fn read(&self, top: &str, lang: Lang) -> Result<Copy, Exit> {
        let top = OrganId::parse(top).map_err(Exit::failed)?;
        let number = |day: Date| {
            i64::from(day.year()) * 10_000 + i64::from(u8::from(day.month())) * 100 + i64::from(day.day())
        };
        let (from, to) = (self.from.map_or(0, number), self.to.map_or(i64::MAX, number));
        let wanted = |code: &DossierCode| {
            (*code.owner() == top || code.owner().is_below(&top))
                && (from..=to).contains(&i64::from(code.day()))
        };
        let reading = Reading {
            procedure: self.procedure.clone(),
            first_step: self.first_step,
            code_set: self.code_set.clone(),
        };
        Copy::read(&self.with, reading, lang, wanted)
    }

    async fn mend(
        &self,
        agency: &Agency,
        copy: &mut Copy,
        comparison: &Comparison,
    ) -> Result<Option<Mended>, Exit> {
        match self.mend {
            true => mend::mend(agency, self.organ.as_deref().unwrap_or_default(), copy, comparison)
                .await
                .map(Some),
            false => Ok(None),
        }
    }
}

fn show(differences: &[Difference], out: &mut Out) -> Result<(), Exit> {
    let mut rows = Rows::new(&COLUMNS);
    for one in differences {
        out.object(&json!({
            "type": "dossier_difference",
            "dossier_code": one.dossier,
            "missing_in_gateway": one.missing_there,
            "missing_in_file": one.missing_here,
            "content_differs": one.conflicting,
        }))?;
        let steps = [&one.missing_there, &one.missing_here, &one.conflicting];
        let steps = steps.into_iter().map(|steps| texts::steps(steps));
        rows.write(out, std::iter::once(one.dossier.clone()).chain(steps).collect())?;
    }
    Ok(())
}

fn refused(result: &v1::PublishResult, out: &mut Out) -> Result<(), Exit> {
    out.object(&texts::result(result))?;
    let why = result.refusal.as_ref().map_or("", |refusal| refusal.message.as_str());
    let (code, step) = (&result.dossier_code, result.step);
    out.text(format_args!("{code} {step}: {}: {why}", Word::Rejected.text(out.lang())))
}

fn sum_up(
    top: &str,
    copy: &Copy,
    comparison: &Comparison,
    mended: Option<&Mended>,
    out: &mut Out,
) -> Result<(), Exit> {
    let steps = |of: fn(&Difference) -> &Vec<u32>| {
        comparison.differences.iter().map(|one| of(one).len()).sum::<usize>()
    };
    let lacking =
        [steps(|one| &one.missing_there), steps(|one| &one.missing_here), steps(|one| &one.conflicting)];
    let mends = mended.map(|mended| [mended.published, mended.fetched, mended.refused.len() as u64]);
    out.object(&json!({
        "type": "dossier_comparison",
        "at_or_below": top,
        "dossiers_in_gateway": comparison.dossiers_there,
        "dossiers_in_file": copy.len(),
        "steps_left_out": copy.left_out(),
        "dossiers_different": comparison.differences.len(),
        "missing_in_gateway": lacking[0],
        "missing_in_file": lacking[1],
        "content_differs": lacking[2],
        "published": mends.map(|[published, ..]| published),
        "added_to_file": mends.map(|[_, fetched, _]| fetched),
        "refused": mends.map(|[.., refused]| refused),
    }))?;
    let number = |number: u64| number.to_string();
    let mends = mends.map_or_else(Default::default, |mends| mends.map(number));
    let [published, fetched, refused] = mends;
    out.text(tables::facts(
        out.lang(),
        [
            (Word::Organs, top.to_owned()),
            (Word::DossiersInGateway, number(comparison.dossiers_there)),
            (Word::DossiersInFile, copy.len().to_string()),
            (Word::DossiersLeftOut, number(copy.left_out())),
            (Word::DossiersDifferent, comparison.differences.len().to_string()),
            (Word::GatewayLacks, lacking[0].to_string()),
            (Word::FileLacks, lacking[1].to_string()),
            (Word::ContentDiffers, lacking[2].to_string()),
            (Word::StepsPublished, published),
            (Word::StepsFetched, fetched),
            (Word::StepsNotTaken, refused),
        ],
    ))
}
