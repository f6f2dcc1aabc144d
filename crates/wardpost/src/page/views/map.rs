//! The map of the ward: cameras on its plan or on a grid, each with the state of its events; the administrator places them.

use axum::http::{StatusCode, header};
use maud::{Markup, html};

use super::{Say, frame, shape, token};
use crate::page::answer::{Answer, Fault};
use crate::page::call::{Call, camera_of};
use crate::page::plan;
use crate::people::Role;
use crate::presentation::printable;
use crate::storage::{MapCamera, Mute, Spot, WardMap};
use base::event::Severity;

/// The map, and the cameras as a list; with `part`, what changes of it.
pub(in crate::page) fn page(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let (say, map) = (call.say(), call.storage.map()?);
    let can_edit = call.role() >= Some(Role::Administrator);
    let is_edited = can_edit && call.asked.query.get("edit").is_some();
    if call.asked.query.get("part").is_some() {
        return Ok(Answer::page(html! { (markers(say, &map)) (cameras(call, &map, is_edited)) }));
    }
    let body = html! {
        div.sheet.wide data-map {
            div.row.spread {
                h1 { (say.t("Sơ đồ phường", "Map of the ward")) }
                @if is_edited { a.button href="/map" { (say.t("Xong", "Done")) } }
                @else if can_edit { a.button href="/map?edit=1" { (say.t("Sửa sơ đồ", "Edit the map")) } }
            }
            @if is_edited { (editor(call, &map)) }
            (legend(say))
            div.plan-scroll tabindex="0" role="region" aria-label=(say.t("Sơ đồ với vị trí camera", "Plan with the cameras")) {
                div.plan data-plan data-edit[is_edited] {
                    @if let Some(plan) = &map.plan {
                        img src=(format!("/map/plan?v={}", &plan.sha256[..plan.sha256.len().min(16)])) width=(plan.width) height=(plan.height)
                            alt=(say.t("Sơ đồ do phường tải lên", "Plan that the ward has uploaded"));
                    } @else { (grid()) }
                    (markers(say, &map))
                }
            }
            (cameras(call, &map, is_edited))
        }
        script type="module" src="/assets/map.js" {}
    };
    Ok(Answer::page(frame(call, say.t("Sơ đồ", "Map"), &body)))
}

/// Shapes and words of the marks.
fn legend(say: Say) -> Markup {
    html! {
        ul.legend aria-label=(say.t("Chú giải", "Legend")) {
            @for severity in [Severity::Critical, Severity::Warning, Severity::Notice] {
                li.tone data-severity=(severity.as_str()) { (shape(severity)) " " (say.severity(severity)) }
            }
            li.tone data-mute { (mute_shape()) " " (say.t("mất hình, mất kết nối", "away")) }
            li.tone { (quiet_shape()) " " (say.t("bình thường", "quiet")) }
        }
    }
}

/// A grid for a ward without a plan: ten by ten fields, named like those of a city map.
fn grid() -> Markup {
    html! {
        svg.grid viewBox="0 0 1000 700" aria-hidden="true" preserveAspectRatio="none" {
            @for line in 1..10u32 {
                line x1=(line * 100) y1="0" x2=(line * 100) y2="700" {}
                line x1="0" y1=(line * 70) x2="1000" y2=(line * 70) {}
            }
            @for (number, letter) in (0u32..).zip("ABCDEFGHIJ".chars()) {
                text x=(number * 100 + 6) y="20" { (letter) }
                text x="6" y=(number * 70 + 44) { (number + 1) }
            }
        }
    }
}

/// The cameras that have a place. The script puts each at its fractions of width and height.
fn markers(say: Say, map: &WardMap) -> Markup {
    html! {
        div.markers data-markers {
            @for camera in &map.cameras {
                @if let Some(spot) = camera.spot {
                    a.marker.tone href=(queue_of(camera)) data-x=(spot.x()) data-y=(spot.y()) data-camera=(id(camera))
                        data-severity=[camera.severity.map(Severity::as_str)] data-mute[camera.mute.is_some()]
                        title=(printable(&camera.name)) aria-label=(told(say, camera)) {
                        (mark(say, camera))
                        span.marker-name { (printable(&camera.name)) }
                    }
                }
            }
        }
    }
}

/// Shape, word and number of a camera.
fn mark(say: Say, camera: &MapCamera) -> Markup {
    html! {
        @if let Some(severity) = camera.severity {
            (shape(severity)) span { (say.severity(severity)) } strong.num { (camera.open) }
        }
        @if let Some(mute) = camera.mute { (mute_shape()) span { (mute_word(say, mute)) } }
        @if camera.severity.is_none() && camera.mute.is_none() { (quiet_shape()) }
    }
}

