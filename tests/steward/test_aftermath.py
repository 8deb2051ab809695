"""What is asked of a release that is left, what is kept of it, and that it never stands in the way of the way back."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from otagate.core.canonical import digest_of, plain
from otagate.core.cloud import Colour
from otagate.core.errors import Refused, UsageError
from otagate.core.incident import Incident, Written
from otagate.core.promotion import Phase
from otagate.core.traffic import Intent, Kind
from otagate.steward.aftermath import MARGIN
from otagate.steward.desk import Caller
from tests.steward.test_desk import CLAIM, Slow
from tests.steward.world import BUILDS, WATCH, Steward, World, serves


def failing(world: World) -> None:
    """From the flip on most of what is asked of green ends in an error."""

    def worse() -> None:
        world.switch.answers["web_green"] = world.switch.answers.get("web_green", 0) + 100
        world.switch.errors["web_green"] = world.switch.errors.get("web_green", 0) + 90

    world.clock.on_sleep = worse


def brought_back(world: World) -> Steward:
    steward = world.live()
    failing(world)
    steward.promote()
    assert steward.book.current().phase is Phase.ROLLED_BACK
    return steward


def rolled_back(steward: Steward, override: str = "") -> None:
    """A person's rollback from green to blue."""
    held = steward.book.account.colours["blue"]
    builds, blue = dict(held.builds), Colour.BLUE
    back = Intent("r-1", Kind.ROLLBACK, "", held.release, builds, blue, "alice", WATCH, 5.0, override=override)
    steward.book.write("begin", "r-1", intent=back, came=blue.other, lease=steward.book.account.epoch)
    steward.to_flip()
    steward.course.run()


def only(steward: Steward) -> Incident:
    (incident,) = steward.book.account.incidents
    return incident


def test_a_release_that_is_brought_back_says_what_it_wrote_and_sets_it_apart(world: World) -> None:
    world.services.says = {"written-since": {"count": 2, "items": ["one", "two"]}, "quarantine": {"quarantined": 2}}
    steward = brought_back(world)
    incident = only(steward)
    assert (incident.colour, incident.builds, incident.cleared) == (Colour.GREEN, {"web": BUILDS[Colour.GREEN]}, None)
    assert incident.written == (Written("web", 2, ("one", "two"), 2),)
    assert incident.since < incident.opened
    assert "errors" in incident.reason
    (first, body), (second, same) = world.services.told
    assert (first, second) == ("written-since green-web", "quarantine green-web")
    assert body == same
    assert (body["build"], body["colour"]) == (BUILDS[Colour.GREEN], "green")
    assert any("web: wrote 2 objects, 2 quarantined" in line for line in steward.told("p-1"))
    serves(world, steward, Colour.BLUE)


def test_it_is_asked_from_before_the_map_was_written_less_what_clocks_may_differ(world: World) -> None:
    steward = brought_back(world)
    intents = [event.at for _, event in steward.book.events("p-1", 0) if event.data.get("stage") == "intent"]
    assert only(steward).since == intents[0]
    asked = datetime.fromisoformat(world.services.told[0][1]["since"]).timestamp()
    assert asked == pytest.approx(intents[0] - MARGIN)


def test_a_rollback_by_a_person_opens_one_as_well_for_what_was_left(world: World) -> None:
    steward = world.live()
    steward.promote()
    assert steward.book.account.incidents == ()
    rolled_back(steward, override="it burns")
    incident = only(steward)
    assert (incident.promotion, incident.colour) == ("r-1", Colour.GREEN)
    assert incident.release == steward.book.account.colours["green"].release
    assert incident.reason == "rolled back by alice: it burns"
    assert world.services.told[0][0] == "written-since green-web"


