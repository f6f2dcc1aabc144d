//! Receiver: from the broker into the database, and acknowledgements of the stored messages back to the boxes.
//!
//! The order is always: a message comes, a transaction with it commits, the broker is told that it may forget it, the
//! box is told that it may. Waiting messages are stored together, so that a hundred boxes share a commit. Owns one thread, the
//! only one that writes arrivals. A disk that accepts no writes stops everything here: nothing is acknowledged, and box and
//! broker keep their messages.

mod acks;
mod bounds;
mod forgotten;
mod room;
mod upkeep;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::arrival::{Arrival, Content, Refused, Sender};
use super::connection::{Connection, ConnectionError, Event, address};
use super::health::{Fleet, Limit};
use super::presence::{Reported, Sign, Watched};
use super::presentation::{SILENT_FOR, printable};
use super::settings::Settings;
use super::storage::{Batch, Notice, NoticeKind, Storage, StorageError, Taken};
use super::twins::Twins;
use acks::{Acks, is_ack};
use base::ack::Writer;
use base::backoff::{Backoff, scattered};
use base::clock;
use base::fault::{ErrorKind, chain, is_repeated};
use base::ids::OutboxId;
use base::progress;
use base::time::Monotonic;
use bounds::{Bounds, Exceeded};
use forgotten::Removed;
use upkeep::Upkeep;
use wardlink::client::{Incoming, Receipt};
use wardlink::takeover::{self, Takeovers};

/// Maximum number of messages in one transaction.
const BATCH_MAX: usize = 64;
/// Shortest and longest wait between connections: alerts wait only for the post meanwhile, and it is one client.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(2));
/// Longest wait where a person has to change something first.
const CONFIG_WAIT: Duration = Duration::from_secs(30);
/// Delay before a disk that accepted no writes is tried again.
const DISK_RETRY: Duration = Duration::from_secs(1);
/// Outage of the broker above which a notice is made.
const LINK_PATIENCE: Duration = Duration::from_secs(20);
/// Interval of checks for silent boxes.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// Maximum time of one piece of work on its thread before it counts as stalled.
const WORK_MAX: Duration = Duration::from_secs(60);

/// Reason for which the receiver does not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ReceiverError {
    /// The database cannot be used.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The receiver's thread cannot be started.
    #[error("cannot start the receiver's thread: {0}")]
    Thread(io::Error),
    /// The receiver's thread panicked.
    #[error("the receiver's thread panicked; the log says where")]
    Panicked,
}

/// Receives on a thread of its own.
#[derive(Debug)]
pub struct Receiver {
    stop: watch::Sender<bool>,
    thread: JoinHandle<Result<(), ReceiverError>>,
}

