//! Manual pages and completions, as they are checked in and packaged, against the commands' own descriptions.

mod configuration;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap_complete::Shell;

/// Text behind the generated sections of a program's own page.
const OF_WARDWATCH: &str = r#".SH "EXIT STATUS"
0: fine. 1: it cannot be done; the reason and the remedy are on standard error. 2: usage. 3: something wrong was found.
.SH FILES
.TP
/etc/wardwatch/wardwatch.toml, /etc/wardwatch/conf.d/*.toml
the configuration; /usr/share/wardwatch/wardwatch.toml explains every key
.TP
/etc/wardwatch/secrets/
passwords and the box's key; FILE in it is written "credential:secrets_FILE" in the configuration
.TP
/var/lib/wardwatch/
footage, its index, what is held as evidence, the log of who looked, and a copy of the last configuration without a fault
.SH "SEE ALSO"
wardwatch.toml(5), systemctl(1), journalctl(1), /usr/share/doc/wardwatch/README.md
"#;
const OF_WARDPOST: &str = r#".SH "EXIT STATUS"
0: fine. 1: it cannot be done; the reason and the remedy are on standard error. 2: usage. 3: something wrong was found.
.SH FILES
.TP
/etc/wardwatch/wardpost.toml
the configuration; /usr/share/wardwatch/wardpost.toml explains every key
.TP
/etc/wardwatch/post-secrets/
passwords and the post's key; FILE in it is written "credential:secrets_FILE" in the configuration
.TP
/run/wardpost/read.sock
where the commands of officers in the group wardpost-readers are answered; usermod -aG wardpost-readers OFFICER
.TP
/var/lib/wardpost/
alerts, their pictures, and the log of who looked
.SH "SEE ALSO"
systemctl(1), journalctl(1), /usr/share/doc/wardpost/README.md
"#;

/// Returns a program's command line as a package has it: a box without its demonstration, and both without hidden commands.
fn shipped(name: &'static str, command: &clap::Command) -> clap::Command {
    let about = command.get_about().cloned().unwrap_or_default();
    let is_left_out =
        |sub: &clap::Command| sub.is_hide_set() || (name == "wardwatch" && sub.get_name() == "demo");
    let shown = command.get_subcommands().filter(|sub| !is_left_out(sub));
    // A version in them would make all of them out of date with each release.
    let subcommands = shown.cloned().map(|sub| sub.disable_help_subcommand(true));
    let shipped = clap::Command::new(name).version("").about(about).disable_help_subcommand(true);
    let mut shipped = shipped.subcommands(subcommands);
    shipped.build();
    shipped
}

/// The page of `command` and those of its subcommands, by file name.
fn pages(command: &clap::Command, name: &str, more: &str, into: &mut BTreeMap<String, Vec<u8>>) {
    let command = command.clone().display_name(name.to_owned());
    let man = clap_mangen::Man::new(command.clone()).title(name.to_uppercase()).source("wardwatch");
    let mut page = Vec::new();
    man.render_title(&mut page).unwrap();
    man.render_name_section(&mut page).unwrap();
    man.render_synopsis_section(&mut page).unwrap();
    man.render_description_section(&mut page).unwrap();
    if command.get_arguments().next().is_some() {
        man.render_options_section(&mut page).unwrap();
    }
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page).unwrap();
    }
    page.extend(more.bytes());
    into.insert(format!("man/{name}.1"), page);
    for sub in command.get_subcommands() {
        pages(sub, &format!("{name}-{}", sub.get_name()), "", into);
    }
}

/// Generates the pages and completions that are checked in below deploy/.
fn generated() -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let page = configuration::page(&wardwatch::config::json_schema());
    files.insert("man/wardwatch.toml.5".to_owned(), page);
    let programs = [
        ("wardwatch", wardwatch::cli::command(), OF_WARDWATCH),
        ("wardpost", wardpost::cli::command(), OF_WARDPOST),
    ];
    for (name, command, more) in programs {
        let command = shipped(name, &command);
        pages(&command, name, more, &mut files);
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut command.clone(), name, &mut text);
            files.insert(format!("completions/{name}.{shell}"), text);
        }
    }
    files
}

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

/// Files in `man` and `completions`.
fn checked_in() -> BTreeMap<String, Vec<u8>> {
    let entries = ["man", "completions"].into_iter().flat_map(|folder| {
        let entries = fs::read_dir(deploy().join(folder)).into_iter().flatten().flatten();
        entries.map(move |entry| (format!("{folder}/{}", entry.file_name().display()), entry.path()))
    });
    entries.map(|(name, path)| (name, fs::read(path).unwrap())).collect()
}

#[test]
fn the_checked_in_schema_of_pages_and_completions_is_this_one() {
    let generated = generated();
    if std::env::var_os("WARDWATCH_WRITE_SCHEMAS").is_some() {
        for folder in ["man", "completions"] {
            let _ = fs::remove_dir_all(deploy().join(folder));
            fs::create_dir_all(deploy().join(folder)).unwrap();
        }
        for (name, text) in &generated {
            fs::write(deploy().join(name), text).unwrap();
        }
    }
    let checked_in = checked_in();
    let differ: Vec<_> = generated
        .keys()
        .chain(checked_in.keys())
        .filter(|name| generated.get(*name) != checked_in.get(*name))
        .collect();
    assert!(differ.is_empty(), "out of date in deploy/: {differ:?}; run `make schemas`");
    assert!(generated.contains_key("man/wardwatch-clips-export.1"), "{:?}", generated.keys());
    assert!(!generated.contains_key("man/wardwatch-demo.1"), "a box has no demonstration");
}

#[test]
fn the_page_of_the_configuration_has_every_key_and_renders() {
    let page = fs::read_to_string(deploy().join("man/wardwatch.toml.5")).unwrap();
    let example = fs::read_to_string(deploy().join("etc/wardwatch/wardwatch.toml")).unwrap();
    let keys: BTreeSet<&str> = example
        .lines()
        .filter_map(|line| line.trim_start_matches('#').split_once(" = "))
        .map(|(key, _)| key)
        .filter(|key| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
        .collect();
    assert!(keys.len() > 60, "{keys:?}");
    for key in keys {
        assert!(page.contains(&format!("\\fB{key}\\fR")) || key == "kind", "{key} is not in the page");
    }
    for section in ["[box]", "[camera.ID]", "[camera.ID.zone.ID]", "[rule.ID]", "kind = \\(dqwrong_way\\(dq"]
    {
        assert!(page.contains(section), "{section}");
    }
    let Ok(man) =
        Command::new("man").args(["--warnings", "-l"]).arg(deploy().join("man/wardwatch.toml.5")).output()
    else {
        eprintln!("skipped: man is not there");
        return;
    };
    let (text, complaints) = (String::from_utf8_lossy(&man.stdout), String::from_utf8_lossy(&man.stderr));
    assert!(man.status.success() && complaints.is_empty(), "{complaints}");
    assert!(text.contains("clip_bytes_max") && !text.contains("\\fB"), "{text}");
}
