//! `wardwatch picture`: of footage, of the camera itself, and in a browser.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use base::fragment::Codec;
use clipstore::access::{self, AccessKind};
use image::{Rgb, RgbImage};
use tempfile::TempDir;

use super::{footage, record};
use crate::support::camera::bar_camera;

const PLACES: &str = "privacy_masks = [[[0.0, 0.0], [0.2, 0.0], [0.2, 0.2], [0.0, 0.2]]]\n\
    [camera.gate.zone.yard]\nname = \"Sân\"\npoints = [[0.3, 0.3], [0.9, 0.3], [0.9, 0.9], [0.3, 0.9]]\n\
    [camera.gate.tripwire.stop]\nfrom = [0.05, 0.5]\nto = [0.25, 0.5]\n";
/// Colour of a privacy mask.
const VEIL: [i16; 3] = [52, 56, 62];
/// A place in the privacy mask, below its label.
const BELOW_LABEL: [f32; 2] = [0.1, 0.165];

fn configure(place: &Path, main: &str) {
    let text = format!(
        "[box]\nward = \"ben-nghe\"\nid = \"box-1\"\n[store]\ndirectory = \"store\"\n\
         [broker]\nurl = \"mqtt://127.0.0.1:9\"\n[camera.gate]\nname = \"Cổng chợ\"\nmain = \"{main}\"\n{PLACES}"
    );
    fs::write(place.join("wardwatch.toml"), text).unwrap();
}

fn picture(place: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wardwatch"))
        .args(["picture", "gate", "--config", "wardwatch.toml", "--who", "Hoa"])
        .args(arguments)
        .current_dir(place)
        .output()
        .unwrap()
}

fn opened(path: &Path) -> RgbImage {
    image::load_from_memory(&fs::read(path).unwrap()).unwrap().to_rgb8()
}

/// True where the picture has about this colour at a fraction of its size.
fn is_near(image: &RgbImage, [x, y]: [f32; 2], colour: [i16; 3]) -> bool {
    let Rgb(pixel) = *image.get_pixel((x * image.width() as f32) as u32, (y * image.height() as f32) as u32);
    pixel.iter().zip(colour).all(|(one, other)| (i16::from(*one) - other).abs() < 24)
}

