//! A post without a broker: its database, filled by hand, and its page.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base::clock;
use base::ids::AlertId;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;
use wardlink::client::Incoming;
use wardpost::Storage;
use wardpost::arrival::{Arrival, Content};
use wardpost::page::Page;
use wardpost::settings::{Written, WrittenBroker, WrittenEvents, WrittenPage, WrittenPost};
use wardpost::storage::Batch;

/// Places of the cameras.
pub const PLACES: [&str; 4] =
    ["Cổng chợ Bến Thành", "Hẻm 42 Nguyễn Trãi", "Ngã tư Lê Lợi", "Trường Lê Văn Tám"];

pub struct Post {
    /// Folder of the database; `None` where the test has its own.
    _place: Option<TempDir>,
    folder: PathBuf,
    events: WrittenEvents,
    storage: Storage,
    page: Option<Page>,
    port: u16,
}

impl Post {
    pub fn start() -> Self {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().to_owned();
        Self { _place: Some(place), ..Self::start_in(&folder, WrittenEvents::default()) }
    }

    /// A post with its database in this folder, and these settings of events.
    pub fn start_in(folder: &Path, events: WrittenEvents) -> Self {
        let storage = Storage::open(&folder.join("post.sqlite")).unwrap();
        let mut post = Self { _place: None, folder: folder.to_owned(), events, storage, page: None, port: 0 };
        post.start_page();
        post
    }

    /// Serves the page, on the same port as before.
    pub fn start_page(&mut self) {
        let written = Written {
            broker: WrittenBroker { url: Some("mqtt://127.0.0.1:9".to_owned()), ..WrittenBroker::default() },
            post: WrittenPost {
                ward: Some("ben-nghe".to_owned()),
                database: Some(self.database()),
                ..WrittenPost::default()
            },
            events: self.events.clone(),
            page: WrittenPage { listen: Some(format!("127.0.0.1:{}", self.port)), ..WrittenPage::default() },
            ..Written::default()
        };
        let page = Page::start(&written.settings().unwrap()).unwrap().unwrap();
        let url = page.url();
        self.port = url.trim_end_matches('/').rsplit(':').next().unwrap().parse().unwrap();
        self.page = Some(page);
    }

    pub fn stop_page(&mut self) {
        self.page = None;
    }

    pub fn store(&mut self, arrivals: Vec<Arrival>) {
        self.storage.take(&Batch { arrivals, ..Batch::default() }).unwrap();
    }

    pub fn storage(&mut self) -> &mut Storage {
        &mut self.storage
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// The one-time code of the first administrator.
    pub fn code(&self) -> String {
        self.page.as_ref().unwrap().first_code().unwrap().to_owned()
    }

    /// File of the database.
    pub fn database(&self) -> PathBuf {
        self.folder.join("post.sqlite")
    }
}

/// An alert that opened some seconds ago, of another camera than the ones before.
pub fn alert(number: u64) -> Arrival {
    named(number, PLACES[number as usize % PLACES.len()])
}

/// One more alert of the camera of an alert, by another rule.
pub fn again(number: u64) -> Arrival {
    let mut arrival = alert(number);
    let Content::Alert(arrived) = &mut arrival.content else { panic!("no alert") };
    (arrived.alert.id, arrived.alert.seq) = (AlertId::new(1_777_673_743_120 + number), 50 + number);
    arrived.alert.rule.id = "crowd".parse().unwrap();
    arrived.message = serde_json::to_value(&arrived.alert).unwrap();
    arrival
}

/// An alert of a camera with this name.
pub fn named(number: u64, name: &str) -> Arrival {
    with_picture(number, name, thumbnail(number))
}

/// An alert with these bytes in the place of its thumbnail.
pub fn with_bytes(number: u64, bytes: &[u8]) -> Arrival {
    with_picture(number, PLACES[0], Value::String(BASE64.encode(bytes)))
}

fn with_picture(number: u64, name: &str, thumbnail: Value) -> Arrival {
    let opened_at = clock::wall() - Duration::from_secs(200 - 10 * number);
    let (severity, kind, rule) = match number % 3 {
        0 => ("warning", "intrusion", "Ban đêm"),
        1 => ("critical", "crowd", "Tụ tập đông người"),
        _ => ("notice", "stopped_vehicle", "Dừng đỗ"),
    };
    let message = json!({
        "schema": "wardwatch.alert/1", "id": AlertId::new(1_777_673_643_120 + number), "seq": number / 2 + 1,
        "phase": "opened", "outbox": "6f1c1f5e-2f0f-4d0f-8a5e-0a8b4f1b7c55", "ward": "ben-nghe",
        "box": format!("box-{}", 1 + number % 2),
        "camera": { "id": format!("c{number}"), "name": name },
        "rule": { "id": "night", "kind": kind, "name": rule }, "severity": severity, "opened_at": opened_at,
        "clock": "synced", "subjects": [], "count": 1, "why": "person in \"yard\" for 2.4 s (2.0 s needed)",
        "reason": { "code": "in-zone", "place": "Sân chợ", "numbers": { "seconds": 2.4, "seconds_needed": 2.0 } },
        "model": { "name": "street-nano" },
        "clip": { "ref": "c", "starts_at": "2026-05-01T22:13:58.120Z" }, "thumbnail": thumbnail,
    });
    let payload = message.to_string().into_bytes();
    Arrival::read(Incoming {
        topic: format!("wardwatch/v1/ben-nghe/box-{}/alert", 1 + number % 2),
        bytes: payload.len(),
        payload,
        is_retained: false,
        at: clock::wall(),
    })
}

/// A drawn street: sky, road, a kerb, and somebody on it.
pub fn thumbnail(number: u64) -> Value {
    let mut picture = image::RgbImage::from_fn(320, 180, |x, y| match (x, y) {
        (_, 0..60) => image::Rgb([150, 170, 190]),
        (x, 60..70) if x % 40 < 20 => image::Rgb([200, 190, 80]),
        _ => image::Rgb([96, 98, 102]),
    });
    let left = 60 + 30 * number as u32 % 200;
    for (x, y) in (left..left + 18).flat_map(|x| (80..140).map(move |y| (x, y))) {
        picture.put_pixel(x, y, image::Rgb([40, 52, 120]));
    }
    let mut jpeg = Cursor::new(Vec::new());
    picture.write_to(&mut jpeg, image::ImageFormat::Jpeg).unwrap();
    Value::String(BASE64.encode(jpeg.into_inner()))
}
