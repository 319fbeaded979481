//! Users made by the commands that `truc amqp users` prints.

use std::os::unix::fs::PermissionsExt;

use crate::world::{World, submit};

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_make_users_that_can_do_what_they_should() {
    let mut world = World::new("users", &[("H77.1", "amqp-json"), ("H77.2", "amqp-json"), ("H77.3", "grpc")]);
    world.node.ctl(&["delete_user", "urn:truc:organ:H77.1"]);
    let given = world.site.path("secrets/H77.1.password");
    std::fs::remove_file(&given).unwrap();
    let commands = world.truc(&["amqp", "users", "--organ", "H77.1", "--secrets", "secrets"]);
    let password = std::fs::read_to_string(&given).unwrap();
    assert_eq!(std::fs::metadata(&given).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!commands.contains(password.trim()), "a password is told");
    let folder = world.site.dir.path().display().to_string();
    world.node.shell(&format!("cd '{folder}'\n{commands}"));
    let gateway = world.gateway();
    world.queue_exists(&gateway, "truc.receipts.H77.2").await;
    world.publish("H77.1", vec![submit("u1", "H77.2")]).await;
    let told = world.take("H77.1", "truc.receipts.H77.1", 1).await;
    assert_eq!(told[0]["value"]["kind"], "RECEIPT_KIND_ACCEPTED", "{told:?}");

    let (made, why) = world.try_truc(&["amqp", "users", "--organ", "H77.3"]);
    assert!(made.is_none() && why.contains("not attached by AMQP"), "{why}");
    world.attach("H77.3", "amqp");
    let again =
        world.truc(&["amqp", "users", "--organ", "H77.1", "--organ", "H77.3", "--secrets", "secrets"]);
    assert_eq!(again.lines().count(), 4, "{again}");
    assert_eq!(std::fs::read_to_string(&given).unwrap(), password, "a password is made once");
}
