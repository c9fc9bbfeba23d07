"""The gates hold: each break of the boundary, made in a copy, is refused by the check that is there for it, by name.

usage: break_test.py INCLUDE GOLDEN SCRIPT CC CXX   (GOLDEN: the folder; SCRIPT: that of libmuster's versions)
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import abi_headers

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = GOLDEN = SCRIPT = CC = CXX = None


class Gates(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="muster-gates-")
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)
        self.include = self.root / "abi" / "include"
        shutil.copytree(INCLUDE, self.include)

    def replace(self, header, *changes):
        """Edits the copy. What is to be replaced must be there: a break that broke nothing would prove nothing."""
        path = self.include / "muster" / header
        text = path.read_text()
        for before, after in changes:
            self.assertEqual(1, text.count(before), f"{header} has {before!r} not just once")
            text = text.replace(before, after)
        path.write_text(text)

    def check(self, script, *arguments):
        done = subprocess.run([sys.executable, "-B", HERE / script, *map(str, arguments)], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def layout(self):
        return self.check("layout.py", "--include", self.include, "--golden", f"{GOLDEN}/abi_layout.txt", "--cc", CC)

    def refused(self, result, *said):
        code, text = result
        self.assertEqual(1, code, text)
        for words in said:
            self.assertIn(words, text)

    def assertPasses(self, result):
        self.assertEqual(0, result[0], result[1])


class Layout(Gates):
    def test_given_an_unbroken_copy_when_compared_then_the_layout_is_the_golden_one(self):
        self.assertPasses(self.layout())

    def test_given_two_fields_in_another_order_when_compared_then_both_are_named(self):
        self.replace("types.h", ("  muster_stream_kind kind;\n  uint32_t device;\n",
                                 "  uint32_t device;\n  muster_stream_kind kind;\n"))
        self.refused(self.layout(), "+   0 offset    0 size    4 device : uint32_t",
                     "-   0 offset    0 size    4 kind : muster_stream_kind", "abi/CHANGELOG.md")

    def test_given_two_slots_in_another_order_when_compared_then_both_are_named(self):
        self.replace("kernels.h", ("uint32_t (*variant_count)(", "uint32_t (*swapped)("))
        self.replace("kernels.h", ("const muster_kernel_variant* (*variant)(", "const muster_kernel_variant* (*variant_count)("))
        self.replace("kernels.h", ("(*swapped)(", "(*variant)("))
        self.replace("kernels.h", ("STRUCT_SIZE(muster_kernels, variant)", "STRUCT_SIZE(muster_kernels, variant_count)"))
        self.refused(self.layout(), "-   2 offset    8 size    8 variant_count", "+   2 offset    8 size    8 variant :")

    def test_given_a_field_more_in_the_middle_when_compared_then_what_moved_is_shown(self):
        self.replace("call.h", ("  uint64_t count;\n", "  uint64_t hint;\n  uint64_t count;\n"))
        self.refused(self.layout(), "hint : uint64_t", "+struct call.h muster_call size")

    def test_given_enum_values_that_were_swapped_when_compared_then_both_are_named(self):
        self.replace("types.h", ("MUSTER_MIN = 3", "MUSTER_MIN = 4"), ("MUSTER_MAX = 4", "MUSTER_MAX = 3"))
        self.refused(self.layout(), "+constant types.h MUSTER_MIN 4", "+constant types.h MUSTER_MAX 3")

    def test_given_an_interface_of_another_name_when_compared_then_it_is_named(self):
        self.replace("backend.h", ('"muster.backend/1"\ntypedef', '"muster.backend/2"\ntypedef'))
        self.refused(self.layout(), '+text backend.h MUSTER_BACKEND_INTERFACE "muster.backend/2"')

    def test_given_a_function_with_another_argument_when_compared_then_it_is_named(self):
        self.replace("muster.h", ("muster_finalize(", "muster_finalize(uint32_t how, "))
        self.refused(self.layout(), "+function muster.h", "muster_finalize(uint32_t how, ")


class Frozen(Gates):
    """Against the copy as it was before the break: what a minor may add passes, a break does not."""

    def setUp(self):
        super().setUp()
        self.released = self.root / "released" / "include"
        shutil.copytree(self.include, self.released)

    def frozen(self):
        return self.check("frozen.py", "--include", self.include, "--cc", CC, self.released)

    def append(self, header, struct, last):
        """A field after the last one."""
        self.replace(header, (f"{last};\n}} {struct};", f"{last};\n  uint64_t late;\n}} {struct};"),
                     (f"STRUCT_SIZE({struct}, {last.split()[-1]})", f"STRUCT_SIZE({struct}, late)"))

    def test_given_an_unbroken_copy_when_compared_then_it_passes(self):
        self.assertPasses(self.frozen())

    def test_given_a_field_more_without_a_minor_more_when_compared_then_that_is_asked_for(self):
        self.append("call.h", "muster_call", "  muster_stream stream")
        self.refused(self.frozen(), "released: it is released", "raise MUSTER_ABI_MINOR")

    def test_given_what_a_minor_may_add_when_compared_then_it_passes(self):
        text = (self.include / "muster" / "base.h").read_text()
        minor = next(line for line in text.splitlines() if line.startswith("#define MUSTER_ABI_MINOR"))
        self.replace("base.h", (minor + "\n", minor + "9\n"))
        self.append("call.h", "muster_call", "  muster_stream stream")
        self.replace("types.h", ("MUSTER_F8E5M2 = 15,\n  MUSTER_DTYPE_END = 16", "MUSTER_F8E5M2 = 15,\n  MUSTER_F4 = 16,\n  MUSTER_DTYPE_END = 17"))
        self.replace("muster.h", ("MUSTER_API void muster_finalize(", "MUSTER_API void muster_late(void);\nMUSTER_API void muster_finalize("))
        self.assertPasses(self.frozen())

    def test_given_two_fields_in_another_order_when_compared_then_what_was_there_is_named(self):
        self.replace("types.h", ("  muster_stream_kind kind;\n  uint32_t device;\n", "  uint32_t device;\n  muster_stream_kind kind;\n"))
        self.refused(self.frozen(), "released: struct muster_stream had '0 offset 0 size 4 kind")

    def test_given_a_table_of_plugins_that_grew_when_compared_then_it_is_named(self):
        self.replace("kernels.h", ("uint32_t index);\n} muster_kernels;", "uint32_t index);\n  uint64_t late;\n} muster_kernels;"),
                     ("STRUCT_SIZE(muster_kernels, variant)", "STRUCT_SIZE(muster_kernels, late)"))
        self.refused(self.frozen(), "struct muster_kernels has 32 bytes aligned to 8, not 24")

    def test_given_a_value_that_changed_or_went_when_compared_then_it_is_named(self):
        self.replace("types.h", ("MUSTER_MIN = 3", "MUSTER_MIN = 7"), ("  MUSTER_MLU = 8,\n", ""))
        self.refused(self.frozen(), "MUSTER_MIN was 3, and is 7", "MUSTER_MLU was 8, and is gone")

    def test_given_a_function_with_another_argument_when_compared_then_it_is_named(self):
        self.replace("muster.h", ("muster_finalize(", "muster_finalize(uint32_t how, "))
        self.refused(self.frozen(), "gone or changed: function void muster_finalize(muster_runtime* runtime)")


class AbiDiff(Gates):
    """With a library that has all that headers and script say."""

    def setUp(self):
        super().setUp()
        self.script = self.root / "libmuster.version"
        shutil.copyfile(SCRIPT, self.script)

    def abidiff(self):
        names = [name for _, name, _ in abi_headers.parse(self.include / "muster").functions]
        library = self.root / "libmuster.so"
        subprocess.run([CC, "-x", "c", "-shared", "-fPIC", "-Wl,-soname,libmuster.so.0", f"-Wl,--version-script={self.script}",
                        "-o", library, "-"], input="".join(f"void {name}(void) {{}}\n" for name in names), text=True, check=True)
        result = self.check("abidiff.py", "--built", library, "--include", self.include, "--script", self.script,
                            "--golden", f"{GOLDEN}/libmuster.abi", "--cc", CC)
        if result[0] == 77:
            self.skipTest(result[1])
        return result

    def test_given_an_unbroken_copy_when_compared_then_it_passes(self):
        self.assertPasses(self.abidiff())

    def test_given_a_field_more_in_the_middle_when_compared_then_it_is_reported(self):
        self.replace("call.h", ("  uint64_t count;\n", "  uint64_t hint;\n  uint64_t count;\n"))
        self.refused(self.abidiff(), "'uint64_t hint', at offset 512 (in bits)", "abi/CHANGELOG.md")

    def test_given_another_slot_in_a_table_of_plugins_when_compared_then_it_is_reported(self):
        self.replace("kernels.h", ("uint32_t (*variant_count)(struct", "uint64_t (*variant_count)(struct"))
        self.refused(self.abidiff(), "muster_kernels", "variant_count")

    def test_given_a_symbol_that_is_gone_when_compared_then_it_is_reported(self):
        text = (self.include / "muster" / "muster.h").read_text()
        start = text.index("MUSTER_API MUSTER_OWN muster_status* muster_barrier(")
        self.replace("muster.h", (text[start:text.index(";", start) + 1], ""))
        self.refused(self.abidiff(), "1 Removed function", "muster_barrier")

    def test_given_a_symbol_in_another_node_when_compared_then_it_is_reported(self):
        self.script.write_text(self.script.read_text().replace("    muster_barrier;\n", "") +
                               "MUSTER_0.10 { global: muster_barrier; } MUSTER_0.9;\n")
        self.refused(self.abidiff(), "1 Removed function", "{muster_barrier@@MUSTER_0.9}")


class Headers(Gates):
    def header(self, name):
        return self.check("headers.py", "--include", self.include, "--header", name, f"{CC}:{CXX}")

    def test_given_an_unbroken_copy_when_compiled_then_it_passes(self):
        self.assertPasses(self.header("types.h"))

    def test_given_a_hole_between_fields_when_compiled_then_every_standard_refuses_it(self):
        self.replace("types.h", ("  uint32_t device;\n", ""))
        result = self.header("types.h")
        self.refused(result, "padding struct", "handle")
        for standard in ("c11", "c17", "c++17", "c++20"):
            self.assertIn(f"types.h as {standard} with", result[1])

    def test_given_a_hole_at_the_end_when_compiled_then_it_is_refused(self):
        self.replace("types.h", ("  uint64_t handle;\n", "  uint64_t handle;\n  uint32_t late;\n"))
        self.refused(self.header("types.h"), "padding struct size to alignment boundary")

    def test_given_a_header_that_needs_another_when_compiled_alone_then_it_is_refused(self):
        self.replace("kernels.h", ('#include "muster/types.h"\n', ""))
        self.refused(self.header("kernels.h"), "muster_dtype")

    def test_given_a_field_after_the_last_known_one_when_compiled_then_the_stale_struct_size_is_refused(self):
        self.replace("types.h", ("  uint64_t handle;\n", "  uint64_t handle;\n  uint64_t late;\n"))
        self.replace("call.h", ("  const muster_fused_rmsnorm* fused;\n  muster_stream stream;\n",
                                "  muster_stream stream;\n  const muster_fused_rmsnorm* fused;\n"))
        self.refused(self.header("call.h"), "muster_call")

    def test_given_a_word_of_one_language_when_compiled_then_the_other_refuses_it(self):
        self.replace("types.h", ("  uint32_t device;\n", "  uint32_t class;\n"))
        result = self.header("types.h")
        self.refused(result, "types.h as c++17 with")
        self.assertNotIn("types.h as c11 with", result[1])


class Tags(Gates):
    SLOT = "  /* [any-thread] [local] [no-block] */\n  const muster_group_info* (*group_info)"

    def tags(self):
        return self.check("tags.py", "--include", self.include)

    def test_given_an_unbroken_copy_when_read_then_every_function_has_its_tags(self):
        self.assertPasses(self.tags())

    def test_given_a_missing_tag_line_when_read_then_the_slot_is_named(self):
        self.replace("host.h", (self.SLOT, self.SLOT.split("\n", 1)[1]))
        self.refused(self.tags(), "host.h: muster_host.group_info names 0 of the tags of its thread class",
                     "host.h: muster_host.group_info names 0 of the tags of its reach")

    def test_given_a_missing_reach_when_read_then_the_slot_is_named(self):
        self.replace("host.h", (self.SLOT, self.SLOT.replace(" [local]", "")))
        self.refused(self.tags(), "host.h: muster_host.group_info names 0 of the tags of its reach: collective, local")

    def test_given_two_thread_classes_when_read_then_the_slot_is_named(self):
        self.replace("host.h", (self.SLOT, self.SLOT.replace("[any-thread]", "[any-thread] [group-serial]")))
        self.refused(self.tags(), "host.h: muster_host.group_info names 2 of the tags of its thread class")

    def test_given_a_tag_that_nobody_knows_when_read_then_it_is_named(self):
        self.replace("host.h", (self.SLOT, self.SLOT.replace("[no-block]", "[no-blocks]")))
        self.refused(self.tags(), "host.h: muster_host.group_info has the unknown tag [no-blocks]")

    def test_given_a_collective_on_any_thread_when_read_then_it_is_named(self):
        self.replace("host.h", (self.SLOT, self.SLOT.replace("[local]", "[collective]")))
        self.refused(self.tags(), "host.h: muster_host.group_info is collective on any thread")


class Exports(Gates):
    def shared(self, name, symbols, *flags):
        """A library that exports just these symbols."""
        path = self.root / name
        source = "".join(f"void {symbol}(void) {{}}\n" for symbol in symbols)
        subprocess.run([CC, "-x", "c", "-shared", "-fPIC", "-o", path, "-", *flags], input=source, text=True, check=True)
        return path

    def exports_of_library(self, symbols, unversioned=()):
        script = self.root / "libmuster.version"
        script.write_text("MUSTER_0.9 { global: " + "".join(f"{name}; " for name in symbols) + "};\n")
        library = self.shared("libmuster.so", [*symbols, *unversioned], f"-Wl,--version-script={script}")
        return self.check("exports.py", "library", library, "--include", self.include)

    def exports_of_plugin(self, symbols, *flags):
        folder = self.root / "plugins"
        folder.mkdir()
        self.shared("plugins/acme.so", symbols, *flags)
        return self.check("exports.py", "plugins", folder)

    def declared(self):
        return sorted(name for _, name, _ in abi_headers.parse(self.include / "muster").functions)

    def test_given_a_library_with_all_that_is_declared_when_its_exports_are_read_then_it_passes(self):
        self.assertPasses(self.exports_of_library(self.declared()))

    def test_given_a_library_that_lost_a_symbol_when_its_exports_are_read_then_it_is_named(self):
        self.refused(self.exports_of_library([name for name in self.declared() if name != "muster_all_reduce"]),
                     "does not export what muster.h declares: ['muster_all_reduce']")

    def test_given_a_library_with_a_symbol_more_when_its_exports_are_read_then_it_is_named(self):
        self.refused(self.exports_of_library(self.declared() + ["muster_secret"]),
                     "exports more than muster.h declares: ['muster_secret']")

    def test_given_a_symbol_without_a_version_when_its_exports_are_read_then_it_is_named(self):
        self.refused(self.exports_of_library(self.declared()[1:], self.declared()[:1]),
                     f"exports without a version: ['{self.declared()[0]}']")

    def test_given_a_symbol_gone_from_header_and_library_when_checked_then_the_layout_names_it(self):
        text = (self.include / "muster" / "muster.h").read_text()
        start = text.index("MUSTER_API MUSTER_OWN muster_status* muster_barrier(")
        self.replace("muster.h", (text[start:text.index(";", start) + 1], ""))
        self.assertPasses(self.exports_of_library(self.declared()))
        self.refused(self.layout(), "-function muster.h", "muster_barrier(")

    def test_given_a_plugin_with_its_entry_alone_when_its_exports_are_read_then_it_passes(self):
        self.assertPasses(self.exports_of_plugin(["muster_plugin_entry"]))

    def test_given_a_plugin_with_a_symbol_more_when_its_exports_are_read_then_it_is_named(self):
        self.refused(self.exports_of_plugin(["muster_plugin_entry", "acme_init"]), "acme.so exports", "acme_init")

    def test_given_a_plugin_that_links_libmuster_when_its_needs_are_read_then_it_is_named(self):
        self.shared("libmuster.so", ["muster_init"], "-Wl,-soname,libmuster.so.0")
        self.refused(self.exports_of_plugin(["muster_plugin_entry"], "-Wl,--no-as-needed", f"-L{self.root}", "-lmuster"),
                     "acme.so needs libmuster.so.0")


class Includes(Gates):
    def test_given_a_header_that_includes_the_runtime_when_read_then_file_and_line_are_named(self):
        self.replace("types.h", ('#include "muster/base.h"\n', '#include "muster/base.h"\n#include "core/base/wait.hpp"\n'))
        self.refused(self.check("includes.py", self.root), "abi/include/muster/types.h:", "includes core/base/wait.hpp")


class Duties(Gates):
    def duties(self, *changes):
        """With a page and tests of the test's own."""
        (self.root / "tests" / "kit" / "check").mkdir(parents=True)
        (self.root / "tests" / "some_test.cpp").write_text("TEST(Loader, GivenXThenY) {}\n")
        (self.root / "tests" / "CMakeLists.txt").write_text("add_test(NAME abi.${name} ...)\nmuster_abi_check(exports.plugins)\n")
        (self.root / "tests" / "kit" / "check" / "catalogue.cpp").write_text('{"handshake.loads", ...}\n')
        page = ("| P1 | loads | no use | loader | `Loader`, `handshake.loads` |\n"
                "| P2 | exports one symbol | clash | build | `abi.exports.plugins` |\n"
                "| R1 | never unloads | jumps | loader | `Loader` |\n")
        for before, after in changes:
            self.assertEqual(1, page.count(before))
            page = page.replace(before, after)
        (self.root / "abi" / "README.md").write_text(page)
        return self.check("duties.py", self.root)

    def test_given_whole_duties_when_read_then_they_pass(self):
        self.assertPasses(self.duties())

    def test_given_a_test_that_does_not_exist_when_read_then_duty_and_test_are_named(self):
        self.refused(self.duties(("| `Loader` |", "| `Leader` |")), "R1: there is no test Leader")

    def test_given_a_case_that_the_suite_lacks_when_read_then_it_is_named(self):
        self.refused(self.duties(("handshake.loads", "handshake.leads")), "P1: there is no test handshake.leads")

    def test_given_a_check_that_is_not_registered_when_read_then_it_is_named(self):
        self.refused(self.duties(("abi.exports.plugins", "abi.exports.pluggins")), "P2: there is no test abi.exports.pluggins")

    def test_given_a_gap_or_an_empty_cell_when_read_then_the_duty_is_named(self):
        self.refused(self.duties(("| P2 |", "| P3 |"), ("| no use |", "| |")), "P3 follows P1", "P1: 'when broken' is empty")


if __name__ == "__main__":
    CXX, CC, SCRIPT, GOLDEN, INCLUDE = (sys.argv.pop() for _ in range(5))
    unittest.main()
