#!/usr/bin/env python3
"""Instructions per call of each way of tests/bench/dispatch.cpp, and over a call through a pointer.

    tests/bench/instructions.py build/tests/bench_dispatch [LIMIT]

Counted by callgrind, within the function that makes the calls, as the difference between two runs of
unlike numbers of calls; the loop around the call is included. With a limit, exits 1 when a plain call takes more over the pointer; 77 without
valgrind.
"""
import re
import shutil
import subprocess
import sys

WAYS = ("direct", "forwarded", "through_the_chain", "in_place", "all_gather", "by_plan", "by_replay", "by_execute")
LIMITED = ("through_the_chain", "in_place", "all_gather", "by_plan", "by_replay")
FEW, MANY = 1000, 11000


def instructions(program, way, calls):
    result = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                             "--toggle-collect=bench_counted_calls", program, "--count", way,
                             str(calls)], check=True, capture_output=True, text=True)
    return int(re.search(r"Collected : (\d+)", result.stderr).group(1))


def main():
    program, limit = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None
    if shutil.which("valgrind") is None:
        print("skipped: valgrind is not installed")
        return 77
    print("| way | instructions | over the pointer |\n|---|---|---|")
    over = {}
    pointer = 0
    for way in WAYS:
        per_call = round((instructions(program, way, MANY) - instructions(program, way, FEW)) / (MANY - FEW))
        pointer = pointer or per_call
        over[way] = per_call - pointer
        print(f"| {way} | {per_call} | {over[way]} |")
    if limit is not None and max(over[way] for way in LIMITED) > limit:
        print(f"more than {limit} instructions over the pointer")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
