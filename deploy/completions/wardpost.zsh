#compdef wardpost

autoload -U is-at-least

_wardpost() {
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
":: :_wardpost_commands" \
"*::: :->wardpost" \
&& ret=0
    case $state in
    (wardpost)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardpost-command-$line[1]:"
        case $line[1] in
            (serve)
_arguments "${_arguments_options[@]}" : \
'--config=[The configuration \[default\: /etc/wardwatch/wardpost.toml, where there is one\]]:PATH:_files' \
'--database=[The database \[default\: /var/lib/wardpost/post.sqlite\]]:PATH:_files' \
'--broker=[The broker\: mqtts\://HOST\:PORT, or mqtt\://HOST\:PORT for one on the same machine]:URL:_default' \
'--ca=[PEM file of the authority that signed the broker'\''s certificate]:PATH:_files' \
'--cert=[PEM file of this post'\''s certificate chain]:PATH:_files' \
'--key=[PEM file of its private key]:PATH:_files' \
'--user=[User name at the broker]:NAME:_default' \
'--password-file=[File that holds nothing but the password]:PATH:_files' \
'--client-id=[Name of the post'\''s session at the broker \[default\: wardpost-WARD\]]:NAME:_default' \
'--ward=[The ward whose boxes are heard; + for all \[default\: +\]]:WARD:_default' \
'--silent-after=[A box from which nothing comes for so many seconds is reported \[default\: 300\]]:SECONDS:_default' \
'--keep-days=[Alerts are removed after so many days \[default\: 90\]]:DAYS:_default' \
'--stay-up[Stay up where the configuration has faults, as the unit does\: receive once it has none. Without it, a fault ends the program]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(tail)
_arguments "${_arguments_options[@]}" : \
'--last=[Begin with so many that are stored already]:N:_default' \
'--thumbnails=[Write each thumbnail into this folder, as JPEG]:FOLDER:_files' \
'--config=[The configuration \[default\: /etc/wardwatch/wardpost.toml, where there is one\]]:PATH:_files' \
'--database=[The database \[default\: /var/lib/wardpost/post.sqlite\]]:PATH:_files' \
'--lang=[The language\: vi or en \[default\: as the configuration says, or else vi\]]:LANGUAGE:_default' \
'--socket=[Socket of the service that shows alerts to the group wardpost-readers]:PATH:_files' \
'--inline[Show thumbnails in the terminal\: kitty, iTerm2 and those that understand the same]' \
'--json[Print JSON lines instead; times are in UTC]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(list)
_arguments "${_arguments_options[@]}" : \
'--box=[Of this box only]:ID:_default' \
'--camera=[Of this camera only]:ID:_default' \
'--severity=[As severe as this, or more\: notice, warning, critical]:SEVERITY:_default' \
'--since=[List alerts received since\: "24/11/2026 22\:10" or "2026-11-24 22\:10" in local time, 22\:10 for today, "hôm qua 22\:10", "thứ ba 22\:10", "yesterday 22\:10", "tuesday 22\:10", a day alone, or RFC 3339]:TIME:_default' \
'--limit=[At most so many, the last ones]:N:_default' \
'--config=[The configuration \[default\: /etc/wardwatch/wardpost.toml, where there is one\]]:PATH:_files' \
'--database=[The database \[default\: /var/lib/wardpost/post.sqlite\]]:PATH:_files' \
'--lang=[The language\: vi or en \[default\: as the configuration says, or else vi\]]:LANGUAGE:_default' \
'--socket=[Socket of the service that shows alerts to the group wardpost-readers]:PATH:_files' \
'(--camera --severity --since --limit)--missing[List instead which numbers are missing or lost; exit code 3 where some are missing that may still come]' \
'--json[Print a JSON array instead; times are in UTC]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(show)
_arguments "${_arguments_options[@]}" : \
'--thumbnail=[Write its thumbnail into this file, as JPEG; the access log says who did]:FILE:_files' \
'--config=[The configuration \[default\: /etc/wardwatch/wardpost.toml, where there is one\]]:PATH:_files' \
'--database=[The database \[default\: /var/lib/wardpost/post.sqlite\]]:PATH:_files' \
'--lang=[The language\: vi or en \[default\: as the configuration says, or else vi\]]:LANGUAGE:_default' \
'--socket=[Socket of the service that shows alerts to the group wardpost-readers]:PATH:_files' \
'--json[Print a JSON array of its messages instead; times are in UTC]' \
'-h[Print help]' \
'--help[Print help]' \
':alert -- The alert\: its id, or the beginning of it; `wardpost list` names them:_default' \
&& ret=0
;;
(status)
_arguments "${_arguments_options[@]}" : \
'--ward=[Boxes of this ward only]:WARD:_default' \
'--box=[This box only. With --json, its vitals of each hour of the last month, too]:ID:_default' \
'--config=[The configuration \[default\: /etc/wardwatch/wardpost.toml, where there is one\]]:PATH:_files' \
'--database=[The database \[default\: /var/lib/wardpost/post.sqlite\]]:PATH:_files' \
'--lang=[The language\: vi or en \[default\: as the configuration says, or else vi\]]:LANGUAGE:_default' \
'--socket=[Socket of the service that shows alerts to the group wardpost-readers]:PATH:_files' \
'--trouble[Boxes with trouble only]' \
'--json[Print one JSON object instead\: \`boxes\`, \`boxes_total\`, \`boxes_with_trouble\`, \`refused\`, \`last_refused\`, \`post\`. Times are in UTC]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(settle)
_arguments "${_arguments_options[@]}" : \
'--why=[Why nobody will ever send what is missing. It is kept, with the time and who says so]:TEXT:_default' \
'--who=[Who says so \[default\: who is logged in\]]:NAME:_default' \
'--config=[The configuration \[default\: /etc/wardwatch/wardpost.toml, where there is one\]]:PATH:_files' \
'--database=[The database \[default\: /var/lib/wardpost/post.sqlite\]]:PATH:_files' \
'-h[Print help]' \
'--help[Print help]' \
':named -- The box\: its id, or WARD/BOX where two wards have one of this name:_default' \
':outbox -- Its outbox\: its id, or the beginning of it; `wardpost list --missing` names it:_default' \
&& ret=0
;;
(forget)
_arguments "${_arguments_options[@]}" : \
'--reason=[Reason of the removal. It is kept in the log, with the time and the person]:TEXT:_default' \
'--who=[Person that does it \[default\: who is logged in\]]:NAME:_default' \
'--config=[The configuration \[default\: /etc/wardwatch/wardpost.toml, where there is one\]]:PATH:_files' \
'--database=[The database \[default\: /var/lib/wardpost/post.sqlite\]]:PATH:_files' \
'--alerts[Remove its stored alerts too; without it they stay for their days]' \
'-h[Print help]' \
'--help[Print help]' \
':named -- The box\: its id, or WARD/BOX where two wards have one of this name:_default' \
&& ret=0
;;
(log)
_arguments "${_arguments_options[@]}" : \
'--end=[With --verify\: an end that the log had, by a line of \`wardpost serve\` in the journal or by an earlier check]:ROWS:SHA256:_default' \
'--config=[The configuration \[default\: /etc/wardwatch/wardpost.toml, where there is one\]]:PATH:_files' \
'--database=[The database \[default\: /var/lib/wardpost/post.sqlite\]]:PATH:_files' \
'--lang=[The language\: vi or en \[default\: as the configuration says, or else vi\]]:LANGUAGE:_default' \
'--socket=[Socket of the service that shows alerts to the group wardpost-readers]:PATH:_files' \
'--verify[Check instead that rows were only added to the log; exit code 3 where some were changed, taken out or cut off]' \
'--json[Print one JSON object instead\: \`looks\`, \`settlements\`, \`forgotten\`, \`decisions\`, the first one first; with --verify \`rows\`, \`sha256\`, \`faults\`. Times are in UTC]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(feedback)
_arguments "${_arguments_options[@]}" : \
'-o+[Write into this file\: one JSON object for each alert, with box, camera, rule, outcome and the thumbnail'\''s sha256]:FILE:_files' \
'--output=[Write into this file\: one JSON object for each alert, with box, camera, rule, outcome and the thumbnail'\''s sha256]:FILE:_files' \
'--since=[Of events that were closed since\: "24/11/2026 22\:10", a day alone, "yesterday 22\:10", or RFC 3339 \[default\: all\]]:TIME:_default' \
'--config=[The configuration \[default\: /etc/wardwatch/wardpost.toml, where there is one\]]:PATH:_files' \
'--database=[The database \[default\: /var/lib/wardpost/post.sqlite\]]:PATH:_files' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(user)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
":: :_wardpost__subcmd__user_commands" \
"*::: :->user" \
&& ret=0

    case $state in
    (user)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardpost-user-command-$line[1]:"
        case $line[1] in
            (add)