const fn mute_word(say: Say, mute: Mute) -> &'static str {
    match mute {
        Mute::Box => say.t("mất kết nối", "box away"),
        Mute::Camera => say.t("mất hình", "no picture"),
    }
}

/// A camera and its state in one sentence.
fn told(say: Say, camera: &MapCamera) -> String {
    let mut told = format!("{}: ", printable(&camera.name));
    let events = camera.severity.map(|severity| {
        format!("{}, {} {}", say.severity(severity), camera.open, say.t("sự kiện đang chờ", "waiting"))
    });
    let mute = camera.mute.map(|mute| mute_word(say, mute).to_owned());
    let parts: Vec<String> = events.into_iter().chain(mute).collect();
    told.push_str(&if parts.is_empty() {
        say.t("không có sự kiện", "no event").to_owned()
    } else {
        parts.join("; ")
    });
    told
}

/// All cameras as a table below the plan.
fn cameras(call: &Call<'_>, map: &WardMap, is_edited: bool) -> Markup {
    let say = call.say();
    html! {
        div data-cameras {
            h2 { (say.t("Camera", "Cameras")) " (" (map.cameras.len()) ")" }
            @if map.cameras.is_empty() { p.empty { (say.t("Chưa có camera nào gửi tin về.", "No camera is known yet.")) } }
            @else { div.scroll { table {
                thead { tr {
                    th { "Camera" } th { (say.t("Thiết bị", "Box")) } th { (say.t("Tình trạng", "State")) } th { (say.t("Vị trí", "Place")) }
                    @if is_edited { th {} }
                } }
                tbody { @for camera in &map.cameras { tr {
                    td { a href=(queue_of(camera)) { (printable(&camera.name)) } }
                    td { a href=(format!("/?box={}", camera.sender)) { (camera.sender.box_id) } }
                    td { span.tone.told-state data-severity=[camera.severity.map(Severity::as_str)] data-mute[camera.mute.is_some()] { (mark(say, camera))
                        @if camera.severity.is_none() && camera.mute.is_none() { (say.t("bình thường", "quiet")) } } }
                    td.num { @if let Some(spot) = camera.spot { (percent(spot.x())) " % · " (percent(spot.y())) " %" } @else { (say.t("chưa đặt", "not placed")) } }
                    @if is_edited { td { @if camera.spot.is_some() {
                        form method="post" action="/map/unplace" data-act {
                            (token(call)) input type="hidden" name="back" value="/map?edit=1"; input type="hidden" name="camera" value=(id(camera));
                            button.small { (say.t("Gỡ khỏi sơ đồ", "Take it off")) }
                        }
                    } } }
                } } }
            } } }
        }
    }
}

/// The forms of the administrator: places of cameras, and the plan.
fn editor(call: &Call<'_>, map: &WardMap) -> Markup {
    let say = call.say();
    let option = |camera: &MapCamera| html! { option value=(id(camera)) { (printable(&camera.name)) " · " (id(camera)) } };
    html! {
        div.editor {
            p { (say.t("Chọn camera rồi bấm vào sơ đồ, hoặc nhập vị trí theo phần trăm tính từ góc trên bên trái.", "Choose a camera and press on the plan, or write its place in percent from the upper left corner.")) }
            form.row method="post" action="/map/place" autocomplete="off" data-act data-place {
                (token(call)) input type="hidden" name="back" value="/map?edit=1";
                label { "Camera" select name="camera" required autofocus {
                    optgroup label=(say.t("Chưa đặt", "Not placed")) { @for camera in map.cameras.iter().filter(|one| one.spot.is_none()) { (option(camera)) } }
                    optgroup label=(say.t("Đã đặt", "Placed")) { @for camera in map.cameras.iter().filter(|one| one.spot.is_some()) { (option(camera)) } }
                } }
                label.short { (say.t("Từ trái (%)", "From the left (%)")) input name="x" type="number" min="0" max="100" step="0.1" required; }
                label.short { (say.t("Từ trên (%)", "From the top (%)")) input name="y" type="number" min="0" max="100" step="0.1" required; }
                button.primary { (say.t("Đặt lên sơ đồ", "Place it")) }
            }
            div.row {
                form.row method="post" action="/map/plan" data-plan-file {
                    label { (say.t("Ảnh sơ đồ (PNG hoặc JPEG, tối đa 12 MB)", "Picture of the plan (PNG or JPEG, 12 MB at most)"))
                        input name="file" type="file" accept="image/png,image/jpeg" required;
                    }
                    button { @if map.plan.is_some() { (say.t("Thay sơ đồ", "Replace the plan")) } @else { (say.t("Tải sơ đồ lên", "Upload the plan")) } }
                }
                @if map.plan.is_some() {
                    form method="post" action="/map/plan/remove" data-act {
                        (token(call)) input type="hidden" name="back" value="/map?edit=1";
                        button.danger { (say.t("Bỏ ảnh sơ đồ", "Remove the plan")) }
                    }
                }
            }
        }
    }
}

