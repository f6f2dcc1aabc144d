//! Cameras with their streams, zones and tripwires.

use std::collections::BTreeMap;
use std::time::Duration;

use super::outside::Checker;
use super::settings::{Camera, Places};
use super::{doubts, file};
use analysis::rules::{Kind, camera_offline, camera_sabotage};
use base::alert::CameraRef;
use base::fragment::StreamRole;
use base::geometry::{Point, Polygon};
use base::ground::{Ground, InvalidGround};
use base::ids::CameraId;
use base::secret::Credentials;
use base::zone::{Tripwire, Zone};
use camera::{RtspSource, Source, StreamSettings, Transport};
use program::config::quoted;

/// A camera, with the places on its picture to which rules can apply.
pub(super) struct Checked {
    /// Its settings.
    pub(super) settings: Camera,
    /// Its zones.
    pub(super) zones: Vec<Zone>,
    /// Its tripwires.
    pub(super) tripwires: Vec<Tripwire>,
    /// The ground under it.
    pub(super) ground: Option<Ground>,
    /// Kinds of the rules that it has where no rule of the kind names it.
    pub(super) default_kinds: Vec<Kind>,
}

impl Checked {
    /// The camera's id, with its zones and tripwires.
    pub(super) fn places(&self) -> (CameraId, Places) {
        let places = Places { zones: self.zones.clone(), tripwires: self.tripwires.clone() };
        (self.settings.camera.id.clone(), places)
    }
}

/// The valid cameras, in the order of their ids.
pub(super) fn checked(checker: &mut Checker, cameras: BTreeMap<String, file::Camera>) -> Vec<Checked> {
    let mut checked = Vec::new();
    for (id, camera) in cameras {
        let path = format!("camera.{}", quoted(&id));
        let zones = zones(checker, &path, &camera.zone);
        let tripwires = tripwires(checker, &path, &camera.tripwire);
        let ground = camera.ground.as_ref().and_then(|ground| self::ground(checker, &path, ground));
        let quadrangle = camera.ground.as_ref().and_then(|ground| ground.picture);
        doubts::zones(checker, &path, &zones, quadrangle);
        doubts::tripwires(checker, &path, &tripwires);
        doubts::streams(checker, &path, &camera);
        let default_kinds = default_kinds(&camera);
        if let Some(settings) = one(checker, &path, &id, camera) {
            checked.push(Checked { settings, zones, tripwires, ground, default_kinds });
        }
    }
    checked
}

/// Kinds of the default rules. A file ends, and shows what somebody wants to try out.
fn default_kinds(camera: &file::Camera) -> Vec<Kind> {
    let watched = camera.sub.as_ref().or(camera.main.as_ref());
    if watched.is_some_and(|source| source.starts_with("file:")) {
        return Vec::new();
    }
    let offline = camera.alert_offline.then(|| Kind::CameraOffline(camera_offline::Params::default()));
    let sabotage = camera.alert_sabotage.then(|| Kind::CameraSabotage(camera_sabotage::Params::default()));
    offline.into_iter().chain(sabotage).collect()
}

fn one(checker: &mut Checker, path: &str, id: &str, camera: file::Camera) -> Option<Camera> {
    let camera_id = checker.id::<CameraId>(path, id);
    let (lat, lon) = (format!("{path}.lat"), format!("{path}.lon"));
    match (checker.written.is_written(&lat), checker.written.is_written(&lon)) {
        (true, false) => checker.wrong(&lat, "has no lon beside it", "add lon, or take lat out"),
        (false, true) => checker.wrong(&lon, "has no lat beside it", "add lat, or take lon out"),
        _ => {}
    }
    let masks = polygons(checker, &format!("{path}.masks"), &camera.masks);
    let privacy_masks = polygons(checker, &format!("{path}.privacy_masks"), &camera.privacy_masks);
    let credentials = checker.credentials(path, camera.user.clone(), camera.password_file.as_deref());
    let mut source = |key, text| source(checker, path, key, text, &camera, &credentials);
    let main = camera.main.as_ref().and_then(|text| source("main", text));
    let sub = camera.sub.as_ref().map(|text| source("sub", text));
    check_source_keys(checker, path, &camera);
    let floor = format!("{path}.looks_per_second_min");
    if checker.written.is_written(&floor) && camera.looks_per_second_min > camera.fps_max {
        let what = format!(
            "{} is more than the {} pictures a second of fps_max",
            camera.looks_per_second_min, camera.fps_max
        );
        checker.wrong(&floor, what, "lower it, or raise fps_max");
    }
    // Without an invalid sub stream the camera is there to be recorded only, which `part` sees to.
    Some(Camera {
        streams: streams(camera_id.as_ref()?, &camera, main?, sub.flatten()),
        camera: CameraRef {
            id: camera_id?,
            name: camera.name.unwrap_or_else(|| id.to_owned()),
            lat: camera.lat,
            lon: camera.lon,
            heading: camera.heading,
        },
        pre_roll: Duration::from_secs_f64(camera.pre_roll_seconds),
        post_roll: Duration::from_secs_f64(camera.post_roll_seconds),
        looks_per_second_min: camera.looks_per_second_min,
        masks,
        privacy_masks,
        hide_bystanders: camera.hide_bystanders,
    })
}

