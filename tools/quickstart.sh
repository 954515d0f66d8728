#!/usr/bin/env bash
# From nothing to a trained model in a few minutes, without CelebA and without a GPU: installs into .venv, draws faces, trains
# on them, prints a table of 40 attributes and draws test faces with what was predicted.
set -euo pipefail
# A signal ends the step that is running; bash alone would end and leave it.
stop() {
    kill $(jobs -p) 2>/dev/null || true
    wait
    exit "$1"
}
trap 'stop 130' INT
trap 'stop 143' TERM
step() {
    "$@" &
    wait $!
}
. "$(dirname "$0")/venv.sh"
faces=data/faces work=work_dirs/imcnn_demo
if [ ! -d "$faces" ]; then
    step python tools/data/make_faces.py --out "$faces" --identities 200 --images 20 --seed 0
fi
export CELEBA_ROOT=$faces
step python tools/train.py configs/imcnn_demo.py --work-dir "$work"
step python tools/analysis/show_predictions.py "$work/best.pth" --out "$work/predictions.png"
cat <<END

Trained on drawn faces. The table is in $work/per_attribute.csv, the picture in $work/predictions.png.
Next, in this folder:
  source .venv/bin/activate
  python tools/test.py $work --data-root $faces
  python tools/train.py configs/imcnn_celeba_mini.py --data-root /path/to/CelebA
  python tools/train.py configs/imcnn_celeba.py --data-root /path/to/CelebA
END
