"""Bodies of the commands about what is live: promote, rollback, status, recover."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from otagate import wiring
from otagate.cli.incidents import data_of, impact_of, lines_of
from otagate.cli.result import Result, kept, planned
from otagate.cli.session import opened
from otagate.cli.switch import data_of as of_switch
from otagate.cli.switch import ending as ending_of_switch
from otagate.cli.switch import lines_of as lines_of_switch
from otagate.core import mirror
from otagate.core.errors import Exit, UsageError
from otagate.core.mirror import Difference, ObservedContainer
from otagate.core.places import STEWARD, SWITCH
from otagate.core.promotion import STEWARDS_OWN, Phase
from otagate.core.schema import either
from otagate.core.traffic import ColourView, Holder, Kind, PromotionView, Scope, Status
from otagate.core.wayback import KEEP

if TYPE_CHECKING:
    from otagate.flows.promote import Attempt

# No command applies these yet: holder and state tier stand as they were defined when they were made.
UNAPPLIED = "take the change back, or make the platform anew (otagate down --destroy-state NAME, then otagate up)"
ADDED = "otagate up adds what is missing"

# After a rollback that did not go back.
AGAIN = "see to what the reason names, then otagate rollback; or otagate test an earlier build, then otagate promote it"

# The steward's word for a flip that the switch acknowledged and that was read back.
TURNED = "turned"


def promote(run: str, where: str | None, *, by: str | None, dry_run: bool, wait: str) -> Result:
    from otagate.flows import promote as flow
    from otagate.flows.keeping import keep_last

    with opened(where) as (platform, ports):
        if dry_run:
            return planned(flow.plan_promotion(platform, flow.look_for_promotion(platform, run, ports), ports))
        claim = wiring.claim(Scope.PLATFORM, by, f"otagate promote {run}", f"promote run {run}")
        lost = kept(lambda: keep_last(platform, ports))  # from now on it is not the last one any more
        attempt = flow.promote(platform, run, ports, claim, wait=wiring.duration(wait))
        return _came_to(attempt, (*lost, *kept(lambda: ports.store.save_promotion(platform.name, attempt.record))))


def rollback(where: str | None, *, by: str | None, override: str | None, dry_run: bool, wait: str) -> Result:
    from otagate.flows import rollback as flow
    from otagate.flows.keeping import keep

    reason = _reason(override, by, "otagate rollback")
    with opened(where) as (platform, ports):
        if dry_run:
            return planned(flow.plan_rollback(platform, ports, override=reason))
        claim = wiring.claim(Scope.PLATFORM, by, "otagate rollback", reason or "back to the warm colour")
        back = flow.rollback(platform, ports, claim, wait=wiring.duration(wait), override=reason)
        # What came before it too, and only now: a way back waits for no store.
        before = kept(lambda: keep(platform, back.before, ports))
        lost = (*before, *kept(lambda: ports.store.save_promotion(platform.name, back.record)))
        view = back.record.view
        came = view.phase is Phase.ROLLED_BACK and view.intent.kind is Kind.PROMOTE  # gone back from while watched
        still = f": {view.came} still serves, because" if view.not_back else ""
        lines = [f"{'BACK' if came else view.end.upper()}  {view.intent.kind} {view.intent.promotion}{still}"]
        lines.extend(_reasons(view))
        lines.extend(_serving(back.status, back.addresses))
        lines.extend(lines_of(back.incident) if back.incident else ())
        incidents = data_of([back.incident] if back.incident else [])
        data = {
            **_promotion(view),
            "incidents": incidents,
            "live": back.status.live,
            "listeners": listed(back.addresses),
        }
        code = Exit.DONE if came else ending(view)
        return Result(code, data, "\n".join(lines), errors=lost, next=_after(view))


def _reason(override: str | None, by: str | None, command: str) -> str:
    """UsageError for an override without a reason or without a name: nobody's word lifts nothing."""
    if override is None:
        return ""
    if not override.strip() or not (by and by.strip()):
        raise UsageError(
            "an override needs a reason and a name", code="usage", hint=f"{command} --override REASON --by NAME"
        )
    return override.strip()


