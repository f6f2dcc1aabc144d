//! MQTT device discovery for Home Assistant: one retained message that describes all entities of the box. Off by default.
//!
//! Where discovery is switched off or its topic changes, the retained message is cleared at the broker. A small file lists
//! the topics on which the broker may hold one. No entity has a picture.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::client::Message;
use super::settings::Settings;
use super::topic::Topics;
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

/// Discovery messages of one connection, and their withdrawal.
#[derive(Debug)]
pub(super) struct Discovery {
    /// Topic of the discovery message; `None` where it is switched off.
    topic: Option<String>,
    topics: Topics,
    /// Lists the topics on which the broker may hold a message.
    file: PathBuf,
    /// Topics on which the broker has to clear its message.
    stale: Vec<String>,
    /// Payload that was sent last.
    told: Vec<u8>,
}

impl Discovery {
    /// Reads the topics of earlier messages. `None` where there is nothing to send, nor to withdraw.
    pub async fn begin(settings: &Settings, topics: &Topics) -> Option<Self> {
        let topic = settings
            .home_assistant
            .prefix
            .as_ref()
            .map(|prefix| topic(prefix, &settings.ward, &settings.box_id));
        let file = settings.home_assistant.file.clone();
        let known = asked(file.clone(), |file| Ok(read(file))).await;
        let stale: Vec<String> = known.into_iter().filter(|known| Some(known) != topic.as_ref()).collect();
        if topic.is_none() && stale.is_empty() {
            return None;
        }
        Some(Self { topic, topics: topics.clone(), file, stale, told: Vec::new() })
    }

    /// Messages that clear the retained ones; each with its number for [`Discovery::forgotten`].
    pub fn withdrawals(&self) -> Vec<(usize, Message)> {
        let empty = |topic: &String| Message { topic: topic.clone(), payload: Vec::new(), retain: true };
        self.stale.iter().map(empty).enumerate().collect()
    }

    /// The broker has acknowledged the withdrawal with this number.
    pub async fn forgotten(&self, number: usize) {
        let Some(topic) = self.stale.get(number).cloned() else { return };
        asked(self.file.clone(), move |file| change(file, |known| known.remove(&topic))).await;
    }

    /// The message, unless it is switched off or was sent already.
    pub async fn message(&mut self, status: &Status) -> Option<Message> {
        let topic = self.topic.clone()?;
        let payload = super::session::payload(&described(status, &self.topics));
        if payload == self.told {
            return None;
        }
        self.told.clone_from(&payload);
        let own = topic.clone();
        // Before it leaves: a topic that is not in the file is never cleared.
        asked(self.file.clone(), move |file| change(file, |known| known.insert(own))).await;
        Some(Message { topic, payload, retain: true })
    }
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

/// Result of `question` about the file. A failure of the disk is logged, and gives the default.
async fn asked<T: Default + Send + 'static>(
    file: PathBuf,
    question: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> T {
    let work = move || question(&file).map_err(|error| format!("{}: {error}", file.display()));
    let answer = spawn_blocking(work).await.unwrap_or_else(|error| Err(error.to_string()));
    answer.unwrap_or_else(|error| {
        tracing::warn!("where Home Assistant was told of this box is not remembered: {error}");
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
