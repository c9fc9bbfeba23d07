"""A vendor with an installed muster and nothing of its sources: generates a project, builds it, and drops the file elsewhere.

usage: new_plugin_test.py PREFIX
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

PREFIX = None
SECONDS = 250
ID = "acme_2"


class Case(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="muster-new-plugin-")
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name).resolve()
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("MUSTER_") or k == "MUSTER_TEST_RUN"}
        self.environment |= {"HOME": str(self.root), "XDG_CACHE_HOME": str(self.root / "cache"),
                             "XDG_CONFIG_HOME": str(self.root / "config")}

    def execute(self, *command, code=0):
        done = subprocess.run([str(part) for part in command], env=self.environment, cwd=self.root, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
        self.assertEqual(code, done.returncode, f"{command}\n{done.stdout}{done.stderr}")
        return done

    def generate(self, *arguments, code=0):
        return self.execute(PREFIX / "share" / "muster" / "new-plugin", *arguments, code=code)

    def left(self):
        return sorted(path.name for path in self.root.iterdir())


class Refusals(Case):
    def test_given_no_arguments_when_called_then_the_usage_is_shown(self):
        self.assertIn("usage: new-plugin NAME DIR", self.generate(code=2).stderr)
        self.assertIn("usage: new-plugin NAME DIR", self.generate("--help").stdout)

    def test_given_a_name_that_is_no_id_when_called_then_it_is_refused_with_the_rule_and_nothing_is_written(self):
        for name in ("", "Acme", "ac-me", "ac me", "../acme", "ac/me", "acme\n", "é", "-x"):
            with self.subTest(name=name):
                said = self.generate(name, "project", code=2).stderr
                self.assertIn("no id of a plugin", said)
                self.assertIn("lower case letters, digits and _", said)
        self.assertEqual([], self.left())

    def test_given_a_name_that_is_too_long_when_called_then_it_is_refused_with_the_limit(self):
        self.assertIn("use 55 at most", self.generate("a" * 56, "project", code=2).stderr)

    def test_given_a_folder_that_exists_when_called_then_it_is_refused_and_left_alone(self):
        (self.root / "project").mkdir()
        (self.root / "project" / "mine").write_text("mine")
        said = self.generate("acme", "project", code=2).stderr
        self.assertIn("'project' is there already", said)
        self.assertIn("new-plugin acme project/acme", said)
        self.assertEqual(["mine"], [path.name for path in (self.root / "project").iterdir()])


class Generated(Case):
    def served_by(self, muster, operation):
        rows = json.loads(self.execute(muster, "bench", operation, "--ranks", "2", "--from", "64K", "--to", "64K",
                                       "--iterations", "2", "--warmup", "1", "--json").stdout)["rows"]
        self.assertEqual(0, sum(row["wrong"] for row in rows))
        return {row["backend"] for row in rows}

    def test_given_a_generated_project_when_built_then_its_tests_pass_and_the_file_serves_in_another_tree(self):
        said = self.generate(ID, "pro ject").stdout
        project, build = self.root / "pro ject", self.root / "pro ject" / "build"
        self.assertIn("cmake -G Ninja", said)
        self.assertEqual(["pro ject"], self.left())
        self.assertEqual([], [str(path) for path in project.rglob("*") if path.is_file() and "@NAME@" in path.read_text()])

        self.execute("cmake", "-G", "Ninja", "-S", project, "-B", build, f"-DCMAKE_PREFIX_PATH={PREFIX}", "-DCMAKE_BUILD_TYPE=Debug")
        self.assertNotIn("warning", self.execute("cmake", "--build", build).stdout)
        tests = self.execute("ctest", "--test-dir", build, "--output-on-failure", "--no-tests=error").stdout
        for name in ("threads", "processes", "kernels", "conformance"):
            self.assertIn(f" {name} ", tests)

        other = self.root / "other"
        shutil.copytree(PREFIX, other, symlinks=True, copy_function=os.link)
        muster = other / "bin" / "muster"
        plugins = next(other.rglob("shm.so")).parent
        config = self.root / "muster.toml"
        config.write_text(f"[backend.{ID}]\npriority = 95\n")
        self.environment["MUSTER_CONFIG"] = str(config)
        for name in (ID, f"{ID}_kernels"):
            shutil.copy(build / "plugins" / f"{name}.so", plugins)
        self.assertIn(ID, self.execute(muster, "list").stdout)
        explained = json.loads(self.execute(muster, "explain", "all_reduce", "--dtype", "bf16", "--bytes", "1M", "--ranks",
                                            "2", "--json").stdout)
        self.assertEqual((ID, f"{config}:2:1"), (explained["answer"], explained["chain"][0]["priority_source"]))
        for operation in ("all_reduce", "broadcast", "all_gather"):
            self.assertEqual({ID}, self.served_by(muster, operation))
        kernels = json.loads(self.execute(muster, "list", "--probe", "--json").stdout)["kernels"]
        self.assertIn(f"{ID}_kernels", {row["pack"] for row in kernels})

        (plugins / f"{ID}.so").unlink()
        self.assertEqual({"shm"}, self.served_by(muster, "all_reduce"))


if __name__ == "__main__":
    PREFIX = pathlib.Path(sys.argv.pop(1))
    unittest.main(verbosity=2)
