"""Kernels of devices that plugins declare, as people meet them: built ahead, kept, packed, and what ranks make of them."""
import ctypes.util
import pathlib
import subprocess

import support

SUMS = "toy-1.sums.f32.2.toy_90"
MOVES = "toy-1.moves.any.2.toy_90"
ARCH = ("--arch", "toy_90", "--family", "toy")


class Case(support.Case):
    def setUp(self):
        super().setUp()
        self.count = self.root / "count"
        self.environment["TOY_COUNT"] = str(self.count)
        self.mode("explicit")
        self.put("toy_device")

    def mode(self, build):
        self.configure(f'[kernels]\nbuild = "{build}"\n[check]\nknown_answer = false\n')

    def store(self):
        return self.root / "cache" / "muster" / "images"

    def image(self, name=SUMS):
        found = list(self.store().glob(f"{name}.*.image"))
        self.assertEqual(1, len(found), found)
        return found[0]

    def builds(self):
        return self.count.read_text().splitlines() if self.count.exists() else []

    def states(self, *arguments, code=0):
        data = self.json("precompile", *arguments, schema="muster.precompile/1", code=code)
        return {row["kernels"]: row for row in data["kernels"]}


class Precompile(Case):
    def test_given_an_architecture_when_precompiled_twice_then_the_second_builds_nothing(self):
        built = self.states(*ARCH)
        self.assertEqual({SUMS: "built", MOVES: "built"}, {name: row["state"] for name, row in built.items()})
        self.assertTrue(all(row["seconds"] >= 0 for row in built.values()))
        self.assertEqual(str(self.image()), built[SUMS]["text"])
        self.assertEqual({"ready"}, {row["state"] for row in self.states(*ARCH).values()})
        self.assertEqual(2, len(self.builds()))
        self.assertRegex(self.muster("precompile", *ARCH).stdout, r"2 of 2 ready, 0 of them new, in [0-9.]+ s")

    def test_given_devices_when_precompiled_then_their_architectures_are_built(self):
        self.environment["TOY_DEVICES"] = "toy_80 toy_90"
        self.assertEqual({"toy-1.sums.f32.2.toy_80", SUMS}, set(self.states("--family", "toy/1", "--dtype", "f32")))

    def test_given_probes_in_process_when_precompiled_then_the_devices_are_seen_all_the_same(self):
        self.environment["TOY_DEVICES"] = "toy_90"
        self.environment["MUSTER_PLUGINS_PROBE"] = "in-process"
        self.assertEqual({SUMS, MOVES}, set(self.states("--family", "toy")))

    def test_given_no_device_and_no_architecture_when_precompiled_then_it_says_what_to_name(self):
        self.assertIn("--arch", self.muster("precompile", "--family", "toy", code=2).stderr)

    def test_given_filters_when_precompiled_then_only_what_they_leave_is_built(self):
        self.assertEqual({MOVES}, set(self.states(*ARCH, "--algorithm", "moves")))
        self.assertEqual({SUMS, MOVES}, set(self.states(*ARCH, "--ranks", "2", "--list")))
        self.muster("precompile", *ARCH, "--ranks", "3", code=2)

    def test_given_processes_that_race_when_precompiling_then_each_key_is_built_once(self):
        self.environment["TOY_SLEEP_MS"] = "300"
        running = [subprocess.Popen([support.MUSTER, "precompile", *ARCH], env=self.environment, stdout=subprocess.PIPE,
                                    text=True) for _ in range(3)]
        said = [process.communicate(timeout=support.SECONDS)[0] for process in running]
        self.assertEqual([0, 0, 0], [process.returncode for process in running])
        self.assertEqual(["moves toy_90", "sums toy_90"], sorted(self.builds()))
        self.assertEqual(2, sum(text.count(" built  ") for text in said), said)

    def test_given_a_damaged_or_cut_file_when_precompiled_then_it_is_stale_and_rebuilt(self):
        self.states(*ARCH)
        whole = self.image().read_bytes()
        for wrong in (whole[:-1] + b"X", whole[:-3], b""):
            self.image().write_bytes(wrong)
            self.assertEqual("stale", self.states(*ARCH, "--list")[SUMS]["state"])
            self.assertEqual("built", self.states(*ARCH)[SUMS]["state"])
            self.assertEqual(whole, self.image().read_bytes())

    def test_given_another_source_or_toolchain_when_listed_then_the_old_is_stale_and_clean_removes_it(self):
        self.states(*ARCH)
        old = self.image()
        for name, value in (("TOY_SOURCE", "fedcba9876543210"), ("TOY_TOOLCHAIN", "toycc-2")):
            self.environment[name] = value
            self.assertEqual("stale", self.states(*ARCH, "--list")[SUMS]["state"])
        self.states(*ARCH)
        self.states(*ARCH, "--clean")
        self.assertFalse(old.exists())
        self.assertEqual("ready", self.states(*ARCH, "--list")[SUMS]["state"])

    def test_given_a_build_that_fails_when_precompiling_then_its_log_is_kept_and_named(self):
        self.environment["TOY_FAIL"] = "no such luck"
        failed = self.states(*ARCH, code=1)[SUMS]
        log = next(self.store().glob(f"{SUMS}.*.log"))
        self.assertEqual("failed", failed["state"])
        self.assertIn("no such luck", failed["text"])
        self.assertIn(str(log), failed["text"])
        self.assertIn("line 7", log.read_text())
        self.assertIn(str(log), self.states(*ARCH, "--list")[SUMS]["text"])

    def test_given_no_toolchain_when_precompiling_then_what_is_kept_is_ready_and_the_rest_says_why(self):
        self.states(*ARCH, "--algorithm", "sums")
        self.environment["TOY_TOOLCHAIN"] = "none"
        rows = self.states(*ARCH, code=1)
        self.assertEqual("ready", rows[SUMS]["state"])
        self.assertIn("there is no toycc", rows[MOVES]["text"])

    def test_given_a_cache_that_cannot_be_written_when_precompiling_then_it_says_so(self):
        self.configure('cache_dir = "/proc/nowhere"\n')
        row = self.states(*ARCH, code=1)[SUMS]
        self.assertEqual("failed", row["state"])
        self.assertIn("/proc/nowhere", row["text"])


