"""Every two seconds: the live colour is told to be active, the other to be passive; disagreements are noted.

Level-triggered, for a service that its engine restarted starts passive and must come back to work. It heals nothing
that somebody else changed: that is shown, and `recover` settles it.
"""

import logging
import threading

from otagate.core.errors import Fault
from otagate.steward.helm import Helm
from otagate.steward.outlook import Outlook

EVERY = 2.0
log = logging.getLogger(__name__)


class Keeper:
    def __init__(self, helm: Helm, outlook: Outlook) -> None:
        self._helm = helm
        self._outlook = outlook
        self._said: tuple[str, ...] = ()
        self._wrong = ""
        self._ends = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="keeper", daemon=True).start()

    def stop(self) -> None:
        self._ends.set()

    def _run(self) -> None:
        while not self._ends.wait(EVERY):
            try:
                self.round()
            except Exception:  # the keeper must outlive whatever one round meets
                log.exception("a round of the keeper broke")

    def round(self) -> None:
        """One look. While a turn is being made it stays out of the way."""
        if not self._helm.lock.acquire(blocking=False):
            return
        try:
            self._keep_hooks()
        finally:
            self._helm.lock.release()
        self._note()

    def _keep_hooks(self) -> None:
        live = self._helm.book.account.live
        if live is None:
            return
        wrong = "; ".join(filter(None, (self._helm.hush(live.other), self._helm.rouse(live))))
        if wrong != self._wrong:
            log.warning("hooks: %s", wrong or "all answer again")
        self._wrong = wrong

    def _note(self) -> None:
        found = self._outlook.disagreements()
        if found == self._said:
            return
        self._said = found
        message = "; ".join(found) or "journal, map file and switch agree again"
        log.warning("%s", message)
        try:
            self._helm.book.write("seen", message=message)
        except Fault as fault:
            log.error("%s", fault.message)
