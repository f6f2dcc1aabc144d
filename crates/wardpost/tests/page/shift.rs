//! A shift in a real browser: the test sound, the hand-over with its holes, and its sheet on paper.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use super::browser::is_installed;
use super::post::alert;
use super::{keep, on_duty};

/// The officer's word that the sound was heard.
const CHECKBOX: &str = "document.querySelector('[data-needs-sound]')";

#[test]
fn the_test_sound_comes_before_the_word_that_it_was_heard() {
    if !is_installed() {
        return;
    }
    let (post, mut browser, mut tab) = on_duty(1, 1280, 800);
    // A tab that nobody has touched may not sound.
    let mut untouched = browser.open(&format!("{}shift", post.url()), 1280, 800);
    assert_eq!(browser.value(&mut untouched, &format!("{CHECKBOX}.disabled")), json!(true));
    browser.value(&mut untouched, "document.querySelector('[data-do=hear]').click()");
    browser
        .until(&mut untouched, "document.querySelector('[data-heard]').textContent.includes('chặn âm báo')");
    assert_eq!(browser.value(&mut untouched, &format!("{CHECKBOX}.disabled")), json!(true));

    browser.go(&mut tab, &format!("{}shift", post.url()));
    browser.value(&mut tab, "document.querySelector('[data-do=hear]').focus()");
    browser.key(&mut tab, "Enter");
    browser.until(&mut tab, &format!("!{CHECKBOX}.disabled"));
    assert_eq!(browser.value(&mut tab, "document.documentElement.dataset.sound"), json!("critical 0"));
    browser.value(&mut tab, &format!("{CHECKBOX}.focus()"));
    browser.key(&mut tab, " ");
    browser.until(&mut tab, &format!("{CHECKBOX}.checked"));
    browser.value(&mut tab, "document.querySelector('form[action=\"/shift/begin\"] .primary').focus()");
    browser.key(&mut tab, "Enter");
    browser.until(&mut tab, "!!document.querySelector('form[action=\"/shift/end\"]')");
    let table = browser.value(&mut tab, "document.querySelector('.noprint tbody').textContent");
    assert!(table.as_str().unwrap().contains("đã thử"), "{table}");
    assert_eq!(tab.errors, Vec::<String>::new());
}

#[test]
fn a_past_hand_over_is_a_sheet_that_prints() {
    if !is_installed() {
        return;
    }
    let (mut post, mut browser, mut tab) = on_duty(6, 1280, 800);
    // The box has numbered two alerts that have not come.
    post.store(vec![alert(10)]);
    let shift = format!("{}shift", post.url());
    browser.go(&mut tab, &shift);
    browser.value(&mut tab, "document.querySelector('form[action=\"/shift/begin\"]').requestSubmit()");
    browser.until(&mut tab, "!!document.querySelector('form[action=\"/shift/end\"]')");
    let text = browser.value(&mut tab, "document.querySelector('main').textContent");
    let text = text.as_str().unwrap();
    assert!(text.contains("Thiết bị đang thử nghiệm"), "{text}");
    assert!(text.contains("ben-nghe/box-1: 2 cảnh báo, số 4–5"), "{text}");
    browser.value(&mut tab, "document.querySelector('[name=remark]').focus()");
    browser.write(&mut tab, "Cổng chợ: đã báo kỹ thuật");
    browser.key(&mut tab, "Enter");
    browser.until(&mut tab, "!!document.querySelector('a[href=\"/shift/print?id=1\"]')");

    // What is left of the page on paper, at night, too.
    browser.value(&mut tab, "document.cookie = 'theme=night; path=/'");
    browser.ask(&mut tab, "Emulation.setEmulatedMedia", json!({ "media": "print" }));
    for path in ["shift", "shift/print?id=1"] {
        browser.go(&mut tab, &format!("{}{path}", post.url()));
        let seen = "[...document.querySelectorAll('form, button, nav, .top, footer, .banners, .noprint')]
            .filter(one => one.checkVisibility()).map(one => one.outerHTML)";
        assert_eq!(browser.value(&mut tab, seen), json!([]), "{path}");
        let colours = "['color', 'backgroundColor'].map(name => getComputedStyle(document.body)[name])";
        assert_eq!(browser.value(&mut tab, colours), json!(["rgb(0, 0, 0)", "rgb(255, 255, 255)"]));
    }
    keep(&mut browser, &mut tab, "hand-over-sheet");
    let text = browser.value(&mut tab, "document.body.textContent");
    let text = text.as_str().unwrap();
    for part in ["Nguyễn Thị Lan", "đã báo kỹ thuật", "Đang chờ (7)", "số 4–5", "Người nhận"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let paper = browser.ask(&mut tab, "Page.printToPDF", json!({ "preferCSSPageSize": true }));
    let paper = BASE64.decode(paper["data"].as_str().unwrap()).unwrap();
    let pages = paper.windows(11).filter(|part| part == b"/Type /Page").count();
    let trees = paper.windows(12).filter(|part| part == b"/Type /Pages").count();
    assert_eq!(pages - trees, 1, "it is one sheet");
    assert_eq!(tab.errors, Vec::<String>::new());
}
