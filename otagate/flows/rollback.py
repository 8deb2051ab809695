"""Back to the warm colour, for a person under stress: no choice to make, nothing to look up first.

What the steward is just flipping or watching is gone back from at once; what is live already is left by a flip of its
own, after the warm side is proven.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from otagate.core.build import Build
from otagate.core.cloud import Colour
from otagate.core.errors import Alarm, EngineFault, Refused, SwitchFault, UsageError
from otagate.core.incident import Incident
from otagate.core.plan import Action, Plan, Step
from otagate.core.platform import Platform, Tier
from otagate.core.preflight import Objection
from otagate.core.promotion import STEWARDS_OWN, Phase
from otagate.core.record import PromotionRecord
from otagate.core.release import release_of
from otagate.core.schema import Schema
from otagate.core.traffic import Claim, Intent, Kind, PromotionView, Status
from otagate.core.watch import WatchPolicy
from otagate.core.wayback import KEEP, NO_RELEASE, against_return
from otagate.flows.course import drive, follow, read_back
from otagate.flows.incidents import left_open, worst_impact
from otagate.flows.look import addresses, live_status
from otagate.ports import Hold, Ports, Progress

_LETTING_GO = 15.0  # seconds for the command line whose promotion was gone back from to give its lease back


@dataclass(frozen=True)
class Way:
    """Where a rollback leads. `lifted`: objections that an override lifts; without one there are none; `left`: the
    builds that are left, of `left_release`; `run`: the one whose release that is, "" unknown."""

    came: Colour
    to: Colour
    release: str
    builds: Mapping[str, str]
    left: Mapping[str, str]
    left_release: str
    schemas: Mapping[str, Schema]
    run: str
    lifted: tuple[Objection, ...] = ()


@dataclass(frozen=True)
class Return:
    """`record` is the promotion that turned traffic back, or that was gone back from; `status` what is so now;
    `incident` tells what the release that was left wrote; `before` is the promotion that had ended when it began."""

    record: PromotionRecord
    status: Status
    addresses: Mapping[str, tuple[str, ...]]
    incident: Incident | None
    before: PromotionView | None = None


def plan_rollback(platform: Platform, ports: Ports, *, override: str = "") -> Plan:
    """What `rollback` would do. Raises what it would raise before it touches anything."""
    status = live_status(platform, ports)
    if (view := _acting(status)) is not None:
        only = f"only if {view.came} answers as it should"
        back = Step(Action.TURN, "switch", f"{view.intent.to} → {view.came}, all listeners at once, {only}")
        return Plan(f"go back from {view.intent.kind} {view.intent.promotion}, now {view.phase}", (back,))
    return _plan(_way(status, override), override)


def _plan(way: Way, override: str) -> Plan:
    return Plan(
        f"roll back from {way.came} to {way.to}",
        (
            *(Step(Action.RUN, "override", f"lifts: {o.message} ({override})") for o in way.lifted),
            Step(Action.RUN, "smoke", f"{way.to} must answer with release {_short(way.release)}"),
            Step(Action.TURN, "switch", f"{way.came} → {way.to}, all listeners at once"),
            Step(Action.KEEP, str(way.came), "stays as it is, passive"),
        ),
    )


def rollback(platform: Platform, ports: Ports, claim: Claim, *, wait: float, override: str = "") -> Return:
    """Refused with the reason, also where another release went live while this waited: it is not the one to be left;
    `override` lifts what can be lifted, in the name of the claim's `by`. Raises Busy, and Alarm where journal, map file
    and switch disagree."""
    asked = live_status(platform, ports)
    left = _gone_back_from(asked, ports, claim)
    if left is not None and (left.view.intent.kind is Kind.ROLLBACK or left.view.phase is not Phase.PROMOTED):
        return _return(platform, ports, left)
    with ports.steward.lease(claim, max(wait, _LETTING_GO) if left else wait) as hold:
        status = live_status(platform, ports)
        _still_serves(_served(asked) if left is None else (left.view.intent.to, left.view.intent.release), status)
        way = _way(status, override)
        for line in _plan(way, override).text().splitlines():
            ports.tell(Progress("rollback", "", line.strip()))
        record = _turn_back(platform, ports, hold, way, _intent(platform, ports, way, claim, override))
    return replace(_return(platform, ports, record), before=status.promotion)


def _served(status: Status) -> tuple[Colour | None, str]:
    """The live colour and its release, "" unknown."""
    there = status.colours.get(status.live.value) if status.live is not None else None
    return status.live, there.release if there else ""


def _still_serves(leaves: tuple[Colour | None, str], status: Status) -> None:
    """Raises Refused if what serves now is not what was to be left."""
    if (now := _served(status)) == leaves:
        return
    (was, old), (serves, new) = leaves, now
    view = status.promotion
    by = f", by {view.intent.kind} {view.intent.promotion} of {view.intent.by}" if view else ""
    raise Refused(
        f"{was} with release {_short(old)} was to be left, and since then {serves} serves with {_short(new)}{by}",
        code="changed-meanwhile",
        hint="otagate status; to leave what serves now: otagate rollback",
    )


def _gone_back_from(status: Status, ports: Ports, claim: Claim) -> PromotionRecord | None:
    """What the steward is just doing is gone back from, whoever began it; None if it is doing nothing."""
    view = _acting(status)
    if view is None:
        return None
    ports.tell(Progress("rollback", "", f"{view.intent.kind} {view.intent.promotion} is {view.phase}: going back"))
    try:
        view = ports.steward.go_back(claim)
    except Refused as late:
        if late.code != "nothing-acts":
            raise
    return follow(view, ports)


def _acting(status: Status) -> PromotionView | None:
    view = status.promotion
    return view if view is not None and view.phase in STEWARDS_OWN and view.came is not None else None


def _way(status: Status, override: str) -> Way:
    if status.live is None:
        raise UsageError("nothing is live", code="no-production", hint="otagate up")
    if (view := status.promotion) is not None and not view.phase.ended:
        raise Refused(
            f"{view.intent.kind} {view.intent.promotion} of {view.intent.by} is unfinished: {view.phase}",
            code="unfinished",
            hint="otagate recover finishes or undoes it, then otagate rollback"
            + (f"; or, to keep {view.intent.to} where it serves: {KEEP}" if view.phase is Phase.STRANDED else ""),
        )
    if status.disagreements:
        raise Alarm(
            "switch, map file and journal disagree: " + "; ".join(status.disagreements),
            code="disagreement",
            hint="otagate recover (otagate up, where a switch is gone), then otagate rollback",
        )
    came, to = status.live, status.live.other
    there = status.colours.get(to.value)
    against = against_return(to, there, status.colours.get(came.value), status.schemas)
    if there is None or (against and not override) or any(o.code == NO_RELEASE for o in against):
        worst = against[0]
        raise Refused(worst.message, code=worst.code, hint=worst.hint)
    live = status.colours.get(came.value)
    left, release, run = (live.builds, live.release, live.run) if live else ({}, "", "")
    return Way(came, to, there.release, there.builds, left, release, there.schemas, run, against)


def _intent(platform: Platform, ports: Ports, way: Way, claim: Claim, override: str) -> Intent:
    return Intent(
        promotion=ports.clock.new_id("r-"),
        kind=Kind.ROLLBACK,
        run=way.run,
        release=way.release,
        builds=way.builds,
        to=way.to,
        by=claim.by,
        watch=WatchPolicy(lasts=0.0),
        drain=platform.deadlines.drain,
        override=override,
        schemas=way.schemas,
        impact=worst_impact(platform, way.left, way.builds, _redefined(platform, way)),
    )


def _redefined(platform: Platform, way: Way) -> tuple[str, ...]:
    """The services whose definition may differ between both releases: none where both are as the files say."""
    both = ((way.release, way.builds), (way.left_release, way.left))
    services = tuple(s.name for s in platform.of_tier(Tier.RELEASE))
    return () if all(_as_the_files_say(platform, *one) for one in both) else services


def _as_the_files_say(platform: Platform, release: str, builds: Mapping[str, str]) -> bool:
    known = {name: Build(name, digest, digest) for name, digest in builds.items()}
    try:
        return release_of(platform, known).digest == release
    except ValueError:  # another set of services
        return False


def _turn_back(platform: Platform, ports: Ports, hold: Hold, way: Way, intent: Intent) -> PromotionRecord:
    def preflight() -> None:
        for objection in way.lifted:
            hold.note(f"{objection.code}: lifted by {intent.by}, unsigned: {intent.override}")
        hold.note(f"{way.to} holds release {_short(way.release)}")

    def smoke() -> None:
        read_back(platform, way.to, way.builds, ports)
        hold.prove(way.to, way.builds)

    steps = {
        Phase.PREFLIGHT: preflight,
        Phase.DEPLOYING: lambda: hold.note(f"{way.to} stands already"),
        Phase.SMOKING: smoke,
    }
    # What is warm is never removed: a way back that does not answer is left as it is for a person to look at.
    return drive(intent, steps, lambda: hold.note(f"{way.to} is left standing"), hold, ports).record


def _return(platform: Platform, ports: Ports, record: PromotionRecord) -> Return:
    """Raises SwitchFault and EngineFault that say how it ended."""
    try:
        status = ports.steward.status()
        return Return(record, status, addresses(platform, ports), left_open(record, ports))
    except (SwitchFault, EngineFault) as fault:
        message = (
            f"the {record.view.intent.kind} ended {record.view.phase}; what serves cannot be asked: {fault.message}"
        )
        raise type(fault)(message, code=fault.code, hint="otagate status says what serves") from fault


def _short(release: str) -> str:
    return release.removeprefix("sha256:")[:12]
