//! The demonstration: a real broker, cameras and the box, all on this machine's loopback. The caller brings the ward
//! post, which this module knows nothing of.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::{Daemon, Surroundings};
use crate::config;
use crate::infer::DetectorChoice;
use base::geometry::Point;
use clipstore::Store;
use detector::BUILT_IN;
use program::language_of_the_locale;
use streetsim::server::{Access, CameraServer, Feed};
use streetsim::{Light, Scene};

/// Time for the broker to listen.
const BROKER_START: Duration = Duration::from_secs(10);

/// Settings of the demonstration.
#[derive(Debug, Clone)]
pub struct Demo {
    /// Video file that is shown instead of the drawn street.
    pub video: Option<PathBuf>,
    /// "motion", a manifest or a known network's file, instead of the built-in network.
    pub model: Option<String>,
    /// Folder for everything that the demonstration writes; emptied first.
    pub output: PathBuf,
}

/// A broker that listens, in an empty folder. A receiver of all alerts has to connect to it now.
pub struct Stage {
    /// Folder for everything that is written, as an absolute path.
    pub output: PathBuf,
    /// The broker's port on loopback.
    pub port: u16,
    broker: Process,
}

/// The running demonstration. Ends everything that it started when it is dropped.
pub struct Running {
    /// The configuration that the box runs with.
    pub config: PathBuf,
    /// Folder of the box's state, for `wardwatch status`.
    pub runtime_directory: PathBuf,
    /// Id of the first camera.
    pub camera: String,
    /// Broker's port on loopback.
    pub port: u16,
    /// URLs of the cameras' streams.
    pub urls: Vec<String>,
    daemon: Option<Daemon>,
    _servers: Vec<CameraServer>,
    broker: Process,
}

impl Demo {
    /// Empties the folder and starts the broker.
    pub fn open(&self) -> anyhow::Result<Stage> {
        let output = self.prepare_output()?;
        let port = free_port()?;
        let broker = start_broker(&output, port)?;
        Ok(Stage { output, port, broker })
    }

    /// Starts cameras and box. `program` runs the sessions, if not this binary itself.
    pub fn start(&self, stage: Stage, program: Option<PathBuf>) -> anyhow::Result<Running> {
        let Stage { output, port, broker } = stage;
        let server = CameraServer::start(0, &Access::default())?;
        let street = Street::mount(&server, self.video.as_deref())?;
        let config = output.join("wardwatch.toml");
        std::fs::write(&config, street.config(port, self.model.as_deref())?)
            .with_context(|| format!("cannot write {}", config.display()))?;
        let settings = config::load(&config)?;
        let camera = settings.cameras.first().map(|camera| camera.camera.id.to_string()).unwrap_or_default();
        let runtime_directory = output.join("run");
        std::fs::create_dir_all(&runtime_directory)
            .with_context(|| format!("cannot make {}", runtime_directory.display()))?;
        let surroundings =
            Surroundings { program, runtime_directory: Some(runtime_directory.clone()), session_user: None };
        let daemon = Some(Daemon::start(settings, surroundings)?);
        let (urls, _servers) = (street.urls, vec![server]);
        Ok(Running { config, runtime_directory, camera, port, urls, daemon, _servers, broker })
    }

    /// The output folder, empty, as an absolute path. Only a folder of an earlier demonstration is emptied.
    fn prepare_output(&self) -> anyhow::Result<PathBuf> {
        let output = std::path::absolute(&self.output)?;
        let context = || format!("cannot use {} for the demonstration's files", output.display());
        if output.join("wardwatch.toml").exists() {
            std::fs::remove_dir_all(&output).with_context(context)?;
        } else if output.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
            bail!("{}: it is not empty; name another folder with --output", context());
        }
        std::fs::create_dir_all(&output).with_context(context)?;
        Ok(output)
    }
}

impl Running {
    /// The box's store, while it runs.
    pub fn store(&self) -> Option<&Store> {
        self.daemon.as_ref().map(Daemon::store)
    }

    /// True once the box has written its state for `wardwatch status`.
    pub fn has_state(&self) -> bool {
        crate::telemetry::state::read(&self.runtime_directory).is_ok()
    }

    /// Stops the box, which sends the alerts that this closes. The broker goes on.
    pub fn stop_box(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.stop();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The box stops before its cameras and its broker, since it would only log their ends.
        self.stop_box();
        self.broker.kill();
    }
}

/// The cameras' streams, and the configuration that goes with them.
struct Street {
    urls: Vec<String>,
    cameras: String,
}

impl Street {
    fn mount(server: &CameraServer, video: Option<&Path>) -> anyhow::Result<Self> {
        let mut street = Self { urls: Vec::new(), cameras: String::new() };
        match video {
            Some(path) => street.mount_video(server, path)?,
            None => {
                street.mount_scene(server, "le-loi", "Đường Lê Lợi", Light::Day, 1, None)?;
                street.mount_scene(
                    server,
                    "ben-thanh",
                    "Chợ Bến Thành",
                    Light::Dusk,
                    2,
                    Some((1280, 720)),
                )?;
            }
        }
        Ok(street)
    }

