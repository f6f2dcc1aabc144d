//! `wardwatch model get`: a known network from its public origin, or from a stick.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use indicatif::{ProgressBar, ProgressStyle};

use super::millis;
use crate::config;
use crate::download::{self, Patience, Wanted};
use base::detector::InputSize;
use detector::{Download, Manifest, Model};

/// Folder of networks when no configuration names a folder for the box's data.
const FOLDER: &str = "/var/lib/wardwatch/models";

/// Arguments of `wardwatch model get`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The network: yolox-nano, picodet-s or nanodet-plus
    #[arg(required_unless_present = "list")]
    name: Option<String>,
    /// List the networks that can be downloaded
    #[arg(long, conflicts_with_all = ["name", "from", "url", "output"])]
    list: bool,
    /// Take the file from a disk, for a box without a network: the file, or the folder with it
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    from: Option<PathBuf>,
    /// Take the file from a mirror; its sha256 must be the same
    #[arg(long)]
    url: Option<String>,
    /// The folder for the network [default: models in the store's directory, or /var/lib/wardwatch/models]
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// The configuration, which names the store's directory.
    #[arg(long, value_name = "PATH", default_value = config::DEFAULT_PATH)]
    config: PathBuf,
}

/// Runs the command: prints origin and licence, fetches the network, and prints the lines for the configuration.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let known = known();
    let Some(name) = &args.name else {
        list(&known);
        return Ok(ExitCode::SUCCESS);
    };
    let is_named =
        |(download, manifest): &&(Download, Manifest)| [&download.name, &manifest.name].contains(&name);
    let (download, manifest) = known.iter().find(is_named).ok_or_else(|| unknown(name, &known))?;
    let folder = args.output.clone().unwrap_or_else(|| folder(&args.config));
    let target = std::path::absolute(folder.join(format!("{}.onnx", download.name))).context("--output")?;
    describe(download, manifest);
    let wanted = Wanted { sha256: &manifest.sha256, bytes: download.bytes, target: &target };
    bring(args, download, manifest, wanted)?;
    println!("{} is there, its sha256 is right", target.display());
    let [width, height] = download.size;
    let model = Model::load_at(&target, Some(InputSize { width, height }))
        .with_context(|| format!("{} came as it should, and does not run", target.display()))?;
    let timing = super::Timing::of(&model)?;
    println!("it runs here: {:.1} ms of one CPU for an inference at {width}x{height}", millis(timing.infer));
    println!(
        "\nWrite into the configuration ({}):\n\n{}",
        args.config.display(),
        lines(&target, download.size)
    );
    println!("\nThen restart the daemon: systemctl restart wardwatch");
    Ok(ExitCode::SUCCESS)
}

/// The networks of the catalogue that have a public address.
fn known() -> Vec<(Download, Manifest)> {
    let all = detector::catalogue().into_iter();
    all.filter_map(|(_, manifest)| Some((manifest.download.clone()?, manifest))).collect()
}

/// The error for a name that no network with a public address has.
fn unknown(name: &str, known: &[(Download, Manifest)]) -> anyhow::Error {
    if detector::catalogue().iter().any(|(_, manifest)| manifest.name == name) {
        return anyhow!(
            "{name:?} has no public address: bring its file, and write the path into [detector] model (`wardwatch model list` \
             describes it)"
        );
    }
    let names = known.iter().map(|(download, _)| download.name.as_str());
    anyhow!("{name:?} is none of the networks that can be brought: {}", config::choose(name, names))
}

fn list(known: &[(Download, Manifest)]) {
    for (download, manifest) in known {
        describe(download, manifest);
        println!();
    }
    println!("Bring one with `wardwatch model get NAME`.");
}

fn describe(download: &Download, manifest: &Manifest) {
    println!("{}", download.name);
    println!("  licence  {} (of the weights; by bringing them you accept it)", manifest.licence);
    println!("  origin   {}", manifest.origin);
    println!("  from     {}", download.origin_url);
    match download.bytes {
        Some(bytes) => println!("  size     {:.1} MB", bytes as f64 / 1e6),
        None => println!("  size     not known before"),
    }
    println!("  sha256   {}", manifest.sha256);
}

/// The folder beside the box's other data.
fn folder(config: &Path) -> PathBuf {
    match config::load(config) {
        Ok(settings) => settings.store.directory.join("models"),
        // Faults of the configuration are reported by other commands.
        Err(_) => PathBuf::from(FOLDER),
    }
}

fn bring(args: &Args, download: &Download, manifest: &Manifest, wanted: Wanted<'_>) -> anyhow::Result<()> {
    // Draws nothing unless stderr is a terminal.
    let bar = ProgressBar::new(download.bytes.unwrap_or(0));
    bar.set_style(ProgressStyle::with_template(
        "{bar:40} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left",
    )?);
    let mut progress = |done: u64, total: Option<u64>| {
        if let Some(total) = total {
            bar.set_length(total);
        }
        bar.set_position(done);
    };
    let brought = match (&args.from, &args.url) {
        (Some(from), _) => download::take(&on_stick(from, download, manifest)?, wanted, &mut progress),
        (None, url) => {
            let url = url.as_deref().unwrap_or(&download.origin_url);
            download::fetch(url, wanted, Patience::default(), &mut progress)
        }
    };
    bar.finish_and_clear();
    Ok(brought?)
}

/// The file itself, or in a folder the file with the catalogue's names or with the origin's.
fn on_stick(from: &Path, download: &Download, manifest: &Manifest) -> anyhow::Result<PathBuf> {
    if !from.is_dir() {
        return Ok(from.to_owned());
    }
    let of_origin = download.origin_url.rsplit('/').next().unwrap_or_default().to_owned();
    let [own, listed] = [&download.name, &manifest.name].map(|name| format!("{name}.onnx"));
    let mut names = vec![own, listed, manifest.file.display().to_string(), of_origin];
    if let Some(file) = names.iter().map(|name| from.join(name)).find(|file| file.is_file()) {
        return Ok(file);
    }
    names.sort_unstable();
    names.dedup();
    bail!(
        "{}: none of {} is in this folder: copy the file there (from {}), or name the file itself with --from",
        from.display(),
        names.join(", "),
        download.origin_url
    )
}

/// The lines that the configuration needs.
fn lines(target: &Path, [width, height]: [usize; 2]) -> String {
    format!("[detector]\nmodel = {:?}\ninput_size = [{width}, {height}]", target.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_a_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let network = folder.path().join("yolox-nano.onnx");
        std::fs::write(&network, b"").unwrap();
        let path = folder.path().join("wardwatch.toml");
        let text = format!(
            "[box]\nward = \"w\"\nid = \"b\"\n[broker]\nurl = \"mqtt://localhost\"\n{}\n",
            lines(&network, [640, 384])
        );
        std::fs::write(&path, text).unwrap();
        let settings = config::load(&path).unwrap();
        assert_eq!(settings.detect.input_size, Some(InputSize { width: 640, height: 384 }));
        assert_eq!(settings.detect.detector, crate::infer::DetectorChoice::Network(network));
    }

    #[test]
    fn every_name_has_a_public_address_and_a_size_that_fits() {
        let names: Vec<_> = known().into_iter().map(|(download, _)| download.name).collect();
        assert_eq!(names, ["yolox-nano", "picodet-s", "nanodet-plus"]);
        for (download, manifest) in known() {
            assert!(download.origin_url.starts_with("https://"), "{}", download.origin_url);
            let stride = manifest.head.decoder().stride_max();
            assert!(download.size.iter().all(|side| side % stride == 0), "{}", download.name);
        }
    }
}
