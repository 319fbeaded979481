//! What collectors that never settle, and one that is slow, cost the others.

use super::error::Error;
use super::gateway::Site;
use super::latency::median;
use super::options::{Load, Options};
use super::report::{Conditions, StalledReport, latency, per_s};
use super::roll::Roll;
use super::round::Cast;
use super::verdict::Verdict;

/// Measures a gateway with such collectors, each with twice its window to take, and one without, in turn.
pub async fn measure(options: &Options, stalled: usize) -> Result<StalledReport, Error> {
    let Load { organs, window, .. } = options.load;
    let conditions = Conditions::of(options)?;
    let site = Site::build(&options.data, Roll::flat(2 * organs + stalled + 1), window, 0)?;
    let cast = Cast { load: &options.load, organs: &site.roll.organs };
    let burden: Vec<usize> = (2 * organs..=2 * organs + stalled).collect();
    let slow = 2 * organs + stalled;

    let burdened = site.start("burdened").await?;
    let each = 2 * window as u64;
    let fill = cast.fill(&burdened.door, burden.clone(), each * burden.len() as u64, "filling").await?;
    let mut collectors = cast.stall(&burdened.door, &burden, slow).await?;
    // From then on every one of them holds a full window.
    collectors.wait_for((window * burden.len()) as u64).await?;
    let free = site.start("free").await?;
    let [with, without] = cast.in_turn(options.rounds, [(&burdened, "burdened"), (&free, "free")]).await?;
    collectors.finish().await?;
    free.stop().await?;
    burdened.stop().await?;

    let (with_per_s, without_per_s) = (median(per_s(&with)), median(per_s(&without)));
    let verdict =
        with.iter().chain(&without).fold(fill.verdict, |all: Verdict, round| all.and(&round.verdict));
    Ok(StalledReport {
        conditions,
        stalled,
        throughput_per_s: with_per_s,
        free_per_s: without_per_s,
        ratio: with_per_s / without_per_s,
        latency_ms: latency(&with),
        free_latency_ms: latency(&without),
        rounds_per_s: per_s(&with),
        free_rounds_per_s: per_s(&without),
        verdict,
    })
}