impl Receiver {
    /// Opens the database and starts to connect, and goes on for ever. `ended` is called when it cannot go on, or was
    /// stopped.
    ///
    /// # Errors
    /// The database cannot be opened, or no thread can be started.
    pub fn start(settings: Settings, ended: impl FnOnce() + Send + 'static) -> Result<Self, ReceiverError> {
        let mut storage = Storage::open(&settings.database)?;
        storage.group_by(settings.duty.grouping);
        let link = Link::new(settings, storage)?;
        let (stop, stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(ReceiverError::Thread)?;
        let work = move || {
            let _unit = progress::begin("the receiver", WORK_MAX);
            let result = runtime.block_on(async {
                tokio::select! {
                    result = link.run(stopped) => result,
                    never = turning() => match never {},
                }
            });
            // A pending name resolution is not waited for.
            runtime.shutdown_background();
            ended();
            result
        };
        let thread =
            std::thread::Builder::new().name("receive".into()).spawn(work).map_err(ReceiverError::Thread)?;
        Ok(Self { stop, thread })
    }

    /// Stores and acknowledges the messages in hand, and ends.
    ///
    /// # Errors
    /// The error that had ended it before.
    pub fn stop(self) -> Result<(), ReceiverError> {
        self.stop.send_replace(true);
        self.thread.join().unwrap_or(Err(ReceiverError::Panicked))
    }
}

/// Reports progress while the runtime turns: no task of it blocks the thread while it waits.
async fn turning() -> Infallible {
    loop {
        progress::advance();
        sleep(WORK_MAX / 6).await;
    }
}

/// State that outlives a connection.
struct Link {
    settings: Settings,
    /// Absent only while a blocking thread has it.
    storage: Option<Storage>,
    watched: BTreeMap<Sender, Watched>,
    bounds: Bounds,
    removed: Removed,
    health: Fleet,
    twins: BTreeMap<Sender, Twins>,
    /// Client id of the post.
    client_id: String,
    takeovers: Takeovers,
    /// The broker had acknowledged all messages when the connection ended.
    was_idle: bool,
    /// Time since which the broker's messages are received.
    subscribed_since: Option<Monotonic>,
    disconnected_since: Instant,
    /// The notice of the lost connection has been made.
    has_reported_loss: bool,
    acks: Acks,
    upkeep: Upkeep,
    /// The database's change counter when it was last read, and the last settlement then.
    seen: (i64, u64),
    backoff: Backoff,
    /// Reason for which there was no connection, as it was logged.
    link_fault: String,
    /// Reason for which the disk accepted no writes, as it was logged.
    disk_fault: String,
}

/// Reason for which a connection has ended.
enum End {
    Stopped,
    Link(ConnectionError),
    Storage(ReceiverError),
}

impl From<ConnectionError> for End {
    fn from(error: ConnectionError) -> Self {
        Self::Link(error)
    }
}

impl From<ReceiverError> for End {
    fn from(error: ReceiverError) -> Self {
        Self::Storage(error)
    }
}

impl Link {
    fn new(settings: Settings, storage: Storage) -> Result<Self, ReceiverError> {
        let known = storage.boxes()?;
        let health = Fleet::new(&known);
        let mut bounds = Bounds::default();
        known.iter().for_each(|known| bounds.knows(&known.sender));
        let removed = Removed::new(&storage, |sender| known.iter().any(|known| known.sender == *sender))?;
        let watched = known.into_iter().map(|known| (known.sender, Watched::new(known.reported))).collect();
        let client_id = match &settings.broker.client_id {
            Some(client_id) => client_id.clone(),
            None => storage.client_id()?,
        };
        let run = Writer { client: client_id.clone(), run: OutboxId::random().to_string(), connection: 0 };
        Ok(Self {
            settings,
            storage: Some(storage),
            watched,
            bounds,
            removed,
            health,
            twins: BTreeMap::new(),
            client_id,
            takeovers: Takeovers::default(),
            was_idle: false,
            subscribed_since: None,
            disconnected_since: Instant::now(),
            has_reported_loss: false,
            acks: Acks::new(run),
            upkeep: Upkeep::default(),
            seen: (0, 0),
            backoff: Backoff::new(RECONNECT.0, RECONNECT.1),
            link_fault: String::new(),
            disk_fault: String::new(),
        })
    }

    /// Connects again and again, until it is told to stop.
    async fn run(mut self, mut stopped: watch::Receiver<bool>) -> Result<(), ReceiverError> {
        loop {
            let begun = Instant::now();
            let error = match self.connection(&mut stopped).await {
                End::Stopped => return Ok(()),
                End::Storage(error) => return Err(error),
                End::Link(error) => error,
            };
            let error = self.judged(error, begun.elapsed());
            if self.subscribed_since.take().is_some() {
                self.disconnected_since = Instant::now();
            }
            let text = chain(&error);
            if !is_repeated(&text, &self.link_fault) {
                tracing::warn!("{text}");
                self.link_fault.clone_from(&text);
            }
            let is_another = matches!(error, ConnectionError::AnotherClient { .. });
            if !self.has_reported_loss && (is_another || self.disconnected_since.elapsed() >= LINK_PATIENCE) {
                self.has_reported_loss = true;
                self.store_notice(NoticeKind::LinkLost, Some(text), &mut stopped).await?;
            }
            let is_config = error.kind() == ErrorKind::Config;
            let pause = match self.takeovers.pause().filter(|_| is_another) {
                Some(longest) => scattered(longest),
                None if is_config => scattered(CONFIG_WAIT),
                None => self.backoff.next_wait(),
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = until(&mut stopped) => return Ok(()),
            }
        }
    }

