"""Finish or undo what was cut off: the steward looks first and does its part, this removes what it cannot."""

from dataclasses import dataclass

from otagate.core.cloud import Binding
from otagate.core.errors import Alarm, Refused
from otagate.core.incident import Incident
from otagate.core.plan import Action, Plan, Step
from otagate.core.platform import Platform
from otagate.core.promotion import STEWARDS_OWN, Event, Phase
from otagate.core.record import PromotionRecord
from otagate.core.replacement import Replacement
from otagate.core.traffic import Claim, Kind, PromotionView, Scope, Status
from otagate.flows.course import awake, discard, follow, what_discard_removes
from otagate.flows.incidents import left_open
from otagate.flows.look import live_status
from otagate.flows.switch import finish_replacement, steps_to_finish
from otagate.ports import Hold, Ports


@dataclass(frozen=True)
class Recovery:
    """`before`: what was found unfinished (None: nothing); `after`: what became of it; `incident`: what a release
    that was left by it wrote; `replacement` of the switch, if one was unfinished, as it ended; `mended`: where journal,
    map file and switch disagreed, and do no more."""

    before: PromotionView | None
    after: PromotionRecord | None
    incident: Incident | None = None
    replacement: Replacement | None = None
    mended: tuple[str, ...] = ()


def plan_recovery(platform: Platform, ports: Ports, *, override: str = "") -> Plan:
    """What `recover` would do, for `--dry-run`. Raises what it would raise before it touches anything."""
    status = live_status(platform, ports)
    if override:
        return _plan_to_keep(platform, status, override)
    if status.replacement is not None and not status.replacement.ended:
        return Plan(f"recover {platform.name}", steps_to_finish(platform, status.replacement))
    view = status.promotion
    if view is None or view.phase.ended:
        told = tuple(Step(Action.RUN, "switch", f"made to agree with the journal: {d}") for d in status.disagreements)
        return Plan(f"recover {platform.name}: nothing is unfinished", told)
    at_work = [h.claim for h in status.holders if h.claim.scope is Scope.PLATFORM]
    steps = [Step(Action.RUN, "lease", f"{claim.by} is at work ({claim.command}): waited for") for claim in at_work]
    what = f"{view.intent.kind} {view.intent.promotion}"
    if view.phase in STEWARDS_OWN:
        steps.append(Step(Action.KEEP, what, f"{view.phase}: the steward is at work, and is followed to the end"))
    elif view.phase is Phase.STRANDED:
        ends = "made where it was cut off in the turn, ended where nothing was turned"
        way = f"the way back to {view.came} is tried again; if {view.came} hangs: {ends}"
        first = f"nothing came before {view.intent.to}: if it served it is flipped and watched again"
        steps.append(Step(Action.TURN, "switch", f"stranded: {way if view.came else first}"))
    else:
        steps.append(Step(Action.RUN, what, f"cut off while {view.phase}: abandoned"))
        if view.phase is not Phase.PREFLIGHT and view.intent.kind is not Kind.ROLLBACK:
            clouds = ports.engine.observe(platform.name, [Binding.PRODUCTION])
            left = what_discard_removes(view.intent.to, clouds)
            steps.extend(Step(Action.REMOVE, c.name, "deployed for it") for c in left)
    return Plan(f"recover {platform.name}", tuple(steps))


def _plan_to_keep(platform: Platform, status: Status, reason: str) -> Plan:
    view = status.promotion
    if view is None or view.phase is not Phase.STRANDED:
        raise Refused("nothing is stranded: an override has nothing to keep", code="not-kept", hint="otagate status")
    to, what = view.intent.to, f"{view.intent.kind} {view.intent.promotion}"
    only = f"only if the map file says {to}, it answers, and nobody could go back to {view.came}"
    return Plan(
        f"recover {platform.name}",
        (
            Step(Action.RUN, "override", f"keeps {to}, unsigned: {only} ({reason})"),
            Step(Action.KEEP, what, f"ends promoted, not watched; {view.came} is no way back"),
        ),
    )


def recover(platform: Platform, ports: Ports, claim: Claim, *, wait: float, override: str = "") -> Recovery:
    """Idempotent: where nothing is unfinished only map file and switch are made to agree with the journal again. With
    `override` what is stranded ends on the colour that it leads to, in the name of the claim's `by`, or is Refused.

    Raises Busy while somebody still works on it after `wait` seconds, and Alarm where nothing is unfinished and they
    disagree all the same.
    """
    status = live_status(platform, ports)
    before, halfway = status.promotion, status.replacement
    view = ports.steward.recover(claim, wait, override)
    replacement = None if halfway is None or halfway.ended else finish_replacement(platform, ports, claim, wait=wait)
    if view is not None and (before is None or before.phase.ended or not _same(before, view)):
        before = view  # begun and cut off while this one waited
    elif before is None or before.phase.ended:
        return Recovery(None, None, replacement=replacement, mended=_mended(status, ports))
    if view is not None and view.phase is Phase.DISCARDING:
        with ports.steward.lease(claim, wait) as hold, awake(ports):
            _finish_discarding(platform, view, ports, hold)
    after = follow(before, ports)
    return Recovery(before, after, left_open(after, ports), replacement)


def _same(one: PromotionView, other: PromotionView) -> bool:
    return one.intent.promotion == other.intent.promotion


def _mended(before: Status, ports: Ports) -> tuple[str, ...]:
    """What disagreed and does no more. Raises Alarm for what still does."""
    if not before.disagreements:
        return ()
    if still := ports.steward.status().disagreements:
        hint = "a person must say which serves: otagate status shows what each one says"
        raise Alarm("they still disagree: " + "; ".join(still), code="disagreement", hint=hint)
    return before.disagreements


def _finish_discarding(platform: Platform, view: PromotionView, ports: Ports, hold: Hold) -> None:
    """Unless somebody else has done it since: it is looked at again, now that the lease is held."""
    now = ports.steward.status().promotion
    if now is None or not _same(now, view) or now.phase is not Phase.DISCARDING:
        return
    if view.intent.kind is not Kind.ROLLBACK:
        discard(platform, view.intent.to, ports, hold)
    hold.report(Event.OK, "removed what was deployed")
