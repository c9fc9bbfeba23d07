"""The tree keeps its own rules: places, sizes, what includes what."""
import os
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("abi", "core", "plugins", "config", "tests", "packaging")
TOP_LEVEL = set(FOLDERS) | {"CMakeLists.txt", "README.md", "LICENSE"}
SOURCES = (".c", ".h", ".cpp", ".hpp", ".py", ".cmake")
MAX_LINES = 600
MAX_README_LINES = 150
MAX_BINARY_BYTES = 32 << 10


def files(*folders):
    for folder in folders or FOLDERS:
        for directory, below, names in os.walk(ROOT / folder):
            below[:] = [name for name in below if name != "__pycache__"]
            for name in names:
                yield pathlib.Path(directory) / name


def sources(*folders):
    return [path for path in files(*folders) if path.suffix in SOURCES]


def includes(path):
    return re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', path.read_text(), re.MULTILINE)


class Tree(unittest.TestCase):
    def test_given_the_top_level_when_listed_then_only_the_known_folders_are_there(self):
        found = {
            entry.name
            for entry in ROOT.iterdir()
            if not entry.name.startswith(".") and not re.fullmatch(r"build(-.*)?|compile_commands\.json", entry.name)
        }
        self.assertLessEqual(found, TOP_LEVEL)

    def test_given_a_source_file_when_counted_then_it_is_not_too_long(self):
        lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources()}
        self.assertGreater(len(lengths), 20)
        self.assertEqual({}, {path: lines for path, lines in lengths.items() if lines > MAX_LINES})

    def test_given_the_readme_when_counted_then_it_is_short(self):
        self.assertLessEqual(len((ROOT / "README.md").read_text().splitlines()), MAX_README_LINES)

    def test_given_the_abi_when_its_includes_are_read_then_none_leaves_it(self):
        bad = [(str(path), name) for path in sources("abi") for name in includes(path)
               if name.startswith(("core/", "config/", "plugins/"))]
        self.assertEqual([], bad)

    def test_given_a_plugin_when_its_includes_are_read_then_none_reaches_into_the_runtime(self):
        bad = [(str(path), name) for path in sources("plugins") for name in includes(path)
               if name.startswith(("core/", "config/"))]
        self.assertEqual([], bad)

    def test_given_the_sources_when_read_then_nothing_is_left_for_later(self):
        marker = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX")) + r")\b")
        self.assertEqual([], [str(path) for path in sources() if marker.search(path.read_text())])

    def test_given_files_that_no_editor_shows_then_they_are_those_that_are_kept_on_purpose(self):
        binary = [path.relative_to(ROOT) for path in files() if b"\0" in path.read_bytes()]
        self.assertEqual([], [str(path) for path in binary if not path.match("tests/abi/kept/*/*/*")])
        self.assertEqual([], [str(path) for path in binary if (ROOT / path).stat().st_size > MAX_BINARY_BYTES])

    def test_given_a_markdown_file_when_its_links_are_followed_then_each_exists(self):
        pages = [ROOT / "README.md"] + [path for path in files() if path.suffix == ".md"]
        broken = []
        for page in pages:
            text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)  # code has brackets of its own
            for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
                if "://" not in target and not (page.parent / target).exists():
                    broken.append((str(page.relative_to(ROOT)), target))
        self.assertEqual([], broken)


if __name__ == "__main__":
    unittest.main()
