//! Brokers with the very files of `deploy/`: only paths and ports are other ones. Permissions at Mosquitto, and a stream
//! of alerts through each broker that is killed in its middle.

mod deployed;

use std::collections::BTreeSet;
use std::time::Instant;

use base::ids::OutboxId;
use wardlink::{Acknowledge, HomeAssistant, Identity, Settings, Tls};

use crate::post::station::Station;
use crate::publish::{LONG, Sender, settings};
use crate::support::ceremony::Ceremony;
use crate::support::wait_until;
use deployed::{Deployed, Listener};

/// Number of alerts of 33 KiB that pass.
const COUNT: u64 = 300;

/// Settings of a box with a certificate that waits for the post's acknowledgement.
fn boxed(ceremony: &Ceremony, identity: Identity, port: u16) -> Settings {
    Settings {
        host: "localhost".into(),
        tls: Some(Tls { ca_file: ceremony.ca_file(), identity: Some(identity) }),
        acknowledge: Acknowledge::Post,
        ..settings(port)
    }
}

/// Starts `wardpost serve` with the post's certificate.
fn post(ceremony: &Ceremony, port: u16) -> Station {
    let (url, own) = (format!("mqtts://localhost:{port}"), ceremony.post());
    let files = [ceremony.ca_file(), own.cert_file, own.key_file].map(|file| file.display().to_string());
    let more = ["--broker", &url, "--ca", &files[0], "--cert", &files[1], "--key", &files[2]];
    let mut station = Station::at(port, &more);
    station.serve();
    station.wait_for_connections(1);
    station
}

/// Sends alerts from a box to the post; the broker is killed once a third has gone out, and comes back.
fn stream(mut broker: Deployed, ceremony: &Ceremony) {
    let identity = ceremony.new_box("box-1");
    broker.run();
    let station = post(ceremony, broker.port);
    let sender = Sender::start(boxed(ceremony, identity, broker.port));
    sender.wait_for_connection();
    let begun = Instant::now();
    let (published, stored) = std::thread::scope(|scope| {
        let producer = scope.spawn(|| (0..COUNT).for_each(|number| drop(sender.put(number))));
        wait_until("a third is published", 2 * LONG, || sender.state().published >= COUNT / 3);
        broker.kill();
        let at_the_kill = (sender.state().published, station.stored().len());
        broker.run();
        producer.join().unwrap();
        at_the_kill
    });
    wait_until("the outbox is empty", 4 * LONG, || sender.depth() == 0);
    let took = begun.elapsed();
    station.wait_for_stored(usize::try_from(COUNT).unwrap());
    let ids: BTreeSet<_> = station.stored().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids.len() as u64, COUNT, "none twice");
    let known = station.known("box-1");
    assert!(known["missing"] == 0 && known["conflicts"] == 0, "{known}");
    eprintln!(
        "{}: {COUNT} of {COUNT} stored, none lost, none twice; at the kill the broker had acknowledged {published} and \
         the post stored {stored}; {} came twice and were dropped; {:.1} s",
        broker.name,
        known["duplicates"],
        took.as_secs_f64()
    );
}

#[test]
fn mosquitto_killed_in_the_middle_loses_nothing() {
    let ceremony = Ceremony::held();
    stream(Deployed::mosquitto(&ceremony), &ceremony);
}

#[test]
fn rabbitmq_killed_in_the_middle_loses_nothing() {
    let ceremony = Ceremony::held();
    let Some(broker) = Deployed::rabbitmq(&ceremony) else { return };
    stream(broker, &ceremony);
}

/// RabbitMQ ends the connection of a client that writes where it may not.
#[test]
fn a_broker_that_forbids_home_assistants_topic_takes_alerts_all_the_same() {
    let ceremony = Ceremony::held();
    let Some(mut broker) = Deployed::rabbitmq(&ceremony) else { return };
    let identity = ceremony.new_box("box-1");
    broker.run();
    let station = post(&ceremony, broker.port);
    let sender = |prefix: &str| {
        let home_assistant =
            HomeAssistant { prefix: Some(prefix.to_owned()), file: station.place.path().join(prefix) };
        Sender::start(Settings { home_assistant, ..boxed(&ceremony, identity.clone(), broker.port) })
    };
    let allowed = sender("homeassistant");
    wait_until("it is remembered", 2 * LONG, || station.place.path().join("homeassistant").exists());
    allowed.put(0);
    wait_until("the post has it", 2 * LONG, || allowed.depth() == 0);
    assert_eq!(allowed.state().last_error, None);
    drop(allowed);
    let forbidden = sender("elsewhere");
    forbidden.put(0);
    wait_until("the post has it", 4 * LONG, || forbidden.depth() == 0);
    station.wait_for_stored(2);
}

#[test]
fn nats_killed_in_the_middle_loses_nothing() {
    let ceremony = Ceremony::held();
    let Some(broker) = Deployed::nats(&ceremony) else { return };
    stream(broker, &ceremony);
}

