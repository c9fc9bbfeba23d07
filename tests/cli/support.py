"""What the tests of the command share: the built command, run in a home, cache and configuration of the test's own."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

MUSTER = None  # the built command
PLUGINS = None  # where the test plugins were built
# Above what any command here takes on a loaded machine, so that a hang fails the test.
SECONDS = 120


class Case(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="muster-cli-")
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name).resolve()
        for name in ("home", "cache", "config", "plugins", "traces"):
            (self.root / name).mkdir(mode=0o755)
        self.plugins = self.root / "plugins"
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("MUSTER_") or k == "MUSTER_TEST_RUN"},
            "HOME": str(self.root / "home"),
            "XDG_CACHE_HOME": str(self.root / "cache"),
            "XDG_CONFIG_HOME": str(self.root / "config"),
            "MUSTER_TEST_TRACE_DIR": str(self.root / "traces"),
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "OMPI_MCA_rmaps_base_oversubscribe": "1",
            "OMPI_MCA_mpi_yield_when_idle": "1",
        }

    def without_leak_check(self):
        """For ranks under mpirun: Open MPI leaks at exit."""
        before = os.environ.get("ASAN_OPTIONS", "")
        self.environment["ASAN_OPTIONS"] = before + (":" if before else "") + "detect_leaks=0"

    def write(self, name, text):
        path = self.root / name
        path.write_text(text)
        return path

    def configure(self, text, name="site.toml"):
        """Makes this the file that MUSTER_CONFIG names, with the test's plugin directory."""
        path = self.write(name, f'[plugins]\npath = ["{self.plugins}"]\n' + text)
        self.environment["MUSTER_CONFIG"] = str(path)
        return path

    def put(self, plugin, name=None):
        """Drops a test plugin into the test's plugin directory."""
        path = self.plugins / (name or f"{plugin}.so")
        shutil.copyfile(PLUGINS / f"{plugin}.so", path)
        path.chmod(0o755)
        return path

    def builders(self):
        """Processes that have this test's cache in their environment, without this one."""
        found = []
        for process in pathlib.Path("/proc").iterdir():
            if not process.name.isdigit() or int(process.name) == os.getpid():
                continue
            try:
                if str(self.root).encode() in (process / "environ").read_bytes():
                    found.append((process / "cmdline").read_bytes())
            except OSError:
                pass
        return found

    def await_builders(self):
        """Background builds end soon after their program."""
        until = time.monotonic() + SECONDS
        while self.builders() and time.monotonic() < until:
            time.sleep(0.05)
        self.assertEqual([], self.builders())

    def traces(self):
        """The ids of the plugins whose constructors have run."""
        return sorted({path.name.split(".")[0] for path in (self.root / "traces").iterdir()})

    def execute(self, *command):
        return subprocess.run([str(part) for part in command], env=self.environment, cwd=self.root, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)

    def muster(self, *arguments, code=0):
        result = self.execute(MUSTER, *arguments)
        self.assertEqual(code, result.returncode, f"muster {' '.join(map(str, arguments))}\n{result.stdout}{result.stderr}")
        return result

    def json(self, *arguments, schema, code=0):
        """What a verb prints with --json, and nothing else, on stdout."""
        result = self.muster(*arguments, "--json", code=code)
        data = json.loads(result.stdout)
        self.assertEqual(schema, data["schema"])
        return data


def main():
    global MUSTER, PLUGINS
    PLUGINS = pathlib.Path(sys.argv.pop(2))
    MUSTER = pathlib.Path(sys.argv.pop(1))
    unittest.main(module="__main__", verbosity=2)
