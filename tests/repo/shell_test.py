"""Every shell script passes shellcheck and stops at the first error."""
import os
import pathlib
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def scripts():
    for folder in (".ci", "packaging", "tests", "plugins"):
        for directory, _, names in os.walk(ROOT / folder):
            for name in names:
                path = pathlib.Path(directory) / name
                with open(path, "rb") as file:
                    if file.readline().startswith(b"#!/usr/bin/env bash"):
                        yield path


class Shell(unittest.TestCase):
    def test_given_the_scripts_when_checked_then_shellcheck_is_silent(self):
        found = sorted(scripts())
        self.assertIn(ROOT / "packaging" / "quickstart", found)
        result = subprocess.run(["shellcheck", *found], capture_output=True, text=True)
        self.assertEqual("", result.stdout + result.stderr)

    def test_given_the_scripts_when_read_then_each_stops_at_errors_and_is_executable(self):
        for path in scripts():
            self.assertIn("set -euo pipefail", path.read_text(), path)
            self.assertTrue(os.access(path, os.X_OK), path)

    def test_given_the_scripts_with_arguments_when_called_wrongly_then_they_say_so(self):
        for command in (["packaging/quickstart", "--nonsense"], ["packaging/test", "--nonsense"],
                        ["packaging/test", "--sanitize", "memory"],
                        ["packaging/test", "--build-dir"], ["packaging/dev/format", "--nonsense"],
                        ["packaging/dev/lint", "--nonsense"], ["packaging/deb", "--nonsense"], ["packaging/new-plugin"]):
            result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
            self.assertEqual(2, result.returncode, command)
            self.assertNotEqual("", result.stderr, command)


if __name__ == "__main__":
    unittest.main()
