//! Documents: every relative link and anchor leads somewhere, every command, flag and make target exists.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::wardpost_program;

const WARDWATCH: &str = env!("CARGO_BIN_EXE_wardwatch");

/// A Markdown file as numbered lines of text and code.
struct Document {
    path: PathBuf,
    /// Each line with its number, from 1.
    lines: Vec<(usize, Line)>,
}

enum Line {
    /// Text with inline code, headings and table rows included.
    Text(String),
    /// A line of a shell or plain code block.
    Code(String),
}

impl Document {
    fn read(path: &Path) -> Self {
        Self::parse(path, &std::fs::read_to_string(path).unwrap())
    }

    fn parse(path: &Path, text: &str) -> Self {
        let mut lines = Vec::new();
        let mut fence: Option<String> = None;
        let mut was_blank = true;
        for (index, line) in text.lines().enumerate() {
            let trimmed = line.trim_start();
            if let Some(language) = trimmed.strip_prefix("```") {
                fence = if fence.is_some() { None } else { Some(language.trim().to_owned()) };
            } else if let Some(language) = &fence {
                if matches!(language.as_str(), "" | "sh" | "console") {
                    lines.push((index + 1, Line::Code(line.to_owned())));
                }
            } else if line.starts_with("    ")
                && (was_blank || matches!(lines.last(), Some((at, Line::Code(_))) if *at == index))
            {
                lines.push((index + 1, Line::Code(line.to_owned())));
            } else {
                lines.push((index + 1, Line::Text(line.to_owned())));
            }
            was_blank = trimmed.is_empty();
        }
        Self { path: path.to_owned(), lines }
    }

    /// The anchors that GitHub gives the headings.
    fn anchors(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for (_, line) in &self.lines {
            let Line::Text(line) = line else { continue };
            let title = line.trim_start_matches('#');
            if title.len() == line.len() || !title.starts_with(' ') {
                continue;
            }
            let slug: String = title
                .trim()
                .to_lowercase()
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect();
            let again = (1..).map(|n| format!("{slug}-{n}"));
            let free = std::iter::once(slug.clone()).chain(again).find(|slug| !found.contains(slug));
            found.extend(free);
        }
        found
    }
}

/// Every Markdown file of the repository, but for build folders and hidden ones.
fn documents() -> Vec<Document> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        if folder.join("CACHEDIR.TAG").exists() {
            continue;
        }
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() && !name.starts_with('.') && !["target", "demo-output"].contains(&&*name) {
                folders.push(entry.path());
            } else if kind.is_file() && name.ends_with(".md") {
                found.push(Document::read(&entry.path()));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// `line` without its inline code, and that code.
fn inline_code(line: &str) -> (String, Vec<String>) {
    let mut parts = line.split('`');
    let mut text = parts.next().unwrap_or_default().to_owned();
    let mut code = Vec::new();
    while let (Some(inside), Some(outside)) = (parts.next(), parts.next()) {
        code.push(inside.to_owned());
        text.push('`');
        text.push_str(outside);
    }
    (text, code)
}

/// The targets of `[text](target)` in a line.
fn links(line: &str) -> Vec<String> {
    let (text, _) = inline_code(line);
    text.match_indices("](")
        .filter_map(|(at, open)| text[at + open.len()..].split_once(')').map(|(target, _)| target.to_owned()))
        .collect()
}

fn dead_links(document: &Document) -> Vec<String> {
    let mut dead = Vec::new();
    for (number, line) in &document.lines {
        let Line::Text(line) = line else { continue };
        for link in links(line) {
            if ["https://", "http://"].iter().any(|scheme| link.starts_with(scheme)) {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let is_there = if file.is_empty() {
                document.anchors().contains(anchor)
            } else {
                let target = document.path.parent().unwrap().join(file);
                target.exists() && (anchor.is_empty() || Document::read(&target).anchors().contains(anchor))
            };
            if !is_there {
                dead.push(format!("{}:{number}: dead link {link}", document.path.display()));
            }
        }
    }
    dead
}

/// The commands of a shell line, each as its words: quotes are taken off, comments left out.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    let mut word = String::new();
    let mut quote = None;
    for c in line.chars().chain([' ']) {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (Some(_), c) => word.push(c),
            (None, '"' | '\'') => quote = Some(c),
            (None, '#') if word.is_empty() => break,
            (None, ' ' | ';' | '|' | '&' | '(' | ')') => {
                if !word.is_empty() {
                    all.last_mut().unwrap().push(std::mem::take(&mut word));
                }
                if c != ' ' {
                    all.push(Vec::new());
                }
            }
            (None, c) => word.push(c),
        }
    }
    for words in &mut all {
        if words.first().is_some_and(|first| first == "sudo") {
            let skipped = if words.get(1).is_some_and(|word| word == "-u") { 3 } else { 1 };
            words.drain(..skipped.min(words.len()));
        }
        let assigned = words.iter().take_while(|word| word.contains('=') && !word.starts_with('-')).count();
        words.drain(..assigned);
    }
    all.retain(|words| !words.is_empty());
    all
}

