"""Reads the C headers of abi/include/muster: structs with their fields, constants, exported functions.

Knows the little C that those headers are written in, and stops at anything else, so that nothing is overlooked.
"""
import re
from dataclasses import dataclass, field
from pathlib import Path

HEADERS = ["base.h", "types.h", "names.h", "status.h", "call.h", "kernels.h", "host.h", "host_memory.h", "variants.h", "entry.h",
           "backend.h", "device.h", "bootstrap.h", "muster.h", "plan.h", "tensors.h", "parallel.h"]


@dataclass
class Field:
    name: str
    type: str  # the declaration without its name
    comment: str  # what stands between the previous declaration and this one
    is_function: bool


@dataclass
class Struct:
    name: str
    header: str
    fields: list = field(default_factory=list)


@dataclass
class Headers:
    names: list = field(default_factory=list)  # of those that are there: an older minor has fewer
    structs: list = field(default_factory=list)
    constants: list = field(default_factory=list)  # (header, name)
    functions: list = field(default_factory=list)  # (header, name, signature)
    typedefs: list = field(default_factory=list)  # (header, text), of functions and numbers
    texts: list = field(default_factory=list)  # (header, name), macros that are string literals
    opaque: set = field(default_factory=set)


COMMENT = re.compile(r"/\*.*?\*/", re.S)


def one_line(text):
    text = re.sub(r"\s+", " ", COMMENT.sub(" ", text)).strip()
    text = re.sub(r"\s*([(),*])\s*", lambda m: {",": ", ", "*": "* "}.get(m[1], m[1]), text).strip()
    return text.replace("* *", "**")


def declarations(body):
    """Splits at the semicolons that are in no comment; yields (comments, declaration)."""
    comments, code, position = [], "", 0
    while position < len(body):
        comment = COMMENT.match(body, position)
        if comment:
            # A comment on the line of a finished declaration belongs to that one.
            if code.strip() or "\n" in body[body.rfind(";", 0, position) + 1:position] or ";" not in body[:position]:
                comments.append(comment[0])
            position = comment.end()
        elif body[position] == ";":
            yield " ".join(comments), code
            comments, code, position = [], "", position + 1
        else:
            code += body[position]
            position += 1
    if code.strip():
        raise ValueError(f"text after the last declaration: {code.strip()!r}")


def parse_field(struct, header, comment, code):
    code = one_line(code).replace("MUSTER_OWN ", "")
    function = re.fullmatch(r"(.*?)\(\* (\w+)\)(\(.*\))", code)
    if function:
        return Field(function[2], f"{function[1].strip()} (*){function[3]}", comment, True)
    plain = re.fullmatch(r"([\w\s*]*[\s*])(\w+)((?:\[\w+\])*)", code)
    if not plain:
        raise ValueError(f"{header}: cannot read the field {code!r} of {struct}")
    return Field(plain[2], (plain[1].strip() + plain[3]), comment, False)


def parse(folder):
    found = Headers()
    found.names = [header for header in HEADERS if (Path(folder) / header).exists()]
    for header in found.names:
        text = (Path(folder) / header).read_text()
        for name in re.findall(r"^#define (MUSTER_\w+) \"[^\"]*\"", text, re.M):
            if not name.startswith("MUSTER_BUILD_") and name != "MUSTER_DEVICE_RUNTIME":
                found.texts.append((header, name))
        text = re.sub(r"^#\s*(if|ifdef|ifndef|else|elif|endif|include|undef)\b.*$", "", text, flags=re.M)
        text = re.sub(r"^#\s*define\b(?:.*\\\n)*.*$", "", text, flags=re.M)
        # Inline functions are no ABI.
        text = re.sub(r"^static inline (?:[^\n]*}$|.*?^})", "", text, flags=re.M | re.S)
        text = re.sub(r"^MUSTER_(ASSERT_STRUCT_SIZE\(.*?\);|EXTERN_C_BEGIN|EXTERN_C_END)", "", text, flags=re.M)

        def struct(match):
            made = Struct(match["alias"] or match["tag"], header)
            made.fields = [parse_field(made.name, header, *d) for d in declarations(match["body"])]
            found.structs.append(made)
            return ""

        def enum(match):
            for entry in COMMENT.sub(" ", match[1]).split(","):
                if entry.strip():
                    found.constants.append((header, re.match(r"\s*(\w+)\s*=", entry)[1]))
            return ""

        text = re.sub(r"^(?:typedef )?struct (?P<tag>\w+) \{(?P<body>.*?)^\} ?(?P<alias>\w*);", struct, text,
                      flags=re.M | re.S)
        text = re.sub(r"^enum \{(.*?)\};", enum, text, flags=re.M | re.S)
        for _, code in declarations(COMMENT.sub(" ", text)):
            code = one_line(code)
            opaque = re.fullmatch(r"(?:typedef )?struct (\w+)(?: (\w+))?", code)
            function = re.fullmatch(r"MUSTER_API (.*?)(\w+)(\(.*\))", code)
            if opaque:
                found.opaque.add(opaque[1])
            elif function:
                result = function[1].replace("MUSTER_OWN ", "").strip()
                arguments = function[3].replace("MUSTER_OWN ", "")
                found.functions.append((header, function[2], f"{result} {function[2]}{arguments}"))
            elif code.startswith("typedef "):
                found.typedefs.append((header, code.replace("MUSTER_OWN ", "")))
            else:
                raise ValueError(f"{header}: cannot read {code!r}")
    return found
