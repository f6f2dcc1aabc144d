//! The files of a configuration, read and merged into one tree that remembers the file and line of every key.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Problem, Problems};
use base::secret::without_passwords;
use base::text;

/// The configuration as written, with the problems found so far.
///
/// Keys are named by their path, as in `camera.gate.zone.yard.points[2]`.
pub struct Written {
    /// The files in the order in which they were read.
    files: Vec<PathBuf>,
    /// Files that are not TOML: other faults in them may be only a consequence.
    broken: BTreeSet<usize>,
    /// The files' merged content.
    pub root: Map<String, Value>,
    /// Remedy where a file cannot be read.
    unreadable: &'static str,
    places: BTreeMap<String, Place>,
    problems: Vec<(Place, Problem)>,
    /// Values that work, and that nobody is likely to mean.
    warnings: Vec<(Place, Problem)>,
}

/// A line of a file; the file by its index in [`Written::files`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    file: usize,
    line: usize,
}

impl Written {
    /// Reads `path` and then the files `*.toml` of `folder` beside it, in the order of their names. `unreadable` is the
    /// remedy where one of them cannot be read.
    pub fn read(path: &Path, folder: Option<&str>, unreadable: &'static str) -> Self {
        let mut written = Self::empty(unreadable);
        // Paths in it must be valid for any working folder of the settings' users.
        let path = &super::absolute(path);
        written.read_file(path.to_owned());
        if let Some(folder) = folder.map(|name| path.with_file_name(name)) {
            match toml_files(&folder) {
                Ok(files) => files.into_iter().for_each(|file| written.read_file(file)),
                Err(error) => written.cannot_read(folder, &error),
            }
        }
        written
    }

    /// Takes texts in the place of files; the first one is the configuration itself.
    pub fn of_texts(texts: &[(PathBuf, String)]) -> Self {
        let mut written = Self::empty("");
        texts.iter().for_each(|(path, text)| written.read_text(path.clone(), text));
        written
    }

