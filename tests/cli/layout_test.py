"""`muster explain --layout`: what groups a layout makes, who shares communicators, and who serves a role's call."""
import support

PUBLISHED = "tp=8,attn_cp=2,ep=4,moe_dp=2"


class Layout(support.Case):
    def layout(self, text, *more):
        return self.json("explain", "--layout", text, *more, schema="muster.layout/1")

    def test_given_the_published_layout_when_described_then_its_groups_are_the_published_ones(self):
        data = self.layout(PUBLISHED)
        self.assertEqual((8, 4, 1), (data["sizes"]["world"], data["sizes"]["attn_tp"], data["sizes"]["moe_tp"]))
        groups = {role: entry["groups"] for role, entry in data["roles"].items()}
        self.assertEqual([[0, 1, 2, 3], [4, 5, 6, 7]], groups["attn_tp"])
        self.assertEqual([[0, 4], [1, 5], [2, 6], [3, 7]], groups["attn_cp"])
        self.assertEqual([[0, 1, 2, 3], [4, 5, 6, 7]], groups["moe_ep"])
        self.assertEqual([[0, 4], [1, 5], [2, 6], [3, 7]], groups["moe_dp"])
        shares = {role: entry["shares"] for role, entry in data["roles"].items()}
        self.assertEqual(("world", None, "attn_tp", "attn_cp"),
                         (shares["tp"], shares["attn_tp"], shares["moe_ep"], shares["moe_dp"]))

    def test_given_a_layout_when_described_for_people_then_every_role_has_a_line(self):
        text = self.muster("explain", "--layout", PUBLISHED).stdout
        self.assertRegex(text, r"(?m)^moe_ep +4  attn_tp +\[0-3\] \[4-7\]$")
        self.assertRegex(text, r"(?m)^moe_dp +2  attn_cp +\[0,4\] \[1,5\] \[2,6\] \[3,7\]$")
        one = self.muster("explain", "--layout", PUBLISHED, "--role", "moe_dp").stdout
        self.assertEqual(3, len(one.splitlines()))

    def test_given_options_for_moe_groups_when_described_then_they_no_longer_share(self):
        self.configure('[group."moe*".backend.shm]\npriority = 70\n')
        shares = {role: entry["shares"] for role, entry in self.layout(PUBLISHED)["roles"].items()}
        self.assertEqual((None, None, "world"), (shares["moe_ep"], shares["moe_dp"], shares["tp"]))

    def test_given_a_role_when_a_call_of_it_is_explained_then_its_group_is_asked(self):
        self.configure('[[rule]]\ngroup = "moe_ep"\nprefer = ["mpi"]\n')
        call = ("explain", "all_to_allv", "--bytes", "unsized", "--layout", "tp=8,ep=4", "--bootstrap", "mpi")
        moe = self.json(*call, "--role", "moe_ep", schema="muster.explain/1")
        self.assertEqual(("moe_ep", 4), (moe["group"], moe["ranks"]))
        tp = self.json(*call, "--role", "attn_tp", schema="muster.explain/1")
        self.assertEqual(("world", 8), (tp["group"], tp["ranks"]))
        text = self.muster(*call, "--role", "moe_ep").stdout
        self.assertRegex(text, r"(?m)^moe_ep +4  moe_ep +\[0,2,4,6\] \[1,3,5,7\]$")
        self.assertIn("answer    ", text)

    def test_given_a_large_world_when_described_then_no_rank_is_started_and_the_text_stays_short(self):
        text = self.muster("explain", "--layout", "tp=8,pp=16,dp=64,ep=8").stdout
        self.assertIn("world 8192", text)
        self.assertRegex(text, r"(?m)^tp +8 .* and 1008 more$")

    def test_given_a_wrong_layout_when_described_then_the_equation_or_the_word_is_named(self):
        for layout, more, said in (("tp=8,ep=3", (), "moe_dp 1 x ep 3 does not divide tp 8"),
                                   ("tp=4", ("--ranks", "6"), "but the world has 6 ranks"),
                                   ("tq=4", (), "did you mean 'tp'?"),
                                   ("ep=4", (), "give tp, or --ranks"),
                                   ("tp=4", ("--role", "moe_eq"), "did you mean 'moe_ep'?"),
                                   ("tp=4", ("all_reduce", "--role", "tp", "--of-rank", "4"), "outside the world of 4 ranks")):
            with self.subTest(layout=layout, more=more):
                result = self.muster("explain", "--layout", layout, *more, code=1)
                self.assertEqual("", result.stdout)
                self.assertIn(said, result.stderr)
        self.assertIn("need --role", self.muster("explain", "all_reduce", "--layout", "tp=4", code=2).stderr)


if __name__ == "__main__":
    support.main()
