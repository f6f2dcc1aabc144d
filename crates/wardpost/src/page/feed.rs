//! The feed: every change of an event goes to every open page, in order. One thread follows the database and words each change
//! once; a page that was away gets the same from the database.
//!
//! A message has the number of its change, with which a browser goes on after a broken connection.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, header};
use http_body_util::channel::{Channel, Sender};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::answer::{Answer, Fault, guard};
use super::call::{Asked, Call};
use super::views::row;
use super::{Site, gate, server};
use crate::events::Level;
use crate::presentation::Language;
use crate::storage::{Change, ChangeKind, Storage, StorageError, Tab};
use base::clock;
use base::fault::chain;

/// Interval at which the database is asked for changes. Steps of officers wake it before.
const POLL: Duration = Duration::from_millis(100);
/// Interval at which every page is told that the server is there.
pub(super) const BEAT: Duration = Duration::from_secs(3);
/// Messages that are kept for pages that were away for a moment.
const KEPT_MAX: usize = 512;
/// Changes that are read at a time.
const CHANGES_MAX: usize = 200;
/// Texts that wait for a page that does not take them.
const WAITING_MAX: usize = 8;
/// Wait after a database that could not be read.
const RETRY: Duration = Duration::from_secs(1);

/// A change as pages get it.
#[derive(Debug)]
pub(super) struct Message {
    number: u64,
    /// The change without words.
    change: Value,
    /// The event's row in Vietnamese and in English.
    rows: Option<[String; 2]>,
}

impl Message {
    /// The message for a page. A locked one learns only that there is something, and how loud.
    fn json(&self, language: Language, is_locked: bool) -> Value {
        let mut value = self.change.clone();
        if is_locked {
            if let Some(fields) = value.as_object_mut() {
                fields.retain(|name, _| !["by", "camera"].contains(&name.as_str()));
            }
        } else if let Some([vietnamese, english]) = &self.rows {
            value["row"] = language.choose(vietnamese, english).as_str().into();
        }
        value
    }
}

/// The newest messages, and the state that every beat tells.
#[derive(Debug)]
pub(super) struct Hub {
    state: Mutex<State>,
    /// Number of the last message.
    last: watch::Sender<u64>,
    /// Told when a login is locked, unlocked or ended.
    logins: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    kept: VecDeque<Arc<Message>>,
    beat: Value,
}

/// Messages after a cursor.
enum After {
    /// All that there are.
    Here(Vec<Arc<Message>>),
    /// The hub has them no more.
    InDatabase,
}

impl Hub {
    /// A hub that begins after the change with number `last`.
    pub fn new(last: u64) -> Self {
        Self { state: Mutex::default(), last: watch::Sender::new(last), logins: watch::Sender::new(()) }
    }

    /// Has every stream look at its login now: all pages of one lock and open together.
    pub fn nudge(&self) {
        self.logins.send_replace(());
    }

    fn after(&self, cursor: u64) -> After {
        let state = self.state.lock();
        if cursor >= *self.last.borrow() {
            return After::Here(Vec::new());
        }
        match state.kept.front() {
            Some(first) if first.number <= cursor + 1 => {
                After::Here(state.kept.iter().filter(|kept| kept.number > cursor).cloned().collect())
            }
            _ => After::InDatabase,
        }
    }

    fn put(&self, messages: Vec<Message>, cursor: u64) {
        let mut state = self.state.lock();
        state.kept.extend(messages.into_iter().map(Arc::new));
        let surplus = state.kept.len().saturating_sub(KEPT_MAX);
        state.kept.drain(..surplus);
        drop(state);
        self.last.send_replace(cursor);
    }

    fn beat(&self) -> Value {
        let mut beat = self.state.lock().beat.clone();
        beat["now"] = clock::wall().as_micros().into();
        beat
    }
}

/// Follows the database until the page stops, on a thread of its own. A message of `woken` has it look at once.
pub(super) fn follow(site: &Site, mut storage: Storage, woken: &mpsc::Receiver<()>) {
    let mut seen = None;
    let mut told = String::new();
    let mut beat_at = None;
    loop {
        let now = clock::monotonic();
        let is_due = beat_at.is_none_or(|at| now.since(at) >= Duration::from_secs(1));
        if is_due {
            beat_at = Some(now);
        }
        let (fault, wait) = match step(site, &mut storage, &mut seen, is_due) {
            Ok(()) => (String::new(), POLL),
            Err(error) => (chain(&error), RETRY),
        };
        if fault != told && !fault.is_empty() {
            tracing::error!("the page's feed waits: {fault}");
        }
        told = fault;
        let is_over = woken.recv_timeout(wait) == Err(RecvTimeoutError::Disconnected);
        if is_over || *site.stopped.borrow() {
            return;
        }
    }
}

