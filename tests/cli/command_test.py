"""The command as a whole: help, usage errors, exit codes, JSON everywhere, data on stdout and logs on stderr; and the small
verbs inspect, doctor and version."""

import support

VERBS = ("list", "inspect", "check", "explain", "config", "run", "bench", "replay", "precompile", "doctor", "version")


class Command(support.Case):
    def test_given_no_argument_when_called_then_the_help_names_every_verb_and_exits_0(self):
        for arguments in ((), ("--help",)):
            result = self.muster(*arguments)
            self.assertEqual("", result.stderr)
            for verb in VERBS:
                self.assertRegex(result.stdout, rf"(?m)^  {verb} ")
        for verb in VERBS:
            self.assertIn("--help", self.muster(verb, "--help").stdout)

    def test_given_wrong_usage_when_called_then_it_exits_2_and_says_so_on_stderr_only(self):
        for arguments in (("lst",), ("list", "--jsn"), ("inspect",), ("explain",), ("explain", "all_reduced"), ("bench",),
                          ("explain", "all_reduce", "--dtype", "f99"), ("explain", "all_reduce", "--bytes", "9x"),
                          ("explain", "all_reduce", "--ranks", "0"), ("config",), ("config", "sho"), ("replay",),
                          ("explain", "all_reduce", "--dtype", "f32", "--redop", "band"), ("run", "-n"), ("--verbose",)):
            with self.subTest(arguments=arguments):
                result = self.muster(*arguments, code=2)
                self.assertEqual("", result.stdout)
                self.assertNotEqual("", result.stderr)
        self.assertEqual("muster: 'lst' is no verb\n        did you mean 'list'?\n", self.muster("lst", code=2).stderr)
        self.assertIn("muster: plugin is required\n        muster inspect --help ", self.muster("inspect", code=2).stderr)
        self.assertIn("all_gather", self.muster("explain", "all_reduced", code=2).stderr)

    def test_given_json_when_asked_then_every_verb_prints_one_document_with_a_schema_and_logs_go_to_stderr(self):
        self.environment["MUSTER_LOG"] = "trace"
        few = ("--to", "64", "--iterations", "1", "--warmup", "1")
        for arguments, schema in (
                (("list",), "muster.list/1"), (("list", "--failed"), "muster.list/1"), (("list", "--paths"), "muster.paths/1"),
                (("inspect", "shm"), "muster.inspect/1"), (("explain", "all_reduce"), "muster.explain/1"),
                (("config", "show"), "muster.config/1"), (("config", "default"), "muster.config_default/1"), (("config", "check"), "muster.config_check/1"),
                (("bench", "barrier", *few), "muster.bench/1"), (("replay", "llama-3.1-8b"), "muster.replay/1"),
                (("replay", "--list"), "muster.workloads/1"), (("doctor",), "muster.doctor/1"),
                (("version",), "muster.version/1")):
            with self.subTest(arguments=arguments):
                self.json(*arguments, schema=schema)

    def test_given_an_id_when_inspected_then_record_options_and_facts_are_shown(self):
        data = self.json("inspect", "shm", schema="muster.inspect/1")
        self.assertEqual(("shm", "usable"), (data["id"], data["state"]))
        self.assertIn("muster.backend/1", data["interfaces"])
        self.assertIn("priority", data)
        self.assertTrue({"name", "type", "default", "help"} <= set(data["options"][0]))
        text = self.muster("inspect", "shm").stdout
        for option in data["options"]:
            self.assertRegex(text, rf"(?m)^option +{option['name']} {option['type']} ")
        for fact in data["facts"]:
            self.assertRegex(text, rf"(?m)^fact +{fact} ")

    def test_given_a_bare_file_when_inspected_then_its_record_is_read_without_opening_it(self):
        path = support.PLUGINS / "good.so"
        data = self.json("inspect", path, schema="muster.inspect/1")
        self.assertEqual(("good", "1.2.3", "Acme", "unprobed", str(path)),
                         tuple(data[key] for key in ("id", "version", "vendor", "state", "path")))
        self.assertIn("Acme", self.muster("inspect", path).stdout)
        self.assertEqual([], self.traces())

    def test_given_a_file_that_cannot_be_used_when_inspected_then_it_says_why_and_exits_1(self):
        self.put("too_new")
        data = self.json("inspect", self.plugins / "too_new.so", schema="muster.inspect/1", code=1)
        self.assertEqual(("refused", "discover"), (data["state"], data["stage"]))
        self.assertIn("ABI too new", data["reason"])
        text = self.write("text.so", "no plugin\n")
        self.assertIn("not an ELF file", self.muster("inspect", text, code=1).stdout)
        self.assertIn("No such file", self.muster("inspect", "./absent.so", code=1).stderr)
        self.assertIn("no plugin has the id 'nobody'", self.muster("inspect", "nobody", code=1).stderr)
        self.assertEqual([], self.traces())

    def test_given_a_healthy_machine_when_the_doctor_is_asked_then_text_and_json_agree(self):
        data = self.json("doctor", schema="muster.doctor/1")
        self.assertTrue(data["healthy"])
        text = self.muster("doctor").stdout
        for finding in data["findings"]:
            if finding["what"] == "plugin directory":
                self.assertRegex(text, rf"(?m)^ok plugin directory +{finding['found']}$")

    def test_given_a_broken_plugin_when_the_doctor_is_asked_then_it_needs_attention_and_exits_1(self):
        self.configure("")
        self.put("crash_probe")
        result = self.muster("doctor", code=1)
        self.assertRegex(result.stdout, r"(?m)^!! plugin crash_probe +1\.2\.3 quarantined ")
        data = self.json("doctor", schema="muster.doctor/1", code=1)
        self.assertFalse(data["healthy"])

    def test_given_a_backend_that_is_not_there_when_asked_about_then_doctor_and_list_name_where_it_is_configured(self):
        path = self.configure('[backend.acme]\npriority = 3\n[backend.other]\nmode = "off"\n')
        for verb in (("doctor",), ("list", "--failed")):
            with self.subTest(verb=verb):
                text = self.muster(*verb, code=1 if verb[0] == "doctor" else 0).stdout
                self.assertRegex(text, rf"(?m)(acme +discover|{path}:\d+:1: acme:).*no plugin with this id")
                self.assertNotIn("other", text)

    def test_given_a_directory_that_is_not_there_when_the_failed_are_listed_then_it_is_named_with_its_variable(self):
        self.environment["MUSTER_PLUGINS_PATH"] = f"{self.root}/nowhere"
        text = self.muster("list", "--failed").stdout
        self.assertRegex(text, rf"(?m)^{self.root}/nowhere +discover +.*No such file.*\(by MUSTER_PLUGINS_PATH\)$")

    def test_given_a_broken_configuration_when_the_doctor_is_asked_then_it_names_it(self):
        path = self.write("wrong.toml", "[nothing]\n")
        self.environment["MUSTER_CONFIG"] = str(path)
        self.assertIn(f"{path}:1:", self.muster("doctor", code=1).stdout)

    def test_given_the_version_when_asked_then_text_and_json_agree(self):
        data = self.json("version", schema="muster.version/1")
        text = self.muster("version").stdout
        for key in ("version", "abi", "oldest_plugin_abi", "build_tag"):
            self.assertIn(data[key], text)

    def test_given_every_backend_off_when_a_call_is_made_then_nothing_is_usable_and_it_exits_3(self):
        self.configure('[backend.shm]\nmode = "off"\n[backend.mpi]\nmode = "off"\n')
        self.assertIn("nobody serves", self.muster("explain", "all_reduce", code=3).stdout)
        result = self.muster("bench", "all_reduce", code=3)
        self.assertIn("shm", result.stderr)
        self.assertEqual("", result.stdout)

    def test_given_a_required_backend_that_is_absent_when_called_then_it_is_named_and_exits_3(self):
        config = self.configure('[backend.acme]\nmode = "required"\n')
        result = self.muster("bench", "all_reduce", code=3)
        self.assertIn(f"backend acme is required ({config}:4:1) and was not found", result.stderr)


if __name__ == "__main__":
    support.main()
