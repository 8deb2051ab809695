"""Copies of live requests asked of both colours: what is compared, what is bounded, and what is journalled."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest

from otagate.core.cloud import Colour
from otagate.core.errors import Refused, SwitchFault
from otagate.core.shadow import Body, Reply, Request, ShadowRule, ShadowSeen
from otagate.core.traffic import Kind
from otagate.steward.shadow import DEADLINE, Shadow
from tests.steward.world import HOSTS, Steward, World

RULE = ShadowRule(5.0, 100, 2, 0, (), Body.JSON)
COPY = b"GET /objects?limit=1\nhost: a"
BLUE, GREEN = HOSTS["blue"], HOSTS["green"]
Run = Callable[..., ShadowSeen]


@pytest.fixture
def steward(world: World) -> Steward:
    """Blue is live, and green is just smoked."""
    steward = world.live()
    steward.begin(Kind.PROMOTE, Colour.GREEN, "p-1")
    return steward


@pytest.fixture
def run(world: World, steward: Steward) -> Run:
    def run(copies: int = 3, rule: ShadowRule = RULE) -> ShadowSeen:
        world.switch.copies.extend([COPY] * copies)
        return Shadow(steward.helm, steward.book).run(Colour.GREEN, {"web": rule}, lambda: None)["web"]

    return run


def always(body: bytes, code: int = 200) -> Callable[[Request], Reply]:
    return lambda _request: Reply(code, {}, body)


def test_each_copy_is_asked_of_the_live_colour_and_of_the_new_one(world: World, run: Run) -> None:
    assert run(3) == ShadowSeen(compared=3)
    assert world.switch.armed == [("web", 5.0, 100)]
    assert world.services.fetched == [BLUE, GREEN] * 3


def test_control_a_wrong_answer_is_told_with_its_place(world: World, steward: Steward, run: Run) -> None:
    world.services.replies = {BLUE: always(b'{"dose": 60}'), GREEN: always(b'{"dose": 59}')}
    seen = run(2)
    assert (seen.compared, seen.differing) == (2, 2)
    assert seen.examples[0].differences[0].place == "body /dose"
    assert "shadow of web: 2 requests compared, 2 answered differently, at most 0 allowed" in steward.told("p-1")


def test_what_came_of_it_stands_in_the_promotions_events(steward: Steward, run: Run) -> None:
    run(3)
    event = next(e for _, e in steward.book.events("p-1", 0) if "shadow" in e.data)
    told = event.data["shadow"]
    assert (told["listener"], told["told"], told["compared"], told["refuses"]) == ("web", "pass", 3, True)


def test_a_live_colour_that_answers_otherwise_each_time_compares_nothing(world: World, run: Run) -> None:
    number = count()
    world.services.replies = {BLUE: lambda _request: Reply(200, {}, b"%d" % next(number)), GREEN: always(b"x")}
    assert run(3) == ShadowSeen(moving=3)


def test_a_body_that_moves_hides_no_error_of_the_new_colour(world: World, run: Run) -> None:
    number = count()
    world.services.replies = {BLUE: lambda _request: Reply(200, {}, b"%d" % next(number)), GREEN: always(b"x", 500)}
    seen = run(3)
    assert (seen.compared, seen.differing, seen.moving) == (3, 3, 0)
    assert [difference.place for difference in seen.examples[0].differences] == ["status"]


def test_a_new_colour_that_does_not_answer_differs(world: World, run: Run) -> None:
    world.services.hung.add(GREEN)
    seen = run(1)
    assert (seen.compared, seen.differing) == (1, 1)
    assert seen.examples[0].differences[0].place == "answer"


def test_a_live_colour_that_does_not_answer_is_no_comparison(world: World, run: Run) -> None:
    world.services.hung.add(BLUE)
    assert run(2) == ShadowSeen(unpaired=2)


def test_nothing_asked_is_unknown(steward: Steward, run: Run) -> None:
    assert run(0) == ShadowSeen()
    event = next(e for _, e in steward.book.events("p-1", 0) if "shadow" in e.data)
    assert event.data["shadow"]["told"] == "unknown"


def test_a_stalled_candidate_ends_it_at_its_time(world: World, run: Run) -> None:
    """Each question takes its whole deadline: what is left by the end is dropped, and counted."""

    def stalls(_name: str) -> None:
        if world.services.fetched and len(world.services.fetched) % 2:  # the candidate's turn
            world.clock.time += DEADLINE

    world.services.before = stalls
    began = world.clock.time
    seen = run(50)
    assert world.clock.time - began <= RULE.lasts + 2 * DEADLINE + 0.5
    assert seen.compared < 10
    assert seen.compared + seen.dropped == 50


def test_a_switch_that_is_lost_ends_it_and_what_was_compared_counts(world: World, run: Run) -> None:
    looks = count()

    def before(name: str) -> None:
        if name == "take_shadow" and next(looks) == 1:
            raise SwitchFault("the switch did not answer", code="switch-away")

    world.switch.before = before
    seen = run(3)
    assert (seen.compared, seen.trouble) == (3, "the switch did not answer")


def test_what_is_no_safe_request_is_asked_of_nobody(world: World, run: Run) -> None:
    world.switch.copies.append(b"POST /objects\nhost: a")
    assert run(0) == ShadowSeen(unpaired=1)
    assert world.services.fetched == []


def test_it_needs_a_live_colour_beside_and_a_switch_that_copies(steward: Steward) -> None:
    shadow = Shadow(steward.helm, steward.book)
    with pytest.raises(Refused, match="no live colour beside"):
        shadow.run(Colour.BLUE, {"web": RULE}, lambda: None)
    with pytest.raises(Refused, match="without a shadow of dicom"):
        shadow.run(Colour.GREEN, {"dicom": replace(RULE)}, lambda: None)


def test_no_more_is_asked_than_the_rule_says_and_the_rest_is_counted(world: World, run: Run) -> None:
    assert run(5, replace(RULE, most=3)) == ShadowSeen(compared=3, dropped=2)
    assert world.services.fetched == [BLUE, GREEN] * 3
    assert run(5, replace(RULE, most=5)) == ShadowSeen(compared=5)


def test_what_the_switch_still_keeps_at_the_end_is_taken_from_it_and_asked_of_nobody(world: World, run: Run) -> None:
    began = world.clock.time

    def late(name: str) -> None:
        if name == "take_shadow" and world.clock.time - began >= RULE.lasts:
            world.switch.copies.append(COPY)

    world.switch.before = late
    assert run(2) == ShadowSeen(compared=2, dropped=1)
    assert (world.switch.copies, world.services.fetched) == ([], [BLUE, GREEN] * 2)


def test_whoever_lost_the_lease_asks_no_colour_anything_more(world: World, steward: Steward) -> None:
    looks = count()

    def still() -> None:
        if next(looks) >= 2:  # a lease that is lost is never held again
            raise SwitchFault("the lease is not held any more", code="lease-lost")

    world.switch.copies.extend([COPY] * 20)
    began = world.clock.time
    with pytest.raises(SwitchFault, match="lease"):
        Shadow(steward.helm, steward.book).run(Colour.GREEN, {"web": RULE}, still)
    assert world.services.fetched == [BLUE, GREEN] * 2
    assert world.clock.time - began < RULE.lasts


def test_a_promotion_that_is_no_longer_the_askers_is_told_nothing(steward: Steward) -> None:
    def still() -> None:
        raise SwitchFault("the lease is not held any more", code="lease-lost")

    with pytest.raises(SwitchFault, match="lease"):
        Shadow(steward.helm, steward.book).run(Colour.GREEN, {"web": RULE}, still)
    assert not any("shadow" in line for line in steward.told("p-1"))
