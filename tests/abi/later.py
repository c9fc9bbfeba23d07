"""Headers as a minor to come may have them: what abi/README.md, "What a minor may do", allows, done to a copy.

Everything that both sides walk or measure is a field longer there, so that a plugin which is built with them meets a runtime
that is older than it is.
"""
import pathlib
import re
import shutil

# struct: header, field that is last now, field that is added
LONGER = {
    "muster_rule": ("backend.h", "name", "uint64_t later;"),
    "muster_option": ("backend.h", "maximum", "int64_t later;"),
    "muster_fact_sink": ("backend.h", "put", "void* later;"),
    "muster_offer_query": ("backend.h", "decline", "void* later;"),
    "muster_call": ("call.h", "stream", "uint64_t later;"),
    "muster_runtime_options": ("muster.h", "device_plus_one", "uint64_t later;"),
    "muster_group_options": ("muster.h", "name", "uint64_t later;"),
    "muster_call_options": ("muster.h", "scalar", "uint64_t later;"),
    "muster_layout_sizes": ("parallel.h", "shared_experts_tp", "uint64_t later;"),
    "muster_dict_entry": ("tensors.h", "bytes", "uint64_t later;"),
    "muster_group_info": ("host.h", "places", "void* later;"),
    "muster_host": ("host.h", "peer_alive", "void (*later)(const muster_host* host);"),
}


def change(path, pattern, replacement):
    text, count = re.subn(pattern, replacement, path.read_text(), flags=re.S)
    if count != 1:
        raise ValueError(f"{path} has {pattern!r} {count} times")
    path.write_text(text)


def make(include, folder):
    """A copy of `include` at `folder`, of the minor after it; gives that minor."""
    shutil.copytree(include, folder)
    base = pathlib.Path(folder) / "muster" / "base.h"
    minor = int(re.search(r"#define MUSTER_ABI_MINOR (\d+)", base.read_text())[1]) + 1
    change(base, r"#define MUSTER_ABI_MINOR \d+", f"#define MUSTER_ABI_MINOR {minor}\n#define MUSTER_LATER_MINOR")
    for struct, (header, last, field) in LONGER.items():
        path = pathlib.Path(folder) / "muster" / header
        size = rf"MUSTER_STRUCT_SIZE\({struct}, {last}\)"
        change(path, rf"\n(}} ?(?:{struct})?;\n#define MUSTER_\w+_SIZE {size})", rf"\n  {field}\n\1")
        change(path, size, f"MUSTER_STRUCT_SIZE({struct}, later)")
    return minor
