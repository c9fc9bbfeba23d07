"""Kernel variants as people meet them: packs that are dropped in, and kernels built for the machine."""
import os
import pathlib
import subprocess

import support

SUM = ("host_reduce/1", "cached", "acme-1")
ONE = ("--family", "host_copy", "--algorithm", "cached")
NAME = "host_copy-1.cached.any"


class Packs(support.Case):
    def kernels(self, data):
        return {(row["family"], row["algorithm"], row["architecture"]): row for row in data["kernels"]}

    def listed(self):
        return self.json("list", "--probe", schema="muster.list/1")

    def test_given_a_pack_with_a_higher_score_when_dropped_then_it_is_used_for_its_key_alone(self):
        self.configure("")
        self.put("acme_kernels")
        row = self.kernels(self.listed())[SUM]
        self.assertEqual(("acme_kernels", 1), (row["pack"], row["pairs"]))
        text = self.muster("explain", "all_reduce", "--dtype", "f32", "--ranks", "2").stdout
        self.assertRegex(text, r"host_reduce/1 +cached +acme-1 +acme_kernels 01234567  1 pair")
        bench = self.json("bench", "all_reduce", "--dtype", "f32", "--from", "1M", "--to", "1M", "--iterations", "2",
                          "--warmup", "1", schema="muster.bench/1")
        self.assertEqual(0, sum(row["wrong"] for row in bench["rows"]))

    def test_given_a_pack_with_a_wrong_answer_when_dropped_then_it_is_left_out_and_named(self):
        self.configure("")
        path = self.put("acme_kernels_wrong")
        result = self.muster("list", "--probe")
        for said in ("acme_kernels_wrong", str(path), "host_reduce/1 cached f32 sum acme-1", "element 0 of 67 from 3 sources"):
            self.assertIn(said, result.stderr)
        data = self.listed()
        self.assertNotIn(SUM, self.kernels(data))
        record = next(r for r in data["records"] if r["subject"] == "kernels of acme_kernels_wrong")
        self.assertEqual(("check", "left out"), (record["stage"], record["verdict"]))
        self.assertIn("element 0 of 67", record["reason"])

    def test_given_two_files_with_one_key_and_digest_when_listed_then_the_second_is_an_error_and_the_first_serves(self):
        self.configure("")
        first, second = self.put("acme_kernels"), self.put("acme_kernels_again")
        data = self.listed()
        self.assertEqual("acme_kernels", self.kernels(data)[SUM]["pack"])
        record = next(r for r in data["records"] if r["verdict"] == "refused")
        self.assertIn(str(first), record["reason"])
        self.assertEqual(str(second), record["source"])

    def test_given_an_architecture_in_the_configuration_when_listed_then_no_other_is_used(self):
        self.configure('[kernels]\narchitecture = "generic"\n')
        self.put("acme_kernels")
        self.assertEqual({"generic"}, {row["architecture"] for row in self.listed()["kernels"]})


