"""Every two seconds: the live colour is told to be active, the other to be passive; of a pair one that slept through a
way back follows; disagreements are noted.

Level-triggered, for a service that its engine restarted starts passive and must come back to work. It heals nothing
that somebody else changed: that is shown, and `recover` settles it.
"""

import logging
import threading

from otagate.core.errors import Fault
from otagate.steward.helm import Helm
from otagate.steward.hooks import MOST
from otagate.steward.outlook import Outlook

EVERY = 2.0
log = logging.getLogger(__name__)


class Keeper:
    """A thread of its own from `start` on; `round` is one look, for tests as well."""

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
        self._keep_hooks()
        self._keep_pair()
        self._note()

    def _keep_hooks(self) -> None:
        """Each call short, for a service that hangs must not hold up a turn."""
        wrong = self._helm.hooks.keep(MOST)
        if wrong != self._wrong:
            log.warning("hooks: %s", wrong or "all answer again")
        self._wrong = wrong

    def _keep_pair(self) -> None:
        try:
            self._helm.catch_up()
        except Fault as fault:
            log.warning("the pair: %s", fault.message)

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