    /// Diagnoses the end of a connection with the history of those before it.
    fn judged(&mut self, error: ConnectionError, lasted: Duration) -> ConnectionError {
        let end = match &error {
            ConnectionError::Closed { .. } | ConnectionError::Unreachable { .. }
                if self.subscribed_since.is_some() && self.was_idle =>
            {
                takeover::End::Idle
            }
            _ if self.subscribed_since.is_some() => takeover::End::Other,
            ConnectionError::Closed { .. }
            | ConnectionError::Unreachable { .. }
            | ConnectionError::Handshake(_) => takeover::End::Unreachable,
            _ => takeover::End::Refused,
        };
        self.takeovers.ended(end, lasted);
        let (broker, client_id) = (address(&self.settings.broker), self.client_id.clone());
        let is_broken = matches!(error, ConnectionError::Closed { .. } | ConnectionError::Unreachable { .. });
        if is_broken && self.subscribed_since.is_some() && self.takeovers.is_proved() {
            return ConnectionError::AnotherClient { broker, client_id };
        }
        if end == takeover::End::Idle && self.takeovers.is_unsteady() {
            let also = format!(", or a second wardpost has the client id \"{client_id}\"");
            let is_possible = self.takeovers.is_unanswered() || !self.acks.is_asking();
            return ConnectionError::Unsteady {
                broker,
                also: if is_possible { also } else { String::new() },
            };
        }
        error
    }

    /// Runs one connection from its beginning to its end.
    async fn connection(&mut self, stopped: &mut watch::Receiver<bool>) -> End {
        self.acks.writer.connection += 1;
        let opening = Connection::open(&self.settings.broker, &self.client_id, self.settings.ward.as_ref());
        let opened = tokio::select! {
            opened = opening => opened,
            () = until(stopped) => return End::Stopped,
        };
        let mut connection = match opened {
            Ok(connection) => connection,
            Err(error) => return End::Link(error),
        };
        let served = self.serve(&mut connection, stopped).await;
        self.was_idle = connection.is_idle();
        match served {
            Ok(()) => {
                connection.say_goodbye().await;
                End::Stopped
            }
            Err(end) => end,
        }
    }

