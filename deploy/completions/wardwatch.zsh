#compdef wardwatch

autoload -U is-at-least

_wardwatch() {
    typeset -A opt_args
    typeset -a _arguments_options
    local ret=1

    if is-at-least 5.2; then
        _arguments_options=(-s -S -C)
    else
        _arguments_options=(-s -C)
    fi

    local context curcontext="$curcontext" state line
    _arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
":: :_wardwatch_commands" \
"*::: :->wardwatch" \
&& ret=0
    case $state in
    (wardwatch)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardwatch-command-$line[1]:"
        case $line[1] in
            (run)
_arguments "${_arguments_options[@]}" : \
'--config=[The configuration; \`conf.d/*.toml\` beside it is read too]:CONFIG:_files' \
'--runtime-directory=[Folder for the box'\''s state, which \`wardwatch status\` reads, and its metrics\: one whose files do not outlive a restart of the machine. systemd names it by itself. Without one, neither is written]:FOLDER:_files' \
'--state-directory=[Folder for the copy of the last configuration without a fault, with --stay-up. systemd names it by itself]:FOLDER:_files' \
'--stay-up[Stay up where the configuration has faults, as the unit does\: run the last one without a fault, else the part that has none, and say in \`wardwatch status\` what does not run. Without it, a fault at the start ends the program]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(check)
_arguments "${_arguments_options[@]}" : \
'--config=[The configuration; conf.d/*.toml beside it is read as well]:PATH:_files' \
'--user=[The user who must be able to read every file that it names\: a name or a number \[default\: wardwatch where root asks, else this user\]]:USER:_default' \
'--json[Print one JSON object instead\: \`problems\`, or \`warnings\` and \`summary\`]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(doctor)
_arguments "${_arguments_options[@]}" : \
'--config=[The configuration; conf.d/*.toml beside it is read as well]:PATH:_files' \
'--runtime-directory=[The folder that \`wardwatch run\` was given as --runtime-directory\: a daemon that runs is asked there]:FOLDER:_files' \
'--user=[The user who must be able to read every file of the configuration\: a name or a number \[default\: wardwatch where root asks, else this user\]]:USER:_default' \
'--patience=[Maximum time for a camera to send enough for the checks]:SECONDS:_default' \
'--json[Print one JSON array instead\: \`about\`, \`verdict\` (pass, mind for a warning, fail), \`what\`, \`remedy\`]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(reload)
_arguments "${_arguments_options[@]}" : \
'--pid=[The daemon'\''s process \[default\: as its files say\]]:PID:_default' \
'--runtime-directory=[The folder that \`wardwatch run\` was given as --runtime-directory]:FOLDER:_files' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(status)
_arguments "${_arguments_options[@]}" : \
'--runtime-directory=[The folder that \`wardwatch run\` was given as --runtime-directory]:FOLDER:_files' \
'--json[Print one JSON object instead\: the state of the daemon, \`age_seconds\`, and \`troubles\`. Times are in UTC]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(picture)
_arguments "${_arguments_options[@]}" : \
'-o+[The file to write\: .jpg for a picture, .html for a page on which zones and lines are drawn and copied as TOML]:FILE:_files' \
'--output=[The file to write\: .jpg for a picture, .html for a page on which zones and lines are drawn and copied as TOML]:FILE:_files' \
'--config=[The configuration; conf.d/*.toml beside it is read as well]:PATH:_files' \
'--reason=[The reason; it stands in the access log]:TEXT:_default' \
'--who=[On whose behalf; default\: who is logged in]:NAME:_default' \
'--patience=[Maximum time for a picture to come]:SECONDS:_default' \
'--live[Connect to the camera, also where something of it is recorded]' \
'-h[Print help]' \
'--help[Print help]' \
':camera -- The configured camera:_default' \
&& ret=0
;;
(replay)
_arguments "${_arguments_options[@]}" : \
'--config=[Take detector and rules from this configuration; --camera says whose]:CONFIG:_files' \
'--camera=[The configured camera that the file stands for]:CAMERA:_default' \
'--model=[The detector\: street-nano (the default), motion, a manifest, or a known network'\''s .onnx file]:MODEL:_default' \
'--score-min=[Drop detections below this score]:SCORE_MIN:_default' \
'--fps=[Frames per second of the file'\''s time]:FPS:_default' \
'--starts-at=[Wall time of the file'\''s start, for schedules (RFC 3339). Default\: now]:STARTS_AT:_default' \
'--jpegs=[Write each frame here as a JPEG, with tracks, zones and lines drawn in]:FOLDER:_files' \
'--sheet=[Write the thumbnails of all events here, on one JPEG]:FILE:_files' \
'--page=[Write a page for the browser here\: a timeline of rules and tracks, the picture with zones and lines, events with thumbnails and reasons]:FILE:_files' \
'--truth=[Compare the events with the expected ones, as \`cargo run --example scenario\` writes it; exit code 3 if they differ]:FILE:_files' \
'--every-frame[Have a network see every frame whole, instead of the parts that the motion gate lets through\: a reference for the box'\''s own analysis]' \
'--json[Print a line of JSON for every frame (looks, detections, tracks, events) instead of the events in words]' \
'--why-not[Say why rules did not fire, and how near those came who were never in the zone or over the line]' \
'-h[Print help]' \
'--help[Print help]' \
':file -- A video file:_files' \
&& ret=0
;;
(clips)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
":: :_wardwatch__subcmd__clips_commands" \
"*::: :->clips" \
&& ret=0

    case $state in
    (clips)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardwatch-clips-command-$line[1]:"
        case $line[1] in
            (list)
_arguments "${_arguments_options[@]}" : \
'*--camera=[This camera only; may be given several times]:ID:_default' \
'--from=[Only footage or alerts that end after this\: "24/11/2026 22\:10" or "2026-11-24 22\:10" in the box'\''s time zone, 22\:10 for today, "yesterday 22\:10", "tuesday 22\:10", "hôm qua 22\:10", "thứ ba 22\:10", a day alone, or RFC 3339]:TIME:_default' \
'--to=[Only footage or alerts that start before this; a day alone counts to its end]:TIME:_default' \
'--limit=[At most so many, the youngest; with --footage of each camera]:N:_default' \
'--config=[The configuration of the box; names the store and the time zone]:PATH:_files' \
'(--config)--directory=[The store itself, for a disk out of another box; times are in this machine'\''s time zone then]:FOLDER:_files' \
'()--footage[List all footage of each camera instead, and where it is missing]' \
'--json[Print a JSON array instead; times are in UTC]' \
'-h[Print help]' \
'--help[Print help]' \
'::alert -- This alert only\: its id, or the beginning of it:_default' \
&& ret=0
;;
(export)
_arguments "${_arguments_options[@]}" : \
'*--camera=[The footage of this camera from --from to --to; may be given several times]:ID:_default' \
'--from=["24/11/2026 22\:10" or "2026-11-24 22\:10" in the box'\''s time zone, 22\:10 for today, "yesterday 22\:10", "tuesday 22\:10", "hôm qua 22\:10", "thứ ba 22\:10", a day alone, or RFC 3339]:TIME:_default' \
'--to=[Until when, in the same way; a day alone counts to its end]:TIME:_default' \
'--output=[An existing folder; nothing in it is written over]:FOLDER:_files' \
'--reason=[The reason; it stands in the access log and in the files]:TEXT:_default' \
'--who=[On whose behalf; default\: who is logged in]:NAME:_default' \
'--config=[The configuration of the box; names the store and the time zone]:PATH:_files' \
'(--config)--directory=[The store itself, for a disk out of another box; times are in this machine'\''s time zone then]:FOLDER:_files' \
'--json[Print one JSON object instead; times are in UTC]' \
'-h[Print help]' \
'--help[Print help]' \
'*::alert -- The footage of these alerts, from pre-roll to post-roll\: ids, or beginnings of them; `clips list` names them:_default' \
&& ret=0
;;
(hold)
_arguments "${_arguments_options[@]}" : \
'--camera=[The camera whose footage is held]:ID:_default' \
'--from=["24/11/2026 22\:10" or "2026-11-24 22\:10" in the box'\''s time zone, 22\:10 for today, "yesterday 22\:10", "tuesday 22\:10", "hôm qua 22\:10", "thứ ba 22\:10", a day alone, or RFC 3339]:TIME:_default' \
'--to=[Until when, in the same way; may be in the future. A day alone counts to its end]:TIME:_default' \
'--reason=[The reason\: a case number, an order, a name. It stands in the access log]:TEXT:_default' \
'--who=[On whose behalf; default\: who is logged in]:NAME:_default' \
'--config=[The configuration of the box; names the store and the time zone]:PATH:_files' \
'(--config)--directory=[The store itself, for a disk out of another box; times are in this machine'\''s time zone then]:FOLDER:_files' \
'-h[Print help]' \
'--help[Print help]' \
'::alert -- The alert whose footage is held, from pre-roll to post-roll\: its id, or the beginning of it:_default' \
&& ret=0
;;
(holds)
_arguments "${_arguments_options[@]}" : \
'--config=[The configuration of the box; names the store and the time zone]:PATH:_files' \
'(--config)--directory=[The store itself, for a disk out of another box; times are in this machine'\''s time zone then]:FOLDER:_files' \
'--json[Print one JSON object instead\: \`holds\` and \`damaged\`]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(release)
_arguments "${_arguments_options[@]}" : \
'--reason=[The reason\: a case number, an order, a name. It stands in the access log]:TEXT:_default' \
'--who=[On whose behalf; default\: who is logged in]:NAME:_default' \
'--config=[The configuration of the box; names the store and the time zone]:PATH:_files' \
'(--config)--directory=[The store itself, for a disk out of another box; times are in this machine'\''s time zone then]:FOLDER:_files' \
'-h[Print help]' \
'--help[Print help]' \
':hold -- The hold\: `wardwatch clips holds` names them:_default' \
&& ret=0
;;
(log)
_arguments "${_arguments_options[@]}" : \
'--config=[The configuration of the box; names the store and the time zone]:PATH:_files' \
'(--config)--directory=[The store itself, for a disk out of another box; times are in this machine'\''s time zone then]:FOLDER:_files' \
'--verify[Only say whether the log was changed or cut since it was written; exit code 3 if so]' \
'--json[Print one JSON object instead\: \`entries\`, \`broken_at_line\`, \`torn_lines\`, \`fault\`. Times are in UTC]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
        esac
    ;;
esac
;;
(model)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
":: :_wardwatch__subcmd__model_commands" \
"*::: :->model" \
&& ret=0

    case $state in
    (model)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardwatch-model-command-$line[1]:"
        case $line[1] in
            (list)
_arguments "${_arguments_options[@]}" : \
'--json[As JSON]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(get)
_arguments "${_arguments_options[@]}" : \
'(--url)--from=[Take the file from a disk, for a box without a network\: the file, or the folder with it]:FILE:_files' \
'--url=[Take the file from a mirror; its sha256 must be the same]:URL:_default' \
'--output=[The folder for the network \[default\: models in the store'\''s directory, or /var/lib/wardwatch/models\]]:FOLDER:_files' \
'--config=[The configuration, which names the store'\''s directory]:PATH:_files' \
'(--from --url --output)--list[List the networks that can be downloaded]' \
'-h[Print help]' \
'--help[Print help]' \
'::name -- The network\: yolox-nano, picodet-s or nanodet-plus:_default' \
&& ret=0
;;
(check)
_arguments "${_arguments_options[@]}" : \
'--size=[Size of its input, as 640x384, where it is not to be that of its manifest]:COLUMNSxROWS:_default' \
'--json[As JSON]' \
'-h[Print help]' \
'--help[Print help]' \
':path -- A manifest (.toml), a known network (.onnx), or street-nano:_files' \
&& ret=0
;;
(bench)
_arguments "${_arguments_options[@]}" : \
'--size=[Size of its input, as 640x384, where it is not to be that of its manifest]:COLUMNSxROWS:_default' \
'--runs=[Inferences of each input size, one size after the other in each round]:RUNS:_default' \
'--cpu-share-max=[The part of all cores that may be spent on looking, as \`cpu_share_max\` of the configuration]:CPU_SHARE_MAX:_default' \
'--profile[Cost of each operator, at the largest size]' \
'--json[As JSON]' \
'-h[Print help]' \
'--help[Print help]' \
':path -- A manifest (.toml), a known network (.onnx), or street-nano:_files' \
&& ret=0
;;
(eval)
_arguments "${_arguments_options[@]}" : \
'*--map=[Labels of the folder'\''s class ids, as 0=two-wheeler,1=car; without, they are the network'\''s own]:MAP:_default' \
'*--as-one=[Labels that count as one, as car,large-vehicle]:AS_ONE:_default' \
'--size=[Size of the network'\''s input, as 640x384, where it is not to be that of its manifest]:COLUMNSxROWS:_default' \
'--json[As JSON]' \
'-h[Print help]' \
'--help[Print help]' \
':model -- A manifest (.toml), a known network (.onnx), or street-nano:_files' \
':folder -- Folder with images/NAME.jpg and labels/NAME.txt (class x y width height, the last four 0 to 1); unclear/NAME.txt, the same lines, for objects that may be seen or not:_files' \
&& ret=0
;;
(compare)
_arguments "${_arguments_options[@]}" : \
'--fps=[Pictures per second of footage]:FPS:_default' \
'--reference-score-min=[Lowest score of the reference that counts, 0 to 1]:REFERENCE_SCORE_MIN:_default' \
'--score-min=[Lowest score of the network that counts, 0 to 1]:SCORE_MIN:_default' \
'--json[As JSON]' \
'-h[Print help]' \
'--help[Print help]' \
':model -- A manifest (.toml), a known network (.onnx), or street-nano:_files' \
':reference -- The network that is taken for right, the same:_files' \
'*::videos -- Video files:_files' \
&& ret=0
;;
        esac
    ;;
esac
;;
(store)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
":: :_wardwatch__subcmd__store_commands" \
"*::: :->store" \
&& ret=0

    case $state in
    (store)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardwatch-store-command-$line[1]:"
        case $line[1] in
            (check)
_arguments "${_arguments_options[@]}" : \
'--config=[The configuration that names the store]:PATH:_files' \
'(--config)--directory=[The store'\''s folder; the configuration is not read]:PATH:_files' \
'--deep[Read every byte\: compare all footage with its sha256, and check the whole index]' \
'--json[Print one JSON object instead\: \`findings\`]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(repair)
_arguments "${_arguments_options[@]}" : \
'--config=[The configuration that names the store]:PATH:_files' \
'(--config)--directory=[The store'\''s folder; the configuration is not read]:PATH:_files' \
'--json[Print one JSON object instead\: \`done\` and \`findings\`]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
        esac
    ;;
esac
;;
(keygen)
_arguments "${_arguments_options[@]}" : \
'--config=[The configuration that says which box this is, and where its key and certificate go]:PATH:_files' \
'--box=[The box'\''s id, instead of the configured one]:ID:_default' \
'--out=[Folder for key, request and certificate \[default\: where broker.key_file and broker.cert_file are\]]:FOLDER:_files' \
'--force[Make a new key also where there is one. The certificate that goes with the old one is of no use any more]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(completions)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
':shell -- The shell:(bash elvish fish powershell zsh)' \
&& ret=0
;;
        esac
    ;;
esac
}

(( $+functions[_wardwatch_commands] )) ||
_wardwatch_commands() {
    local commands; commands=(
'run:Runs the box\: records, analyses, and sends alerts' \
'check:Checks the configuration and prints a summary' \
'doctor:Checks if this box is ready\: configuration, model, cameras, disk, clock, broker' \
'reload:Has the running box take up a changed configuration, and waits for the outcome' \
'status:Reports the state of the running box' \
'picture:Shows a camera'\''s picture with its zones, lines and masks, and a page on which they are drawn' \
'replay:Analyses a video file as fast as the machine can; prints JSON lines' \
'clips:Lists and exports footage, and shows who did' \
'model:Lists, checks and measures detection models' \
'store:Reports faults of the footage and its index, and repairs them' \
'keygen:Makes this box'\''s private key, and the request for its certificate' \
'completions:Prints the completions of a shell' \
    )
    _describe -t commands 'wardwatch commands' commands "$@"
}
(( $+functions[_wardwatch__subcmd__check_commands] )) ||
_wardwatch__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'wardwatch check commands' commands "$@"
}
(( $+functions[_wardwatch__subcmd__clips_commands] )) ||
_wardwatch__subcmd__clips_commands() {
    local commands; commands=(
'list:Lists alerts with their footage, or with --footage all footage' \
'export:Writes footage as MP4 files that play everywhere; the access log says who did and why' \
'hold:Keeps footage as evidence\: nothing of it is removed until it is released. The daemon may run meanwhile' \
'holds:Lists the holds' \
'release:Ends a hold' \
'log:Prints the access log\: who exported, held or released footage, and why' \
    )
    _describe -t commands 'wardwatch clips commands' commands "$@"
}
(( $+functions[_wardwatch__subcmd__clips__subcmd__export_commands] )) ||
_wardwatch__subcmd__clips__subcmd__export_commands() {
    local commands; commands=()
    _describe -t commands 'wardwatch clips export commands' commands "$@"
}
(( $+functions[_wardwatch__subcmd__clips__subcmd__hold_commands] )) ||
_wardwatch__subcmd__clips__subcmd__hold_commands() {
    local commands; commands=()
    _describe -t commands 'wardwatch clips hold commands' commands "$@"
}
(( $+functions[_wardwatch__subcmd__clips__subcmd__holds_commands] )) ||
_wardwatch__subcmd__clips__subcmd__holds_commands() {
    local commands; commands=()
    _describe -t commands 'wardwatch clips holds commands' commands "$@"
}
(( $+functions[_wardwatch__subcmd__clips__subcmd__list_commands] )) ||
_wardwatch__subcmd__clips__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'wardwatch clips list commands' commands "$@"
}
(( $+functions[_wardwatch__subcmd__clips__subcmd__log_commands] )) ||
_wardwatch__subcmd__clips__subcmd__log_commands() {
    local commands; commands=()
    _describe -t commands 'wardwatch clips log commands' commands "$@"
}
(( $+functions[_wardwatch__subcmd__clips__subcmd__release_commands] )) ||
_wardwatch__subcmd__clips__subcmd__release_commands() {
    local commands; commands=()
    _describe -t commands 'wardwatch clips release commands' commands "$@"
}
(( $+functions[_wardwatch__subcmd__completions_commands] )) ||
_wardwatch__subcmd__completions_commands() {
    local commands; commands=()
    _describe -t commands 'wardwatch completions commands' commands "$@"
}
(( $+functions[_wardwatch__subcmd__doctor_commands] )) ||
_wardwatch__subcmd__doctor_commands() {
    local commands; commands=()
    _describe -t commands 'wardwatch doctor commands' commands "$@"
}
(( $+functions[_wardwatch__subcmd__keygen_commands] )) ||
_wardwatch__subcmd__keygen_commands() {
    local commands; commands=()
    _describe -t commands 'wardwatch keygen commands' commands "$@"
}
(( $+functions[_wardwatch__subcmd__model_commands] )) ||
_wardwatch__subcmd__model_commands() {
    local commands; commands=(
'list:List the networks that are known by their file alone' \
'get:Bring a known network from its public origin, or from a stick' \
'check:Load a network, hold it against its manifest, run it once; exit 3 if something is wrong with it' \
'bench:Measure the cost of a network on this machine, and how many cameras it can serve' \
'eval:Measure a network'\''s average precision on a folder of labelled pictures' \
'compare:Compare a network with a reference network on footage' \
    )
    _describe -t commands 'wardwatch model commands' commands "$@"
}
(( $+functions[_wardwatch__subcmd__model__subcmd__bench_commands] )) ||
_wardwatch__subcmd__model__subcmd__bench_commands() {
    local commands; commands=()
    _describe -t commands 'wardwatch model bench commands' commands "$@"
}
(( $+functions[_wardwatch__subcmd__model__subcmd__check_commands] )) ||
_wardwatch__subcmd__model__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'wardwatch model check commands' commands "$@"
}
(( $+functions[_wardwatch__subcmd__model__subcmd__compare_commands] )) ||
_wardwatch__subcmd__model__subcmd__compare_commands() {
    local commands; commands=()
    _describe -t commands 'wardwatch model compare commands' commands "$@"
}
(( $+functions[_wardwatch__subcmd__model__subcmd__eval_commands] )) ||
_wardwatch__subcmd__model__subcmd__eval_commands() {
    local commands; commands=()
    _describe -t commands 'wardwatch model eval commands' commands "$@"
}
(( $+functions[_wardwatch__subcmd__model__subcmd__get_commands] )) ||
_wardwatch__subcmd__model__subcmd__get_commands() {
    local commands; commands=()
    _describe -t commands 'wardwatch model get commands' commands "$@"
}
(( $+functions[_wardwatch__subcmd__model__subcmd__list_commands] )) ||
_wardwatch__subcmd__model__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'wardwatch model list commands' commands "$@"
}
(( $+functions[_wardwatch__subcmd__picture_commands] )) ||
_wardwatch__subcmd__picture_commands() {
    local commands; commands=()
    _describe -t commands 'wardwatch picture commands' commands "$@"
}
(( $+functions[_wardwatch__subcmd__reload_commands] )) ||
_wardwatch__subcmd__reload_commands() {
    local commands; commands=()
    _describe -t commands 'wardwatch reload commands' commands "$@"
}
(( $+functions[_wardwatch__subcmd__replay_commands] )) ||
_wardwatch__subcmd__replay_commands() {
    local commands; commands=()
    _describe -t commands 'wardwatch replay commands' commands "$@"
}
(( $+functions[_wardwatch__subcmd__run_commands] )) ||
_wardwatch__subcmd__run_commands() {
    local commands; commands=()
    _describe -t commands 'wardwatch run commands' commands "$@"
}
(( $+functions[_wardwatch__subcmd__status_commands] )) ||
_wardwatch__subcmd__status_commands() {
    local commands; commands=()
    _describe -t commands 'wardwatch status commands' commands "$@"
}
(( $+functions[_wardwatch__subcmd__store_commands] )) ||
_wardwatch__subcmd__store_commands() {
    local commands; commands=(
'check:Checks the store and lists its faults. Changes nothing; the daemon may run' \
'repair:Repairs the store, then checks every byte. The daemon must be stopped. Footage is never removed' \
    )
    _describe -t commands 'wardwatch store commands' commands "$@"
}
(( $+functions[_wardwatch__subcmd__store__subcmd__check_commands] )) ||
_wardwatch__subcmd__store__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'wardwatch store check commands' commands "$@"
}
(( $+functions[_wardwatch__subcmd__store__subcmd__repair_commands] )) ||
_wardwatch__subcmd__store__subcmd__repair_commands() {
    local commands; commands=()
    _describe -t commands 'wardwatch store repair commands' commands "$@"
}

if [ "$funcstack[1]" = "_wardwatch" ]; then
    _wardwatch "$@"
else
    compdef _wardwatch wardwatch
fi
