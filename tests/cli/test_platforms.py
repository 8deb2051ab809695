"""What `up` says of a changed definition of the edge, and `status` of what brings it in."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from otagate.cli import platforms, promotion
from otagate.cli.result import Result
from otagate.core.errors import Exit
from otagate.core.platform import Platform
from otagate.flows import switch
from otagate.ports import Ports
from tests.flows.scene import CLAIM, Scene, raised
from tests.flows.test_definition import redefine
from tests.flows.test_environments import other_image
from tests.flows.test_renewal import added, idle_changed, promoted


def upped(scene: Scene, monkeypatch: pytest.MonkeyPatch, *, dry_run: bool = False) -> Result:
    @contextmanager
    def opened(_: str | None) -> Iterator[tuple[Platform, Ports]]:
        yield scene.platform, scene.ports

    monkeypatch.setattr(platforms, "opened", opened)
    monkeypatch.setattr(promotion, "opened", opened)
    return platforms.up("p", by="ada", dry_run=dry_run, wait="0s")


def told(done: Result) -> list[tuple[str, str]]:
    return [(error["message"], error["hint"]) for error in done.errors]


SWITCH_LEFT = (
    "p-shared-switch: changed; not applied",
    "otagate switch replace brings it in while traffic runs",
)


def test_a_steward_that_was_renewed_is_counted_and_the_switch_is_the_next_word(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = raised()
    idle_changed(scene)
    assert "replace  p-shared-steward" in upped(scene, monkeypatch, dry_run=True).text
    done = upped(scene, monkeypatch)
    assert (done.exit, done.next) == (Exit.ALARM, "otagate switch replace")
    assert done.text.startswith("p: 1 changed\n")
    assert done.data["changed"] == ["p-shared-steward"]
    assert done.data["unapplied"] == ["p-shared-switch"]
    assert told(done) == [SWITCH_LEFT]
    assert promotion.status("p").next == "otagate switch replace"
    switch.replace(scene.platform, scene.ports, CLAIM, wait=0.0)
    after = upped(scene, monkeypatch)
    assert (after.exit, after.errors, after.next) == (Exit.DONE, [], "otagate test web=IMAGE")
    assert after.text.startswith("p: nothing changed\n")
    assert promotion.status("p").exit is Exit.DONE


def test_a_steward_that_is_kept_is_told_with_why_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = promoted(600.0)
    idle_changed(scene)
    done = upped(scene, monkeypatch)
    assert done.text.startswith("p: nothing changed\n")
    (steward, hint), *others = told(done)
    assert steward == "p-shared-steward: changed; not applied: the way back is kept for 600 s more"
    assert hint == "take the change back, or otagate up after that"
    assert others == [SWITCH_LEFT]


def test_other_doors_are_told_with_what_the_steward_is_kept_for(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = raised()
    added(scene)
    steward, *_ = told(upped(scene, monkeypatch))
    assert "p-shared-steward: changed; not applied: the doors of p-shared-holder were made for" in steward[0]
    assert "adds, removes and reorders no listener" in steward[1]


def test_status_names_the_command_that_brings_in_each_of_the_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = raised()
    idle_changed(scene)
    other_image(scene)
    with monkeypatch.context() as patch:
        upped(scene, patch, dry_run=True)
        shown = promotion.status("p")
        hints = dict(told(shown))
    assert shown.next == "otagate up"
    renewal = "otagate up renews it; its journal stays"
    assert hints["steward image: departs from its definition"] == renewal
    assert hints["steward specification: departs from its definition"] == renewal
    assert hints["switch specification: departs from its definition"] == SWITCH_LEFT[1]


def test_what_is_live_and_cannot_be_told_any_more_is_told_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = raised()
    redefine(scene, environment={"STORE_HOST": "store", "LEVEL": "debug"})
    done = upped(scene, monkeypatch)
    files = "  files      define web anew, which is not live: otagate test"
    assert (done.exit, done.data["redefined"]) == (Exit.DONE, ["web"])
    assert files in done.text
    shown = promotion.status("p")
    assert (shown.exit, shown.data["redefined"]) == (Exit.DONE, ["web"])
    assert files in shown.text
    scene.world.containers.pop("p-blue-web")
    shown = promotion.status("p")
    assert shown.exit is Exit.ALARM
    assert [(e["code"], e["message"].rpartition(" and ")[2]) for e in shown.errors] == [
        ("definition-changed", "the container of web is not there")
    ]
    assert "take the change of the files back, then otagate up" in shown.errors[0]["hint"]
