"""What `switch replace` says of one switch and of a pair."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from otagate.cli import switch
from otagate.cli.result import Result
from otagate.core.errors import Exit
from otagate.core.platform import Platform
from otagate.core.replacement import Reach, Replacement
from otagate.ports import Ports
from tests.flows.scene import Scene, raised


def replaced(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Result:
    @contextmanager
    def opened(_: str | None) -> Iterator[tuple[Platform, Ports]]:
        yield scene.platform, scene.ports

    monkeypatch.setattr(switch, "opened", opened)
    return switch.replace("p", by="ada", dry_run=False, wait="0s")


def test_one_switch_is_told_by_its_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    done = replaced(raised(), monkeypatch)
    assert (done.exit, done.text) == (Exit.DONE, "REPLACED  switch 1 by switch 2, no session cut")
    assert done.data["replacements"] == [done.data["replacement"]]


def test_of_a_pair_each_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    done = replaced(raised(second="127.0.0.2"), monkeypatch)
    assert done.exit is Exit.DONE
    assert done.text.splitlines() == [
        "REPLACED  switch 1 by switch 2, no session cut",
        "REPLACED  second switch 1 by second switch 3, no session cut",
    ]
    assert [one["second"] for one in done.data["replacements"]] == [False, True]


def test_of_a_pair_whose_first_is_undone_nothing_is_told_of_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = raised(second="127.0.0.2")
    scene.steward.switches.fails = "nobody answers"
    done = replaced(scene, monkeypatch)
    assert done.exit is Exit.UNDONE
    assert done.text.splitlines() == ["UNDONE  switch 1 serves as before", "  nobody answers"]


@pytest.mark.parametrize(
    ("cut", "reason", "said"),
    [
        ((), "", ["REPLACED  switch 1 by switch 2, no session cut"]),
        (
            ("dicom 10.0.0.1:104 open 1s",),
            "",
            [
                "REPLACED  switch 1 by switch 2, 1 session cut at the drain's deadline",
                "  cut        dicom 10.0.0.1:104 open 1s",
            ],
        ),
        ((), "the old switch ended by itself", ["REPLACED  switch 1 by switch 2", "  the old switch ended by itself"]),
    ],
)
def test_that_no_session_was_cut_is_said_only_where_they_were_counted(
    cut: tuple[str, ...], reason: str, said: list[str]
) -> None:
    now = Replacement("ada", "here", 1, 2, 5.0, Reach.REPLACED, 0.0, 0.0, 7, reason=reason, cut=cut)
    assert switch.lines_of(now) == said