class Precompile(support.Case):
    def store(self):
        return next((self.root / "cache" / "muster" / "kernels").iterdir())

    def states(self, *arguments, code=0):
        data = self.json("precompile", *arguments, schema="muster.precompile/1", code=code)
        return {row["kernels"]: row for row in data["kernels"]}

    def used(self):
        data = self.json("list", "--probe", schema="muster.list/1")
        return [row["architecture"] for row in data["kernels"] if (row["family"], row["algorithm"]) == ("host_copy/1", "cached")]

    def test_given_a_key_when_precompiled_then_it_is_used_and_built_once(self):
        built = self.states(*ONE)
        self.assertEqual({NAME}, set(built))
        self.assertEqual("built", built[NAME]["state"])
        self.assertTrue(pathlib.Path(built[NAME]["text"]).name.startswith(NAME + ".native."))
        self.assertEqual(["native"], self.used())
        self.assertEqual("ready", self.states(*ONE)[NAME]["state"])
        self.assertEqual("ready", self.states("--list")[NAME]["state"])
        self.assertEqual("missing", self.states("--list")["host_copy-1.streaming.any"]["state"])

    def test_given_algorithms_when_precompiled_then_no_two_have_one_name(self):
        names = [row["kernels"] for row in self.json("precompile", "--list", schema="muster.precompile/1")["kernels"]]
        self.assertEqual(len(names), len(set(names)))
        self.assertIn("host_reduce-1.cached.f32", names)
        self.assertIn("host_reduce-1.streaming.f32", names)

    def counting_compiler(self):
        """A compiler that writes a line per object it makes."""
        script = self.write("compiler", f'#!/bin/sh\ncase "$*" in *native.cpp*) echo x >> {self.root}/count; sleep 0.3;; esac\n'
                                        'exec c++ "$@"\n')
        script.chmod(0o755)
        self.environment["CXX"] = str(script)
        return self.root / "count"

    def test_given_processes_that_race_when_precompiling_then_each_key_is_built_once(self):
        count = self.counting_compiler()
        running = [subprocess.Popen([support.MUSTER, "precompile", *ONE], env=self.environment, stdout=subprocess.PIPE,
                                    text=True) for _ in range(3)]
        said = [process.communicate(timeout=support.SECONDS)[0] for process in running]
        self.assertEqual([0, 0, 0], [process.returncode for process in running])
        self.assertEqual("x\n", count.read_text())
        self.assertEqual(1, sum(" built " in text for text in said))

    def test_given_a_compiler_that_fails_when_precompiling_then_its_log_is_kept_and_named(self):
        script = self.write("compiler", '#!/bin/sh\ncase "$*" in *native.cpp*) echo no such luck >&2; exit 3;; esac\nexec c++ "$@"\n')
        script.chmod(0o755)
        self.environment["CXX"] = str(script)
        failed = self.states(*ONE, code=1)[NAME]
        self.assertEqual("failed", failed["state"])
        log = next(self.store().glob("*.log"))
        self.assertIn(str(log), failed["text"])
        self.assertIn("no such luck", log.read_text())
        self.assertEqual([], list(self.store().glob("*.so")))
        self.muster("precompile", "--clean")
        self.assertEqual([], list(self.store().iterdir()))

    def test_given_no_compiler_when_precompiling_then_it_says_so_and_the_shipped_ones_serve(self):
        self.configure('[kernels]\ncompiler = "/nowhere/c++"\n')
        result = self.muster("precompile", *ONE, code=3)
        self.assertIn("/nowhere/c++", result.stderr)
        result = self.muster("list", "--probe")
        self.assertEqual("", result.stderr)
        self.assertNotIn("native", result.stdout.split("id ")[0])

    def test_given_a_stale_file_when_listed_then_it_is_not_loaded_and_clean_removes_it(self):
        self.counting_compiler()
        self.states(*ONE)
        self.assertEqual(["native"], self.used())
        os.utime(self.root / "compiler", (1, 1))  # another compiler
        self.assertNotIn("native", self.used())
        self.assertEqual("stale", self.states("--list")[NAME]["state"])
        self.muster("precompile", "--clean")
        self.assertEqual([], list(self.store().iterdir()))

    def test_given_a_replaced_file_when_listed_then_it_is_not_loaded(self):
        built = pathlib.Path(self.states(*ONE)[NAME]["text"])
        data = built.read_bytes()
        built.unlink()
        built.write_bytes(data)
        self.assertNotIn("native", self.used())
        record = next(r for r in self.json("list", "--probe", schema="muster.list/1")["records"] if "stale" in r["reason"])
        self.assertEqual(str(built), record["source"])

    def test_given_a_directory_that_others_may_write_when_listed_then_nothing_of_it_is_loaded(self):
        self.states(*ONE)
        self.store().chmod(0o777)
        self.assertNotIn("native", self.used())

    def test_given_builds_switched_off_when_precompiling_then_it_is_refused(self):
        self.configure('[kernels]\nbuild = "never"\n')
        self.assertIn("never", self.muster("precompile", *ONE, code=1).stderr)

    def test_given_a_word_that_is_no_dtype_when_precompiling_then_the_known_ones_are_named(self):
        self.assertIn("bf16", self.muster("precompile", "--dtype", "f31", code=2).stderr)

    def test_given_background_builds_when_the_program_ends_then_nothing_of_them_is_left(self):
        self.configure('[kernels]\nbuild = "background"\n')
        self.muster("bench", "all_reduce", "--from", "8", "--to", "8", "--iterations", "1", "--warmup", "1")
        self.await_builders()


if __name__ == "__main__":
    support.main()