/// Returns true for a word that stands for another one.
fn is_placeholder(word: &str) -> bool {
    word.chars().any(char::is_uppercase) && !word.chars().any(char::is_lowercase)
}

/// The flags of both programs' subcommands, out of their `--help`.
#[derive(Default)]
struct Programs {
    asked: BTreeMap<Vec<String>, Option<Help>>,
}

#[derive(Clone)]
struct Help {
    has_subcommands: bool,
    flags: BTreeSet<String>,
}

impl Programs {
    fn help(&mut self, path: &[String]) -> Option<Help> {
        let ask = || {
            let program = if path[0] == "wardwatch" { WARDWATCH.into() } else { wardpost_program() };
            let output = Command::new(program).args(&path[1..]).arg("--help").output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let lines = text.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
            let words =
                lines.flat_map(|line| line.split([' ', ',']).take_while(|word| !word.starts_with('<')));
            let flags = words.filter(|word| word.starts_with('-')).map(str::to_owned).collect();
            let has_subcommands = text.lines().any(|line| line == "Commands:");
            output.status.success().then_some(Help { has_subcommands, flags })
        };
        self.asked.entry(path.to_vec()).or_insert_with(ask).clone()
    }

    /// Help of the subcommand that `words` call, and the number of words that name it.
    fn called(&mut self, words: &[String]) -> Result<Option<(Help, usize)>, String> {
        let name = words[0].rsplit('/').next().unwrap_or_default().to_owned();
        if !["wardwatch", "wardpost"].contains(&name.as_str()) {
            return Ok(None);
        }
        let mut path = vec![name];
        loop {
            let Some(help) = self.help(&path) else { return Err(format!("no command `{}`", path.join(" "))) };
            match words.get(path.len()) {
                Some(word) if help.has_subcommands && !word.starts_with('-') && !is_placeholder(word) => {
                    path.push(word.clone());
                }
                _ => return Ok(Some((help, path.len()))),
            }
        }
    }

    /// Findings about one command: a subcommand or flag that does not exist.
    fn wrong(&mut self, words: &[String]) -> Vec<String> {
        match self.called(words) {
            Err(wrong) => vec![wrong],
            Ok(None) => Vec::new(),
            Ok(Some((help, named))) => {
                let flags = words[named..].iter().filter_map(|word| flag(word));
                flags
                    .filter(|flag| !help.flags.contains(*flag))
                    .map(|flag| format!("no flag {flag} of `{}`", words[..named].join(" ")))
                    .collect()
            }
        }
    }
}

/// The flag that a word is, without its value.
fn flag(word: &str) -> Option<&str> {
    word.starts_with('-').then(|| word.split('=').next().unwrap_or_default())
}

/// Targets and variables of a Makefile.
struct Make {
    targets: BTreeSet<String>,
    text: String,
}

impl Make {
    fn read() -> Self {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Makefile")).unwrap();
        let rules = text.lines().filter(|line| !line.starts_with(['\t', '#', '.']) && !line.contains(":="));
        let targets = rules
            .filter_map(|line| line.split_once(':'))
            .flat_map(|(targets, _)| targets.split(' ').map(str::to_owned))
            .collect();
        Self { targets, text }
    }

    fn wrong(&self, words: &[String]) -> Vec<String> {
        if words[0] != "make" {
            return Vec::new();
        }
        words[1..]
            .iter()
            .filter(|word| match word.split_once('=') {
                Some((variable, _)) => !self.text.contains(&format!("$({variable})")),
                None => !word.starts_with('-') && !is_placeholder(word) && !self.targets.contains(*word),
            })
            .map(|word| format!("`make {word}` is not in the Makefile"))
            .collect()
    }
}

/// Returns a document's commands, flags and targets that do not exist, and the number of commands that were checked.
fn unknown_commands(document: &Document, programs: &mut Programs, make: &Make) -> (Vec<String>, usize) {
    let (mut unknown, mut seen) = (Vec::new(), 0);
    let mut in_head: Vec<Vec<String>> = Vec::new();
    for (number, line) in &document.lines {
        let (code, row) = match line {
            Line::Code(code) => (vec![code.clone()], None),
            Line::Text(text) => (inline_code(text).1, text.starts_with('|').then_some(text)),
        };
        let called: Vec<Vec<String>> = code.iter().flat_map(|code| commands(code)).collect();
        let mut wrong: Vec<String> =
            called.iter().flat_map(|words| [programs.wrong(words), make.wrong(words)].concat()).collect();
        seen += called.iter().filter(|words| matches!(programs.called(words), Ok(Some(_)))).count();
        // A flag by itself in a table's row belongs to the row's commands, or to those of the table's head.
        match row {
            None => in_head.clear(),
            Some(row) => {
                let (ours, flags): (Vec<_>, Vec<_>) =
                    called.into_iter().partition(|words| matches!(programs.called(words), Ok(Some(_))));
                let is_head = !row.contains("---") && in_head.is_empty() && flags.is_empty();
                let owners = if ours.is_empty() { in_head.clone() } else { ours.clone() };
                let known: BTreeSet<String> = owners
                    .iter()
                    .filter_map(|words| programs.called(words).ok().flatten())
                    .flat_map(|(help, _)| help.flags)
                    .collect();
                let alone = flags.iter().filter_map(|words| flag(&words[0]));
                if !owners.is_empty() {
                    wrong.extend(
                        alone
                            .filter(|flag| !known.contains(*flag))
                            .map(|flag| format!("no flag {flag} of a command of this row")),
                    );
                }
                if is_head && !ours.is_empty() {
                    in_head = ours;
                }
            }
        }
        unknown.extend(wrong.iter().map(|wrong| format!("{}:{number}: {wrong}", document.path.display())));
    }
    (unknown, seen)
}

