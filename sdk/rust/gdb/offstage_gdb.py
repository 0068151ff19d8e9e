"""Shows the values of an Offstage plug-in in gdb: source this file before or after attaching.

A plug-in's pointers are offsets into its own memory, which gdb cannot follow by itself. This file
follows them: texts, lists, rows, references, amounts and times print as what they mean.

    (gdb) source offstage_gdb.py
    (gdb) break account-rollup/src/lib.rs:90
    (gdb) continue
    (gdb) info locals

It also lets the host handle the signals of a plug-in that fails, so that gdb does not stop there, lets
breakpoints wait for plug-ins that are not loaded yet, and lets `step` pass over Rust's own library. It
never writes to the process.
"""

import datetime
import re
import struct

import gdb
import gdb.printing

# Longer texts and lists are cut off.
TEXT_BYTES_MAX = 4096
ITEMS_MAX = 200

POINTER = re.compile(r"^WebAssembly(Ptr|Ref)Wrapper<")
# A plug-in's memory ends at 4 GiB, whatever a damaged value says.
MEMORY_MAX = 1 << 32


class OutOfMemory(Exception):
    """A pointer does not lead into the plug-in's memory."""


def memory_base():
    """Where the memory of the plug-in in the selected frame, or in one that called it, begins."""
    frame = gdb.selected_frame()
    while frame is not None:
        try:
            return int(frame.read_var("__vmctx")["memory"])
        except (ValueError, gdb.error):
            frame = frame.older()
    raise OutOfMemory("no plug-in runs in the selected frame")


def read(offset, length):
    """Bytes of the plug-in's memory."""
    if offset + length > MEMORY_MAX:
        raise OutOfMemory("outside of the plug-in's memory")
    if length == 0:
        return b""
    return bytes(gdb.selected_inferior().read_memory(memory_base() + offset, length))


def raw(value, length):
    """The first bytes of a value, wherever it lives."""
    return bytes(gdb.selected_inferior().read_memory(int(value.address), length))


def is_struct(value):
    return value.type.strip_typedefs().code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION)


def find(value, name, depth=8):
    """The first member of this name, in the value or in what it is made of."""
    if depth == 0 or not is_struct(value):
        return None
    fields = value.type.strip_typedefs().fields()
    for field in fields:
        if field.name == name:
            return value[field]
    for field in fields:
        if field.name is not None and not getattr(field, "artificial", False):
            try:
                found = find(value[field], name, depth - 1)
            except gdb.error:
                found = None
            if found is not None:
                return found
    return None


def number(value, kind="unsigned int"):
    return int(value.cast(gdb.lookup_type(kind)))


def pointer_of(value):
    """The offset that the first pointer in a value holds."""
    return number(find(value, "__ptr"))


def text_at(offset, length):
    shown = read(offset, min(length, TEXT_BYTES_MAX)).decode("utf-8", "replace")
    return shown + ("…" if length > TEXT_BYTES_MAX else "")


