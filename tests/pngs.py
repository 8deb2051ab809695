"""PNGs for tests, made from their parts so that each part can be broken."""

import zlib
from struct import pack

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes) -> bytes:
    return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))


def header(width: int = 2, height: int = 1, depth: int = 8, colour: int = 0, *rest: int) -> bytes:
    return chunk(b"IHDR", pack(">IIBBBBB", width, height, depth, colour, *(rest or (0, 0, 0))))


def pixels(data: bytes) -> bytes:
    return chunk(b"IDAT", zlib.compress(data))


END = chunk(b"IEND", b"")


def png(shade: int = 0) -> bytes:
    """Two grey pixels of `shade` 0 … 255: another shade is another content."""
    return SIGNATURE + header() + pixels(bytes([0, shade, shade])) + END
