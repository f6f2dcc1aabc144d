//! The page on which a person draws zones and lines and copies their TOML. One file: it loads nothing and sends nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::alerts::thumbnail::{Outline, OutlineKind};
use base::alert::CameraRef;

/// The page with `@NAME@` where [`page`] puts something.
const TEMPLATE: &str = include_str!("page.html");

/// The page for a camera: `jpeg` is its picture without outlines, of `size` pixels, and `source` says which one.
pub(super) fn page(
    camera: &CameraRef,
    source: &str,
    size: [u32; 2],
    jpeg: &[u8],
    outlines: &[Outline],
) -> String {
    let [width, height] = size.map(|pixels| pixels.to_string());
    let known: Vec<serde_json::Value> = outlines
        .iter()
        .map(
            |outline| json!({ "kind": word(outline.kind), "label": outline.label, "points": outline.points }),
        )
        .collect();
    // "</script>" in a name must not end the script.
    let known = serde_json::Value::from(known).to_string().replace('<', "\\u003c");
    let parts = [
        ("@CAMERA@", camera.id.to_string()),
        ("@NAME@", escaped(&camera.name)),
        ("@SOURCE@", escaped(source)),
        ("@WIDTH@", width),
        ("@HEIGHT@", height),
        ("@JPEG@", STANDARD.encode(jpeg)),
        ("@KNOWN@", known),
    ];
    let mut rest = TEMPLATE;
    let mut html = String::new();
    // In one pass: what is put in is not searched again.
    while let Some((at, (mark, part))) =
        parts.iter().filter_map(|part| Some((rest.find(part.0)?, part))).min_by_key(|(at, _)| *at)
    {
        html.push_str(&rest[..at]);
        html.push_str(part);
        rest = &rest[at + mark.len()..];
    }
    html + rest
}

fn word(kind: OutlineKind) -> &'static str {
    match kind {
        OutlineKind::Zone => "zone",
        OutlineKind::Line { .. } => "tripwire",
        OutlineKind::Direction => "direction",
        OutlineKind::Mask => "masks",
        OutlineKind::PrivacyMask => "privacy_masks",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::geometry::Point;

    #[test]
    fn the_page_is_whole_and_names_are_no_markup() {
        let camera = CameraRef {
            id: "gate".parse().unwrap(),
            name: "<b>Cổng</b> @JPEG@".into(),
            lat: None,
            lon: None,
            heading: None,
        };
        let points = [[0.1, 0.2], [0.3, 0.2], [0.3, 0.4]].map(Point::from).to_vec();
        let label = "yard: </script><script>alert(1)".to_owned();
        let zone = Outline { kind: OutlineKind::Zone, points, label };
        let html = page(&camera, "recorded 2026-11-24", [640, 360], b"jpeg", &[zone]);
        assert!(html.contains("&lt;b&gt;Cổng&lt;/b&gt; @JPEG@"), "{html}");
        assert_eq!(html.matches("</script>").count(), 1);
        assert!(html.contains("viewBox=\"0 0 640 360\"") && html.contains(&STANDARD.encode("jpeg")));
        assert!(html.contains("[0.3"), "the corners are there");
        for mark in ["@CAMERA@", "@NAME@", "@SOURCE@", "@WIDTH@", "@HEIGHT@", "@KNOWN@"] {
            assert!(!html.contains(mark), "{mark}");
        }
        for outside in ["http:", "https:", "//cdn", "src=\"/", "fetch(", "XMLHttpRequest"] {
            assert!(!html.contains(outside), "{outside}");
        }
    }
}
