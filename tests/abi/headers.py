#!/usr/bin/env python3
"""Compiles one header of abi/include/muster by itself, in every language and with every compiler that may meet it.

usage: headers.py --include DIR --header NAME COMPILER...   (COMPILER: "gcc:g++")
"""
import argparse
import subprocess
import sys

WARNINGS = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--include", required=True)
    arguments.add_argument("--header", required=True)
    arguments.add_argument("compilers", nargs="+")
    asked = arguments.parse_args()
    is_c = asked.header.endswith(".h")
    # Padding would be bytes that one side leaves undefined and the other compares or hashes.
    warnings = WARNINGS + (["-Wpadded"] if is_c else [])
    source = f'#include "muster/{asked.header}"\n'
    failed = 0
    for pair in asked.compilers:
        c, cxx = pair.split(":")
        modes = [(cxx, "c++", standard) for standard in ("c++17", "c++20")]
        if is_c:
            modes += [(c, "c", standard) for standard in ("c11", "c17")]
        for compiler, language, standard in modes:
            # Twice: the include guard works.
            command = [compiler, "-x", language, f"-std={standard}", *warnings, "-I", asked.include, "-"]
            done = subprocess.run(command, input=source * 2, capture_output=True, text=True)
            if done.returncode != 0:
                failed += 1
                print(f"{asked.header} as {standard} with {compiler}:\n{done.stderr}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
