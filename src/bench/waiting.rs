//! What deliveries that wait for an absent organ cost: memory, the time of a restart, and the others' throughput.

use super::error::Error;
use super::gateway::Site;
use super::latency::median;
use super::options::{Load, Options};
use super::report::{Conditions, WaitingReport, per_s};
use super::roll::Roll;
use super::round::Cast;
use super::verdict::Verdict;

/// Fills the mailbox of an absent organ, kills the gateway, starts it again, and sets the throughput of the others beside
/// that of an empty gateway, in turn.
pub async fn measure(options: &Options, waiting: u64) -> Result<WaitingReport, Error> {
    let Load { organs, window, .. } = options.load;
    let conditions = Conditions::of(options)?;
    let absent = 2 * organs;
    let site = Site::build(&options.data, Roll::flat(absent + 1), window, 2 * waiting)?;
    let cast = Cast { load: &options.load, organs: &site.roll.organs };

    let loaded = site.start("loaded").await?;
    // Traffic first, so that caches are full and only what waits makes a difference.
    let warm = cast.exchange(&loaded.door, std::slice::from_ref(&loaded), "traffic before").await?;
    let before = loaded.usage()?;
    let fill = cast.fill(&loaded.door, vec![absent], waiting, "filling").await?;
    let filled = loaded.usage()?;
    loaded.kill().await?;

    let loaded = site.start("loaded").await?;
    let ready_in = loaded.ready_in;
    let restarted = loaded.usage()?;
    let empty = site.start("empty").await?;
    let [with, without] = cast.in_turn(options.rounds, [(&loaded, "loaded"), (&empty, "empty")]).await?;
    // Both have had the same traffic since their start.
    let (loaded_after, empty_after) = (loaded.usage()?, empty.usage()?);
    empty.stop().await?;
    loaded.stop().await?;

    let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
    let (with_per_s, without_per_s) = (median(per_s(&with)), median(per_s(&without)));
    let others = std::iter::once(&fill).chain(&with).chain(&without);
    let verdict = others.fold(warm.verdict, |all: Verdict, round| all.and(&round.verdict));
    Ok(WaitingReport {
        conditions,
        waiting,
        fill_per_s: fill.throughput_per_s(),
        rss_before_mb: mib(before.rss_bytes),
        rss_filled_mb: mib(filled.rss_bytes),
        rss_growth_mb: mib(filled.rss_bytes) - mib(before.rss_bytes),
        rss_restarted_mb: mib(restarted.rss_bytes),
        rss_loaded_mb: mib(loaded_after.rss_bytes),
        rss_empty_mb: mib(empty_after.rss_bytes),
        ready_in_s: ready_in.as_secs_f64(),
        throughput_per_s: with_per_s,
        empty_per_s: without_per_s,
        ratio: with_per_s / without_per_s,
        rounds_per_s: per_s(&with),
        empty_rounds_per_s: per_s(&without),
        verdict,
    })
}
