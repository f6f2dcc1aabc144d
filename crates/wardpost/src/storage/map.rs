//! The map of the ward: its plan, the places of cameras on it, and the state of each camera. Each change is audited in its own
//! transaction.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension as _, Params, Result, params};

use super::audit::{Step, append};
use super::intake::severity_of;
use super::{By, Storage, StorageError};
use crate::arrival::Sender;
use crate::presence::Reported;
use base::event::Severity;
use base::ids::CameraId;
use base::status::{Status, StreamState};

/// Number of last events among which names of cameras are looked for.
const NAMES_LOOKED_AT: i64 = 2000;

/// A camera of the ward.
pub type CameraOf = (Sender, CameraId);

/// A plan that is to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPlan {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The picture.
    pub jpeg: Vec<u8>,
    /// sha256 of the picture, in hexadecimal.
    pub sha256: String,
}

/// The plan, without its picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// sha256 of the picture, in hexadecimal.
    pub sha256: String,
}

/// A place on the plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spot {
    x: f64,
    y: f64,
}

impl Spot {
    /// A place at these fractions of width and height; `None` outside of the plan.
    pub fn new(x: f64, y: f64) -> Option<Self> {
        let is_on_plan = |fraction: f64| (0.0..=1.0).contains(&fraction);
        (is_on_plan(x) && is_on_plan(y)).then_some(Self { x, y })
    }

    /// Fraction of the width, from the left.
    pub const fn x(self) -> f64 {
        self.x
    }

    /// Fraction of the height, from the top.
    pub const fn y(self) -> f64 {
        self.y
    }
}

/// Reason for which nothing comes from a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mute {
    /// Its box is offline or silent.
    Box,
    /// The box is there, and gets no picture from it.
    Camera,
}

/// A camera on the map, or beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct MapCamera {
    /// The box.
    pub sender: Sender,
    /// The camera.
    pub camera: CameraId,
    /// Its name; its id where none is known.
    pub name: String,
    /// Its place, where it has one.
    pub spot: Option<Spot>,
    /// Highest severity of its events in the queue.
    pub severity: Option<Severity>,
    /// Number of its events in the queue.
    pub open: u64,
    /// Reason for which nothing comes from it.
    pub mute: Option<Mute>,
}

/// The map at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct WardMap {
    /// The plan, where there is one.
    pub plan: Option<Plan>,
    /// The cameras, by box and id.
    pub cameras: Vec<MapCamera>,
}

/// Facts of a camera before its ids are checked: ward, box and camera.
type Key = (String, String, String);

/// Rows that the map is made of.
#[derive(Default)]
struct Rows {
    places: BTreeMap<Key, (Spot, String)>,
    /// Highest severity, number and a name of the events in the queue.
    open: BTreeMap<Key, (Severity, u64, String)>,
    /// Names out of the last events.
    names: BTreeMap<Key, String>,
    /// Ward, id, report and status of each box.
    boxes: Vec<(String, String, Reported, Option<Status>)>,
}

impl Storage {
    /// The map of this moment.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn map(&self) -> std::result::Result<WardMap, StorageError> {
        let failed = self.failed("read the map of");
        let transaction = self.connection.unchecked_transaction().map_err(&failed)?;
        let plan = plan(&transaction).map_err(&failed)?;
        let rows = rows(&transaction).map_err(&failed)?;
        let cameras = rows.keys().into_iter().map(|key| self.map_camera(&rows, key));
        Ok(WardMap { plan, cameras: cameras.collect::<std::result::Result<_, _>>()? })
    }

    fn map_camera(&self, rows: &Rows, key: Key) -> std::result::Result<MapCamera, StorageError> {
        let (ward, id, camera) = &key;
        let place = rows.places.get(&key);
        let open = rows.open.get(&key);
        let names =
            [open.map(|(.., name)| name), rows.names.get(&key), place.map(|(_, name)| name), Some(camera)];
        Ok(MapCamera {
            sender: self.sender(ward, id)?,
            camera: camera.parse().map_err(|_| self.damaged(format!("map: camera {camera}")))?,
            name: names.into_iter().flatten().next().cloned().unwrap_or_default(),
            spot: place.map(|(spot, _)| *spot),
            severity: open.map(|(severity, ..)| *severity),
            open: open.map_or(0, |(_, count, _)| *count),
            mute: rows.mute(&key),
        })
    }

    /// The plan's picture and the sha256 of it; `None` without a plan.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn plan_picture(&self) -> std::result::Result<Option<(Vec<u8>, String)>, StorageError> {
        let select = "SELECT jpeg, sha256 FROM map_plan";
        let read = self.connection.query_row(select, [], |row| Ok((row.get(0)?, row.get(1)?)));
        read.optional().map_err(self.failed("read the map of"))
    }

    /// Stores a plan in place of the one before. Cameras keep their places.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn set_plan(&mut self, plan: &NewPlan, by: By<'_>) -> std::result::Result<(), StorageError> {
        let failed = self.failed("write the map of");
        let transaction = self.begin().map_err(&failed)?;
        let about = format!("{}x{} sha256 {}", plan.width, plan.height, plan.sha256);
        transaction
            .execute(
                "INSERT OR REPLACE INTO map_plan (number, width, height, jpeg, sha256) VALUES (1, ?1, ?2, ?3, ?4)",
                params![plan.width, plan.height, plan.jpeg, plan.sha256],
            )
            .and_then(|_| append(&transaction, &step(by, "map-plan", &about)))
            .and_then(|()| transaction.commit())
            .map_err(&failed)
    }

    /// Removes the plan. Returns false where there is none.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn remove_plan(&mut self, by: By<'_>) -> std::result::Result<bool, StorageError> {
        self.remove_of_map("DELETE FROM map_plan", [], &step(by, "map-plan-remove", ""))
    }

    /// Places a camera, or moves it.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn place_camera(
        &mut self,
        (sender, camera): &CameraOf,
        name: &str,
        spot: Spot,
        by: By<'_>,
    ) -> std::result::Result<(), StorageError> {
        let failed = self.failed("write the map of");
        let transaction = self.begin().map_err(&failed)?;
        let about = format!("{sender}/{camera} {:.1} % {:.1} %", 100.0 * spot.x, 100.0 * spot.y);
        transaction
            .execute(
                "INSERT OR REPLACE INTO map_place (ward, box, camera, x, y, name) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![sender.ward.as_str(), sender.box_id.as_str(), camera.as_str(), spot.x, spot.y, name],
            )
            .and_then(|_| append(&transaction, &step(by, "map-place", &about)))
            .and_then(|()| transaction.commit())
            .map_err(&failed)
    }

    /// Takes a camera off the map. Returns false where it has no place.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn unplace_camera(
        &mut self,
        (sender, camera): &CameraOf,
        by: By<'_>,
    ) -> std::result::Result<bool, StorageError> {
        let of = [sender.ward.as_str(), sender.box_id.as_str(), camera.as_str()];
        let about = format!("{sender}/{camera}");
        let text = "DELETE FROM map_place WHERE ward = ?1 AND box = ?2 AND camera = ?3";
        self.remove_of_map(text, of, &step(by, "map-unplace", &about))
    }

    fn remove_of_map(
        &mut self,
        text: &str,
        of: impl Params,
        step: &Step<'_>,
    ) -> std::result::Result<bool, StorageError> {
        let failed = self.failed("write the map of");
        let transaction = self.begin().map_err(&failed)?;
        let removed = transaction.execute(text, of).map_err(&failed)?;
        if removed > 0 {
            append(&transaction, step).map_err(&failed)?;
        }
        transaction.commit().map_err(&failed)?;
        Ok(removed > 0)
    }
}

