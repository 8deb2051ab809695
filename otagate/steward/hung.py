"""A colour that hangs, or that fails its own probe: whether it does, and how a promotion that was to lead away from it
goes on where it was stranded."""

from dataclasses import dataclass

from otagate.core.cloud import Colour
from otagate.core.errors import ProbeFault, Refused, SwitchFault
from otagate.core.promotion import Event, Phase
from otagate.core.topology import Door
from otagate.core.traffic import Kind, PromotionView
from otagate.steward.book import Book
from otagate.steward.helm import Helm

PAUSE = 3.0  # seconds: who is started again by its engine answers again meanwhile
NOT_KEPT = "not-kept"
AS_IT_IS = "otagate recover, without an override, tries the way back"


@dataclass(frozen=True)
class Hung:
    """Looks, and moves nothing."""

    helm: Helm
    book: Book

    def hangs(self, colour: Colour) -> bool:
        """Whether one of its listeners gives no answer, twice: what says no answers, and anybody may be late once."""
        return any(self._hangs(door, colour) for door in self.helm.doors)

    def _hangs(self, door: Door, colour: Colour) -> bool:
        if not self.helm.listeners.is_silent(door, colour):
            return False
        self.helm.clock.sleep(PAUSE)
        return self.helm.listeners.is_silent(door, colour)

    def fails(self, colour: Colour) -> bool:
        """Whether nobody can go back to it, by what the way back asks: a listener of it gives no answer, says no, or is
        another build, or the switch does not see it up."""
        held = self.book.account.colours.get(colour.value)
        try:
            self.helm.answers_as(colour, held.builds if held else {})
            return not self.helm.is_seen_up(colour)
        except (ProbeFault, Refused):
            return True
        except SwitchFault:
            return False  # whoever waits for the switch may find it up

    def was(self, view: PromotionView, phase: Phase) -> bool:
        """Whether a promotion ever was in a phase."""
        return any(event.phase is phase for _, event in self.book.events(view.intent.promotion, 0))

    def is_led_on(self, view: PromotionView, came: Colour) -> bool:
        """Whether it was stranded, and is to be turned away from `came` from wherever it stands."""
        return view.kept is not None or (self.was(view, Phase.STRANDED) and self.fails(came))

    def way_on(self, view: PromotionView, fault: str) -> tuple[Event, str]:
        """Of one that is stranded, and whose way back came to `fault`: what leads to a colour that fails ends where
        nothing was turned, or all was set back, or is made again, lest nobody may leave what hangs."""
        if view.came is None or not self.fails(view.came):
            return Event.FAULT, fault
        if self.is_set_back(view, view.came):
            return Event.OK, f"{fault}; {view.intent.to} may have served, {view.came} is live as it was before"
        if self.is_unmoved(view.came):
            return Event.ABORT, f"{fault}; nothing was turned, {view.came} is live as it was before"
        if self._goes_on(view):
            return Event.REFUSED, f"{fault}; {view.intent.to} is turned to again"
        return Event.FAULT, fault

    def may_be_kept(self, view: PromotionView) -> None:
        """What is stranded may end on the colour that it led to, by a person's word, where the map file says that one
        and it answers, and there is nothing to go back to. Raises Refused, and SwitchFault where it cannot be read."""
        to = view.intent.to
        if view.came is None:
            raise Refused(f"nothing came before {to}: otagate recover flips and watches it again", code=NOT_KEPT)
        if (file := self.helm.map_file.read()[0]) is not to:
            raise Refused(f"the map file says {file}, not {to}", code=NOT_KEPT, hint=AS_IT_IS)
        try:
            self.helm.answers_as(to, view.intent.builds)
        except (ProbeFault, Refused) as no:
            raise Refused(f"{to} is not proven: {no.message}", code=NOT_KEPT, hint=AS_IT_IS) from no
        if not self.fails(view.came):
            raise Refused(f"{view.came} can be gone back to", code=NOT_KEPT, hint=AS_IT_IS)

    def is_set_back(self, view: PromotionView, came: Colour) -> bool:
        """Whether `came` is live as it was before the promotion, though where that leads may have served meanwhile: at
        one of a pair, or at a switch that was started while the map file said so."""
        stay = self.book.account.served.get(view.intent.to.value)
        return stay is not None and stay.promotion == view.intent.promotion and self.is_unmoved(came)

    def ends_set_back(self, view: PromotionView, came: Colour) -> bool:
        """Whether it was stranded, and has no other way back than to stand as it was set back."""
        return self.was(view, Phase.STRANDED) and self.is_set_back(view, came) and self.fails(came)

    def is_unmoved(self, came: Colour) -> bool:
        """Whether it is live since before the promotion began, by map file and switch too."""
        account = self.book.account
        try:
            return account.live_epoch <= account.lease and self.helm.agrees(came, account.live_epoch)
        except SwitchFault:
            return False

    def _goes_on(self, view: PromotionView) -> bool:
        """Whether nothing is held against where it leads: a person went back to it, or its watch never began and nobody
        asked to go back."""
        held = self.book.account.leaving or self.was(view, Phase.WATCHING)
        return view.intent.kind is Kind.ROLLBACK or not held
