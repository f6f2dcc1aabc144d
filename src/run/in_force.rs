//! The configuration that is in force, and the box that runs it: the choice at the start and at each reload.
//!
//! With `stays_up`, as the unit has it, faults of the configuration end nothing. The last configuration without a fault is in
//! force, else the part of the files that has none, else nothing until a reload. `wardwatch run` calls it.

use std::path::PathBuf;

use anyhow::Context as _;

use super::{Daemon, StartError, Surroundings};
use crate::config::{self, Copy, Part, Problems};
use crate::telemetry::configuration::{self, Configuration, Extent, SCHEMA};
use base::clock;
use base::fault::chain;
use base::ids::CameraId;
use base::time::{Monotonic, WallTime};

/// Faults that are reported; a broken file can have hundreds.
const FAULTS_MAX: usize = 20;

/// The place of a configuration, and what becomes of its faults.
#[derive(Debug, Clone)]
pub struct Options {
    /// The configuration; `conf.d/*.toml` beside it is read too.
    pub config: PathBuf,
    /// Surroundings of the box.
    pub surroundings: Surroundings,
    /// The daemon goes on with what is right of the configuration. Otherwise a fault at the start is an error.
    pub stays_up: bool,
    /// File for the copy of the last configuration without a fault; `None` to keep none.
    pub copy: Option<PathBuf>,
}

/// The configuration in force.
pub struct InForce {
    options: Options,
    /// `None` where nothing runs.
    running: Option<(Daemon, Part)>,
    extent: Extent,
    /// Everything that is not in force and why.
    faults: Vec<String>,
    /// Time at which the files were read last.
    read_at: (WallTime, Monotonic),
}

impl InForce {
    /// Reads the configuration, and starts the box.
    ///
    /// # Errors
    /// Without `stays_up`, faults of the configuration; always, faults of the machine: a store that another process has, a
    /// GStreamer without plugins. A damaged network is none: the motion detector runs in its place. A disk that cannot be
    /// written is none: alerts go out.
    pub fn start(options: Options) -> anyhow::Result<Self> {
        let read_at = now();
        let mut this = Self { options, running: None, extent: Extent::Nothing, faults: Vec::new(), read_at };
        let faults = match config::load(&this.options.config) {
            Ok(settings) => match this.begin(Part::from(settings.clone())) {
                Ok(()) => {
                    this.accepted();
                    return Ok(this);
                }
                Err(StartError::Machine(error)) => return Err(error),
                Err(StartError::Detector(error)) if error.may_be_damage() => {
                    let mut part = Part::from(settings);
                    part.replace_network(&chain(&error));
                    this.begin_with_less(part)?;
                    this.is_part();
                    this.log("the network's file is damaged");
                    return Ok(this);
                }
                Err(error) if !this.options.stays_up => return Err(error.into()),
                Err(error) => vec![chain(&error)],
            },
            Err(problems) if !this.options.stays_up => return Err(problems.into()),
            Err(problems) => lines(&problems),
        };
        if !this.start_earlier(&faults)? && !this.start_part(&faults)? {
            this.faults = faults;
        }
        this.log("the configuration has faults");
        Ok(this)
    }

    /// Reads the configuration anew, and applies it. One with a fault changes nothing, unless nothing or a part is in force:
    /// then its own part may be more.
    ///
    /// # Errors
    /// The box does not start any more, for a fault of the machine.
    pub fn reload(&mut self) -> anyhow::Result<()> {
        self.read_at = now();
        let refused = match config::load(&self.options.config) {
            Ok(settings) => match self.apply(Part::from(settings))? {
                Ok(()) => {
                    self.accepted();
                    tracing::info!("the new configuration is in force");
                    return Ok(());
                }
                Err(error) => vec![error],
            },
            Err(problems) => lines(&problems),
        };
        if matches!(self.extent, Extent::Nothing | Extent::Part) && self.reload_part()? {
            self.log("the new configuration has faults");
            return Ok(());
        }
        self.faults = match self.extent {
            Extent::Nothing => Vec::new(),
            _ => vec!["the new configuration is not used, the previous one stays in force".to_owned()],
        };
        self.faults.extend(refused);
        if self.extent == Extent::Whole {
            self.extent = Extent::Earlier;
        }
        self.log("the new configuration has faults");
        Ok(())
    }

    /// Tells people at the box and at the post what is in force.
    pub fn tell(&self) {
        let mut faults = self.faults.clone();
        if faults.len() > FAULTS_MAX {
            let more = faults.len() - FAULTS_MAX;
            faults.truncate(FAULTS_MAX);
            faults.push(format!("{more} more: see `wardwatch check`"));
        }
        if let Some((daemon, _)) = &self.running {
            daemon.configuration_is(faults.clone());
        }
        let Some(directory) = &self.options.surroundings.runtime_directory else { return };
        let (read_at, since_boot) = self.read_at;
        let configuration = Configuration {
            schema: SCHEMA.to_owned(),
            pid: std::process::id(),
            read_at,
            read_at_nanos: since_boot.as_nanos(),
            in_force: self.extent,
            faults,
        };
        if let Err(error) = configuration::write(directory, &configuration) {
            tracing::warn!(
                "which configuration is in force cannot be written to {}: {error}",
                directory.display()
            );
        }
    }

    /// One line for `systemctl status`.
    pub fn summary(&self) -> String {
        let running = self.running.as_ref().map(|(_, part)| &part.settings);
        let counts = running
            .map(|settings| format!("{} cameras, {} rules", settings.cameras.len(), settings.rules.len()));
        let counts = counts.unwrap_or_else(|| "nothing runs".to_owned());
        match self.faults.is_empty() {
            true => counts,
            false => format!("{counts}; the configuration has faults: wardwatch status"),
        }
    }