    /// A drawn camera: one stream for both, or a main stream of the given size beside the sub stream.
    fn mount_scene(
        &mut self,
        server: &CameraServer,
        id: &str,
        name: &str,
        light: Light,
        seed: u64,
        main: Option<(u32, u32)>,
    ) -> anyhow::Result<()> {
        let settings = streetsim::Settings { seed, light, ..streetsim::Settings::default() };
        let mut mount = |path: String, (width, height): (u32, u32), kbit_per_second: u32| {
            let scene = Scene::new(streetsim::Settings { width, height, ..settings.clone() });
            let places = scene.places();
            let fps = settings.fps as u32;
            let draw = Arc::new(move |index| scene.frame(index).0);
            server.mount(&path, Feed::Drawn { fps, kbit_per_second, draw })?;
            self.urls.push(server.url(&path));
            anyhow::Ok((server.url(&path), places))
        };
        let (sub, places) = mount(format!("/{id}/sub"), (settings.width, settings.height), 1000)?;
        let streams = match main {
            Some(size) => {
                let (main, _) = mount(format!("/{id}/main"), size, 2000)?;
                format!("main = \"{main}\"\nsub = \"{sub}\"\n")
            }
            None => format!("main = \"{sub}\"\n"),
        };
        let (zone, wire) = (places.zone, places.tripwire);
        let points: Vec<[f32; 2]> = zone.polygon.points().iter().map(|point| (*point).into()).collect();
        let ends = (wire.from, wire.to);
        self.camera(id, name, &streams, (&zone.name, &points), (&wire.name, ends))
    }

    /// A camera that plays a given video. Nothing is known of it: the zone is its lower middle, and the line goes across.
    fn mount_video(&mut self, server: &CameraServer, path: &Path) -> anyhow::Result<()> {
        server.mount("/video", Feed::File(path.to_owned()))?;
        self.urls.push(server.url("/video"));
        let streams = format!("main = \"{}\"\n", server.url("/video"));
        let points = [[0.25, 0.4], [0.75, 0.4], [0.9, 0.98], [0.1, 0.98]];
        let name =
            path.file_name().map_or_else(|| "Video".into(), |name| name.to_string_lossy().into_owned());
        let ends = (Point::new(0.02, 0.6), Point::new(0.98, 0.6));
        self.camera("video", &name.replace(['"', '\\'], ""), &streams, ("Zone", &points), ("Line", ends))
    }

    fn camera(
        &mut self,
        id: &str,
        name: &str,
        streams: &str,
        (zone, points): (&str, &[[f32; 2]]),
        (wire, (from, to)): (&str, (Point, Point)),
    ) -> anyhow::Result<()> {
        let point = |point: Point| format!("[{:.4}, {:.4}]", point.x, point.y);
        let points: Vec<String> = points.iter().map(|p| point((*p).into())).collect();
        write!(
            self.cameras,
            "\n[camera.{id}]\nname = \"{name}\"\n{streams}fps_max = 10\npre_roll_seconds = 5\npost_roll_seconds = 5\n\n\
             [camera.{id}.zone.yard]\nname = \"{zone}\"\npoints = [{}]\n\n\
             [camera.{id}.tripwire.street]\nname = \"{wire}\"\nfrom = {}\nto = {}\n\n\
             [rule.{id}-yard]\nkind = \"intrusion\"\nname = \"{zone}\"\ncameras = [\"{id}\"]\nzone = \"yard\"\n\
             seconds_min = 1.0\nseverity = \"warning\"\ncool_down_seconds = 5\n\n\
             [rule.{id}-street]\nkind = \"tripwire\"\nname = \"{wire}\"\ncameras = [\"{id}\"]\ntripwire = \"street\"\n\
             severity = \"notice\"\ncool_down_seconds = 5\n",
            points.join(", "),
            point(from),
            point(to),
        )?;
        Ok(())
    }

    fn config(&self, port: u16, model: Option<&str>) -> anyhow::Result<String> {
        let model = match model.unwrap_or(BUILT_IN) {
            name if DetectorChoice::is_built_in(name) => name.to_owned(),
            path => std::path::absolute(path)?.display().to_string(),
        };
        let language = language_of_the_locale().choose("vi", "en");
        Ok(format!(
            "# Written by `wardwatch demo`; try it with `wardwatch check --config` and change it.\n\
             [box]\nward = \"ben-nghe\"\nid = \"demo\"\nlanguage = \"{language}\"\n\n\
             [store]\ndirectory = \"store\"\nclip_bytes_max = \"1 GiB\"\nfree_bytes_min = 0\nsegment_seconds = 20\n\n\
             [broker]\nurl = \"mqtt://127.0.0.1:{port}\"\nacknowledge = \"post\"\n\n\
             [detector]\nmodel = \"{model}\"\n{}",
            self.cameras
        ))
    }
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn start_broker(output: &Path, port: u16) -> anyhow::Result<Process> {
    let config = output.join("mosquitto.conf");
    std::fs::write(&config, format!("listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"))?;
    let program = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto", "/usr/local/sbin/mosquitto"];
    let program = program.iter().find(|path| Path::new(path).exists()).unwrap_or(&"mosquitto");
    let log = std::fs::File::create(output.join("mosquitto.log"))?;
    let mut command = Command::new(program);
    command.arg("-c").arg(&config).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let mut broker = Process(command.spawn().context("cannot start Mosquitto: apt-get install mosquitto")?);
    let deadline = Instant::now() + BROKER_START;
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        if !broker.is_running() || Instant::now() > deadline {
            bail!("Mosquitto does not listen; see {}", output.join("mosquitto.log").display());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(broker)
}

/// A child process that ends with its owner.
struct Process(Child);

impl Process {
    fn is_running(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    fn kill(&mut self) {
        // The child may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
