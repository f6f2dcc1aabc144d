//! The configuration as written: the input of serde, and the source of the JSON Schema for editors.
//!
//! Every doc comment here is the help text that an editor shows, and every range is a limit for a value. Ids,
//! paths, addresses and times are plain text here; [`super::settings`] gives them their types. A required key
//! is an `Option` marked `required`: its absence must not hide faults of its neighbours.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use analysis::rules;
use base::detection::Label;
use base::event::Severity;

/// The pattern of every id, for editors.
const ID: &str = "^[a-z0-9-]{1,32}$";

/// Configuration of a wardwatch box: `wardwatch.toml` and the files of `conf.d/` beside it, merged.
///
/// Relative paths count from the folder of the file that names them. Wherever a file is named,
/// `credential:NAME` means the systemd credential NAME.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "wardwatch.toml")]
pub struct File {
    /// Identity of this box.
    #[serde(rename = "box")]
    #[schemars(required)]
    pub identity: Option<Identity>,
    /// Store of footage and alerts.
    #[serde(default)]
    pub store: Store,
    /// The ward post's MQTT broker.
    #[schemars(required)]
    pub broker: Option<Broker>,
    /// Home Assistant at the ward post, where there is one.
    #[serde(default)]
    pub home_assistant: HomeAssistant,
    /// Detector that analyses the pictures.
    #[serde(default)]
    pub detector: Detector,
    /// The cameras, by id.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "pattern": ID }))]
    pub camera: BTreeMap<String, Camera>,
    /// The ward's rules, by id.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "pattern": ID }))]
    pub rule: BTreeMap<String, Rule>,
}

/// Identity of this box.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Box")]
pub struct Identity {
    /// The ward: the first level of every MQTT topic. 1 to 32 of a-z, 0-9 and -.
    #[schemars(regex(pattern = ID))]
    #[schemars(required)]
    pub ward: Option<String>,
    /// This box: the second level of every MQTT topic. 1 to 32 of a-z, 0-9 and -.
    #[schemars(regex(pattern = ID))]
    #[schemars(required)]
    pub id: Option<String>,
    /// IANA name of the time zone in which schedules are meant.
    #[serde(default = "default_timezone")]
    pub timezone: String,
    /// Language of the words on thumbnails, and of default rules' names.
    #[serde(default)]
    pub language: Language,
    /// Dates that are holidays here: "2026-09-02". A schedule may name them as the day "holiday".
    #[serde(default)]
    pub holidays: Vec<String>,
    /// Night, in local time: rules may have other numbers then.
    #[serde(default)]
    pub night: Night,
}

fn default_timezone() -> String {
    base::language::TIMEZONE.to_owned()
}

/// A language of texts for duty officers.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Vietnamese.
    #[default]
    Vi,
    /// English.
    En,
}

/// Night, in local time.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Night {
    /// Start: "18:00".
    pub from: String,
    /// End: "05:30".
    pub to: String,
}

impl Default for Night {
    fn default() -> Self {
        Self { from: "18:00".to_owned(), to: "05:30".to_owned() }
    }
}

