"""The steward's own phases of a promotion, from flip to end, in a thread of its own: it needs no command line.

Cut off and started again it looks first: a flip that was not done and read back is undone, a watch whose looks died
with the process begins anew, finalizing and rolling back go on, for both look before they move.
"""

import contextlib
import logging
import threading
from functools import partial

from otagate.core.cloud import Colour
from otagate.core.errors import Fault, Refused, SwitchFault
from otagate.core.promotion import NEXT, STEWARDS_OWN, Event, Phase
from otagate.core.traffic import Happening, Kind, Override, PromotionView
from otagate.core.watch import Back, Enough
from otagate.steward.account import Stage
from otagate.steward.aftermath import Aftermath
from otagate.steward.book import Book
from otagate.steward.drain import Drain
from otagate.steward.helm import Helm
from otagate.steward.hung import Hung
from otagate.steward.journal import JournalFull
from otagate.steward.lookout import Lookout
from otagate.steward.outside import Clock
from otagate.steward.traffic import before_the_flip, before_the_turn

TOLD_BACK = "told to go back"
log = logging.getLogger(__name__)


class Course:
    """At most one thread works; `set_off` starts it where there is work for it."""

    def __init__(self, helm: Helm, book: Book, clock: Clock) -> None:
        self._helm = helm
        self._book = book
        self._clock = clock
        self._aftermath = Aftermath(helm, book)
        self._hung = Hung(helm, book)
        self._abort = threading.Event()
        self._thread: threading.Thread | None = None
        self._letting_go: threading.Thread | None = None
        self._starting = threading.Lock()
        self._taking_on = threading.Lock()
        self._taken_on = False

    def set_off(self) -> None:
        """Start working, if nobody works already."""
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self.run, name="course", daemon=True)
                self._thread.start()

    def abort(self) -> None:
        """Take the way out of flipping or watching at the next step."""
        self._abort.set()

    def _told_back(self) -> bool:
        """By the one who began it, or, also before a restart, by whoever asked to go back."""
        return self._abort.is_set() or self._book.account.leaving

    def forget_abort(self) -> None:
        """Before a promotion gets to phases of the steward's own: what was told before it was not meant for it."""
        self._abort.clear()

    def resume(self) -> None:
        """After a restart: go on with what the last steward left."""
        if self.take_on():
            self.set_off()

    def take_on(self) -> bool:
        """Settle how far the last steward came; answers whether there is something to go on with. Whoever wants to act
        has it done first, and it is done once: what is begun afterwards was not cut off. Raises JournalFull."""
        with self._taking_on:
            if not self._taken_on:
                self._settle_cut_off()
                self._taken_on = True
        view = self._book.account.unfinished
        return view is not None and view.phase in STEWARDS_OWN

    def _settle_cut_off(self) -> None:
        view = self._book.account.unfinished
        if view is None or view.kept is not None:  # by a person's word: made again, and looked at anew
            return
        if view.phase is Phase.WATCHING:
            self._book.tell(Happening.STEP, "the steward was cut off: the watch begins anew")
        elif view.phase is Phase.FLIPPING and self._is_flipped(view):
            self._book.advance(view.phase, Event.OK, "the flip was done and read back before the steward was cut off")
        elif (
            view.phase is Phase.FLIPPING and view.came is not None
        ):  # a first release is flipped again: it has no way back
            self._book.advance(view.phase, Event.ABORT, "the steward was cut off inside the flip")

    def _is_flipped(self, view: PromotionView) -> bool:
        turn = self._book.account.turn
        return turn is not None and turn.promotion == view.intent.promotion and turn.stage is Stage.DONE

    def run(self) -> None:
        """Phase after phase until the promotion ends or halts."""
        while (view := self._book.current()).phase in STEWARDS_OWN:
            event, message = self._outcome(view)
            if (view.phase, event) not in NEXT:
                event = Event.FAULT
            self._aftermath.look(view, event)
            if not self._advanced(view, event, message):
                self._clock.sleep(1.0)

    def _advanced(self, view: PromotionView, event: Event, message: str) -> bool:
        """What cannot be journalled is not so: the phase that it is in is done again, which is safe, for each looks
        first."""
        try:
            self._book.advance(view.phase, event, message)
        except (JournalFull, Refused) as no:
            log.error("%s", no.message)
            return False
        return True

    def _outcome(self, view: PromotionView) -> tuple[Event, str]:
        try:
            return self._phase(view)
        except Refused as no:
            return Event.REFUSED, no.message
        except Fault as fault:
            return Event.FAULT, fault.message
        except Exception as bug:  # a bug must take the way out as well, not end the thread with traffic unproven
            log.exception("phase %s broke", view.phase)
            return Event.FAULT, f"bug of the steward: {type(bug).__name__}: {bug}"

    def _phase(self, view: PromotionView) -> tuple[Event, str]:
        match view.phase:
            case Phase.FLIPPING:
                self._flip(view)
                return Event.OK, f"{view.intent.to} is live on every listener"
            case Phase.WATCHING:
                return self._watched(view)
            case Phase.FINALIZING:
                return self._finalize(view)
            case _:
                return self._roll_back(view)

    def _flip(self, view: PromotionView) -> None:
        """A first release has no way back once the switch has read its map: what broke there is tried again. To what a
        person goes back from, or what hangs, nobody would return: a hook that it does not take is no reason to stay.
        What was stranded because of it is led on from wherever it stands."""
        if view.came is not None and view.intent.kind is Kind.ROLLBACK:
            return self._helm.leave(view.came, view.intent.to, view.intent.builds)
        if view.came is not None and self._hung.is_led_on(view, view.came):
            self._note_hung(view)
            return self._helm.leave(view.came, view.intent.to, view.intent.builds, hangs=True)
        if hangs := view.came is not None and self._hung.hangs(view.came):
            self._note_hung(view)
        until: float | None = None
        while True:
            try:
                may = partial(self._wanted, view)
                return self._helm.turn(view.came, view.intent.to, view.intent.builds, may, hangs=hangs)
            except (Refused, Fault) as broke:
                until = until or self._clock.monotonic() + self._helm.patience.up
                if view.came is not None or not self._helm.is_awake() or self._clock.monotonic() >= until:
                    raise
                log.warning("the first flip is made again: %s", broke.message)
            self._clock.sleep(self._helm.patience.step)

    def _wanted(self, view: PromotionView) -> None:
        """Raises Refused once somebody told it to go back, where there is anything to go back to."""
        if view.came is not None and self._told_back():
            raise Refused(TOLD_BACK)

    def _note_hung(self, view: PromotionView) -> None:
        """Before traffic is turned away: what is left so is no way back, whatever comes."""
        if not view.hung:
            message = f"{view.came} does not answer its probe as it should: it is left, and is no way back"
            self._book.write("hung", view.intent.promotion, phase=view.phase, message=message)

    def _watched(self, view: PromotionView) -> tuple[Event, str]:
        """A first release has no way back: its watch is ended by what it saw, and begun again where it broke. Ended so
        it is stranded, until somebody's `recover` has it flipped and watched again. What a person's word keeps is not
        watched: there is nothing to go back to."""
        if view.kept is not None:
            return Event.OK, f"not watched: {view.kept.by} keeps {view.intent.to}, unsigned"
        until: float | None = None
        while True:
            try:
                event, message = self._watch(view)
            except Fault as fault:
                event, message = Event.FAULT, fault.message
            until = until or self._clock.monotonic() + self._helm.patience.up
            if view.came is not None or event is not Event.FAULT or self._clock.monotonic() >= until:
                return event, message
            log.warning("the first watch begins again: %s", message)
            self._clock.sleep(self._helm.patience.step)

    def _watch(self, view: PromotionView) -> tuple[Event, str]:
        lookout = self._lookout(view)
        drain, until = Drain(self._helm, self._book, view.came), self._deadline(view)
        if not self._told_back():  # nobody is asked to drain what will be live again
            self._let_go(view)
        while True:
            if self._told_back():
                return Event.ABORT, TOLD_BACK
            seen = lookout.look()
            left = self._tell(lookout, drain)
            if isinstance(seen, Back):
                return Event.REFUSED, seen.message
            if isinstance(seen, Enough):
                return self._still_there(view, seen)
            if left and self._clock.monotonic() >= until:
                self._cut(drain)
            self._clock.sleep(view.intent.watch.every)

    def _lookout(self, view: PromotionView) -> Lookout:
        events = [event for _, event in self._book.events(view.intent.promotion, 0)]
        to, before = view.intent.to, before_the_flip(events, view.came)
        lookout = Lookout(self._helm, self._clock, to, view.intent.watch, before, before_the_turn(events, to))
        if view.intent.watch.lasts > 0:
            try:
                self._book.tell(Happening.STEP, f"the watch sees {lookout.sight()}")
            except JournalFull as full:
                log.error("%s", full.message)
        return lookout

    def _let_go(self, view: PromotionView) -> None:
        """Have the old colour's long sessions closed beside the watch: a service that hangs must not blind it."""
        if view.came is not None and self._helm.hooks.drains:
            self._letting_go = threading.Thread(target=self._drain, args=(view.came,), name="drain", daemon=True)
            self._letting_go.start()

    def _drain(self, colour: Colour) -> None:
        """The drain hooks of a colour that traffic turned away from; what goes wrong is told, the sessions are cut at
        the deadline then."""
        wrong = self._helm.hooks.drain(colour)
        try:
            said = f"{colour} does not drain by itself: {wrong}" if wrong else f"{colour} was asked to drain"
            self._book.tell(Happening.STEP, said)
        except JournalFull as full:
            log.error("%s", full.message)

    def _let_gone(self) -> None:
        """Until the hooks have answered, which their deadlines bound."""
        if self._letting_go is not None:
            self._letting_go.join()
            self._letting_go = None

    def _still_there(self, view: PromotionView, seen: Enough) -> tuple[Event, str]:
        """A watch over a colour from which somebody else took the traffic has watched nothing."""
        if not self._helm.agrees(view.intent.to, self._book.account.live_epoch):
            return Event.FAULT, "journal, map file and switch did not agree at the end of the watch"
        if not view.intent.watch.lasts > 0:
            return Event.OK, f"{view.intent.to} is healthy, its answers are not judged"
        return Event.OK, f"watched: {seen.answers} answers, nothing against it"

    def _tell(self, lookout: Lookout, drain: Drain) -> bool:
        """Lines for those who follow; a full disk silences them, it does not end the watch. Answers whether sessions
        are open on the old colour."""
        try:
            if line := lookout.line():
                self._book.tell(Happening.WATCH, line[0], **line[1])
            if lookout.counts is not None:
                return any(drain.tell(lookout.counts, self._clock.monotonic()).values())
        except (JournalFull, SwitchFault) as fault:
            log.error("%s", fault.message)
        return False

    def _cut(self, drain: Drain) -> None:
        """The watch goes on whatever does not end: the next look finds it open still."""
        try:
            drain.cut(self._helm.switch)
        except (JournalFull, SwitchFault) as fault:
            log.error("%s", fault.message)

    def _finalize(self, view: PromotionView) -> tuple[Event, str]:
        """The old colour stays."""
        if view.came is None:
            return Event.OK, "the first release: nothing came before it"
        self._let_gone()
        stays = f"{view.came} is no way back: it did not answer" if view.hung else f"{view.came} stays warm"
        return Event.OK, f"{stays}; {self._ended(view, view.came)}"

    def _deadline(self, view: PromotionView) -> float:
        """The drain's, counted from the turn, on the monotonic clock."""
        turned = self._book.account.last_flip or view.changed
        return self._clock.monotonic() + max(0.0, turned + view.intent.drain - self._clock.now())

    def _ended(self, view: PromotionView, left: Colour) -> str:
        """Open sessions of the colour that traffic left are given until the drain's deadline and are cut then; answers
        what became of them. Raises SwitchFault for what could not be seen or cut."""
        drain, until = Drain(self._helm, self._book, left), self._deadline(view)
        while True:
            late = self._clock.monotonic() >= until
            try:
                switch = self._helm.present()
                still = drain.tell(switch.counts(), self._clock.monotonic())
            except SwitchFault:
                if late:
                    raise
                still = None
            if still is not None and not any(still.values()):
                return f"{left} is drained"
            if view.phase is Phase.FINALIZING and self._told_back():
                return f"{left} is to be returned to: what is still open on it stays so"
            if still and late:
                return f"{drain.cut(switch)} sessions of {left} cut at the drain's deadline"
            self._clock.sleep(self._helm.patience.step)

    def _roll_back(self, view: PromotionView) -> tuple[Event, str]:
        """Traffic is back before anything is waited for. Then the failed colour's sessions are ended, lest a sender
        that reached it stays there; what cannot be ended is owed, and makes the way back no less proven. What was
        set back to what hangs, and stranded there, stands where it began: `recover` has it end so."""
        if view.came is not None and self._hung.ends_set_back(view, view.came):
            event, message = Event.OK, f"{view.came} is live as it was before, and does not answer as it should"
        else:
            event, message = self.way_back(view)
        if event is not Event.OK or view.came is None:
            return event, message
        failed = view.intent.to
        self._let_gone()
        if self._helm.hooks.drains:
            self._drain(failed)
        try:
            return event, f"{message}; {self._ended(view, failed)}"
        except SwitchFault as fault:
            with contextlib.suppress(JournalFull):  # traffic is back, and stays so
                self._book.owe(f"what is still open on {failed} was not ended: {fault.message}")
            return event, message

    def way_back(self, view: PromotionView) -> tuple[Event, str]:
        """Look before moving: OK if the colour that came before serves again, FAULT if it is not proven. Raises Refused
        if nothing came before, and Fault."""
        if view.came is None:
            self._helm.unmake()
            return Event.OK, "nothing was live and nothing is"
        held = self._book.account.colours.get(view.came.value)
        if held is None:
            return Event.FAULT, f"the journal does not know what {view.came} holds"
        self._void_what_was_not_made(view, view.came)
        try:
            self._helm.go_back(view.intent.to, view.came, held.builds)
        except Refused as no:
            return Event.FAULT, f"{view.came} is not proven: {no.message}"
        return Event.OK, f"{view.came} is live again on every listener"

    def _void_what_was_not_made(self, view: PromotionView, came: Colour) -> None:
        """A turn that was meant, and that neither map file nor switch ever said, had nothing served: where it ends so
        nothing is held against the release."""
        turn = self._book.account.turn
        if turn is None or (turn.promotion, turn.stage) != (view.intent.promotion, Stage.INTENT):
            return
        if self._hung.is_unmoved(came):
            self._book.turn(turn.came, turn.to, turn.epoch, Stage.VOID)

    def settle_stranded(self) -> None:
        """Try the way back once more, in the caller's thread; then `set_off`, for the rest. A first release that served
        has none, and is flipped and watched again; a colour that hangs is none (see `Hung.way_on`)."""
        view = self._book.current()
        if view.phase is Phase.STRANDED:
            self.forget_abort()
            self._book.advance(view.phase, *self._outcome_of_way_back(view))

    def keep(self, override: Override) -> None:
        """End what is stranded on the colour that it leads to, by a person's word; then `set_off`, for the rest. Switch
        and journal follow the map file first, as at a restart. Raises Refused and Fault: it is stranded as before."""
        view = self._book.current()
        self._hung.may_be_kept(view)
        self._helm.settle()
        message = f"{override.by} from {override.origin} keeps {view.intent.to}, unsigned: {override.reason}"
        self.forget_abort()
        self._book.advance(view.phase, Event.REFUSED, message, override)

    def _outcome_of_way_back(self, view: PromotionView) -> tuple[Event, str]:
        try:
            event, message = self.way_back(view)
        except Refused as no:
            return Event.REFUSED, no.message
        except Fault as fault:
            event, message = Event.FAULT, fault.message
        return (event, message) if event is not Event.FAULT else self._hung.way_on(view, message)
