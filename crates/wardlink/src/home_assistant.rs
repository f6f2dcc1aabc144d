//! MQTT device discovery for Home Assistant: one retained message that describes all entities of the box. Off by default.
//!
//! Where discovery is switched off or its topic changes, the retained message is cleared at the broker. A small file lists
//! the topics on which the broker may hold one. No entity has a picture. The session sends the messages, and knows nothing of
//! their contents.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::client::Message;
use super::settings::Settings;
use super::topic::{Topics, payload};
use base::ids::{BoxId, WardId};
use base::status::Status;

/// Fields of an alert that a Home Assistant event has as attributes, beside its phase. The second value is the
/// expression with which Home Assistant's templates read the field from the message.
const ATTRIBUTES: [(&str, &str); 11] = [
    ("alert", "value_json.id"),
    ("seq", "value_json.seq"),
    ("severity", "value_json.severity"),
    ("rule", "value_json.rule.name"),
    ("kind", "value_json.rule.kind"),
    ("camera", "value_json.camera.name"),
    ("zone", "value_json.zone | default(none)"),
    ("count", "value_json.count"),
    ("why", "value_json.why | default(none)"),
    ("opened_at", "value_json.opened_at"),
    ("closed_at", "value_json.closed_at | default(none)"),
];

/// Connections that may end over a message for Home Assistant. Afterwards only each `RETRY`-th connection sends one.
const UNACKNOWLEDGED_MAX: u32 = 3;
const RETRY: u32 = 16;

/// Discovery messages of the box, over connections; see the module.
#[derive(Debug)]
pub(super) struct Discovery {
    /// Topic of the description; `None` where discovery is switched off.
    topic: Option<String>,
    topics: Topics,
    /// Lists the topics on which the broker may hold a message.
    file: PathBuf,
    /// Consecutive connections with a message that the broker has not acknowledged.
    unacknowledged: u32,
    /// State of the present connection; `None` where nothing is sent on it.
    connection: Option<Connection>,
}

#[derive(Debug, Default)]
struct Connection {
    /// Topics on which the broker has to clear its message.
    stale: Vec<String>,
    /// The description that was sent last.
    sent: Vec<u8>,
    has_sent: bool,
}

/// Names a message between its sending and [`Discovery::acknowledged`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Note {
    /// The description of the box.
    Description,
    /// Clears the description on one of the stale topics.
    Withdrawal(usize),
}

impl Discovery {
    pub fn new(settings: &Settings, topics: &Topics) -> Self {
        let prefix = settings.home_assistant.prefix.as_ref();
        Self {
            topic: prefix.map(|prefix| topic(prefix, &settings.ward, &settings.box_id)),
            topics: topics.clone(),
            file: settings.home_assistant.file.clone(),
            unacknowledged: 0,
            connection: None,
        }
    }

    /// A new connection starts. Returns the messages that clear retained ones. Where the broker seems to end connections
    /// over these messages, none is sent: alerts must leave all the same.
    pub async fn connected(&mut self) -> Vec<(Note, Message)> {
        self.connection = None;
        if self.unacknowledged >= UNACKNOWLEDGED_MAX && !self.unacknowledged.is_multiple_of(RETRY) {
            if self.unacknowledged == UNACKNOWLEDGED_MAX {
                tracing::warn!(
                    "the broker ended {UNACKNOWLEDGED_MAX} connections on which Home Assistant was told of this box: alerts \
                     go on without it; check the broker's access list, or set home_assistant.discovery = false"
                );
            }
            self.unacknowledged = self.unacknowledged.saturating_add(1);
            return Vec::new();
        }
        let known = with_file(self.file.clone(), |file| Ok(read(file))).await;
        let stale: Vec<String> =
            known.into_iter().filter(|known| Some(known) != self.topic.as_ref()).collect();
        if self.topic.is_none() && stale.is_empty() {
            return Vec::new();
        }
        let messages: Vec<_> = stale.iter().enumerate().map(withdrawal).collect();
        self.connection = Some(Connection { stale, ..Connection::default() });
        if !messages.is_empty() {
            self.count_sent();
        }
        messages
    }

    /// Description of the box with this status, unless discovery is switched off or it was sent already.
    pub async fn on_status(&mut self, status: &Status) -> Option<(Note, Message)> {
        let (topic, connection) = (self.topic.clone()?, self.connection.as_mut()?);
        let payload = payload(&described(status, &self.topics));
        if payload == connection.sent {
            return None;
        }
        connection.sent.clone_from(&payload);
        let own = topic.clone();
        // Before it leaves: a topic that is not in the file is never cleared.
        with_file(self.file.clone(), move |file| change(file, |known| known.insert(own))).await;
        self.count_sent();
        Some((Note::Description, Message { topic, payload, retain: true }))
    }

    /// The broker has acknowledged this message.
    pub async fn acknowledged(&mut self, note: Note) {
        self.unacknowledged = 0;
        let Note::Withdrawal(number) = note else { return };
        let stale = self.connection.as_ref().and_then(|connection| connection.stale.get(number));
        if let Some(topic) = stale.cloned() {
            with_file(self.file.clone(), move |file| change(file, |known| known.remove(&topic))).await;
        }
    }