def _serving(status: Status, addresses: Mapping[str, Sequence[str]]) -> list[str]:
    """What serves now, for a person who wants to know nothing else."""
    live = status.live
    if live is None:
        return ["  nothing serves"]
    view = status.colours.get(live.value)
    release = view.release.removeprefix("sha256:")[:12] if view else "unknown"
    doors = ", ".join(f"{name} {' and '.join(at)}" for name, at in addresses.items())
    builds = {} if view is None else view.builds
    return [
        f"  {live} serves release {release} on {doors}",
        *(f"    {service:<10} build {digest.removeprefix('sha256:')[:12]}" for service, digest in builds.items()),
    ]


def recover(where: str | None, *, by: str | None, override: str | None, dry_run: bool, wait: str) -> Result:
    from otagate.flows import recover as flow
    from otagate.flows.keeping import keep_last

    reason = _reason(override, by, "otagate recover")
    with opened(where) as (platform, ports):
        if dry_run:
            return planned(flow.plan_recovery(platform, ports, override=reason))
        claim = wiring.claim(Scope.PLATFORM, by, "otagate recover", reason or "finish or undo what was cut off")
        done = flow.recover(platform, ports, claim, wait=wiring.duration(wait), override=reason)
        switch = [] if done.replacement is None else lines_of_switch(done.replacement)
        if done.before is None or done.after is None:
            data = {"recovered": None, "mended": list(done.mended), **of_switch(done.replacement)}
            code = Exit.DONE if done.replacement is None else ending_of_switch(done.replacement)
            told = [*switch, *(f"agree again: {found}" for found in done.mended)]
            lost = kept(lambda: keep_last(platform, ports))
            return Result(code, data, "\n".join(told) or "nothing was unfinished", errors=lost, next="otagate status")
        after = done.after
        lost = kept(lambda: ports.store.save_promotion(platform.name, after))
        view = after.view
        text = (
            f"found {done.before.intent.kind} {done.before.intent.promotion} cut off while {done.before.phase}; "
            f"now {view.end}"
        )
        left = [done.incident] if done.incident else []
        lines = [*switch, text, *_reasons(view), *(line for incident in left for line in lines_of(incident))]
        data = {**_promotion(view), "incidents": data_of(left), **of_switch(done.replacement)}
        return Result(ending(view), data, "\n".join(lines), errors=lost, next=_after(view))


def status(where: str | None) -> Result:
    from otagate.flows import environments

    with opened(where) as (platform, ports):
        seen = environments.describe(platform, ports)
        departures = [f"{d.service} {d.field}: {d.reason}" for d in seen.departures]
        data = {
            "platform": platform.name,
            **_traffic(seen.status),
            "listeners": listed(seen.addresses),
            "departures": departures,
            "redefined": list(seen.redefined),
        }
        doors = (f"  {name:<10} {'  '.join(at)}" for name, at in seen.addresses.items())
        lines = [*_status_lines(platform.name, seen.status), *redefined(seen.redefined), *doors]
        lines.extend(_container(c) for cloud in seen.clouds for c in cloud.containers)
        disagreements = seen.status.disagreements if seen.status else ()
        missing = any(_mending(d) == ADDED for d in seen.departures)
        agreed = f"{ADDED}, then otagate status" if missing else "otagate recover makes them agree again"
        errors = [
            *(alarm("disagreement", told, agreed) for told in disagreements),
            *(alarm("drift", told, _mending(d)) for told, d in zip(departures, seen.departures, strict=True)),
            *([alarm(seen.untold.code, seen.untold.message, seen.untold.hint)] if seen.untold else []),
        ]
        stranded = seen.status and seen.status.promotion and seen.status.promotion.phase is Phase.STRANDED
        code = Exit.STRANDED if stranded else Exit.ALARM if seen.red else Exit.DONE
        changed = {d.service for d in seen.departures if d.field in (mirror.SPECIFICATION, mirror.IMAGE)}
        follow = _next(seen.status, missing=missing, changed=changed)
        return Result(code, data, "\n".join(lines), errors=errors, next=follow)


def _mending(departure: Difference) -> str:
    match departure.field:
        case mirror.SPECIFICATION:
            return applied_by(departure.service)
        case mirror.IMAGE if departure.service in (STEWARD, SWITCH):
            return applied_by(departure.service)
        case mirror.CONTAINER | mirror.RUNNING if departure.mirror is not None:
            return ADDED
        case _:
            return "find out who changed it"