    /// Stores and acknowledges until the connection ends; `Ok` when it was told to stop.
    async fn serve(
        &mut self,
        connection: &mut Connection,
        stopped: &mut watch::Receiver<bool>,
    ) -> Result<(), End> {
        self.seen.1 = self.last_settlement()?;
        let stored = self.storage().acks().map_err(ReceiverError::from)?;
        self.acks.connected(stored, &mut self.takeovers, connection);
        self.removed.boxes().for_each(|sender| self.acks.clear(sender));
        let mut tick = interval(CHECK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !*stopped.borrow_and_update() {
            self.acks.send(connection)?;
            tokio::select! {
                occurred = connection.next() => self.gather(occurred?, connection, stopped).await?,
                _ = tick.tick() => self.check_boxes(stopped).await?,
                () = until(stopped) => {}
            }
        }
        self.acks.send(connection)?;
        Ok(())
    }

    /// Collects one message and those that are waiting already, stores them, and only then acknowledges them.
    async fn gather(
        &mut self,
        first: Event,
        connection: &mut Connection,
        stopped: &mut watch::Receiver<bool>,
    ) -> Result<(), End> {
        let (mut batch, mut receipts) = (Batch::default(), Vec::<Receipt>::new());
        let (mut next, mut broken) = (Some(first), None);
        while let Some(occurred) = next.take() {
            match occurred {
                Event::Message(message, receipt) if is_ack(&message.topic) => {
                    self.acks.arrived(&message, &mut self.takeovers, connection);
                    receipts.push(receipt);
                }
                Event::Message(message, receipt) => {
                    self.arrived(message, &mut batch);
                    receipts.push(receipt);
                }
                Event::Subscribed => self.subscribed(&mut batch),
                Event::Other => {}
            }
            if receipts.len() < BATCH_MAX {
                next = connection.try_next().unwrap_or_else(|error| {
                    broken = Some(error);
                    None
                });
            }
        }
        let has_alert = |arrival: &Arrival| matches!(arrival.content, Content::Alert(_));
        if batch.arrivals.iter().any(has_alert) {
            self.wait_for_room(stopped).await?;
        }
        let taken = if batch.is_empty() { Taken::default() } else { self.store(batch, stopped).await? };
        if let Some(error) = broken {
            // The next connection tells the boxes; the broker sends unacknowledged messages once more.
            return Err(error.into());
        }
        for receipt in &receipts {
            connection.acknowledge(receipt)?;
        }
        self.acks.queue(taken.acks);
        Ok(())
    }

    fn arrived(&mut self, message: Incoming, batch: &mut Batch) {
        let (topic, bytes) = (message.topic.clone(), message.bytes);
        if bytes == 0 && topic.ends_with("/status") {
            // The end of a retained status.
            return;
        }
        let mut arrival = Arrival::read(message);
        if self.removed.drops(&arrival) {
            return;
        }
        if let Some(sender) = &arrival.sender
            && let Err(Exceeded { why, limit, is_first }) =
                self.bounds.admit(sender, bounds::kind(&arrival.content), bytes, clock::monotonic())
        {
            if limit == Limit::Wards {
                // A status in a ward too many would stay in the broker's memory for ever.
                self.acks.clear_status(sender);
            }
            // The others of a series are counted in the box's trouble.
            if is_first {
                tracing::error!("refused messages on {topic:?} and after it: {why}");
                arrival.content = Content::Refused(Refused { topic, why, payload: Vec::new(), bytes });
                batch.arrivals.push(arrival);
            }
            return;
        }
        let sign = match &arrival.content {
            // Both may have waited at the broker while the box was gone.
            Content::Alert(_) | Content::Still(_) => Some(Sign::Alert),
            Content::Vitals(_) => Some(Sign::Vitals),
            Content::Status(status) => {
                Some(Sign::Status { presence: status.presence, retained: arrival.retained })
            }
            Content::Refused(refused) => {
                tracing::warn!("refused a message on {:?}: {}", refused.topic, printable(&refused.why));
                None
            }
        };
        if let (Some(sender), Some(sign)) = (&arrival.sender, sign) {
            let watched = self.watched.entry(sender.clone()).or_default();
            if let Some(reported) = watched.sign(sign, clock::monotonic()) {
                batch.notices.push(about(sender, reported, None));
            }
        }
        if let (Some(sender), Content::Status(status)) = (&arrival.sender, &arrival.content) {
            let twins = self.twins.entry(sender.clone()).or_default();
            if let Some(detail) = twins.sign(status, clock::monotonic()) {
                tracing::warn!("{sender}: {detail}");
                let kind = NoticeKind::Twins(sender.clone());
                batch.notices.push(Notice { at: clock::wall(), kind, detail: Some(detail) });
            }
        }
        self.health.arrived(&arrival, clock::monotonic());
        batch.arrivals.push(arrival);
    }

    fn subscribed(&mut self, batch: &mut Batch) {
        // In a series of short connections, or with another client of this id, each would be logged.
        if !self.takeovers.is_proved() && !self.takeovers.is_unsteady() {
            tracing::info!("connected to the broker {}", address(&self.settings.broker));
            self.link_fault.clear();
            self.backoff.reset();
        }
        self.subscribed_since = Some(clock::monotonic());
        if std::mem::take(&mut self.has_reported_loss) {
            batch.notices.push(Notice { at: clock::wall(), kind: NoticeKind::LinkBack, detail: None });
        }
    }

    /// Checks for boxes that have gone silent, and for expired entries.
    async fn check_boxes(&mut self, stopped: &mut watch::Receiver<bool>) -> Result<(), ReceiverError> {
        let mut batch = Batch::default();
        if let Some(subscribed_since) = self.subscribed_since {
            let (now, limit) = (clock::monotonic(), self.settings.silent_after);
            for (sender, watched) in &mut self.watched {
                if let Some(reported) = watched.pass(now, subscribed_since, limit) {
                    let detail = format!("{SILENT_FOR}{} s", limit.as_secs());
                    batch.notices.push(about(sender, reported, Some(detail)));
                }
            }
            self.health.bounds(&self.bounds.exceeded(now), now);
            self.health.pass(
                |sender: &Sender| {
                    self.watched.get(sender).is_some_and(|watched| watched.reported() == Reported::Here)
                },
                clock::wall(),
                now,
                &mut batch,
            );
        }
        if !batch.is_empty() {
            self.store(batch, stopped).await?;
        }
        self.acknowledge_settled()?;
        self.keep_up().await
    }

    /// Acknowledges numbers that a person has declared lost to their boxes, which are then not asked for them any more.
    fn acknowledge_settled(&mut self) -> Result<(), ReceiverError> {
        let change = self.storage().change()?;
        if std::mem::replace(&mut self.seen.0, change) == change {
            return Ok(());
        }
        self.drop_removed()?;
        let settled = self.storage().settlements(self.seen.1)?;
        let Some(last) = settled.last() else { return Ok(()) };
        self.seen.1 = last.number;
        let mut acks = self.storage().acks()?;
        acks.retain(|(ward, ack)| {
            settled.iter().any(|one| one.sender.ward == *ward && one.sender.box_id == ack.box_id)
        });
        self.acks.queue(acks);
        Ok(())
    }

    fn last_settlement(&self) -> Result<u64, ReceiverError> {
        Ok(self.storage().settlements(self.seen.1)?.last().map_or(self.seen.1, |one| one.number))
    }

    async fn store_notice(
        &mut self,
        kind: NoticeKind,
        detail: Option<String>,
        stopped: &mut watch::Receiver<bool>,
    ) -> Result<(), ReceiverError> {
        let notices = vec![Notice { at: clock::wall(), kind, detail }];
        self.store(Batch { notices, ..Batch::default() }, stopped).await.map(drop)
    }

    /// Stores a batch; tries again while the disk does not accept it. A stop ends the attempts, and then nothing of the
    /// batch is stored or acknowledged.
    async fn store(
        &mut self,
        batch: Batch,
        stopped: &mut watch::Receiver<bool>,
    ) -> Result<Taken, ReceiverError> {
        let mut batch = batch;
        loop {
            let mut storage = self.lend();
            let work = spawn_blocking(move || {
                let taken = storage.take(&batch);
                (storage, batch, taken)
            });
            let (storage, again, taken) = work.await.map_err(|_| ReceiverError::Panicked)?;
            self.storage = Some(storage);
            let error = match taken {
                Ok(taken) => {
                    if !std::mem::take(&mut self.disk_fault).is_empty() {
                        tracing::info!("the database takes alerts again");
                    }
                    return Ok(taken);
                }
                Err(error) if matches!(error.kind(), ErrorKind::Transient | ErrorKind::Exhausted) => error,
                Err(error) => return Err(error.into()),
            };
            let text = chain(&error);
            if !is_repeated(&text, &self.disk_fault) {
                tracing::error!("{text}; alerts are not acknowledged until the database accepts them");
                self.disk_fault.clone_from(&text);
            }
            tokio::select! {
                () = sleep(DISK_RETRY) => batch = again,
                () = until(stopped) => return Err(error.into()),
            }
        }
    }

    fn storage(&self) -> &Storage {
        self.storage.as_ref().expect("who has it gives it back before anything else happens")
    }

    fn lend(&mut self) -> Storage {
        self.storage.take().expect("who has it gives it back before anything else happens")
    }
}

fn about(sender: &Sender, reported: Reported, detail: Option<String>) -> Notice {
    match reported {
        Reported::Here => tracing::info!("{sender} is back"),
        Reported::Offline => tracing::warn!("{sender} says that it is gone, or its connection broke"),
        Reported::Silent => tracing::warn!("{sender} is silent"),
    }
    Notice { at: clock::wall(), kind: NoticeKind::Box(sender.clone(), reported), detail }
}

async fn until(stopped: &mut watch::Receiver<bool>) {
    // An error: the receiver is gone, which is a stop as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
