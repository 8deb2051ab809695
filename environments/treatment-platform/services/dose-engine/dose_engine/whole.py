"""Does a file hold all of every element that it begins? The DICOM library would pass over a short last one."""

from struct import unpack_from

from dose_engine.refusal import Refusal

START = 132  # preamble and mark
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0"
LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
IMPLICIT = b"1.2.840.10008.1.2\0"
DEEPEST = 32


def check_whole(data: bytes) -> None:
    """Raises Refusal `truncated-object` or `unreadable-object`."""
    if data[START - 4 : START] != b"DICM":
        raise Refusal("unreadable-object", "not a DICOM file")
    at, explicit = START, True
    while data[at : at + 2] == b"\x02\x00":
        value, length = _header(data, at, explicit=True)
        if data[at : at + 4] == b"\x02\x00\x10\x00":
            explicit = data[value : value + length].rstrip(b"\0") != IMPLICIT.rstrip(b"\0")
        at = _after(data, value, length)
    if at == len(data):
        raise Refusal("truncated-object", "an object ends before its data set begins")
    _elements(data, at, explicit=explicit, depth=0)


def _elements(data: bytes, at: int, *, explicit: bool, depth: int) -> int:
    """To the end of the file, or past the end of the item; where the next byte is."""
    if depth > DEEPEST:
        raise Refusal("unreadable-object", "sequences are nested too deep")
    while depth or at < len(data):
        if depth and data[at : at + 4] == ITEM_END:
            return _after(data, at, 8)
        value, length = _header(data, at, explicit=explicit)
        at = _items(data, value, explicit, depth) if length == UNDEFINED else _after(data, value, length)
    return at


def _items(data: bytes, at: int, explicit: bool, depth: int) -> int:
    while data[at : at + 4] != SEQUENCE_END:
        value, length = _header(data, at, explicit=False)
        if data[at : at + 4] != ITEM:
            raise Refusal("unreadable-object", "a sequence holds something other than items")
        inside = length == UNDEFINED
        at = _elements(data, value, explicit=explicit, depth=depth + 1) if inside else _after(data, value, length)
    return _after(data, at, 8)


def _header(data: bytes, at: int, *, explicit: bool) -> tuple[int, int]:
    """Where an element's value begins, and its length."""
    _after(data, at, 8)
    if not explicit:
        return at + 8, unpack_from("<I", data, at + 4)[0]
    kind = data[at + 4 : at + 6]
    if not (kind.isalpha() and kind.isupper()):
        raise Refusal("unreadable-object", "an element has no value representation")
    if kind not in LONG:
        return at + 8, unpack_from("<H", data, at + 6)[0]
    _after(data, at, 12)
    return at + 12, unpack_from("<I", data, at + 8)[0]


def _after(data: bytes, start: int, length: int) -> int:
    if start + length > len(data):
        raise Refusal("truncated-object", "an object ends before one of its own elements does")
    return start + length
