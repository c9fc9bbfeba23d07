"""A plugin of somebody else's: dropped into a directory and raised in the configuration it serves, explained by file and
line; removed, the next one serves."""
import support

CALL = ("all_reduce", "--dtype", "bf16", "--bytes", "1M", "--ranks", "2")
BENCH = ("bench", "all_reduce", "--dtype", "bf16", "--from", "1M", "--to", "1M", "--iterations", "2", "--warmup", "1")


class Foreign(support.Case):
    def explain(self, *more, code=0):
        """The explanation; the text must say what the JSON says."""
        data = self.json("explain", *CALL, *more, schema="muster.explain/1", code=code)
        text = self.muster("explain", *CALL, *more, code=code).stdout
        self.assertIn(f"answer    {data['answer']}\n", text)
        for candidate in data["chain"]:
            self.assertIn(candidate["position"], text)
        for absence in data["left_out"]:
            self.assertIn(f"{absence['stage']}: {absence['reason']}", text)
        return data

    def served_by(self, **environment):
        self.environment.update(environment)
        rows = self.json(*BENCH, schema="muster.bench/1")["rows"]
        self.assertEqual(0, sum(row["wrong"] for row in rows))
        return [row["backend"] for row in rows]

    def test_given_a_dropped_plugin_with_a_raised_priority_when_called_then_it_serves_until_it_is_removed(self):
        config = self.configure("[backend.acme]\npriority = 95\n")
        plugin = self.put("acme")
        self.assertEqual(["acme"], self.served_by())
        replayed = self.json("replay", "llama-3.1-8b", schema="muster.replay/1")
        self.assertEqual(0, replayed["wrong"])
        self.assertEqual({"all_reduce": "acme", "broadcast": "shm"},
                         {row["op"]: row["backend"] for row in replayed["rows"] if row["op"] in ("all_reduce", "broadcast")})

        explained = self.explain()
        self.assertEqual("acme", explained["answer"])
        first, second = explained["chain"][:2]
        self.assertEqual(("acme", 95, f"{config}:4:1", "one_shot"),
                         (first["backend"], first["priority"], first["priority_source"], first["rule"]))
        self.assertIn(f"{config}:4:1", first["position"])
        self.assertEqual("shm", second["backend"])
        absent = {absence["backend"]: absence for absence in explained["left_out"]}
        self.assertIn("cloned", absent["skeleton"]["reason"])
        self.assertEqual("query", absent["skeleton"]["stage"])
        self.assertIn("mpi", absent["mpi"]["reason"].lower())

        plugin.unlink()
        self.assertEqual(["shm"], self.served_by())
        self.assertEqual("shm", self.explain()["answer"])

    def test_given_no_configuration_when_dropped_then_its_own_priority_counts(self):
        self.configure("")
        self.put("acme")
        explained = self.explain()
        self.assertEqual("shm", explained["answer"])
        acme = next(c for c in explained["chain"] if c["backend"] == "acme")
        self.assertEqual(10, acme["priority"])
        self.assertIn("plugin", acme["priority_source"])

    def test_given_a_rule_that_prefers_when_its_range_holds_then_it_goes_before_the_priority(self):
        config = self.configure('[[rule]]\nop = "all_reduce"\ndtype = "bf16"\nbytes = "64KiB..1MiB"\nprefer = ["acme"]\n')
        self.put("acme")
        self.assertEqual(["acme"], self.served_by())
        explained = self.explain()
        self.assertEqual("acme", explained["answer"])
        self.assertIn(f"{config}:3:3", explained["chain"][0]["position"])
        for bytes_, answer in (("64KiB", "acme"), ("65535", "shm"), ("1MiB", "acme"), ("1048577", "shm")):
            with self.subTest(bytes=bytes_):
                data = self.json("explain", "all_reduce", "--dtype", "bf16", "--bytes", bytes_, schema="muster.explain/1")
                self.assertEqual(answer, data["answer"])

    def test_given_a_rule_that_forbids_when_its_range_holds_then_the_next_one_serves_and_the_line_is_named(self):
        config = self.configure('[backend.acme]\npriority = 95\n[[rule]]\nop = "all_reduce"\nbytes = "1MiB.."\nforbid = ["acme"]\n')
        self.put("acme")
        self.assertEqual(["shm"], self.served_by())
        explained = self.explain()
        self.assertEqual("shm", explained["answer"])
        acme = next(a for a in explained["left_out"] + explained["chain"] if a["backend"] == "acme")
        self.assertIn(f"{config}:5:3", str(acme))
        smaller = self.json("explain", "all_reduce", "--dtype", "bf16", "--bytes", "1048575", schema="muster.explain/1")
        self.assertEqual("acme", smaller["answer"])

    def test_given_all_forbidden_when_explained_then_nobody_serves_and_the_exit_code_is_3(self):
        self.configure('[[rule]]\nforbid = ["shm", "mpi"]\n')
        result = self.muster("explain", *CALL, code=3)
        self.assertIn("nobody serves this call", result.stdout)

    def test_given_a_plugin_that_declines_threads_when_explained_for_threads_then_its_reason_is_shown(self):
        self.configure("[backend.acme]\npriority = 95\n")
        self.put("acme")
        explained = self.explain("--bootstrap", "threads")
        self.assertEqual("shm", explained["answer"])
        self.assertIn({"backend": "acme", "stage": "query", "reason": "declines: the ranks are threads", "source": "plugin"},
                      explained["left_out"])

    def test_given_a_dtype_that_no_rule_takes_when_explained_then_all_that_the_rules_take_are_named(self):
        explained = self.json("explain", "all_reduce", "--dtype", "f8e4m3", schema="muster.explain/1", code=3)
        shm = next(absence for absence in explained["left_out"] if absence["backend"] == "shm")
        for dtype in ("i8", "u64", "f16", "bf16", "f32", "f64"):
            self.assertIn(f" {dtype} ", shm["reason"])
        self.assertTrue(shm["reason"].endswith("only, not f8e4m3"), shm["reason"])

    def test_given_a_description_when_explained_from_it_then_it_is_the_same_answer(self):
        self.configure("[backend.acme]\npriority = 95\n")
        self.put("acme")
        description = self.write("ranks.json", self.muster("explain", *CALL, "--print-description").stdout)
        self.assertEqual(self.explain(), self.explain("--describe", description))


if __name__ == "__main__":
    support.main()
