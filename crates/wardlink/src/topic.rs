//! The topics of version 1, `wardwatch/v1/{ward}/{box}/NAME`, and the form of the messages on them.

use base::ids::{BoxId, WardId};
use base::status::{Presence, Status};

/// Topics on which a box publishes, and the one that it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    /// Alert messages; QoS 1, not retained.
    pub alert: String,
    /// Further pictures of alerts; QoS 1, not retained.
    pub still: String,
    /// The box's status; QoS 1, retained, also the will.
    pub status: String,
    /// The box's vitals; QoS 0, not retained.
    pub vitals: String,
    /// The post's acknowledgements; QoS 1, retained. The box reads it.
    pub ack: String,
}

impl Topics {
    /// The topics of a box.
    pub fn new(ward: &WardId, box_id: &BoxId) -> Self {
        let topic = |name: &str| format!("wardwatch/v1/{ward}/{box_id}/{name}");
        Self {
            alert: topic("alert"),
            still: topic("still"),
            status: topic("status"),
            vitals: topic("vitals"),
            ack: topic("ack"),
        }
    }
}

/// A message as it is sent.
pub(super) fn payload(message: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(message).expect("messages are JSON")
}

/// The status of a box that is online.
pub(super) fn online(status: Status) -> Status {
    Status { presence: Presence::Online, ..status }
}

/// The status of a box that is offline.
pub(super) fn offline(status: Status) -> Status {
    let (cameras, configuration_faults) = (Vec::new(), Vec::new());
    Status { presence: Presence::Offline, cameras, store: None, configuration_faults, ..status }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_those_of_version_1() {
        let topics = Topics::new(&"ben-nghe".parse().unwrap(), &"box-1".parse().unwrap());
        assert_eq!(topics.alert, "wardwatch/v1/ben-nghe/box-1/alert");
        assert_eq!(topics.still, "wardwatch/v1/ben-nghe/box-1/still");
        assert_eq!(topics.status, "wardwatch/v1/ben-nghe/box-1/status");
        assert_eq!(topics.vitals, "wardwatch/v1/ben-nghe/box-1/vitals");
        assert_eq!(topics.ack, "wardwatch/v1/ben-nghe/box-1/ack");
    }
}
