#!/usr/bin/env python3
"""What shared objects export and need.

usage: exports.py plugins DIR...          every .so exports muster_plugin_entry and nothing else, and needs no libmuster
       exports.py library FILE --include DIR
                                          libmuster exports what muster.h declares, each with the version of the minor that it
                                          came with, and needs neither MPI, spdlog nor fmt
"""
import argparse
import re
import subprocess
import sys
from pathlib import Path

import abi_headers

ENTRY = "muster_plugin_entry"


def exported(file):
    lines = subprocess.run(["nm", "-D", "--defined-only", str(file)], check=True, capture_output=True, text=True).stdout
    return {line.split()[-1].split("@")[0] for line in lines.splitlines() if line.split()[-2] != "A"}


def unversioned(file):
    """Exported symbols that no node of a version script names."""
    lines = subprocess.run(["nm", "-D", "--defined-only", str(file)], check=True, capture_output=True, text=True).stdout
    return sorted(line.split()[-1] for line in lines.splitlines() if line.split()[-2] != "A" and "@@MUSTER_" not in line)


def needed(file):
    text = subprocess.run(["readelf", "-dW", str(file)], check=True, capture_output=True, text=True).stdout
    return re.findall(r"\(NEEDED\).*\[(.*)\]", text)


def check_plugin(file):
    have = exported(file)
    if have != {ENTRY}:
        yield f"{file} exports {sorted(have)}, not just {ENTRY}"
    for library in needed(file):
        if library.startswith("libmuster"):
            yield f"{file} needs {library}: a plugin gets everything through muster_host"


def check_library(file, include):
    want = {name for _, name, _ in abi_headers.parse(Path(include) / "muster").functions}
    have = exported(file)
    if want - have:
        yield f"{file} does not export what muster.h declares: {sorted(want - have)}"
    if have - want:
        yield f"{file} exports more than muster.h declares: {sorted(have - want)}"
    if unversioned(file):
        yield f"{file} exports without a version: {unversioned(file)}: core/libmuster.version does not name them"
    for library in needed(file):
        if re.match(r"lib(mpi|open-rte|open-pal|spdlog|fmt)\b", library):
            yield f"{file} needs {library}"


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("kind", choices=["plugins", "library"])
    arguments.add_argument("paths", nargs="+", type=Path)
    arguments.add_argument("--include")
    asked = arguments.parse_args()
    said = []
    if asked.kind == "plugins":
        files = [file for folder in asked.paths for file in sorted(folder.glob("*.so"))]
        if not files:
            said.append(f"no plugin in {', '.join(map(str, asked.paths))}")
        for file in files:
            said += check_plugin(file)
    else:
        for file in asked.paths:
            said += check_library(file, asked.include)
    print("\n".join(said) or "as it should be")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
