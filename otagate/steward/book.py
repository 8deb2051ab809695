"""The journal together with what it adds up to; everything that changes goes through `write`, one entry at a time."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from otagate.core.canonical import plain
from otagate.core.cloud import Colour
from otagate.core.errors import Refused
from otagate.core.promotion import Event, Phase, advance
from otagate.core.replacement import Reach, Replacement
from otagate.core.traffic import Happening, Override, PromotionView, StewardEvent
from otagate.steward.account import Account, Stage, add, event_of
from otagate.steward.journal import Entry, Journal, JournalUnreadable
from otagate.steward.map_file import MapFile
from otagate.steward.outside import Clock

JOURNAL = "journal.sqlite3"
MAP = "active.map"


class Book:
    """Thread-safe. `write` raises JournalFull; then nothing changed and nothing may be done."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._grown = threading.Condition(threading.RLock())
        try:
            self._account = _summed(journal)
        except JournalUnreadable:
            journal.close()
            raise

    @classmethod
    def opened(cls, volume: Path, clock: Clock) -> "Book":
        """The volume's journal; a new one only where there is neither journal nor map. Raises JournalUnreadable."""
        path, map_file = volume / JOURNAL, MapFile(volume / MAP)
        if path.exists():
            return cls(Journal.found(path), clock)
        if map_file.exists():
            raise JournalUnreadable(f"{JOURNAL} is missing beside a map file, so this is not a new platform")
        return cls(Journal.made(path), clock)

    @property
    def account(self) -> Account:
        return self._account

    def write(self, kind: str, promotion: str = "", **body: Any) -> Entry:
        """One more entry. Raises JournalFull, and ValueError for what cannot follow; then nothing changed."""
        with self._grown:
            candidate = Entry(self._account.seq + 1, self._clock.now(), kind, promotion, plain(body))
            after = add(self._account, candidate)  # what cannot follow is not written
            self._journal.append(candidate.at, kind, promotion, candidate.body)
            self._account = after
            self._grown.notify_all()
            return candidate

    def advance(self, before: Phase, event: Event, message: str, override: Override | None = None) -> Phase:
        """Take the current promotion on from `before` by the table. Refused if it is not there any more: what was found
        in one phase says nothing of another. An `override` is said by the very entry that acts on it."""
        with self._grown:
            view = self.current()
            if view.phase is not before:
                what = f"promotion {view.intent.promotion} is {view.phase}, and not {before} any more"
                raise Refused(what, code="out-of-order", hint="otagate status")
            after = advance(before, event)
            body = {"before": before, "event": event, "after": after, "message": message, "override": override}
            self.write("advance", view.intent.promotion, **body)
            return after

    def turn(self, came: Colour | None, to: Colour, epoch: int, stage: Stage) -> None:
        """How far a turn of the switch came, under the current promotion."""
        view = self.current()
        self.write("turn", view.intent.promotion, came=came, to=to, epoch=epoch, stage=stage, phase=view.phase)

    def reach(self, reach: Reach, reason: str = "", cut: tuple[str, ...] = ()) -> Replacement:
        """How far the replacement of the switch came; raises ValueError if there is none, or it cannot be so."""
        with self._grown:
            before = self._account.replacement
            if before is None:
                raise ValueError("no replacement was ever begun")
            after = replace(
                before, reach=reach, changed=self._clock.now(), reason=reason or before.reason, cut=cut or before.cut
            )
            self.write("replacement", replacement=after)
            return after

    def tell(self, happening: Happening, message: str, **data: Any) -> None:
        """A line for those who follow."""
        view = self.current()
        self.write(happening.value, view.intent.promotion, phase=view.phase, message=message, data=data)

    def owe(self, message: str) -> None:
        """A debt of the current promotion: something harmless left undone."""
        view = self.current()
        self.write("debt", view.intent.promotion, phase=view.phase, message=message)

    def current(self) -> PromotionView:
        """The current promotion or the last one; raises ValueError if there never was one."""
        view = self._account.promotion
        if view is None:
            raise ValueError("no promotion was ever begun")
        return view

    def new_epoch(self) -> int:
        """The next one; it counts as given out once it is written: ask and write under `locked`."""
        return self._account.epoch + 1

    def events(self, promotion: str, since: int) -> tuple[tuple[int, StewardEvent], ...]:
        """One promotion's events after entry `since`, each with its entry's number."""
        told = ((entry.seq, event_of(entry)) for entry in self._journal.entries(promotion, since))
        return tuple((seq, event) for seq, event in told if event is not None)

    def wait(self, since: int, seconds: float) -> None:
        """Until there is an entry after `since`, at most so long."""
        with self._grown:
            self._grown.wait_for(lambda: self._account.seq > since, seconds)

    def close(self) -> None:
        self._journal.close()

    def locked(self) -> threading.Condition:
        """Hold this to look and write in one go."""
        return self._grown


def _summed(journal: Journal) -> Account:
    account = Account()
    for entry in journal.entries():
        try:
            account = add(account, entry)
        except (ValueError, KeyError, TypeError) as odd:
            raise JournalUnreadable(f"entry {entry.seq} does not follow: {odd}") from odd
    return account
