//! kill -9 of the whole box around changes of a camera's parameter sets: each picture that is kept is the one that was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use base::clock::SystemClock;
use clipstore::{Catalogue, ClipFilter, Settings, Store};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;

use super::{figure, rounds};
use crate::support::scripted::{Camera, Film, Part, decoded};
use crate::support::wait_until;

const SCENARIO: &str = "kill -9 around a change of parameter sets";
const PATIENCE: Duration = Duration::from_secs(60);

/// Three sizes, profiles and levels, three seconds each.
fn film(codec: &'static str) -> Film {
    let main = if codec == "h264" { "-profile:v main -level 4.0" } else { "" };
    Film::encode(
        codec,
        &[
            Part { size: "320x240", seconds: 3, options: "" },
            Part { size: "640x368", seconds: 3, options: main },
            Part { size: "320x192", seconds: 3, options: "-color_range pc" },
        ],
    )
}

/// A process that is killed when dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Segment files of a camera in the order of their times; none while the index is being made.
fn files(store: &Path, camera: &str) -> Vec<PathBuf> {
    let Ok(catalogue) = Catalogue::open(store) else { return Vec::new() };
    let filter = ClipFilter { camera: camera.parse().ok(), ..ClipFilter::default() };
    let mut segments = catalogue.segments(&filter).unwrap_or_default();
    segments.sort_by_key(|segment| segment.starts_at);
    segments.into_iter().map(|segment| segment.path).collect()
}

/// Numbers of the film's pictures in a file, by their decoded content.
fn pictures(film: &Film, path: &Path) -> Vec<usize> {
    let numbers: BTreeMap<&str, usize> =
        film.digests.iter().zip(0..).map(|(digest, n)| (&**digest, n)).collect();
    let pictures = decoded(path).unwrap_or_else(|complaint| panic!("{complaint}"));
    pictures
        .iter()
        .map(|digest| {
            *numbers
                .get(&**digest)
                .unwrap_or_else(|| panic!("{}: a picture that was not sent", path.display()))
        })
        .collect()
}

#[test]
fn each_picture_around_a_change_is_the_one_that_was_sent_also_after_a_kill() {
    let cameras: Vec<(&str, &str, Film)> =
        vec![("avc", "tcp", film("h264")), ("avc-udp", "udp", film("h264")), ("hevc", "tcp", film("hevc"))];
    let place = TempDir::new().unwrap();
    let store = place.path().join("store");
    let mut config =
        "[box]\nward = \"ben-nghe\"\nid = \"box-1\"\n[store]\ndirectory = \"store\"\nclip_bytes_max = \
                      \"1 GiB\"\n[broker]\nurl = \"mqtt://127.0.0.1:9\"\n"
            .to_owned();
    for (name, transport, film) in &cameras {
        let camera = Camera::start(film.clone(), Arc::new(|_, _| None));
        config += &format!("[camera.{name}]\nmain = \"{}\"\ntransport = \"{transport}\"\n", camera.url());
    }
    std::fs::write(place.path().join("wardwatch.toml"), config).unwrap();

    let mut random = StdRng::seed_from_u64(18);
    let count = rounds(2, 40);
    let (mut seen, mut runs) = (BTreeSet::new(), BTreeMap::new());
    for _ in 0..count {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wardwatch"));
        command.args(["run", "--config"]).arg(place.path().join("wardwatch.toml")).stderr(Stdio::null());
        let daemon = Killed(command.spawn().unwrap());
        wait_until("each camera has new footage", PATIENCE, || {
            cameras.iter().all(|(name, ..)| files(&store, name).iter().any(|path| !seen.contains(path)))
        });
        // A change comes every three seconds.
        std::thread::sleep(Duration::from_millis(random.random_range(2500..9000)));
        drop(daemon);
        Store::open(Settings::new(store.clone()), Arc::new(SystemClock)).unwrap().close();

        for (name, _, film) in &cameras {
            let new: Vec<PathBuf> =
                files(&store, name).into_iter().filter(|path| !seen.contains(path)).collect();
            let kept: Vec<usize> = new.iter().flat_map(|path| pictures(film, path)).collect();
            assert_eq!(kept.first(), Some(&0), "{name}: a session begins at the film's beginning");
            let lost: usize = kept
                .windows(2)
                .map(|two| (two[1] + film.digests.len() - two[0] - 1) % film.digests.len())
                .sum();
            assert_eq!(
                lost, 0,
                "{name}: pictures between the first and the last that are not there: {kept:?}"
            );
            let run: &mut (usize, usize) = runs.entry(*name).or_default();
            *run = (
                run.0 + kept.len(),
                run.1 + kept.windows(2).filter(|two| two[0] % 45 == 44 && two[1] == two[0] + 1).count(),
            );
            seen.extend(new);
        }
    }

    // An investigator's export has the same pictures.
    for (name, _, film) in &cameras {
        let folder = TempDir::new().unwrap();
        let mut export = Command::new(env!("CARGO_BIN_EXE_wardwatch"));
        export.args([
            "clips",
            "export",
            "--camera",
            name,
            "--from",
            "2020-01-01T00:00:00Z",
            "--to",
            "2099-01-01T00:00:00Z",
        ]);
        export.args(["--reason", "test", "--config"]).arg(place.path().join("wardwatch.toml"));
        let output = export.arg("--output").arg(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let exported = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let exported: Vec<PathBuf> =
            exported.filter(|path| path.extension().is_some_and(|end| end == "mp4")).collect();
        let kept: usize = exported.iter().map(|path| pictures(film, path).len()).sum();
        let (pictures, changes) = runs[name];
        assert_eq!(kept, pictures, "{name}: pictures of the export");
        assert!(changes > 0, "{name}: a change was recorded");
        figure(
            SCENARIO,
            name,
            format!("{count} kills, {pictures} pictures, {changes} changes, 0 lost or altered"),
        );
    }
}
