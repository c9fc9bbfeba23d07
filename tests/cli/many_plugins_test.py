"""Two hundred plugins in one directory: `muster list` names them all and opens none."""
import support

COUNT = 200


class ManyPlugins(support.Case):
    def setUp(self):
        super().setUp()
        self.configure("")
        binary = (support.PLUGINS / "good.so").read_bytes()
        # The entry record and the name of the trace; ids of one length.
        self.assertEqual(2, binary.count(b"good\0"))
        self.ids = [f"p{i:03}" for i in range(COUNT)]
        for plugin_id in self.ids:
            path = self.plugins / f"{plugin_id}.so"
            path.write_bytes(binary.replace(b"good\0", plugin_id.encode() + b"\0"))
            path.chmod(0o755)

    def test_given_many_plugins_when_listed_then_all_are_there_and_none_was_opened(self):
        for _ in range(2):
            data = self.json("list", schema="muster.list/1")
            found = {p["id"]: p["state"] for p in data["plugins"] if p["path"].startswith(str(self.plugins))}
            self.assertEqual(dict.fromkeys(self.ids, "unprobed"), found)
        self.assertIn(f"{self.plugins}/p199.so", self.muster("list").stdout)
        self.assertEqual([], self.traces())

    def test_given_many_plugins_when_probed_then_each_leaves_its_trace(self):
        for name in self.ids[5:]:
            (self.plugins / f"{name}.so").unlink()
        self.muster("list", "--probe")
        self.assertEqual(self.ids[:5], self.traces())
        states = {p["id"]: p["state"] for p in self.json("list", schema="muster.list/1")["plugins"]}
        self.assertEqual({"usable"}, {states[name] for name in self.ids[:5]})


if __name__ == "__main__":
    support.main()
