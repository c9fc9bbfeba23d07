"""`muster bench --compare`, `--plot`, `--tune`: peers in turns with muster, drawn; options tried. The peers are the test's own."""
import csv
import io
import os
import re
import shutil
import xml.etree.ElementTree as ElementTree

import support

FEW = ("--iterations", "2", "--warmup", "1", "--repeats", "2")
HEADER = ("op,dtype,redop,ranks,bytes,count,median_us,min_us,max_us,p99_us,algbw_gbs,busbw_gbs,wrong,backend,iterations,place,"
          "memory,loop,floor_us")
# gloo's program is started by muster's own launcher, so that any program can stand in for it.
PEER = """#!/bin/sh
[ "$MUSTER_LOCAL_RANK" = 0 ] || exit 0
echo "$*" >>"{log}"
{body}
"""
ROWS = """echo "{header}"
for size in 64 4096; do echo "all_reduce,f32,sum,2,$size,1,{us},1,9,9,0,0,{wrong},fake 1.2,2,out,ordinary,synchronised,0.5"; done"""


class Compare(support.Case):
    def peer(self, body, name="gloo"):
        directory = self.root / "peers"
        directory.mkdir(exist_ok=True)
        path = directory / f"{name}_peer"
        path.write_text(PEER.format(log=self.root / "log", body=body))
        path.chmod(0o755)
        return ("--peers-dir", directory)

    def rows_of(self, us="1000000", wrong=0):
        return self.peer(ROWS.format(header=HEADER, us=us, wrong=wrong))

    def compare(self, *arguments, code=0):
        return self.muster("bench", "all_reduce", "--sizes", "64,4K", "--compare", "gloo", *FEW, *arguments, code=code)

    def test_given_a_peer_when_compared_then_both_stand_side_by_side_with_the_ratio(self):
        text = self.compare(*self.rows_of()).stdout
        self.assertIn("# floor (us): muster (shm)", text)
        self.assertIn("gloo (fake 1.2) 0.50", text)
        rows = [line.split() for line in text.splitlines() if not line.startswith("#")]
        self.assertEqual([("64", "1000000.00"), ("4096", "1000000.00")], [(row[0], row[3]) for row in rows])
        for row in rows:
            self.assertEqual("0.50", row[4])
            self.assertAlmostEqual(1.0, float(row[5]) * float(row[1]) / float(row[3]), delta=0.2)

    def test_given_repeats_when_compared_then_the_peer_runs_so_often_with_muster_s_own_arguments(self):
        self.compare(*self.rows_of(), "--dtype", "f32", "--in-place")
        lines = (self.root / "log").read_text().splitlines()
        self.assertEqual(2, len(lines))
        for line in lines:
            self.assertTrue(line.startswith("all_reduce --sizes 64,4096 --dtype f32 --redop sum --loop synchronised --bind none "),
                            line)
            self.assertIn(" --iterations 2 --warmup 1 --in-place --store ", line)
            self.assertFalse(os.path.exists(line.split()[-1]))

    def test_given_csv_or_json_when_compared_then_the_figures_are_there(self):
        peer = self.rows_of()
        rows = list(csv.DictReader(io.StringIO(self.compare(*peer, "--csv").stdout)))
        self.assertEqual([("64", "1000000.000"), ("4096", "1000000.000")], [(row["bytes"], row["gloo_us"]) for row in rows])
        self.assertGreater(float(rows[0]["gloo_ratio"]), 1)
        data = self.json("bench", "all_reduce", "--sizes", "64,4K", "--compare", "gloo", *FEW, *peer, schema="muster.compare/1")
        self.assertEqual(["muster", "gloo"], [contender["name"] for contender in data["contenders"]])
        self.assertEqual([64, 4096], [row["bytes"] for row in data["rows"]])
        self.assertEqual(1000000, data["rows"][0]["us"]["gloo"])

    def test_given_a_peer_without_the_operation_when_compared_then_its_column_is_empty_and_says_so(self):
        text = self.compare(*self.peer("echo 'fake has no all_reduce' >&2\nexit 77")).stdout
        self.assertIn("# fake has no all_reduce\n", text)
        self.assertEqual(["-", "-", "-"], text.splitlines()[-1].split()[3:])

    def test_given_a_peer_that_fails_when_compared_then_its_own_words_are_told_and_muster_s_figures_stand(self):
        for body, words in (("echo 'no such fabric' >&2\nexit 9", ("exit code 9", "no such fabric")),
                            ("echo garbage", ("no line of column names",)),
                            (f"echo '{HEADER}'", ("0 rows instead of 2",)),
                            (f"echo '{HEADER}'\necho 'all_reduce,f32,sum,2,64,1,fast'", ("column backend is missing",)),
                            (ROWS.format(header=HEADER, us=1, wrong=3), ("3 wrong elements of 64 bytes",)),
                            (ROWS.format(header=HEADER, us=1, wrong=0).replace("4096", "4097"), ("row 2 is of 4097 bytes",))):
            with self.subTest(body=body):
                result = self.compare(*self.peer(body), code=1)
                for word in words:
                    self.assertIn(word, result.stderr)
                self.assertIn("it was started by:", result.stderr)
                self.assertRegex(result.stdout.splitlines()[-1], r"^ +4096 +\d+\.\d+ +\d+\.\d+ +- +- +-$")

    def test_given_a_dry_run_when_compared_then_the_launches_are_printed_and_nothing_runs(self):
        for name in ("openmpi", "mpich"):
            self.peer("exit 1", name)
        lines = self.muster("bench", "all_reduce", "--ranks", "4", "--compare", "openmpi,mpich,gloo", *self.rows_of(),
                            "--dry-run").stdout.splitlines()
        self.assertEqual(4, len(lines))
        self.assertIn(" bench --csv --ranks 4 all_reduce --sizes ", lines[0])
        self.assertTrue(lines[1].startswith("mpirun.openmpi -n 4 --oversubscribe --bind-to none "), lines[1])
        self.assertTrue(lines[2].startswith("mpiexec.mpich -n 4 "), lines[2])
        self.assertTrue(lines[3].endswith(" --store <directory>"), lines[3])
        self.assertFalse((self.root / "log").exists())

    def test_given_a_peer_that_is_not_there_when_compared_then_the_known_ones_or_its_package_are_named(self):
        error = self.muster("bench", "all_reduce", "--compare", "ucc", code=2).stderr
        self.assertIn("'ucc' is no peer that can be compared with\n        use one of openmpi, mpich, gloo", error)
        error = self.muster("bench", "all_reduce", "--compare", "mpich", "--peers-dir", self.root, code=1).stderr
        self.assertIn(f"peer mpich has no program {self.root}/mpich_peer", error)
        self.assertIn("libmpich-dev", error)

    def test_given_ranks_when_they_compare_then_it_is_a_usage_error(self):
        self.environment.update(MUSTER_LOCAL_RANK="0", MUSTER_LOCAL_SIZE="1")
        self.assertIn("--compare starts ranks itself", self.compare(*self.rows_of(), code=2).stderr)


