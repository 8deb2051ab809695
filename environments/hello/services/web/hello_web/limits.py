"""Is this a whole, plain DICOM Part-10 file? Looked at byte by byte before any library may trust its lengths."""

from dataclasses import dataclass
from struct import unpack_from

LARGEST = 32 * 1024 * 1024  # bytes of one object
DEEPEST = 16  # sequences of undefined length within each other
MOST_ELEMENTS = 200_000
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"

_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_TRANSFER_SYNTAX = 0x00020010


class Unreadable(Exception):
    """The object cannot be taken. The message holds nothing of the object's content."""


class Truncated(Unreadable):
    """The object ends before one of its own elements does."""


class Unsupported(Unreadable):
    """A transfer syntax that this service does not take."""


def check_file(data: bytes) -> str:
    """Returns the transfer syntax. Raises Unreadable, Truncated or Unsupported."""
    if len(data) > LARGEST:
        raise Unreadable(f"larger than {LARGEST} bytes")
    if len(data) < 132 or data[128:132] != b"DICM":
        raise Unreadable("not a DICOM file: no DICM mark after the preamble")
    syntax, start = _file_meta(data)
    if syntax not in (IMPLICIT, EXPLICIT):
        raise Unsupported("only the implicit and explicit little-endian transfer syntaxes are taken")
    if start == len(data):
        raise Truncated("the file ends after its file meta information")
    _Walk(data, explicit=syntax == EXPLICIT).elements(start, depth=0, closing=None)
    return syntax


def _file_meta(data: bytes) -> tuple[str, int]:
    walk, at, syntax = _Walk(data, explicit=True), 132, ""
    while at + 2 <= len(data) and data[at : at + 2] == b"\x02\x00":
        element = walk.header(at)
        if element.length == _UNDEFINED:
            raise Unreadable("an element of the file meta information has no length")
        at = walk.end_of(element)
        if element.tag == _TRANSFER_SYNTAX:
            syntax = data[element.value : at].rstrip(b"\0 ").decode("ascii", "replace")
    if not syntax:
        raise Unreadable("the file meta information names no transfer syntax")
    return syntax, at


@dataclass(frozen=True)
class _Element:
    tag: int
    length: int
    value: int  # where its value begins


class _Walk:
    def __init__(self, data: bytes, *, explicit: bool) -> None:
        self.data = data
        self.explicit = explicit
        self.seen = 0

    def header(self, at: int) -> _Element:
        self.seen += 1
        if self.seen > MOST_ELEMENTS:
            raise Unreadable(f"more than {MOST_ELEMENTS} elements")
        self._need(at + 8)
        group, number = unpack_from("<HH", self.data, at)
        tag = group << 16 | number
        if not self.explicit or group == 0xFFFE:
            return _Element(tag, unpack_from("<I", self.data, at + 4)[0], at + 8)
        vr = self.data[at + 4 : at + 6]
        if not (vr.isalpha() and vr.isupper()):
            raise Unreadable("an element has no value representation")
        if vr not in _LONG:
            return _Element(tag, unpack_from("<H", self.data, at + 6)[0], at + 8)
        self._need(at + 12)
        return _Element(tag, unpack_from("<I", self.data, at + 8)[0], at + 12)

    def end_of(self, element: _Element) -> int:
        end = element.value + element.length
        self._need(end)
        return end

    def elements(self, at: int, *, depth: int, closing: int | None) -> int:
        """Walks a data set up to the end of the file, or to the delimiter `closing`; returns where the next byte is."""
        if depth > DEEPEST:
            raise Unreadable(f"sequences nested deeper than {DEEPEST}")
        while at < len(self.data):
            element = self.header(at)
            if closing is not None and element.tag == closing:
                return element.value
            at = self._items(element.value, depth) if element.length == _UNDEFINED else self.end_of(element)
        if closing is not None:
            raise Truncated("the file ends inside a sequence")
        return at

    def _items(self, at: int, depth: int) -> int:
        while True:
            item = self.header(at)
            if item.tag == _SEQUENCE_END:
                return item.value
            if item.tag != _ITEM:
                raise Unreadable("a sequence holds something other than items")
            if item.length == _UNDEFINED:
                at = self.elements(item.value, depth=depth + 1, closing=_ITEM_END)
            else:
                at = self.end_of(item)

    def _need(self, end: int) -> None:
        if end > len(self.data):
            raise Truncated("the file ends before one of its elements does")
