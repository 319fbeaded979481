//! Sees to it that the fixed topology is there whenever RabbitMQ is, and notices a RabbitMQ that has lost everything.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Core;
use super::declarations::Error;
use crate::amqp::{State, topology};

/// The wait before the ledger is asked again.
const AGAIN_DELAY: Duration = Duration::from_secs(1);

/// Works until told to stop.
pub(super) async fn run(core: Arc<Core>, stop: CancellationToken) {
    let mut state = core.consume.state();
    loop {
        let work = async {
            let up = state.wait_for(|state| matches!(state, State::Up(_) | State::Stopped)).await;
            match up.as_deref() {
                Ok(State::Up(epoch)) => Some(*epoch),
                Ok(_) | Err(_) => None,
            }
        };
        let epoch = tokio::select! {
            () = stop.cancelled() => return,
            epoch = work => epoch,
        };
        let Some(epoch) = epoch else { return };
        let declared = tokio::select! {
            () = stop.cancelled() => return,
            declared = declare(&core) => declared,
        };
        match declared {
            Ok(()) => {
                core.outbox.topology_is_there();
                core.outbox.look_again();
            }
            Err(Error::Lost(_)) => return,
            // The ledger has logged why.
            Err(Error::Ledger(_)) => {
                tokio::time::sleep(AGAIN_DELAY).await;
                continue;
            }
        }
        let another =
            |state: &State| !matches!(state, State::Up(now) | State::Blocked(now, _) if *now == epoch);
        let missing = tokio::select! {
            () = stop.cancelled() => return,
            _ = state.wait_for(another) => false,
            () = core.redeclare.notified() => true,
        };
        if missing {
            tokio::time::sleep(AGAIN_DELAY).await;
        }
    }
}

async fn declare(core: &Core) -> Result<(), Error> {
    let known = topology::exists(&core.consume, &core.options.topology).await?;
    let differences = topology::declare(&core.consume, &core.options.topology).await?;
    core.declarations.found_fixed(differences);
    if !known {
        // A new RabbitMQ, or one that has lost everything: all that is ready goes there.
        let count = core.ledger.publish_again(None).await?.await?;
        tracing::info!(count, "RabbitMQ did not know the gateway; what is ready is published to it");
    }
    Ok(())
}
