#!/usr/bin/env python3
"""What programs and plugins that are already built rely on, compared by libabigail's abidiff with a golden description.

Compared is a library made of the headers, in C with debug information, so that the flags of the tree play no part: it has the
functions of libmuster with the versions of its script, and one more that takes every struct, those of plugins included. libmuster
itself must export just these functions, each with this version.

usage: abidiff.py --built FILE --include DIR --script FILE --golden FILE --cc CC [--update]
"""
import argparse
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import abi_headers

STRUCTS = "muster_every_struct"  # the function that only the made library has
SKIPPED = 77
# Types by what they are, nothing of where they were compiled: the same text on every machine of an architecture.
DESCRIBE = ["abidw", "--no-corpus-path", "--no-comp-dir-path", "--no-show-locs", "--type-id-style", "hash"]
REMEDY = """The boundary has changed. If abi/README.md, "What a minor may do", allows it: raise the minor, add an entry to abi/CHANGELOG.md,
and run this test's command with --update."""


def source(found):
    lines = [f'#include "muster/{header}"' for header in found.names]
    lines += [f"MUSTER_API {signature} {{ __builtin_trap(); }}" for _, _, signature in found.functions]
    every = ", ".join(f"{struct.name}* {struct.name}_" for struct in found.structs)
    return "\n".join([*lines, f"MUSTER_API void {STRUCTS}({every}) {{ __builtin_trap(); }}", ""])


def make(asked, folder):
    code, script, made = folder / "boundary.c", folder / "boundary.version", folder / "libmuster.so"
    code.write_text(source(abi_headers.parse(asked.include / "muster")))
    script.write_text(asked.script.read_text().replace("global:\n", f"global:\n    {STRUCTS};\n", 1))
    soname = re.search(r"\(SONAME\).*\[(.*)\]", output("readelf", "-dW", asked.built))[1]
    subprocess.run([asked.cc, "-std=c11", "-g", "-w", "-shared", "-fPIC", f"-Wl,-soname,{soname}",
                    f"-Wl,--version-script={script}", "-I", asked.include, code, "-o", made], check=True)
    return made


def output(*command):
    return subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout


def exported(file):
    lines = (line.split() for line in output("nm", "-D", "--defined-only", file).splitlines())
    return {line[-1] for line in lines if line[-2] != "A" and not line[-1].startswith(STRUCTS)}


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    for name in ("built", "include", "script", "golden"):
        arguments.add_argument(f"--{name}", type=Path, required=True)
    arguments.add_argument("--cc", default="cc")
    arguments.add_argument("--update", action="store_true", help="write the golden file instead of comparing")
    asked = arguments.parse_args()
    if platform.machine() != "x86_64" or shutil.which("abidiff") is None:
        print("skipped: the golden description is of x86-64, and abidiff (Debian: abigail-tools) reads it")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="muster-abidiff-") as folder:
        made = make(asked, Path(folder))
        if asked.update:
            asked.golden.write_text(output(*DESCRIBE, made))
            return 0
        compared = subprocess.run(["abidiff", asked.golden, made], capture_output=True, text=True)
        apart = exported(asked.built) ^ exported(made)
    if compared.returncode != 0:
        print(compared.stdout + compared.stderr + REMEDY)
    for name in sorted(apart):
        print(f"{name} is not in both of {asked.built} and headers with {asked.script}: declare it, give it a version there, or take it out of both")
    return 1 if compared.returncode != 0 or apart else 0


if __name__ == "__main__":
    sys.exit(main())
