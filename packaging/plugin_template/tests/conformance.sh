#!/usr/bin/env bash
# conformance.sh MUSTER FILE: what a plugin promises, tried by `muster check plugin`. 77 where this muster has no such verb.
set -euo pipefail

help=$("$1" check --help 2>/dev/null || true)
if [[ $help != *"muster check"* || $help != *plugin* ]]; then
  echo "this muster has no 'muster check plugin'"
  exit 77
fi
exec "$1" check plugin "$2"
