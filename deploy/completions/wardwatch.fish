# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_wardwatch_global_optspecs
    string join \n h/help V/version
end

function __fish_wardwatch_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_wardwatch_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_wardwatch_using_subcommand
    set -l cmd (__fish_wardwatch_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c wardwatch -n "__fish_wardwatch_needs_command" -s h -l help -d 'Print help'
complete -c wardwatch -n "__fish_wardwatch_needs_command" -s V -l version -d 'Print version'
complete -c wardwatch -n "__fish_wardwatch_needs_command" -f -a "run" -d 'Runs the box: records, analyses, and sends alerts'
complete -c wardwatch -n "__fish_wardwatch_needs_command" -f -a "check" -d 'Checks the configuration and prints a summary'
complete -c wardwatch -n "__fish_wardwatch_needs_command" -f -a "doctor" -d 'Checks if this box is ready: configuration, model, cameras, disk, clock, broker'
complete -c wardwatch -n "__fish_wardwatch_needs_command" -f -a "reload" -d 'Has the running box take up a changed configuration, and waits for the outcome'
complete -c wardwatch -n "__fish_wardwatch_needs_command" -f -a "status" -d 'Reports the state of the running box'
complete -c wardwatch -n "__fish_wardwatch_needs_command" -f -a "picture" -d 'Shows a camera\'s picture with its zones, lines and masks, and a page on which they are drawn'
complete -c wardwatch -n "__fish_wardwatch_needs_command" -f -a "replay" -d 'Analyses a video file as fast as the machine can; prints JSON lines'
complete -c wardwatch -n "__fish_wardwatch_needs_command" -f -a "clips" -d 'Lists and exports footage, and shows who did'
complete -c wardwatch -n "__fish_wardwatch_needs_command" -f -a "model" -d 'Lists, checks and measures detection models'
complete -c wardwatch -n "__fish_wardwatch_needs_command" -f -a "store" -d 'Reports faults of the footage and its index, and repairs them'
complete -c wardwatch -n "__fish_wardwatch_needs_command" -f -a "keygen" -d 'Makes this box\'s private key, and the request for its certificate'
complete -c wardwatch -n "__fish_wardwatch_needs_command" -f -a "completions" -d 'Prints the completions of a shell'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand run" -l config -d 'The configuration; `conf.d/*.toml` beside it is read too' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand run" -l runtime-directory -d 'Folder for the box\'s state, which `wardwatch status` reads, and its metrics: one whose files do not outlive a restart of the machine. systemd names it by itself. Without one, neither is written' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand run" -l state-directory -d 'Folder for the copy of the last configuration without a fault, with --stay-up. systemd names it by itself' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand run" -l stay-up -d 'Stay up where the configuration has faults, as the unit does: run the last one without a fault, else the part that has none, and say in `wardwatch status` what does not run. Without it, a fault at the start ends the program'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand run" -s h -l help -d 'Print help'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand check" -l config -d 'The configuration; conf.d/*.toml beside it is read as well' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand check" -l user -d 'The user who must be able to read every file that it names: a name or a number [default: wardwatch where root asks, else this user]' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand check" -l json -d 'Print one JSON object instead: `problems`, or `warnings` and `summary`'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand check" -s h -l help -d 'Print help'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand doctor" -l config -d 'The configuration; conf.d/*.toml beside it is read as well' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand doctor" -l runtime-directory -d 'The folder that `wardwatch run` was given as --runtime-directory: a daemon that runs is asked there' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand doctor" -l user -d 'The user who must be able to read every file of the configuration: a name or a number [default: wardwatch where root asks, else this user]' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand doctor" -l patience -d 'Maximum time for a camera to send enough for the checks' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand doctor" -l json -d 'Print one JSON array instead: `about`, `verdict` (pass, mind for a warning, fail), `what`, `remedy`'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand reload" -l pid -d 'The daemon\'s process [default: as its files say]' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand reload" -l runtime-directory -d 'The folder that `wardwatch run` was given as --runtime-directory' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand reload" -s h -l help -d 'Print help'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand status" -l runtime-directory -d 'The folder that `wardwatch run` was given as --runtime-directory' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand status" -l json -d 'Print one JSON object instead: the state of the daemon, `age_seconds`, and `troubles`. Times are in UTC'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand status" -s h -l help -d 'Print help'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand picture" -s o -l output -d 'The file to write: .jpg for a picture, .html for a page on which zones and lines are drawn and copied as TOML' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand picture" -l config -d 'The configuration; conf.d/*.toml beside it is read as well' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand picture" -l reason -d 'The reason; it stands in the access log' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand picture" -l who -d 'On whose behalf; default: who is logged in' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand picture" -l patience -d 'Maximum time for a picture to come' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand picture" -l live -d 'Connect to the camera, also where something of it is recorded'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand picture" -s h -l help -d 'Print help'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand replay" -l config -d 'Take detector and rules from this configuration; --camera says whose' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand replay" -l camera -d 'The configured camera that the file stands for' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand replay" -l model -d 'The detector: street-nano (the default), motion, a manifest, or a known network\'s .onnx file' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand replay" -l score-min -d 'Drop detections below this score' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand replay" -l fps -d 'Frames per second of the file\'s time' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand replay" -l starts-at -d 'Wall time of the file\'s start, for schedules (RFC 3339). Default: now' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand replay" -l jpegs -d 'Write each frame here as a JPEG, with tracks, zones and lines drawn in' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand replay" -l sheet -d 'Write the thumbnails of all events here, on one JPEG' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand replay" -l page -d 'Write a page for the browser here: a timeline of rules and tracks, the picture with zones and lines, events with thumbnails and reasons' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand replay" -l truth -d 'Compare the events with the expected ones, as `cargo run --example scenario` writes it; exit code 3 if they differ' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand replay" -l every-frame -d 'Have a network see every frame whole, instead of the parts that the motion gate lets through: a reference for the box\'s own analysis'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand replay" -l json -d 'Print a line of JSON for every frame (looks, detections, tracks, events) instead of the events in words'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand replay" -l why-not -d 'Say why rules did not fire, and how near those came who were never in the zone or over the line'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand replay" -s h -l help -d 'Print help'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and not __fish_seen_subcommand_from list export hold holds release log" -s h -l help -d 'Print help'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and not __fish_seen_subcommand_from list export hold holds release log" -f -a "list" -d 'Lists alerts with their footage, or with --footage all footage'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and not __fish_seen_subcommand_from list export hold holds release log" -f -a "export" -d 'Writes footage as MP4 files that play everywhere; the access log says who did and why'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and not __fish_seen_subcommand_from list export hold holds release log" -f -a "hold" -d 'Keeps footage as evidence: nothing of it is removed until it is released. The daemon may run meanwhile'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and not __fish_seen_subcommand_from list export hold holds release log" -f -a "holds" -d 'Lists the holds'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and not __fish_seen_subcommand_from list export hold holds release log" -f -a "release" -d 'Ends a hold'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and not __fish_seen_subcommand_from list export hold holds release log" -f -a "log" -d 'Prints the access log: who exported, held or released footage, and why'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from list" -l camera -d 'This camera only; may be given several times' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from list" -l from -d 'Only footage or alerts that end after this: "24/11/2026 22:10" or "2026-11-24 22:10" in the box\'s time zone, 22:10 for today, "yesterday 22:10", "tuesday 22:10", "hôm qua 22:10", "thứ ba 22:10", a day alone, or RFC 3339' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from list" -l to -d 'Only footage or alerts that start before this; a day alone counts to its end' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from list" -l limit -d 'At most so many, the youngest; with --footage of each camera' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from list" -l config -d 'The configuration of the box; names the store and the time zone' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from list" -l directory -d 'The store itself, for a disk out of another box; times are in this machine\'s time zone then' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from list" -l footage -d 'List all footage of each camera instead, and where it is missing'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from list" -l json -d 'Print a JSON array instead; times are in UTC'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from export" -l camera -d 'The footage of this camera from --from to --to; may be given several times' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from export" -l from -d '"24/11/2026 22:10" or "2026-11-24 22:10" in the box\'s time zone, 22:10 for today, "yesterday 22:10", "tuesday 22:10", "hôm qua 22:10", "thứ ba 22:10", a day alone, or RFC 3339' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from export" -l to -d 'Until when, in the same way; a day alone counts to its end' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from export" -l output -d 'An existing folder; nothing in it is written over' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from export" -l reason -d 'The reason; it stands in the access log and in the files' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from export" -l who -d 'On whose behalf; default: who is logged in' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from export" -l config -d 'The configuration of the box; names the store and the time zone' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from export" -l directory -d 'The store itself, for a disk out of another box; times are in this machine\'s time zone then' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from export" -l json -d 'Print one JSON object instead; times are in UTC'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from hold" -l camera -d 'The camera whose footage is held' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from hold" -l from -d '"24/11/2026 22:10" or "2026-11-24 22:10" in the box\'s time zone, 22:10 for today, "yesterday 22:10", "tuesday 22:10", "hôm qua 22:10", "thứ ba 22:10", a day alone, or RFC 3339' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from hold" -l to -d 'Until when, in the same way; may be in the future. A day alone counts to its end' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from hold" -l reason -d 'The reason: a case number, an order, a name. It stands in the access log' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from hold" -l who -d 'On whose behalf; default: who is logged in' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from hold" -l config -d 'The configuration of the box; names the store and the time zone' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from hold" -l directory -d 'The store itself, for a disk out of another box; times are in this machine\'s time zone then' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from hold" -s h -l help -d 'Print help'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from holds" -l config -d 'The configuration of the box; names the store and the time zone' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from holds" -l directory -d 'The store itself, for a disk out of another box; times are in this machine\'s time zone then' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from holds" -l json -d 'Print one JSON object instead: `holds` and `damaged`'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from holds" -s h -l help -d 'Print help'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from release" -l reason -d 'The reason: a case number, an order, a name. It stands in the access log' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from release" -l who -d 'On whose behalf; default: who is logged in' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from release" -l config -d 'The configuration of the box; names the store and the time zone' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from release" -l directory -d 'The store itself, for a disk out of another box; times are in this machine\'s time zone then' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from release" -s h -l help -d 'Print help'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from log" -l config -d 'The configuration of the box; names the store and the time zone' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from log" -l directory -d 'The store itself, for a disk out of another box; times are in this machine\'s time zone then' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from log" -l verify -d 'Only say whether the log was changed or cut since it was written; exit code 3 if so'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from log" -l json -d 'Print one JSON object instead: `entries`, `broken_at_line`, `torn_lines`, `fault`. Times are in UTC'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand clips; and __fish_seen_subcommand_from log" -s h -l help -d 'Print help'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and not __fish_seen_subcommand_from list get check bench eval compare" -s h -l help -d 'Print help'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and not __fish_seen_subcommand_from list get check bench eval compare" -f -a "list" -d 'List the networks that are known by their file alone'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and not __fish_seen_subcommand_from list get check bench eval compare" -f -a "get" -d 'Bring a known network from its public origin, or from a stick'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and not __fish_seen_subcommand_from list get check bench eval compare" -f -a "check" -d 'Load a network, hold it against its manifest, run it once; exit 3 if something is wrong with it'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and not __fish_seen_subcommand_from list get check bench eval compare" -f -a "bench" -d 'Measure the cost of a network on this machine, and how many cameras it can serve'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and not __fish_seen_subcommand_from list get check bench eval compare" -f -a "eval" -d 'Measure a network\'s average precision on a folder of labelled pictures'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and not __fish_seen_subcommand_from list get check bench eval compare" -f -a "compare" -d 'Compare a network with a reference network on footage'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and __fish_seen_subcommand_from list" -l json -d 'As JSON'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and __fish_seen_subcommand_from get" -l from -d 'Take the file from a disk, for a box without a network: the file, or the folder with it' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and __fish_seen_subcommand_from get" -l url -d 'Take the file from a mirror; its sha256 must be the same' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and __fish_seen_subcommand_from get" -l output -d 'The folder for the network [default: models in the store\'s directory, or /var/lib/wardwatch/models]' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and __fish_seen_subcommand_from get" -l config -d 'The configuration, which names the store\'s directory' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and __fish_seen_subcommand_from get" -l list -d 'List the networks that can be downloaded'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and __fish_seen_subcommand_from get" -s h -l help -d 'Print help'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and __fish_seen_subcommand_from check" -l size -d 'Size of its input, as 640x384, where it is not to be that of its manifest' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and __fish_seen_subcommand_from check" -l json -d 'As JSON'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and __fish_seen_subcommand_from bench" -l size -d 'Size of its input, as 640x384, where it is not to be that of its manifest' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and __fish_seen_subcommand_from bench" -l runs -d 'Inferences of each input size, one size after the other in each round' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and __fish_seen_subcommand_from bench" -l cpu-share-max -d 'The part of all cores that may be spent on looking, as `cpu_share_max` of the configuration' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and __fish_seen_subcommand_from bench" -l profile -d 'Cost of each operator, at the largest size'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and __fish_seen_subcommand_from bench" -l json -d 'As JSON'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and __fish_seen_subcommand_from bench" -s h -l help -d 'Print help'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and __fish_seen_subcommand_from eval" -l map -d 'Labels of the folder\'s class ids, as 0=two-wheeler,1=car; without, they are the network\'s own' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and __fish_seen_subcommand_from eval" -l as-one -d 'Labels that count as one, as car,large-vehicle' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and __fish_seen_subcommand_from eval" -l size -d 'Size of the network\'s input, as 640x384, where it is not to be that of its manifest' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and __fish_seen_subcommand_from eval" -l json -d 'As JSON'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and __fish_seen_subcommand_from eval" -s h -l help -d 'Print help'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and __fish_seen_subcommand_from compare" -l fps -d 'Pictures per second of footage' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and __fish_seen_subcommand_from compare" -l reference-score-min -d 'Lowest score of the reference that counts, 0 to 1' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and __fish_seen_subcommand_from compare" -l score-min -d 'Lowest score of the network that counts, 0 to 1' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and __fish_seen_subcommand_from compare" -l json -d 'As JSON'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand model; and __fish_seen_subcommand_from compare" -s h -l help -d 'Print help'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand store; and not __fish_seen_subcommand_from check repair" -s h -l help -d 'Print help'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand store; and not __fish_seen_subcommand_from check repair" -f -a "check" -d 'Checks the store and lists its faults. Changes nothing; the daemon may run'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand store; and not __fish_seen_subcommand_from check repair" -f -a "repair" -d 'Repairs the store, then checks every byte. The daemon must be stopped. Footage is never removed'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand store; and __fish_seen_subcommand_from check" -l config -d 'The configuration that names the store' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand store; and __fish_seen_subcommand_from check" -l directory -d 'The store\'s folder; the configuration is not read' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand store; and __fish_seen_subcommand_from check" -l deep -d 'Read every byte: compare all footage with its sha256, and check the whole index'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand store; and __fish_seen_subcommand_from check" -l json -d 'Print one JSON object instead: `findings`'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand store; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand store; and __fish_seen_subcommand_from repair" -l config -d 'The configuration that names the store' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand store; and __fish_seen_subcommand_from repair" -l directory -d 'The store\'s folder; the configuration is not read' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand store; and __fish_seen_subcommand_from repair" -l json -d 'Print one JSON object instead: `done` and `findings`'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand store; and __fish_seen_subcommand_from repair" -s h -l help -d 'Print help'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand keygen" -l config -d 'The configuration that says which box this is, and where its key and certificate go' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand keygen" -l box -d 'The box\'s id, instead of the configured one' -r
complete -c wardwatch -n "__fish_wardwatch_using_subcommand keygen" -l out -d 'Folder for key, request and certificate [default: where broker.key_file and broker.cert_file are]' -r -F
complete -c wardwatch -n "__fish_wardwatch_using_subcommand keygen" -l force -d 'Make a new key also where there is one. The certificate that goes with the old one is of no use any more'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand keygen" -s h -l help -d 'Print help'
complete -c wardwatch -n "__fish_wardwatch_using_subcommand completions" -s h -l help -d 'Print help'
