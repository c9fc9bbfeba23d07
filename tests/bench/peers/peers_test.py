"""The peers' programs compute what they are asked for, in and out of place. Exits 77 where none was built."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

OPERATIONS = ("all_reduce", "reduce", "broadcast", "all_gather", "reduce_scatter", "all_to_all", "gather", "scatter", "barrier",
              "send_recv")
GLOO_HAS = ("all_reduce", "reduce", "broadcast", "all_gather", "all_to_all", "gather", "scatter", "barrier")
RANKS = "2"
FEW = ("--sizes", "24,4800", "--iterations", "2", "--warmup", "1", "--bind", "none")


def launches(muster, peers, store):
    root = ("--allow-run-as-root",) if os.geteuid() == 0 else ()
    for name, launcher in (("openmpi", ("mpirun.openmpi", "-n", RANKS, "--oversubscribe", "--bind-to", "none", *root)),
                           ("mpich", ("mpiexec.mpich", "-n", RANKS)),
                           ("gloo", (muster, "run", "-n", RANKS, "--"))):
        program = peers / f"{name}_peer"
        if program.exists() and shutil.which(launcher[0]):
            yield name, (*launcher, str(program)), ("--store", store) if name == "gloo" else ()


def failure(name, command, operation, in_place):
    """What is wrong with the rows that a peer prints; None: nothing."""
    result = subprocess.run(command, text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    has_it = not (in_place and operation == "send_recv") and (
        name != "gloo" or (operation in GLOO_HAS and (not in_place or operation in ("all_reduce", "broadcast", "barrier"))))
    if not has_it:
        return None if result.returncode == 77 and "has no" in result.stderr else f"no refusal: {result}"
    lines = [line.split(",") for line in result.stdout.splitlines() if "," in line]
    if result.returncode != 0 or len(lines) != (2 if operation == "barrier" else 3):
        return str(result)
    wrong = lines[0].index("wrong")
    return None if all(line[wrong] == "0" for line in lines[1:]) else str(result)


def main(muster, peers):
    failures, ran = [], 0
    with tempfile.TemporaryDirectory(prefix="muster-peers-") as root:
        for operation in OPERATIONS:
            for in_place in ((), ("--in-place",)):
                store = tempfile.mkdtemp(dir=root)
                for name, launcher, store_arguments in launches(muster, pathlib.Path(peers), store):
                    ran += 1
                    wrong = failure(name, (*launcher, operation, *FEW, *in_place, *store_arguments), operation, in_place)
                    if wrong:
                        failures.append(f"{name} {operation} {' '.join(in_place)}: {wrong}")
    print("\n".join(failures) or f"{ran} runs of peers are right")
    return 1 if failures else 0 if ran else 77


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
