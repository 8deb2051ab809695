"""A PNG from outside, read strictly: whole, of a size to carry, and kept without what nobody would see of it."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from struct import unpack

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PIXELS = 4 * 1024 * 1024
SIDE = 8192

# Bits a sample may have, and samples a pixel has, by kind of colour (PNG specification, third edition, table 12).
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_MOST = {b"PLTE": 768, b"tRNS": 256}  # bytes
_ORDER = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")


class NotAPng(ValueError):
    """Content that cannot be shown as a PNG; the text says why."""


@dataclass(frozen=True)
class Png:
    """`width` and `height` in pixels; `content` holds the pixels and their colours alone: texts, times and whatever
    else a program may have put beside them are left out, so that nothing is kept that nobody sees."""

    width: int
    height: int
    content: bytes


def read_png(content: bytes) -> Png:
    """Raises NotAPng unless `content` is one whole still picture, each chunk sound and each pixel there."""
    if not content.startswith(SIGNATURE):
        raise NotAPng("it is not a PNG")
    kept = [(kind, data, whole) for kind, data, whole in _chunks(content) if kind in _ORDER]
    kinds = [kind for kind, _, _ in kept]
    single = all(kinds.count(kind) <= 1 for kind in _ORDER if kind != b"IDAT")
    if not single or kinds != sorted(kinds, key=_ORDER.index) or not {b"IHDR", b"IDAT"} <= {*kinds}:
        raise NotAPng("its parts are missing or out of order")
    if any(len(data) > _MOST[kind] for kind, data, _ in kept if kind in _MOST):
        raise NotAPng("its palette is larger than a palette can be")
    width, height, line = _header(kept[0][1])
    _check_pixels(b"".join(data for kind, data, _ in kept if kind == b"IDAT"), line, height)
    return Png(width, height, SIGNATURE + b"".join(whole for _, _, whole in kept))


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Kind, data and whole bytes of each chunk, up to IEND, which must be the end."""
    at, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        head = content[at : at + 8]
        if len(head) < 8:
            raise NotAPng("it is cut off")
        length, kind = unpack(">I4s", head)
        whole = content[at : at + length + 12]
        if len(whole) < length + 12:
            raise NotAPng("it is cut off")
        if zlib.crc32(whole[4:-4]) != unpack(">I", whole[-4:])[0]:
            raise NotAPng("a part of it is damaged")
        # A capital first letter: nobody can show the picture who does not know the part.
        if kind not in _ORDER and not kind[0] & 0x20:
            raise NotAPng("it has a part that nobody knows")
        yield kind, whole[8:-4], whole
        at += length + 12
    if at != len(content):
        raise NotAPng("something follows its end")


def _header(data: bytes) -> tuple[int, int, int]:
    """Width, height, and bytes of a line of pixels."""
    if len(data) != 13:
        raise NotAPng("its header is damaged")
    width, height, depth, colour, packing, filtering, interlaced = unpack(">IIBBBBB", data)
    if depth not in _DEPTHS.get(colour, ()) or packing or filtering:
        raise NotAPng("its header is damaged")
    if interlaced:
        raise NotAPng("it is interlaced")
    if not (0 < width <= SIDE and 0 < height <= SIDE and width * height <= PIXELS):
        raise NotAPng(f"{width} × {height} pixels are more than {SIDE} along a side or {PIXELS:,} in all, or none")
    return width, height, 1 + (width * _SAMPLES[colour] * depth + 7) // 8


def _check_pixels(packed: bytes, line: int, height: int) -> None:
    """Unpacks no more than the header promised."""
    unpacking = zlib.decompressobj()
    try:
        pixels = unpacking.decompress(packed, line * height + 1)
    except zlib.error:
        raise NotAPng("its pixels cannot be unpacked") from None
    if len(pixels) != line * height or not unpacking.eof or unpacking.unused_data or max(pixels[::line]) > 4:
        raise NotAPng("its pixels are not as its header says")
