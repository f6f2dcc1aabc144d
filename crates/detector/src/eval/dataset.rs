//! Pictures and their labels on disk.

use std::path::{Path, PathBuf};

use crate::DetectError;
use crate::manifest::read;
use base::geometry::Rect;
use base::picture::Picture;

/// One picture of the folder.
#[derive(Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) picture: PathBuf,
    /// May be missing: then the picture shows nothing.
    pub(super) labels: PathBuf,
    /// The same for boxes that may be seen or not; may be missing, too.
    pub(super) unclear: PathBuf,
}

/// Every picture of `folder`, by name.
pub(super) fn entries(folder: &Path) -> Result<Vec<Entry>, DetectError> {
    let images = folder.join("images");
    let unreadable = |source| DetectError::Unreadable { path: images.clone(), source };
    let mut entries = Vec::new();
    for file in std::fs::read_dir(&images).map_err(unreadable)? {
        let picture = file.map_err(unreadable)?.path();
        let is_jpeg = picture.extension().is_some_and(|e| e.eq_ignore_ascii_case("jpg") || e == "jpeg");
        if let (true, Some(stem)) = (is_jpeg, picture.file_stem().and_then(|stem| stem.to_str())) {
            let [labels, unclear] =
                ["labels", "unclear"].map(|part| folder.join(part).join(format!("{stem}.txt")));
            entries.push(Entry { picture, labels, unclear });
        }
    }
    entries.sort_by(|a, b| a.picture.cmp(&b.picture));
    if entries.iter().all(|entry| !entry.labels.exists()) {
        return Err(DetectError::Dataset {
            place: folder.display().to_string(),
            problem: "has no labelled pictures: it needs images/NAME.jpg and labels/NAME.txt".to_owned(),
        });
    }
    Ok(entries)
}

/// Reads a JPEG file as a picture.
pub fn picture(path: &Path) -> Result<Picture, DetectError> {
    let damaged = |problem: String| DetectError::Dataset {
        place: path.display().to_string(),
        problem: format!("cannot be decoded as JPEG: {problem}; remove it or copy it again"),
    };
    let bytes = read(path)?;
    let decoded = image::load_from_memory_with_format(&bytes, image::ImageFormat::Jpeg);
    let rgb = decoded.map_err(|error| damaged(error.to_string()))?.into_rgb8();
    Picture::from_rgb(rgb.width(), rgb.height(), rgb.as_raw()).map_err(|error| damaged(error.to_string()))
}

/// Reads the boxes of a label file: class and place.
pub(super) fn boxes(path: &Path) -> Result<Vec<(u16, Rect)>, DetectError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = String::from_utf8_lossy(&read(path)?).into_owned();
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            parse(line).ok_or_else(|| DetectError::Dataset {
                place: format!("{}, line {}", path.display(), number + 1),
                problem: format!("`{line}` must be: class x y width height, as 2 0.5 0.5 0.1 0.2"),
            })
        })
        .collect()
}

fn parse(line: &str) -> Option<(u16, Rect)> {
    let mut words = line.split_whitespace();
    let class = words.next()?.parse().ok()?;
    let numbers: Vec<f32> = words.map(|word| word.parse().ok()).collect::<Option<_>>()?;
    let &[x, y, w, h] = &numbers[..] else { return None };
    (w >= 0.0 && h >= 0.0 && x.is_finite() && y.is_finite())
        .then(|| (class, Rect::new(x - w / 2.0, y - h / 2.0, w, h)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_line_is_a_class_and_a_box() {
        assert_eq!(parse("2 0.5 0.25 0.5 0.25"), Some((2, Rect::new(0.25, 0.125, 0.5, 0.25))));
        for bad in
            ["2 0.5 0.25 0.5", "x 0 0 0 0", "2 0.5 0.25 0.5 0.25 1", "2 0.5 0.25 -1 0.25", "-1 0 0 0 0"]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_folder_is_said_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let message = entries(folder.path()).unwrap_err().to_string();
        assert!(message.contains("images: cannot be read"), "{message}");
        std::fs::create_dir_all(folder.path().join("images")).unwrap();
        std::fs::create_dir_all(folder.path().join("labels")).unwrap();
        let message = entries(folder.path()).unwrap_err().to_string();
        assert!(message.contains("needs images/NAME.jpg"), "{message}");
        std::fs::write(folder.path().join("images/a.jpg"), b"no jpeg").unwrap();
        let labels = folder.path().join("labels/a.txt");
        std::fs::write(&labels, "1 0.5 0.5 0.1 0.1\n\n1 0.5\n").unwrap();
        let entries = entries(folder.path()).unwrap();
        assert_eq!(entries.len(), 1);
        let message = boxes(&labels).unwrap_err().to_string();
        assert!(message.contains("a.txt, line 3: `1 0.5` must be"), "{message}");
        let message = picture(&entries[0].picture).unwrap_err().to_string();
        assert!(message.contains("a.jpg: cannot be decoded as JPEG"), "{message}");
    }
}
