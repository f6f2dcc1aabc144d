#!/usr/bin/env bash
# Moves one camera's pictures out of a set: `hold.sh SET OUT WORD`. What is held is measured on, and never trained on.
set -euo pipefail
set=$1 out=$2 word=$3
for part in images labels unclear; do
    mkdir -p "$out/$part"
    find "$set/$part" -name "*$word*" -exec mv -t "$out/$part" {} +
done