fn step(
    site: &Site,
    storage: &mut Storage,
    seen: &mut Option<i64>,
    is_due: bool,
) -> Result<(), StorageError> {
    if is_due {
        let beat = beat(site, storage)?;
        site.hub.state.lock().beat = beat;
    }
    let change = storage.change()?;
    if *seen == Some(change) {
        return Ok(());
    }
    loop {
        let cursor = *site.hub.last.borrow();
        let (messages, next, is_broken) = messages(site, storage, cursor)?;
        if is_broken {
            // The database is another one: pages build themselves anew.
            site.hub.state.lock().kept.clear();
        }
        if next == cursor {
            break;
        }
        site.hub.put(messages, next);
    }
    *seen = Some(change);
    Ok(())
}

/// The state of the post that every beat tells.
fn beat(site: &Site, storage: &Storage) -> Result<Value, StorageError> {
    let (counts, overview) = (storage.counts()?, storage.overview()?);
    let (flood, now) = (storage.flood()?, clock::wall());
    let time = |at| site.presentation(Language::Vietnamese).time_of_day(at);
    let worst = if flood.since.is_some() { storage.worst_sources(now, 1)? } else { Vec::new() };
    let worst = worst.first().map(|(source, events)| {
        let (ward, id) = (&source.sender.ward, &source.sender.box_id);
        json!({ "ward": ward, "box": id, "camera": source.camera, "rule": source.rule, "events": events })
    });
    Ok(json!({
        "counts": { "open": counts.open, "parked": counts.parked, "shelved": counts.shelved, "test": counts.test },
        "broker": overview.link_lost_at.map(time),
        "boxes": overview.boxes,
        "away": overview.boxes_away,
        "flood": flood.since.map(|since| json!({ "since": time(since), "worst": worst })),
        "clock": time(now),
    }))
}

/// Messages for the changes after `cursor`, the cursor to go on from, and true where the changes before it are gone.
fn messages(site: &Site, storage: &Storage, cursor: u64) -> Result<(Vec<Message>, u64, bool), StorageError> {
    let found = storage.changes_after(cursor, CHANGES_MAX)?;
    // Each event is worded once, with its last change.
    let last: BTreeMap<u64, u64> =
        found.changes.iter().filter_map(|change| Some((change.event?, change.number))).collect();
    let mut messages = Vec::new();
    for change in &found.changes {
        let is_last = change.event.is_some_and(|event| last.get(&event) == Some(&change.number));
        messages.push(message(site, storage, change, is_last)?);
    }
    Ok((messages, found.cursor, found.is_broken))
}

fn message(site: &Site, storage: &Storage, change: &Change, is_last: bool) -> Result<Message, StorageError> {
    let level = match change.kind {
        ChangeKind::Escalated(level) => level.number(),
        _ => 0,
    };
    let mut value = json!({ "number": change.number, "kind": change.kind.as_str(), "level": level });
    let event = change.event.map(|event| storage.event(event)).transpose()?.flatten();
    let Some(event) = event else {
        return Ok(Message { number: change.number, change: value, rows: None });
    };
    value["event"] = event.number.into();
    value["tab"] = event.tab.as_str().into();
    value["state"] = event.state.as_str().into();
    value["by"] = event.state.by().map(|by| by.as_str()).into();
    value["severity"] = event.severity.as_str().into();
    value["camera"] = format!("{}/{}", event.source.sender, event.source.camera).into();
    let of = |language| row::row(site, language, &event, change.at).into_string();
    let rows = is_last.then(|| [of(Language::Vietnamese), of(Language::English)]);
    Ok(Message { number: change.number, change: value, rows })
}

/// The changes after a cursor as JSON, for a tab that has missed some.
pub(super) fn changes(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let cursor: u64 = call.asked.query.parse("after")?.ok_or(Fault::Field("after"))?;
    let (found, next, is_broken) = messages(call.site, call.storage, cursor)?;
    let is_locked = call.login()?.is_locked;
    let language = call.language();
    let found: Vec<Value> = found.iter().map(|message| message.json(language, is_locked)).collect();
    Ok(Answer::json(&json!({ "cursor": next, "anew": is_broken, "messages": found })))
}

