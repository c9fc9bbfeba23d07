"""Configuration through the command: what is wrong is told with file, line, column and a suggestion; values name their
source; ranks of different policies are refused."""

import support

# text -> (line:column, cause, suggestion)
WRONG = {
    '[backend.shm]\npriorty = 3\n': ("2:1", "unknown key 'priorty' in [backend.shm]", "did you mean 'priority'?"),
    '[fallbak]\npolicy = "warn"\n': ("1:2", "unknown key 'fallbak'", "did you mean 'fallback'?"),
    '[check]\nknown_answer = "yes"\n': ("2:1", "known_answer", "true or false"),
    '[wait]\nspin_us = 1\n\nspin_us = 2\n': ("4:1", "'spin_us' is defined twice", "line 2"),
    '[backend.shm]\npriority = -5\n': ("2:1", "-5", "0 to 100"),
    '[group]\ntimeout_ms = 99999999999999999999\n': ("2:", "does not fit in 64 bits", ""),
    '[fallback]\npolicy = "warm"\n': ("2:1", "warm", "warn"),
    '[[rule]]\nop = "all_reduced"\nprefer = ["shm"]\n': ("2:", "all_reduced", "all_reduce"),
    '[plugins\n': ("1:", "", ""),
}


class Config(support.Case):
    def test_given_wrong_toml_when_any_verb_reads_it_then_it_exits_1_with_place_and_suggestion(self):
        for text, (place, cause, suggestion) in WRONG.items():
            with self.subTest(text=text):
                path = self.write("wrong.toml", text)
                self.environment["MUSTER_CONFIG"] = str(path)
                for arguments in (("config", "show"), ("config", "check"), ("list",), ("explain", "all_reduce")):
                    result = self.muster(*arguments, code=1)
                    self.assertIn(f"{path}:{place}", result.stderr)
                    self.assertIn(cause, result.stderr)
                    self.assertIn(suggestion, result.stderr)
                    self.assertEqual("", result.stdout)

    def test_given_wrong_toml_when_ranks_start_then_it_is_told_and_they_end(self):
        path = self.write("wrong.toml", '[backend.shm]\npriorty = 3\n')
        self.environment["MUSTER_CONFIG"] = str(path)
        for arguments in (("replay", "llama-3.1-8b"), ("bench", "all_reduce"), ("bench", "all_reduce", "--backend", "shm")):
            with self.subTest(arguments=arguments):
                result = self.muster(*arguments, code=1)
                self.assertEqual("", result.stdout)
                self.assertEqual(1, result.stderr.count(f"{path}:2:1"))

    def test_given_a_file_that_cannot_be_read_when_asked_then_it_is_named_with_the_cause(self):
        self.environment["MUSTER_CONFIG"] = str(self.root / "absent.toml")
        result = self.muster("config", "show", code=1)
        self.assertIn(f"cannot read configuration file {self.root}/absent.toml: No such file", result.stderr)
        self.environment["MUSTER_CONFIG"] = str(self.root)
        self.assertIn("Is a directory", self.muster("list", code=1).stderr)

    def test_given_wrong_toml_when_checked_as_json_then_cause_and_remedy_are_there(self):
        path = self.write("wrong.toml", '[backend.shm]\npriorty = 3\n')
        data = self.json("config", "check", path, schema="muster.config_check/1", code=1)
        self.assertEqual((False, f"{path}:2:1: unknown key 'priorty' in [backend.shm]", "did you mean 'priority'?"),
                         (data["ok"], data["cause"], data["remedy"]))

    def test_given_right_toml_when_checked_then_the_files_are_named(self):
        path = self.configure('[backend.shm]\npriority = 42\n')
        self.assertIn(f"{path}  ok\n", self.muster("config", "check").stdout)
        data = self.json("config", "check", schema="muster.config_check/1")
        self.assertTrue(data["ok"])
        self.assertEqual([str(path)], data["files"])

    def test_given_files_and_variables_when_shown_then_each_value_names_its_source(self):
        (self.root / "config/muster").mkdir()
        user = self.write("config/muster/muster.toml", '[wait]\nspin_us = 7\n[group]\ntimeout_ms = 5000\n')
        site = self.configure('[group]\ntimeout_ms = 6000\n[backend.shm]\npriority = 42\n')
        self.environment["MUSTER_WAIT_SPIN_US"] = "9"
        self.environment["MUSTER_BACKEND_MPI_MODE"] = "optional"
        data = self.json("config", "show", schema="muster.config/1")
        self.assertEqual([str(user), str(site)], data["files"])
        found = {entry["key"]: (entry["value"], entry["source"]) for entry in data["settings"]}
        self.assertEqual(("9", "MUSTER_WAIT_SPIN_US"), found["wait.spin_us"])
        self.assertEqual(("6000", f"{site}:4:1"), found["group.timeout_ms"])
        self.assertEqual(("42", f"{site}:6:1"), found["backend.shm.priority"])
        self.assertEqual("MUSTER_BACKEND_MPI_MODE", found["backend.mpi.mode"][1])
        self.assertEqual("default", found["check.calls"][1])
        text = self.muster("config", "show").stdout
        for key, (value, source) in found.items():
            line = next(line for line in text.splitlines() if line.split()[0] == key)
            self.assertTrue(line.endswith(f"  {source}"), line)
            self.assertIn(value, line)
        changed = self.json("config", "show", "--changed", schema="muster.config/1")
        self.assertNotIn("check.calls", {entry["key"] for entry in changed["settings"]})
        self.assertIn("wait.spin_us", {entry["key"] for entry in changed["settings"]})

    def test_given_a_wrong_variable_when_read_then_it_is_named(self):
        self.environment["MUSTER_WAIT_SPIN_US"] = "soon"
        self.assertIn("MUSTER_WAIT_SPIN_US: ", self.muster("config", "show", code=1).stderr)
        del self.environment["MUSTER_WAIT_SPIN_US"]
        self.environment["MUSTER_WAIT_SPIN"] = "7"
        result = self.muster("config", "show")
        self.assertIn("did you mean MUSTER_WAIT_SPIN_US?", result.stderr)

    def test_given_the_default_file_when_printed_then_it_is_a_right_file(self):
        path = self.write("default.toml", self.muster("config", "default").stdout)
        self.muster("config", "check", path)
        uncommented = path.read_text().replace("#priority = 80", "priority = 80").replace("#[backend.shm]", "[backend.shm]")
        path.write_text(uncommented)
        data = self.json("config", "show", "--file", path, schema="muster.config/1")
        self.assertIn("backend.shm.priority", {entry["key"] for entry in data["settings"]})

    def test_given_ranks_of_different_policies_when_started_then_they_are_refused_and_both_files_named(self):
        one = self.write("one.toml", '[backend.shm]\npriority = 41\n')
        two = self.write("two.toml", '[backend.shm]\npriority = 42\n')
        wrapper = self.write("rank.sh", f'#!/bin/sh\n[ "$MUSTER_LOCAL_RANK" = 0 ] && f={one} || f={two}\n'
                                        f'MUSTER_CONFIG=$f exec {support.MUSTER} bench all_reduce --to 64\n')
        wrapper.chmod(0o755)
        result = self.muster("run", "-n", "2", "--prefix", "--", wrapper, code=1)
        for rank in (0, 1):
            lines = "\n".join(line for line in result.stderr.splitlines() if line.startswith(f"[{rank}] "))
            self.assertIn(str(one), lines)
            self.assertIn(str(two), lines)
        self.assertEqual("", result.stdout)


if __name__ == "__main__":
    support.main()