_arguments "${_arguments_options[@]}" : \
'--full-name=[The name that others read \[default\: the login name\]]:NAME:_default' \
'--role=[Rights\: officer, commander or administrator]:ROLE:_default' \
'--config=[The configuration \[default\: /etc/wardwatch/wardpost.toml, where there is one\]]:PATH:_files' \
'--database=[The database \[default\: /var/lib/wardpost/post.sqlite\]]:PATH:_files' \
'--lang=[The language\: vi or en \[default\: as the configuration says, or else vi\]]:LANGUAGE:_default' \
'--socket=[Socket of the service that shows alerts to the group wardpost-readers]:PATH:_files' \
'--code[Print a one-time code, with which the officer sets the password on the page]' \
'-h[Print help]' \
'--help[Print help]' \
':name -- Login name\: a-z, 0-9, dot, hyphen and underscore, a letter first:_default' \
&& ret=0
;;
(passwd)
_arguments "${_arguments_options[@]}" : \
'--config=[The configuration \[default\: /etc/wardwatch/wardpost.toml, where there is one\]]:PATH:_files' \
'--database=[The database \[default\: /var/lib/wardpost/post.sqlite\]]:PATH:_files' \
'--lang=[The language\: vi or en \[default\: as the configuration says, or else vi\]]:LANGUAGE:_default' \
'--socket=[Socket of the service that shows alerts to the group wardpost-readers]:PATH:_files' \
'--code[Print a one-time code instead, with which the officer sets the password on the page]' \
'-h[Print help]' \
'--help[Print help]' \
':name -- Login name:_default' \
&& ret=0
;;
(list)
_arguments "${_arguments_options[@]}" : \
'--config=[The configuration \[default\: /etc/wardwatch/wardpost.toml, where there is one\]]:PATH:_files' \
'--database=[The database \[default\: /var/lib/wardpost/post.sqlite\]]:PATH:_files' \
'--lang=[The language\: vi or en \[default\: as the configuration says, or else vi\]]:LANGUAGE:_default' \
'--socket=[Socket of the service that shows alerts to the group wardpost-readers]:PATH:_files' \
'--json[Print a JSON array instead. Times are in UTC]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(remove)
_arguments "${_arguments_options[@]}" : \
'--config=[The configuration \[default\: /etc/wardwatch/wardpost.toml, where there is one\]]:PATH:_files' \
'--database=[The database \[default\: /var/lib/wardpost/post.sqlite\]]:PATH:_files' \
'--lang=[The language\: vi or en \[default\: as the configuration says, or else vi\]]:LANGUAGE:_default' \
'--socket=[Socket of the service that shows alerts to the group wardpost-readers]:PATH:_files' \
'-h[Print help]' \
'--help[Print help]' \
':name -- Login name:_default' \
&& ret=0
;;
        esac
    ;;
