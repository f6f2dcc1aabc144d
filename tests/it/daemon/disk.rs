//! A box whose disk cannot be used when it starts.

use super::*;

#[test]
fn a_disk_that_cannot_be_used_at_the_start_stops_no_alert_and_is_used_once_it_can() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let subscriber = broker.subscriber("wardwatch/v1/#");
    let camera = street_camera(0, 1);
    let place = tempfile::tempdir().unwrap();
    let store = place.path().join("store");
    // A file in the place of a folder refuses everybody, root too.
    std::fs::create_dir(&store).unwrap();
    std::fs::write(store.join("clips"), b"").unwrap();
    let text = config(broker.port, &[("cho", camera.port())]);
    let directory = format!("directory = \"{}\"", store.display());
    let _daemon = Daemon::start(&text.replace("directory = \"store\"", &directory));
    wait_until("alerts that are not kept", PATIENCE, || !alerts_of(&subscriber, "cho").is_empty());
    assert!(alerts_of(&subscriber, "cho").iter().all(|alert| alert.seq == NOT_KEPT));
    let last = || statuses(&subscriber).into_iter().filter_map(|status| status.store).next_back();
    wait_until("the post is told", PATIENCE, || {
        last().is_some_and(|store| {
            store.state == StoreState::Failing
                && store.reason.is_some_and(|reason| reason.contains("cannot write in"))
        })
    });

    std::fs::remove_file(store.join("clips")).unwrap();
    wait_until("footage", PATIENCE, || footage_in(&store, "cho") > 100_000);
    wait_until("an alert that is kept", PATIENCE, || {
        alerts_of(&subscriber, "cho").iter().any(|alert| alert.seq > 0)
    });
    wait_until("the post is told that it is over", PATIENCE, || {
        last().is_some_and(|store| store.state == StoreState::Keeping)
    });
}