    fn empty(unreadable: &'static str) -> Self {
        Self {
            files: Vec::new(),
            broken: BTreeSet::new(),
            root: Map::new(),
            unreadable,
            places: BTreeMap::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The files that were read, or were to be.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Notes a problem with a file as a whole.
    pub fn wrong_file(&mut self, file: usize, what: String, remedy: String) {
        self.wrong_at(Place { file, line: 0 }, "", what, remedy);
    }

    /// Notes a problem with the key at `path`; if it is not written, the line is that of the table it belongs in.
    pub fn wrong(&mut self, path: &str, what: impl Into<String>, remedy: impl Into<String>) {
        let place = self.place(path);
        self.wrong_at(place, path, what.into(), remedy.into());
    }

    /// Notes a warning about the key at `path`: it works, and is hardly what was meant.
    pub fn doubt(&mut self, path: &str, what: impl Into<String>, remedy: impl Into<String>) {
        let place = self.place(path);
        let warning = self.problem(place, path, what.into(), remedy.into());
        self.warnings.push(warning);
    }

    /// True where a problem has been noted with the key at `path`, or with one below it.
    pub fn is_wrong(&self, path: &str) -> bool {
        self.problems.iter().any(|(_, problem)| {
            let rest = problem.key.strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    /// The folder of the file that writes the key at `path`.
    pub fn folder(&self, path: &str) -> &Path {
        self.files[self.place(path).file].parent().unwrap_or(Path::new(""))
    }

    /// The folder of the configuration itself, for any file that writes a key.
    pub fn base(&self) -> &Path {
        self.files[0].parent().unwrap_or(Path::new(""))
    }

    /// True where the key at `path` is written, with a valid value or not.
    pub fn is_written(&self, path: &str) -> bool {
        self.places.contains_key(path)
    }

    /// The keys of the table at `keys`, valid or not: `["camera"]` for every camera's id.
    pub fn names(&self, keys: &[&str]) -> Vec<String> {
        let mut table = Some(&self.root);
        for key in keys {
            table = table.and_then(|table| table.get(*key)).and_then(Value::as_object);
        }
        table.map_or_else(Vec::new, |table| table.keys().cloned().collect())
    }

    /// True where a file cannot be read, or is not TOML.
    pub fn is_broken(&self) -> bool {
        !self.broken.is_empty()
    }

    /// Takes out every warning, in the order of files and lines.
    pub fn take_warnings(&mut self) -> Vec<Problem> {
        in_order(std::mem::take(&mut self.warnings))
    }

    /// Every problem, in the order of files and lines.
    pub fn into_problems(self) -> Problems {
        let Self { mut problems, broken, .. } = self;
        problems.retain(|(place, problem)| problem.key.is_empty() || !broken.contains(&place.file));
        Problems(in_order(problems))
    }

    fn place(&self, path: &str) -> Place {
        let mut path = path;
        loop {
            if let Some(place) = self.places.get(path) {
                return *place;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return Place { file: 0, line: 1 },
            }
        }
    }

    fn wrong_at(&mut self, place: Place, key: &str, what: String, remedy: String) {
        let problem = self.problem(place, key, what, remedy);
        self.problems.push(problem);
    }

    fn problem(&self, place: Place, key: &str, what: String, remedy: String) -> (Place, Problem) {
        let file = self.files[place.file].clone();
        let [what, remedy] = [what, remedy].map(|text| without_passwords(&text).into_owned());
        (place, Problem { file, line: place.line, key: key.to_owned(), what, remedy })
    }

    fn cannot_read(&mut self, path: PathBuf, error: &std::io::Error) {
        let place = Place { file: self.files.len(), line: 0 };
        self.broken.insert(place.file);
        self.files.push(path);
        let remedy = text::remedy(error).unwrap_or(self.unreadable);
        self.wrong_at(place, "", format!("cannot be read: {error}"), remedy.to_owned());
    }

    fn read_file(&mut self, path: PathBuf) {
        match text::read(&path) {
            Ok(text) => self.read_text(path, &text),
            Err(error) => self.cannot_read(path, &error),
        }
    }

    fn read_text(&mut self, path: PathBuf, text: &str) {
        let file = self.files.len();
        self.files.push(path);
        let lines = Lines::of(text);
        if let Some(at) = text.find('\0') {
            let what =
                "there are zero bytes here: the file was damaged, as a power cut while it is written does"
                    .to_owned();
            self.broken.insert(file);
            let place = Place { file, line: lines.at(at) };
            return self.wrong_at(
                place,
                "",
                what,
                "write the file anew, or bring back a copy of it".to_owned(),
            );
        }
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut told = BTreeSet::new();
        for error in errors {
            let line = lines.at(error.span().map_or(0, |span| span.start));
            if told.insert(line) {
                let (what, remedy) = match error.span().and_then(|span| text.get(span)) {
                    Some(key) if error.message() == "duplicate key" && !key.is_empty() => {
                        (format!("{} is written twice in this table", key.trim()), "keep one of the two")
                    }
                    _ => (
                        error.message().to_owned(),
                        "correct this line; the rest of the file is checked after that",
                    ),
                };
                self.broken.insert(file);
                self.wrong_at(Place { file, line }, "", what, remedy.to_owned());
            }
        }
        let mut root = std::mem::take(&mut self.root);
        self.merge(&mut root, table.get_ref(), &mut Vec::new(), &Source { file, lines }, false);
        self.root = root;
    }

    /// Adds `table`, which stands at `path`, to `into`; with `tables_only`, only the tables in it. An existing value
    /// stays, and is noted as a problem.
    fn merge(
        &mut self,
        into: &mut Map<String, Value>,
        table: &DeTable,
        path: &mut Vec<String>,
        from: &Source,
        tables_only: bool,
    ) {
        for (key, value) in table.iter() {
            if tables_only && !value.get_ref().is_table() {
                continue;
            }
            path.push(quoted(key.get_ref()));
            let name = path.join(".");
            let place = from.place(value);
            match (value.get_ref(), into.get_mut(key.get_ref().as_ref())) {
                (DeValue::Table(more), Some(Value::Object(known))) => {
                    let both = has_own_keys(more) && known.values().any(|value| !value.is_object());
                    let twice = both && is_definition(path);
                    if twice {
                        self.written_twice(place, &name);
                    } else if has_own_keys(more) {
                        self.places.insert(name, place);
                    }
                    self.merge(known, more, path, from, twice);
                }
                (_, Some(_)) => self.written_twice(place, &name),
                (DeValue::Table(new), None) => {
                    self.places.insert(name, place);
                    let mut table = Map::new();
                    self.merge(&mut table, new, path, from, false);
                    into.insert(key.get_ref().as_ref().to_owned(), Value::Object(table));
                }
                (_, None) => {
                    let value = self.plain(value, &name, from);
                    into.insert(key.get_ref().as_ref().to_owned(), value);
                }
            }
            path.pop();
        }
    }

    fn written_twice(&mut self, again: Place, path: &str) {
        let first = self.place(path);
        let what = format!("is written twice; first in {}:{}", self.files[first.file].display(), first.line);
        self.wrong_at(again, path, what, "keep one of the two".to_owned());
    }

    /// A value without its span; the places of it and of its parts are kept under `path`.
    fn plain(&mut self, value: &Spanned<DeValue>, path: &str, from: &Source) -> Value {
        let place = from.place(value);
        self.places.insert(path.to_owned(), place);
        match value.get_ref() {
            DeValue::String(text) => Value::String(text.as_ref().to_owned()),
            DeValue::Boolean(yes) => Value::Bool(*yes),
            DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix())
                .map_or_else(|_| self.no_number(place, path), Value::from),
            DeValue::Float(digits) => {
                let number = digits.as_str().parse().ok().and_then(serde_json::Number::from_f64);
                number.map_or_else(|| self.no_number(place, path), Value::Number)
            }
            // No key takes one; as text it could be mistaken for another value.
            DeValue::Datetime(time) => {
                let remedy = format!("write it in quotes: \"{time}\"");
                self.wrong_at(place, path, "is a bare date or time, where none is expected".into(), remedy);
                Value::Null
            }
            DeValue::Array(items) => {
                let mut plain = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    plain.push(self.plain(item, &format!("{path}[{index}]"), from));
                }
                Value::Array(plain)
            }
            DeValue::Table(table) => {
                let mut plain = Map::new();
                for (key, value) in table.iter() {
                    let key = key.get_ref();
                    let below = format!("{path}.{}", quoted(key));
                    plain.insert(key.as_ref().to_owned(), self.plain(value, &below, from));
                }
                Value::Object(plain)
            }
        }
    }

    fn no_number(&mut self, place: Place, path: &str) -> Value {
        let what = "is not a number that can be worked with".to_owned();
        self.wrong_at(place, path, what, "use a finite number below 2^63".to_owned());
        Value::Null
    }
}

fn in_order(mut found: Vec<(Place, Problem)>) -> Vec<Problem> {
    found.sort_by(|(a, x), (b, y)| (a, &x.key).cmp(&(b, &y.key)));
    found.into_iter().map(|(_, problem)| problem).collect()
}

/// The file that is being merged.
struct Source {
    file: usize,
    lines: Lines,
}

impl Source {
    fn place(&self, value: &Spanned<DeValue>) -> Place {
        Place { file: self.file, line: self.lines.at(value.span().start) }
    }
}

/// Offsets at which the lines of a text end.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect())
    }

    /// The line of an offset, from 1.
    fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|end| *end < offset) + 1
    }
}

