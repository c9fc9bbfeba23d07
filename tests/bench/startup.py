#!/usr/bin/env python3
"""Start-up by step: ten plugins, the default configuration, fresh processes of two ranks; the median of some runs.

    tests/bench/startup.py build/bin/muster build/tests/bench_startup build/lib/muster/plugins [RUNS]
"""
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

PLUGINS = 10


def fill(directory, installed):
    """The installed plugins, and copies of the skeleton, which opens and offers nothing, under ids of their own."""
    directory.mkdir(mode=0o755)
    for plugin in sorted(installed.glob("*.so")):
        (directory / plugin.name).write_bytes(plugin.read_bytes())
    binary = (installed / "skeleton.so").read_bytes()
    for i in range(PLUGINS - len(list(directory.iterdir()))):
        (directory / f"skelet{i:02}.so").write_bytes(binary.replace(b"skeleton\0", f"skelet{i:02}\0".encode()))
    for plugin in directory.iterdir():
        plugin.chmod(0o755)


def measure(root, muster, program, runs):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MUSTER_") or k == "MUSTER_TEST_RUN"}
    for name in ("home", "cache", "config/muster"):
        (root / name).mkdir(parents=True)
    default = subprocess.run([muster, "config", "default"], env=environment, check=True, capture_output=True).stdout
    (root / "config/muster/muster.toml").write_bytes(default)
    site = root / "site.toml"
    site.write_text(f'[plugins]\ninstalled = false\npath = ["{root}/plugins"]\n')
    environment.update(HOME=f"{root}/home", XDG_CACHE_HOME=f"{root}/cache", XDG_CONFIG_HOME=f"{root}/config",
                       MUSTER_CONFIG=str(site))
    steps = {}
    for run in range(runs + 1):
        out = root / f"run{run}"
        subprocess.run([muster, "run", "-n", "2", "--", program, str(out)], env=environment, check=True, timeout=60)
        for line in out.read_text().splitlines() if run != 0 else []:  # the first one probes and tests
            name, ns = line.split("\t")
            steps.setdefault(name, []).append(int(ns) / 1e6)
    return steps


def main():
    muster, program = (str(pathlib.Path(argument).resolve()) for argument in sys.argv[1:3])
    runs = int(sys.argv[4]) if len(sys.argv) > 4 else 20
    with tempfile.TemporaryDirectory(prefix="muster-startup-") as directory:
        root = pathlib.Path(directory).resolve()
        fill(root / "plugins", pathlib.Path(sys.argv[3]))
        steps = measure(root, muster, program, runs)
    print("| step | ms, median | most |\n|---|---|---|")
    for name, times in steps.items():
        shown = name.strip() if name.startswith(" ") else f"**{name}**"
        print(f"| {shown} | {statistics.median(times):.2f} | {max(times):.2f} |")


if __name__ == "__main__":
    main()
