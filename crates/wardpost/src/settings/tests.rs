//! The post's configuration, with its faults.

use super::*;

const EXAMPLE: &str = include_str!("../../../../deploy/etc/wardwatch/wardpost.toml");

fn written(text: &str) -> Written {
    toml::from_str(text).unwrap()
}

fn problems(text: &str) -> String {
    written(text).settings().unwrap_err().to_string()
}

/// The example with every optional key uncommented.
fn example_in_full() -> String {
    let full = EXAMPLE.lines().map(|line| match line.strip_prefix('#') {
        Some(key) if !key.starts_with(' ') && key.contains(" = ") => key,
        _ => line,
    });
    full.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_shipped_example_is_valid_and_names_every_key() {
    let example = written(EXAMPLE);
    assert_eq!(example.broker.url.as_deref(), Some("mqtts://post.example:8883"));
    let full = written(&example_in_full());
    let WrittenBroker {
        url,
        ca_file,
        cert_file,
        key_file,
        user,
        password_file,
        client_id,
        keep_alive_seconds,
    } = full.broker.clone();
    assert!(url.is_some() && ca_file.is_some() && cert_file.is_some() && key_file.is_some());
    assert!(user.is_some() && password_file.is_some());
    let WrittenPost { ward, database, silent_after_seconds, keep_days, free_bytes_min, timezone, language } =
        full.post.clone();
    assert!(ward.is_some() && timezone.is_some() && language.is_some());
    let WrittenEvents { group_seconds, group_by, return_after_seconds, critical_seconds, warning_seconds } =
        full.events.clone();
    assert!(critical_seconds.is_some() && warning_seconds.is_some());
    assert!(group_seconds.is_some() && group_by.is_some() && return_after_seconds.is_some());
    let WrittenEscalation { program, url, ca_file, timeout_seconds, .. } = full.escalation.clone();
    assert!(program.is_some() && url.is_some() && ca_file.is_some() && timeout_seconds.is_some());
    // A hook is a program or an address; the others are those of left-out keys.
    let steps = WrittenEscalation { program: None, url: None, ca_file: None, ..full.escalation.clone() };
    assert!(steps.louder_after_seconds.is_some() && steps.commander_after_seconds.is_some());
    assert!(steps.hook_after_seconds.is_some() && steps.least_severity.is_some());
    let mut problems = Vec::new();
    assert_eq!(duty::checked(&full.events, &steps, &mut problems), DutySettings::default());
    assert!(problems.is_empty(), "{problems:?}");
    full.showing().unwrap();
    // The values of the example are those of left-out keys.
    let plain =
        written("[broker]\nurl = \"mqtt://localhost\"\n[post]\nward = \"ben-nghe\"").settings().unwrap();
    assert_eq!(client_id, plain.broker.client_id);
    assert_eq!(keep_alive_seconds.unwrap(), plain.broker.keep_alive.as_secs());
    assert_eq!(database.unwrap(), plain.database);
    assert_eq!(silent_after_seconds.unwrap(), plain.silent_after.as_secs());
    assert_eq!(keep_days.unwrap() * 86_400, plain.keep.as_secs());
    assert_eq!(free_bytes_min.unwrap(), plain.free_bytes_min);
}

#[test]
fn unknown_keys_are_errors_with_their_place() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("wardpost.toml");
    std::fs::write(&path, "[post]\nwards = \"a\"\n").unwrap();
    let error = Written::read(&path).unwrap().showing().unwrap_err().to_string();
    let expected = format!("{}:2: post.wards: there is no such key here\n", path.display());
    assert!(error.starts_with(&expected), "{error}");
    assert!(
        error.contains("-> did you mean ward? There are: database, free_bytes_min, keep_days, language"),
        "{error}"
    );
}