#[test]
fn a_box_speaks_for_itself_alone_and_reads_its_own_status_and_acknowledgements_alone() {
    let ceremony = Ceremony::held();
    let mut broker = Deployed::mosquitto(&ceremony);
    broker.run();
    let [first, second] = ["box-1", "box-2"].map(|id| ceremony.new_box(id));
    let topic = |box_id: &str, name: &str| format!("wardwatch/v1/ben-nghe/{box_id}/{name}");
    let publish = |own: &Identity, topic: &str| broker.publish(&ceremony, own, topic, topic);

    // Topics that a box may write, and topics that it may not; the last one is allowed.
    let post = Listener::start(&ceremony, &ceremony.post(), &broker, "wardwatch/v1/#");
    for forbidden in ["alert", "still", "status", "vitals", "ack"].map(|name| topic("box-2", name)) {
        publish(&first, &forbidden);
    }
    for forbidden in
        ["wardwatch/v1/ben-nghe/box-1/ack", "wardwatch/v1/ben-nghe/box-1/more", "other", "$SYS/x"]
    {
        publish(&first, forbidden);
    }
    for forbidden in ["device/wardwatch/box-2/config", "device/wardwatch/box-1/other", "sensor/box-1/config"]
    {
        publish(&first, &format!("homeassistant/{forbidden}"));
    }
    publish(&first, "homeassistant/device/wardwatch/box-1/config");
    let allowed = ["vitals", "status", "still", "alert"].map(|name| topic("box-1", name));
    allowed.iter().for_each(|topic| publish(&first, topic));
    publish(&second, &topic("box-2", "alert"));
    post.wait_for(&topic("box-2", "alert"));
    let heard: BTreeSet<String> = post.heard().into_iter().collect();
    let expected = allowed.iter().cloned().chain([topic("box-2", "alert")]).collect();
    assert_eq!(heard, expected, "the post reads everything, and nothing else came");
    drop(post);

    // Topics that a box may read. The post has one session: it writes while no listener uses it.
    for name in ["box-2", "box-1"] {
        publish(&ceremony.post(), &topic(name, "ack"));
    }
    publish(&ceremony.post(), &topic("box-1", "alert"));
    let box_1 = Listener::start(&ceremony, &first, &broker, "#");
    box_1.wait_for(&topic("box-1", "ack"));
    for name in ["box-2", "box-1"] {
        publish(&second, &topic(name, "alert"));
        publish(&ceremony.post(), &topic(name, "ack"));
    }
    let acks = || box_1.heard().into_iter().filter(|heard| *heard == topic("box-1", "ack")).count();
    wait_until("its own comes again", LONG, || acks() >= 2);
    let own = ["ack", "status"].map(|name| topic("box-1", name));
    assert!(box_1.heard().iter().all(|heard| own.contains(heard)), "{:?}", box_1.heard());
    assert!(broker.log().contains("Denied PUBLISH from box-1"), "{}", broker.log());
    // Of Home Assistant's topics a box may write its own one, and nothing else.
    let log = broker.log();
    let denied: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("Denied PUBLISH") && line.contains("'homeassistant/"))
        .collect();
    assert!(denied.len() == 3 && !denied.iter().any(|line| line.contains("box-1/config'") && line.contains("/device/wardwatch/box-1/config")), "{denied:?}");
    // Names are those of the certificates, independent of the client's id.
    assert!(!broker.log().contains("as liar"), "{}", broker.log());
}

#[test]
fn the_way_of_an_alert_with_certificates_and_the_end_of_a_revoked_one() {
    let ceremony = Ceremony::held();
    let mut broker = Deployed::mosquitto(&ceremony);
    broker.run();
    let station = post(&ceremony, broker.port);
    let identity = ceremony.new_box("box-1");
    let sender = Sender::start(boxed(&ceremony, identity.clone(), broker.port));
    let stored = sender.put(0);
    assert_ne!(stored.outbox, OutboxId::default());
    wait_until("the post has it, and the box knows", LONG, || sender.depth() == 0);
    station.wait_for_stored(1);

    ceremony.revoke("box-1");
    broker.kill();
    broker.run();
    wait_until("the post is back", LONG, || station.log().matches("connected to the broker").count() >= 2);
    sender.put(1);
    let refused = || sender.state().last_error.filter(|error| error.contains("revoked"));
    wait_until("the box is told", LONG, || refused().is_some());
    eprintln!("{}", refused().unwrap());
    assert!(!sender.state().connected && sender.depth() == 1);

    // Another key, another certificate; the publisher reads the files anew.
    let again = ceremony.new_box("box-1");
    let sender = Sender::start(boxed(&ceremony, again, broker.port));
    sender.put(2);
    wait_until("it is let in again", LONG, || sender.depth() == 0);
}

#[test]
fn without_a_certificate_nobody_comes_in() {
    let ceremony = Ceremony::held();
    let mut broker = Deployed::mosquitto(&ceremony);
    broker.run();
    let strangers = Ceremony::held();
    let settings = |identity| Settings {
        tls: Some(Tls { ca_file: ceremony.ca_file(), identity }),
        ..boxed(&ceremony, ceremony.post(), broker.port)
    };
    for identity in [None, Some(strangers.new_box("box-1"))] {
        let sender = Sender::start(settings(identity));
        wait_until("it is refused", LONG, || sender.state().last_error.is_some());
        assert!(!sender.state().connected);
        let error = sender.state().last_error.unwrap();
        assert!(error.contains("broker.cert_file"), "{error}");
    }
    assert!(!broker.log().contains("New client connected"), "{}", broker.log());
}