/// The picture of the plan. A browser asks each time if it is still the same.
pub(in crate::page) fn plan(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let (jpeg, sha256) = call.storage.plan_picture()?.ok_or(Fault::Nothing)?;
    let tag = format!("\"{sha256}\"");
    let known = call.asked.headers.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    let mut answer = Answer::file("image/jpeg", jpeg);
    if known == Some(&tag) {
        answer = Answer { status: StatusCode::NOT_MODIFIED, body: Vec::new(), ..answer };
    }
    Ok(answer.with(header::ETAG, &tag).with(header::CACHE_CONTROL, "private, no-cache"))
}

/// Takes a picture as the plan. The body is the file itself.
pub(in crate::page) fn set_plan(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let (who, say) = (call.by()?, call.say());
    let new = match plan::read(&call.body) {
        Ok(new) => new,
        Err(error) => {
            tracing::info!("a plan of the ward was refused: {error}");
            let text = say.t(
                "Tệp này không dùng được: cần ảnh PNG hoặc JPEG nguyên vẹn, tối đa 24 triệu điểm ảnh.",
                "This file cannot be used: give a whole PNG or JPEG picture of 24 million pixels at most.",
            );
            return Ok(Answer::text(Fault::Field("file").status(), text));
        }
    };
    call.storage.set_plan(&new, Call::change(&who))?;
    Ok(call.done(say.t("Đã thay sơ đồ.", "The plan is stored.")))
}

/// Removes the plan: the grid takes its place.
pub(in crate::page) fn remove_plan(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let (who, say) = (call.by()?, call.say());
    if call.storage.remove_plan(Call::change(&who))? {
        return Ok(call.done(say.t("Đã bỏ ảnh sơ đồ.", "The plan is removed.")));
    }
    Ok(call.refused(say.t("Không có ảnh sơ đồ.", "There is no plan.")))
}

/// Places a camera, or moves it.
pub(in crate::page) fn place(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let (who, say) = (call.by()?, call.say());
    let of = camera_of(call.form.need("camera")?)?;
    let percent = |field: &'static str| call.form.parse::<f64>(field)?.ok_or(Fault::Field(field));
    let (x, y) = (percent("x")?, percent("y")?);
    let spot = Spot::new(x / 100.0, y / 100.0).ok_or(Fault::Field("x"))?;
    let known =
        call.storage.map()?.cameras.into_iter().find(|one| (&one.sender, &one.camera) == (&of.0, &of.1));
    let known = known.ok_or(Fault::Nothing)?;
    call.storage.place_camera(&of, &known.name, spot, Call::change(&who))?;
    Ok(call.done(say.t("Đã đặt camera lên sơ đồ.", "The camera is placed.")))
}

/// Takes a camera off the map.
pub(in crate::page) fn unplace(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let (who, say) = (call.by()?, call.say());
    let of = camera_of(call.form.need("camera")?)?;
    if call.storage.unplace_camera(&of, Call::change(&who))? {
        return Ok(call.done(say.t("Đã gỡ camera khỏi sơ đồ.", "The camera is off the map.")));
    }
    Ok(call.refused(say.t("Camera này không có trên sơ đồ.", "This camera is not on the map.")))
}

fn id(camera: &MapCamera) -> String {
    format!("{}/{}", camera.sender, camera.camera)
}

fn queue_of(camera: &MapCamera) -> String {
    format!("/?camera={}", id(camera))
}

fn percent(fraction: f64) -> String {
    format!("{:.1}", 100.0 * fraction)
}

/// Mark of a camera from which nothing comes: a cross in a box.
fn mute_shape() -> Markup {
    html! {
        svg.shape viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" {
            path d="M1.5 1.5h13v13h-13z M4.5 4.5l7 7 M11.5 4.5l-7 7" fill="none" stroke="currentColor" stroke-width="2" {}
        }
    }
}

/// Mark of a camera without events: a lens.
fn quiet_shape() -> Markup {
    html! {
        svg.shape viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" {
            path d="M1 5h9v6H1z M10 8l5-3v6z" fill="currentColor" {}
        }
    }
}
