//! Acknowledgements on their way to the boxes, and the question that finds another post of the same client id.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::arrival::Sender;
use crate::connection::{Connection, ConnectionError};
use base::ack::{Ack, Writer};
use base::ids::WardId;
use wardlink::client::Incoming;
use wardlink::takeover::{Takeovers, Trace};

/// Time for which acknowledgements wait for the answer about the one that lies at the broker.
const ANSWER: Duration = Duration::from_secs(5);

/// Acknowledgements of one post; see the module.
pub(super) struct Acks {
    /// This run of the post, and the number of its connection.
    pub writer: Writer,
    /// Those that are due to boxes, one of each box, by their topics.
    due: BTreeMap<String, Ack>,
    /// These topics, the oldest first.
    order: VecDeque<String>,
    /// Topics whose retained messages go: those of removed boxes, and of boxes that are not admitted.
    cleared: BTreeSet<String>,
    /// Topic of an acknowledgement that was asked for, to know who wrote it; the subscription may still be active.
    asked: Option<String>,
    asked_at: Instant,
}

impl Acks {
    pub fn new(writer: Writer) -> Self {
        Self {
            writer,
            due: BTreeMap::new(),
            order: VecDeque::new(),
            cleared: BTreeSet::new(),
            asked: None,
            asked_at: Instant::now(),
        }
    }

    /// Replaces acknowledgements left from the last connection by the stored ones, and asks for one of them as it lies at the
    /// broker, after a connection that ended: another post of this client id has replaced it.
    pub fn connected(
        &mut self,
        stored: Vec<(WardId, Ack)>,
        takeovers: &mut Takeovers,
        connection: &Connection,
    ) {
        self.due.clear();
        self.order.clear();
        self.queue(stored);
        if let Some(topic) = self.asked.take() {
            connection.end_question(&topic);
        }
        if let Some(topic) = self.order.front()
            && takeovers.asks()
        {
            connection.ask(topic);
            self.asked = Some(topic.clone());
            self.asked_at = Instant::now();
        }
    }

    /// Queues the latest acknowledgements of boxes; each replaces an earlier one that has not left.
    pub fn queue(&mut self, acks: impl IntoIterator<Item = (WardId, Ack)>) {
        for (ward, ack) in acks {
            let topic = format!("wardwatch/v1/{ward}/{}/ack", ack.box_id);
            if self.due.insert(topic.clone(), ack).is_none() {
                self.order.push_back(topic);
            }
        }
    }

    /// Queues the end of the retained messages of a box, and drops its acknowledgement.
    pub fn clear(&mut self, sender: &Sender) {
        for name in ["status", "ack"] {
            let topic = format!("wardwatch/v1/{sender}/{name}");
            self.due.remove(&topic);
            self.cleared.insert(topic);
        }
    }

    /// Queues the end of the retained status of a box that is not admitted.
    pub fn clear_status(&mut self, sender: &Sender) {
        self.cleared.insert(format!("wardwatch/v1/{sender}/status"));
    }

    /// Takes an acknowledgement at the broker. The first message that a question brings is the retained one; later ones are
    /// this connection's own.
    pub fn arrived(&mut self, message: &Incoming, takeovers: &mut Takeovers, connection: &Connection) {
        if self.asked.as_ref() != Some(&message.topic) {
            return;
        }
        connection.end_question(&message.topic);
        self.asked = None;
        let writer = serde_json::from_slice::<Ack>(&message.payload).ok().and_then(|ack| ack.writer);
        let Some(writer) = writer.filter(|writer| writer.client == self.writer.client) else { return };
        let trace = Trace { run: writer.run, connection: writer.connection };
        if takeovers.found(trace, &self.writer.run) {
            tracing::debug!("another run of this client id has written {}", message.topic);
        }
    }

    /// Sends as many as the broker has room for.
    pub fn send(&mut self, connection: &mut Connection) -> Result<(), ConnectionError> {
        // The client may send one before the question, whose answer it would be.
        if self.asked.is_some() && self.asked_at.elapsed() < ANSWER {
            return Ok(());
        }
        while connection.has_room()
            && let Some(topic) = self.cleared.pop_first()
        {
            connection.publish_retained(&topic, Vec::new())?;
        }
        while connection.has_room() {
            let Some(topic) = self.order.pop_front() else { return Ok(()) };
            let Some(ack) = self.due.remove(&topic) else { continue };
            let ack = Ack { writer: Some(self.writer.clone()), ..ack };
            let payload = serde_json::to_vec(&ack).expect("an acknowledgement is JSON");
            connection.publish_retained(&topic, payload)?;
        }
        Ok(())
    }

    /// True while a question has no answer.
    pub fn is_asking(&self) -> bool {
        self.asked.is_some()
    }
}

/// True for the topic of a post's acknowledgements.
pub(super) fn is_ack(topic: &str) -> bool {
    topic.starts_with("wardwatch/v1/") && topic.ends_with("/ack")
}
