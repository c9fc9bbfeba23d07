"""packaging/dev/left_behind sees the processes, shared memory and files that a run leaves."""
import os
import pathlib
import subprocess
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "packaging" / "dev" / "left_behind"


class LeftBehind(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.memory = self.directory / "shm"
        self.memory.mkdir()
        (self.directory / "tmp").mkdir()
        (self.memory / "there before").touch()
        subprocess.run([SCRIPT, "--before", self.directory, self.memory], check=True)

    def after(self):
        # As packaging/test calls it: from a shell that is itself marked.
        command = f"{SCRIPT} --after {self.directory} {self.memory}; exit $?"
        return subprocess.run(["bash", "-c", command], env=self.environment(), capture_output=True, text=True)

    def environment(self):
        return {**os.environ, "MUSTER_TEST_RUN": str(self.directory)}

    def test_given_nothing_when_looked_at_then_the_run_is_clean(self):
        result = self.after()
        self.assertEqual((0, ""), (result.returncode, result.stderr))

    def test_given_a_file_when_looked_at_then_it_is_named(self):
        (self.directory / "tmp" / "forgotten").touch()
        result = self.after()
        self.assertEqual(1, result.returncode)
        self.assertIn(f"file {self.directory}/tmp/forgotten", result.stderr)

    def test_given_a_process_of_the_run_when_looked_at_then_it_is_named(self):
        process = subprocess.Popen(["sleep", "60"], env=self.environment())
        try:
            result = self.after()
        finally:
            process.kill()
            process.wait()
        self.assertEqual(1, result.returncode)
        self.assertIn(f"process {process.pid}: sleep 60", result.stderr)

    def test_given_shared_memory_when_looked_at_then_it_is_named(self):
        name = self.memory / "forgotten"
        name.touch()
        result = self.after()
        self.assertEqual(1, result.returncode)
        self.assertIn(f"shared memory {name}", result.stderr)


if __name__ == "__main__":
    unittest.main()
