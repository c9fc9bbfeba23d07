"""`muster replay`: a published model's collectives, each served, checked and timed; a fault is named."""
import re

import support

COLUMNS = re.compile(r"^(?P<name>.{24}) (?P<op>\w+) +(?P<dtype>\w+) +(?P<redop>[\w-]+) +(?P<bytes>\d+) +(?P<times>\d+) +"
                     r"(?P<each>[\d.]+) +(?P<total>[\d.]+) +wrong (?P<wrong>\d+)  (?P<backend>\S+)$")


class Replay(support.Case):
    def rows(self, text):
        rows = [match.groupdict() for match in map(COLUMNS.match, text.splitlines()) if match]
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        self.assertEqual(len(lines), len(rows), text)
        return rows

    def test_given_two_ranks_when_llama_is_replayed_then_each_collective_has_backend_bytes_time_and_wrong_0(self):
        result = self.muster("replay", "llama-3.1-8b", "--ranks", "2")
        rows = self.rows(result.stdout)
        self.assertLessEqual({"broadcast", "all_reduce"}, {row["op"] for row in rows})
        for row in rows:
            self.assertEqual(("shm", "0"), (row["backend"], row["wrong"]))
            self.assertGreater(int(row["bytes"]), 0)
            self.assertGreater(float(row["total"]), 0)
        hidden = next(row for row in rows if row["name"].startswith("embedding"))
        self.assertEqual(("all_reduce", "bf16", "sum", str(4096 * 2)),
                         (hidden["op"], hidden["dtype"], hidden["redop"], hidden["bytes"]))
        self.assertRegex(result.stdout, r"(?m)^# step .* wrong 0$")
        self.assertEqual("", result.stderr)

    def test_given_a_flipped_element_when_replayed_then_wrong_1_names_operation_and_rank_and_exits_1(self):
        result = self.muster("replay", "llama-3.1-8b", "--ranks", "2", "--fault", "1:all_reduce", code=1)
        rows = self.rows(result.stdout)
        self.assertEqual(["1"], [row["wrong"] for row in rows if row["wrong"] != "0"])
        self.assertEqual("all_reduce", next(row["op"] for row in rows if row["wrong"] == "1"))
        self.assertRegex(result.stdout, r"(?m)^# step .* wrong 1  FAILED$")
        self.assertRegex(result.stderr, r"\(all_reduce bf16\) by shm is wrong: rank 1: 1 element wrong, the first is \d+: "
                                        r"\S+ instead of \S+")
        self.assertNotIn("rank 0: ", result.stderr)

    def test_given_another_rank_and_operation_when_faulted_then_those_are_named(self):
        result = self.muster("replay", "llama-3.1-8b", "--ranks", "3", "--set", "tp=3", "--fault", "2:broadcast", code=1)
        self.assertRegex(result.stderr, r"\(broadcast \w+\) by shm is wrong: rank 2: 1 element wrong")

    def test_given_json_when_replayed_then_it_has_the_rows_of_the_text(self):
        text = self.rows(self.muster("replay", "llama-3.1-8b", "--tokens", "4").stdout)
        data = self.json("replay", "llama-3.1-8b", "--tokens", "4", schema="muster.replay/1")
        self.assertEqual((2, "local", 0), (data["ranks"], data["bootstrap"], data["wrong"]))
        self.assertEqual([(row["op"], row["dtype"], int(row["bytes"]), int(row["times"]), row["backend"]) for row in text],
                         [(row["op"], row["dtype"], row["bytes"], row["repeat"], row["backend"]) for row in data["rows"]])
        self.assertTrue(all(row["total_us"] > 0 for row in data["rows"]))

    def test_given_a_fault_and_json_when_replayed_then_the_row_says_what_was_wrong(self):
        data = self.json("replay", "llama-3.1-8b", "--fault", "1:all_reduce", schema="muster.replay/1", code=1)
        self.assertEqual(1, data["wrong"])
        self.assertEqual(["rank 1: 1 element wrong"],
                         [row["what_was_wrong"].split(",")[0] for row in data["rows"] if row["wrong"]])

    def test_given_the_workloads_when_listed_then_each_of_them_replays(self):
        names = self.muster("replay", "--list").stdout.split()
        self.assertLessEqual({"llama-3.1-8b", "llama-3.1-70b", "deepseek-r1", "qwen3-30b-a3b"}, set(names))
        for name in names:
            with self.subTest(workload=name):
                rows = self.rows(self.muster("replay", name, "--ranks", "2", "--tokens", "16").stdout)
                self.assertEqual({"0"}, {row["wrong"] for row in rows})

    def test_given_a_negative_number_of_tokens_when_replayed_then_it_is_refused_by_its_name(self):
        self.assertIn("--tokens", self.muster("replay", "llama-3.1-8b", "--tokens", "-3", code=2).stderr)

    def test_given_a_layout_when_a_mixture_of_experts_is_replayed_then_tokens_travel_by_role_with_wrong_0(self):
        data = self.json("replay", "qwen3-30b-a3b", "--ranks", "2", "--layout", "tp=2,ep=2", "--tokens", "32",
                         schema="muster.replay/1")
        self.assertEqual(("tp=2,dp=1,attn_dp=1,ep=2", 0), (data["layout"], data["wrong"]))
        routed = {row["name"]: row for row in data["rows"] if row["op"] == "all_to_allv"}
        self.assertEqual({"dispatch", "combine"}, set(routed))
        for row in routed.values():
            self.assertEqual(("moe_ep", 2, 0), (row["role"], row["group_size"], row["wrong"]))

    def test_given_two_replicas_when_replayed_then_each_runs_its_own_step(self):
        data = self.json("replay", "qwen3-30b-a3b", "--ranks", "4", "--layout", "tp=2", schema="muster.replay/1")
        self.assertEqual(("tp=2,dp=2,attn_dp=1,ep=2", 0), (data["layout"], data["wrong"]))
        self.assertEqual({2}, {row["group_size"] for row in data["rows"]})

    def test_given_another_seed_when_replayed_then_other_experts_are_busy(self):
        def loads(seed):
            data = self.json("replay", "deepseek-r1", "--tokens", "64", "--seed", seed, schema="muster.replay/1")
            return [row["bytes"] for row in data["rows"] if row["name"] == "combine"]
        self.assertEqual(loads("1"), loads("1"))
        self.assertNotEqual(loads("1"), loads("2"))

    def test_given_a_layout_that_does_not_fill_the_world_when_replayed_then_the_equation_is_told_once(self):
        result = self.muster("replay", "llama-3.1-8b", "--ranks", "3", "--layout", "tp=2,dp=1", code=1)
        self.assertEqual(1, result.stderr.count("the world has 3 ranks"))

    def test_given_no_such_workload_when_replayed_then_the_known_ones_are_named(self):
        result = self.muster("replay", "gpt-0", code=1)
        self.assertEqual("", result.stdout)
        self.assertIn("gpt-0", result.stderr)
        self.assertIn("llama-3.1-8b", result.stderr)

    def test_given_a_fault_that_is_none_when_replayed_then_it_is_a_usage_error(self):
        for fault in ("all_reduce", "1:", "x:all_reduce", "1:all_reduced"):
            with self.subTest(fault=fault):
                result = self.muster("replay", "llama-3.1-8b", "--fault", fault, code=2)
                self.assertIn("RANK:OPERATION", result.stderr)
        self.assertIn("rank 2 of 0 to 1", self.muster("replay", "llama-3.1-8b", "--fault", "2:all_reduce", code=2).stderr)

    def test_given_a_variable_that_is_none_when_replayed_then_it_is_told_once_before_any_rank_starts(self):
        result = self.muster("replay", "llama-3.1-8b", "--set", "tp", code=1)
        self.assertEqual(1, result.stderr.count("--set tp is not NAME=NUMBER"))


if __name__ == "__main__":
    support.main()
