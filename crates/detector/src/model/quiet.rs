//! Keeps caught panics of tract off stderr: their text is part of the error that is reported.

use std::cell::Cell;
use std::panic::{set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// True while this thread's panics are caught and reported as errors.
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs `run`, which catches its panics, without the text that a panic prints. Other threads print theirs.
pub(super) fn silently<T>(run: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !IS_QUIET.get() {
                before(panic);
            }
        }));
    });
    let was_quiet = IS_QUIET.replace(true);
    let done = run();
    IS_QUIET.set(was_quiet);
    done
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;
    use std::process::Command;

    use super::*;

    /// Set in the process that panics.
    const PANICS: &str = "WARDWATCH_TEST_PANICS";

    #[test]
    fn only_panics_that_are_reported_otherwise_print_nothing() {
        if std::env::var_os(PANICS).is_some() {
            assert!(silently(|| catch_unwind(|| panic!("a quiet one"))).is_err());
            assert!(catch_unwind(|| panic!("a loud one")).is_err());
            return;
        }
        let path = module_path!().split_once("::").unwrap().1;
        let name = format!("{path}::only_panics_that_are_reported_otherwise_print_nothing");
        let mut this = Command::new(std::env::current_exe().unwrap());
        let output = this.args(["--exact", &name, "--nocapture"]).env(PANICS, "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("a loud one"), "{output:?}");
        assert!(!said.contains("a quiet one"), "{said}");
    }
}