    /// Stops the box.
    pub fn stop(self) {
        if let Some((daemon, _)) = self.running {
            daemon.stop();
        }
        if let Some(directory) = &self.options.surroundings.runtime_directory {
            configuration::remove(directory);
        }
    }

    fn begin(&mut self, part: Part) -> Result<(), StartError> {
        let daemon = Daemon::begin(part.clone(), self.options.surroundings.clone())?;
        self.running = Some((daemon, part));
        Ok(())
    }

    /// Starts with a part; without the network or the connection to the post where they do not start.
    fn begin_with_less(&mut self, mut part: Part) -> anyhow::Result<()> {
        loop {
            match self.begin(part.clone()) {
                Ok(()) => return Ok(()),
                Err(StartError::Machine(error)) => return Err(error),
                Err(StartError::Detector(error)) if error.may_be_damage() => {
                    part.replace_network(&chain(&error));
                }
                Err(error @ StartError::Detector(_)) => part.leave_out_network(&chain(&error)),
                Err(error @ StartError::Broker(_)) => part.leave_out_broker(&chain(&error)),
            }
        }
    }

    /// Starts with the copy of the last configuration without a fault; false where there is none that starts.
    fn start_earlier(&mut self, faults: &[String]) -> anyhow::Result<bool> {
        let Some(copy) = self.options.copy.as_deref().and_then(Copy::read) else { return Ok(false) };
        let Ok(settings) = copy.load() else { return Ok(false) };
        match self.begin(Part::from(settings)) {
            Ok(()) => {}
            Err(StartError::Machine(error)) => return Err(error),
            Err(_) => return Ok(false),
        }
        self.extent = Extent::Earlier;
        self.faults = vec![format!(
            "the configuration is not used, that of {} stays in force, which had no fault",
            copy.copied_at
        )];
        self.faults.extend_from_slice(faults);
        Ok(true)
    }

    /// Starts with the part of the files that has no fault, else with that of the copy; false where neither has one.
    fn start_part(&mut self, faults: &[String]) -> anyhow::Result<bool> {
        if let Ok(part) = config::part_of(&self.options.config) {
            self.begin_with_less(part)?;
            self.is_part();
            return Ok(true);
        }
        let Some(copy) = self.options.copy.as_deref().and_then(Copy::read) else { return Ok(false) };
        let Ok(part) = copy.part() else { return Ok(false) };
        self.begin_with_less(part)?;
        self.is_part();
        let earlier =
            format!("the configuration is not used, a part of that of {} is in force", copy.copied_at);
        self.faults.insert(0, earlier);
        self.faults.extend_from_slice(faults);
        Ok(true)
    }

    /// Applies the part of the files that has no fault, unless it leaves out a camera that is recorded now; true if it is in
    /// force.
    fn reload_part(&mut self) -> anyhow::Result<bool> {
        let Ok(part) = config::part_of(&self.options.config) else { return Ok(false) };
        if !self.options.stays_up || part.cameras_off.keys().any(|id| self.records(id)) {
            return Ok(false);
        }
        if let Some((mut daemon, _)) = self.running.take() {
            if daemon.reload(part.clone()) {
                self.running = Some((daemon, part));
                self.is_part();
                return Ok(true);
            }
            daemon.stop();
        }
        self.begin_with_less(part)?;
        self.is_part();
        Ok(true)
    }

    fn records(&self, id: &CameraId) -> bool {
        let cameras = self.running.iter().flat_map(|(_, part)| &part.settings.cameras);
        cameras.into_iter().any(|camera| camera.camera.id == *id)
    }

    fn is_part(&mut self) {
        self.extent = Extent::Part;
        self.faults = self.running.as_ref().map_or_else(Vec::new, |(_, part)| part.off.clone());
    }

    /// Applies a whole configuration with as little disturbance as it allows. Where it cannot start, the previous one runs on,
    /// and the reason is returned.
    fn apply(&mut self, new: Part) -> anyhow::Result<Result<(), String>> {
        let previous = match self.running.take() {
            None => None,
            Some((mut daemon, part)) => {
                if daemon.reload(new.clone()) {
                    self.running = Some((daemon, new));
                    return Ok(Ok(()));
                }
                daemon.stop();
                Some(part)
            }
        };
        let error = match self.begin(new) {
            Ok(()) => {
                tracing::info!("cameras, store and broker were restarted");
                return Ok(Ok(()));
            }
            Err(error) => chain(&error),
        };
        if let Some(part) = previous {
            let again = self.begin(part);
            again.context("the previous configuration does not start any more either")?;
        }
        Ok(Err(error))
    }

    /// All of the files is in force: a copy of them is kept.
    fn accepted(&mut self) {
        self.extent = Extent::Whole;
        self.faults.clear();
        let (Some(file), Some((_, part))) = (&self.options.copy, &self.running) else { return };
        let copied = Copy::take(&self.options.config).and_then(|copy| {
            // Where a file has changed meanwhile, it is not this configuration's.
            let is_same = copy.load().is_ok_and(|settings| settings == part.settings);
            if is_same { copy.write(file) } else { Ok(()) }
        });
        if let Err(error) = copied {
            tracing::warn!("no copy of the configuration is kept in {}: {error}", file.display());
        }
    }

    fn log(&self, what: &str) {
        let nothing = match self.running {
            Some(_) => "",
            None => "; nothing runs until it is corrected and reloaded",
        };
        tracing::error!("{what}{nothing}: {}", self.faults.join("\n"));
    }
}

fn now() -> (WallTime, Monotonic) {
    (clock::wall(), clock::monotonic())
}

fn lines(problems: &Problems) -> Vec<String> {
    problems.0.iter().map(config::Problem::in_one_line).collect()
}
