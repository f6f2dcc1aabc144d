//! Truth of the clips, written down by a person: the files of `truth/`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base::detection::{Detection, Label};
use base::geometry::{Point, Rect, Side, side};

/// Path of such a file.
pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/real/truth").join(name)
}

/// Text of such a file.
pub fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{}: {error}", path(name).display()))
}

/// Lines with content, as words.
pub fn lines(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>()).filter(|words| !words.is_empty())
}

/// Parses words as numbers.
pub fn numbers<T: std::str::FromStr>(words: &[&str]) -> Vec<T> {
    words.iter().map(|word| word.parse().unwrap_or_else(|_| panic!("`{word}` is no number"))).collect()
}

/// The clear subjects on one frame of a clip.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    pub clip: String,
    pub second: f64,
    pub subjects: Vec<Detection>,
}

/// Parses the key frames of a file.
pub fn keys(text: &str) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    for words in lines(text) {
        if let [clip, second] = words[..] {
            let second = second.parse().unwrap();
            keys.push(Key { clip: clip.to_owned(), second, subjects: Vec::new() });
            continue;
        }
        let label = label(words[0]);
        let [x, y, w, h] = numbers::<f32>(&words[1..])[..] else { panic!("{words:?}: label x y w h") };
        let subject = Detection { label, score: 1.0, rect: Rect::new(x, y, w, h) };
        keys.last_mut().expect("a subject stands below its frame").subjects.push(subject);
    }
    keys
}

/// The label of a word.
pub fn label(word: &str) -> Label {
    Label::ALL.into_iter().find(|label| label.as_str() == word).unwrap_or_else(|| panic!("`{word}`: a label"))
}

/// A line on a clip, with its crossings: second, and side of arrival.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub clip: String,
    pub from: Point,
    pub to: Point,
    pub crossings: Vec<(f64, Side)>,
}

/// Parses the lines of a file.
pub fn crossings(text: &str) -> Vec<Line> {
    let mut found: Vec<Line> = Vec::new();
    for words in lines(text) {
        if let [second, way] = words[..] {
            let line = found.last_mut().expect("a crossing stands below its line");
            let side = arrives(line.from, line.to, way);
            line.crossings.push((second.parse().unwrap(), side));
            continue;
        }
        let [x0, y0, x1, y1] = numbers::<f32>(&words[1..])[..] else { panic!("{words:?}: clip x y x y") };
        let (from, to) = (Point::new(x0, y0), Point::new(x1, y1));
        found.push(Line { clip: words[0].to_owned(), from, to, crossings: Vec::new() });
    }
    found
}

/// Side of the line at which a subject that goes `way` on the picture arrives.
fn arrives(from: Point, to: Point, way: &str) -> Side {
    let (dx, dy) = match way {
        "left" => (-0.01, 0.0),
        "right" => (0.01, 0.0),
        "up" => (0.0, -0.01),
        "down" => (0.0, 0.01),
        _ => panic!("`{way}`: left, right, up or down"),
    };
    let beyond = Point::new((from.x + to.x) / 2.0 + dx, (from.y + to.y) / 2.0 + dy);
    side(from, to, beyond).expect("nobody goes along the line")
}

/// Parses a map such as `0=person,2=car`.
pub fn map(text: &str) -> BTreeMap<u16, Label> {
    let pairs = text.split(',').map(|pair| pair.split_once('=').expect("CLASS=LABEL"));
    pairs.map(|(class, word)| (class.parse().unwrap(), label(word))).collect()
}

/// Returns the second word of a set or clip in `sets.txt`: if street-nano was trained on it.
pub fn trained_on<'a>(sets: &'a str, name: &str) -> &'a str {
    let mut entries = lines(sets).filter(|words| words[0] == name);
    entries.next().map_or_else(|| panic!("sets.txt does not name {name}"), |words| words[1])
}