def redefined(services: Sequence[str]) -> list[str]:
    """What the files hold that only a promotion brings in, for people."""
    names = ", ".join(services)
    return [f"  files      define {names} anew, which is not live: otagate test"] * bool(services)


def applied_by(service: str) -> str:
    """What brings in a changed definition of a container that stands."""
    known = {
        SWITCH: "otagate switch replace brings it in while traffic runs",
        STEWARD: "otagate up renews it; its journal stays",
    }
    return known.get(service, UNAPPLIED)


def listed(addresses: Mapping[str, Sequence[str]]) -> dict[str, dict[str, str]]:
    """Listeners as every command's data spells them; `second` is there where a pair of switches has them."""
    return {name: dict(zip(("address", "second"), at, strict=False)) for name, at in addresses.items()}


def ending(view: PromotionView) -> Exit:
    """A promotion's exit status: abandoned here means after preflight, since preflight's objections end otherwise."""
    if view.not_back:
        return Exit.FAULT  # undone safely it is only to who wanted what serves now, and a rollback's caller did not
    match view.phase:
        case Phase.PROMOTED:
            return Exit.DONE
        case Phase.ABANDONED | Phase.ROLLED_BACK:
            return Exit.UNDONE
        case Phase.STRANDED:
            return Exit.STRANDED
        case _:
            return Exit.FAULT


def _came_to(attempt: "Attempt", lost: Sequence[Mapping[str, str]]) -> Result:
    view = attempt.record.view
    intent = view.intent
    lines = [f"{view.phase.upper()}  {intent.kind} {intent.promotion} to {intent.to}", *_reasons(view)]
    if attempt.incident is not None:
        lines.extend(lines_of(attempt.incident))
    data = _promotion(view)
    data["incidents"] = data_of([attempt.incident] if attempt.incident else [])
    data["promotion"]["flips"] = [
        {"at": e.at, "to": e.data["to"]} for e in attempt.record.events if e.data.get("stage") == TURNED
    ]
    if not attempt.objections:
        return Result(ending(view), data, "\n".join(lines), errors=lost, next=_after(view))
    alarm = any(o.alarm for o in attempt.objections)
    errors = [{"code": o.code, "message": o.message, "hint": o.hint, "at": ""} for o in attempt.objections]
    return Result(Exit.ALARM if alarm else Exit.REFUSED, data, lines[0], errors=[*errors, *lost])


def _after(view: PromotionView) -> str:
    """What to type next; of what is stranded `status` would only say recover."""
    if view.phase is not Phase.STRANDED:
        return AGAIN if view.not_back else "otagate status"
    again = "start again what the reason names last, then otagate recover"
    return again if view.came is None else f"{again}; or, to keep {view.intent.to} where it serves: {KEEP}"


def _reasons(view: PromotionView) -> list[str]:
    override = [f"  override by {by}, unsigned: {reason}" for by, reason in _overrides(view)]
    return [*([f"  {view.reason}"] if view.reason else []), *override, *(f"  owed: {debt}" for debt in view.debts)]


def _overrides(view: PromotionView) -> list[tuple[str, str]]:
    """Who overrode what was against it, and why: as it began, and where it was stranded. The last one counts."""
    begun = [(view.intent.by, view.intent.override)] if view.intent.override else []
    return begun if view.kept is None else [*begun, (view.kept.by, view.kept.reason)]


def _promotion(view: PromotionView) -> dict[str, Any]:
    override = [{"by": by, "reason": reason, "signed": False} for by, reason in _overrides(view)][-1:]
    return {
        "promotion": {
            "id": view.intent.promotion,
            "kind": view.intent.kind.value,
            "phase": view.phase.value,
            "to": view.intent.to.value,
            "release": view.intent.release,
            "run": view.intent.run,
            "reason": view.reason,
            "debts": list(view.debts),
            "override": override[0] if override else None,
        }
    }


def _traffic(status: Status | None) -> dict[str, Any]:
    if status is None:
        return {
            "live": None,
            "idle": None,
            "promotion": None,
            "leases": [],
            "schemas": {},
            "incidents": [],
            **of_switch(None),
        }
    return {
        "live": status.live and status.live.value,
        "idle": status.live and status.live.other.value,
        "epoch": status.epoch,
        "colours": {name: {"release": v.release, "warm": v.warm} for name, v in status.colours.items()},
        **(_promotion(status.promotion) if status.promotion else {"promotion": None}),
        "last_flip": status.last_flip,
        "leases": [_lease(holder) for holder in status.holders],
        "disagreements": list(status.disagreements),
        "schemas": {service: list(labels) for service, labels in status.schemas.items()},
        "incidents": data_of(status.incidents),
        **of_switch(status.replacement),
    }