/// The stream of one browser.
pub(super) fn stream(
    site: Arc<Site>,
    asked: Arc<Asked>,
    language: Language,
    stopped: watch::Receiver<bool>,
) -> Response<Body> {
    let (sender, body) = Channel::<Bytes, std::convert::Infallible>::new(WAITING_MAX);
    let resumed = asked.headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let cursor = resumed.or_else(|| asked.query.get("after")).and_then(|cursor| cursor.parse().ok());
    let cursor = cursor.unwrap_or_else(|| *site.hub.last.borrow());
    let page = Subscriber { site, asked, language, cursor, is_locked: false, sender };
    // An error is the end of the connection.
    tokio::spawn(async move { drop(page.run(stopped).await) });
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    guard(response.headers_mut());
    response
}

/// A browser that takes the feed.
struct Subscriber {
    site: Arc<Site>,
    asked: Arc<Asked>,
    language: Language,
    cursor: u64,
    is_locked: bool,
    sender: Sender<Bytes, std::convert::Infallible>,
}

/// Reason for which a stream ends.
enum End {
    /// The browser is gone.
    Gone,
    /// The login has ended, or cannot be looked up.
    Out,
}

impl Subscriber {
    async fn run(mut self, mut stopped: watch::Receiver<bool>) -> Result<(), End> {
        let mut last = self.site.hub.last.subscribe();
        let mut logins = self.site.hub.logins.subscribe();
        let mut beat = tokio::time::interval(BEAT);
        self.send("retry: 1000\n\n".to_owned()).await?;
        loop {
            tokio::select! {
                changed = last.changed() => changed.map_err(|_| End::Out)?,
                changed = logins.changed() => {
                    changed.map_err(|_| End::Out)?;
                    self.beat().await?;
                }
                _ = beat.tick() => self.beat().await?,
                () = server::until(&mut stopped) => return Ok(()),
            }
            last.borrow_and_update();
            self.catch_up().await?;
        }
    }

    /// Sends everything after the cursor.
    async fn catch_up(&mut self) -> Result<(), End> {
        loop {
            match self.site.hub.after(self.cursor) {
                After::Here(messages) if messages.is_empty() => return Ok(()),
                After::Here(messages) => {
                    let last = messages.last().map_or(self.cursor, |message| message.number);
                    self.send(self.text(messages.iter().map(Arc::as_ref))).await?;
                    self.cursor = last;
                }
                After::InDatabase if self.read().await? => {}
                After::InDatabase => return Ok(()),
            }
        }
    }

    /// Sends the next messages from the database. Returns false where there are none.
    async fn read(&mut self) -> Result<bool, End> {
        let (site, cursor) = (Arc::clone(&self.site), self.cursor);
        let work = move |storage: &mut Storage| Ok(messages(&site, storage, cursor)?);
        let (found, next, is_broken) = self.site.pool.run(work).await.map_err(|_| End::Out)?;
        let mut text = self.text(&found);
        if is_broken {
            text = format!("id: {next}\nevent: anew\ndata: {{}}\n\n");
        }
        self.send(text).await?;
        let before = std::mem::replace(&mut self.cursor, next);
        Ok(next != before)
    }

    fn text<'a>(&self, messages: impl IntoIterator<Item = &'a Message>) -> String {
        let each = messages.into_iter().map(|message| {
            let json = message.json(self.language, self.is_locked);
            format!("id: {}\nevent: change\ndata: {json}\n\n", message.number)
        });
        each.collect()
    }

    /// Looks if the login still holds, and tells that the server is there.
    async fn beat(&mut self) -> Result<(), End> {
        let (site, asked) = (Arc::clone(&self.site), Arc::clone(&self.asked));
        let work = move |storage: &mut Storage| gate::current(&site, &asked, clock::wall(), storage);
        match self.site.pool.run(work).await {
            Ok(Some(login)) => self.is_locked = login.is_locked,
            Ok(None) => {
                self.send("event: out\ndata: {}\n\n".to_owned()).await?;
                return Err(End::Out);
            }
            // A database that is busy ends no stream; the beat says that the server is there.
            Err(fault) => fault.log("/feed"),
        }
        let mut beat = self.site.hub.beat();
        beat["locked"] = self.is_locked.into();
        beat["cursor"] = self.cursor.into();
        // A locked page names no place.
        if let (true, Some(flood)) = (self.is_locked, beat["flood"].as_object_mut()) {
            flood.remove("worst");
        }
        self.send(format!("event: beat\ndata: {beat}\n\n")).await
    }

    async fn send(&mut self, text: String) -> Result<(), End> {
        self.sender.send_data(Bytes::from(text)).await.map_err(|_| End::Gone)
    }
}

/// True for a level that a commander's page shows.
pub(super) const fn is_for_commanders(level: u8) -> bool {
    level >= Level::Commander.number()
}

/// The tab that is named in the query, else the queue.
pub(super) fn tab(asked: &Asked) -> Tab {
    asked.query.get("tab").and_then(Tab::of).unwrap_or(Tab::Open)
}
