//! The directory followed: all of it, then each change as it is applied, across a restart.

use std::process::Command;

use truc::proto::v1;

use crate::country;
use crate::site::{Agency, Site, reason, soon};

/// The next whole version, and its cursor.
async fn version(stream: &mut tonic::Streaming<v1::WatchResponse>) -> v1::WatchResponse {
    let mut whole = v1::WatchResponse::default();
    loop {
        let page = soon("a version", stream.message()).await.unwrap().expect("it goes on");
        whole.complete |= page.complete;
        whole.organs.extend(page.organs);
        whole.removed_organ_ids.extend(page.removed_organ_ids);
        if !page.cursor.is_empty() {
            return v1::WatchResponse { cursor: page.cursor, ..whole };
        }
    }
}

async fn watch(agency: &Agency, cursor: &str) -> tonic::Streaming<v1::WatchResponse> {
    let request = v1::WatchRequest { cursor: cursor.into(), until_now: false };
    soon("watch", agency.directory.clone().watch(request)).await.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_followed_from_a_cursor_on() {
    let mut site = Site::new(&[]);
    let closings = country::closings(1_200, 10);
    country::eve(&mut site, &closings);
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    let mut following = watch(&g22, "").await;
    let all = version(&mut following).await;
    assert!(all.complete && all.organs.len() > 1_200 && all.removed_organ_ids.is_empty());
    let file = country::reform(&site, &closings);
    let applied = Command::new(env!("CARGO_BIN_EXE_truc"))
        .args(["directory", "apply", file.to_str().unwrap(), "--config"])
        .arg(site.config_file())
        .output()
        .unwrap();
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let changed = version(&mut following).await;
    assert_eq!((changed.complete, changed.organs.len()), (false, 1_200));
    assert!(changed.organs.iter().all(|organ| organ.close_date == country::DAY));
    let again = version(&mut watch(&g22, &all.cursor).await).await;
    assert_eq!(again, changed, "whoever was away is told the same");
    let request = v1::WatchRequest { cursor: "x".into(), until_now: true };
    let refused = g22.directory.clone().watch(request).await.unwrap_err();
    assert_eq!(reason(&refused), "INVALID_CURSOR");

    assert_eq!(gateway.stop(), Some(0));
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    let request = v1::WatchRequest { cursor: changed.cursor, until_now: true };
    let mut nothing = g22.directory.clone().watch(request).await.unwrap().into_inner();
    assert_eq!(soon("the end", nothing.message()).await.unwrap(), None, "the same after a restart");
    let anew = version(&mut watch(&g22, &all.cursor).await).await;
    assert!(anew.complete, "a version it no longer knows");
    assert_eq!(anew.organs.len(), all.organs.len());
    assert_eq!(gateway.stop(), Some(0));
}