class Packs(Case):
    def test_given_a_pack_when_dropped_where_nothing_can_be_built_then_it_serves_its_key_alone(self):
        pack = self.plugins / "toy_images.so"
        self.muster("precompile", *ARCH, "--algorithm", "sums", "--pack", pack)
        for file in self.store().iterdir():
            file.unlink()
        self.environment["TOY_TOOLCHAIN"] = "none"
        rows = self.states(*ARCH, "--list")
        self.assertEqual(("ready", str(pack)), (rows[SUMS]["state"], rows[SUMS]["text"]))
        self.assertEqual("missing", rows[MOVES]["state"])
        self.assertNotIn("not ready", self.muster("explain", "all_reduce", "--dtype", "f32", "--ranks", "2").stdout)

    def test_given_a_pack_of_other_sources_when_dropped_then_it_is_never_used(self):
        self.muster("precompile", *ARCH, "--pack", self.plugins / "toy_images.so")
        self.muster("precompile", "--clean")
        for file in self.store().iterdir():
            file.unlink()
        self.environment["TOY_SOURCE"] = "fedcba9876543210"
        self.assertEqual({"missing"}, {row["state"] for row in self.states(*ARCH, "--list").values()})

    def test_given_a_directory_that_is_not_there_when_packing_then_it_is_refused_before_anything_is_built(self):
        said = self.muster("precompile", *ARCH, "--pack", self.root / "nowhere" / "pack.so", code=1)
        self.assertIn(f"no pack can be written to {self.root}/nowhere: No such file", said.stderr)
        self.assertEqual("", said.stdout)

    def test_given_a_name_that_is_no_id_when_packing_then_it_is_refused_before_anything_is_built(self):
        self.assertIn("lower case", self.muster("precompile", *ARCH, "--pack", self.root / "No-Pack.so", code=1).stderr)
        self.assertEqual([], self.builds())


