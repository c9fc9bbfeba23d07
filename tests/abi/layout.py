#!/usr/bin/env python3
"""The layout of everything that crosses the boundary, compared with a golden file.

A program is generated from the headers, so no field can be forgotten; the compiler, not this script, says where each lies.

usage: layout.py --include DIR --golden FILE --cc CC [--update]
"""
import argparse
import difflib
import subprocess
import sys
import tempfile
from pathlib import Path

import abi_headers


def program(found):
    lines = ["#include <stdalign.h>", "#include <stdio.h>"]
    lines += [f'#include "muster/{header}"' for header in found.names]
    lines += ["int main(void) {",
              'printf("abi %d.%d oldest %d\\n", MUSTER_ABI_MAJOR, MUSTER_ABI_MINOR, MUSTER_ABI_OLDEST_MINOR);',
              'printf("magic %#018llx\\n", (unsigned long long)MUSTER_PLUGIN_MAGIC);',
              'printf("entry frozen up to %u\\n", MUSTER_PLUGIN_ENTRY_FROZEN_SIZE);']
    for header, name in found.texts:
        lines.append(f'printf("text {header} {name} \\"%s\\"\\n", {name});')
    for header, code in found.typedefs:
        lines.append(f'puts("{header} {code}");')
    for header, name in found.constants:
        lines.append(f'printf("constant {header} {name} %llu\\n", (unsigned long long){name});')
    for struct in found.structs:
        kind = struct.name
        lines.append(f'printf("struct {struct.header} {kind} size %zu align %zu\\n", sizeof({kind}), alignof({kind}));')
        for place, entry in enumerate(struct.fields):
            lines.append(f'printf("  %2d offset %4zu size %4zu {entry.name} : {entry.type}\\n", {place}, '
                         f'offsetof({kind}, {entry.name}), sizeof((({kind}*)0)->{entry.name}));')
    for header, _, signature in found.functions:
        lines.append(f'puts("function {header} {signature}");')
    return "\n".join(lines + ["return 0;", "}", ""])


def layout(include, cc):
    found = abi_headers.parse(Path(include) / "muster")
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "layout.c"
        source.write_text(program(found))
        binary = Path(scratch) / "layout"
        subprocess.run([cc, "-std=c11", "-I", include, str(source), "-o", str(binary)], check=True)
        return subprocess.run([str(binary)], check=True, capture_output=True, text=True).stdout


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--include", required=True)
    arguments.add_argument("--golden", required=True)
    arguments.add_argument("--cc", default="cc")
    arguments.add_argument("--update", action="store_true", help="write the golden file instead of comparing")
    asked = arguments.parse_args()
    now = layout(asked.include, asked.cc)
    golden = Path(asked.golden)
    if asked.update:
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(now)
        return 0
    before = golden.read_text()
    if now == before:
        return 0
    sys.stdout.writelines(difflib.unified_diff(before.splitlines(True), now.splitlines(True), str(golden), "headers"))
    print("\nThe boundary has changed. If it may: add an entry to abi/CHANGELOG.md, raise MUSTER_ABI_MINOR, and run this\n"
          "test's command with --update.")
    return 1


if __name__ == "__main__":
    sys.exit(main())