class Plot(support.Case):
    def test_given_two_backends_when_plotted_then_the_picture_has_a_line_for_each(self):
        if shutil.which("gnuplot") is None:
            self.skipTest("gnuplot is not installed")
        self.muster("bench", "all_reduce", "--sizes", "64,1K,4K", "--iterations", "2", "--warmup", "1", "--plot", "out.svg")
        picture = ElementTree.parse(self.root / "out.svg").getroot()
        self.assertEqual("{http://www.w3.org/2000/svg}svg", picture.tag)
        words = "".join(picture.itertext())
        for word in ("all_reduce f32 sum, 2 ranks", "time (us)", "bus bandwidth (GB/s)", "64", "4KiB", "shm"):
            self.assertIn(word, words)

    def test_given_no_gnuplot_when_plotted_then_the_package_is_named_before_anything_runs(self):
        self.environment["PATH"] = str(self.root)
        result = self.muster("bench", "all_reduce", "--plot", "out.svg", code=1)
        self.assertEqual("", result.stdout)
        self.assertIn("gnuplot-nox", result.stderr)

    def test_given_a_picture_that_cannot_be_written_when_plotted_then_gnuplot_s_words_are_told(self):
        if shutil.which("gnuplot") is None:
            self.skipTest("gnuplot is not installed")
        result = self.muster("bench", "all_reduce", "--sizes", "64", *FEW[:4], "--plot", "nowhere/out.svg", code=1)
        self.assertIn("gnuplot did not draw", result.stderr)

    def test_given_a_barrier_when_plotted_then_it_is_a_usage_error(self):
        self.assertIn("nothing to plot", self.muster("bench", "barrier", "--plot", "out.svg", code=2).stderr)