/// Store of footage and alerts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// Folder of the footage and its index; created if missing.
    pub directory: String,
    /// All footage together stays below this: "100 GiB", "500 GB", or a number of bytes. At least 64 MiB. Without it, footage may
    /// have the disk but for free_bytes_min.
    pub clip_bytes_max: Option<ByteCount>,
    /// Footage is deleted when it is this many days old, unless an alert or a hold keeps it.
    #[schemars(range(min = 1, max = 366))]
    pub clip_days_max: f64,
    /// Minimum number of days that footage goes back; with fewer, the ward post says so. At most clip_days_max; by default 7, or
    /// clip_days_max where that is less.
    #[schemars(range(min = 0, max = 366))]
    pub clip_days_min: Option<f64>,
    /// An alert, with its footage, is deleted when it is this many days old. At least clip_days_max.
    #[schemars(range(min = 1, max = 3660))]
    pub alert_days_max: f64,
    /// Alerts that wait for the ward post stay below this, by giving up pictures: those of the oldest notices first, of
    /// critical alerts last. The alerts themselves always wait. At least 1 MiB.
    pub outbox_bytes_max: ByteCount,
    /// Stills that wait for the ward post stay below this: the oldest are deleted. They are deleted after 72 hours, too; their
    /// footage stays.
    pub stills_bytes_max: ByteCount,
    /// So much of the disk stays free, as bytes or with a unit: footage makes way for whoever else needs room.
    pub free_bytes_min: ByteCount,
    /// So many more files the disk can take: footage makes way.
    pub free_inodes_min: u64,
    /// A footage file is closed at the first keyframe after this many seconds.
    #[schemars(range(min = 1, max = 3600))]
    pub segment_seconds: f64,
    /// Footage is on the disk for good after at most this many seconds; what is younger, a power cut may take.
    #[schemars(range(min = 0.1, max = 60))]
    pub sync_interval_seconds: f64,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            directory: "/var/lib/wardwatch".to_owned(),
            clip_bytes_max: None,
            clip_days_max: 30.0,
            clip_days_min: None,
            alert_days_max: 90.0,
            outbox_bytes_max: ByteCount::Text("256 MiB".to_owned()),
            stills_bytes_max: ByteCount::Text("32 MiB".to_owned()),
            free_bytes_min: ByteCount::Text("1 GiB".to_owned()),
            free_inodes_min: 10_000,
            segment_seconds: 60.0,
            sync_interval_seconds: 1.0,
        }
    }
}

/// A number of bytes, or text with a unit: B, KB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB (powers of 1024).
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(transform = number_or_text)]
pub enum ByteCount {
    /// Bytes.
    Bytes(u64),
    /// A number and its unit.
    Text(String),
}

/// Replaces a choice of two schemas by one `type` list with the same meaning, which is simpler to check against.
fn number_or_text(schema: &mut schemars::Schema) {
    schema.remove("anyOf");
    schema.insert("type".to_owned(), serde_json::json!(["integer", "string"]));
    schema.insert("minimum".to_owned(), 0.into());
}

/// The receiver that has to have an alert.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Acknowledge {
    /// The ward post's wardpost.
    #[default]
    Post,
    /// The broker.
    Broker,
}

/// The ward post's MQTT broker.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// mqtts://HOST:PORT with TLS, or mqtt://HOST:PORT without, for a broker on the same machine. The port may be left
    /// out: 8883 and 1883.
    #[schemars(required)]
    pub url: Option<String>,
    /// PEM file of the authority that signed the broker's certificate. Needed with mqtts.
    pub ca_file: Option<String>,
    /// PEM file of this box's certificate, where the broker asks for one.
    pub cert_file: Option<String>,
    /// PEM file of the private key to that certificate.
    pub key_file: Option<String>,
    /// User name, where the broker asks for one.
    pub user: Option<String>,
    /// File that holds the password and nothing else; not readable by everybody.
    pub password_file: Option<String>,
    /// The receiver that confirms an alert before the box removes it from the outbox: the ward post (wardpost), or the
    /// broker, where the ward post is another program. A broker that is killed loses alerts that it had.
    #[serde(default)]
    pub acknowledge: Acknowledge,
    /// True: each alert is followed by up to three stills out of the recorded main stream (before, after, and the subject), at
    /// most 60 KiB together. They leave only while no alert waits. False for a link on which every byte is paid.
    #[serde(default = "default_stills")]
    pub stills: bool,
    /// The connection is checked after this many silent seconds.
    #[serde(default = "default_keep_alive_seconds")]
    #[schemars(range(min = 1, max = 3600))]
    pub keep_alive_seconds: f64,
}

/// Home Assistant at the ward post, where there is one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HomeAssistant {
    /// True: the box describes itself to it through the broker (MQTT discovery): the state of each camera, the number of
    /// waiting alerts, and each alert without its picture.
    pub discovery: bool,
    /// First level of the topics on which it listens for that. 1 to 64 of A-Z, a-z, 0-9, _ and -.
    #[schemars(regex(pattern = "^[A-Za-z0-9_-]{1,64}$"))]
    pub topic_prefix: String,
}

