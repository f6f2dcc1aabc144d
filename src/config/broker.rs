//! The ward post's broker, and Home Assistant's topics on it.

use std::time::Duration;

use super::file;
use super::outside::Checker;
use base::ids::{BoxId, WardId};

/// The broker's settings. `None` only if a problem has been noted, here or at ward and box.
pub(super) fn checked(
    checker: &mut Checker,
    broker: file::Broker,
    ward: Option<WardId>,
    box_id: Option<BoxId>,
) -> Option<wardlink::Settings> {
    let schemes = ["mqtts", "mqtt"];
    let address = broker.url.as_ref().and_then(|url| checker.address("broker.url", url, &schemes));
    let credentials = checker.credentials("broker", broker.user.clone(), broker.password_file.as_deref());
    let ca_file = broker.ca_file.as_ref().and_then(|text| checker.file("broker.ca_file", text));
    let identity = broker_identity(checker, &broker);
    let address = address?;
    if !["", "/"].contains(&&address.rest[address.rest.find(['/', '?', '#']).unwrap_or(address.rest.len())..])
    {
        checker.wrong("broker.url", "has a path", "leave it at the host and port");
    }
    let secure = address.scheme == "mqtts";
    if secure && !checker.written.is_written("broker.ca_file") {
        let remedy = "add ca_file: the PEM file of the authority that signed the broker's certificate";
        checker.wrong("broker.ca_file", "is missing, and the broker is not trusted without it", remedy);
    }
    if !secure && !wardlink::is_this_machine(address.host) {
        let remedy = "use mqtts:// and ca_file; mqtt:// is for a broker on this machine (127.0.0.1)";
        checker.wrong(
            "broker.url",
            "sends alerts to another machine for everybody on the way to read",
            remedy,
        );
    }
    for key in ["broker.ca_file", "broker.cert_file", "broker.key_file"] {
        if !secure && checker.written.is_written(key) {
            checker.wrong(key, "means nothing with mqtt://", "use mqtts://, or take it out");
        }
    }
    let tls = if secure { Some(wardlink::Tls { ca_file: ca_file?, identity }) } else { None };
    Some(wardlink::Settings {
        ward: ward?,
        box_id: box_id?,
        host: address.host.to_owned(),
        port: address.port.unwrap_or(if secure { 8883 } else { 1883 }),
        tls,
        credentials,
        acknowledge: match broker.acknowledge {
            file::Acknowledge::Post => wardlink::Acknowledge::Post,
            file::Acknowledge::Broker => wardlink::Acknowledge::Broker,
        },
        stills: broker.stills,
        keep_alive: Duration::from_secs_f64(broker.keep_alive_seconds),
        home_assistant: wardlink::HomeAssistant::default(),
    })
}

/// First level of the discovery topics; `None` where discovery is off.
pub(super) fn home_assistant(checker: &mut Checker, asked: file::HomeAssistant) -> Option<String> {
    let prefix = asked.topic_prefix;
    let is_level = prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if !(1..=64).contains(&prefix.len()) || !is_level {
        let what = format!("{prefix:?} is no level of a topic");
        let remedy = "use 1 to 64 of A-Z, a-z, 0-9, _ and -; Home Assistant's own is \"homeassistant\"";
        checker.wrong("home_assistant.topic_prefix", what, remedy);
    }
    asked.discovery.then_some(prefix)
}

fn broker_identity(checker: &mut Checker, broker: &file::Broker) -> Option<wardlink::Identity> {
    let cert_file = broker.cert_file.as_ref().and_then(|text| checker.file("broker.cert_file", text));
    let key_file = broker.key_file.as_ref().and_then(|text| checker.private_file("broker.key_file", text));
    let is_written = |key| checker.written.is_written(key);
    match (is_written("broker.cert_file"), is_written("broker.key_file")) {
        (true, false) => {
            checker.wrong("broker.cert_file", "has no key_file beside it", "add key_file: its private key");
        }
        (false, true) => {
            checker.wrong("broker.key_file", "has no cert_file beside it", "add cert_file: its certificate");
        }
        _ => {}
    }
    Some(wardlink::Identity { cert_file: cert_file?, key_file: key_file? })
}