def _lease(holder: Holder) -> dict[str, Any]:
    claim = holder.claim
    who = {"scope": claim.scope.value, "by": claim.by, "from": claim.origin}
    return {**who, "command": claim.command, "why": claim.why, "since": holder.since}


def _role(name: str, view: ColourView, status: Status) -> str:
    """While the steward acts, what it came from is the way back, though it counts as warm only at the end."""
    acts = status.promotion is not None and status.promotion.phase in STEWARDS_OWN and not status.promotion.hung
    if name == status.live:
        return "live"
    if acts and status.promotion is not None and name == status.promotion.came:
        return "way back"
    return "warm" if view.warm else "idle"


def _status_lines(platform: str, status: Status | None) -> list[str]:
    if status is None:
        return [f"{platform}: no production"]
    live = status.live or "nothing"
    lines = [f"{platform}: {live} is live, epoch {status.epoch}"]
    for name, view in sorted(status.colours.items()):
        lines.append(f"  {name:<10} {_role(name, view, status):<8} release {view.release.removeprefix('sha256:')[:12]}")
    if status.promotion:
        p = status.promotion
        reason = f": {p.reason}" if p.reason else ""
        lines.append(f"  {p.intent.kind:<10} {p.intent.promotion} {p.end}{reason}")
        lines.extend(f"  override   by {by}, unsigned: {reason}" for by, reason in _overrides(p))
    if status.last_flip:
        lines.append(f"  last flip  {_moment(status.last_flip)}")
    if status.replacement and not status.replacement.ended:
        lines.append(f"  switch     replacement by {status.replacement.by} is unfinished: {status.replacement.reach}")
    lines.extend(
        f"  schema     of {service} may be {either(labels)}: its move was cut off"
        for service, labels in sorted(status.schemas.items())
        if len(labels) > 1
    )
    for incident in status.incidents:
        lines.append(f"  incident   {incident.incident} is open: {impact_of(incident)}")
    for holder in status.holders:
        claim, why = holder.claim, f" ({holder.claim.why})" if holder.claim.why else ""
        what = f"{claim.by} from {claim.origin}, {claim.command}{why}, since {_moment(holder.since)}"
        lines.append(f"  lease      {claim.scope}: {what}")
    return lines


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _container(c: ObservedContainer) -> str:
    state = c.health if c.running and c.health != "none" else "running" if c.running else "stopped"
    return f"  {c.name:<28} {state:<10} {c.image.removeprefix('sha256:')[:12]}"


def alarm(code: str, message: str, hint: str) -> dict[str, str]:
    return {"code": code, "message": message, "hint": hint, "at": ""}


def _next(status: Status | None, *, missing: bool, changed: Collection[str]) -> str:
    """`missing`: a container that must run does not. What it alone could tell or turn, `recover` would wait for in
    vain. `changed`: the services that stand as they were defined once."""
    if status is None:
        return "otagate up"
    view = status.promotion
    if view is not None and view.phase in STEWARDS_OWN:
        return "wait: the steward is at work; otagate status again"
    halfway = status.replacement is not None and not status.replacement.ended
    unfinished = halfway or (view is not None and not view.phase.ended)
    if unfinished and any(h.claim.scope is Scope.PLATFORM for h in status.holders):
        return "wait: somebody is at work; otagate status again"
    if unfinished:
        stranded = view is not None and view.phase is Phase.STRANDED and view.came is not None
        keeps = stranded and view is not None and status.live is view.intent.to and not status.disagreements
        return f"otagate recover; or, to keep {status.live}: {KEEP}" if keeps else "otagate recover"
    if missing:
        return "otagate up"
    if status.disagreements:
        return "otagate recover"
    if view is not None and view.not_back:
        return AGAIN
    if STEWARD in changed or SWITCH in changed:
        return "otagate up" if STEWARD in changed else "otagate switch replace"
    return "otagate up" if status.live is None else "otagate test SERVICE=IMAGE"