impl Default for HomeAssistant {
    fn default() -> Self {
        Self { discovery: false, topic_prefix: "homeassistant".to_owned() }
    }
}

fn default_stills() -> bool {
    true
}

fn default_keep_alive_seconds() -> f64 {
    30.0
}

/// Detector that analyses the pictures.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Detector {
    /// "street-nano" for the built-in network, "motion" for the built-in motion detector, or the path of another
    /// network's manifest (.toml) or file (.onnx).
    pub model: String,
    /// The size of the network's input as [columns, rows], where it is not to be that of its manifest.
    pub input_size: Option<[u16; 2]>,
    /// Detections that are less sure than this are dropped; by default what the network's manifest says.
    #[schemars(range(min = 0, max = 1))]
    pub score_min: Option<f32>,
    /// Threads that analyse pictures; by default one less than the machine has cores.
    #[schemars(range(min = 1, max = 64))]
    pub workers: Option<usize>,
    /// The part of all the machine's cores that a network may take, on the long run; the rest is for recording and
    /// decoding. What it cannot serve is counted, and told in the vitals.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
    pub cpu_share_max: f32,
    /// From this temperature on, in degrees Celsius, a network gets less, the more the warmer.
    #[schemars(range(min = 30, max = 110))]
    pub temperature_celsius_max: f32,
}

impl Default for Detector {
    fn default() -> Self {
        Self {
            model: detector::BUILT_IN.to_owned(),
            input_size: None,
            score_min: None,
            workers: None,
            cpu_share_max: 0.5,
            temperature_celsius_max: 80.0,
        }
    }
}

