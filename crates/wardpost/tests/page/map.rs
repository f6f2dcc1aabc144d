//! The map in a browser: the administrator uploads a plan and places cameras by keyboard and by a click; markers follow the events.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use super::browser::{Browser, Tab, is_installed};
use super::post::{again, alert};
use super::{keep, on_duty};

/// A drawn plan: streets between blocks.
fn plan() -> Vec<u8> {
    let picture = image::RgbImage::from_fn(900, 600, |x, y| {
        let is_street = x % 180 < 26 || y % 150 < 26;
        image::Rgb(if is_street { [255, 252, 240] } else { [206, 214, 205] })
    });
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, image::ImageFormat::Png).unwrap();
    file.into_inner()
}

/// Puts a file into the upload's field, as a person who chooses one, and sends it.
fn upload(browser: &mut Browser, tab: &mut Tab, file: &[u8]) {
    let data = BASE64.encode(file);
    browser.value(
        tab,
        &format!(
            "(() => {{ const bytes = Uint8Array.from(atob('{data}'), (c) => c.charCodeAt(0));
             const choice = new DataTransfer(); choice.items.add(new File([bytes], 'plan.png'));
             const form = document.querySelector('[data-plan-file]');
             form.elements.file.files = choice.files; form.requestSubmit(); }})()"
        ),
    );
}

/// Waits until the script has put so many markers at their places.
fn markers(browser: &mut Browser, tab: &mut Tab, number: u64) {
    let placed = "[...document.querySelectorAll('.marker')].filter(marker => marker.style.left).length";
    browser.until(tab, &format!("{placed} === {number}"));
}

#[test]
fn cameras_are_placed_on_a_plan_and_markers_follow_their_events() {
    if !is_installed() {
        return;
    }
    let (mut post, mut browser, mut tab) = on_duty(4, 1280, 900);
    let edit = format!("{}map?edit=1", post.url());
    browser.go(&mut tab, &edit);
    assert_eq!(browser.value(&mut tab, "!!document.querySelector('.grid')"), json!(true));

    // No picture, then one.
    upload(&mut browser, &mut tab, b"GIF89a and no picture");
    browser.until(&mut tab, "document.querySelector('[data-toast]').className === 'toast bad'");
    upload(&mut browser, &mut tab, &plan());
    browser.until(&mut tab, "document.querySelector('.plan img')?.naturalWidth === 900");

    // By keyboard alone: the choice has the focus, and the first camera without a place is chosen.
    browser.until(&mut tab, "document.activeElement?.name === 'camera'");
    for (field, text) in [("x", "25"), ("y", "40.5")] {
        browser.value(&mut tab, &format!("document.querySelector('[name={field}]').focus()"));
        browser.write(&mut tab, text);
    }
    browser.key(&mut tab, "Enter");
    markers(&mut browser, &mut tab, 1);
    let place = "(() => { const [a, b] = ['.marker', '.plan'].map((one) => document.querySelector(one).getBoundingClientRect());
                  return [Math.round((a.left + 14 - b.left) / b.width * 100), Math.round((a.top + a.height / 2 - b.top) / b.height * 1000) / 10]; })()";
    browser.until(&mut tab, &format!("JSON.stringify({place}) === '[25,40.5]'"));

    // By a click on the plan, once for each of the others.
    for (number, (x, y)) in (2..).zip([(0.6, 0.3), (0.8, 0.7), (0.3, 0.8)]) {
        let click = format!(
            "(() => {{ const plan = document.querySelector('[data-plan]'); plan.scrollIntoView(); const area = plan.getBoundingClientRect();
             return [area.left + {x} * area.width, area.top + {y} * area.height]; }})()"
        );
        let at = browser.value(&mut tab, &click);
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1 });
            browser.ask(&mut tab, "Input.dispatchMouseEvent", event);
        }
        markers(&mut browser, &mut tab, number);
    }
    keep(&mut browser, &mut tab, "map-edit");

    // An officer's map: a new event of a camera shows by itself, in shape, word and number.
    browser.go(&mut tab, &format!("{}map", post.url()));
    markers(&mut browser, &mut tab, 4);
    let told = |camera: &str| {
        format!("document.querySelector('.marker[data-camera$=\"/{camera}\"]')?.getAttribute('aria-label')")
    };
    let before = browser.value(&mut tab, &told("c1"));
    assert!(before.as_str().unwrap().contains("Khẩn cấp, 1 sự kiện"), "{before}");
    post.store(vec![again(1)]);
    browser.until(&mut tab, &format!("{}.includes('Khẩn cấp, 2 sự kiện')", told("c1")));
    keep(&mut browser, &mut tab, "map");

    // A marker leads to the camera's queue, and a box to its own.
    browser.value(&mut tab, "document.querySelector('.marker[data-camera$=\"/c1\"]').focus()");
    browser.key(&mut tab, "Enter");
    browser.until(&mut tab, "location.search === '?camera=ben-nghe/box-2/c1' && document.querySelectorAll('[data-event]').length === 2");
    browser.go(&mut tab, &format!("{}?box=ben-nghe/box-1", post.url()));
    browser.until(&mut tab, "document.querySelectorAll('[data-event]').length === 2");
    post.store(vec![alert(4), alert(5)]);
    browser.until(&mut tab, "document.querySelectorAll('[data-event]').length === 3");

    // A camera is taken off again.
    browser.go(&mut tab, &edit);
    browser.value(&mut tab, "document.querySelector('form[action=\"/map/unplace\"] button').click()");
    markers(&mut browser, &mut tab, 3);
    assert_eq!(tab.errors.iter().filter(|error| !error.contains("422")).count(), 0, "{:?}", tab.errors);
}

#[test]
fn the_map_fits_a_phone_and_the_night() {
    if !is_installed() {
        return;
    }
    let (mut post, mut browser, mut tab) = on_duty(6, 360, 720);
    let cameras = post.storage().map().unwrap().cameras;
    for (number, one) in (0u32..).zip(cameras) {
        let spot =
            wardpost::storage::Spot::new(f64::from(number) * 0.2, 0.1 + f64::from(number) * 0.15).unwrap();
        let by = wardpost::storage::By { who: "a test", at: base::clock::wall() };
        post.storage().place_camera(&(one.sender, one.camera), &one.name, spot, by).unwrap();
    }
    browser.go(&mut tab, &format!("{}map", post.url()));
    markers(&mut browser, &mut tab, 6);
    let wide = browser.value(&mut tab, "document.documentElement.scrollWidth").as_u64().unwrap();
    assert!(wide <= 360, "the page is {wide} pixels wide on a phone of 360");
    keep(&mut browser, &mut tab, "map-phone");
    browser.value(&mut tab, "document.cookie = 'theme=night; path=/'");
    let size = json!({ "width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": false });
    browser.ask(&mut tab, "Emulation.setDeviceMetricsOverride", size);
    browser.go(&mut tab, &format!("{}map?edit=1", post.url()));
    markers(&mut browser, &mut tab, 6);
    keep(&mut browser, &mut tab, "map-night");
    assert_eq!(tab.errors, Vec::<String>::new());
}
