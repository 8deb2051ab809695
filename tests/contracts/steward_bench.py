"""What the steward's contract is tried on: the one in memory and the real one, each with blue live."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from otagate.core.canonical import digest_of
from otagate.core.cloud import Colour
from otagate.core.incident import Written
from otagate.core.promotion import Event, Phase
from otagate.core.traffic import Claim, Intent, Kind, Scope
from otagate.core.watch import WatchPolicy
from otagate.ports import Hold, Steward
from tests.e2e.edge import BUILDS
from tests.fakes.steward import FakeSteward

SHORT = WatchPolicy(lasts=0.3, every=0.1, window=10.0)


def claim_of(by: str, scope: Scope = Scope.PLATFORM) -> Claim:
    return Claim(scope, by, f"{by}@here:1", "otagate promote", "a test")


@dataclass
class Bench:
    """A steward whose platform has blue live, and both colours standing."""

    steward: Steward
    absent: Steward
    stopped: Callable[[Colour], AbstractContextManager[None]]
    doze: Callable[[], None]  # whoever holds a lease is not heard of any more, as while a machine sleeps
    slow: Callable[[], None] = lambda: None  # the next watch lasts until it is gone back from

    def intent(self, kind: Kind, to: Colour, name: str) -> Intent:
        return Intent(name, kind, "run", digest_of([name]), {"web": BUILDS[to]}, to, "alice", SHORT, 3.0)

    def idle(self) -> Colour:
        live = self.steward.status().live
        assert live is not None
        return live.other

    def settled(self) -> None:
        """No promotion is left unfinished."""
        view = self.steward.recover(claim_of("bench"), 5)
        if view is not None and view.phase is Phase.DISCARDING:
            with self.steward.lease(claim_of("bench"), 5) as hold:
                hold.report(Event.OK, "removed")

    def promoted(self, name: str) -> Colour:
        to = self.idle()
        with self.steward.lease(claim_of("alice"), 5) as hold:
            hold.begin(self.intent(Kind.PROMOTE, to, name))
            through(hold)
        list(self.steward.follow(name))
        return to


def through(hold: Hold) -> list[Phase]:
    return [hold.report(Event.OK, message) for message in ("checked", "deployed", "smoked")]


def fake() -> Bench:
    steward = FakeSteward(
        builds={colour: {"web": build} for colour, build in BUILDS.items()},
        listeners={"web": "web", "dicom": "web", "raw": "web"},
        bare={"raw"},
        wrote=(Written("web", 1, ("one",), 1),),
    )

    @contextmanager
    def stopped(colour: Colour) -> Iterator[None]:
        was = steward.builds.pop(colour)
        yield
        steward.builds[colour] = was

    def slow() -> None:
        steward.rests = Phase.WATCHING

    bench = Bench(steward, FakeSteward(up=False), stopped, steward.doze, slow)
    with steward.lease(claim_of("alice"), 0) as hold:
        hold.begin(bench.intent(Kind.GENESIS, Colour.BLUE, "g-1"))
        through(hold)
    return bench
