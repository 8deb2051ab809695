"""The shadow of a promotion: copies of live safe requests, asked of both colours by the steward and compared.

The switch only keeps copies in its memory; whom they are asked of, and how long that takes, none of its clients can
feel. The live colour is asked the copy once more, beside the candidate: one worker, one request at a time, within the
rule's bounds.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from otagate.core.canonical import plain
from otagate.core.cloud import Colour
from otagate.core.errors import Refused, SwitchFault
from otagate.core.shadow import (
    Difference,
    Reply,
    Request,
    ShadowRule,
    ShadowSeen,
    beyond_own,
    compare,
    judged,
    read_request,
)
from otagate.core.topology import Door
from otagate.core.traffic import Happening
from otagate.steward.book import Book
from otagate.steward.helm import Helm

DEADLINE = 2.0  # seconds for one answer
_EVERY = 0.05  # seconds between two looks for copies


class Shadow:
    """Asks for one promotion; `run` is called in the session's own thread."""

    def __init__(self, helm: Helm, book: Book) -> None:
        self._helm = helm
        self._book = book

    def run(
        self, colour: Colour, rules: Mapping[str, ShadowRule], still: Callable[[], object]
    ) -> dict[str, ShadowSeen]:
        """By listener, one after the other; each is journalled. `still` raises once the promotion is no longer
        the asker's: nothing is asked of anybody any more, and nothing journalled. Raises Refused where there is nothing
        to compare with."""
        live = self._book.account.live
        if live is None or live is colour:
            raise Refused(f"{colour} has no live colour beside it to be compared with", code="shadow")
        doors = {door.name: door for door in self._helm.doors if door.shadowed}
        seen = {}
        for name, rule in rules.items():
            if name not in doors:
                what = f"the switch was made without a shadow of {name}"
                raise Refused(what, code="shadow-unapplied", hint="otagate up says what is changed and not applied")
            seen[name] = self._one(doors[name], rule, (live, colour), still)
            still()
            word = judged(rule, seen[name])
            self._book.tell(
                Happening.STEP,
                f"shadow of {name}: {word.message}",
                shadow={"listener": name, "told": word.told, "refuses": word.refuses, **plain(seen[name])},
            )
        return seen

    def _one(
        self, door: Door, rule: ShadowRule, colours: tuple[Colour, Colour], still: Callable[[], object]
    ) -> ShadowSeen:
        """A switch that is lost ends it early: what was compared by then counts. The last look leaves no copy with the
        switch. What `still` raises ends it too."""
        clock, seen = self._helm.clock, ShadowSeen()
        until = clock.monotonic() + rule.lasts

        def over() -> bool:
            return clock.monotonic() >= until or seen.compared >= rule.most

        try:
            self._helm.switch.arm_shadow(door.name, rule.lasts, rule.most)
            while True:
                ended = over()
                copies, dropped = self._helm.switch.take_shadow(door.name)
                seen = replace(seen, dropped=seen.dropped + dropped)
                for number, raw in enumerate(copies):
                    still()
                    if ended or over():
                        seen = replace(seen, dropped=seen.dropped + len(copies) - number)
                        break
                    seen = self._asked(seen, door, rule, raw, colours)
                still()
                if ended:
                    return seen
                clock.sleep(_EVERY)
        except SwitchFault as fault:
            return replace(seen, trouble=fault.message)

    def _asked(
        self, seen: ShadowSeen, door: Door, rule: ShadowRule, raw: bytes, colours: tuple[Colour, Colour]
    ) -> ShadowSeen:
        """Where the live colour does not answer the same twice it cannot be departed from."""
        try:
            request = read_request(raw)
        except ValueError:
            return replace(seen, unpaired=seen.unpaired + 1)
        live, new = colours
        before = self._fetch(door, live, request)
        if before is None:
            return replace(seen, unpaired=seen.unpaired + 1)
        answer = self._fetch(door, new, request)
        if answer is None:
            return seen.with_compared(request, [Difference("answer", f"none from the new colour in {DEADLINE:g} s")])
        found = compare(rule, request, before, answer)
        if found:
            again = self._fetch(door, live, request)
            if again is None:
                return replace(seen, unpaired=seen.unpaired + 1)
            found = beyond_own(found, compare(rule, request, before, again))
            if not found:
                return replace(seen, moving=seen.moving + 1)
        return seen.with_compared(request, found)

    def _fetch(self, door: Door, colour: Colour, request: Request) -> Reply | None:
        return self._helm.services.fetch(door.backs[colour.value], door.port, request, DEADLINE)