#[test]
fn faults_of_the_file_come_together_with_those_of_the_values() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("wardpost.toml");
    let text = "[broker]\nurl = 1883\nport = 1\n[post]\nkeep_days = 0\nsilent_after_seconds = -1\n\
                [post.more]\n[brocker]\n";
    std::fs::write(&path, text).unwrap();
    std::fs::create_dir(place.path().join("conf.d")).unwrap();
    // The box's, on a machine that is both.
    std::fs::write(place.path().join("conf.d/box.toml"), "[box]\nid = \"gate\"\n").unwrap();
    let said = Written::read(&path).unwrap().settings().unwrap_err().0;
    let starts = [
        "2: broker.url: is a number, where text is expected",
        "3: broker.port: there is no such key here",
        "6: post.silent_after_seconds: -1 is out of range",
        "7: post.more: there is no such key here",
        "8: brocker: there is no such key here\n    -> did you mean broker?",
    ];
    for (said, start) in said.iter().zip(starts) {
        assert!(said.starts_with(&format!("{}:{start}", path.display())), "{said}");
    }
    assert_eq!(said[starts.len()..], ["post.keep_days (--keep-days): 0 is not from 1 to 36500"]);
    // After a fault of the whole file, others may be a consequence.
    std::fs::write(&path, format!("{text}[post\n")).unwrap();
    let said = Written::read(&path).unwrap_err().0;
    assert!(said.len() == 1 && said[0].contains("wardpost.toml:9: "), "{said:?}");
    let missing = Written::read(Path::new("/nowhere.toml")).unwrap_err().to_string();
    let expected = "/nowhere.toml: cannot be read: No such file or directory (os error 2)\n    \
                    -> name a configuration that this user may read, or leave --config out";
    assert_eq!(missing, expected);
}

#[test]
fn a_file_names_others_beside_it_and_the_command_line_goes_first() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("wardpost.toml");
    std::fs::write(place.path().join("secret"), "hunter2\n").unwrap();
    let text = "[broker]\nurl = \"mqtt://localhost:1\"\nuser = \"post\"\npassword_file = \"secret\"\n[post]\nward = \"+\"";
    std::fs::write(&path, text).unwrap();
    let over = written("[broker]\nurl = \"mqtt://[::1]:7\"\n");
    let settings = Written::read(&path).unwrap().overlaid(over).settings().unwrap();
    assert_eq!((settings.broker.host.as_str(), settings.broker.port, settings.ward), ("[::1]", 7, None));
    let credentials = settings.broker.credentials.unwrap();
    assert_eq!(credentials.password.reveal(), "hunter2");
    assert_eq!(settings.broker.client_id, None);
}

#[test]
fn files_in_other_encodings_say_what_to_do() {
    let place = tempfile::tempdir().unwrap();
    let (path, password) = (place.path().join("wardpost.toml"), place.path().join("secret"));
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    for bytes in [utf16(EXAMPLE), b"[post]\nward = \"B\xean\"\n".to_vec()] {
        std::fs::write(&path, bytes).unwrap();
        let error = Written::read(&path).unwrap_err().to_string();
        assert!(error.contains("encoding") && error.contains("UTF-8"), "{error}");
    }
    // With the byte order mark that an editor of Windows writes.
    let text = "[broker]\nurl = \"mqtt://localhost:1\"\nuser = \"post\"\npassword_file = \"secret\"\n";
    std::fs::write(&path, format!("\u{feff}{text}")).unwrap();
    std::fs::write(&password, "\u{feff}hunter2\r\n").unwrap();
    let settings = Written::read(&path).unwrap().settings().unwrap();
    assert_eq!(settings.broker.credentials.unwrap().password.reveal(), "hunter2");
    std::fs::write(&password, utf16("hunter2\n")).unwrap();
    let error = Written::read(&path).unwrap().settings().unwrap_err().to_string();
    assert!(
        error.contains("password_file") && error.contains("UTF-16") && error.contains("iconv"),
        "{error}"
    );
}

#[test]
fn all_problems_are_said_at_once() {
    let said = problems(
        "[broker]\nurl = \"mqtts://post\"\nuser = \"a\"\ncert_file = \"x\"\n\
         [post]\nward = \"Bến\"\nsilent_after_seconds = 0\nkeep_days = 0\nlanguage = \"fr\"\ntimezone = \"Mars\"",
    );
    for key in ["ca_file", "password_file", "ward", "silent_after", "keep_days", "language", "timezone"] {
        assert!(said.contains(key), "{key}: {said}");
    }
    for url in
        ["post", "mqtt://", "mqtt://a b", "mqtt://u:p@host", "mqtt://host:x", "http://host", "mqtt://[zz]"]
    {
        assert!(problems(&format!("[broker]\nurl = \"{url}\"")).contains("mqtt"), "{url}");
    }
    assert!(problems("").contains("broker.url (--broker) is missing"));
}

#[test]
fn another_machine_is_reached_over_tls_only() {
    for host in ["post.example:1883", "192.168.1.5", "[fe80::1]:1883"] {
        let said = problems(&format!("[broker]\nurl = \"mqtt://{host}\""));
        assert!(said.contains("use mqtts:// and ca_file"), "{host}: {said}");
    }
}
