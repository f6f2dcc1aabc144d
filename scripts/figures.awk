# Reads what the fault scenarios print and keeps the figures, and what was left out, as a table.
# A figure may follow the name of its test on the same line.
/figure: / {
    sub(/^.*figure: /, "")
    scenario = $1
    if (scenario != last) {
        if (last != "") print ""
        print scenario
        last = scenario
    }
    what = $2
    sub(/^[^:]*: [^:]*: /, "")
    printf "    %-40s %s\n", what, $0
    fflush()
}
/skipped: / { sub(/^.*skipped: /, "skipped: "); print; fflush() }