#[test]
fn every_relative_link_leads_somewhere() {
    let documents = documents();
    assert!(documents.len() > 10, "the documents are where they are looked for");
    let seen: usize = documents
        .iter()
        .flat_map(|document| &document.lines)
        .map(|(_, line)| if let Line::Text(line) = line { links(line).len() } else { 0 })
        .sum();
    assert!(seen > 100, "links are found at all: {seen}");
    let dead: Vec<String> = documents.iter().flat_map(dead_links).collect();
    assert!(dead.is_empty(), "\n{}", dead.join("\n"));
}

/// Bold words of the officers' guide that the page's sources do not have.
fn foreign_words(guide: &str, sources: &str) -> Vec<String> {
    let bold = guide.split("**").skip(1).step_by(2);
    // "from ..." stands for a time.
    let words = bold.map(|words| words.trim_end_matches("...").trim().to_owned());
    words.filter(|words| !sources.contains(words.as_str())).collect()
}

#[test]
fn the_guide_of_the_page_names_its_buttons_as_they_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = std::fs::read_to_string(root.join("docs/vi/page.md")).unwrap();
    let views = root.join("crates/wardpost/src/page/views");
    let files = std::fs::read_dir(views).unwrap().map(|entry| entry.unwrap().path());
    let sources: String =
        files.filter(|path| path.is_file()).map(|path| std::fs::read_to_string(path).unwrap()).collect();
    assert!(guide.matches("**").count() > 60, "the guide names buttons");
    assert_eq!(foreign_words(&guide, &sources), [""; 0]);
    assert_eq!(foreign_words("bấm **Nhận** rồi **Nhận hết**", &sources), ["Nhận hết"]);
}

#[test]
fn every_command_flag_and_target_exists() {
    let (mut programs, make) = (Programs::default(), Make::read());
    let (mut unknown, mut seen) = (Vec::new(), 0);
    for document in documents() {
        let (wrong, commands) = unknown_commands(&document, &mut programs, &make);
        unknown.extend(wrong);
        seen += commands;
    }
    assert!(seen > 100, "commands are found at all: {seen}");
    assert!(unknown.is_empty(), "\n{}", unknown.join("\n"));
}

#[test]
fn dead_links_and_unknown_commands_are_found() {
    let text = "\
# A head, and `code`
[here](#a-head-and-code) [not](#nowhere) [gone](gone.md) [web](https://post.example/gone)
```sh
wardwatch check --config a.toml && wardwatch chekc
sudo -u wardpost wardpost tail --inline --outline   # --comment
make test VIDEO=a.mp4 BROKEN=1 tset
```
| command | does |
| --- | --- |
| `wardwatch clips log` | `--verify`, `--verity` |

| flag of `wardwatch replay` | does |
| --- | --- |
| `--why-not` | says why |
| `--why` | does not exist |

Text with `wardwatch clips lst` and `make demo`, `WARD_BOX`, `wardwatch SUBCOMMAND`.
";
    let document = Document::parse(&Path::new(env!("CARGO_MANIFEST_DIR")).join("a.md"), text);
    let dead = dead_links(&document);
    assert!(
        dead.len() == 2 && dead[0].ends_with("a.md:2: dead link #nowhere") && dead[1].ends_with("gone.md"),
        "{dead:?}"
    );
    let (unknown, seen) = unknown_commands(&document, &mut Programs::default(), &Make::read());
    let expected = [
        "4: no command `wardwatch chekc`",
        "5: no flag --outline of `wardpost tail`",
        "6: `make BROKEN=1` is not in the Makefile",
        "6: `make tset` is not in the Makefile",
        "10: no flag --verity of a command of this row",
        "15: no flag --why of a command of this row",
        "17: no command `wardwatch clips lst`",
    ];
    let at: Vec<&str> = unknown.iter().map(|wrong| wrong.split_once("a.md:").unwrap().1).collect();
    assert_eq!(at, expected);
    assert_eq!(seen, 5);
}
