//! Alerts and status to the broker: the only user of the MQTT client.

mod settings;

pub use settings::{Identity, Settings, Tls};
