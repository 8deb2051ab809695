"""The helm's own looks: whose build may answer, whose colour, and what a hook that fails comes to."""

from dataclasses import replace

import pytest

from otagate.adapters.probe import Answer
from otagate.core.cloud import Colour
from otagate.core.errors import ProbeFault, Refused, SwitchFault
from otagate.core.platform import Protocol, Tls
from otagate.core.topology import Door, Topology
from otagate.core.traffic import Kind
from otagate.steward.helm import Helm
from otagate.steward.map_file import MapFile
from tests.steward.world import BUILDS, HOSTS, TOPOLOGY, Steward, World

BLUE = {"web": BUILDS[Colour.BLUE]}


@pytest.fixture
def helm(world: World) -> Helm:
    return world.live().helm


def test_each_coloured_listener_is_asked_itself_whatever_the_switch_does(world: World, helm: Helm) -> None:
    world.switch.away = True
    asked: list[str] = []
    whole = world.services.ask

    def ask(door: Door, host: str, port: int, deadline: float, *, tls: bool) -> Answer:
        asked.append(f"{door.name} {host}:{port}")
        return whole(door, host, port, deadline, tls=tls)

    world.services.ask = ask  # type: ignore[method-assign]
    helm.answers_as(Colour.GREEN, {"web": BUILDS[Colour.GREEN]})
    assert asked == ["web green-web:8080", "dicom green-web:11112"]
    with pytest.raises(Refused, match=f"web of green answers with build {BUILDS[Colour.GREEN]}, which was not judged"):
        helm.answers_as(Colour.GREEN, BLUE)
    world.services.absent.add("green-web")
    with pytest.raises(ProbeFault):
        helm.answers_as(Colour.GREEN, {"web": BUILDS[Colour.GREEN]})


def test_tls_is_spoken_where_it_is_not_yet_ended(world: World, helm: Helm) -> None:
    asked: list[tuple[str, str, bool]] = []
    whole = world.services.ask

    def ask(door: Door, host: str, port: int, deadline: float, *, tls: bool) -> Answer:
        asked.append((door.name, host, tls))
        return whole(door, host, port, deadline, tls=tls)

    world.services.ask = ask  # type: ignore[method-assign]
    web, dicom, _ = TOPOLOGY.doors
    doors = (replace(web, tls=Tls.END), replace(dicom, tls=Tls.PASS))
    secure = replace(helm, topology=replace(TOPOLOGY, doors=doors))
    secure.answers_as(Colour.BLUE, BLUE)
    secure.through_front(Colour.BLUE, BLUE)
    assert asked == [
        ("web", "blue-web", False),
        ("dicom", "blue-web", True),
        ("web", "switch", True),
        ("dicom", "switch", True),
    ]


def test_a_door_of_a_named_service_takes_no_other_services_build(helm: Helm) -> None:
    doors = tuple(replace(door, service="web") for door in TOPOLOGY.doors)
    named = replace(helm, topology=replace(TOPOLOGY, doors=doors))
    named.prove(Colour.BLUE, BLUE)
    with pytest.raises(Refused, match="was not judged"):
        named.prove(Colour.BLUE, {"other": BUILDS[Colour.BLUE], "web": BUILDS[Colour.GREEN]})
    with pytest.raises(Refused, match="was not judged"):
        named.prove(Colour.BLUE, {"other": BUILDS[Colour.BLUE]})


@pytest.mark.parametrize("build", ["", "sha256:", "abc", BUILDS[Colour.BLUE][7:18]])
def test_too_little_of_a_digest_is_no_digest(world: World, helm: Helm, build: str) -> None:
    world.services.builds[HOSTS["blue"]] = build
    with pytest.raises(Refused):
        helm.prove(Colour.BLUE, BLUE)


def test_an_address_that_answers_for_the_other_colour_is_refused(world: World, helm: Helm) -> None:
    crossed = tuple(replace(door, backs={"blue": "green-web", "green": "green-web"}) for door in TOPOLOGY.doors)
    with pytest.raises(Refused, match="answers as green, not as blue"):
        replace(helm, topology=replace(TOPOLOGY, doors=crossed)).prove(Colour.BLUE, BLUE)
    world.switch.entry_now = (Colour.GREEN, 9)
    with pytest.raises(Refused, match="answers as green, not as blue"):
        helm.through_front(Colour.BLUE, BLUE)


def test_a_bare_tcp_door_is_only_asked_whether_it_is_open(world: World, helm: Helm) -> None:
    door = Door("hl7", Protocol.TCP, 20009, HOSTS, 2575)
    open_ = replace(helm, topology=Topology("t", "switch", (door,)))
    open_.answers_as(Colour.BLUE, BLUE)
    open_.through_front(Colour.BLUE, BLUE)
    world.services.absent.add("blue-web")
    with pytest.raises(ProbeFault):
        open_.answers_as(Colour.BLUE, BLUE)


