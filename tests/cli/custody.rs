//! Dead letters and holds, by an operator's commands.

use truc::client::{Agency, Profile};
use truc::proto::v1;

use crate::support::{Gateway, end};

#[tokio::test]
async fn a_dead_letter_is_found_sent_again_and_given_up() {
    let gateway = Gateway::start_with("[delivery]\nattempts_max = 1\nprompt_attempts = 1\n").await;
    std::fs::write(gateway.path("a.txt"), "xin chào").unwrap();
    for id in ["m-1", "m-2"] {
        gateway.run(&format!("send a.txt --profile G22 --to H49 --subject S --id {id}")).await.ended(0);
        // Handed to a program that vanishes with it.
        let agency = Agency::connect(&Profile::load(&gateway.path("H49")).unwrap()).await.unwrap();
        let mut collector = agency.collect(v1::CollectOpen::default()).await.unwrap();
        collector.next().await.unwrap();
    }
    let listed = loop {
        let listed = gateway.run("dead list --profile lan --json").await.ended(0).objects();
        if listed.len() == 2 {
            break listed;
        }
    };
    let of = |at: usize| listed[at]["delivery"]["delivery_id"].as_str().unwrap();
    assert_eq!((listed.len(), &listed[0]["cause"]), (2, &"attempts_exhausted".into()));
    let only = gateway.run("dead list --profile lan --json --organ H05").await.ended(0);
    assert_eq!(only.objects().len(), 0);
    let table =
        gateway.run("dead list --profile lan --lang vi --cause attempts-exhausted").await.ended(0).out;
    assert!(table.contains("đã hết số lần giao") && table.contains("m-2"), "{table}");
    let shown = gateway.run(&format!("dead show {} --profile lan", of(0))).await.ended(0).out;
    assert!(shown.contains("m-1") && shown.contains("dead"), "{shown}");
    let shown = gateway.run(&format!("dead show {} --profile lan --json", of(0))).await.ended(0).object();
    assert_eq!((&shown["message_id"], shown["receipts"].as_array().unwrap().len()), (&"m-1".into(), 3));

    gateway.run("dead replay --profile lan").await.ended(64);
    gateway.run("dead replay --all --organ H49 --profile lan").await.ended(64);
    gateway.run(&format!("dead replay {} --organ H49 --profile lan", of(0))).await.ended(64);
    gateway.run(&format!("dead discard {} --profile lan", of(0))).await.ended(64);
    let replayed =
        gateway.run(&format!("dead replay {} --profile lan --json", of(0))).await.ended(0).object();
    assert_eq!((&replayed["state"], &replayed["refused"]), (&"queued".into(), &serde_json::Value::Null));
    let again = gateway.run(&format!("dead replay {} --profile lan --json", of(0))).await.ended(1).object();
    assert_eq!(again["refused"], "not_dead_letter");
    let discarded =
        gateway.run("dead discard --all --reason nhầm --profile lan --json").await.ended(0).object();
    assert_eq!((&discarded["delivery_id"], &discarded["state"]), (&of(1).into(), &"cancelled".into()));
    let denied = gateway.run("dead list --profile H49").await.ended(1);
    assert!(denied.err.contains("OPERATORS_ONLY"), "{}", denied.err);
    let story = gateway.run("track m-2 --profile G22 --lang vi").await.ended(0).out;
    assert!(story.contains("người vận hành hủy bỏ; nhầm") && story.contains("operator:lan"), "{story}");
}

#[tokio::test]
async fn a_hold_is_set_listed_and_released() {
    let gateway = Gateway::start().await;
    std::fs::write(gateway.path("a.txt"), "xin chào").unwrap();
    gateway.run("send a.txt --profile G22 --to H49 --subject S --id m-1").await.ended(0);
    gateway.run("hold set --reason vì --profile lan").await.ended(64);
    gateway.run("hold set --sender G22 --reason vì --profile lan").await.ended(64);
    gateway.run("hold set --organ H49 --sender G22 --message m-1 --reason vì --profile lan").await.ended(64);
    let set = "hold set --sender G22 --message m-1 --profile lan --json --reason";
    let mut command = gateway.command(set);
    command.arg("thanh tra");
    let hold = end(command).await.ended(0).object();
    assert_eq!(
        (&hold["type"], &hold["set_by"], &hold["reason"]),
        (&"hold".into(), &"lan".into(), &"thanh tra".into())
    );
    let organ =
        gateway.run("hold set --organ H49 --reason kiện --profile lan --json").await.ended(0).object();
    assert_eq!((&organ["organ"], &organ["message"]), (&"H49".into(), &serde_json::Value::Null));
    let table = gateway.run("hold list --profile lan --lang vi").await.ended(0).out;
    assert!(
        table.contains("G22 m-1") && table.contains("thanh tra") && table.contains("Người đặt"),
        "{table}"
    );
    let id = hold["hold_id"].as_str().unwrap();
    let released =
        gateway.run(&format!("hold release {id} --reason xong --profile lan --json")).await.ended(0);
    assert_eq!(released.object()["released_by"], "lan");
    let listed = gateway.run("hold list --profile lan --json").await.ended(0).object();
    assert_eq!(listed["hold_id"], organ["hold_id"]);
    assert_eq!(gateway.run("hold list --all --profile lan --json").await.ended(0).objects().len(), 2);
    let none = gateway.run("hold release h77 --reason x --profile lan").await.ended(1);
    assert!(none.err.contains("HOLD_NOT_FOUND"), "{}", none.err);
}
