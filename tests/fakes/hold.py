"""ports.Hold in memory, under one lease of the steward in memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from otagate.core.cloud import Colour
from otagate.core.promotion import Event, Phase
from otagate.core.replacement import Reach, Replacement
from otagate.core.schema import Move
from otagate.core.shadow import ShadowRule, ShadowSeen
from otagate.core.traffic import Happening, Holder, Intent, PromotionView
from otagate.steward.moves import BEGUN, PROVEN

if TYPE_CHECKING:
    from tests.fakes.steward import FakeSteward


@dataclass
class FakeHold:
    """ports.Hold."""

    steward: "FakeSteward"
    holder: Holder

    def _asked(self, name: str) -> None:
        self.steward.asked(name)
        self.steward.mine(self.holder)

    @property
    def epoch(self) -> int:
        return self.holder.epoch

    def begin(self, intent: Intent) -> PromotionView:
        self._asked("begin")
        return self.steward.begin(self.holder, intent)

    def report(self, event: Event, message: str) -> Phase:
        self._asked("report")
        return self.steward.report(self.holder, event, message)

    def note(self, message: str) -> None:
        self._asked("note")
        self.steward.notes.append(message)
        self.steward.tell(Happening.STEP, message)

    def migrating(self, move: Move) -> None:
        self._asked("schema")
        self.steward.moves(self.holder, move, BEGUN)

    def migrated(self, move: Move) -> None:
        self._asked("schema")
        self.steward.moves(self.holder, move, PROVEN)

    def prove(self, colour: str, builds: Mapping[str, str]) -> None:
        self._asked("prove")
        self.steward.prove(Colour(colour), builds)

    def shadow(self, colour: Colour, rules: Mapping[str, ShadowRule]) -> Mapping[str, ShadowSeen]:
        self._asked("shadow")
        return self.steward.shadow(colour, rules)

    def held(self) -> None:
        self._asked("held")

    def may_remove(self, colour: Colour) -> None:
        self._asked("may-remove")
        self.steward.may_remove(self.holder, colour)

    def replace_switch(self, drain: float, *, second: bool = False) -> Replacement:
        self._asked("replace-switch")
        mine, seen = self.steward, self.steward.status()
        begin = partial(mine.switches.begin, second=second)
        return begin(self.holder, drain, seen.now, mine.unfinished, seen.live, pair=seen.paired)

    def take_doors(self) -> Replacement:
        self._asked("take-doors")
        return self.steward.switches.take()

    def give_up(self, reason: str) -> Replacement:
        self._asked("give-up")
        self.steward.switches.at(Reach.BESIDE)
        return self.steward.switches.reach(Reach.VOID, reason)

    def tidied(self) -> Replacement:
        self._asked("tidied")
        now = self.steward.switches.at(Reach.DRAINED, Reach.VOID)
        return self.steward.switches.reach(Reach.REPLACED if now.reach is Reach.DRAINED else Reach.UNDONE, now.reason)
