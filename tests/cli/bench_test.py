"""`muster bench`: rows with the backend that served, results checked first; it starts its own ranks, under mpirun as well."""
import csv
import io
import json
import shutil

import support

OPERATIONS = ("all_reduce", "reduce", "reduce_scatter", "reduce_scatterv", "broadcast", "all_gather", "all_gatherv", "gather",
              "gatherv", "scatter", "scatterv", "all_to_all", "all_to_allv", "send_recv", "barrier")
FEW = ("--iterations", "2", "--warmup", "1")
SMALL = ("--from", "64", "--to", "4K", *FEW)


class Bench(support.Case):
    def check_table(self, text):
        """The rows of the table as (bytes, wrong, backend)."""
        rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
        for row in rows:
            self.assertEqual(12, len(row), text)
        self.assertIn("# wrong elements : 0 OK", text)
        return [(int(row[0]), row[10], row[11]) for row in rows]

    def csv_rows(self, *arguments):
        return list(csv.DictReader(io.StringIO(self.muster(*arguments, "--csv").stdout)))

    def test_given_every_operation_when_measured_over_shm_then_every_row_is_right(self):
        for operation in OPERATIONS:
            for ranks in ("2", "3"):
                with self.subTest(operation=operation, ranks=ranks):
                    data = self.json("bench", operation, "--ranks", ranks, "--backend", "shm", *SMALL, schema="muster.bench/1")
                    self.assertEqual((operation, int(ranks), "local"), (data["op"], data["ranks"], data["bootstrap"]))
                    self.assertEqual(1 if operation == "barrier" else 3, len(data["rows"]))
                    self.assertEqual({(0, "shm")}, {(row["wrong"], row["backend"]) for row in data["rows"]})

    def test_given_dtypes_and_reduce_operations_when_measured_then_every_row_is_right(self):
        for dtype, redop in (("bf16", "sum"), ("i8", "max"), ("u64", "bxor"), ("f64", "avg"), ("f16", "min")):
            with self.subTest(dtype=dtype, redop=redop):
                data = self.json("bench", "all_reduce", "--dtype", dtype, "--redop", redop, *SMALL, schema="muster.bench/1")
                self.assertEqual({0}, {row["wrong"] for row in data["rows"]})

    def test_given_mpirun_when_measured_over_mpi_then_mpi_serves_every_row(self):
        self.without_leak_check()
        result = self.execute(shutil.which("mpirun"), "-n", "2", "--oversubscribe", support.MUSTER, "bench", "all_reduce",
                              "--backend", "mpi", *SMALL)
        self.assertEqual(0, result.returncode, result.stdout + result.stderr)
        self.assertIn("2 ranks, bootstrap mpi | all_reduce f32 sum", result.stdout)
        self.assertEqual([(64, "0", "mpi"), (512, "0", "mpi"), (4096, "0", "mpi")], self.check_table(result.stdout))

    def test_given_two_backends_when_measured_then_each_size_has_a_row_of_both(self):
        self.without_leak_check()
        result = self.muster("bench", "all_reduce", "--ranks", "2", "--backend", "shm,mpi", *SMALL)
        self.assertIn("bootstrap mpi", result.stdout)
        self.assertEqual([(size, "0", backend) for size in (64, 512, 4096) for backend in ("shm", "mpi")],
                         self.check_table(result.stdout))

    def test_given_a_dry_run_when_asked_then_the_launch_is_printed_and_nothing_runs(self):
        own = self.muster("bench", "all_reduce", "--ranks", "3", "--backend", "shm", "--dry-run").stdout
        self.assertEqual(f"{support.MUSTER} run -n 3 -- {support.MUSTER} bench all_reduce --ranks 3 --backend shm\n", own)
        data = self.json("bench", "all_reduce", "--backend", "shm", "--dry-run", schema="muster.launch/1")
        self.assertEqual([str(support.MUSTER), "run", "-n", "2", "--"], data["command"][:5])
        mpi = self.muster("bench", "all_reduce", "--ranks", "2", "--backend", "shm,mpi", "--dry-run").stdout
        self.assertRegex(mpi, r"^mpirun -n 2 --oversubscribe .*mpi_yield_when_idle 1 ")
        self.assertTrue(mpi.endswith(f" {support.MUSTER} bench all_reduce --ranks 2 --backend shm,mpi\n"), mpi)

    def test_given_csv_when_measured_then_it_is_a_header_and_a_line_per_row(self):
        rows = self.csv_rows("bench", "all_gather", *SMALL)
        self.assertEqual([("all_gather", "f32", "none", "2", "64", "0", "shm")],
                         [tuple(row[key] for key in ("op", "dtype", "redop", "ranks", "bytes", "wrong", "backend"))
                          for row in rows[:1]])
        self.assertEqual(3, len(rows))
        for row in rows:
            self.assertLessEqual(float(row["min_us"]), float(row["median_us"]))
            self.assertLessEqual(float(row["median_us"]), float(row["max_us"]))

    def test_given_ranks_of_one_node_when_measured_then_they_meet_in_memory_and_the_floor_is_told(self):
        data = self.json("bench", "all_reduce", "--sizes", "8,1K", *FEW, schema="muster.bench/1")
        self.assertGreater(data["floor_us"], 0)
        self.assertEqual([(8, 2), (1024, 2)], [(row["bytes"], row["iterations"]) for row in data["rows"]])
        text = self.muster("bench", "all_reduce", "--sizes", "8", *FEW).stdout
        self.assertRegex(text, r"# floor: \d+\.\d\d us for an exchange of nothing in the same loop\n")

    def test_given_every_operation_with_an_in_place_form_when_measured_in_place_then_every_row_is_right(self):
        for operation in OPERATIONS:
            with self.subTest(operation=operation):
                if operation in ("send_recv", "barrier"):
                    error = self.muster("bench", operation, "--in-place", code=2).stderr
                    self.assertIn(f"{operation} has no in-place form", error)
                    continue
                rows = self.csv_rows("bench", operation, "--ranks", "3", "--in-place", "--backend", "shm", *SMALL)
                self.assertEqual([("in", "0")] * 3, [(row["place"], row["wrong"]) for row in rows])

    def test_given_every_operation_when_measured_in_memory_of_the_group_then_every_row_is_right(self):
        for operation in OPERATIONS:
            with self.subTest(operation=operation):
                rows = self.csv_rows("bench", operation, "--memory", "alloc", "--backend", "shm", *SMALL)
                self.assertEqual({("alloc", "0")}, {(row["memory"], row["wrong"]) for row in rows})
        rows = self.csv_rows("bench", "all_gather", "--memory", "alloc", "--in-place", "--ranks", "3", *SMALL)
        self.assertEqual({("alloc", "in", "0")}, {(row["memory"], row["place"], row["wrong"]) for row in rows})

    def test_given_no_count_when_measured_then_the_time_for_each_size_bounds_it(self):
        few, = self.csv_rows("bench", "all_reduce", "--sizes", "8M", "--seconds", "0.001")
        self.assertEqual("20", few["iterations"])
        many, = self.csv_rows("bench", "barrier", "--bind", "none")
        self.assertGreater(int(many["iterations"]), 20)

    def test_given_calls_back_to_back_when_measured_then_the_rows_say_so(self):
        row, = self.csv_rows("bench", "all_reduce", "--sizes", "64", "--loop", "back-to-back", *FEW)
        self.assertEqual(("back-to-back", "0"), (row["loop"], row["wrong"]))
        text = self.muster("bench", "all_reduce", "--sizes", "64", "--loop", "back-to-back", *FEW).stdout
        self.assertIn("# time: median over samples of calls back to back", text)

    def test_given_a_fault_when_measured_then_the_row_is_wrong_and_the_exit_code_1(self):
        result = self.muster("bench", "all_reduce", "--fault", "1:all_reduce", *SMALL, code=1)
        self.assertIn("FAILED", result.stdout)
        self.assertRegex(result.stderr, r"all_reduce of \d+ bytes by shm is wrong: rank 1: 1 element wrong")
        data = json.loads(self.muster("bench", "all_reduce", "--fault", "0:all_reduce", *SMALL, "--json", code=1).stdout)
        self.assertEqual(1, sum(row["wrong"] for row in data["rows"]))

    def test_given_a_backend_that_is_not_there_when_measured_then_it_is_named(self):
        result = self.muster("bench", "all_reduce", "--backend", "ncccl", code=1)
        self.assertIn("no plugin has the id 'ncccl'", result.stderr)
        self.assertEqual("", result.stdout)

    def test_given_what_cannot_be_measured_when_asked_then_it_is_a_usage_error_that_lists_what_can(self):
        for arguments in (("all_reduced",), ("all_reduce", "-d", "f99"), ("all_reduce", "-o", "mean"), ("all_reduce", "-b", "9x"),
                          ("all_reduce", "-b", "2M", "-e", "1M"), ("all_reduce", "-f", "1"), ("all_reduce", "--sizes", "8,9x"), ("all_reduce", "--loop", "fast"),
                          ("all_reduce", "--bind", "node"), ("send",)):
            with self.subTest(arguments=arguments):
                result = self.muster("bench", *arguments, code=2)
                self.assertEqual("", result.stdout)
                self.assertNotEqual("", result.stderr)
        errors = self.muster("bench", "all_reduced", code=2).stderr
        self.assertIn("operation 'all_reduced' cannot be measured", errors)
        for operation in OPERATIONS:
            self.assertIn(operation, errors)
        self.assertIn("dtype 'f99'", self.muster("bench", "all_reduce", "-d", "f99", code=2).stderr)

    def test_given_a_device_that_is_not_there_when_measured_then_that_is_said_before_anything_is_timed(self):
        for arguments, cause in ((("--graph",), "--graph and --devices are about a device"), (("--device", "host"), "'host' is no kind of device memory"),
                                 (("--device", "cuda", "--loop", "back-to-back"), "--device goes without barrier, --loop and --compare")):
            with self.subTest(arguments=arguments):
                self.assertIn(cause, self.muster("bench", "all_reduce", *arguments, code=2).stderr)
        result = self.muster("bench", "all_reduce", "--device", "hip", *SMALL, code=3)
        self.assertIn("no plugin knows hip memory here", result.stderr)

    def test_given_a_backend_that_declines_when_measured_then_no_other_serves_in_its_place(self):
        result = self.muster("bench", "all_reduce", "--backend", "skeleton", *SMALL, code=3)
        self.assertIn("all_reduce of 64 bytes is not served by skeleton but by shm\n", result.stderr)
        self.assertIn("muster explain all_reduce --dtype f32 --bytes 64 --ranks 2 says why", result.stderr)


if __name__ == "__main__":
    support.main()
