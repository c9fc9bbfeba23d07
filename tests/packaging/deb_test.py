"""The Debian packages: made by CPack, installed into a scratch root by dpkg, read by lintian.

usage: deb_test.py build   DIR CPACK    in the build tree
       deb_test.py install DIR MAJOR    MAJOR: the number in the library's SONAME
       deb_test.py lintian DIR
Exits with 77 where a tool is missing.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

DEBS = MAJOR = None
SECONDS = 250
PLUGIN = "muster-plugin-"
# Where MPICH is installed too, the plain name may be its launcher.
MPIRUN = shutil.which("mpirun.openmpi") or "mpirun"


def need(*tools):
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    if missing := [tool for tool in tools if shutil.which(tool, path=path) is None]:
        print(f"skipped: {', '.join(missing)} missing; packaging/dev/ensure_packages package")
        sys.exit(77)


def build(cpack):
    need("dpkg-deb", "dpkg-shlibdeps", "gzip", cpack)
    if not pathlib.Path("CPackConfig.cmake").exists():
        print("skipped: this build tree was configured without packages")
        sys.exit(77)
    shutil.rmtree(DEBS, ignore_errors=True)
    done = subprocess.run([cpack, "-G", "DEB", "-B", DEBS], capture_output=True, text=True)
    if done.returncode != 0:
        print(done.stdout + done.stderr)
    shutil.rmtree(DEBS / "_CPack_Packages", ignore_errors=True)
    return done.returncode


def lintian():
    need("lintian")
    with tempfile.TemporaryDirectory() as directory:  # it leaves its databases behind
        done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error", "--tag-display-limit", "0",
                               *packages().values()], capture_output=True, text=True,
                              env={**os.environ, "TMPDIR": directory})
    print(done.stdout + done.stderr)
    return done.returncode


def packages():
    found = {path.name.split("_")[0]: path for path in sorted(DEBS.glob("*.deb"))}
    if not found:
        print(f"skipped: no packages in {DEBS}, they were not built")
        sys.exit(77)
    return found


class Root:
    """A scratch root with a database of its own, which knows the packages of this machine: dependencies are checked."""

    def __init__(self, path):
        self.path = path
        database = path / "var" / "lib" / "dpkg"
        for folder in ("info", "updates", "triggers"):
            (database / folder).mkdir(parents=True)
        status = pathlib.Path("/var/lib/dpkg/status").read_text()
        # A muster of this machine's is not in the root.
        paragraphs = [p for p in status.split("\n\n") if p.strip() and not re.match(r"Package: (libmuster\d|muster-)", p)]
        (database / "status").write_text("\n\n".join(paragraphs) + "\n\n")
        for paragraph in paragraphs:
            fields = dict(re.findall(r"^(Package|Architecture|Multi-Arch): (.*)$", paragraph, re.M))
            same = f":{fields['Architecture']}" if fields.get("Multi-Arch") == "same" else ""
            (database / "info" / f"{fields['Package']}{same}.list").touch()
        (database / "info" / "format").write_text("1\n")

    def dpkg(self, *arguments, code=0):
        command = ["dpkg", f"--root={self.path}", f"--log={self.path}/dpkg.log", "--force-unsafe-io"]
        if os.geteuid() != 0:
            command = ["fakeroot", *command, "--force-not-root"]
        environment = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin", "LC_ALL": "C"}
        done = subprocess.run([*command, *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=SECONDS)
        if done.returncode != code:
            raise AssertionError(f"dpkg {arguments}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def files(self):
        return sorted(path for path in (self.path / "usr").rglob("*") if not path.is_dir())


class Install(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="muster-deb-")
        self.addCleanup(directory.cleanup)
        self.scratch = pathlib.Path(directory.name).resolve()
        self.root = Root(self.scratch / "root")
        self.packages = packages()
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("MUSTER_") or k == "MUSTER_TEST_RUN"}
        self.environment |= {
            "HOME": str(self.scratch), "XDG_CACHE_HOME": str(self.scratch / "cache"),
            "XDG_CONFIG_HOME": str(self.scratch / "config"), "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1", "OMPI_MCA_mpi_yield_when_idle": "1"}

    def muster(self, *arguments, launcher=(), code=0):
        done = subprocess.run([*launcher, str(self.root.path / "usr" / "bin" / "muster"), *arguments], env=self.environment,
                              cwd=self.scratch, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS)
        self.assertEqual(code, done.returncode, f"{arguments}\n{done.stdout}{done.stderr}")
        return done.stdout

    def listed(self):
        return {plugin["id"] for plugin in json.loads(self.muster("list", "--json"))["plugins"]}

    def answer(self, code=0):
        return json.loads(self.muster("explain", "all_reduce", "--ranks", "2", "--json", code=code))["answer"]

    def served_under_mpirun(self):
        text = self.muster("bench", "all_reduce", "--from", "1K", "--to", "1K", "--iterations", "2", "--warmup", "1", "--json",
                           launcher=(MPIRUN, "-n", "2", "--oversubscribe"))
        return {row["backend"] for row in json.loads(text)["rows"]}

    def test_given_a_scratch_root_when_installed_and_removed_then_plugins_come_and_go_and_nothing_is_left(self):
        plugins = {name for name in self.packages if name.startswith(PLUGIN)}
        ids = {name.removeprefix(PLUGIN).replace("-", "_") for name in plugins}
        library = f"libmuster{MAJOR}"
        self.assertEqual({library, "muster-tools", "muster-dev"}, set(self.packages) - plugins)
        self.assertLessEqual({"shm", "mpi", "skeleton", "cuda", "cuda_peer", "nccl"}, ids)

        # Nothing without the library, and the message names it.
        said = self.root.dpkg("--install", self.packages["muster-plugin-shm"], code=1)
        self.assertIn(f"depends on {library}", said)
        self.root.dpkg("--purge", "muster-plugin-shm")

        self.root.dpkg("--install", *self.packages.values())
        self.assertEqual(ids, self.listed())
        self.assertEqual("shm", self.answer())
        self.assertEqual({"shm"}, self.served_under_mpirun())

        self.root.dpkg("--remove", "muster-plugin-shm")
        self.assertEqual(ids - {"shm"}, self.listed())
        self.assertEqual({"mpi"}, self.served_under_mpirun())
        self.answer(code=3)

        self.root.dpkg("--install", self.packages["muster-plugin-shm"])
        self.assertEqual("shm", self.answer())

        self.root.dpkg("--purge", *self.packages)
        self.assertEqual([], [str(path) for path in self.root.files()])
        self.assertNotIn("muster", self.root.dpkg("--list"))

    def test_given_the_packages_when_read_then_what_a_plugin_opens_at_run_time_is_among_its_dependencies(self):
        def field(package, name):
            return subprocess.run(["dpkg-deb", "--field", self.packages[package], name], check=True, capture_output=True,
                                  text=True).stdout
        self.assertIn("libopenmpi3", field("muster-plugin-mpi", "Depends"))
        self.assertIn("libc6", field("muster-plugin-shm", "Depends"))
        self.assertNotIn("muster", field("muster-plugin-shm", "Depends").replace(f"libmuster{MAJOR} ", ""))
        self.assertIn(f"libmuster{MAJOR} (= ", field("muster-dev", "Depends"))

    def test_given_the_page_of_the_command_when_read_then_it_has_every_verb(self):
        self.root.dpkg("--install", *(self.packages[name] for name in (f"libmuster{MAJOR}", "muster-tools")))
        page = subprocess.run(["gzip", "-dc", self.root.path / "usr/share/man/man1/muster.1.gz"], check=True,
                              capture_output=True, text=True).stdout
        verbs = re.findall(r"^  (\w+) ", self.muster("--help").split("Subcommands:")[1], re.M)
        self.assertGreater(len(verbs), 5)
        self.assertEqual([], [verb for verb in verbs if f"\n.B {verb}\n" not in page], "add them to packaging/debian/muster.1")


if __name__ == "__main__":
    step, DEBS = sys.argv[1], pathlib.Path(sys.argv[2])
    if step == "build":
        sys.exit(build(sys.argv[3]))
    if step == "lintian":
        sys.exit(lintian())
    MAJOR = sys.argv[3]
    need("dpkg", "dpkg-deb", "gzip", MPIRUN, *([] if os.geteuid() == 0 else ["fakeroot"]))
    if not pathlib.Path("/var/lib/dpkg/status").exists():
        print("skipped: this machine's packages are not dpkg's")
        sys.exit(77)
    packages()
    unittest.main(argv=sys.argv[:1], verbosity=2)
