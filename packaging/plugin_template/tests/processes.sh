#!/usr/bin/env bash
# processes.sh MUSTER ID: ranks as processes; every row of `muster bench` was served by ID and is right.
set -euo pipefail

# values KEY: those of all rows of $data, each once.
values() { grep -oE "\"$1\": *[^,}]+" <<<"$data" | sed -E 's/^[^:]*: *//' | sort -u; }

for operation in all_reduce broadcast all_gather; do
  data=$("$1" bench "$operation" --ranks 2 --from 1K --to 1M --factor 32 --iterations 2 --warmup 1 --json)
  if [[ $(values backend) != "\"$2\"" || $(values wrong) != 0 ]]; then
    echo "$operation: a row is wrong, or was served by another backend: $data" >&2
    exit 1
  fi
done
