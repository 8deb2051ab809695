"""What the bench takes for wrong of our own switch: each kind is planted and told, and a run as it must be is not."""

import math
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest

from otagate.core.cloud import Colour
from otagate.core.shadow import ShadowSeen
from tests.bench import planted_fault, shadow_cost, switch_flips
from tests.bench.planted_fault import Trial
from tests.bench.shadow_cost import HUNG, OFF, ON
from tests.bench.switch_flips import Found
from tests.bench.targets import Messages, Stored, flips_wrong
from tests.e2e.flip_account import Flip, FlipAccount, Latency
from tests.e2e.long_sessions import Association, Sender
from tests.e2e.open_loop import Ask

NEVER = Latency(math.nan, math.nan, 0)
CLEAN = FlipAccount(flips=50, asks=100_000, failed=0, stale=0, mixed=0, calm=NEVER, around=NEVER)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, []),
        ({"flips": 49}, ["only 49 of 50 flips"]),
        ({"asks": 99_999}, ["only 99,999 of 100,000 requests"]),
        ({"failed": 1}, ["1 requests failed"]),
        ({"stale": 2}, ["2 stale answers"]),
        ({"mixed": 3}, ["3 flips with mixed listeners"]),
    ],
)
def test_of_flips_under_load(changed: dict[str, Any], told: list[str]) -> None:
    assert flips_wrong(replace(CLEAN, **changed), 50, 100_000) == told


FLIPS = [Flip(10.0, 10.1, "green"), Flip(20.0, 20.1, "blue")]
ASSOCIATIONS = [Association(f"A{at}", (f"{at}.1", f"{at}.2"), 2, "", at, at + 4.0) for at in (8.0, 18.0)]
PLACES = {Colour.BLUE: Counter(["8.0.1", "8.0.2"]), Colour.GREEN: Counter(["18.0.1", "18.0.2"])}


def stored(
    done: Sequence[Association] = ASSOCIATIONS, flips: Sequence[Flip] = FLIPS, more: Sequence[str] = (), gone: str = ""
) -> list[str]:
    """What is wrong where two associations and two flips were due; `more` came to green, `gone` to nobody."""
    places = {colour: Counter({uid: n for uid, n in kept.items() if uid != gone}) for colour, kept in PLACES.items()}
    places[Colour.GREEN].update(more)
    return Stored.of(done, flips, places).wrong(2, 2)


def test_of_associations() -> None:
    cut = replace(ASSOCIATIONS[0], cut="store 2 of 2")
    short = replace(ASSOCIATIONS[0], ended=9.0)
    assert stored() == []
    assert stored(done=ASSOCIATIONS[:1])[0] == "only 1 of 2 associations came to their end"
    assert stored(done=[short, ASSOCIATIONS[1]]) == ["only 1 of 2 flips had an association open across them"]
    assert stored(flips=FLIPS[:1]) == ["only 1 of 2 flips had an association open across them"]
    assert stored(gone="8.0.2") == ["1 stores missing"]
    assert stored(more=["18.0.1"]) == ["1 instances stored twice"]
    assert stored(done=[cut, ASSOCIATIONS[1]]) == ["1 associations cut"]
    assert stored(gone="8.0.2", more=["8.0.2"]) == ["1 associations split over the colours"]


def messages(received: Sequence[str] = ("a-1", "a-2"), **changed: Any) -> Messages:
    """Of one sender, met by each of two flips."""
    sender = Sender(("", 0), "a", acknowledged=["a-1", "a-2"], reconnects=changed.pop("reconnects", 2))
    return Messages.of([sender], Counter(received), 2, stuck=changed.pop("stuck", 0), cut=changed.pop("cut", 0))


def test_of_messages() -> None:
    assert messages().wrong(draining=True) == []
    assert messages(["a-1"]).wrong(draining=True) == ["1 messages lost"]
    assert messages(["a-1", "a-2", "a-2"]).wrong(draining=True) == ["1 messages twice"]
    assert messages(reconnects=1).wrong(draining=True) == ["1 senders were not met by each flip"]
    assert messages(stuck=1).wrong(draining=True) == ["1 senders never had their last acknowledgement"]
    assert messages(cut=1).wrong(draining=True) == ["1 sessions cut"]


def test_of_messages_where_no_session_is_let_go() -> None:
    assert messages(["a-1", "a-2", "a-2"], cut=1).wrong(draining=False) == []
    assert messages().wrong(draining=False) == ["nothing was cut where no session was let go"]
    assert messages(["a-1"], cut=1).wrong(draining=False) == ["1 messages lost"]


def test_of_a_faulty_release() -> None:
    whole = Trial(back=0.4, reached=20, harmed=4, late=0)
    assert planted_fault.wrong({(50.0, False): [whole], (50.0, True): [whole]}) == []
    found = {(50.0, False): [whole, replace(whole, harmed=0)], (500.0, True): [replace(whole, late=3)]}
    assert planted_fault.wrong(found) == [
        "50/s, follows: 1 trials met no fault",
        "500/s, killed after the flip: 3 answers of the faulty colour after the way back",
    ]


def beside(failed: int = 0, **seen: ShadowSeen) -> list[str]:
    """What is wrong of one turn of 10 s each way; `failed` of those that were due beside a shadow."""
    windows = {OFF: [(0.0, 10.0)], ON: [(10.0, 20.0)], HUNG: [(20.0, 30.0)]}
    asks = [Ask("kept", at, at, at, "blue") for at in (5.0, 15.0, 25.0)] + [Ask("kept", 12, 12, 12, "")] * failed
    usual = {"on": ShadowSeen(compared=400), "hung": ShadowSeen(compared=3, differing=3)}
    found = {**usual, **seen}
    return shadow_cost.wrong(asks, windows, {OFF: [], ON: [found["on"]], HUNG: [found["hung"]]}, 10)


def test_of_a_shadow() -> None:
    assert beside() == []
    assert beside(failed=2) == ["a shadow: 2 requests failed"]
    assert beside(on=ShadowSeen()) == ["a shadow: nothing was compared"]
    assert beside(on=ShadowSeen(compared=9, differing=1)) == ["a shadow: 1 answers of one build differ"]
    assert beside(on=ShadowSeen(compared=490, moving=20)) == ["a shadow: 510 copies in 10 s"]
    assert beside(hung=ShadowSeen(unpaired=2)) == [f"{HUNG}: not one answer is told as different"]


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(switch_flips, "DOCS", tmp_path)
    monkeypatch.setattr(docker, "from_env", lambda **_: docker.DockerClient())
    page = tmp_path / "switch.md"
    page.write_text("".join(f"<!-- {name}: begin -->\nold\n<!-- {name}: end -->\n" for name in ("dicom", "flips")))
    return page


def test_a_part_that_is_wrong_ends_with_1_and_leaves_its_figures(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {"dicom": Found(["| new |"], []), "flips": Found(["| bad |"], ["1 requests failed"], "<svg/>")}
    monkeypatch.setattr(switch_flips, "PARTS", {name: lambda *_, f=found: f for name, found in parts.items()})
    monkeypatch.setattr(sys, "argv", ["switch_flips"])
    assert switch_flips.main() == 1
    assert "| new |" in page.read_text()
    assert "| bad |" not in page.read_text()
    assert not (page.parent / "switch.svg").exists()
    monkeypatch.setattr(sys, "argv", ["switch_flips", "dicom", "--short"])
    assert switch_flips.main() == 0


def test_a_part_that_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["switch_flips", "flip"])
    with pytest.raises(SystemExit, match="no part: flip"):
        switch_flips.main()
