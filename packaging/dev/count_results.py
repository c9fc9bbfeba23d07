#!/usr/bin/env python3
"""Counts a JUnit file of ctest: prints the skipped count, then "N passed, M failed" as the last line.

Only a test that ran to its end and succeeded has passed. One that says itself that it cannot run here (exit code 77,
GTEST_SKIP) is skipped; one that ctest could not run (no program, failed fixture) has failed.
Exit status: 0 when something ran and nothing failed.
"""
import argparse
import os
import sys
import xml.etree.ElementTree as ElementTree

SKIPPED_BY_ITSELF = ("SKIP_RETURN_CODE", "SKIP_REGULAR_EXPRESSION")


def verdict(case):
    status = case.get("status")
    if status == "run" and case.find("failure") is None:
        return "passed"
    skipped = case.find("skipped")
    if skipped is not None and skipped.get("message", "").startswith(SKIPPED_BY_ITSELF):
        return "skipped"
    return "failed"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("junit")
    parser.add_argument("--passed", action="append_const", const=1, default=[], help="one more check that passed")
    parser.add_argument("--failed", action="append_const", const=1, default=[], help="one more check that failed")
    arguments = parser.parse_args()

    cases = []
    if os.path.exists(arguments.junit):
        cases = ElementTree.parse(arguments.junit).getroot().findall("testcase")
    verdicts = {"passed": [], "failed": [], "skipped": []}
    for case in cases:
        verdicts[verdict(case)].append(case.get("name"))

    passed = len(verdicts["passed"]) + len(arguments.passed)
    failed = len(verdicts["failed"]) + len(arguments.failed)
    nothing_ran = not verdicts["passed"] and not verdicts["failed"]
    if nothing_ran:
        print("no test ran", file=sys.stderr)
    for name in verdicts["failed"]:
        print(f"failed: {name}")
    for name in verdicts["skipped"]:
        print(f"skipped: {name}")
    print(f"{len(verdicts['skipped'])} skipped")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or nothing_ran else 0


if __name__ == "__main__":
    sys.exit(main())
