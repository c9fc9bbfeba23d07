"""Each behaviour of the fault plugin is noticed by the case that the table of ../fault/README.md names, and by no accident: the
plugin without a fault passes every case."""
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import unittest

MUSTER, FAULTS = (pathlib.Path(argument) for argument in sys.argv[1:3])
SANITIZED = len(sys.argv) > 3  # memory is not measured then
TABLE = pathlib.Path(__file__).resolve().parent.parent / "fault" / "README.md"
SECONDS = 100


class Row:
    def __init__(self, what, how, case, outcome):
        self.what, self.case, self.outcome = what, case, outcome
        self.file, self.environment, self.arguments = "fault.so", {}, []
        for item in re.findall(r"`([^`]+)`", how):
            if item.startswith("FAULT_PLUGIN="):
                self.environment["FAULT_PLUGIN"] = item.split("=", 1)[1]
            elif item.endswith(".so"):
                self.file = item
            elif item.startswith("--"):
                self.arguments += shlex.split(item)
            else:
                self.arguments += ["--option", item]


def rows():
    lines = [[cell.strip() for cell in line.strip("|\n ").split("|")] for line in TABLE.read_text().splitlines() if line.startswith("|")]
    return [row for row in (Row(*cells) for cells in lines[2:]) if not (SANITIZED and row.case == "leaks.memory")]


class Table(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="muster-fault-")
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name).resolve()
        # What no compiler makes: the same file cut short, and for another machine.
        whole = bytearray((FAULTS / "fault.so").read_bytes())
        (self.root / "truncated.so").write_bytes(whole[: len(whole) // 2])
        struct.pack_into("<H", whole, 18, 183)  # e_machine: AArch64
        (self.root / "another_machine.so").write_bytes(whole)

    def path_of(self, file):
        return self.root / file if (self.root / file).exists() else FAULTS / file

    def check(self, file, *arguments, environment={}):
        result = subprocess.run(
            [MUSTER, "check", "plugin", self.path_of(file), "--json", "--seed", "20240601", *arguments],
            env={**os.environ, "XDG_CACHE_HOME": str(self.root), **environment}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=SECONDS)
        self.assertIn(result.returncode, (0, 1), result.stderr)
        report = json.loads(result.stdout)
        self.assertEqual("muster.check/1", report["schema"])
        self.assertEqual(result.returncode == 0, report["ok"])
        return report

    def named(self, row):
        limit = [] if "--timeout-ms" in row.arguments else ["--timeout-ms", "1500" if row.outcome == "timed out" else "30000"]
        report = self.check(row.file, "--only", row.case, *limit, *row.arguments, environment=row.environment)
        found = {case["case"]: case for case in report["cases"]}
        outcome = found.get(row.case, {}).get("outcome")
        if report["ok"] or outcome != row.outcome or set(found) != {row.case}:
            return f"{row.what}: {row.case} is not {row.outcome}: {json.dumps(report['cases'], indent=1)}"
        return None

    def test_given_each_fault_of_the_table_when_checked_then_its_case_is_red(self):
        table = rows()
        self.assertGreater(len(table), 60)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            wrong = [text for text in pool.map(self.named, table) if text]
        self.assertEqual([], wrong, "\n".join(wrong))

    def test_given_no_fault_when_checked_then_every_case_of_the_table_is_ok(self):
        for ranks in "2", "3":
            report = self.check("fault.so", "--ranks", ranks)
            outcomes = {case["case"]: case["outcome"] for case in report["cases"]}
            self.assertTrue(report["ok"], json.dumps(report, indent=1))
            self.assertEqual({}, {row.case: outcomes.get(row.case) for row in rows() if outcomes.get(row.case) != "ok"})

    def test_given_a_case_that_may_fail_when_it_does_not_then_that_is_a_failure(self):
        failing = ("--option", "fault=INTERNAL in execute", "--only", "collectives.barrier", "--expect-failure", "collectives.barrier")
        report = self.check("fault.so", *failing)
        self.assertEqual(["expected failure"], [case["outcome"] for case in report["cases"]])
        self.assertTrue(report["ok"])
        report = self.check("fault.so", "--only", "collectives.barrier", "--expect-failure", "collectives.barrier")
        self.assertEqual(["failed"], [case["outcome"] for case in report["cases"]])

    def test_given_a_deciding_case_that_fails_when_checked_then_the_rest_is_left_out(self):
        report = self.check("fault.so", environment={"FAULT_PLUGIN": "crash in probe"})
        self.assertEqual("probe.budget", report["cases"][-1]["case"])
        self.assertIn("collectives.all_reduce", report["left_out"])

    def test_given_wrong_usage_when_checked_then_it_exits_2_and_says_what_is_wrong(self):
        for arguments, text in ((("--only", "ofers"), "ofers"), (("--expect-failure", "offers.none"), "offers.none"),
                                (("--option", "fault"), "KEY=VALUE"), (("--ranks", "1"), "--ranks"), (("--jsn",), "--jsn")):
            with self.subTest(arguments=arguments):
                result = subprocess.run([MUSTER, "check", "plugin", FAULTS / "fault.so", *arguments], capture_output=True, text=True, timeout=SECONDS)
                self.assertEqual((2, ""), (result.returncode, result.stdout))
                self.assertIn(text, result.stderr)



if __name__ == "__main__":
    sys.argv[1:] = []
    unittest.main(verbosity=2)
