"""What passes for a PNG, and each way in which something else does not."""

import zlib
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otagate.core.png import PIXELS, SIDE, NotAPng, read_png
from tests.pngs import END, SIGNATURE, chunk, header, pixels, png

LINE = pixels(b"\0\1\2")


@pytest.mark.parametrize(
    ("head", "line"),
    [((9, 1, 1, 0), 2), ((3, 1, 8, 2), 9), ((5, 1, 4, 3), 3), ((2, 1, 16, 4), 8), ((2, 1, 8, 6), 8)],
)
def test_every_kind_of_colour_is_read_with_its_own_length_of_line(head: tuple[int, ...], line: int) -> None:
    whole = SIGNATURE + header(*head) + pixels(bytes(1 + line)) + END
    read = read_png(whole)
    assert (read.width, read.height, read.content) == (head[0], head[1], whole)
    with pytest.raises(NotAPng, match="not as its header says"):
        read_png(SIGNATURE + header(*head) + pixels(bytes(line)) + END)


def test_what_nobody_sees_is_left_out_and_the_picture_stays() -> None:
    texts = [chunk(kind, b"Comment\0<script>alert(1)</script>") for kind in (b"tEXt", b"iTXt", b"eXIf", b"acTL")]
    spoken = SIGNATURE + header() + texts[0] + texts[3] + LINE + b"".join(texts[1:3]) + END
    read = read_png(spoken)
    assert read.content == SIGNATURE + header() + LINE + END
    assert read_png(read.content) == read


BROKEN = [
    (b"", "it is not a PNG"),
    (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "it is not a PNG"),
    (b"GIF89a" + png()[6:], "it is not a PNG"),
    (SIGNATURE, "it is cut off"),
    (png()[:-12], "it is cut off"),
    (png()[:-1], "it is cut off"),
    (SIGNATURE + pack(">I", 2**32 - 1) + b"IDAT", "it is cut off"),
    (png() + b"<html>", "something follows its end"),
    (png().replace(b"IHDR\0", b"IHDR\1"), "a part of it is damaged"),
    (SIGNATURE + header() + chunk(b"EVIL", b"") + LINE + END, "a part that nobody knows"),
    (SIGNATURE + END, "missing or out of order"),
    (SIGNATURE + header() + END, "missing or out of order"),
    (SIGNATURE + LINE + header() + END, "missing or out of order"),
    (SIGNATURE + header() + header() + LINE + END, "missing or out of order"),
    (SIGNATURE + header() + LINE + chunk(b"PLTE", bytes(3)) + END, "missing or out of order"),
    (SIGNATURE + header() + chunk(b"PLTE", bytes(771)) + LINE + END, "larger than a palette"),
    (SIGNATURE + chunk(b"IHDR", bytes(12)) + LINE + END, "header is damaged"),
    (SIGNATURE + header(2, 1, 3, 0) + LINE + END, "header is damaged"),
    (SIGNATURE + header(2, 1, 8, 5) + LINE + END, "header is damaged"),
    (SIGNATURE + header(2, 1, 8, 0, 1, 0, 0) + LINE + END, "header is damaged"),
    (SIGNATURE + header(2, 1, 8, 0, 0, 0, 1) + LINE + END, "interlaced"),
    (SIGNATURE + header(0, 1) + LINE + END, "0 × 1 pixels"),
    (SIGNATURE + header(SIDE + 1, 1) + LINE + END, "8193 × 1 pixels"),
    (SIGNATURE + header(4096, PIXELS // 4096 + 1) + LINE + END, "4096 × 1025 pixels"),
    (SIGNATURE + header() + chunk(b"IDAT", b"not packed") + END, "cannot be unpacked"),
    (SIGNATURE + header() + chunk(b"IDAT", zlib.compress(b"\0\1\2")[:-2]) + END, "not as its header says"),
    (SIGNATURE + header() + chunk(b"IDAT", zlib.compress(b"\0\1\2") + b"x") + END, "not as its header says"),
    (SIGNATURE + header() + pixels(b"\0\1\2\3") + END, "not as its header says"),
    (SIGNATURE + header() + pixels(b"\5\1\2") + END, "not as its header says"),
    (SIGNATURE + header() + pixels(bytes(50_000_000)) + END, "not as its header says"),  # packed: 50 kB
]


@pytest.mark.parametrize(("content", "why"), BROKEN, ids=range(len(BROKEN)))
def test_what_is_not_one_whole_picture_is_refused_with_the_reason(content: bytes, why: str) -> None:
    with pytest.raises(NotAPng, match=why):
        read_png(content)


@given(st.integers(0, len(png()) - 1), st.integers(1, 255))
def test_no_byte_can_be_changed_unseen(at: int, change: int) -> None:
    changed = bytearray(png(90))
    changed[at] ^= change
    with pytest.raises(NotAPng):
        read_png(bytes(changed))


@given(st.binary(max_size=200))
def test_noise_is_never_a_picture(noise: bytes) -> None:
    with pytest.raises(NotAPng):
        read_png(SIGNATURE + noise)
