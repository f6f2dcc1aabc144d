//! A post whose configuration has faults: the unit's stays up, and receives once they are corrected.

use std::fs::{self, File};
use std::process::Command;

use super::broker;
use super::station::LONG;
use crate::support::{wait_until, wardpost_program};

#[test]
fn a_post_with_faults_waits_for_their_correction() {
    let broker = broker();
    let place = tempfile::tempdir().unwrap();
    let config = place.path().join("wardpost.toml");
    let write = |url: &str| {
        let text = format!("[broker]\nurl = \"{url}\"\n[post]\nward = \"w\"\ndatabase = \"post.sqlite\"\n");
        fs::write(&config, text).unwrap();
    };
    write("post.example");
    let serve = |more: &[&str], log: &str| {
        let mut command = Command::new(wardpost_program());
        command.arg("serve").args(more).arg("--config").arg(&config);
        command.stderr(File::create(place.path().join(log)).unwrap()).spawn().unwrap()
    };
    let said = |log: &str| fs::read_to_string(place.path().join(log)).unwrap();
    assert_eq!(serve(&[], "terminal").wait().unwrap().code(), Some(1));
    assert!(said("terminal").contains("broker.url"), "{}", said("terminal"));

    let mut unit = serve(&["--stay-up"], "unit");
    wait_until("the fault is said", LONG, || said("unit").contains("broker.url"));
    write(&format!("mqtt://127.0.0.1:{}", broker.port));
    wait_until("it receives", LONG, || said("unit").contains("connected to the broker"));
    assert_eq!(said("unit").matches("broker.url").count(), 1, "a fault is said once: {}", said("unit"));
    assert!(Command::new("kill").arg(unit.id().to_string()).status().unwrap().success());
    assert!(unit.wait().unwrap().success());
}