/// Settings of the streams: detection on the sub stream where there is one, without a stream that has no use.
fn streams(id: &CameraId, camera: &file::Camera, main: Source, sub: Option<Source>) -> Vec<StreamSettings> {
    // A key frame that is a few milliseconds late still counts as in time.
    let idle_gap_max = Duration::from_secs_f64(camera.idle_gap_seconds_max * 1.05);
    let may_idle = sub.is_none() && !idle_gap_max.is_zero();
    let stream = |role, source, record, watch_fps_max| StreamSettings {
        idle_gap_max: may_idle.then_some(idle_gap_max),
        camera: id.clone(),
        role,
        source,
        record,
        watch_fps_max,
        bits_per_second_max: camera.megabits_per_second_max * 1e6,
        stall: Duration::from_secs_f64(camera.stall_seconds),
    };
    let fps_max = Some(camera.fps_max);
    match sub {
        None => vec![stream(StreamRole::Main, main, camera.record, fps_max)],
        Some(sub) => {
            let main = camera.record.then(|| stream(StreamRole::Main, main, true, None));
            main.into_iter().chain([stream(StreamRole::Sub, sub, false, fps_max)]).collect()
        }
    }
}

fn source(
    checker: &mut Checker,
    path: &str,
    key: &str,
    text: &str,
    camera: &file::Camera,
    credentials: &Option<Credentials>,
) -> Option<Source> {
    let key = format!("{path}.{key}");
    let address = checker.address(&key, text, &["rtsp", "rtsps", "file"])?;
    if address.scheme == "file" {
        let path = checker.file(&key, address.rest)?;
        return Some(Source::File { path, looped: camera.loop_file });
    }
    let ca_file = match &camera.ca_file {
        Some(file) if address.scheme == "rtsps" => checker.path(&format!("{path}.ca_file"), file),
        _ => None,
    };
    Some(Source::Rtsp(RtspSource {
        url: text.to_owned(),
        transport: match camera.transport {
            file::Transport::Tcp => Transport::Tcp,
            file::Transport::Udp => Transport::Udp,
        },
        credentials: credentials.clone(),
        ca_file,
    }))
}

/// Checks keys that are valid with one scheme only.
fn check_source_keys(checker: &mut Checker, path: &str, camera: &file::Camera) {
    let uses = |scheme: &str| {
        camera.main.iter().chain(&camera.sub).any(|text| text.to_ascii_lowercase().starts_with(scheme))
    };
    if let Some(text) = &camera.ca_file {
        let key = format!("{path}.ca_file");
        if uses("rtsps://") {
            checker.file(&key, text);
        } else {
            checker.wrong(&key, "means nothing without rtsps://", "use rtsps://, or take it out");
        }
    }
    if camera.loop_file && !uses("file://") {
        let key = format!("{path}.loop_file");
        checker.wrong(&key, "means nothing without file://", "take it out");
    }
}

fn polygons(checker: &mut Checker, path: &str, masks: &[Vec<[f32; 2]>]) -> Vec<Polygon> {
    let mut checked = Vec::new();
    for (index, points) in masks.iter().enumerate() {
        // A mask with fewer points was already noted where the shape was checked.
        if points.len() < 3 {
            continue;
        }
        match Polygon::new(points.iter().copied().map(Point::from).collect()) {
            Ok(polygon) => checked.push(polygon),
            Err(error) => {
                let remedy = "list at least 3 corners in order around the mask, as [x, y] from 0 to 1";
                checker.wrong(&format!("{path}[{index}]"), error.to_string(), remedy);
            }
        }
    }
    checked
}

fn ground(checker: &mut Checker, camera: &str, ground: &file::Ground) -> Option<Ground> {
    let (picture, metres) = (ground.picture?, ground.metres?);
    let error = match Ground::new(picture.map(Point::from), metres) {
        Ok(ground) => return Some(ground),
        Err(error) => error,
    };
    let (key, remedy) = match error {
        InvalidGround::Picture => {
            ("picture", "list the four in order around a quadrangle, no three of them in a line")
        }
        InvalidGround::Metres => {
            ("metres", "give the places of the four points of picture, in the same order")
        }
        InvalidGround::SmallPicture => ("picture", "choose four points that are far apart"),
        InvalidGround::SmallMetres => {
            ("metres", "choose four points that are some metres apart, and give metres")
        }
    };
    checker.wrong(&format!("{camera}.ground.{key}"), error.to_string(), remedy);
    None
}

fn zones(checker: &mut Checker, camera: &str, zones: &BTreeMap<String, file::Zone>) -> Vec<Zone> {
    let mut checked = Vec::new();
    for (id, zone) in zones {
        let path = format!("{camera}.zone.{}", quoted(id));
        let name = zone.name.clone().unwrap_or_else(|| id.clone());
        let zone_id = checker.id(&path, id);
        let Some(points) = &zone.points else { continue };
        match (zone_id, Polygon::new(points.iter().copied().map(Point::from).collect())) {
            (Some(id), Ok(polygon)) => checked.push(Zone { id, name, polygon }),
            (None, Ok(_)) => {}
            (_, Err(error)) => {
                let remedy = "list at least 3 corners in order around the zone, as [x, y] from 0 to 1";
                checker.wrong(&format!("{path}.points"), error.to_string(), remedy);
            }
        }
    }
    checked
}

fn tripwires(
    checker: &mut Checker,
    camera: &str,
    tripwires: &BTreeMap<String, file::Tripwire>,
) -> Vec<Tripwire> {
    let mut checked = Vec::new();
    for (id, tripwire) in tripwires {
        let path = format!("{camera}.tripwire.{}", quoted(id));
        let name = tripwire.name.clone().unwrap_or_else(|| id.clone());
        let tripwire_id = checker.id(&path, id);
        let (Some(from), Some(to)) = (tripwire.from, tripwire.to) else { continue };
        if from == to {
            let key = format!("{path}.to");
            checker.wrong(&key, "is where the tripwire starts", "give two different points");
        } else if let Some(id) = tripwire_id {
            checked.push(Tripwire { id, name, from: from.into(), to: to.into() });
        }
    }
    checked
}