fn step<'a>(by: By<'a>, action: &'static str, about: &'a str) -> Step<'a> {
    Step { who: by.who, action, about, at: by.at }
}

impl Rows {
    /// All cameras: those of the boxes' statuses, those with a place or an event in the queue, and those of the last events of
    /// boxes that have told no status.
    fn keys(&self) -> BTreeSet<Key> {
        let told = |(ward, id): (&String, &String)| {
            self.boxes.iter().any(|(of, known, _, status)| of == ward && known == id && status.is_some())
        };
        let of_boxes = self.boxes.iter().flat_map(|(ward, id, _, status)| {
            let cameras = status.iter().flat_map(|status| &status.cameras);
            cameras.map(|camera| (ward.clone(), id.clone(), camera.id.to_string()))
        });
        let of_events = self.names.keys().filter(|(ward, id, _)| !told((ward, id)));
        self.places.keys().chain(self.open.keys()).chain(of_events).cloned().chain(of_boxes).collect()
    }

    fn mute(&self, (ward, id, camera): &Key) -> Option<Mute> {
        let (.., reported, status) = self.boxes.iter().find(|(of, known, ..)| of == ward && known == id)?;
        if *reported != Reported::Here {
            return Some(Mute::Box);
        }
        let told = status.iter().flat_map(|status| &status.cameras).find(|one| one.id.as_str() == camera);
        told.is_some_and(|one| one.state != StreamState::Live).then_some(Mute::Camera)
    }
}

fn plan(connection: &Connection) -> Result<Option<Plan>> {
    let mut select = connection.prepare_cached("SELECT width, height, sha256 FROM map_plan")?;
    select
        .query_row([], |row| Ok(Plan { width: row.get(0)?, height: row.get(1)?, sha256: row.get(2)? }))
        .optional()
}

fn rows(connection: &Connection) -> Result<Rows> {
    let mut rows = Rows::default();
    let mut select = connection.prepare_cached("SELECT ward, box, camera, x, y, name FROM map_place")?;
    let mut found = select.query([])?;
    while let Some(row) = found.next()? {
        // A place outside of the plan was written by nobody here; the camera waits for another.
        if let Some(spot) = Spot::new(row.get(3)?, row.get(4)?) {
            rows.places.insert((row.get(0)?, row.get(1)?, row.get(2)?), (spot, row.get(5)?));
        }
    }
    let mut select = connection.prepare_cached(
        "SELECT ward, box, camera, max(severity), count(*), max(camera_name) FROM event WHERE tab = 'open'
         GROUP BY ward, box, camera",
    )?;
    let mut found = select.query([])?;
    while let Some(row) = found.next()? {
        let count = row.get::<_, i64>(4)?.unsigned_abs();
        rows.open
            .insert((row.get(0)?, row.get(1)?, row.get(2)?), (severity_of(row.get(3)?), count, row.get(5)?));
    }
    let mut select = connection.prepare_cached(
        "SELECT ward, box, camera, camera_name FROM event WHERE number > (SELECT max(number) FROM event) - ?1
         ORDER BY number",
    )?;
    let mut found = select.query([NAMES_LOOKED_AT])?;
    while let Some(row) = found.next()? {
        rows.names.insert((row.get(0)?, row.get(1)?, row.get(2)?), row.get(3)?);
    }
    let mut select = connection.prepare_cached("SELECT ward, id, reported, status FROM box")?;
    let mut found = select.query([])?;
    while let Some(row) = found.next()? {
        let (reported, status): (String, Option<String>) = (row.get(2)?, row.get(3)?);
        // A status that does not read was written by another version.
        let status = status.and_then(|status| serde_json::from_str(&status).ok());
        rows.boxes.push((row.get(0)?, row.get(1)?, Reported::of(&reported).unwrap_or_default(), status));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests;
