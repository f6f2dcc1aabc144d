//! IDF1, MOTA and HOTA, and ByteTrack beside them, by `reference.py`. Other benches include this file, too.

use std::path::Path;
use std::process::Command;

use super::python;

/// Has the reference track and score the folders of `folder`, and prints its table. `each_by_itself`: the folders are
/// no parts of one whole, and there is no sum. Prints the reason where Python or a package cannot be had.
pub fn score(folder: &Path, each_by_itself: bool) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/track");
    let python = match python::python("track") {
        Ok(python) => python,
        Err(why) => return eprintln!("no scores without Python's packages: {why}"),
    };
    let each = each_by_itself.then_some("--each");
    let scored = Command::new(python).arg(root.join("reference.py")).arg(folder).args(each).status().unwrap();
    assert!(scored.success(), "benches/track/reference.py: {scored}");
}
