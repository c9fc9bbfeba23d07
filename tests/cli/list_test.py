"""`muster list`: every file that cannot be used, with stage and cause; what is refused is never opened."""
import os
import shutil

import support

# file -> (stage, cause); those of stage discover must not have been opened.
REFUSED = {
    "text.so": ("discover", "not an ELF file"),
    "truncated.so": ("discover", "truncated"),
    "machine.so": ("discover", "built for another machine: aarch64"),
    "no_entry.so": ("discover", "no symbol muster_plugin_entry"),
    "wrong_magic.so": ("discover", "wrong magic"),
    "too_old.so": ("discover", "ABI too old: too_old 1.2.3 of Acme speaks ABI 0.0"),
    "too_new.so": ("discover", "ABI too new: too_new 1.2.3 of Acme speaks ABI 9."),
    "wrong_tag.so": ("discover", "build tag mismatch: sanitizer memory"),
    "good_again.so": ("discover", "duplicate id good"),
    "wild.so": ("discover", "writable by everyone"),
    "idle.so": ("discover", 'backend.idle.mode = "off"'),
    "good.so": ("load", "good gives muster.backend/1 without offer"),
    "unresolved.so": ("load", "a_function_that_nobody_has"),
    "missing_dependency.so": ("load", "libcli_test_dependency.so"),
    "crash_constructor.so": ("load", "signal"),
    "crash_probe.so": ("probe", "signal"),
    "hang_probe.so": ("probe", "200 ms"),
    "unavailable.so": ("probe", "no device /dev/acme0"),
}
if os.geteuid() == 0:  # who else could give a file away
    REFUSED["alien.so"] = ("discover", "owned by user 65534")
NEVER_OPENED = {"wrong_magic", "too_old", "too_new", "wrong_tag", "idle", "no_entry", "wild"}


