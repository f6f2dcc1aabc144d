//! Settings of the publisher: the broker, and the identity of the box to it.

use std::path::PathBuf;
use std::time::Duration;

use base::ids::{BoxId, WardId};
use base::secret::Credentials;

/// Settings of the publisher.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// First level of every topic.
    pub ward: WardId,
    /// Second level of every topic. With the ward it is the MQTT client id.
    pub box_id: BoxId,
    /// Broker's host name or address.
    pub host: String,
    /// Broker's port.
    pub port: u16,
    /// TLS, or plain TCP for a broker on the same machine.
    pub tls: Option<Tls>,
    /// User name and password, where the broker asks for them.
    pub credentials: Option<Credentials>,
    /// Party that confirms an alert before it leaves the outbox.
    pub acknowledge: Acknowledge,
    /// Stills follow the alerts.
    pub stills: bool,
    /// Longest silence on the connection before it is checked.
    pub keep_alive: Duration,
    /// Discovery by Home Assistant.
    pub home_assistant: HomeAssistant,
}

/// Discovery by Home Assistant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HomeAssistant {
    /// First level of the discovery topics; `None` where discovery is off.
    pub prefix: Option<String>,
    /// File with the topics of the discovery messages, so that they are cleared once discovery is off.
    pub file: PathBuf,
}

impl Settings {
    /// The MQTT client id, `WARD_BOX`: boxes of several wards may share a broker. No id contains the separator `_`.
    pub fn client_id(&self) -> String {
        format!("{}_{}", self.ward, self.box_id)
    }

    /// Host and port, for a person.
    pub(super) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// Party that confirms an alert before it leaves the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledge {
    /// The post, by its messages on topic `ack`: nothing that the broker loses is lost.
    Post,
    /// The broker, where the post does not send acknowledgements.
    Broker,
}

/// Files with which the broker and the box prove their identities.
#[derive(Debug, Clone, PartialEq)]
pub struct Tls {
    /// PEM file of the authority that signed the broker's certificate.
    pub ca_file: PathBuf,
    /// PEM files of the box's own certificate chain and private key, for mutual TLS.
    pub identity: Option<Identity>,
}

/// The box's certificate and key.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// PEM file of the certificate chain.
    pub cert_file: PathBuf,
    /// PEM file of the private key.
    pub key_file: PathBuf,
}
