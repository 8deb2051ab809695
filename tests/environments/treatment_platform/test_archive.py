"""The archive's words, over DICOMweb: what it says, what it lacks, and when it says nothing."""

from collections.abc import Callable
from functools import partial

import httpx
import pytest
from dose_engine.archive import DicomWeb
from dose_engine.multipart import pack, unpack
from dose_engine.refusal import Refusal
from hypothesis import given
from hypothesis import strategies as st

Answer = Callable[[httpx.Request], httpx.Response]


def archive(answer: Answer) -> DicomWeb:
    return DicomWeb("http://vna/dicom-web", ("engine", "secret"), httpx.MockTransport(answer))


def refused(work: Callable[[], object]) -> tuple[str, int]:
    with pytest.raises(Refusal) as raised:
        work()
    return raised.value.code, raised.value.http


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5))
def test_what_is_packed_is_unpacked(objects: list[bytes]) -> None:
    assert unpack(*pack(objects)) == objects


def test_an_answer_cut_short_is_refused() -> None:
    body, kind = pack([b"one" * 50, b"two" * 50])
    for length in range(len(body) - 4):
        assert refused(partial(unpack, body[:length], kind)) == ("archive-answer", 502)


def test_an_answer_in_no_parts_is_refused() -> None:
    assert refused(lambda: unpack(b"{}", "application/json")) == ("archive-answer", 502)


def test_a_part_shorter_than_it_says_is_refused() -> None:
    body = b"--x\r\nContent-Length: 9\r\n\r\nshort\r\n--x--"
    assert refused(lambda: unpack(body, "multipart/related; boundary=x")) == ("archive-answer", 502)


def test_an_object_is_placed_in_its_study() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/dicom-web/studies/1.2/instances"
        assert request.url.params["SOPInstanceUID"] == "1.2.3"
        assert request.headers["authorization"].startswith("Basic ")
        return httpx.Response(200, json=[{"0020000D": {"Value": ["1.2"]}, "0020000E": {"Value": ["1.2.9"]}}])

    assert archive(answer).place("1.2.3", "1.2") == ("1.2", "1.2.9")


@pytest.mark.parametrize("found", [[], [{}, {}]])
def test_no_object_and_two_objects_are_not_found(found: list[object]) -> None:
    assert refused(lambda: archive(lambda _: httpx.Response(200, json=found)).place("1.2.3")) == ("not-found", 404)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda _: httpx.Response(404), ("not-found", 404)),
        (lambda _: httpx.Response(401), ("archive-answer", 502)),
        (lambda _: httpx.Response(500), ("archive-answer", 502)),
        (lambda _: httpx.Response(200, text="<html>"), ("archive-answer", 502)),
        (lambda _: httpx.Response(200, json=[{"0020000D": {}}]), ("archive-answer", 502)),
    ],
)
def test_what_the_archive_says_wrong_is_refused(answer: Answer, expected: tuple[str, int]) -> None:
    assert refused(lambda: archive(answer).place("1.2.3")) == expected


def test_an_archive_that_is_down_is_said_to_be() -> None:
    def silent(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("no answer", request=request)

    assert refused(lambda: archive(silent).count("1.2", "1.3")) == ("archive-down", 503)


def test_a_series_is_fetched_in_parts() -> None:
    body, kind = pack([b"one", b"two"])

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/dicom-web/studies/1.2/series/1.3"
        return httpx.Response(200, content=body, headers={"Content-Type": kind})

    assert archive(answer).fetch("1.2", "1.3") == [b"one", b"two"]


def test_a_series_is_counted() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.params["SeriesInstanceUID"] == "1.3"
        return httpx.Response(200, json=[{"00201209": {"vr": "IS", "Value": [32]}}])

    assert archive(answer).count("1.2", "1.3") == 32


def test_a_series_that_is_not_there_has_no_objects() -> None:
    assert archive(lambda _: httpx.Response(204)).count("1.2", "1.3") == 0


def test_objects_are_stored_all_or_it_is_said() -> None:
    sent: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.extend(unpack(request.content, request.headers["content-type"]))
        return httpx.Response(200, json={"00081199": {"vr": "SQ", "Value": []}})

    archive(answer).store([b"one", b"two"])
    assert sent == [b"one", b"two"]


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: httpx.Response(200, json={"00081198": {"vr": "SQ", "Value": [{}]}}),
        lambda _: httpx.Response(202, json={}),
        lambda _: httpx.Response(200, text=""),
        lambda _: httpx.Response(200, json=[]),
    ],
)
def test_a_store_that_failed_in_part_is_no_store(answer: Answer) -> None:
    assert refused(lambda: archive(answer).store([b"one"])) == ("not-stored", 502)
