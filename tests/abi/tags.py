#!/usr/bin/env python3
"""Every function of every table states its thread class and its reach in the comment before it.

usage: tags.py --include DIR
"""
import argparse
import re
import sys
from pathlib import Path

import abi_headers

THREAD = {"any-thread", "setup-thread", "group-serial"}
REACH = {"local", "collective"}
COST = {"no-block", "capture-safe"}


def problems(found):
    for struct in found.structs:
        for entry in struct.fields:
            if not entry.is_function:
                continue
            tags = re.findall(r"\[([a-z-]+)\]", re.sub(r"\s*\n\s*\*?\s*", " ", entry.comment))
            where = f"{struct.header}: {struct.name}.{entry.name}"
            for kind, allowed in (("thread class", THREAD), ("reach", REACH)):
                count = sum(tag in allowed for tag in tags)
                if count != 1:
                    yield f"{where} names {count} of the tags of its {kind}: {', '.join(sorted(allowed))}"
            for tag in tags:
                if tag not in THREAD | REACH | COST:
                    yield f"{where} has the unknown tag [{tag}]"
            if "collective" in tags and "any-thread" in tags and struct.header != "bootstrap.h":
                yield f"{where} is collective on any thread: the order among its ranks would be undefined"


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--include", required=True)
    found = abi_headers.parse(Path(arguments.parse_args().include) / "muster")
    checked = sum(entry.is_function for struct in found.structs for entry in struct.fields)
    said = list(problems(found))
    print("\n".join(said) or f"{checked} functions have their tags")
    return 1 if said or checked == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