def quoted(text):
    """As in Rust's source, so that no control character reaches the terminal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + "".join(c if c.isprintable() else "\\u{%x}" % ord(c) for c in escaped) + '"'


class Text:
    """`String`"""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        vec = self.value["vec"]
        return quoted(text_at(pointer_of(vec["buf"]), int(vec["len"])))


class Slice:
    """`&str`"""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        return quoted(text_at(pointer_of(self.value["data_ptr"]), int(self.value["length"])))


class List:
    """`Vec<T>`"""

    def __init__(self, value):
        self.value = value
        self.length = int(value["len"])

    def to_string(self):
        return "%d items" % self.length

    def children(self):
        kind = self.value.type.strip_typedefs().template_argument(0)
        start = memory_base() + pointer_of(self.value["buf"])
        for index in range(min(self.length, ITEMS_MAX)):
            item = gdb.Value(start + index * kind.sizeof).cast(kind.pointer()).dereference()
            yield "[%d]" % index, item

    def display_hint(self):
        return "array"


class Pointer:
    """A reference of the plug-in: what it leads to."""

    def __init__(self, value):
        self.value = value

    def target(self):
        kind = self.value.type.strip_typedefs().template_argument(0)
        offset = number(self.value["__ptr"])
        if kind.sizeof == 0 or offset + kind.sizeof > MEMORY_MAX:
            raise OutOfMemory("it leads nowhere")
        return gdb.Value(memory_base() + offset).cast(kind.pointer()).dereference()

    def to_string(self):
        try:
            return "&" + self.target().format_string(max_depth=4)
        except (gdb.error, OutOfMemory, RuntimeError) as error:
            return "0x%x (%s)" % (number(self.value["__ptr"]), error)


class Id:
    """`Guid`"""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        halves = (number(self.value[half], "unsigned long") for half in ("high", "low"))
        digits = "".join("%016x" % half for half in halves)
        cuts = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
        return "-".join(digits[start:end] for start, end in cuts)


class Number:
    """`Decimal`"""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        high, middle, low, flags = (number(self.value[part]) for part in ("hi", "mid", "lo", "flags"))
        digits = str((high << 64) | (middle << 32) | low)
        scale = (flags >> 16) & 0xFF
        if scale:
            digits = digits.rjust(scale + 1, "0")
            digits = digits[:-scale] + "." + digits[-scale:]
        return ("-" if flags >> 31 else "") + digits


class Time:
    """`Timestamp`"""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        millis = struct.unpack("<q", raw(self.value, 8))[0]
        try:
            epoch = datetime.datetime(1970, 1, 1)
            time = epoch + datetime.timedelta(milliseconds=millis)
            return time.isoformat(timespec="milliseconds") + "Z"
        except OverflowError:
            return "%d ms" % millis


class Row:
    """`Entity`: its table and its columns."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        return "Entity " + str(self.value["table"].format_string()).strip('"')

    def children(self):
        yield "id", self.value["id"]
        yield "attributes", self.value["attributes"]


class Reference:
    """`EntityReference`"""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        table = self.value["table"].format_string().strip('"')
        return "%s(%s)" % (table, self.value["id"].format_string())


class Iterator:
    """`slice::Iter`: one of its two pointers always leads past the end."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        return "over a slice"


PRINTERS = (
    ("Iter", r"^core::slice::iter::Iter(Mut)?<", Iterator),
    ("String", r"^alloc::string::String$", Text),
    ("str", r"^&(mut )?str$", Slice),
    ("Vec", r"^alloc::vec::Vec<", List),
    ("Guid", r"^offstage_sdk::guid::Guid$", Id),
    ("Decimal", r"^rust_decimal::decimal::Decimal$", Number),
    ("Timestamp", r"^offstage_sdk::timestamp::Timestamp$", Time),
    ("Entity", r"^offstage_sdk::entity::Entity$", Row),
    ("EntityReference", r"^offstage_sdk::entity::EntityReference$", Reference),
    ("pointer", POINTER.pattern, Pointer),
)


class Printers(gdb.printing.PrettyPrinter):
    """Chooses a printer by the type's name; leaves the host's own values alone."""

    def __init__(self):
        super().__init__("offstage", [gdb.printing.SubPrettyPrinter(name) for name, _, _ in PRINTERS])
        self.known = [(re.compile(pattern), printer) for _, pattern, printer in PRINTERS]

    def __call__(self, value):
        kind = value.type.strip_typedefs()
        name = kind.name or kind.tag
        if name is None:
            return None
        for index, (pattern, printer) in enumerate(self.known):
            if self.subprinters[index].enabled and pattern.match(name):
                # The host's values have real pointers.
                if printer in (Text, Slice, List, Iterator) and find(value, "__ptr") is None:
                    return None
                return printer(value)
        return None


gdb.printing.register_pretty_printer(None, Printers(), replace=True)
for setting in (
    "set breakpoint pending on",
    "set print pretty on",
    "handle SIGSEGV SIGILL SIGFPE nostop noprint pass",
    # `step` goes into the plug-in's functions and not into those of Rust's library.
    "skip -rfu ^<*(core|alloc|std|compiler_builtins)::",
):
    gdb.execute(setting, to_string=True)
