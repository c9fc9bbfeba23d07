"""Programs and plugins of a released minor meet today's runtime; so does a plugin of a minor to come.

usage: kept_test.py LIBRARY MUSTER PLUGINS INCLUDE kept.binaries|kept.headers|kept.later
kept.binaries runs the files in kept/, and exits with 77 where this machine, or a sanitizer's build, cannot run them.
"""
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "cli"))
import later
import support

KEPT = HERE / "kept"
MINORS = sorted(path.name for path in KEPT.iterdir() if (path / "include").is_dir())
LIBRARY = INCLUDE = None


class Case(support.Case):
    def setUp(self):
        super().setUp()
        self.environment["LD_LIBRARY_PATH"] = str(LIBRARY.parent)
        self.configure("")

    def drop(self, plugin):
        """Into the plugin directory."""
        shutil.copyfile(plugin, self.plugins / "kept.so")
        (self.plugins / "kept.so").chmod(0o755)

    def build(self, what, include, *more):
        built = self.root / what
        done = subprocess.run([KEPT / "build", what, include, built, *more], capture_output=True, text=True)
        self.assertEqual("", done.stderr)
        return built

    def serves(self, program, backend):
        """Two ranks as threads and two as processes; the program checks every result."""
        for command in ([program, "2", backend], [support.MUSTER, "run", "-n", "2", "--", program, "0", backend]):
            result = self.execute(*command)
            self.assertEqual(0, result.returncode, result.stdout + result.stderr)
            self.assertEqual(f"all_reduce by {backend}\n", result.stdout)


class Binaries(Case):
    def test_given_a_kept_program_when_run_with_todays_library_then_its_results_are_right(self):
        for minor in MINORS:
            with self.subTest(minor):
                program = KEPT / minor / platform.machine() / "program"
                self.assertIn(f"MUSTER_{minor}\0".encode(), program.read_bytes())
                self.serves(program, "shm")

    def test_given_a_kept_plugin_when_dropped_into_the_directory_then_it_serves(self):
        for minor in MINORS:
            with self.subTest(minor):
                self.drop(KEPT / minor / platform.machine() / "plugin.so")
                found = self.json("list", schema="muster.list/1")["plugins"]
                self.assertIn(("kept", minor), [(plugin["id"], plugin["abi"]) for plugin in found])
                self.serves(KEPT / minor / platform.machine() / "program", "kept")

    def test_given_a_kept_plugin_when_checked_then_it_still_passes_the_conformance_suite(self):
        for minor in MINORS:
            with self.subTest(minor):
                plugin = KEPT / minor / platform.machine() / "plugin.so"
                said = self.muster("check", "plugin", plugin, "--seed", "20240601").stdout
                self.assertRegex(said, r"\nok +collectives\.all_reduce ")


class Headers(Case):
    def test_given_the_headers_of_a_minor_when_both_sides_are_built_with_them_then_they_work_today(self):
        for minor in MINORS:
            with self.subTest(minor):
                include = KEPT / minor / "include"
                self.drop(self.build("plugin", include))
                self.serves(self.build("program", include, LIBRARY), "kept")


class Later(Case):
    """A plugin of the next minor, which says that it can do without what that has more."""

    def setUp(self):
        super().setUp()
        self.include = self.root / "later"
        self.minor = later.make(INCLUDE, self.include)

    def test_given_a_plugin_of_a_later_minor_then_it_serves_with_what_is_known_here(self):
        self.drop(self.build("plugin", self.include))
        found = self.json("list", schema="muster.list/1")["plugins"]
        self.assertIn(("kept", f"0.{self.minor}"), [(plugin["id"], plugin["abi"]) for plugin in found])
        self.serves(self.build("program", INCLUDE, LIBRARY), "kept")

    def test_given_rules_that_this_minor_cannot_read_then_they_alone_are_left_out_and_why_is_said(self):
        self.drop(self.build("plugin", self.include))
        text = self.muster("explain", "all_reduce", "--bytes", "4096", "-n", "2").stdout
        for words in ("kept", "rule 'later_flag' is left out by a runtime of ABI", "its flags 0x40000000 are unknown",
                      "rule 'later_class' is left out by a runtime of ABI", "its determinism class is unknown"):
            self.assertIn(words, text)

    def test_given_a_program_of_a_later_minor_then_what_this_runtime_does_not_know_is_not_read(self):
        # The batch's calls are longer than this runtime's.
        self.serves(self.build("program", self.include, LIBRARY), "shm")


if __name__ == "__main__":
    library, muster, plugins, include = (pathlib.Path(sys.argv.pop(1)) for _ in range(4))
    LIBRARY, INCLUDE, support.MUSTER, support.PLUGINS = library, include, muster, plugins
    sys.argv[1] = sys.argv[1].removeprefix("kept.").capitalize()
    if sys.argv[1] == "Binaries":
        if platform.machine() != "x86_64":
            print(f"skipped: the kept files are of x86_64, this machine is {platform.machine()}")
            sys.exit(77)
        if os.environ.get("MUSTER_TEST_SANITIZE"):
            print("skipped: a sanitizer's build serves nothing that was built without it")
            sys.exit(77)
    unittest.main(verbosity=2)
