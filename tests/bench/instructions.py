#!/usr/bin/env python3
"""Instructions per call of each way of tests/bench/dispatch.cpp, and over a call through a pointer.

    tests/bench/instructions.py build/tests/bench_dispatch [LIMIT]

Counted by callgrind, within the function that makes the calls, as the difference between two turns of
unlike numbers of calls; the loop around the call is included. With a limit, exits 1 when a plain call
takes more over the pointer; 77 without valgrind.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

LIMITED = ("through_the_chain", "in_place", "all_gather", "by_plan", "by_replay")
FEW, MANY = 1000, 11000


def instructions_per_call(program):
    """{way: instructions}, in the order in which the program makes its calls."""
    counted = "bench_counted_calls"
    with tempfile.TemporaryDirectory() as directory:
        result = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={directory}/turn",
                                 f"--toggle-collect={counted}", f"--dump-after={counted}",
                                 program, "--count", str(FEW), str(MANY)],
                                check=True, capture_output=True, text=True)
        ways = result.stdout.split()
        # One file a turn, numbered from 1.
        turns = [int(re.search(r"^(?:summary|totals): (\d+)", pathlib.Path(f"{directory}/turn.{number}").read_text(),
                               re.MULTILINE)[1]) for number in range(1, 2 * len(ways) + 1)]
    return {way: round((many - few) / (MANY - FEW)) for way, few, many in zip(ways, turns[::2], turns[1::2])}


def main():
    program, limit = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None
    if shutil.which("valgrind") is None:
        print("skipped: valgrind is not installed")
        return 77
    print("| way | instructions | over the pointer |\n|---|---|---|")
    per_call = instructions_per_call(program)
    over = {way: count - per_call["direct"] for way, count in per_call.items()}
    for way, count in per_call.items():
        print(f"| {way} | {count} | {over[way]} |")
    if limit is not None and max(over[way] for way in LIMITED) > limit:
        print(f"more than {limit} instructions over the pointer")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