class Readiness(Case):
    def explained(self):
        return self.muster("explain", "all_reduce", "--dtype", "f32", "--ranks", "2").stdout

    def test_given_a_variant_that_is_missing_when_explained_then_rank_and_variant_are_named(self):
        self.assertIn("sums.f32.2.toy_90 is not ready on rank 0", self.explained())
        self.states(*ARCH)
        self.assertNotIn("not ready", self.explained())

    def groups(self, image="/"):
        return self.muster("run", "-n", "2", "--", support.PLUGINS / "later_group", image).stdout

    def test_given_explicit_builds_when_a_group_is_made_then_nothing_is_built_and_the_next_best_serves(self):
        self.assertNotIn("toy_device", self.groups())
        self.assertEqual([], self.builds())

    def test_given_builds_with_groups_when_a_group_is_made_then_its_kernel_is_built_once_and_serves(self):
        self.mode("group")
        self.assertIn("first toy_device, later toy_device", self.groups())
        self.assertEqual(["sums toy_90"], self.builds())
        self.assertIn("first toy_device", self.groups())
        self.assertEqual(1, len(self.builds()))

    def test_given_a_cache_that_cannot_be_written_when_groups_are_made_then_every_process_builds_for_itself(self):
        self.configure('cache_dir = "/proc/nowhere"\n[kernels]\nbuild = "group"\n[check]\nknown_answer = false\n')
        said = self.groups()
        self.assertEqual(2, said.count("first toy_device, later toy_device"), said)
        self.assertEqual({"sums toy_90"}, set(self.builds()))
        before = len(self.builds())
        self.assertIn("first toy_device", self.groups())
        self.assertGreater(len(self.builds()), before)

    def test_given_background_builds_when_done_then_groups_made_later_are_served(self):
        self.environment["TOY_DEVICES"] = "toy_90"
        self.mode("background")
        self.states(*ARCH, "--algorithm", "sums")
        image = self.image()
        image.unlink()
        self.environment["TOY_SLEEP_MS"] = "300"
        said = self.groups(image)
        self.await_builders()
        self.assertEqual(2, said.count("later toy_device"), said)
        self.assertNotIn("first toy_device", said)


class CudaPeer(support.Case):
    """The real one, by NVRTC where there is one; no device is needed."""

    def test_given_nvrtc_when_precompiled_for_an_architecture_then_the_second_builds_nothing(self):
        if ctypes.util.find_library("nvrtc") is None:
            self.skipTest("there is no NVRTC")
        asked = ("precompile", "--arch", "sm_90", "--family", "cuda_peer", "--algorithm", "moves", "--ranks", "2")
        for state in ("built", "ready"):
            data = self.json(*asked, schema="muster.precompile/1")
            self.assertEqual([("cuda_peer-1.moves.any.2.sm_90", state)],
                             [(row["kernels"], row["state"]) for row in data["kernels"]])
        image = pathlib.Path(data["kernels"][0]["text"]).read_bytes()
        self.assertIn(b"\x7fELF", image)

    def test_given_a_device_when_listed_then_the_variants_are_those_of_its_architecture(self):
        self.environment["LD_LIBRARY_PATH"] = str(support.PLUGINS.parent / "simulators" / "cuda")
        for capability, name in (("90", "sm_90"), ("100", "sm_100")):
            self.environment["SIMULATED_CUDA_CAPABILITY"] = capability
            data = self.json("precompile", "--list", "--family", "cuda_peer", "--ranks", "8", schema="muster.precompile/1")
            self.assertEqual({f"cuda_peer-1.{kind}.8.{name}" for kind in
                              ("moves.any", "reductions.bf16", "reductions.f16", "reductions.f32")},
                             {row["kernels"] for row in data["kernels"]})


if __name__ == "__main__":
    support.main()
