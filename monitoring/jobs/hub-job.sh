#!/usr/bin/env bash
# A scheduled Hugging Face Job. Usage: RUN_REPO=me/model LOG_REPO=me/log ./hub-job.sh
set -euo pipefail
: "${RUN_REPO:?model repository that holds the run}" "${LOG_REPO:?dataset repository of the log}"
hf jobs scheduled run "0 6 * * *" --secrets HF_TOKEN --env DO_NOT_TRACK=1 \
  --env RUN_REPO="$RUN_REPO" --env LOG_REPO="$LOG_REPO" python:3.11 bash -c '
    pip install "hf-vft[monitor]" &&
    hf download "$RUN_REPO" --local-dir run &&
    hf download "$LOG_REPO" --repo-type dataset --local-dir log &&
    hf-vft monitor run log --policy default --out report'
