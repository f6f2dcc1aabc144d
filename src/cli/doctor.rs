//! `wardwatch doctor`: tests that the box is ready for the road.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::config::{self, Reader};
use crate::doctor::{Finding, Verdict, examine};
use crate::run::Surroundings;
use crate::telemetry::state;

/// Arguments of `wardwatch doctor`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration; conf.d/*.toml beside it is read as well.
    #[arg(long, value_name = "PATH", default_value = config::DEFAULT_PATH)]
    config: PathBuf,
    /// The folder that `wardwatch run` was given as --runtime-directory: a daemon that runs is asked there.
    #[arg(long, value_name = "FOLDER", default_value = state::DEFAULT_DIRECTORY)]
    runtime_directory: PathBuf,
    /// The user who must be able to read every file of the configuration: a name or a number [default: wardwatch where root asks,
    /// else this user]
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Maximum time for a camera to send enough for the checks.
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=600))]
    patience: u64,
    /// Print one JSON array instead: `about`, `verdict` (pass, mind for a warning, fail), `what`, `remedy`.
    #[arg(long)]
    json: bool,
}

/// Prints a line for each test when it is done, with a remedy where one is needed; returns 3 where the box fails a test.
///
/// # Errors
/// There is no such user; none that a box could cause.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let reader = args.user.as_deref().map_or_else(|| Ok(Reader::daemon()), Reader::named)?;
    let runtime_directory = Some(args.runtime_directory.clone());
    let surroundings = Surroundings { runtime_directory, session_user: reader.ids(), program: None };
    let mut found = Vec::new();
    let mut say = |finding: Finding| {
        if !args.json {
            print(&finding);
        }
        found.push(finding);
    };
    examine(&args.config, reader, &surroundings, Duration::from_secs(args.patience), &mut say);
    let worst = found.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&found)?);
    } else {
        let [ok, warnings, failed] = [Verdict::Ok, Verdict::Warning, Verdict::Failed]
            .map(|verdict| found.iter().filter(|finding| finding.verdict == verdict).count());
        println!("\n{ok} ok, {warnings} warning(s), {failed} failed");
    }
    Ok(if worst == Verdict::Failed { ExitCode::from(super::FOUND) } else { ExitCode::SUCCESS })
}

fn print(finding: &Finding) {
    let (word, colour) = match finding.verdict {
        Verdict::Ok => ("ok", "32"),
        Verdict::Warning => ("warning", "33"),
        Verdict::Failed => ("failed", "31"),
    };
    let word = if std::io::stdout().is_terminal() {
        format!("\x1b[{colour}m{word:<7}\x1b[0m")
    } else {
        format!("{word:<7}")
    };
    println!("{word}  {}: {}", finding.about, finding.what);
    if let Some(remedy) = &finding.remedy {
        println!("         > {remedy}");
    }
}
