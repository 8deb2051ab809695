"""After a way back, with traffic turned already: what the release that was left says it wrote, and that set apart.

It can only inform. Whatever breaks here is told in the incident as not known, and the promotion ends as it would.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from otagate.core.errors import ProbeFault
from otagate.core.incident import Incident, Written, read_quarantined, read_written
from otagate.core.platform import HookName
from otagate.core.promotion import NEXT, Event
from otagate.core.text import counted
from otagate.core.topology import HookCall
from otagate.core.traffic import PromotionView
from otagate.steward.account import incident_of
from otagate.steward.book import Book
from otagate.steward.helm import Helm
from otagate.steward.journal import JournalFull

MARGIN = 2.0  # seconds by which the services' clocks may be behind ours
log = logging.getLogger(__name__)
T = TypeVar("T")


class Aftermath:
    """Asks under no lock: a service that hangs holds up nobody but the end of this promotion, until its deadline."""

    def __init__(self, helm: Helm, book: Book) -> None:
        self._helm = helm
        self._book = book

    def look(self, view: PromotionView, event: Event) -> None:
        """Ask whatever `event` in this phase would open an incident about."""
        try:
            incident = incident_of(self._book.account, NEXT[view.phase, event], 0.0, "")
            for service in sorted(incident.builds if incident else ()):
                if incident is not None:
                    self._tell(view, self._asked(incident, service))
        except JournalFull as full:
            log.error("%s", full.message)
        except Exception:  # the incident then says that nobody asked
            log.exception("what was written could not be asked")

    def _tell(self, view: PromotionView, written: Written) -> None:
        message = f"{written.service}: {words(written)}"
        self._book.write("written", view.intent.promotion, phase=view.phase, message=message, written=written)

    def _asked(self, incident: Incident, service: str) -> Written:
        written = self._written(incident, service)
        quarantine = self._hook(service, HookName.QUARANTINE)
        if quarantine is None:
            return written
        number, wrong = self._answer(quarantine, incident, read_quarantined)
        message = "; ".join(filter(None, (written.message, wrong and f"quarantine: {wrong}")))
        return Written(service, written.count, written.items, number, message)

    def _written(self, incident: Incident, service: str) -> Written:
        hook = self._hook(service, HookName.WRITTEN_SINCE)
        if hook is None:
            return Written(service, message="it declares no written_since hook")
        written, wrong = self._answer(hook, incident, lambda answer: read_written(service, answer))
        return written or Written(service, message=wrong)

    def _hook(self, service: str, name: HookName) -> HookCall | None:
        return next((h for h in self._helm.topology.hooks if h.service == service and h.name == name), None)

    def _answer(self, hook: HookCall, incident: Incident, read: Callable[[Any], T]) -> tuple[T | None, str]:
        """The first that answers of the colour that was left, which knows best, and the one that serves now."""
        wrong = []
        for colour in (incident.colour, incident.colour.other):
            url = f"http://{hook.hosts[colour.value]}:{hook.port}{hook.path}"
            try:
                answer = self._helm.services.tell(url, asked_of(incident, hook.service), hook.deadline)
                if answer is None:
                    wrong.append(f"{hook.service} of {colour} is not there")
                else:
                    return read(answer), ""
            except ProbeFault as fault:
                wrong.append(fault.message)
            except ValueError as odd:
                wrong.append(f"{url} answers what cannot be read: {odd}")
        return None, "; ".join(wrong)


def asked_of(incident: Incident, service: str) -> Mapping[str, Any]:
    """The body of both hooks: whose rows, and since when (ISO 8601, UTC)."""
    since = datetime.fromtimestamp(max(0.0, incident.since - MARGIN), UTC).isoformat()
    return {"build": incident.builds[service], "colour": incident.colour.value, "since": since}


def words(written: Written) -> str:
    """`wrote 3 objects …`, or that it is not known."""
    said = "what it wrote is not known" if written.count is None else f"wrote {counted(written.count, 'object')}"
    apart = "" if written.quarantined is None else f", {written.quarantined} quarantined"
    return f"{said}{apart}" + (f" ({written.message})" if written.message else "")