/// A camera.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Camera {
    /// Name that people use for the place; the id if left out.
    pub name: Option<String>,
    /// Latitude in degrees (WGS 84). With lon.
    #[schemars(range(min = -90, max = 90))]
    pub lat: Option<f64>,
    /// Longitude in degrees (WGS 84). With lat.
    #[schemars(range(min = -180, max = 180))]
    pub lon: Option<f64>,
    /// Direction of the camera's view, in degrees clockwise from north.
    #[schemars(range(min = 0, max = 360))]
    pub heading: Option<f32>,
    /// The full-quality stream, the one to record: rtsp://HOST/PATH, rtsps://HOST/PATH, or file://PATH to try out.
    #[schemars(required)]
    pub main: Option<String>,
    /// The small stream, the one to analyse; the main stream is analysed if left out.
    pub sub: Option<String>,
    /// User name, where the camera asks for one. With password_file.
    pub user: Option<String>,
    /// File that holds the password and nothing else; not readable by everybody. With user.
    pub password_file: Option<String>,
    /// Transport of the video: tcp, or udp for cameras that cannot do tcp.
    #[serde(default)]
    pub transport: Transport,
    /// With rtsps: PEM file of the authority that signed the camera's certificate; any is accepted if left out.
    pub ca_file: Option<String>,
    /// True: the main stream is recorded.
    #[serde(default = "default_record")]
    pub record: bool,
    /// This camera's footage stays below this, beside the limit for all: "20 GiB". At least 64 MiB.
    pub clip_bytes_max: Option<ByteCount>,
    /// With file: start again at the file's end.
    #[serde(default)]
    pub loop_file: bool,
    /// Footage of an alert begins this many seconds before it.
    #[serde(default = "default_pre_roll_seconds")]
    #[schemars(range(min = 0, max = 600))]
    pub pre_roll_seconds: f64,
    /// Footage of an alert ends this many seconds after it.
    #[serde(default = "default_post_roll_seconds")]
    #[schemars(range(min = 0, max = 600))]
    pub post_roll_seconds: f64,
    /// At most this many pictures a second are analysed.
    #[serde(default = "default_fps_max")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 30))]
    pub fps_max: f32,
    /// This camera gets so many inferences of a network a second, while something on it needs them, before others get more.
    /// At most fps_max.
    #[serde(default = "default_looks_per_second_min")]
    #[schemars(range(min = 0, max = 30))]
    pub looks_per_second_min: f32,
    /// Without a sub stream: while nothing moves, only key frames are decoded, if they come at least this often; with 0,
    /// every frame is.
    #[serde(default = "default_idle_gap_seconds_max")]
    #[schemars(range(min = 0, max = 10))]
    pub idle_gap_seconds_max: f64,
    /// Areas in which motion does not count (a clock burnt into the picture, a flag), each as its corners in order,
    /// [x, y] each: [0, 0] is the picture's top left corner, [1, 1] its bottom right one.
    #[serde(default)]
    #[schemars(inner(length(min = 3), inner(inner(range(min = 0, max = 1)))))]
    pub masks: Vec<Vec<[f32; 2]>>,
    /// Areas that no thumbnail shows (a window, a doorway), drawn as masks are. Footage is recorded as the camera sends it.
    #[serde(default)]
    #[schemars(inner(length(min = 3), inner(inner(range(min = 0, max = 1)))))]
    pub privacy_masks: Vec<Vec<[f32; 2]>>,
    /// Show persons that an alert is not about in coarse blocks on its thumbnail.
    #[serde(default)]
    pub hide_bystanders: bool,
    /// Gives an alert when this camera gives no picture, also without a `camera_offline` rule that names it. Means
    /// nothing with file.
    #[serde(default = "default_alert")]
    pub alert_offline: bool,
    /// Gives an alert when this camera is covered, moved or the like, also without a `camera_sabotage` rule that names
    /// it. Means nothing with file.
    #[serde(default = "default_alert")]
    pub alert_sabotage: bool,
    /// The main stream is recorded up to this many Mbit/s over ten seconds; what a camera sends beyond is left out and counted, so
    /// that it does not take the disk from the others.
    #[serde(default = "default_megabits_per_second_max")]
    #[schemars(range(min = 1, max = 1000))]
    pub megabits_per_second_max: f64,
    /// A stream that is silent for this many seconds is connected to anew.
    #[serde(default = "default_stall_seconds")]
    #[schemars(range(min = 1, max = 600))]
    pub stall_seconds: f64,
    /// The ground, for rules that measure speed or density: four points on the picture and their places in
    /// metres, in the same order around a quadrangle that lies flat on the ground.
    #[serde(default)]
    #[schemars(with = "Ground")]
    pub ground: Option<Ground>,
    /// Areas of the picture, by id.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "pattern": ID }))]
    pub zone: BTreeMap<String, Zone>,
    /// Lines across the picture, by id.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "pattern": ID }))]
    pub tripwire: BTreeMap<String, Tripwire>,
}

fn default_alert() -> bool {
    true
}

fn default_record() -> bool {
    true
}

fn default_pre_roll_seconds() -> f64 {
    10.0
}

fn default_post_roll_seconds() -> f64 {
    20.0
}

fn default_fps_max() -> f32 {
    5.0
}

fn default_looks_per_second_min() -> f32 {
    0.5
}

fn default_idle_gap_seconds_max() -> f64 {
    2.0
}

fn default_megabits_per_second_max() -> f64 {
    64.0
}

fn default_stall_seconds() -> f64 {
    10.0
}

/// Transport of the video.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Inside the RTSP connection: nothing is lost on a bad network.
    #[default]
    Tcp,
    /// As datagrams: for cameras that cannot do TCP.
    Udp,
}

/// The ground.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ground {
    /// Four points on the picture, [x, y] each: [0, 0] is the picture's top left corner, [1, 1] its bottom right one.
    #[schemars(inner(inner(range(min = 0, max = 1))))]
    #[schemars(required)]
    pub picture: Option<[[f32; 2]; 4]>,
    /// Their places on the ground in metres, [x, y] each, counted from wherever it is convenient.
    #[schemars(inner(inner(range(min = -10000, max = 10000))))]
    #[schemars(required)]
    pub metres: Option<[[f32; 2]; 4]>,
}