def test_an_uncoloured_door_is_no_part_of_a_flip(helm: Helm) -> None:
    assert [door.name for door in helm.doors] == ["web", "dicom"]


def test_a_new_colour_that_cannot_be_activated_is_a_fault(world: World, helm: Helm) -> None:
    world.services.absent.add("green-web")
    with pytest.raises(ProbeFault, match="not there to be activated"):
        helm.hooks.step_in(Colour.GREEN)


def test_a_hook_refused_once_is_asked_again_on_the_way_back(world: World) -> None:
    steward = world.live()
    world.clock.on_sleep = lambda: world.switch.down.add("web_green")
    refusals = ["passive green-web"]
    whole = world.services.call

    def moody(url: str, deadline: float) -> bool:
        if refusals and url.endswith("passive") and "green" in url:
            refusals.pop()
            raise ProbeFault(f"{url} answers 500")
        return whole(url, deadline)

    world.services.call = moody  # type: ignore[method-assign]
    steward.promote()
    assert steward.book.current().debts == ()
    assert world.services.active == {"blue-web"}


def test_a_map_that_is_newer_than_the_next_epoch_is_not_written_over(world: World, helm: Helm) -> None:
    """Somebody else's newer epoch: a paused old steward must not turn late."""
    world.map_file.write(Colour.BLUE, 50)
    with pytest.raises(Refused, match="50; 2 is not newer"):
        helm._set(Colour.BLUE, Colour.GREEN)
    assert world.map_file.read() == (Colour.BLUE, 50)


def test_a_switch_that_stays_away_is_a_fault_after_its_time(world: World, helm: Helm) -> None:
    world.switch.away = True
    began = world.clock.time
    with pytest.raises(SwitchFault):
        helm.settle()
    assert 5 <= world.clock.time - began < 7


class Trusting(Helm):
    """It takes for granted that journal, map file and switch agree."""

    def agrees(self, _colour: Colour, _epoch: int) -> bool:
        return True


class Remembered(MapFile):
    """It answers what the file said before its owner was paused."""

    def read(self) -> tuple[Colour, int]:
        return Colour.BLUE, 1


class Late:
    """A steward that was paused after it had read its journal; meanwhile another flipped to green and back to blue, so
    that the colours are as it left them and the epoch alone tells."""

    def __init__(self, world: World, kind: type[Helm]) -> None:
        self.world = world
        world.live()
        world.helm_kind = kind
        self.old: Steward = world.steward()
        world.helm_kind = Helm
        other = world.steward()
        other.promote()
        other.promote(Colour.BLUE, "p-2")
        self.old.begin(Kind.PROMOTE, Colour.GREEN, "p-late")
        self.before = world.switch.entry()
        assert self.before[0] is Colour.BLUE

    def flip(self, helm: Helm | None = None) -> None:
        (helm or self.old.helm).turn(Colour.BLUE, Colour.GREEN, {"web": BUILDS[Colour.GREEN]})


def test_an_older_epoch_is_refused_by_comparing_the_three_accounts(world: World) -> None:
    late = Late(world, Helm)
    with pytest.raises(Refused, match="do not agree"):
        late.flip()
    assert world.switch.entry() == late.before == world.map_file.read()


def test_an_older_epoch_is_refused_under_the_lock_before_the_map_is_written(world: World) -> None:
    late = Late(world, Trusting)
    with pytest.raises(Refused, match=f"the map file has epoch {late.before[1]}; 2 is not newer"):
        late.flip()
    assert world.switch.entry() == late.before == world.map_file.read()


def test_an_older_epoch_is_refused_again_inside_the_switch(world: World) -> None:
    late = Late(world, Trusting)
    blind = replace(late.old.helm, map_file=Remembered(world.map_file.path))
    with pytest.raises(Refused, match=f"the switch refused: epoch 2 is not newer than {late.before[1]}"):
        late.flip(blind)
    assert world.switch.entry() == late.before


def test_control_without_these_checks_it_would_flip_late(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    late = Late(world, Trusting)

    def obedient(_came: Colour, to: Colour, epoch: int, *, held: bool) -> str:
        assert not held
        world.switch.entry_now = (to, epoch)
        return ""

    monkeypatch.setattr(world.switch, "flip", obedient)
    late.flip(replace(late.old.helm, map_file=Remembered(world.map_file.path)))
    assert world.switch.entry() == (Colour.GREEN, 2)
