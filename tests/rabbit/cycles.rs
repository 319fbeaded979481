//! Fifty losses of the connection leave nothing behind.

use std::time::Duration;

use truc::amqp::Options;

use crate::node::Node;
use crate::place::Place;
use crate::proxy::{Fault, Proxy};

const CYCLES: usize = 50;
/// The first of them, after which everything that is made once has been made.
const WARM: usize = 5;

/// lapin's threads and the files of this process that are sockets, and the tasks of this runtime. Other tests have theirs,
/// so this one runs in a process of its own.
fn figures() -> (usize, usize, usize) {
    let threads = std::fs::read_dir("/proc/self/task").unwrap().count();
    let files = std::fs::read_dir("/proc/self/fd").unwrap().count();
    (threads, files, tokio::runtime::Handle::current().metrics().num_alive_tasks())
}

/// Runs by itself, as `the_cycles_in_a_process_of_their_own` starts it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alone() {
    if !std::env::args().any(|argument| argument == "--exact") {
        return;
    }
    let node = tokio::task::spawn_blocking(Node::start).await.unwrap();
    let proxy = Proxy::before(node.port).await;
    let options = Options {
        uris: vec![proxy.uri()],
        heartbeat: Duration::from_secs(1),
        connect_timeout: Duration::from_millis(300),
        reconnect_delay_min: Duration::from_millis(20),
        reconnect_delay_max: Duration::from_millis(100),
        ..node.options()
    };
    let mut place = Place::start(options).await;
    place.collect("H49");
    place.healthy(true, Duration::from_secs(20)).await;
    let mut before = (0, 0, 0);
    for cycle in 0..CYCLES {
        if cycle == WARM {
            before = figures();
        }
        proxy.set(Fault::Reset);
        place.healthy(false, Duration::from_secs(10)).await;
        if cycle % 5 == 0 {
            // Attempts that hang, too.
            proxy.set(Fault::BlackHole);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        proxy.set(Fault::None);
        place.healthy(true, Duration::from_secs(10)).await;
        place.accept("H49", 5).await;
        place.all_taken(Duration::from_secs(10)).await;
    }
    let mut after = figures();
    // What ends, ends soon.
    for _ in 0..100 {
        if after.0 <= before.0 && after.1 <= before.1 && after.2 <= before.2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        after = figures();
    }
    println!("threads, files, tasks: {before:?} after {WARM} cycles, {after:?} after {CYCLES}");
    assert!(
        after.0 <= before.0 + 2 && after.1 <= before.1 + 4 && after.2 <= before.2 + 4,
        "{before:?} {after:?}"
    );
    place.stop().await;
    tokio::task::spawn_blocking(move || drop(node)).await.unwrap();
}

#[test]
fn the_cycles_in_a_process_of_their_own() {
    let program = std::env::current_exe().unwrap();
    let mut run = std::process::Command::new(program);
    let done = run.args(["--exact", "cycles::alone", "--nocapture"]).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    println!("{said}");
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    assert!(said.contains("threads, files, tasks"), "{said}");
}
