#!/usr/bin/env bash
# kernels.sh MUSTER ID: the pack ID was checked against the built-in kernels and serves.
set -euo pipefail

listed=$("$1" list --probe --json)
grep -qE "\"pack\": *\"$2\"" <<<"$listed" || { echo "the pack $2 does not serve: $listed" >&2; exit 1; }
