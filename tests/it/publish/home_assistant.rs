//! The box's entries for Home Assistant at the broker, and their removal.

use serde_json::Value;
use tempfile::TempDir;
use wardlink::{HomeAssistant, Settings};

use super::{LONG, Sender, settings};
use crate::support::broker::{BrokerOptions, Message, TestBroker};
use crate::support::wait_until;

const TOPIC: &str = "homeassistant/device/wardwatch-ben-nghe/box-1/config";

/// Messages that the broker keeps for Home Assistant.
fn kept(broker: &TestBroker, prefix: &str) -> Vec<Message> {
    let subscriber = broker.subscriber(&format!("{prefix}/#"));
    // Retained messages come before a message that is published after them.
    let marker = format!("{prefix}/marker");
    broker.publish(&marker, b"x");
    wait_until("all that is retained has come", LONG, || {
        subscriber.messages().iter().any(|message| message.topic == marker)
    });
    let messages = subscriber.messages();
    messages.into_iter().filter(|message| message.topic != marker && !message.payload.is_empty()).collect()
}

#[test]
fn home_assistant_is_told_of_the_box_until_it_is_switched_off() {
    let (broker, place) = (TestBroker::start(&BrokerOptions::default()), TempDir::new().unwrap());
    let file = place.path().join("topics");
    let with = |prefix: Option<&str>| Settings {
        home_assistant: HomeAssistant { prefix: prefix.map(str::to_owned), file: file.clone() },
        ..settings(broker.port)
    };
    let sender = Sender::start(with(Some("homeassistant")));
    wait_until("it is told", LONG, || !kept(&broker, "homeassistant").is_empty());
    let told = kept(&broker, "homeassistant");
    assert!(told.len() == 1 && told[0].topic == TOPIC && told[0].retained, "{told:?}");
    let config: Value = serde_json::from_slice(&told[0].payload).unwrap();
    let status = "wardwatch/v1/ben-nghe/box-1/status";
    assert_eq!(config["device"]["identifiers"][0], "wardwatch-ben-nghe_box-1");
    assert_eq!(config["origin"]["name"], "wardwatch");
    let availability = &config["availability"][0];
    assert!(availability["topic"] == status && availability["payload_available"] == "online", "{config:#}");
    let parts = config["components"].as_object().unwrap();
    assert_eq!(parts.keys().collect::<Vec<_>>(), ["alert", "camera-gate", "outbox"]);
    let camera = &parts["camera-gate"];
    assert!(camera["platform"] == "binary_sensor" && camera["device_class"] == "connectivity", "{camera:#}");
    assert!(camera["state_topic"] == status && camera["value_template"].as_str().unwrap().contains("'gate'"));
    let alert = &parts["alert"];
    assert_eq!((&alert["platform"], &alert["state_topic"]), (&"event".into(), &super::ALERT.into()));
    assert!(
        parts
            .values()
            .all(|part| part["unique_id"].as_str().unwrap().starts_with("wardwatch-ben-nghe_box-1-"))
    );
    let text = String::from_utf8_lossy(&told[0].payload).into_owned();
    assert!(!text.contains("thumbnail") && !text.contains("image"), "no picture: {text}");

    // The entry is elsewhere, and not in the old place any more.
    sender.publisher.stop(LONG);
    let sender = Sender::start(with(Some("ha")));
    wait_until("it is told elsewhere", LONG, || kept(&broker, "ha").len() == 1);
    wait_until("the old place is cleared", LONG, || kept(&broker, "homeassistant").is_empty());
    sender.publisher.stop(LONG);

    // Home Assistant is switched off.
    let sender = Sender::start(with(None));
    wait_until("it is cleared", LONG, || kept(&broker, "ha").is_empty());
    wait_until("nothing is left to remember", LONG, || !file.exists());
    sender.publisher.stop(LONG);
}

#[test]
fn without_being_asked_nothing_is_told() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let everything = broker.subscriber("#");
    let sender = Sender::start(settings(broker.port));
    sender.put(0);
    wait_until("the alert is out", LONG, || sender.state().published == 1);
    wait_until("it has come", LONG, || {
        everything.messages().iter().any(|message| message.topic == super::ALERT)
    });
    let others =
        everything.messages().into_iter().filter(|message| !message.topic.starts_with("wardwatch/v1/"));
    assert_eq!(others.count(), 0);
}

/// Two wards' boxes of one id at one broker: each has its topic, its device and its entities, with any signs in the ids.
#[test]
fn boxes_of_one_id_in_two_wards_do_not_write_over_each_other() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let place = TempDir::new().unwrap();
    let names = [("ben-nghe", "box-1"), ("da-kao", "box-1"), ("ben", "nghe-box-1")];
    let senders = names.map(|(ward, box_id)| {
        let file = place.path().join(format!("{ward}.{box_id}"));
        let home_assistant = HomeAssistant { prefix: Some("homeassistant".into()), file };
        let who = Settings {
            ward: ward.parse().unwrap(),
            box_id: box_id.parse().unwrap(),
            ..settings(broker.port)
        };
        Sender::start(Settings { home_assistant, ..who })
    });
    wait_until("each is told", LONG, || kept(&broker, "homeassistant").len() == names.len());
    senders.iter().for_each(Sender::wait_for_connection);
    assert_eq!(broker.takeovers(), 0, "each is a client of its own");
}

/// The entry of a version before this one lies on a topic without the ward.
#[test]
fn the_topic_without_the_ward_is_emptied_once() {
    const BEFORE: &str = "homeassistant/device/wardwatch/box-1/config";
    let (broker, place) = (TestBroker::start(&BrokerOptions::default()), TempDir::new().unwrap());
    let file = place.path().join("topics");
    broker.publish(BEFORE, b"{}");
    std::fs::write(&file, format!("{BEFORE}\n")).unwrap();
    let home_assistant = HomeAssistant { prefix: Some("homeassistant".into()), file: file.clone() };
    let sender = Sender::start(Settings { home_assistant, ..settings(broker.port) });
    wait_until("only the new topic is left", LONG, || {
        let told = kept(&broker, "homeassistant");
        told.len() == 1 && told[0].topic == TOPIC
    });
    wait_until("the old one is forgotten", LONG, || {
        std::fs::read_to_string(&file).unwrap() == format!("{TOPIC}\n")
    });
    drop(sender);
}
