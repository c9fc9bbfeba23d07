#!/usr/bin/env python3
"""The boundary as includes: abi/ includes only itself, plugins only abi/ and their own folder.

usage: includes.py ROOT
"""
import re
import sys
from pathlib import Path

SOURCES = {".c", ".h", ".cpp", ".hpp", ".cu", ".inc"}
OURS = ("core/", "config/", "plugins/", "tests/", "packaging/", "abi/")


def problems(root):
    for top in (root / "abi", root / "plugins" / "backends"):
        for file in sorted(path for path in top.rglob("*") if path.suffix in SOURCES):
            own = file.relative_to(root).parts
            allowed = "/".join(own[:3]) + "/" if own[0] == "plugins" else "muster/"
            for number, line in enumerate(file.read_text().splitlines(), 1):
                include = re.match(r'\s*#\s*include\s*[<"]([^>"]+)', line)
                if include and include[1].startswith(OURS) and not include[1].startswith(allowed):
                    yield f"{file.relative_to(root)}:{number}: includes {include[1]}"


def main():
    said = list(problems(Path(sys.argv[1])))
    print("\n".join(said) or "the boundary is kept")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