esac
;;
(demo)
_arguments "${_arguments_options[@]}" : \
'--port=[Port of the page on 127.0.0.1 \[default\: one that is free\]]:PORT:_default' \
'--seconds=[Ends after so many seconds; 0 for until Ctrl-C]:SECONDS:_default' \
'--seed=[Draws another ward; the same number draws the same one]:NUMBER:_default' \
'--lang=[Language of the page\: vi or en \[default\: that of the locale\]]:LANGUAGE:_default' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(completions)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
':shell -- Which shell:(bash elvish fish powershell zsh)' \
&& ret=0
;;
        esac
    ;;
esac
}

(( $+functions[_wardpost_commands] )) ||
_wardpost_commands() {
    local commands; commands=(
'serve:Receives alerts from the broker, stores them, and acknowledges them to the boxes' \
'tail:Shows alerts as they arrive' \
'list:Lists stored alerts, or which are missing' \
'show:Shows one alert whole' \
'status:Says how the boxes are\: who is silent, what is missing. Exit code 3 where something is' \
'settle:Says of an outbox that what is missing of it will never come\: nobody is asked for it any more' \
'forget:Removes a box that is no more from the list, and clears the broker'\''s retained messages of it' \
'log:Says who looked at which thumbnail, and who settled or removed what, when and why; or if the log is whole' \
'feedback:Writes what officers judged about alerts into a file, from which installers tune rules' \
'user:Makes, lists and removes accounts of the duty officers'\'' page' \
'demo:Shows the duty officers'\'' page with a drawn ward\: no broker, no box, nothing that stays' \
'completions:Prints the completions of a shell' \
    )
    _describe -t commands 'wardpost commands' commands "$@"
}
(( $+functions[_wardpost__subcmd__completions_commands] )) ||
_wardpost__subcmd__completions_commands() {
    local commands; commands=()
    _describe -t commands 'wardpost completions commands' commands "$@"
}
(( $+functions[_wardpost__subcmd__demo_commands] )) ||
_wardpost__subcmd__demo_commands() {
    local commands; commands=()
    _describe -t commands 'wardpost demo commands' commands "$@"
}
(( $+functions[_wardpost__subcmd__feedback_commands] )) ||
_wardpost__subcmd__feedback_commands() {
    local commands; commands=()
    _describe -t commands 'wardpost feedback commands' commands "$@"
}
(( $+functions[_wardpost__subcmd__forget_commands] )) ||
_wardpost__subcmd__forget_commands() {
    local commands; commands=()
    _describe -t commands 'wardpost forget commands' commands "$@"
}
(( $+functions[_wardpost__subcmd__list_commands] )) ||
_wardpost__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'wardpost list commands' commands "$@"
}
(( $+functions[_wardpost__subcmd__log_commands] )) ||
_wardpost__subcmd__log_commands() {
    local commands; commands=()
    _describe -t commands 'wardpost log commands' commands "$@"
}
(( $+functions[_wardpost__subcmd__serve_commands] )) ||
_wardpost__subcmd__serve_commands() {
    local commands; commands=()
    _describe -t commands 'wardpost serve commands' commands "$@"
}
(( $+functions[_wardpost__subcmd__settle_commands] )) ||
_wardpost__subcmd__settle_commands() {
    local commands; commands=()
    _describe -t commands 'wardpost settle commands' commands "$@"
}
(( $+functions[_wardpost__subcmd__show_commands] )) ||
_wardpost__subcmd__show_commands() {
    local commands; commands=()
    _describe -t commands 'wardpost show commands' commands "$@"
}
(( $+functions[_wardpost__subcmd__status_commands] )) ||
_wardpost__subcmd__status_commands() {
    local commands; commands=()
    _describe -t commands 'wardpost status commands' commands "$@"
}
(( $+functions[_wardpost__subcmd__tail_commands] )) ||
_wardpost__subcmd__tail_commands() {
    local commands; commands=()
    _describe -t commands 'wardpost tail commands' commands "$@"
}
(( $+functions[_wardpost__subcmd__user_commands] )) ||
_wardpost__subcmd__user_commands() {
    local commands; commands=(
'add:Makes an account. Asks for its password, or prints a one-time code with --code' \
'passwd:Sets a new password, and ends the officer'\''s logins' \
'list:Lists the accounts' \
'remove:Removes an account, and ends the officer'\''s logins. Its name stays in what it did' \
    )
    _describe -t commands 'wardpost user commands' commands "$@"
}
(( $+functions[_wardpost__subcmd__user__subcmd__add_commands] )) ||
_wardpost__subcmd__user__subcmd__add_commands() {
    local commands; commands=()
    _describe -t commands 'wardpost user add commands' commands "$@"
}
(( $+functions[_wardpost__subcmd__user__subcmd__list_commands] )) ||
_wardpost__subcmd__user__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'wardpost user list commands' commands "$@"
}
(( $+functions[_wardpost__subcmd__user__subcmd__passwd_commands] )) ||
_wardpost__subcmd__user__subcmd__passwd_commands() {
    local commands; commands=()
    _describe -t commands 'wardpost user passwd commands' commands "$@"
}
(( $+functions[_wardpost__subcmd__user__subcmd__remove_commands] )) ||
_wardpost__subcmd__user__subcmd__remove_commands() {
    local commands; commands=()
    _describe -t commands 'wardpost user remove commands' commands "$@"
}

if [ "$funcstack[1]" = "_wardpost" ]; then
    _wardpost "$@"
else
    compdef _wardpost wardpost
fi
