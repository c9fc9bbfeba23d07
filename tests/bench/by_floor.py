#!/usr/bin/env python3
"""Compares muster with its peers by how far apart the cores were.

A virtual machine's cores are moved while it runs. Every row of `muster bench --csv` and of the
peers says what an exchange of nothing cost meanwhile, its floor. This runs muster and its peers in
turns, each size many times for a short time, and sorts the rows by their floors: siblings (two
threads of one core), near (one cache), far. Only rows of one class are compared.

    tests/bench/by_floor.py build/bin/muster all_to_all --sizes 65536,1048576
"""

import argparse
import csv
import io
import json
import statistics
import subprocess
import sys

# Up to which floor, microseconds.
CLASSES = (("siblings", 0.10), ("near", 0.25), ("between", 0.38), ("far", 0.75), ("farther", None))


def class_of(floor):
    return next(name for name, most in CLASSES if most is None or floor < most)


def contenders(options, sizes):
    """The command of muster and of each peer, as `muster bench` starts them."""
    asked = [options.muster, "bench", options.operation, "--sizes", sizes, "--compare",
             options.peers or "openmpi", "--seconds", str(options.seconds), "--dry-run", "--json"]
    if options.in_place:
        asked.append("--in-place")
    printed = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    return json.loads(printed)["commands"]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("muster")
    parser.add_argument("operation")
    parser.add_argument("--sizes", default="8,1024,8192,65536,262144,1048576", help="in bytes")
    parser.add_argument("--peers", default="openmpi,mpich", help="empty: muster alone")
    parser.add_argument("--in-place", action="store_true")
    parser.add_argument("--turns", type=int, default=4, help="how often each is started")
    parser.add_argument("--rows", type=int, default=6, help="of each size per turn")
    parser.add_argument("--seconds", type=float, default=0.02, help="for a row")
    options = parser.parse_args()
    commands = contenders(options, ",".join([options.sizes] * options.rows))
    names = ["muster"] + [name for name in options.peers.split(",") if name]
    seen = {}  # (size, class, name): medians
    for _ in range(options.turns):
        for name, command in zip(names, commands):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                sys.exit(f"{name}: {done.stderr}")
            for row in csv.DictReader(io.StringIO(done.stdout)):
                key = (int(row["bytes"]), class_of(float(row["floor_us"])), name)
                seen.setdefault(key, []).append(float(row["median_us"]))
    sizes = sorted({size for size, _, _ in seen})  # as the rows say: a barrier has none
    for place, _ in CLASSES:
        for size in sizes:
            found = {name: seen[size, place, name] for name in names if (size, place, name) in seen}
            if not found:
                continue
            line = f"{options.operation} {place:8} {size:9}"
            for name in names:
                if name not in found:
                    line += f" | {name:>8}      -     "
                    continue
                middle = statistics.median(found[name])
                line += f" | {name:>8} {middle:9.2f} ({len(found[name]):2})"
                if name != "muster" and "muster" in found:
                    line += f" {middle / statistics.median(found['muster']):5.2f}"
            print(line)


if __name__ == "__main__":
    main()
