use super::*;

fn at(seconds: i64) -> WallTime {
    WallTime::from_micros((1_777_673_644 + seconds) * 1_000_000)
}

fn name(text: &str) -> UserName {
    text.parse().unwrap()
}

fn with(people: &[(&str, Role)]) -> (tempfile::TempDir, Storage) {
    let place = tempfile::tempdir().unwrap();
    let mut storage = Storage::open(&place.path().join("post.sqlite")).unwrap();
    for (one, role) in people {
        let new = NewUser { name: &name(one), full_name: "An", role: *role, password: Some("h"), code: None };
        assert_eq!(storage.add_user(&new, by("root")).unwrap(), Changed::Done);
    }
    (place, storage)
}

fn by(who: &str) -> By<'_> {
    By { who, at: at(0) }
}

fn actions(storage: &Storage) -> Vec<String> {
    let mut rows = storage.audited(100).unwrap();
    rows.reverse();
    rows.into_iter().map(|row| format!("{} {} {}", row.who, row.action, row.about)).collect()
}

#[test]
fn an_account_is_made_once_and_each_step_is_audited() {
    let (_place, mut storage) = with(&[("lan", Role::Officer)]);
    let again =
        NewUser { name: &name("lan"), full_name: "Lan", role: Role::Commander, password: None, code: None };
    assert_eq!(storage.add_user(&again, by("root")).unwrap(), Changed::No);
    assert_eq!(storage.user(&name("lan")).unwrap().unwrap().role, Role::Officer);
    assert_eq!(storage.set_password(&name("lan"), "other", by("lan")).unwrap(), Changed::Done);
    assert_eq!(storage.set_pin(&name("lan"), "pin", by("lan")).unwrap(), Changed::Done);
    assert_eq!(storage.set_pin(&name("nobody"), "pin", by("lan")).unwrap(), Changed::No);
    assert_eq!(
        actions(&storage),
        ["root user-add lan (officer)", "lan user-password lan", "lan user-pin lan"]
    );
    assert_eq!(storage.audited(9).unwrap().len(), 3);
}

#[test]
fn only_one_first_account_is_made() {
    let (_place, mut storage) = with(&[]);
    assert!(!storage.has_users().unwrap());
    let new =
        |name| NewUser { name, full_name: "An", role: Role::Administrator, password: Some("h"), code: None };
    let (one, two) = (name("an"), name("binh"));
    assert_eq!(storage.add_first_user(&new(&one), by("code")).unwrap(), Changed::Done);
    assert_eq!(storage.add_first_user(&new(&two), by("code")).unwrap(), Changed::No);
    assert_eq!(storage.users().unwrap().len(), 1);
}

#[test]
fn a_new_password_ends_all_logins_of_the_officer_and_of_nobody_else() {
    let (_place, mut storage) = with(&[("lan", Role::Officer), ("minh", Role::Officer)]);
    storage.begin_login("a", &name("lan"), "127.0.0.1", at(1)).unwrap();
    storage.begin_login("b", &name("minh"), "127.0.0.1", at(1)).unwrap();
    storage.set_password(&name("lan"), "new", by("lan")).unwrap();
    assert_eq!(storage.login("a").unwrap(), None);
    assert_eq!(storage.login("b").unwrap().unwrap().user.name, name("minh"));
}

#[test]
fn the_oldest_logins_of_an_officer_end() {
    let (_place, mut storage) = with(&[("lan", Role::Officer)]);
    for number in 0..=LOGINS_MAX {
        let token = format!("token-{number}");
        storage.begin_login(&token, &name("lan"), "127.0.0.1", at(number)).unwrap();
    }
    assert_eq!(storage.login("token-0").unwrap(), None);
    assert!(storage.login("token-1").unwrap().is_some());
}

#[test]
fn a_login_is_locked_and_unlocked() {
    let (_place, mut storage) = with(&[("lan", Role::Officer)]);
    storage.begin_login("a", &name("lan"), "127.0.0.1", at(1)).unwrap();
    let login = storage.login("a").unwrap().unwrap();
    storage.lock_login(&login, by("lan")).unwrap();
    storage.lock_login(&login, by("lan")).unwrap();
    storage.count_pin_failure(&login, at(2)).unwrap();
    let locked = storage.login("a").unwrap().unwrap();
    assert_eq!((locked.is_locked, locked.pin_failures), (true, 1));
    storage.unlock_login(&login, at(3)).unwrap();
    let open = storage.login("a").unwrap().unwrap();
    assert_eq!((open.is_locked, open.pin_failures, open.used_at), (false, 0, at(3)));
    storage.end_login(&open, by("lan")).unwrap();
    assert_eq!(storage.login("a").unwrap(), None);
    let steps = ["login 127.0.0.1", "lock lan", "unlock-failed lan", "unlock lan", "logout lan"];
    assert_eq!(actions(&storage)[1..], steps.map(|step| format!("lan {step}")));
}

#[test]
fn failures_are_counted_and_forgotten() {
    let (_place, mut storage) = with(&[]);
    for second in 0..3 {
        storage.count_failure(["name lan", "address ::1"], By { who: "::1", at: at(second) }).unwrap();
    }
    assert_eq!(storage.failures("name lan").unwrap().unwrap().count, 3);
    assert_eq!(storage.failures("address ::1").unwrap().unwrap().count, 3);
    storage.forget_failures(["name lan", "address ::1"]).unwrap();
    assert_eq!(storage.failures("name lan").unwrap(), None);
    storage.count_failure(["name lan", "address ::1"], By { who: "::1", at: at(10) }).unwrap();
    storage.count_failure(["name an", "address ::2"], By { who: "::2", at: at(200_000) }).unwrap();
    assert_eq!(storage.failures("name lan").unwrap(), None, "a day old");
}

#[test]
fn the_last_administrator_is_removed_only_as_the_last_account() {
    let (_place, mut storage) = with(&[("an", Role::Administrator), ("lan", Role::Officer)]);
    storage.begin_login("a", &name("lan"), "127.0.0.1", at(1)).unwrap();
    assert_eq!(storage.remove_user(&name("an"), by("root")).unwrap(), Changed::LastAdministrator);
    assert_eq!(storage.remove_user(&name("nobody"), by("root")).unwrap(), Changed::No);
    assert_eq!(storage.remove_user(&name("lan"), by("root")).unwrap(), Changed::Done);
    assert_eq!(storage.login("a").unwrap(), None);
    assert_eq!(storage.remove_user(&name("an"), by("root")).unwrap(), Changed::Done);
}
