#!/usr/bin/env python3
"""The duties in abi/README.md: numbered without gaps, each whole, and what is said to try them exists.

usage: duties.py ROOT
"""
import re
import sys
from pathlib import Path

CELLS = ("duty", "when broken", "kept by", "tried by")


def text_of(root, *patterns):
    return "\n".join(path.read_text() for pattern in patterns for path in sorted(root.glob(pattern)))


class Tests:
    """What may be named: GoogleTest suites, ctest names, cases of the conformance suite."""

    def __init__(self, root):
        tests = root / "tests"
        self.suites = set(re.findall(r"^\s*(?:TYPED_)?TEST(?:_F|_P)?\((\w+),", text_of(tests, "**/*.cpp"), re.M))
        self.ctest = text_of(tests, "**/CMakeLists.txt")
        self.cases = text_of(tests, "kit/check/*.cpp")

    def has(self, name):
        if name[0].isupper():
            return name in self.suites
        label, _, rest = name.partition(".")
        if re.search(rf"\bNAME {label}\.(\$|{re.escape(rest)})", self.ctest):
            return rest in self.ctest
        # The suite is told by its sources, where the tree has it.
        return not self.cases or name in self.cases


def problems(root):
    rows = re.findall(r"^\| ([PR])(\d+) \|(.*)\|$", (root / "abi" / "README.md").read_text(), re.M)
    tests = Tests(root)
    expected = {"P": 1, "R": 1}
    for side, number, rest in rows:
        where = f"{side}{number}"
        if int(number) != expected[side]:
            yield f"{where} follows {side}{expected[side] - 1}"
        expected[side] = int(number) + 1
        cells = [cell.strip() for cell in rest.split("|")]
        if len(cells) != len(CELLS):
            yield f"{where} has {len(cells)} cells, not {len(CELLS)}"
            continue
        for name, cell in zip(CELLS, cells):
            if not cell:
                yield f"{where}: '{name}' is empty"
        for name in re.findall(r"`([\w.]+)`", cells[-1]):
            if not tests.has(name):
                yield f"{where}: there is no test {name}"
    for side, following in expected.items():
        if following == 1:
            yield f"no duty {side}1 was found"


def main():
    said = list(problems(Path(sys.argv[1])))
    print("\n".join(said) or "every duty is whole")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
