"""packaging/dev/count_results.py: what counts as passed, failed and skipped."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "packaging" / "dev" / "count_results.py"
PASSED = '<testcase name="good" status="run"/>'
FAILED = '<testcase name="bad" status="fail"><failure message="exit 1"/></testcase>'
SKIPPED = '<testcase name="elsewhere" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/></testcase>'
GTEST_SKIPPED = ('<testcase name="elsewhere too" status="notrun">'
                 '<skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/></testcase>')
NOT_FOUND = ('<testcase name="gone" status="notrun"><skipped message="Unable to find executable"/></testcase>')


class CountResults(unittest.TestCase):
    def count(self, *cases, arguments=()):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "junit.xml"
            if cases:
                path.write_text(f"<testsuite>{''.join(cases)}</testsuite>")
            result = subprocess.run([sys.executable, SCRIPT, path, *arguments], capture_output=True, text=True)
            return result.returncode, result.stdout.splitlines()[-2:]

    def test_given_passes_when_counted_then_they_are_the_last_line(self):
        self.assertEqual((0, ["0 skipped", "2 passed, 0 failed"]), self.count(PASSED, PASSED))

    def test_given_a_failure_when_counted_then_the_exit_status_says_so(self):
        self.assertEqual((1, ["0 skipped", "1 passed, 1 failed"]), self.count(PASSED, FAILED))

    def test_given_skips_when_counted_then_they_are_neither_passed_nor_failed(self):
        self.assertEqual((0, ["2 skipped", "1 passed, 0 failed"]), self.count(PASSED, SKIPPED, GTEST_SKIPPED))

    def test_given_a_test_without_its_program_when_counted_then_it_has_failed(self):
        self.assertEqual((1, ["0 skipped", "1 passed, 1 failed"]), self.count(PASSED, NOT_FOUND))

    def test_given_nothing_that_ran_when_counted_then_the_run_has_failed(self):
        self.assertEqual(1, self.count()[0])
        self.assertEqual(1, self.count(SKIPPED, arguments=["--passed"])[0])

    def test_given_further_checks_when_counted_then_they_are_added(self):
        self.assertEqual((1, ["0 skipped", "2 passed, 1 failed"]),
                         self.count(PASSED, arguments=["--passed", "--failed"]))


if __name__ == "__main__":
    unittest.main()
