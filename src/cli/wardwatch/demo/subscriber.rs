//! The receiving end of the demonstration where this program was built without the ward post: Mosquitto's own client.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use super::Told;
use crate::agent::demo::{Arrival, Stage, Subscriber};
use crate::domain::event::Phase;
use crate::publish::Acknowledge;

/// Prints the broker's messages.
pub(super) struct Listener {
    subscriber: Subscriber,
    thumbnails: PathBuf,
}

impl Listener {
    /// No post acknowledges stored alerts.
    pub const ACKNOWLEDGE: Acknowledge = Acknowledge::Broker;
    /// End point of the measured latency.
    pub const GOAL: &str = "message";

    pub fn start(stage: &Stage, thumbnails: PathBuf) -> anyhow::Result<Self> {
        Ok(Self { subscriber: Subscriber::start(stage)?, thumbnails })
    }

    pub fn introduce(&self) -> String {
        "mosquitto_sub: this program was built without feature `post`, and alerts end at the broker"
            .to_owned()
    }

    /// The next alert, if one comes within `patience`.
    pub fn wait(&mut self, patience: Duration) -> anyhow::Result<Vec<Told>> {
        let Some(arrival) = self.subscriber.next(patience)? else { return Ok(Vec::new()) };
        println!("{}", describe(&arrival, &self.thumbnails)?);
        Ok(vec![Told::new(&arrival.alert, latency(&arrival))])
    }

    pub fn stop(self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// One line for a person, and the thumbnail in a file.
fn describe(arrival: &Arrival, thumbnails: &Path) -> anyhow::Result<String> {
    let alert = &arrival.alert;
    let time = alert
        .opened_at
        .to_timestamp()
        .to_zoned(jiff::tz::TimeZone::system())
        .strftime("%H:%M:%S")
        .to_string();
    let subject = alert
        .subjects
        .first()
        .map_or_else(String::new, |subject| format!("{} {:.0}%", subject.label, subject.score * 100.0));
    let head = format!("{time}  {:<10} {:<9} {:<16}", alert.camera.id, alert.rule.kind, alert.rule.name);
    if alert.phase == Phase::Closed {
        let lasted = alert.closed_at.map_or(Duration::ZERO, |closed| closed.since(alert.opened_at));
        return Ok(format!("{head} over after {:.1} s, {} subject(s)", lasted.as_secs_f32(), alert.count));
    }
    let picture = match &alert.thumbnail {
        Some(thumbnail) => {
            let path =
                thumbnails.join(format!("{:03}-{}-{}.jpg", alert.seq, alert.camera.id, alert.rule.kind));
            std::fs::write(&path, &thumbnail.0)
                .with_context(|| format!("cannot write {}", path.display()))?;
            path.display().to_string()
        }
        None => "no thumbnail".to_owned(),
    };
    Ok(format!("{head} {subject:<18} {:>4} ms  {picture}", latency(arrival).as_millis()))
}

/// Time from the frame's arrival at the box to the message's at the subscriber.
fn latency(arrival: &Arrival) -> Duration {
    arrival.at.since(arrival.alert.opened_at)
}