/// An area of the picture.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// Name that people use for it; the id if left out.
    pub name: Option<String>,
    /// Its corners in order, [x, y] each: [0, 0] is the picture's top left corner, [1, 1] its bottom right one.
    #[schemars(length(min = 3), inner(inner(range(min = 0, max = 1))))]
    #[schemars(required)]
    pub points: Option<Vec<[f32; 2]>>,
}

/// A line across the picture.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tripwire {
    /// Name that people use for it; the id if left out.
    pub name: Option<String>,
    /// Its start: [x, y], [0, 0] is the picture's top left corner, [1, 1] its bottom right one.
    #[schemars(inner(range(min = 0, max = 1)))]
    #[schemars(required)]
    pub from: Option<[f32; 2]>,
    /// Its end. Left and right are as seen looking from `from` to `to`.
    #[schemars(inner(range(min = 0, max = 1)))]
    #[schemars(required)]
    pub to: Option<[f32; 2]>,
}

/// A rule: its kind, its places, and its times.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("unevaluatedProperties" = false), transform = night_numbers)]
pub struct Rule {
    /// Name that people use for it; the id if left out.
    pub name: Option<String>,
    /// Ids of its cameras.
    #[schemars(length(min = 1))]
    #[schemars(required)]
    pub cameras: Option<Vec<String>>,
    /// Id of the zone it applies to, on each of its cameras; the whole picture if left out. Some kinds need one.
    pub zone: Option<String>,
    /// Id of the tripwire it applies to, on each of its cameras.
    pub tripwire: Option<String>,
    /// Labels of its subjects; if left out, those of its kind, as a rule all.
    #[serde(default)]
    pub labels: Vec<Label>,
    /// Severity of its alerts.
    #[serde(default = "default_severity")]
    pub severity: Severity,
    /// For this many seconds after an event has ended, the rule tells nothing of the same subjects on that camera. Others are
    /// told in further alerts, the second 5 s after the first, each further one after twice that wait, up to this one.
    #[serde(default = "default_cool_down_seconds")]
    #[schemars(range(min = 0, max = 86400))]
    pub cool_down_seconds: f64,
    /// Times at which it applies; always if left out.
    #[serde(default)]
    pub schedule: Vec<Window>,
    /// Numbers of its kind that hold at night instead. [`night_numbers`] says which there are.
    #[serde(default)]
    #[schemars(skip)]
    pub night: serde_json::Map<String, serde_json::Value>,
    /// Its kind, and the numbers of that kind: every other key. [`rules::Kind`] reads them.
    #[serde(flatten)]
    #[schemars(with = "rules::Kind")]
    pub kind: serde_json::Map<String, serde_json::Value>,
}

/// Adds a table `night` to each kind, with the kind's own keys once more; a left-out key is as by day.
fn night_numbers(schema: &mut schemars::Schema) {
    let Some(kinds) = schema.get_mut("oneOf").and_then(|kinds| kinds.as_array_mut()) else { return };
    for kind in kinds {
        let Some(properties) = kind["properties"].as_object_mut() else { continue };
        let mut numbers = properties.clone();
        numbers.remove("kind");
        for number in numbers.values_mut().filter_map(|number| number.as_object_mut()) {
            number.remove("default");
        }
        let night = serde_json::json!({
            "description": "Numbers that hold at night instead; what is left out is as by day.",
            "type": "object",
            "properties": numbers,
            "additionalProperties": false,
        });
        properties.insert("night".to_owned(), night);
    }
}

fn default_severity() -> Severity {
    Severity::Warning
}

fn default_cool_down_seconds() -> f64 {
    60.0
}

/// A span of local time. One that goes over midnight belongs to the day on which it starts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The days on which it starts; every day, holidays too, if left out. A holiday is a day of its own: a window that
    /// lists days of the week only does not start on one.
    #[serde(default)]
    pub days: Vec<Day>,
    /// Start: "22:00".
    #[schemars(required)]
    pub from: Option<String>,
    /// End: "05:00"; the same as `from` for the whole day.
    #[schemars(required)]
    pub to: Option<String>,
}

/// A kind of day.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
    /// One of the box's holidays, whatever day of the week it is.
    Holiday,
}
