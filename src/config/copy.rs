//! A copy of the last configuration without a fault, for a box that starts while its files have one. Holds the files' texts
//! with their paths, so that relative paths in them keep their meaning, and no secret: those are never in the files.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::FOLDER;
use super::outside::Outside;
use super::part::{self, Part};
use super::reader::Reader;
use super::settings::Settings;
use base::clock;
use base::text;
use base::time::WallTime;
use program::config::{Problems, Written, absolute, toml_files};

/// The value of `schema` in every copy of this version.
const SCHEMA: &str = "wardwatch.configuration-copy/1";

/// A copy of a configuration's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    schema: String,
    /// Time of copying.
    pub copied_at: WallTime,
    files: Vec<CopiedFile>,
}

/// A file of it; the first one is the configuration itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct CopiedFile {
    path: PathBuf,
    text: String,
}

impl Copy {
    /// Copies `path` and `conf.d/*.toml` beside it.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn take(path: &Path) -> io::Result<Self> {
        let path = absolute(path);
        let more = toml_files(&path.with_file_name(FOLDER))?;
        let mut files = Vec::new();
        for path in std::iter::once(path).chain(more) {
            files.push(CopiedFile { text: text::read(&path)?, path });
        }
        Ok(Self { schema: SCHEMA.to_owned(), copied_at: clock::wall(), files })
    }

    /// Reads a copy; `None` where there is none that this version understands.
    pub fn read(file: &Path) -> Option<Self> {
        let found: Self = serde_json::from_str(&text::read(file).ok()?).ok()?;
        (found.schema == SCHEMA && !found.files.is_empty()).then_some(found)
    }

    /// Writes it, whole or not at all; on the disk on return. An equal one stays.
    ///
    /// # Errors
    /// The system's error; an earlier copy stays.
    pub fn write(&self, file: &Path) -> io::Result<()> {
        if Self::read(file).is_some_and(|there| there.files == self.files) {
            return Ok(());
        }
        let unfinished = file.with_extension("new");
        let mut new = File::create(&unfinished)?;
        new.write_all(&serde_json::to_vec(self).map_err(io::Error::other)?)?;
        new.sync_all()?;
        fs::rename(&unfinished, file)?;
        file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }

    /// Checks it anew: files that it names may have gone.
    ///
    /// # Errors
    /// All problems.
    pub fn load(&self) -> Result<Settings, Problems> {
        super::load::load(self.written(), &Outside::of_process(Reader::Process))
    }

    /// The part of it that has no fault.
    ///
    /// # Errors
    /// All problems, where nothing can run with them.
    pub fn part(&self) -> Result<Part, Problems> {
        part::of(self.written(), &Outside::of_process(Reader::Process))
    }

    fn written(&self) -> Written {
        let texts: Vec<_> = self.files.iter().map(|file| (file.path.clone(), file.text.clone())).collect();
        Written::of_texts(&texts)
    }
}