#[test]
fn the_newest_key_frame_is_drawn_with_its_zones_and_without_masked_places() {
    let place = TempDir::new().unwrap();
    let Some(footage) = footage(place.path(), Codec::H264, 2, 320, 4) else { return };
    let directory = record(place.path(), (0..4).map(|number| footage.fragment(number)));
    configure(place.path(), "rtsp://127.0.0.1:9/main");
    let output = picture(place.path(), &["-o", "gate.jpg", "--reason", "vùng mới"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.starts_with("gate.jpg: recorded 2026-05-0"), "{said}");
    let image = opened(&place.path().join("gate.jpg"));
    assert_eq!(image.width(), 320);
    assert!(is_near(&image, BELOW_LABEL, VEIL), "the masked place is covered");
    let is_green = |x: f32, y: f32| {
        let Rgb([red, green, blue]) =
            *image.get_pixel((x * 320.0) as u32, (y * image.height() as f32) as u32);
        green > red.saturating_add(25) && green > blue.saturating_add(15)
    };
    let edge = (0..60).filter(|step| is_green(0.35 + *step as f32 * 0.009, 0.9)).count();
    assert!(edge > 45, "the zone's lower edge is drawn: {edge} of 60");

    let log = access::read(&directory).unwrap();
    let kinds: Vec<AccessKind> = log.entries.iter().map(|entry| entry.what).collect();
    assert_eq!(kinds, [AccessKind::ExportStarted, AccessKind::ExportEnded]);
    assert!(log.entries.iter().all(|entry| entry.who.starts_with("Hoa (") && entry.why == "vùng mới"));
    assert!(log.entries[1].detail.contains("gate.jpg sha256 "), "{:?}", log.entries[1]);

    let output = picture(place.path(), &["-o", "gate.png"]);
    assert_eq!(output.status.code(), Some(2), "only pictures and pages are written");
}

#[test]
fn a_camera_without_footage_is_asked_for_a_picture() {
    let place = TempDir::new().unwrap();
    let server = bar_camera(10);
    configure(place.path(), &server.url("/main"));
    let output = picture(place.path(), &["-o", "gate.jpg", "--patience", "60"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (said, warned) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(said.starts_with("gate.jpg: live from the camera, 20"), "{said}");
    assert!(warned.contains("stands in no access log"), "{warned}");
    assert!(!place.path().join("store").exists(), "nothing is made");
    assert!(is_near(&opened(&place.path().join("gate.jpg")), BELOW_LABEL, VEIL));

    fs::create_dir(place.path().join("store")).unwrap();
    assert!(picture(place.path(), &["-o", "gate.jpg", "--patience", "60"]).status.success());
    assert_eq!(access::read(&place.path().join("store")).unwrap().entries.len(), 2);

    configure(place.path(), "rtsp://127.0.0.1:9/main");
    let output = picture(place.path(), &["-o", "other.jpg", "--patience", "2"]);
    let warned = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && warned.contains("camera gate gives no picture"), "{warned}");
    let failed = access::read(&place.path().join("store")).unwrap().entries.pop().unwrap();
    assert_eq!(failed.what, AccessKind::ExportFailed);
}

/// Taps three corners of a zone, moves one, and then draws a line with the mouse; the result stands in the title.
const TAPS: &str = r#"<script>
const touch = (kind, x, y, how) => {
  const box = svg.getBoundingClientRect();
  svg.dispatchEvent(new PointerEvent(kind, {pointerId: 1, pointerType: how, button: 0, bubbles: true, cancelable: true,
    clientX: box.left + x * box.width, clientY: box.top + y * box.height}));
};
const tap = (x, y, how) => { touch("pointerdown", x, y, how); touch("pointerup", x, y, how); };
get("id").value = "road";
for (const [x, y] of [[0.1, 0.2], [0.5, 0.2], [0.5, 0.6]]) tap(x, y, "touch");
touch("pointerdown", 0.5, 0.6, "touch"); touch("pointermove", 0.4, 0.8, "touch"); touch("pointerup", 0.4, 0.8, "touch");
const zone = get("toml").value, shapes = svg.querySelectorAll("polygon").length;
document.querySelector('[data-kind="tripwire"]').click();
tap(0.25, 0.5, "mouse"); tap(0.75, 0.5, "mouse");
get("turn").click();
const line = get("toml").value;
document.querySelector('[data-kind="privacy_masks"]').click();
for (const [x, y] of [[0.5, 0], [0.75, 0], [0.75, 0.25]]) tap(x, y, "mouse");
document.title = JSON.stringify({zone, line, shapes, masks: get("toml").value, loaded: document.images[0].naturalWidth});
</script>"#;

#[test]
fn corners_that_are_tapped_in_a_browser_become_toml() {
    let version = Command::new("chromium").arg("--version").output();
    if version.is_err() {
        eprintln!("skipped: chromium is not there");
        return;
    }
    let place = TempDir::new().unwrap();
    let Some(footage) = footage(place.path(), Codec::H264, 2, 320, 2) else { return };
    record(place.path(), (0..2).map(|number| footage.fragment(number)));
    configure(place.path(), "rtsp://127.0.0.1:9/main");
    let output = picture(place.path(), &["-o", "gate.html"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let html = fs::read_to_string(place.path().join("gate.html")).unwrap();
    let page = place.path().join("tapped.html");
    fs::write(&page, html.replace("</body>", &format!("{TAPS}</body>"))).unwrap();
    let output = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
        ])
        .arg(format!("--user-data-dir={}", place.path().join("profile").display()))
        .args(["--virtual-time-budget=10000", "--dump-dom"])
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&output.stdout);
    let title =
        dom.split("<title>").nth(1).unwrap_or_else(|| panic!("{output:?}")).split("</title>").next().unwrap();
    let result: serde_json::Value =
        serde_json::from_str(title).unwrap_or_else(|error| panic!("{error}: {title}"));
    assert_eq!(
        result["zone"],
        "[camera.gate.zone.road]\npoints = [[0.100, 0.200], [0.500, 0.200], [0.400, 0.800]]\n"
    );
    assert_eq!(result["line"], "[camera.gate.tripwire.road]\nfrom = [0.750, 0.500]\nto = [0.250, 0.500]\n");
    let masks = result["masks"].as_str().unwrap();
    assert!(masks.starts_with("privacy_masks = [[[0.000, 0.000], "), "the old one stays: {masks}");
    assert!(masks.contains("[0.500, 0.000], [0.750, 0.000], [0.750, 0.250]"), "{masks}");
    assert_eq!(result["loaded"], 320, "the picture is in the page");
    assert!(result["shapes"].as_u64().unwrap() >= 3, "the known zone, the known mask and the new zone");

    // It is what the configuration takes.
    let text = fs::read_to_string(place.path().join("wardwatch.toml")).unwrap();
    let more = format!("{text}{}{}", result["zone"].as_str().unwrap(), result["line"].as_str().unwrap());
    fs::write(place.path().join("wardwatch.toml"), more).unwrap();
    let settings = wardwatch::config::load(&place.path().join("wardwatch.toml")).unwrap();
    let places = settings.places.values().next().unwrap();
    assert_eq!((places.zones.len(), places.tripwires.len(), settings.warnings), (2, 2, Vec::new()));
}
