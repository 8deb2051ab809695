"""What the steward tells the services of a colour: to be active or passive, to close their sessions; and what they say
of themselves. Raises Fault where a service does not take it."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from otagate.core.cloud import Colour
from otagate.core.errors import Fault, ProbeFault
from otagate.core.platform import HookName
from otagate.core.topology import HookCall, Topology
from otagate.core.traffic import Happening
from otagate.steward.book import Book
from otagate.steward.outside import Services

ACTIVATE, PASSIVE, DRAIN = (hook.value for hook in (HookName.ACTIVATE, HookName.PASSIVE, HookName.DRAIN))
INVARIANTS = HookName.INVARIANTS.value
MOST = 1.0  # seconds for telling again what the keeper goes on to tell


@dataclass(frozen=True)
class Hooks:
    """Of one platform. `lock` is the helm's, held for each call that changes who works."""

    topology: Topology
    book: Book
    services: Services
    lock: threading.RLock

    def stand_down(self, came: Colour | None, most: float | None = None) -> None:
        """The old colour stops working on its own, before the new one begins. Raises ProbeFault; of one that hangs what
        it does not take in `most` seconds is owed."""
        if came is not None and most is not None:
            if wrong := self.hush(came, most):
                self.book.owe(f"{came} may still work on its own: {wrong}")
        elif came is not None:
            for hook in self._hooks(PASSIVE):
                if not self._call(hook, came):
                    self.book.tell(Happening.STEP, f"{hook.service} of {came} is not there to be made passive")

    def step_in(self, to: Colour) -> None:
        """The new colour begins to work on its own. Raises ProbeFault."""
        for hook in self._hooks(ACTIVATE):
            if not self._call(hook, to):
                raise ProbeFault(f"{hook.service} of {to} is not there to be activated")

    def hush(self, colour: Colour, most: float = float("inf")) -> str:
        """Make a colour passive as far as it is there, in at most `most` seconds for all its services; answers what
        went wrong, "" if nothing did."""
        return self._each(PASSIVE, lambda: colour, most / max(1, len(self._hooks(PASSIVE))))

    def rouse(self, colour: Colour, most: float = float("inf")) -> str:
        """Activate a colour, likewise."""
        return self._each(ACTIVATE, lambda: colour, most / max(1, len(self._hooks(ACTIVATE))))

    @property
    def drains(self) -> bool:
        """Whether any service can be asked to close its sessions."""
        return bool(self._hooks(DRAIN))

    def drain(self, colour: Colour, most: float = float("inf")) -> str:
        """Ask a colour that is not live any more to close its sessions, in at most `most` seconds for all its services;
        answers what went wrong, "" if nothing did.

        Without the lock: whatever turns meanwhile, closing a session after its acknowledgement does no harm.
        """
        wrong, hooks = [], self._hooks(DRAIN)
        for hook in hooks:
            try:
                if not self._call(hook, colour, most / len(hooks)):
                    wrong.append(f"{hook.service} of {colour} is not there")
            except Fault as fault:
                wrong.append(fault.message)
        return "; ".join(wrong)

    def invariants(self, colour: Colour, most: float) -> Mapping[str, Any]:
        """What each service of a colour that has the hook answers to it, None where it does not; at most `most` seconds
        each. Without the lock: it moves nothing."""
        return {hook.service: self._asked(hook, colour, most) for hook in self._hooks(INVARIANTS)}

    def _asked(self, hook: HookCall, colour: Colour, most: float) -> Any:
        try:
            return self.services.tell(_url(hook, colour), {}, min(hook.deadline, most))
        except Fault:
            return None

    def keep(self, most: float) -> str:
        """Tell the idle colour again to be passive and the live one to be active, at most `most` seconds each."""
        idle = self._each(PASSIVE, lambda: self.book.account.live and self.book.account.live.other, most)
        live = self._each(ACTIVATE, lambda: self.book.account.live, most)
        return "; ".join(filter(None, (idle, live)))

    def _each(self, name: str, whom: Callable[[], Colour | None], most: float = float("inf")) -> str:
        """Who is meant is asked under the lock, hook by hook: a turn may have come in between."""
        wrong = []
        for hook in self._hooks(name):
            with self.lock:
                colour = whom()
                try:
                    if colour is not None and not self._call(hook, colour, most) and name == ACTIVATE:
                        wrong.append(f"{hook.service} of {colour} is not there")
                except Fault as fault:
                    wrong.append(fault.message)
        return "; ".join(wrong)

    def _hooks(self, name: str) -> tuple[HookCall, ...]:
        return tuple(hook for hook in self.topology.hooks if hook.name == name)

    def _call(self, hook: HookCall, colour: Colour, most: float = float("inf")) -> bool:
        return self.services.call(_url(hook, colour), min(hook.deadline, most))


def _url(hook: HookCall, colour: Colour) -> str:
    return f"http://{hook.hosts[colour.value]}:{hook.port}{hook.path}"
