"""JSON back into our types: as it was written, or refused with the place named."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from otagate.core.canonical import plain
from otagate.core.cloud import Colour
from otagate.core.platform import Protocol
from otagate.core.promotion import Phase
from otagate.core.topology import Door, HookCall, Topology
from otagate.core.traffic import (
    Claim,
    ColourView,
    Happening,
    Holder,
    Intent,
    Kind,
    PromotionView,
    Scope,
    Status,
    StewardEvent,
    SwitchView,
)
from otagate.core.watch import WatchPolicy
from otagate.core.wire import typed

CLAIM = Claim(Scope.PLATFORM, "alice", "alice@here:1", "otagate promote", "a test")
INTENT = Intent(
    "p-1", Kind.PROMOTE, "run-1", "sha256:r", {"web": "sha256:b"}, Colour.GREEN, "alice", WatchPolicy(), 5.0
)
VIEW = PromotionView(INTENT, Phase.WATCHING, Colour.BLUE, 1.5, 2.0, "why", ("owed",))
STATUS = Status(
    source="sha256:s",
    live=Colour.BLUE,
    epoch=7,
    colours={"blue": ColourView("sha256:r", {"web": "sha256:b"}, warm=False)},
    switch=SwitchView(Colour.BLUE, 6, None, None, {"web_blue": True}),
    promotion=VIEW,
    holders=(Holder(CLAIM, 3.0, 7),),
    disagreements=("file and run time",),
    last_flip=None,
    now=10.0,
)
TOPOLOGY = Topology(
    "t",
    "switch",
    (Door("web", Protocol.HTTP, 20001, {"blue": "b", "green": "g"}, 8080, "/healthz"),),
    (HookCall("web", "activate", {"blue": "b"}, 8080, "/hooks/activate", 5.0),),
)
EVENT = StewardEvent(1.0, Happening.DRAIN, Phase.WATCHING, "1 left", {"left": {"web": 1}})


@pytest.mark.parametrize("value", [CLAIM, INTENT, VIEW, STATUS, TOPOLOGY, EVENT])
def test_what_was_written_is_read_back_the_same(value: Any) -> None:
    assert typed(type(value), json.loads(json.dumps(plain(value)))) == value


def changed(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(json.dumps(plain(STATUS)))
    change(body)
    return body


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda b: b.pop("live"), "Status: 'live' is missing"),
        (lambda b: b.update(extra=1), "Status: unknown key 'extra'"),
        (lambda b: b.update(live="red"), "Status.live: 'red' is no Colour"),
        (lambda b: b.update(epoch="7"), "Status.epoch: int was expected"),
        (lambda b: b.update(epoch=True), "Status.epoch: int was expected"),
        (lambda b: b.update(holders={}), "Status.holders: a list was expected"),
        (lambda b: b["holders"][0].pop("epoch"), "Status.holders[0]: 'epoch' is missing"),
        (lambda b: b.update(colours=[]), "Status.colours: a mapping was expected"),
        (lambda b: b["promotion"]["intent"].update(drain=None), "Status.promotion.intent.drain: float was expected"),
        (lambda b: b["switch"]["up"].update(web=1), "Status.switch.up.web: bool was expected"),
        (lambda b: b.update(switch="up"), "Status.switch: a mapping was expected"),
    ],
)
def test_anything_else_is_refused_and_the_place_named(change: Callable[[dict[str, Any]], Any], place: str) -> None:
    with pytest.raises(ValueError) as odd:  # noqa: PT011 - the place is compared below
        typed(Status, changed(change))
    assert str(odd.value).startswith(place)
