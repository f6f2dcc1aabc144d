//! The directions of the code: modules that a module may use, and the module that names each library.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Leaves: every module may use them, and they use nothing but leaves above them.
const LEAVES: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("clock", &["domain"]),
    ("channel", &[]),
    ("backoff", &[]),
    ("progress", &[]),
    ("takeover", &[]),
    ("text", &[]),
    ("tls", &["domain", "text"]),
    ("bitstream", &["domain"]),
];

/// Siblings: they use leaves only.
const SIBLINGS: &[&str] = &[
    "detect",
    "download",
    "health",
    "post",
    "publish",
    "rules",
    "scene",
    "store",
    "thumbnail",
    "track",
    "video",
];

/// The outside world's libraries, each with the only module that names it.
const OWNERS: &[(&str, &str)] = &[
    ("gstreamer", "video"),
    ("gstreamer_app", "video"),
    ("gstreamer_video", "video"),
    ("gstreamer_rtsp_server", "video"),
    ("gio", "video"),
    ("md5", "video"),
    ("landlock", "video"),
    ("seccompiler", "video"),
    ("tract_onnx", "detect"),
    ("pulp", "detect"),
    ("rusqlite", "store"),
    ("rumqttc_next", "publish"),
    ("rustls", "tls"),
    ("ureq", "download"),
    ("rustls_native_certs", "download"),
    ("tokio", "publish"),
    ("ab_glyph", "thumbnail"),
    ("dejavu", "thumbnail"),
    ("toml", "config"),
    ("clap", "cli"),
    ("indicatif", "cli"),
    ("sd_notify", "health"),
    ("signal_hook", "cli"),
    ("rcgen", "cli"),
];

/// Libraries that a second module, or a folder or file of one, may name, with the reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("rusqlite", "post/storage", "the ward post's database is none of a box's store"),
    ("rumqttc_next", "post/client.rs", "the ward post's side of the same topics"),
    ("tokio", "post/client.rs", "the MQTT client runs on it"),
    ("tokio", "post/receiver.rs", "the MQTT client runs on it"),
    ("toml", "post/settings.rs", "the ward post's configuration is a file of its own"),
    ("rustls", "publish", "the configuration and the errors that tls hands out"),
    ("toml", "detect", "a model's manifest is TOML too"),
    ("rcgen", "tls", "certificates for the tests of what reads them"),
];

fn allowed(module: &str) -> BTreeSet<&'static str> {
    let leaves = LEAVES.iter().map(|(leaf, _)| *leaf);
    match module {
        leaf if LEAVES.iter().any(|(name, _)| *name == leaf) => {
            LEAVES.iter().find(|(name, _)| *name == leaf).unwrap().1.iter().copied().collect()
        }
        // Settings of every module that has some.
        "config" => leaves.chain(["detect", "publish", "rules", "store", "video"]).collect(),
        "agent" => {
            let of_a_box = SIBLINGS.iter().copied().filter(|sibling| *sibling != "post");
            leaves.chain(of_a_box).chain(["config"]).collect()
        }
        "cli" => leaves.chain(SIBLINGS.iter().copied()).chain(["config", "agent"]).collect(),
        _ => leaves.collect(),
    }
}

fn sources() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path.strip_prefix(&root).unwrap();
                let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
                let module = first.trim_end_matches(".rs").to_owned();
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((module, path, code_only(&text)));
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

/// The identifiers that follow `before` in `code`; `{a, b}` gives both.
fn names_after(code: &str, before: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(before) {
        let preceded = code[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
        if preceded {
            continue;
        }
        let rest = &code[at + before.len()..];
        let list = rest.strip_prefix('{').and_then(|list| list.split('}').next()).unwrap_or(rest);
        let only_first = !rest.starts_with('{');
        for part in list.split(',') {
            let name: String = part.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if !name.is_empty() {
                names.insert(name);
            }
            if only_first {
                break;
            }
        }
    }
    names
}

#[test]
fn modules_look_only_where_they_may() {
    let mut wrong = Vec::new();
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, path, code) in sources() {
        if matches!(module.as_str(), "lib" | "bin") {
            continue;
        }
        let allowed = allowed(&module);
        for target in names_after(&code, "crate::") {
            edges.entry(module.clone()).or_default().insert(target.clone());
            if target != module && !allowed.contains(target.as_str()) {
                wrong.push(format!("{}: `{module}` must not look at `{target}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(
        edges["agent"].contains("store") && edges["config"].contains("rules"),
        "edges are found at all: {edges:?}"
    );
}

/// The two programs share leaves and the part of `cli` above both.
#[test]
fn a_ward_posts_program_knows_nothing_of_a_box() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut seen = 0;
    for (_, path, code) in sources() {
        if path.strip_prefix(&root).unwrap().starts_with("cli/wardpost") {
            let targets = names_after(&code, "crate::");
            let known = |target: &String| {
                ["post", "health", "cli"].contains(&target.as_str())
                    || LEAVES.iter().any(|(leaf, _)| leaf == target)
            };
            assert!(targets.iter().all(known), "{}: {targets:?}", path.display());
            seen += targets.len();
        }
    }
    assert!(seen > 5, "the commands are where they are looked for");
}

#[test]
fn each_library_is_named_in_its_own_module_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for (module, path, code) in sources() {
        let inside = path.strip_prefix(&root).unwrap();
        for (library, owner) in OWNERS {
            let named = code.match_indices(library).any(|(at, _)| {
                let before = code[..at]
                    .chars()
                    .next_back()
                    .is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':');
                let after = code[at + library.len()..].trim_start();
                before && (after.starts_with("::") || after.starts_with(" as ") || after.starts_with("as "))
            });
            let excepted = EXCEPTIONS.iter().any(|(l, place, _)| l == library && inside.starts_with(place));
            if named && module == *owner {
                used.insert(*library);
            } else if named && !excepted {
                wrong.push(format!("{}: `{library}` belongs to `{owner}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let unused: Vec<_> = OWNERS.iter().filter(|(library, _)| !used.contains(library)).collect();
    assert!(unused.is_empty(), "the table names libraries that nobody uses any more: {unused:?}");
}

#[test]
fn the_manifest_has_one_package_and_a_reason_for_panics() {
    let manifest = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    assert!(!manifest.contains("[workspace]"), "direction is kept by this test, not by crates");
    assert!(manifest.contains("panic = \"unwind\""), "\"abort\" compiles gstreamer-app's panic guard out");
    assert!(manifest.contains("unwrap_used = \"deny\""));
}
