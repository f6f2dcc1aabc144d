//! The directions of the code, as far as Cargo cannot say them: which crate may name which, and the modules of the box.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Crates of the project that a crate may name. Crates of one level do not know each other; they meet in `base`.
const CRATES: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("convnet", &[]),
    ("program", &["base"]),
    ("analysis", &["base"]),
    ("camera", &["base"]),
    ("clipstore", &["base"]),
    ("detector", &["base", "convnet"]),
    ("wardlink", &["base"]),
    ("streetsim", &["base"]),
    ("wardpost", &["base", "program", "wardlink"]),
];

/// Libraries that reach outside, each with the crates that may name it; the box's package is `wardwatch`.
const OWNERS: &[(&str, &[&str])] = &[
    ("gstreamer", &["camera", "streetsim"]),
    ("gstreamer-app", &["camera", "streetsim"]),
    ("gstreamer-video", &["camera"]),
    ("gstreamer-rtsp-server", &["streetsim"]),
    ("gio", &["camera", "streetsim"]),
    ("landlock", &["camera"]),
    ("seccompiler", &["camera"]),
    ("tract-onnx", &["detector"]),
    ("rusqlite", &["clipstore", "wardpost"]),
    ("rumqttc-next", &["wardlink"]),
    ("tokio", &["wardlink", "wardpost"]),
    ("rustls", &["wardlink"]),
    ("ureq", &["wardpost", "wardwatch"]),
    ("sd-notify", &["program"]),
];

/// Modules of the box that others of it may name. `config` is read by `cli` and by those that `run` hands it to.
const MODULES: &[(&str, &[&str])] = &[
    ("download", &[]),
    ("config", &["infer"]),
    ("alerts", &["config"]),
    ("infer", &["alerts"]),
    ("telemetry", &["alerts", "config", "infer"]),
    ("run", &["alerts", "config", "infer", "telemetry"]),
    ("doctor", &["config", "infer", "run", "telemetry"]),
    ("cli", &["alerts", "config", "doctor", "download", "infer", "run", "telemetry"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Names below `[dependencies]` of a manifest, development dependencies left out.
fn dependencies(manifest: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(manifest).unwrap();
    let parsed: toml::Table = text.parse().unwrap();
    parsed["dependencies"].as_table().unwrap().keys().cloned().collect()
}

fn manifests() -> BTreeMap<String, PathBuf> {
    let folders = std::fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap());
    let crates = folders
        .map(|folder| (folder.file_name().to_string_lossy().into_owned(), folder.path().join("Cargo.toml")));
    crates.chain([("wardwatch".to_owned(), root().join("Cargo.toml"))]).collect()
}

#[test]
fn crates_of_one_level_do_not_know_each_other() {
    let manifests = manifests();
    assert_eq!(manifests.len(), CRATES.len() + 1, "each crate stands in the table: {manifests:?}");
    for (name, allowed) in CRATES {
        let of_the_project: BTreeSet<String> = dependencies(&manifests[*name])
            .into_iter()
            .filter(|dependency| manifests.contains_key(dependency))
            .collect();
        let allowed: BTreeSet<String> = allowed.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(of_the_project, allowed, "crates/{name}/Cargo.toml");
    }
}

#[test]
fn each_library_is_named_by_its_crate_only() {
    for (library, owners) in OWNERS {
        let users: Vec<String> = manifests()
            .into_iter()
            .filter(|(_, manifest)| dependencies(manifest).contains(*library))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(users, *owners, "crates that name `{library}`");
    }
}

/// Sources below `src/` by their first folder or file.
fn sources() -> Vec<(String, PathBuf, String)> {
    let sources = root().join("src");
    let mut folders = vec![sources.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path.strip_prefix(&sources).unwrap();
                let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((first.trim_end_matches(".rs").to_owned(), path, code_only(&text)));
            }
        }
    }
    assert!(found.len() > 40, "the sources are where they are looked for");
    found
}

/// Code without comments; strings stay, which name no `crate::` path here.
fn code_only(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The identifiers that follow `crate::` in `code`; `{a, b}` gives both.
fn modules_named(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, found) in code.match_indices("crate::") {
        let rest = &code[at + found.len()..];
        let list = rest.strip_prefix('{').and_then(|list| list.split('}').next());
        let parts: Vec<&str> = list.map_or_else(|| vec![rest], |list| list.split(',').collect());
        for part in parts {
            let name: String = part.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            names.insert(name);
        }
    }
    names
}

#[test]
fn modules_of_the_box_name_only_what_they_may() {
    let mut wrong = Vec::new();
    let mut edges = 0;
    for (module, path, code) in sources() {
        if matches!(module.as_str(), "lib" | "main") {
            continue;
        }
        let (_, allowed) = MODULES
            .iter()
            .find(|(name, _)| *name == module)
            .unwrap_or_else(|| panic!("{module} stands in the table"));
        for target in modules_named(&code) {
            edges += 1;
            if target != module && !allowed.contains(&target.as_str()) {
                wrong.push(format!("{}: `{module}` must not name `{target}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(edges > 30, "edges are found at all");
}

#[test]
fn panics_unwind_and_nothing_is_unwrapped() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("panic = \"unwind\""), "\"abort\" compiles gstreamer-app's panic guard out");
    assert!(manifest.contains("unwrap_used = \"deny\""));
    for (name, manifest) in manifests() {
        let text = std::fs::read_to_string(manifest).unwrap();
        assert!(text.contains("[lints]\nworkspace = true"), "{name} takes the lints of the workspace");
    }
}
