//! What one node has answered is there on the other, for one who asks for all there is.

use truc::proto::v1;

use crate::TURN;
use crate::gateways::Gateways;
use crate::line::Client;
use crate::mark::{Mark, digest};
use crate::plan::{MINISTRIES, Plan, owners};
use crate::setup::SetUp;
use crate::site::soon;

const ROUNDS: usize = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_there_is_is_all_that_any_node_has_answered() {
    let _turn = TURN.lock().await;
    let around = tokio::task::spawn_blocking(|| SetUp::ScaleOut.surroundings()).await.unwrap();
    let gateways = Gateways::start(SetUp::ScaleOut, &around, std::time::Duration::from_secs(5)).await;
    let (site, owners) = (gateways.site(), owners());
    let organ = site.organ(MINISTRIES[0]);
    let own = owners.iter().position(|owner| owner == MINISTRIES[0]).unwrap();
    let dossiers = Plan { seed: 5, dossiers: 30_000, quick_percent: 30 }.of(own, &owners);
    let client = async |place| Client::new(site.channel(gateways.node(place), &organ).await);
    let (mut writer, mut reader) = tokio::join!(client(0), client(1));
    let mut cursor = String::new();
    for dossier in dossiers.iter().take(ROUNDS) {
        let steps: Vec<_> = (0..dossier.steps.len()).map(|place| dossier.message(place)).collect();
        let published: Vec<_> = steps.iter().map(digest).collect();
        let request = v1::PublishRequest { organ: String::new(), steps };
        soon("publish", writer.publish(request)).await.unwrap();
        let request = v1::SubscribeRequest { cursor: cursor.clone(), until_now: true, ..Default::default() };
        let mut events = soon("subscribe", reader.subscribe(request)).await.unwrap().into_inner();
        let mut shown = Vec::new();
        while let Some(response) = soon("events", events.message()).await.unwrap() {
            shown.extend(response.events.iter().map(|event| Mark::shown(event).digest));
            cursor = response.cursor;
        }
        assert_eq!(shown, published, "{}", dossier.code);
    }
    gateways.stop().await;
}