class Tune(support.Case):
    def test_given_an_operation_when_tuned_then_what_won_is_a_configuration_that_can_be_read(self):
        result = self.muster("bench", "send_recv", "--tune", "tuned.toml", *FEW)
        text = result.stdout
        self.assertEqual(["run 1 of 2", "run 2 of 2"], re.findall(r"box_bytes: (run \d of \d), 4 candidates at 3 sizes", result.stderr))
        self.assertEqual(1, text.count("<- chosen"))
        self.assertRegex(text, r"# +box_bytes +32KiB +256KiB +4MiB +mean\n")
        tuned = (self.root / "tuned.toml").read_text()
        self.assertRegex(tuned, r'\[backend\.shm\]\noptions = \{ box_bytes = "\d+KiB" \}\n')
        self.muster("bench", "send_recv", "--config", "tuned.toml", "--sizes", "64", *FEW[:4])
        self.environment["MUSTER_CONFIG"] = str(self.root / "tuned.toml")
        self.assertIn("box_bytes", self.muster("config", "show").stdout)

    def test_given_a_limit_per_group_when_tuned_then_it_names_operation_and_ranks(self):
        self.muster("bench", "reduce", "--tune", "tuned.toml", *FEW)
        self.assertRegex((self.root / "tuned.toml").read_text(), r'bands = "reduce/2=\d+"')
        self.muster("bench", "reduce", "--config", "tuned.toml", "--sizes", "64", *FEW[:4])

    def own_tuning(self):
        """A command with a tuning file of the test's own: both, and the file's first lines."""
        binaries = self.root / "bin"
        binaries.mkdir()
        for program in ("muster", "muster-probe"):
            shutil.copy2(support.MUSTER.parent / program, binaries)
        (self.root / "lib").symlink_to(support.MUSTER.parent.parent / "lib")
        tuning = self.root / "share/muster/tuning/shm.toml"
        tuning.parent.mkdir(parents=True)
        return binaries / "muster", tuning, '[[limit]]\noption = "bands"\nsizes = ["64"]\noperations = ["reduce"]\n'

    def test_given_a_tuning_file_that_says_nonsense_when_asked_then_the_line_is_told(self):
        muster, tuning, limit = self.own_tuning()
        for lines, cause in (('candidates = ["1KiB:2KiB"]', "only a limit per group has candidates of several sizes"),
                             ('per_group = true\ncandidates = ["1KiB:x"]', "shm.toml:6: '1KiB:x' is not a size"),
                             ('candidates = ["1KiB"]\nranks_from = 0', "shm.toml:6: a number of ranks is expected")):
            tuning.write_text(limit + lines + "\n")
            self.assertIn(cause, self.execute(muster, "bench", "reduce", "--tune", "t").stderr)
        # Of a group that no limit is about there is nothing to tune.
        tuning.write_text(limit + 'candidates = ["1KiB"]\nranks_from = 3\n')
        error = self.execute(muster, "bench", "reduce", "--tune", "t").stderr
        self.assertIn("no option of shm is tuned by reduce", error)

    def test_given_what_is_shipped_as_candidate_when_it_wins_then_the_option_is_left_alone(self):
        muster, tuning, limit = self.own_tuning()
        tuning.write_text(limit + 'per_group = true\ncandidates = ["shipped"]\n')
        result = self.execute(muster, "bench", "reduce", "--tune", "t", *FEW)
        self.assertRegex(result.stdout, r"\n +shipped +\d+\.\d+ +\d+\.\d+  <- chosen\n", result.stderr)
        self.assertIn("[backend.shm]\noptions = { }\n", (self.root / "t").read_text())
        self.muster("bench", "reduce", "--config", "t", "--sizes", "64", *FEW[:4])

    def test_given_what_cannot_be_tuned_when_asked_then_the_reason_is_told(self):
        self.assertIn("no option of shm is tuned by barrier", self.muster("bench", "barrier", "--tune", "t", code=1).stderr)
        error = self.muster("bench", "all_reduce", "--backend", "skeleton", "--tune", "t", code=1).stderr
        self.assertIn("backend skeleton has nothing to tune", error)
        self.muster("bench", "all_reduce", "--tune", "t", "--config", "c.toml", code=2)
        error = self.muster("bench", "all_reduce", "--device", "cuda", "--tune", "t", code=2).stderr
        self.assertIn("--tune of a device needs the backend that is tuned", error)
        result = self.muster("bench", "send_recv", "--tune", "nowhere/t", *FEW, code=1)
        self.assertIn("cannot write nowhere/t", result.stderr)


if __name__ == "__main__":
    support.main()
