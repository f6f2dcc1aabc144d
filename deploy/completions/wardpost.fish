# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_wardpost_global_optspecs
    string join \n h/help V/version
end

function __fish_wardpost_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_wardpost_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_wardpost_using_subcommand
    set -l cmd (__fish_wardpost_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c wardpost -n "__fish_wardpost_needs_command" -s h -l help -d 'Print help'
complete -c wardpost -n "__fish_wardpost_needs_command" -s V -l version -d 'Print version'
complete -c wardpost -n "__fish_wardpost_needs_command" -f -a "serve" -d 'Receives alerts from the broker, stores them, and acknowledges them to the boxes'
complete -c wardpost -n "__fish_wardpost_needs_command" -f -a "tail" -d 'Shows alerts as they arrive'
complete -c wardpost -n "__fish_wardpost_needs_command" -f -a "list" -d 'Lists stored alerts, or which are missing'
complete -c wardpost -n "__fish_wardpost_needs_command" -f -a "show" -d 'Shows one alert whole'
complete -c wardpost -n "__fish_wardpost_needs_command" -f -a "status" -d 'Says how the boxes are: who is silent, what is missing. Exit code 3 where something is'
complete -c wardpost -n "__fish_wardpost_needs_command" -f -a "settle" -d 'Says of an outbox that what is missing of it will never come: nobody is asked for it any more'
complete -c wardpost -n "__fish_wardpost_needs_command" -f -a "forget" -d 'Removes a box that is no more from the list, and clears the broker\'s retained messages of it'
complete -c wardpost -n "__fish_wardpost_needs_command" -f -a "log" -d 'Says who looked at which thumbnail, and who settled or removed what, when and why; or if the log is whole'
complete -c wardpost -n "__fish_wardpost_needs_command" -f -a "feedback" -d 'Writes what officers judged about alerts into a file, from which installers tune rules'
complete -c wardpost -n "__fish_wardpost_needs_command" -f -a "user" -d 'Makes, lists and removes accounts of the duty officers\' page'
complete -c wardpost -n "__fish_wardpost_needs_command" -f -a "demo" -d 'Shows the duty officers\' page with a drawn ward: no broker, no box, nothing that stays'
complete -c wardpost -n "__fish_wardpost_needs_command" -f -a "completions" -d 'Prints the completions of a shell'
complete -c wardpost -n "__fish_wardpost_using_subcommand serve" -l config -d 'The configuration [default: /etc/wardwatch/wardpost.toml, where there is one]' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand serve" -l database -d 'The database [default: /var/lib/wardpost/post.sqlite]' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand serve" -l broker -d 'The broker: mqtts://HOST:PORT, or mqtt://HOST:PORT for one on the same machine' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand serve" -l ca -d 'PEM file of the authority that signed the broker\'s certificate' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand serve" -l cert -d 'PEM file of this post\'s certificate chain' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand serve" -l key -d 'PEM file of its private key' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand serve" -l user -d 'User name at the broker' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand serve" -l password-file -d 'File that holds nothing but the password' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand serve" -l client-id -d 'Name of the post\'s session at the broker [default: wardpost-WARD]' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand serve" -l ward -d 'The ward whose boxes are heard; + for all [default: +]' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand serve" -l silent-after -d 'A box from which nothing comes for so many seconds is reported [default: 300]' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand serve" -l keep-days -d 'Alerts are removed after so many days [default: 90]' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand serve" -l stay-up -d 'Stay up where the configuration has faults, as the unit does: receive once it has none. Without it, a fault ends the program'
complete -c wardpost -n "__fish_wardpost_using_subcommand serve" -s h -l help -d 'Print help'
complete -c wardpost -n "__fish_wardpost_using_subcommand tail" -l last -d 'Begin with so many that are stored already' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand tail" -l thumbnails -d 'Write each thumbnail into this folder, as JPEG' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand tail" -l config -d 'The configuration [default: /etc/wardwatch/wardpost.toml, where there is one]' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand tail" -l database -d 'The database [default: /var/lib/wardpost/post.sqlite]' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand tail" -l lang -d 'The language: vi or en [default: as the configuration says, or else vi]' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand tail" -l socket -d 'Socket of the service that shows alerts to the group wardpost-readers' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand tail" -l inline -d 'Show thumbnails in the terminal: kitty, iTerm2 and those that understand the same'
complete -c wardpost -n "__fish_wardpost_using_subcommand tail" -l json -d 'Print JSON lines instead; times are in UTC'
complete -c wardpost -n "__fish_wardpost_using_subcommand tail" -s h -l help -d 'Print help'
complete -c wardpost -n "__fish_wardpost_using_subcommand list" -l box -d 'Of this box only' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand list" -l camera -d 'Of this camera only' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand list" -l severity -d 'As severe as this, or more: notice, warning, critical' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand list" -l since -d 'List alerts received since: "24/11/2026 22:10" or "2026-11-24 22:10" in local time, 22:10 for today, "hôm qua 22:10", "thứ ba 22:10", "yesterday 22:10", "tuesday 22:10", a day alone, or RFC 3339' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand list" -l limit -d 'At most so many, the last ones' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand list" -l config -d 'The configuration [default: /etc/wardwatch/wardpost.toml, where there is one]' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand list" -l database -d 'The database [default: /var/lib/wardpost/post.sqlite]' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand list" -l lang -d 'The language: vi or en [default: as the configuration says, or else vi]' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand list" -l socket -d 'Socket of the service that shows alerts to the group wardpost-readers' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand list" -l missing -d 'List instead which numbers are missing or lost; exit code 3 where some are missing that may still come'
complete -c wardpost -n "__fish_wardpost_using_subcommand list" -l json -d 'Print a JSON array instead; times are in UTC'
complete -c wardpost -n "__fish_wardpost_using_subcommand list" -s h -l help -d 'Print help'
complete -c wardpost -n "__fish_wardpost_using_subcommand show" -l thumbnail -d 'Write its thumbnail into this file, as JPEG; the access log says who did' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand show" -l config -d 'The configuration [default: /etc/wardwatch/wardpost.toml, where there is one]' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand show" -l database -d 'The database [default: /var/lib/wardpost/post.sqlite]' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand show" -l lang -d 'The language: vi or en [default: as the configuration says, or else vi]' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand show" -l socket -d 'Socket of the service that shows alerts to the group wardpost-readers' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand show" -l json -d 'Print a JSON array of its messages instead; times are in UTC'
complete -c wardpost -n "__fish_wardpost_using_subcommand show" -s h -l help -d 'Print help'
complete -c wardpost -n "__fish_wardpost_using_subcommand status" -l ward -d 'Boxes of this ward only' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand status" -l box -d 'This box only. With --json, its vitals of each hour of the last month, too' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand status" -l config -d 'The configuration [default: /etc/wardwatch/wardpost.toml, where there is one]' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand status" -l database -d 'The database [default: /var/lib/wardpost/post.sqlite]' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand status" -l lang -d 'The language: vi or en [default: as the configuration says, or else vi]' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand status" -l socket -d 'Socket of the service that shows alerts to the group wardpost-readers' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand status" -l trouble -d 'Boxes with trouble only'
complete -c wardpost -n "__fish_wardpost_using_subcommand status" -l json -d 'Print one JSON object instead: `boxes`, `boxes_total`, `boxes_with_trouble`, `refused`, `last_refused`, `post`. Times are in UTC'
complete -c wardpost -n "__fish_wardpost_using_subcommand status" -s h -l help -d 'Print help'
complete -c wardpost -n "__fish_wardpost_using_subcommand settle" -l why -d 'Why nobody will ever send what is missing. It is kept, with the time and who says so' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand settle" -l who -d 'Who says so [default: who is logged in]' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand settle" -l config -d 'The configuration [default: /etc/wardwatch/wardpost.toml, where there is one]' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand settle" -l database -d 'The database [default: /var/lib/wardpost/post.sqlite]' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand settle" -s h -l help -d 'Print help'
complete -c wardpost -n "__fish_wardpost_using_subcommand forget" -l reason -d 'Reason of the removal. It is kept in the log, with the time and the person' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand forget" -l who -d 'Person that does it [default: who is logged in]' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand forget" -l config -d 'The configuration [default: /etc/wardwatch/wardpost.toml, where there is one]' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand forget" -l database -d 'The database [default: /var/lib/wardpost/post.sqlite]' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand forget" -l alerts -d 'Remove its stored alerts too; without it they stay for their days'
complete -c wardpost -n "__fish_wardpost_using_subcommand forget" -s h -l help -d 'Print help'
complete -c wardpost -n "__fish_wardpost_using_subcommand log" -l end -d 'With --verify: an end that the log had, by a line of `wardpost serve` in the journal or by an earlier check' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand log" -l config -d 'The configuration [default: /etc/wardwatch/wardpost.toml, where there is one]' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand log" -l database -d 'The database [default: /var/lib/wardpost/post.sqlite]' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand log" -l lang -d 'The language: vi or en [default: as the configuration says, or else vi]' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand log" -l socket -d 'Socket of the service that shows alerts to the group wardpost-readers' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand log" -l verify -d 'Check instead that rows were only added to the log; exit code 3 where some were changed, taken out or cut off'
complete -c wardpost -n "__fish_wardpost_using_subcommand log" -l json -d 'Print one JSON object instead: `looks`, `settlements`, `forgotten`, `decisions`, the first one first; with --verify `rows`, `sha256`, `faults`. Times are in UTC'
complete -c wardpost -n "__fish_wardpost_using_subcommand log" -s h -l help -d 'Print help'
complete -c wardpost -n "__fish_wardpost_using_subcommand feedback" -s o -l output -d 'Write into this file: one JSON object for each alert, with box, camera, rule, outcome and the thumbnail\'s sha256' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand feedback" -l since -d 'Of events that were closed since: "24/11/2026 22:10", a day alone, "yesterday 22:10", or RFC 3339 [default: all]' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand feedback" -l config -d 'The configuration [default: /etc/wardwatch/wardpost.toml, where there is one]' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand feedback" -l database -d 'The database [default: /var/lib/wardpost/post.sqlite]' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand feedback" -s h -l help -d 'Print help'
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and not __fish_seen_subcommand_from add passwd list remove" -s h -l help -d 'Print help'
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and not __fish_seen_subcommand_from add passwd list remove" -f -a "add" -d 'Makes an account. Asks for its password, or prints a one-time code with --code'
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and not __fish_seen_subcommand_from add passwd list remove" -f -a "passwd" -d 'Sets a new password, and ends the officer\'s logins'
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and not __fish_seen_subcommand_from add passwd list remove" -f -a "list" -d 'Lists the accounts'
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and not __fish_seen_subcommand_from add passwd list remove" -f -a "remove" -d 'Removes an account, and ends the officer\'s logins. Its name stays in what it did'
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and __fish_seen_subcommand_from add" -l full-name -d 'The name that others read [default: the login name]' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and __fish_seen_subcommand_from add" -l role -d 'Rights: officer, commander or administrator' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and __fish_seen_subcommand_from add" -l config -d 'The configuration [default: /etc/wardwatch/wardpost.toml, where there is one]' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and __fish_seen_subcommand_from add" -l database -d 'The database [default: /var/lib/wardpost/post.sqlite]' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and __fish_seen_subcommand_from add" -l lang -d 'The language: vi or en [default: as the configuration says, or else vi]' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and __fish_seen_subcommand_from add" -l socket -d 'Socket of the service that shows alerts to the group wardpost-readers' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and __fish_seen_subcommand_from add" -l code -d 'Print a one-time code, with which the officer sets the password on the page'
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and __fish_seen_subcommand_from passwd" -l config -d 'The configuration [default: /etc/wardwatch/wardpost.toml, where there is one]' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and __fish_seen_subcommand_from passwd" -l database -d 'The database [default: /var/lib/wardpost/post.sqlite]' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and __fish_seen_subcommand_from passwd" -l lang -d 'The language: vi or en [default: as the configuration says, or else vi]' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and __fish_seen_subcommand_from passwd" -l socket -d 'Socket of the service that shows alerts to the group wardpost-readers' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and __fish_seen_subcommand_from passwd" -l code -d 'Print a one-time code instead, with which the officer sets the password on the page'
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and __fish_seen_subcommand_from passwd" -s h -l help -d 'Print help'
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and __fish_seen_subcommand_from list" -l config -d 'The configuration [default: /etc/wardwatch/wardpost.toml, where there is one]' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and __fish_seen_subcommand_from list" -l database -d 'The database [default: /var/lib/wardpost/post.sqlite]' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and __fish_seen_subcommand_from list" -l lang -d 'The language: vi or en [default: as the configuration says, or else vi]' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and __fish_seen_subcommand_from list" -l socket -d 'Socket of the service that shows alerts to the group wardpost-readers' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and __fish_seen_subcommand_from list" -l json -d 'Print a JSON array instead. Times are in UTC'
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and __fish_seen_subcommand_from remove" -l config -d 'The configuration [default: /etc/wardwatch/wardpost.toml, where there is one]' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and __fish_seen_subcommand_from remove" -l database -d 'The database [default: /var/lib/wardpost/post.sqlite]' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and __fish_seen_subcommand_from remove" -l lang -d 'The language: vi or en [default: as the configuration says, or else vi]' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and __fish_seen_subcommand_from remove" -l socket -d 'Socket of the service that shows alerts to the group wardpost-readers' -r -F
complete -c wardpost -n "__fish_wardpost_using_subcommand user; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c wardpost -n "__fish_wardpost_using_subcommand demo" -l port -d 'Port of the page on 127.0.0.1 [default: one that is free]' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand demo" -l seconds -d 'Ends after so many seconds; 0 for until Ctrl-C' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand demo" -l seed -d 'Draws another ward; the same number draws the same one' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand demo" -l lang -d 'Language of the page: vi or en [default: that of the locale]' -r
complete -c wardpost -n "__fish_wardpost_using_subcommand demo" -s h -l help -d 'Print help'
complete -c wardpost -n "__fish_wardpost_using_subcommand completions" -s h -l help -d 'Print help'
