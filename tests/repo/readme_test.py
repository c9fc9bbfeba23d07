"""Runs every command of README.md: each line of its ```sh blocks, in a fresh directory, with the built command on PATH."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The two set-up commands build and run this test themselves.
CALLERS = ("packaging/quickstart", "packaging/test")
BIN = None


def commands():
    for block in re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            line = line.strip()
            if line and not line.startswith("#") and not line.startswith(CALLERS):
                yield line


class Readme(unittest.TestCase):
    def test_given_the_commands_of_the_readme_when_run_then_each_succeeds(self):
        environment = {
            **os.environ,
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        }
        found = list(commands())
        self.assertGreater(len(found), 3)
        for line in found:
            with self.subTest(command=line), tempfile.TemporaryDirectory() as directory:
                result = subprocess.run(["bash", "-euo", "pipefail", "-c", line], cwd=directory, env=environment,
                                        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
                self.assertEqual(0, result.returncode, result.stdout + result.stderr)
                self.assertNotEqual("", result.stdout)

    def test_given_the_readme_when_read_then_it_names_the_two_set_up_commands(self):
        text = (ROOT / "README.md").read_text()
        for command in CALLERS:
            self.assertIn(command, text)
            self.assertTrue(os.access(ROOT / command, os.X_OK))


if __name__ == "__main__":
    BIN = sys.argv.pop(1)
    unittest.main()
