#!/usr/bin/env python3
"""The headers of a released minor are the beginning of today's: structs, values and functions.

Unlike the golden layout, which shows every change, this refuses what "What a minor may do" of abi/README.md calls a break, and
nothing else; so it holds across minors.

usage: frozen.py --include DIR --cc CC FROZEN...   (FROZEN: the headers of a minor, kept)
"""
import argparse
import re
import sys
from pathlib import Path

import layout

# Part of other structs and of arrays, or filled in by the other side: not even their tail grows.
FIXED = {"muster_rank_place", "muster_stream", "muster_wait_word", "muster_kernel_key", "muster_plan_head", "muster_backend",
         "muster_bootstrap", "muster_device", "muster_kernels", "muster_variants"}
# One past the last value, and every flag: they grow with their vocabulary.
GROWS = re.compile(r"MUSTER_\w+_END|MUSTER_RULE_FLAGS")


def read(text):
    """Structs by name as (size, alignment, fields); constants by name; the other lines as they are."""
    structs, constants, lines, fields = {}, {}, set(), None
    for line in text.splitlines():
        struct = re.fullmatch(r"struct \S+ (\w+) size (\d+) align (\d+)", line)
        constant = re.fullmatch(r"constant \S+ (\w+) (\d+)", line)
        if struct:
            fields = []
            structs[struct[1]] = int(struct[2]), int(struct[3]), fields
        elif line.startswith("  "):
            fields.append(" ".join(line.split()))
        elif constant:
            constants[constant[1]] = int(constant[2])
        elif not line.startswith("abi "):
            lines.add(re.sub(r"^(text|function)? ?\S+\.h ", r"\1 ", line))  # a declaration may move to another header
    return structs, constants, lines


def breaks(before, now):
    for name, (size, align, fields) in before[0].items():
        if name not in now[0]:
            yield f"struct {name} is gone"
            continue
        today, today_align, today_fields = now[0][name]
        if today < size or today_align != align or (name in FIXED and today != size):
            yield f"struct {name} has {today} bytes aligned to {today_align}, not {size} aligned to {align}"
        for field, other in zip(fields, today_fields + [""] * len(fields)):
            if field != other:
                yield f"struct {name} had '{field}', where now is '{other}'"
    for name, value in before[1].items():
        today = now[1].get(name)
        if today is None or (today < value if GROWS.fullmatch(name) else today != value):
            yield f"{name} was {value}, and is {'gone' if today is None else today}"
    for line in sorted(before[2] - now[2]):
        yield f"gone or changed: {line.strip()}"


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--include", required=True)
    arguments.add_argument("--cc", default="cc")
    arguments.add_argument("frozen", nargs="+", type=Path)
    asked = arguments.parse_args()
    today = layout.layout(asked.include, asked.cc)
    said = []
    for frozen in asked.frozen:
        released = layout.layout(frozen, asked.cc)
        found = list(breaks(read(released), read(today)))
        if not found and released != today and released.split("\n")[0] == today.split("\n")[0]:
            found = ["it is released, so what was added belongs to the next minor: raise MUSTER_ABI_MINOR"]
        said += [f"{frozen.parent.name}: {text}" for text in found]
    print("\n".join(said) or "nothing is broken")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
