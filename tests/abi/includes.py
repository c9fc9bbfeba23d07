#!/usr/bin/env python3
"""The boundary as includes: abi/ includes only itself, plugins only abi/, their own folder and what plugins share.

usage: includes.py ROOT
"""
import re
import sys
from pathlib import Path

SOURCES = {".c", ".h", ".cpp", ".hpp", ".cu", ".inc"}
# What several plugins are built from; each includes only abi/ and itself.
SHARED = ("plugins/cuda_driver/", "plugins/bands_option/")
OURS = ("core/", "config/", "plugins/", "tests/", "packaging/", "abi/")


def problems(root):
    for top in (root / "abi", root / "plugins" / "backends", *(root / folder for folder in SHARED)):
        for file in sorted(path for path in top.rglob("*") if path.suffix in SOURCES):
            own = file.relative_to(root).parts
            allowed = ("muster/",)
            if own[0] == "plugins":
                allowed = ("/".join(own[:3]) + "/", *SHARED) if own[1] == "backends" else (f"plugins/{own[1]}/",)
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
