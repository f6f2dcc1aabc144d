#!/usr/bin/env bash
# Trains street-nano from start to end. Goes on where it was cut off.
#
#   models/training/recipe.sh WORK CLONES MODELS
#
# WORK    a folder outside of the project for pictures, labels and checkpoints (4 GB)
# CLONES  clones of the public repositories that sets.md names, each below its owner+name; some sets are converted first, see there
# MODELS  the teachers: yolox_nano_416.onnx, yolox_nano_384x640.onnx, nanodet_plus_m_416.onnx, picodet_s_384x640.onnx
#
# GENERAL_VIEWS and STREET_VIEWS say how long each stage takes; the defaults are what the shipped weights had.
set -euo pipefail
work=$1 clones=$2 models=$3
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
general_views=${GENERAL_VIEWS:-40960} street_views=${STREET_VIEWS:-30720}
mkdir -p "$work"
work=$(cd "$work" && pwd)

[ -x "$work/env/bin/python" ] || python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet -r "$here/requirements.txt"
run() { nice "$work/env/bin/python" "$here/$1" "${@:2}"; }

# Photographs, and their labels by the teachers.
run gather.py "$clones/RlNZLER+Image-Text-Matching" data/images/ "$work/photographs" flickr8k224 --history
run gather.py "$clones/mateusrafael4+Atividade_programacao_pose_estimation" images/20 "$work/photographs" voc20
run gather.py "$clones/EliSchwartz+imagenet-sample-images" n "$work/photographs" imagenet
run labels.py "$models" "$work/mix/general" "$work/photographs" --mirror

# Street sets (sets.md), at a size that decodes quickly.
for set in "$work"/sets/*/; do
    case "$set" in
    */vn_vehicles/) run shrink.py "$work/mix" "$set" --name junction --known 1,2,3 --classes 0=1,1=2,2=3,3=3 ;;
    *) run shrink.py "$work/mix/street" "$set" ;;
    esac
done
mkdir -p "$work/held"
[ -d "$work/held/road_traffic4_caxias" ] || "$here/hold.sh" "$work/mix/street/road_traffic4" "$work/held/road_traffic4_caxias" duque_de_caxias

# Drawn scenes with exact labels.
[ -d "$work/mix/scenes" ] || (cd "$root" && nice cargo run --locked --example scenes -- "$work/mix/scenes" --scenes 760 --frames 5 --seed 1000)

# Two stages, calibration on a camera that neither stage saw, and the network that boxes run.
[ -f "$work/start.pt" ] || run start.py "$models/yolox_nano_384x640.onnx" "$work/start.pt" "$work/mix" "$here/general.toml"
run train.py "$work/general" "$here/general.toml" "$work/mix" --views "$general_views" --settle 20000 --rate 1e-3 --start "$work/start.pt"
run train.py "$work/street" "$here/street.toml" "$work/mix" --views "$street_views" --decay $((street_views * 2 / 3)) --rate 8e-4 \
    --start "$work/general/last.pt"
run calibrate.py "$work/street/average.pt" "$work/calibration.json" "$work/held/road_traffic4_caxias"
run export.py "$work/street/average.pt" "$root/models/street-nano.onnx" "$work/calibration.json"