def test_a_release_that_does_not_answer_is_spoken_for_by_the_one_that_serves(world: World) -> None:
    steward = world.live()
    world.services.says = {"written-since": {"count": 1}}
    steward.promote()
    world.services.absent.add("green-web")
    rolled_back(steward)
    assert [name for name, _ in world.services.told][:2] == ["written-since green-web", "written-since blue-web"]
    assert only(steward).written[0].count == 1


@pytest.mark.parametrize("answer", [{}, {"count": -1}, {"count": None}, {"items": []}, []])
def test_what_cannot_be_read_is_not_known_and_never_nothing(world: World, answer: Any) -> None:
    world.services.says = {"written-since": answer, "quarantine": answer}
    (written,) = only(brought_back(world)).written
    assert written.count is None
    assert written.quarantined is None
    assert "cannot be read" in written.message


def test_a_service_without_the_hook_cannot_say(world: World) -> None:
    steward = world.live()
    object.__setattr__(steward.helm, "topology", replace(steward.helm.topology, hooks=steward.helm.topology.hooks[:2]))
    failing(world)
    steward.promote()
    assert only(steward).written == (Written("web", message="it declares no written_since hook"),)


def test_a_bug_in_asking_does_not_hold_up_the_end_and_leaves_it_unknown(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(world.services, "tell", broken)
    steward = brought_back(world)
    assert only(steward).written == (Written("web", message="nobody asked it"),)
    serves(world, steward, Colour.BLUE)


def test_a_release_that_never_served_leaves_no_incident(world: World) -> None:
    steward = world.live()
    world.switch.refuses = "no"
    steward.promote()
    assert steward.book.current().phase is Phase.ROLLED_BACK
    assert steward.book.account.incidents == ()
    assert world.services.told == []


def test_it_outlives_the_steward_and_stays_open_until_a_named_person_clears_it(world: World) -> None:
    name = only(brought_back(world)).incident
    world.close()
    ask, nobody = Slow(world.steward()).desk.ask, Caller(lambda: False)
    assert [i["incident"] for i in ask(nobody, "status", {})["incidents"]] == [name]
    for odd in ({"reason": " "}, {"claim": {**CLAIM, "by": " "}}, {"incident": "i-none"}):
        with pytest.raises(UsageError):
            ask(nobody, "clear", {"claim": CLAIM, "incident": name, "reason": "seen", **odd})
    assert [i["cleared"] for i in ask(nobody, "incidents", {})] == [None]
    cleared = ask(nobody, "clear", {"claim": CLAIM, "incident": name, "reason": "both were sent again"})["cleared"]
    assert (cleared["by"], cleared["origin"], cleared["reason"]) == ("alice", "alice@here:1", "both were sent again")
    assert ask(nobody, "status", {})["incidents"] == []
    assert [i["incident"] for i in ask(nobody, "incidents", {})] == [name]
    with pytest.raises(Refused) as again:
        ask(nobody, "clear", {"claim": CLAIM, "incident": name, "reason": "seen"})
    assert again.value.code == "cleared-already"


def test_the_release_is_held_until_then_and_another_is_not(world: World) -> None:
    steward = brought_back(world)
    world.clock.on_sleep = lambda: None
    slow, left = Slow(steward), only(steward)
    ask = slow.desk.ask
    ask(slow.caller, "acquire", {"claim": CLAIM, "wait": 0})
    builds = {"web": BUILDS[Colour.GREEN]}
    again = Intent("p-2", Kind.PROMOTE, "r", left.release, builds, Colour.GREEN, "alice", WATCH, 1.0)
    with pytest.raises(Refused, match="was rolled back") as no:
        ask(slow.caller, "begin", {"intent": plain(again)})
    assert no.value.code == "release-held"
    ask(slow.caller, "begin", {"intent": plain(replace(again, promotion="p-3", release=digest_of("other")))})
    slow.report("refused", "only looked whether it may begin")
    ask(slow.caller, "clear", {"claim": CLAIM, "incident": left.incident, "reason": "seen"})
    ask(slow.caller, "begin", {"intent": plain(again)})