/// A section may be spread over files. A thing with a name, such as a camera or its zone, is defined in one: these are the
/// tables with two or four keys in their path.
fn is_definition(path: &[String]) -> bool {
    path.len().is_multiple_of(2)
}

fn has_own_keys(table: &DeTable) -> bool {
    table.values().any(|value| !value.get_ref().is_table())
}

/// A key as it stands in a path: in quotes if it must.
pub fn quoted(key: &str) -> String {
    let is_bare = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if !key.is_empty() && is_bare { key.to_owned() } else { format!("{key:?}") }
}

/// The files of `folder` that end in `.toml`, hidden ones left out, in the order of their names.
pub fn toml_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    files.retain(|file| {
        let is_hidden = file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        file.extension().is_some_and(|extension| extension == "toml") && !is_hidden
    });
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::clock::thread_cpu;

    /// Processor time of reading so many zones, in seconds.
    fn cost(zones: usize) -> f64 {
        let zone =
            |number| format!("[camera.a.zone.z{number}]\npoints = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]\n");
        let text: String = (0..zones).map(zone).collect();
        let before = thread_cpu();
        let written = Written::of_texts(&[(PathBuf::from("a.toml"), text)]);
        let place = Place { file: 0, line: 2 * zones };
        assert_eq!(written.place(&format!("camera.a.zone.z{}.points", zones - 1)), place);
        (thread_cpu() - before).as_secs_f64()
    }

    #[test]
    fn the_time_of_reading_grows_with_the_text_and_not_with_its_square() {
        let (few, many) = (cost(1000), cost(8000));
        assert!(many < 32.0 * few, "1000 zones: {few} s, 8000 zones: {many} s");
    }
}
