"""What the switch counts: its own statistics, and what our lines in it add."""

from dataclasses import replace

import pytest

from otagate.core.answer_times import row_of
from otagate.core.platform import Tls
from otagate.core.switch_counts import BackendCount, counting, is_timed, read_counts, read_stat
from tests.core.test_switch import DICOM, HL7, WEB

HEAD = (
    "pxname,svname,qcur,scur,stot,cli_abrt,srv_abrt,econ,eresp,status,check_status,mode,"
    "hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other"
)


def stat(*rows: str) -> str:
    return "# " + "\n".join([HEAD, *rows]) + "\n"


def test_statistics_are_read_per_backend() -> None:
    text = stat(
        "web,FRONTEND,,9,99,,,,,OPEN,,http,0,0,0,0,0,0",
        "web_blue,s1,0,2,56,3,2,0,4,UP,L7OK,http,0,40,3,4,5,1",
        "web_blue,BACKEND,4,2,57,3,2,1,4,UP,,http,0,40,3,4,8,1",
        "dicom_blue,s1,0,1,12,0,1,0,1,UP,* L4OK,tcp,,,,,,",
        "dicom_blue,BACKEND,0,1,12,0,1,0,1,UP,,tcp,,,,,,",
    )
    assert read_stat(text) == {
        "web_blue": BackendCount(
            up=True, proven=True, sessions=2, answers=56, errors=10, taken=57, aborted=5, queued=4
        ),
        "dicom_blue": BackendCount(up=True, proven=True, sessions=1, answers=12, errors=1, taken=12, aborted=1),
    }


@pytest.mark.parametrize(
    ("status", "check", "up", "proven"),
    [
        ("UP", "L7OK", True, True),
        ("UP 1/2", "L4TOUT", True, False),
        ("UP", "INI", True, False),
        ("DOWN", "L7STS", False, False),
        ("DOWN 1/2", "L7OK", False, False),
        ("MAINT (resolution)", "", False, False),
        ("NOLB", "L7OK", False, False),
        ("no check", "", False, False),
    ],
)
def test_a_server_is_proven_only_if_its_last_check_passed(status: str, check: str, up: bool, proven: bool) -> None:
    text = stat(
        f"web_blue,s1,0,0,0,0,0,0,0,{status},{check},http,0,0,0,0,0,0",
        "web_blue,BACKEND,0,0,0,0,0,0,0,UP,,http,0,0,0,0,0,0",
    )
    count = read_stat(text)["web_blue"]
    assert (count.up, count.proven) == (up, proven)


# What HAProxy 3.0.11 counts of three: (srv_abrt, econ, eresp, 5xx) of the backend, 5xx of its server. The first six are
# seen again in tests/e2e/test_switch_watch_e2e.py.
SEEN = {
    "a 500 of the server": ((0, 0, 0, 3), 3),
    "closed without an answer: 502": ((0, 0, 6, 3), 0),
    "reset without an answer: 502": ((0, 0, 6, 3), 0),
    "no answer in time: 504": ((0, 0, 3, 3), 0),
    "connection refused: 503": ((0, 3, 0, 3), 0),
    "broken off after the head of a 200": ((3, 0, 3, 0), 0),
    "reset after the head of a 200": ((3, 0, 3, 0), 0),
    "what is no HTTP: 502": ((0, 0, 3, 3), 0),
    "no server up: 503": ((0, 3, 0, 3), 0),
    "closed at the second request of a kept connection": ((3, 0, 3, 0), 0),
    "an upgraded connection that was reset": ((3, 0, 3, 0), 0),
}


def failed(*kinds: tuple[tuple[int, int, int, int], int]) -> int:
    aborted, connect, response, backend = (sum(kind[0][at] for kind in kinds) for at in range(4))
    text = stat(
        f"web_blue,s1,0,0,99,0,{aborted},0,{response},UP,L7OK,http,0,50,0,0,{sum(own for _, own in kinds)},0",
        f"web_blue,BACKEND,0,0,99,0,{aborted},{connect},{response},UP,,http,0,50,0,0,{backend},0",
    )
    return read_stat(text)["web_blue"].errors


