"""Which pictures of a suite are kept."""

import base64
from dataclasses import replace

import pytest

from otagate.core.canonical import digest_of_bytes
from otagate.core.picture import PICTURE_BYTES, PICTURES, PICTURES_BYTES, NoPicture, Picture, Pictures, beyond
from tests.pngs import chunk, png

CASE = "technical/test_a.py::test_a"
KEPT = Picture("dose", "Dose", CASE, digest_of_bytes(png()), 2, 1, len(png()))


def take(pictures: Pictures, name: str, content: bytes, *, case: str = CASE, size: int | None = None) -> None:
    coded = base64.b64encode(content).decode()
    pictures.take(name, "Dose", case, len(content) if size is None else size, coded)


def test_a_picture_is_kept_under_its_name_its_case_and_the_digest_of_its_content() -> None:
    pictures = Pictures()
    take(pictures, "dose", png())
    assert pictures.kept == {"dose": KEPT}
    assert pictures.contents == {KEPT.digest: png()}
    assert KEPT.file == f"{KEPT.digest.removeprefix('sha256:')}.png"


def test_the_digest_is_of_what_is_kept_not_of_what_came() -> None:
    pictures = Pictures()
    take(pictures, "dose", png().replace(chunk(b"IEND", b""), chunk(b"tEXt", b"a\0b") + chunk(b"IEND", b"")))
    assert pictures.kept == {"dose": KEPT}


@pytest.mark.parametrize("name", ["", "../dose", "a/b", "Dose", ".png", "-a", "a" * 61, "dose\n", "<b>"])
def test_a_name_is_plain(name: str) -> None:
    with pytest.raises(NoPicture, match="small letters, digits and hyphens"):
        take(Pictures(), name, png())


def test_a_name_is_given_once_and_the_first_stays() -> None:
    pictures = Pictures()
    take(pictures, "dose", png())
    with pytest.raises(NoPicture, match="one of that name already"):
        take(pictures, "dose", png(7))
    assert pictures.kept == {"dose": KEPT}
    assert list(pictures.contents) == [KEPT.digest]


def test_what_is_no_png_is_not_kept() -> None:
    pictures = Pictures()
    for content, why in ((b"<svg/>", "not a PNG"), (png()[:-5], "cut off")):
        with pytest.raises(NoPicture, match=why):
            take(pictures, "dose", content)
    with pytest.raises(NoPicture, match="no case ran"):
        take(pictures, "dose", png(), case="")
    with pytest.raises(NoPicture, match=f"{len(png())} of {len(png()) + 1} bytes came"):
        take(pictures, "dose", png(), size=len(png()) + 1)
    with pytest.raises(NoPicture, match="cannot be decoded"):
        pictures.take("dose", "Dose", CASE, 3, "no base64!")
    assert not pictures.kept
    assert not pictures.contents


def test_one_that_is_too_large_is_refused_by_its_size_alone() -> None:
    with pytest.raises(NoPicture, match="2,097,153 bytes are more than 2,097,152"):
        Pictures().take("dose", "Dose", CASE, PICTURE_BYTES + 1, "")


def test_a_run_has_room_for_so_many_and_so_much() -> None:
    assert not beyond([KEPT] * PICTURES)
    assert beyond([KEPT] * (PICTURES + 1)) == "a run keeps 40 pictures"
    large = replace(KEPT, size=PICTURES_BYTES // 8)
    assert not beyond([large] * 8)
    assert beyond([*[large] * 8, KEPT]) == "a run keeps 16,777,216 bytes of them"
    pictures = Pictures()
    for number in range(PICTURES):
        take(pictures, f"n{number}", png(number))
    with pytest.raises(NoPicture, match="a run keeps 40 pictures"):
        take(pictures, "more", png(200))
    assert len(pictures.kept) == len(pictures.contents) == PICTURES