class List(support.Case):
    def one_of_each(self):
        good = self.put("good").read_bytes()
        (self.plugins / "text.so").write_text("a text that is no plugin\n")
        (self.plugins / "truncated.so").write_bytes(good[: len(good) // 2])
        (self.plugins / "machine.so").write_bytes(good[:18] + (183).to_bytes(2, "little") + good[20:])
        for name in ("no_entry", "wrong_magic", "too_old", "too_new", "wrong_tag", "unresolved", "missing_dependency",
                     "crash_constructor", "crash_probe", "hang_probe", "unavailable"):
            self.put(name)
        self.put("good", "good_again.so")
        self.put_as("wild").chmod(0o666)
        self.put_as("idle")
        if "alien.so" in REFUSED:
            os.chown(self.put("unavailable", "alien.so"), 65534, 65534)
        return self.configure('probe_timeout_ms = 200\n[backend.idle]\nmode = "off"\n')

    def put_as(self, plugin_id):
        """The good plugin under another id of four letters, in its entry record and in the name of its trace."""
        path = self.plugins / f"{plugin_id}.so"
        path.write_bytes((support.PLUGINS / "good.so").read_bytes().replace(b"good\0", plugin_id.encode() + b"\0"))
        path.chmod(0o755)
        return path

    def test_given_one_of_each_when_the_failed_are_listed_then_each_has_its_stage_and_cause(self):
        config = self.one_of_each()
        text = self.muster("list", "--failed").stdout
        lines = {line.split()[0]: line.split(None, 2)[1:] for line in text.splitlines() if line.startswith("/")}
        for name, (stage, cause) in REFUSED.items():
            with self.subTest(file=name):
                found = lines.pop(str(self.plugins / name))
                self.assertEqual(stage, found[0])
                self.assertIn(cause, found[1])
                if name == "idle.so":
                    self.assertIn(f"(by {config}:5:1)", found[1])
        self.assertEqual({}, {path: line for path, line in lines.items() if path.startswith(str(self.plugins))})
        self.assertRegex(text.splitlines()[-1], r"^\d+ of \d+ plugins cannot be used$")

        self.assertEqual(set(), NEVER_OPENED & set(self.traces()))
        self.assertEqual({"good", "crash_constructor", "crash_probe", "hang_probe", "unavailable"}, set(self.traces()))

    def test_given_one_of_each_when_listed_as_json_then_it_says_what_the_text_says(self):
        self.one_of_each()
        text = self.muster("list", "--failed").stdout
        data = self.json("list", "--failed", schema="muster.list/1")
        failed = data["plugins"]
        self.assertEqual(set(REFUSED), {p["path"].rsplit("/", 1)[1] for p in failed if p["path"].startswith(str(self.plugins))})
        for plugin in failed:
            line = next(line for line in text.splitlines() if line.split()[0] == plugin["path"])
            source = f" (by {plugin['source']})" if "source" in plugin else ""
            self.assertEqual(f"{plugin['stage']} {plugin['reason']}{source}", " ".join(line.split(None, 1)[1].split(None, 1)))
        everything = self.json("list", schema="muster.list/1")
        states = {p["path"].rsplit("/", 1)[1]: p["state"] for p in everything["plugins"]}
        self.assertEqual("usable", states["good.so"])
        self.assertEqual("off", states["idle.so"])
        self.assertEqual("quarantined", states["crash_probe.so"])
        self.assertEqual("unavailable", states["unavailable.so"])
        self.assertEqual("refused", states["too_new.so"])
        for plugin in failed:
            self.assertIn({"stage": plugin["stage"], "subject": plugin["path"], "verdict": plugin["state"],
                           "reason": plugin["reason"], "source": plugin.get("source", "")}, data["records"])

    def test_given_one_of_each_when_listed_then_nothing_is_opened(self):
        self.one_of_each()
        text = self.muster("list").stdout
        self.assertEqual([], self.traces())
        line = next(line for line in text.splitlines() if line.endswith("good.so  (never probed on this machine)"))
        self.assertEqual(["good", "0.9", "unprobed", "1.2.3"], line.split()[:4])

    def test_given_a_crash_when_listed_again_then_the_file_stays_quarantined_until_it_changes(self):
        self.configure("")
        path = self.put("crash_probe")
        self.muster("list", "--probe")
        self.assertEqual(["crash_probe"], self.traces())
        shutil.rmtree(self.root / "traces")
        (self.root / "traces").mkdir()
        self.muster("list", "--probe")
        self.assertEqual([], self.traces())
        shutil.copyfile(support.PLUGINS / "good.so", path)
        states = {p["id"]: p["state"] for p in self.json("list", "--probe", schema="muster.list/1")["plugins"]}
        self.assertEqual("usable", states["good"])

    def test_given_an_option_that_a_plugin_lacks_when_the_failed_are_listed_then_it_is_refused_with_a_suggestion(self):
        config = self.configure("[backend.shm]\noptions = { chunk_bites = 7 }\n")
        text = self.muster("list", "--failed").stdout
        self.assertRegex(text, r"(?m)/shm\.so +load +")
        self.assertIn(f"{config}:4:", text)
        self.assertIn("backend shm has no option 'chunk_bites'", text)
        self.assertIn("did you mean 'chunk_bytes'?", text)
        self.assertIn("did you mean 'chunk_bytes'?", self.muster("explain", "all_reduce", code=3).stdout)
        self.assertIn("did you mean 'chunk_bytes'?", self.muster("inspect", "shm", code=1).stdout)
        self.assertIn("did you mean 'chunk_bytes'?", self.muster("bench", "all_reduce", code=1).stderr)

    def test_given_nothing_that_failed_when_the_failed_are_listed_then_one_line_says_so(self):
        text = self.muster("list", "--failed").stdout
        # Backends of devices are unavailable where there is none.
        lines = [line for line in text.splitlines() if line.startswith("/")]
        for line in lines:
            self.assertRegex(line, r"/(nccl|cuda_peer)\.so +probe ")
        self.assertRegex(text, rf"(?m)^{len(lines)} of \d+ plugins cannot be used$")

    def test_given_ids_when_asked_whether_they_exist_then_the_exit_code_says_so(self):
        self.one_of_each()
        self.muster("list", "--exists", "shm")
        self.muster("list", "--exists", "nobody", code=1)
        self.muster("list", "--exists", "too_new", code=1)
        self.muster("list", "--exists", "idle", code=1)
        self.assertEqual([], self.traces())

    def test_given_a_configured_directory_when_the_paths_are_listed_then_it_stands_first(self):
        self.configure("")
        lines = self.muster("list", "--paths").stdout.splitlines()
        self.assertEqual(str(self.plugins), lines[0])
        self.assertEqual(2, len(lines))
        self.assertEqual(lines, self.json("list", "--paths", schema="muster.paths/1")["directories"])


if __name__ == "__main__":
    support.main()
