"""packaging/dev/ensure_packages, against a dpkg-query, apt-get, id and sudo of our own."""
import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "packaging" / "dev" / "ensure_packages"
SYSTEM = ("bash", "dirname", "readlink", "env")


class EnsurePackages(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.root = pathlib.Path(self.directory.name)
        self.bin = self.root / "bin"
        self.bin.mkdir()
        for name in SYSTEM:
            os.symlink(f"/usr/bin/{name}", self.bin / name)
        self.list = self.root / "packages.txt"
        self.list.write_text("# a comment\nbuild here\nbuild absent\ntest lacking\n")
        self.log = self.root / "log"
        self.program("dpkg-query", 'case "${@: -1}" in here) echo -n installed;; *) exit 1;; esac')
        self.program("apt-get", f'echo "${{DEBIAN_FRONTEND:-}} apt-get $*" >>{self.log}')

    def program(self, name, body):
        path = self.bin / name
        path.write_text(f"#!/usr/bin/bash\n{body}\n")
        path.chmod(0o755)

    def ensure(self, *purposes):
        environment = {"PATH": str(self.bin), "MUSTER_PACKAGE_LIST": str(self.list)}
        return subprocess.run([SCRIPT, *purposes], env=environment, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL)

    def calls(self):
        return self.log.read_text().splitlines() if self.log.exists() else []

    def test_given_everything_installed_when_ensured_then_apt_is_not_called(self):
        self.list.write_text("build here\n")
        self.program("id", "echo 0")
        result = self.ensure("build")
        self.assertEqual((0, []), (result.returncode, self.calls()))

    def test_given_root_when_packages_are_missing_then_exactly_those_are_installed(self):
        self.program("id", "echo 0")
        result = self.ensure("build", "test")
        self.assertEqual(0, result.returncode, result.stderr)
        self.assertEqual("noninteractive apt-get install -y -qq --no-install-recommends absent lacking",
                         self.calls()[-1])

    def test_given_one_purpose_when_ensured_then_the_other_is_left_alone(self):
        self.program("id", "echo 0")
        self.ensure("build")
        self.assertTrue(self.calls()[-1].endswith(" absent"))

    def test_given_a_user_with_sudo_when_packages_are_missing_then_sudo_installs_them(self):
        self.program("id", "echo 1000")
        self.program("sudo", f'echo sudo >>{self.log}; [[ $1 != -n ]] || exit 0; exec "$@"')
        result = self.ensure("build")
        self.assertEqual(0, result.returncode, result.stderr)
        self.assertIn("sudo", self.calls())
        self.assertTrue(self.calls()[-1].endswith(" absent"))

    def test_given_a_user_without_sudo_when_packages_are_missing_then_they_are_named(self):
        self.program("id", "echo 1000")
        result = self.ensure("build", "test")
        self.assertEqual((1, []), (result.returncode, self.calls()))
        self.assertIn("missing packages: absent lacking\n", result.stderr)
        self.assertIn("no sudo", result.stderr)

    def test_given_sudo_that_wants_a_password_when_there_is_no_terminal_then_packages_are_named(self):
        self.program("id", "echo 1000")
        self.program("sudo", "exit 1")
        result = self.ensure("build")
        self.assertEqual(1, result.returncode)
        self.assertIn("missing packages: absent\n", result.stderr)

    def test_given_an_apt_that_fails_when_ensured_then_the_failure_is_passed_on(self):
        self.program("id", "echo 0")
        self.program("apt-get", "exit 100")
        self.assertEqual(100, self.ensure("build").returncode)


if __name__ == "__main__":
    unittest.main()
