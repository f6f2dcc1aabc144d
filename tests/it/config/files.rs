//! Several files, files that cannot be read, and files in other encodings.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use camera::Source;
use wardwatch::config;

use super::{Folder, GOOD, changed};

#[test]
fn conf_d_adds_to_the_file_and_counts_paths_from_its_own_folder() {
    let folder = Folder::with(&changed("[camera.gate.zone.yard]", "[camera.gate.zone.kerb]"));
    folder.write(
        "conf.d/10-yard.toml",
        "[camera.gate.zone.yard]\npoints = [[0, 0], [1, 0], [1, 1]]\n[camera.film]\nmain = \"file://clip.mp4\"\n\
         [rule.both]\nkind = \"intrusion\"\ncameras = [\"gate\", \"film\"]\n[store]\nsegment_seconds = 30\n",
        0o644,
    );
    folder.write("conf.d/clip.mp4", "", 0o644);
    folder.write("conf.d/.hidden.toml", "nonsense", 0o644);
    folder.write("conf.d/notes.txt", "nonsense", 0o644);
    let settings = folder.load().unwrap();
    let film = Source::File { path: folder.path("conf.d/clip.mp4"), looped: false };
    assert_eq!(settings.cameras[0].streams[0].source, film);
    assert_eq!(settings.store.segment, Duration::from_secs(30));
    assert!(settings.store.directory.ends_with("store"));
    let rules: Vec<_> = settings.rules.iter().map(|r| format!("{} {}", r.id, r.camera)).collect();
    let of_file = ["both gate", "both film", "line gate", "night gate"];
    assert_eq!(rules, [&of_file[..], &["camera-offline gate", "camera-sabotage gate"]].concat());
}

#[test]
fn the_same_in_two_files_names_both_places() {
    let folder = Folder::with(GOOD);
    folder.write(
        "conf.d/more.toml",
        "[box]\nid = \"box-2\"\n[camera.gate]\nname = \"again\"\n[rule.line]\nseverity = \"notice\"\n\
         [camera.gate.zone.yard]\nname = \"again\"\n",
        0o644,
    );
    let main = folder.path("wardwatch.toml").display().to_string();
    let line = |needle: &str| GOOD.lines().position(|line| line == needle).unwrap() + 1;
    let problems = folder.problems();
    let found: Vec<_> = problems.iter().map(|p| (p.line, p.key.as_str(), p.what.clone())).collect();
    let twice = |needle| format!("is written twice; first in {main}:{}", line(needle));
    assert_eq!(
        found,
        [
            (2, "box.id", twice("id = \"box-1\"")),
            (3, "camera.gate", twice("[camera.gate]")),
            (5, "rule.line", twice("[rule.line]")),
            (7, "camera.gate.zone.yard", twice("[camera.gate.zone.yard]")),
        ]
    );
    assert!(problems.iter().all(|problem| problem.file == folder.path("conf.d/more.toml")));
}

