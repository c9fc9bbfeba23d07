"""`muster explain` for described machines: what the real plugins would build there, and what a single change changes."""
import json
import pathlib

import support

MACHINE = pathlib.Path(__file__).resolve().parents[2] / "config" / "machines" / "8xh100.json"
PAIR = "device 2 (rank 2) and device 5 (rank 5)"


class Machine(support.Case):
    def setUp(self):
        super().setUp()
        # The plugins have nothing to serve here; they are asked about another machine.
        self.configure('probe = "in-process"\n')

    def explain(self, *more, op="all_reduce", dtype="bf16", code=0):
        return self.json("explain", op, "--dtype", dtype, "--memory", "cuda", "--describe", MACHINE, *more,
                         schema="muster.explain/1", code=code)

    def difference(self, *changes, op="all_reduce", dtype="bf16", code=0, more=()):
        """The lines that changes change, as text."""
        arguments = [part for change in changes for part in ("--change", change)]
        result = self.muster("explain", op, "--dtype", dtype, "--memory", "cuda", "--describe", MACHINE, *more,
                             *arguments, "--diff", code=code)
        lines = result.stdout.splitlines()
        self.assertEqual([f"  change    {change}" for change in changes], lines[:len(changes)])
        return lines[len(changes):]

    def test_given_eight_linked_devices_when_explained_then_every_size_has_its_algorithm_before_nccl(self):
        data = self.explain()
        self.assertEqual("cuda_peer", data["answer"])
        self.assertEqual([("0..256KiB", "cuda_peer one_shot_push > nccl float"),
                          ("262145..2MiB", "cuda_peer two_shot_push > nccl float"),
                          ("2097153..any", "cuda_peer staged > nccl float")],
                         [(band["bytes"], band["candidates"]) for band in data["sizes"]])
        text = self.muster("explain", "all_reduce", "--dtype", "bf16", "--memory", "cuda", "--describe", MACHINE).stdout
        self.assertIn("sizes     0..256KiB: cuda_peer one_shot_push > nccl float\n", text)

    def test_given_a_pair_without_nvlink_when_compared_then_stages_serve_and_the_pair_is_named(self):
        lines = self.difference("cuda_peer.links.2[5]=P")
        text = "\n".join(lines)
        self.assertRegex(text, r"(?m)^- chain     \d cuda_peer priority 70 by plugin, rule two_shot_push score 0$")
        self.assertRegex(text, r"(?m)^\+ chain     \d cuda_peer priority 70 by plugin, rule staged score 0$")
        self.assertNotIn("answer", text)
        self.assertIn(f"+ declines  cuda_peer {PAIR} have peer access without NVLink: one_shot_push and two_shot_push "
                      "need it, staged does not", lines)

    def test_given_a_pair_without_peer_access_when_compared_then_the_next_best_serves_and_not_the_floor(self):
        lines = self.difference("cuda_peer.links.2[5]=-")
        self.assertIn("- answer    cuda_peer", lines)
        self.assertIn("+ answer    nccl", lines)
        self.assertIn(f"+ left out  cuda_peer query: declines: {PAIR} have no peer access (by plugin)", lines)
        self.assertNotIn("composed", "".join(lines))

    def test_given_nccl_2_18_when_compared_then_what_needs_newer_symbols_says_so(self):
        change = "nccl.nccl.version=2.18.5"
        lines = self.difference(change, op="gather")
        self.assertEqual(["- chain     1 nccl priority 40 by plugin, rule move score 0",
                          "+ chain     1 nccl priority 40 by plugin, rule messages score 0"],
                         [line for line in lines if "1 nccl" in line])
        self.assertIn("+ declines  nccl ncclAlltoAll, ncclGather and ncclScatter: NCCL 2.18.5 lacks them, 2.28 is the first "
                      "that has them; groups of ncclSend and ncclRecv serve instead", lines)
        lines = self.difference(change, dtype="f8e4m3", code=3)  # nor does the host sum them
        self.assertIn("+ declines  nccl reductions of fp8: NCCL 2.18.5 has none, 2.24 is the first that does", lines)
        self.assertIn("- answer    nccl", lines)
        mixed = self.difference("rank 3: nccl.nccl.version=2.18.5")
        self.assertIn("+ left out  nccl query: declines: rank 3 has NCCL 2.18.5, rank 0 2.28.9; NCCL wants one version on "
                      "all ranks (by plugin)", mixed)

    def test_given_determinism_when_compared_then_who_does_not_keep_it_is_out(self):
        lines = self.difference("determinism=size_invariant")
        self.assertIn("+ group     world 8 ranks determinism size_invariant", lines)
        self.assertIn("+ left out  nccl chain: keeps results rank_invariant, the group asks for size_invariant (by plugin)",
                      lines)
        self.assertNotIn("answer", "".join(lines))

    def test_given_a_graph_phase_when_compared_then_what_is_staged_is_out_and_what_is_offered_stays(self):
        self.assertEqual(["- call      all_reduce bf16 sum 1MiB cuda eager (band 262145..2MiB)",
                          "+ call      all_reduce bf16 sum 1MiB cuda graph (band 262145..2MiB)"],
                         [line for line in self.difference("phase=capture") if "passes" not in line])
        lines = self.difference("phase=capture", dtype="i16", code=3)
        self.assertIn("- chain     1 composed(shm) staged through the host by shm, after all that offer it themselves",
                      lines)
        self.assertIn("+ left out  composed(shm) chain: serves eager calls, staged through the host, which a graph cannot "
                      "hold", lines)

    def test_given_two_nodes_when_compared_then_nccl_serves_and_the_nodes_are_named(self):
        lines = self.difference("ranks 4-7: node=second")
        self.assertIn("+ answer    nccl", lines)
        self.assertIn("+ left out  cuda_peer query: declines: rank 4 is on node 1, rank 0 on node 0: kernels store into "
                      "memory of one machine only (by plugin)", lines)

    def test_given_a_kernel_missing_on_one_rank_when_compared_then_the_next_best_serves_and_both_are_named(self):
        lines = self.difference("rank 5: cuda_peer.variants.sm_90.8=moves reductions.f16 reductions.f32")
        self.assertIn("+ answer    nccl", lines)
        self.assertRegex("\n".join(lines), r"\+ declines  cuda_peer reductions\.bf16\.8\.sm_90 is not ready on rank 5: ")
        other = self.difference("rank 5: cuda_peer.variants.sm_90.8=moves reductions.bf16")
        self.assertEqual([], [line for line in other if "declines" not in line])

    def test_given_two_ranks_on_a_device_when_compared_then_nccl_names_both(self):
        lines = self.difference("rank 5: device=4")
        self.assertRegex("\n".join(lines), r"\+ left out  nccl query: declines: ranks 4 and 5 share device 4 \(GPU-[0-9a-f-]+\)")
        self.assertNotIn("+ answer", "\n".join(lines))

    def test_given_a_rank_without_nccl_when_compared_then_it_and_the_library_are_named(self):
        lines = self.difference("rank 3: nccl.nccl.missing=libnccl.so.2 could not be opened")
        self.assertIn("+ left out  nccl query: declines: rank 3 has no NCCL: libnccl.so.2 could not be opened (by plugin)",
                      lines)

    def test_given_nobody_for_device_memory_when_compared_then_it_is_staged_unless_a_rank_cannot_copy(self):
        off = ("cuda_peer.unusable=off", "nccl.unusable=off")
        self.assertIn("+ answer    composed(shm)", self.difference(*off))
        self.assertIn("+ answer    nobody serves this call", self.difference(*off, "rank 6: memory_kinds=", code=3))

    def test_given_a_change_that_does_not_matter_when_compared_then_it_says_so(self):
        self.assertEqual(["  nothing changes for this call"], self.difference("rank 1: process=other"))

    def test_given_changes_when_printed_as_json_then_lines_and_answers_are_there(self):
        data = self.json("explain", "all_reduce", "--dtype", "bf16", "--memory", "cuda", "--describe", MACHINE, "--change",
                         "cuda_peer.links.2[5]=-", "--diff", schema="muster.explain_difference/1")
        self.assertEqual(("cuda_peer", "nccl"), (data["answer_before"], data["answer"]))
        self.assertIn("+ answer    nccl", data["lines"])

    def test_given_a_changed_description_when_printed_then_it_can_be_described_again(self):
        changed = self.muster("explain", "all_reduce", "--describe", MACHINE, "--change", "rank 7: node=b", "--print-description")
        data = json.loads(changed.stdout)
        self.assertEqual((8, "b", 7), (len(data["ranks"]), data["ranks"][7]["node"], data["ranks"][7]["device"]))
        again = self.write("again.json", changed.stdout)
        self.assertEqual("nccl", self.json("explain", "all_reduce", "--memory", "cuda", "--describe", again,
                                           schema="muster.explain/1")["answer"])

    def test_given_a_wrong_change_when_read_then_the_error_says_what_is_wrong_and_what_would_be_right(self):
        for change, said in (("cuda_peer.links.2", "it has no ="), ("rank x: node=b", "names no ranks"),
                             ("rank 8: node=b", "the world has ranks 0 to 7"), ("colour=red", "no such name"),
                             ("acme.x=1", "rank 0 has backends cuda_peer, nccl, shm, not acme"),
                             ("device=first", "a device is a number"), ("phase=later", "'later' is not a phase"),
                             ("cuda_peer.links.2[8]=P", "has 'NNSNNNNN' there"), ("cuda_peer.links.2[a]=P", "is no number")):
            with self.subTest(change=change):
                result = self.muster("explain", "all_reduce", "--memory", "cuda", "--describe", MACHINE, "--change", change,
                                     code=1)
                self.assertIn(said, result.stderr)
        self.assertIn("give one", self.muster("explain", "all_reduce", "--diff", code=2).stderr)

    def test_given_a_wrong_description_when_read_then_the_mistake_is_named(self):
        for text, said in (("{}", "no JSON object with a list of ranks"), ('{"ranks": [{"cuont": 8}]}', "no key 'cuont'"),
                           ('{"ranks": [{"count": 0}]}', "a count is 1 to 65536"), ('{"ranks": [1]}', "entry 1 of ranks: it is no object"),
                           ('{"ranks": [{"plugins": {"nccl": {"fact": {}}}}]}', "plugin nccl: there is no key 'fact'"),
                           ('{"ranks": [{}, {"device": "first"}]}', "entry 2 of ranks: 'device' is a string, not a number"),
                           ('{"ranks": [{"plugins": {"nccl": {"facts": {"a": 1}}}}]}', "entry 1 of ranks: a rank's record"),
                           ('{"ranks": [\n  {]}', "parse error at line 2, column 4")):
            with self.subTest(text=text):
                file = self.write("wrong.json", text)
                self.assertIn(said, self.muster("explain", "all_reduce", "--describe", file, code=1).stderr)
        self.assertIn("cannot be read", self.muster("explain", "all_reduce", "--describe", "nowhere.json", code=1).stderr)


if __name__ == "__main__":
    support.main()
