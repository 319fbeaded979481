//! The whole life of documents, played against the real gateway in each set-up: an urgent steering document to all provinces, statuses over
//! gRPC and in edXML, an update, a replacement of two documents, recalls before and after they were fetched. What senders are shown of it
//! in the end is kept in golden files, the same for every set-up.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets what it does not expect has failed")]

#[path = "../support/nodes.rs"]
#[allow(dead_code, reason = "not every test binary uses all of it")]
mod nodes;
#[path = "../support/setup.rs"]
mod setup;
#[path = "../gateway/support.rs"]
#[allow(dead_code, reason = "not every test binary uses all of it")]
mod site;

mod acts;
mod golden;
mod province;
mod stage;

use setup::SetUp;
use stage::Stage;

setup::in_each_set_up! { the_whole_life }

async fn the_whole_life(set_up: SetUp) {
    let stage = Stage::build(set_up).await;
    acts::earlier_documents(&stage).await;
    acts::a_steering_document(&stage).await;
    acts::an_update(&stage).await;
    acts::a_replacement(&stage).await;
    acts::a_recall_before_it_was_fetched(&stage).await;
    acts::a_recall_after_it_was_fetched(&stage).await;
    golden::check(&stage);
    stage.leave();
}