@pytest.mark.parametrize("kind", SEEN)
def test_each_failed_answer_is_one_error(kind: str) -> None:
    assert failed(SEEN[kind]) == 3


@pytest.mark.parametrize("kind", SEEN)
@pytest.mark.parametrize("other", SEEN)
def test_failed_answers_of_two_kinds_are_as_many_errors(kind: str, other: str) -> None:
    assert failed(SEEN[kind], SEEN[other]) == 6


CHUNKS, BROKEN_500 = ((0, 0, 3, 0), 0), ((3, 0, 3, 3), 3)


def test_bodies_that_are_no_chunks_do_not_pass_unseen() -> None:
    assert failed(CHUNKS) == 2
    assert failed(CHUNKS, CHUNKS) == 3
    assert failed(CHUNKS, SEEN["a 500 of the server"], SEEN["connection refused: 503"]) == 8


def test_a_500_that_then_breaks_off_is_never_less_than_one() -> None:
    assert failed(BROKEN_500) == 6


@pytest.mark.parametrize("text", ["", "Unknown command: 'show stat'\n", "pxname,svname\n"])
def test_what_is_no_statistics_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no statistics"):
        read_stat(text)


def test_statistics_with_a_hole_are_refused() -> None:
    with pytest.raises((ValueError, KeyError)):
        read_stat(stat("web_blue,BACKEND,0,,0,0,0,UP,,http,0,0,0,0,0,0"))
    with pytest.raises((ValueError, KeyError)):
        read_stat("# pxname,svname\nweb_blue,BACKEND\n")


WEB_AND_DICOM = (
    "web_blue,BACKEND,0,0,9,0,0,0,0,UP,,http,0,9,0,0,0,0",
    "dicom_blue,BACKEND,0,0,4,0,0,1,0,UP,,tcp,,,,,,",
)


def test_refused_associations_are_errors_and_answers_are_timed() -> None:
    found = read_counts(stat(*WEB_AND_DICOM) + "\n# counts\nweb_blue 0 0:6 12:3\ndicom_blue 2\n\n")
    assert found["web_blue"].times == row_of({0: 6, 12: 3})
    assert found["dicom_blue"].errors == 3


def test_a_backend_that_answered_nothing_yet_was_timed_and_took_no_time() -> None:
    assert read_counts(stat(*WEB_AND_DICOM) + "\n# counts\n")["web_blue"].times == row_of({})


def test_a_switch_that_does_not_know_the_command_tells_no_times() -> None:
    found = read_counts(stat(*WEB_AND_DICOM) + "\nUnknown command: 'otagate counts'\n")
    assert found["web_blue"].times is None
    assert found["dicom_blue"].errors == 1


@pytest.mark.parametrize("own", ["", "counts", "Can't connect", "\n# counts\n"])
def test_an_answer_that_is_neither_counts_nor_unknown_is_no_statistics(own: str) -> None:
    with pytest.raises(ValueError, match="no counts"):
        read_counts(stat(*WEB_AND_DICOM) + "\n" + own)


@pytest.mark.parametrize("line", ["web_blue", "web_blue x", "web_blue 0 1", "web_blue 0 99:1", "web_blue 0 1:-1"])
def test_odd_counts_are_no_statistics(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_counts(stat(*WEB_AND_DICOM) + f"\n# counts\n{line}\n")


def test_only_what_the_switch_reads_is_timed() -> None:
    assert [is_timed(door) for door in (WEB, DICOM, HL7)] == [True, False, False]
    assert not is_timed(replace(WEB, tls=Tls.PASS))
    assert any("lua.refused" in line for line in counting(DICOM))
    assert counting(replace(DICOM, tls=Tls.PASS)) == counting(HL7) == []
