//! `truc sandbox`: a whole exchange on one machine, for those who see it for the first time.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::block_on;
use super::exit::Exit;
use super::out::{Form, Out};
use super::signals::stop_asked;
use super::words::Lang;
use crate::app::Gateway;
use crate::config::{self, Config};
use crate::domain::time::SystemClock;
use crate::ops::logging;

mod exchange;
mod place;
mod ports;
mod ready;
mod show;
mod tale;
mod verdict;

use place::Place;
use show::Story;
use tale::Line;

/// The variable by which somebody wants to see the gateway's log.
const LOG_FILTER_VARIABLE: &str = "TRUC__LOG__FILTER";

/// See a whole exchange on this machine / Chạy thử toàn bộ trên máy này
///
/// Starts a gateway with a development CA and sample agencies, sends a document from Văn phòng Chính phủ (G22) to Quảng
/// Ninh (H49) and to a closed code (H02), lets the recipients collect it, and shows every receipt of the way. Then stays
/// up for a second terminal.
#[derive(Debug, Args)]
pub struct Sandbox {
    /// End after the exchange; succeed only if every receipt arrived and the bytes are equal
    #[arg(long)]
    once: bool,
    /// Folder to keep everything in, and to start on again [default: a temporary one, removed at the end]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Ports N for gRPC and N+1 for metrics and probes; 0 takes free ones [default: 7443, or free ones if taken]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=65_534))]
    port_base: Option<u16>,
    #[command(flatten)]
    form: Form,
}

impl Sandbox {
    /// Plays it.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        // Its exit code is what it is run for, so it goes on when nobody reads any more.
        let out = Out::new(lang, self.form).heedless();
        let mut config = Config::load(None, config::environment()).map_err(Exit::usage)?;
        if !config::environment().any(|(name, _)| name == LOG_FILTER_VARIABLE) {
            config.log.filter = "warn".to_owned();
        }
        config.log.format = config::log::Format::Text;
        logging::start(&config.log).map_err(Exit::usage)?;
        let place = Place::make(self.data.as_deref())?;
        (config.gateway.listen, config.ops.listen) = ports::choose(self.port_base)?;
        place.furnish(&mut config)?;
        block_on(play(&config, &place, self.once, Story::new(out)))
    }
}

async fn play(config: &Config, place: &Place, once: bool, mut story: Story) -> Result<(), Exit> {
    let stop = stop_asked();
    tokio::pin!(stop);
    story.tell(Line::Place { dir: place.dir() })?;
    let mut gateway = Gateway::start(config, Arc::new(SystemClock)).await.map_err(Exit::failed)?;
    let agencies = place.agencies(gateway.address)?;
    let (address, ops) = (gateway.address, gateway.ops_address);
    let exchange = async {
        ready::wait(ops).await?;
        story.tell(Line::Gateway { address, ops })?;
        exchange::perform(&agencies, place, &mut story).await
    };
    let performed = tokio::select! {
        performed = exchange => performed,
        why = gateway.failed() => Err(Exit::Failed(why)),
        stopped = stop.as_mut() => stopped.and(Err(Exit::Failed("interrupted".to_owned()))),
    };
    let is_well = performed.as_ref().is_ok_and(Vec::is_empty);
    if is_well && !once {
        story.commands(place, &agencies, ops)?;
        tokio::select! {
            stopped = stop.as_mut() => stopped?,
            why = gateway.failed() => return Err(Exit::Failed(why)),
        }
    }
    story.tell(Line::Stopping { removed: place.is_temporary() })?;
    gateway.stop().await;
    match performed? {
        flaws if flaws.is_empty() => Ok(()),
        flaws => Err(Exit::Failed(flaws.join("; "))),
    }
}