#[test]
fn everything_that_is_wrong_in_two_files_is_reported_in_order() {
    let folder = Folder::with(
        "[box]\nwrad = \"x\"\nid = \"Box 1\"\n[broker]\nurl = \"mqtts://post:8883\"\nkeep_alive_seconds = 0\n\
         [camera.gate]\nmain = \"http://cam\"\nfps_max = 99\nuser = \"admin\"\n\
         [camera.gate.zone.yard]\npoints = [[0, 0], [1, 1]]\n",
    );
    folder.write(
        "conf.d/rules.toml",
        "[rule.one]\nkind = \"tripwire\"\ncameras = [\"gaet\"]\n\
         schedule = [{ from = \"x\", to = \"05:00\" }]\n[rule.two]\nkind = \"crwod\"\ncameras = \"gate\"\n",
        0o644,
    );
    let problems = folder.problems();
    let found: Vec<_> = problems
        .iter()
        .map(|p| format!("{}:{} {}", p.file.file_name().unwrap().display(), p.line, p.key))
        .collect();
    let expected = [
        "wardwatch.toml:1 box.ward",
        "wardwatch.toml:2 box.wrad",
        "wardwatch.toml:3 box.id",
        "wardwatch.toml:4 broker.ca_file",
        "wardwatch.toml:6 broker.keep_alive_seconds",
        "wardwatch.toml:8 camera.gate.main",
        "wardwatch.toml:9 camera.gate.fps_max",
        "wardwatch.toml:10 camera.gate.user",
        "wardwatch.toml:12 camera.gate.zone.yard.points",
        "rules.toml:1 rule.one.tripwire",
        "rules.toml:3 rule.one.cameras[0]",
        "rules.toml:4 rule.one.schedule[0].from",
        "rules.toml:6 rule.two.kind",
        "rules.toml:7 rule.two.cameras",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_file_that_is_no_toml_does_not_hide_the_others() {
    let folder = Folder::with(&changed("id = \"box-1\"", "id = \"box-1\nid2 = 3"));
    folder.write("conf.d/rules.toml", "[rule.more]\nkind = \"tripwire\"\ncameras = [\"gate\"]\n", 0o644);
    let problems = folder.problems();
    let found: Vec<_> = problems.iter().map(|p| (p.line, p.key.as_str())).collect();
    assert_eq!(found, [(4, ""), (1, "rule.more.tripwire")], "{problems:#?}");
    assert!(problems[0].to_string().contains("wardwatch.toml:4: "), "{}", problems[0]);
}

#[test]
fn files_that_cannot_be_read_are_problems() {
    let missing = config::load(Path::new("/nonexistent/wardwatch.toml")).unwrap_err();
    assert!(missing.to_string().starts_with("/nonexistent/wardwatch.toml: cannot be read: No such file"));
    let folder = Folder::with(GOOD);
    fs::write(folder.path("conf.d/latin.toml"), b"# caf\xe9\n").unwrap();
    let problems = folder.problems();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert_eq!(
        (problems[0].file.as_path(), problems[0].line),
        (folder.path("conf.d/latin.toml").as_path(), 0)
    );
}

/// Files as editors and shells of Windows leave them: the problem is about the whole file, and has the remedy.
#[test]
fn files_in_other_encodings_are_named_with_a_remedy() {
    let utf16 = |order: fn(u16) -> [u8; 2], mark: &str| -> Vec<u8> {
        format!("{mark}{GOOD}").encode_utf16().flat_map(order).collect()
    };
    let latin = [GOOD.as_bytes(), b"# B\xean Ngh\xe9\n"].concat();
    for (bytes, name) in [
        (utf16(u16::to_le_bytes, "\u{feff}"), "UTF-16LE"),
        (utf16(u16::to_be_bytes, "\u{feff}"), "UTF-16BE"),
        (utf16(u16::to_le_bytes, ""), "UTF-16LE"),
        (utf16(u16::to_be_bytes, ""), "UTF-16BE"),
        (latin, "WINDOWS-1258"),
    ] {
        for place in ["wardwatch.toml", "conf.d/more.toml"] {
            let folder = Folder::with(GOOD);
            fs::write(folder.path(place), &bytes).unwrap();
            let problems = folder.problems();
            let [problem] = problems.as_slice() else {
                panic!("{name}: one problem expected in {problems:#?}")
            };
            assert!(problem.file == folder.path(place) && problem.what.contains(name), "{problem}");
            assert!(problem.remedy.contains("UTF-8") && problem.remedy.contains("iconv"), "{problem}");
        }
    }
    // The remedy works.
    let folder = Folder::with(GOOD);
    fs::write(folder.path("old.toml"), utf16(u16::to_le_bytes, "\u{feff}")).unwrap();
    let converted = std::process::Command::new("iconv")
        .args(["-f", "UTF-16", "-t", "UTF-8"])
        .arg(folder.path("old.toml"))
        .output()
        .unwrap();
    fs::write(folder.path("wardwatch.toml"), converted.stdout).unwrap();
    folder.load().unwrap();
}

/// A password with the mark of UTF-8 in front of it is the same password.
#[test]
fn a_password_file_is_read_without_the_mark_and_named_in_another_encoding() {
    let text = changed("transport = \"tcp\"", "user = \"a\"\npassword_file = \"secrets/password\"");
    let folder = Folder::with(&text);
    folder.write("secrets/password", "\u{feff}hunter2\r\n", 0o600);
    folder.load().unwrap();
    fs::write(folder.path("secrets/password"), b"B\xean\n").unwrap();
    let problems = folder.problems();
    assert!(
        problems[0].key.ends_with("password_file") && problems[0].remedy.contains("UTF-8"),
        "{problems:?}"
    );
}

/// Problems for a user who is neither root nor the files' owner, as lines of key, fault and remedy.
fn problems_for_a_stranger(folder: &Folder) -> Vec<String> {
    let reader = config::Reader::named("54321").unwrap();
    let problems =
        config::load_for(&folder.path("wardwatch.toml"), reader).map_or_else(|all| all.0, |_| Vec::new());
    problems.iter().map(|one| format!("{}: {} -> {}", one.key, one.what, one.remedy)).collect()
}

#[test]
fn root_checks_for_the_daemons_user() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can answer for another user");
        return;
    }
    let user = "transport = \"tcp\"";
    let with = |file: &str| changed(user, &format!("user = \"admin\"\npassword_file = \"{file}\""));
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let folder = Folder::with(&with("credential:secrets_password"));
    mode(folder.0.path(), 0o755);
    mode(&folder.path("secrets"), 0o700);
    assert_eq!(problems_for_a_stranger(&folder), [""; 0], "systemd reads it, as root");

    // Root reads each of these; the daemon does not.
    folder.write("wardwatch.toml", &with("secrets/password"), 0o644);
    assert!(folder.load().is_ok());
    let [said] = &problems_for_a_stranger(&folder)[..] else { panic!("one problem") };
    assert!(said.starts_with("camera.gate.password_file: ") && said.contains("user 54321"), "{said}");
    assert!(said.contains("write \"credential:secrets_password\""), "{said}");
    folder.write("elsewhere", "hunter2", 0o600);
    folder.write("wardwatch.toml", &with("elsewhere"), 0o644);
    let [said] = &problems_for_a_stranger(&folder)[..] else { panic!("one problem") };
    assert!(said.contains("move it into") && said.contains("\"credential:secrets_elsewhere\""), "{said}");

    folder.write("wardwatch.toml", GOOD, 0o600);
    let [said] = &problems_for_a_stranger(&folder)[..] else { panic!("one problem") };
    assert!(said.contains("cannot be read by") && said.contains("chmod a+r"), "{said}");
    folder.write("wardwatch.toml", &changed("[detector]\nmodel = \"motion\"\n", ""), 0o644);
    folder.write("conf.d/more.toml", "[detector]\nmodel = \"../models/network.toml\"\n", 0o644);
    folder.write("models/network.toml", "", 0o644);
    assert_eq!(problems_for_a_stranger(&folder), [""; 0]);
    mode(&folder.path("models"), 0o700);
    let [said] = &problems_for_a_stranger(&folder)[..] else { panic!("one problem") };
    assert!(said.starts_with("detector.model: ") && said.contains("chmod a+x"), "{said}");
}