    /// Counts a connection with its first message.
    fn count_sent(&mut self) {
        if let Some(connection) = &mut self.connection
            && !std::mem::replace(&mut connection.has_sent, true)
        {
            self.unacknowledged = self.unacknowledged.saturating_add(1);
        }
    }
}

/// The message that clears a retained one.
fn withdrawal((number, topic): (usize, &String)) -> (Note, Message) {
    let message = Message { topic: topic.clone(), payload: Vec::new(), retain: true };
    (Note::Withdrawal(number), message)
}

/// `PREFIX/device/wardwatch-WARD/BOX/config`: the box's id is a level of its own, since brokers' access lists know only
/// whole levels, and Home Assistant allows for one more.
fn topic(prefix: &str, ward: &WardId, box_id: &BoxId) -> String {
    format!("{prefix}/device/wardwatch-{ward}/{box_id}/config")
}

/// The discovery message: the box with all its entities.
fn described(status: &Status, topics: &Topics) -> Value {
    let Status { ward, box_id, version, .. } = status;
    // No id contains the separator `_`: `a-b` with `c` is not `a` with `b-c`.
    let device = format!("wardwatch-{ward}_{box_id}");
    let mut components = serde_json::Map::new();
    components.insert(
        "outbox".to_owned(),
        json!({
            "platform": "sensor", "unique_id": format!("{device}-outbox"), "name": "Alerts that wait",
            "state_topic": topics.status, "value_template": "{{ value_json.outbox_depth }}",
            "state_class": "measurement", "entity_category": "diagnostic", "icon": "mdi:tray-full",
        }),
    );
    components.insert(
        "alert".to_owned(),
        json!({
            "platform": "event", "unique_id": format!("{device}-alert"), "name": "Alert",
            "state_topic": topics.alert, "value_template": event(), "event_types": ["opened", "closed"],
            "icon": "mdi:alert",
        }),
    );
    for camera in &status.cameras {
        let id = &camera.id;
        let is_live = format!(
            "{{{{ 'ON' if value_json.cameras | selectattr('id', 'eq', '{id}') | selectattr('state', 'eq', 'live') \
             | list else 'OFF' }}}}"
        );
        components.insert(
            format!("camera-{id}"),
            json!({
                "platform": "binary_sensor", "unique_id": format!("{device}-camera-{id}"),
                "name": format!("Camera {id}"), "device_class": "connectivity", "entity_category": "diagnostic",
                "state_topic": topics.status, "value_template": is_live,
            }),
        );
    }
    json!({
        "device": {
            "identifiers": [device], "name": format!("{box_id} ({ward})"), "manufacturer": "wardwatch",
            "model": "roadside box", "sw_version": version,
        },
        "origin": { "name": "wardwatch", "sw_version": version },
        "availability": [{
            "topic": topics.status, "value_template": "{{ value_json.presence }}",
            "payload_available": "online", "payload_not_available": "offline",
        }],
        "qos": 1,
        "components": components,
    })
}

/// The template that makes an event of an alert message, without its picture.
fn event() -> String {
    let attributes = ATTRIBUTES.map(|(name, value)| format!("'{name}': {value}")).join(", ");
    format!("{{{{ {{'event_type': value_json.phase, {attributes}}} | to_json }}}}")
}

/// Topics on which the broker may hold a message, one a line. Empty where there is no such file.
fn read(file: &Path) -> BTreeSet<String> {
    fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn change(file: &Path, change: impl FnOnce(&mut BTreeSet<String>) -> bool) -> io::Result<()> {
    let mut known = read(file);
    if !change(&mut known) {
        return Ok(());
    }
    if known.is_empty() {
        return fs::remove_file(file);
    }
    let lines: String = known.iter().map(|topic| format!("{topic}\n")).collect();
    let beside = file.with_extension("new");
    fs::write(&beside, lines)?;
    fs::rename(beside, file)
}

/// Result of `work` with the file. A failure of the disk is logged, and gives the default.
async fn with_file<T: Default + Send + 'static>(
    file: PathBuf,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> T {
    let done = spawn_blocking(move || work(&file).map_err(|error| format!("{}: {error}", file.display())));
    done.await.unwrap_or_else(|error| Err(error.to_string())).unwrap_or_else(|error| {
        tracing::warn!(
            "the list of this box's Home Assistant topics is not updated: {error}; messages there may stay at the broker"
        );
        T::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_changed_line_by_line_and_the_file_goes_with_the_last() {
        let place = tempfile::TempDir::new().unwrap();
        let file = place.path().join("topics");
        assert!(read(&file).is_empty());
        for topic in ["a", "b", "a"] {
            change(&file, |known| known.insert(topic.to_owned())).unwrap();
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "a\nb\n");
        for (topic, is_there) in [("b", true), ("c", true), ("a", false)] {
            change(&file, |known| known.remove(topic)).unwrap();
            assert_eq!(file.exists(), is_there);
        }
    }
}
