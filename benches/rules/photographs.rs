//! Subjects cut out of photographs: `photographs.txt` names those of a folder of datasets, `photographs.py` cuts.

use std::path::Path;
use std::process::Command;

use streetsim::photograph::{Aspect, Photograph, Photographs, Sitter};

use crate::python::python;

/// Returns those of the datasets in `folder`.
pub fn cut(folder: &Path) -> Photographs {
    let bench = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/rules");
    let python =
        python("rules").unwrap_or_else(|why| panic!("no photographs without Python's packages: {why}"));
    let passing = tempfile::tempdir().unwrap();
    let status = Command::new(python)
        .arg(bench.join("photographs.py"))
        .args([&bench.join("photographs.txt"), folder, passing.path()])
        .status()
        .unwrap();
    assert!(status.success(), "benches/rules/photographs.py: {status}");
    let mut files: Vec<_> = passing.path().read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut photographs = Photographs::default();
    for file in &files {
        let picture = image::open(file).unwrap().into_rgba8();
        let (sitter, aspect) = sort(file.file_stem().unwrap().to_str().unwrap());
        let width = picture.width() as usize;
        photographs.add(sitter, aspect, Photograph::new(width, picture.into_raw()).unwrap());
    }
    println!("{} photographs from {}", files.len(), folder.display());
    photographs
}

/// Parses a name such as `two-wheeler-back-012`, as `photographs.py` writes them.
fn sort(name: &str) -> (Sitter, Aspect) {
    let sitters = [
        ("person-", Sitter::Person),
        ("crouched-", Sitter::Crouched),
        ("two-wheeler-", Sitter::TwoWheeler),
        ("parked-", Sitter::Parked),
        ("car-", Sitter::Car),
        ("truck-", Sitter::Truck),
        ("bus-", Sitter::Bus),
    ];
    let aspects = [("-back-", Aspect::Back), ("-front-", Aspect::Front), ("-right-", Aspect::Right)];
    let sitter = sitters.into_iter().find(|(word, _)| name.starts_with(word));
    let aspect = aspects.into_iter().find(|(word, _)| name.contains(word));
    sitter.zip(aspect).map(|((_, sitter), (_, aspect))| (sitter, aspect)).unwrap_or_else(|| panic!("{name}"))
}
