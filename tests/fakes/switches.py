"""The part of the steward in memory that replaces the switch: how far it came is all there is to it."""

import json
from dataclasses import dataclass, replace
from typing import Any

from otagate.core.cloud import LABEL_SERVICE, Colour
from otagate.core.errors import Refused, SwitchFault
from otagate.core.replacement import FOLLOWS, Reach, Replacement
from otagate.core.traffic import Holder, PromotionView
from tests.fakes.world import World

_STEPS = {Reach.TAKING: Reach.ALONE, Reach.ALONE: Reach.DRAINED}


def paired(world: World | None, platform: str) -> bool:
    """Whether a steward that stands there turns two, as the topology says that its container was given."""
    own = [s for s in world.of(platform) if s.label(LABEL_SERVICE) == "steward"] if world is not None else []
    return any(json.loads(s.container.environment["OTAGATE_TOPOLOGY"])["second"] for s in own)


@dataclass
class FakeSwitches:
    """`breaks`: why the new one is not proven; `fails`: why the doors do not answer through it; at `halts` it
    rests until it is mended; `cut` is what the old one still had open."""

    breaks: str = ""
    fails: str = ""
    halts: Reach | None = None
    cut: tuple[str, ...] = ()
    replacement: Replacement | None = None
    serving: int = 1
    serving_second: int = 1

    def told(self) -> dict[str, Any]:
        """As the status names it."""
        return {
            "serving": self.serving,
            "serving_second": self.serving_second,
            "replacement": self.replacement,
        }

    def leaves_alone(self) -> None:
        if self.replacement is not None and self.replacement.acts:
            raise Refused(f"{self.replacement.by} is replacing the switch", code="replacing")

    def begin(
        self,
        holder: Holder,
        drain: float,
        now: float,
        unfinished: PromotionView | None,
        live: Colour | None,
        *,
        second: bool = False,
        pair: bool = False,
    ) -> Replacement:
        if second and not pair:
            raise Refused("there is one switch, and no second", code="no-pair")
        before, claim = self.replacement, holder.claim
        if unfinished is not None or (before is not None and not before.ended):
            raise Refused("a promotion or a replacement is unfinished", code="unfinished")
        if live is None:
            raise Refused("nothing is live yet", code="out-of-order")
        new, old = before.new + 1 if before else 2, self.serving_second if second else self.serving
        self.replacement = Replacement(
            claim.by, claim.origin, old, new, drain, Reach.BESIDE, now, now, holder.epoch, second=second
        )
        return self.replacement

    def take(self) -> Replacement:
        self.at(Reach.BESIDE)
        if self.breaks:
            raise SwitchFault(f"the new switch is not proven: {self.breaks}", code="switch-unproven")
        taking = self.reach(Reach.TAKING)
        if self.fails:
            self.reach(Reach.VOID, self.fails)
        self._go_on()
        return taking

    def mend(self, by: str) -> None:
        self.halts = None
        if self.replacement is not None and self.replacement.reach is Reach.BESIDE:
            self.reach(Reach.VOID, f"undone by {by}")
        self._go_on()

    def at(self, *reaches: Reach) -> Replacement:
        if self.replacement is None or self.replacement.reach not in reaches:
            raise Refused("no replacement is at that point", code="out-of-order")
        return self.replacement

    def reach(self, reach: Reach, reason: str = "") -> Replacement:
        before = self.replacement
        assert before is not None
        assert reach in FOLLOWS[before.reach]
        cut = self.cut if reach is Reach.DRAINED else before.cut
        self.replacement = replace(before, reach=reach, reason=reason or before.reason, cut=cut)
        if before.second:
            self.serving_second = self.replacement.serving
        else:
            self.serving = self.replacement.serving
        return self.replacement

    def _go_on(self) -> None:
        while (now := self.replacement) is not None and now.reach in _STEPS and now.reach is not self.halts:
            self.reach(_STEPS[now.reach])
