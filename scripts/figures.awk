# Reads what tests print and makes a table of the figures, and of what was left out.
# A line is "figure: scenario: what: value" or "figure: what: value", perhaps behind the name of its test.
/figure: / {
    sub(/^.*figure: /, "")
    scenario = NF > 2 ? $1 : "store"
    if (NF > 2) sub(/^[^:]*: /, "")
    if (scenario != last) {
        print (last == "" ? "" : "\n") scenario
        last = scenario
    }
    what = $0
    sub(/: .*/, "", what)
    sub(/^[^:]*: /, "")
    printf "    %-42s %s\n", what, $0
}
/skipped: / { sub(/^.*skipped: /, "skipped: "); print }
