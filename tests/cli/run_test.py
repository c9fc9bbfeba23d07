"""`muster run`: exit codes, output, and what happens to a world that loses a rank."""
import os
import pathlib
import signal
import subprocess
import time

import support


class Run(support.Case):
    def test_given_a_program_when_run_then_its_exit_code_is_the_result(self):
        self.muster("run", "-n", "3", "--", "true")
        self.muster("run", "-n", "2", "--", "sh", "-c", "exit $MUSTER_LOCAL_RANK", code=1)
        self.muster("run", "-n", "2", "--", "sh", "-c", "exit 7", code=7)
        result = self.muster("run", "-n", "2", "--", "sh", "-c", "[ $MUSTER_LOCAL_RANK = 0 ] || kill -9 $$", code=128 + 9)
        self.assertRegex(result.stderr, r"rank 1 \(pid \d+\) was killed by signal 9")

    def test_given_a_program_that_is_not_there_when_run_then_127_and_its_name(self):
        self.assertIn("no-such-program", self.muster("run", "-n", "2", "--", "no-such-program", code=127).stderr)

    def test_given_wrong_arguments_when_run_then_it_is_a_usage_error(self):
        for arguments in ((), ("-n", "2"), ("--", "true"), ("-n", "0", "--", "true"), ("-n", "x", "--", "true")):
            with self.subTest(arguments=arguments):
                self.muster("run", *arguments, code=2)

    def test_given_prefix_when_run_then_every_line_names_its_rank(self):
        result = self.muster("run", "-n", "3", "--prefix", "--", "sh", "-c", "echo out; echo err >&2; printf last")
        self.assertEqual(sorted(f"[{r}] {text}" for r in range(3) for text in ("out", "last")),
                         sorted(result.stdout.splitlines()))
        self.assertEqual(sorted(f"[{r}] err" for r in range(3)), sorted(result.stderr.splitlines()))

    def test_given_arguments_that_look_like_options_when_run_then_the_program_gets_them(self):
        result = self.muster("run", "-n", "1", "--", "printf", "%s\\n", "--json", "--", "-n", "", "a b")
        self.assertEqual(["--json", "--", "-n", "", "a b"], result.stdout.splitlines())

    def test_given_a_dry_run_when_asked_then_the_ranks_are_printed(self):
        lines = self.muster("run", "-n", "2", "--dry-run", "--", "prog", "-x").stdout.splitlines()
        self.assertEqual(2, len(lines))
        self.assertTrue(lines[1].startswith("MUSTER_LOCAL_RANK=1 MUSTER_LOCAL_SIZE=2 "), lines)
        self.assertTrue(lines[1].endswith(" prog -x"), lines)

    def marked(self):
        """Living processes of this test, by the home that is its own."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                if f"HOME={self.root}/home".encode() in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def test_given_two_ranks_that_work_when_one_is_killed_then_all_ends_and_nothing_is_left(self):
        shared_before = set(os.listdir("/dev/shm"))
        # Ranks write their pid and become a bench that would run for hours.
        rank = (f'echo $$ > {self.root}/pid.$MUSTER_LOCAL_RANK; '
                f'exec {support.MUSTER} bench all_reduce --from 4K --to 4K --iterations 1000000 --warmup 1000000')
        launcher = subprocess.Popen([str(support.MUSTER), "run", "-n", "2", "--", "sh", "-c", rank], env=self.environment,
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(launcher.kill)
        victim = self.working_pid(1)
        os.kill(victim, signal.SIGKILL)
        _, errors = launcher.communicate(timeout=support.SECONDS)
        self.assertEqual(128 + 9, launcher.returncode, errors)
        self.assertIn(f"rank 1 (pid {victim}) was killed by signal 9", errors)
        self.assertRegex(errors, r"muster: .*rank 1")
        self.assertNotIn("is stopped: it has not ended", errors)
        self.assertEqual([], self.marked())
        self.assertEqual(set(), {name for name in set(os.listdir("/dev/shm")) - shared_before if "muster" in name})

    def working_pid(self, rank):
        """The pid of a rank once it prints its table, which comes after its group was made."""
        path = self.root / f"pid.{rank}"
        for _ in range(support.SECONDS * 10):
            if path.exists() and path.read_text().strip():
                pid = int(path.read_text())
                # The group's shared memory is mapped.
                if "memfd:muster-shm" in pathlib.Path(f"/proc/{pid}/maps").read_text():
                    return pid
            time.sleep(0.1)
        self.fail(f"rank {rank} did not start to work")


if __name__ == "__main__":
    support.main()
