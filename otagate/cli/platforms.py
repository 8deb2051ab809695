"""Bodies of the commands about a platform as a whole: doctor, init, check, up, down."""

from pathlib import Path
from typing import TYPE_CHECKING

from otagate import wiring
from otagate.cli.promotion import alarm, applied_by, ending, listed, redefined
from otagate.cli.result import Result, kept, planned
from otagate.cli.session import opened
from otagate.core.errors import Exit
from otagate.core.places import STEWARD, SWITCH
from otagate.core.platform import Tier
from otagate.core.traffic import Scope

if TYPE_CHECKING:
    from otagate.flows.renewal import Kept


def check(where: str | None) -> Result:
    platform = wiring.platform(where)
    wiring.look_at_secret_files(platform)
    data = {
        "platform": platform.name,
        "folder": platform.folder,
        "services": {name: service.tier.value for name, service in platform.services.items()},
        "suites": sorted(platform.suites),
        "rules": [rule.name for rule in platform.policy.rules],
    }
    text = (
        f"{platform.name}: {len(platform.services)} services, {len(platform.listeners)} listeners, "
        f"{len(platform.suites)} suites, {len(platform.policy.rules)} rules: no problem found"
    )
    return Result(Exit.DONE, data, text, next="otagate doctor, then otagate up")


def init(folder: str, like: str) -> Result:
    files = wiring.init(Path(folder), like)
    text = f"{len(files)} files written to {folder}"
    return Result(Exit.DONE, {"folder": folder, "files": files}, text, next=f"otagate check -p {folder}")


def doctor(where: str | None) -> Result:
    checks = wiring.doctor(where)
    bad = [c for c in checks if not c.well]
    lines = [f"{'ok' if c.well else 'NO':<3} {c.name:<22} {c.found}" for c in checks]
    errors = [{"code": "doctor", "message": f"{c.name}: {c.found}", "hint": c.remedy, "at": ""} for c in bad]
    lines.append(f"{len(checks) - len(bad)} of {len(checks)} checks hold")
    data = {"checks": [{"name": c.name, "well": c.well, "found": c.found, "remedy": c.remedy} for c in checks]}
    code, follow = (Exit.FAULT, "") if bad else (Exit.DONE, "otagate up")
    return Result(code, data, "\n".join(lines), errors=errors, next=follow)


def up(where: str | None, *, by: str | None, dry_run: bool, wait: str) -> Result:
    from otagate.flows import environments, renewal
    from otagate.flows.look import addresses

    with opened(where) as (platform, ports):
        if dry_run:
            return planned(environments.plan_up(platform, ports))
        renewing = wiring.claim(Scope.PLATFORM, by, "otagate up", "renew the steward")
        renewed = renewal.renew_steward(platform, ports, renewing, wait=wiring.duration(wait))
        wanted = environments.look_for_up(platform, ports)
        claim = wiring.claim(Scope.PLATFORM, by, "otagate up", "genesis" if wanted.live is None else "what is missing")
        raised = environments.up(platform, wanted, ports, claim, wait=wiring.duration(wait))
        shown: dict[str, tuple[str, ...]] = {}
        unknown = kept(lambda: shown.update(addresses(platform, ports)), "shown")
        where_it_is = [f"  {name:<8} {'  '.join(at)}" for name, at in shown.items()]
        changed = [*renewed, *raised.changed]
        head = f"{platform.name}: {len(changed)} changed" if changed else f"{platform.name}: nothing changed"
        if raised.genesis:
            head += f"; genesis by {claim.by}, unproven: {raised.genesis.view.phase}"
        data = {"changed": changed, "listeners": listed(shown)}
        data |= {"unapplied": list(raised.unapplied), "redefined": list(raised.redefined)}
        left = [_left(name, service, raised.kept) for name, service in raised.unapplied.items()]
        code = ending(raised.genesis.view) if raised.genesis else Exit.ALARM if left else Exit.DONE
        test = f"otagate test {platform.of_tier(Tier.RELEASE)[0].name}=IMAGE"
        follow = "otagate switch replace" if SWITCH in raised.unapplied.values() else test
        text = "\n".join([head, *redefined(raised.redefined), *where_it_is])
        return Result(code, data, text, errors=[*left, *unknown], next=follow)


def _left(name: str, service: str, kept: "Kept | None") -> dict[str, str]:
    """A container that stands as it was defined once, with what brings its definition in."""
    told = f"{name}: changed; not applied"
    if service == STEWARD and kept is not None:
        return alarm("definition-changed", f"{told}: {kept.why}", kept.hint)
    return alarm("definition-changed", told, applied_by(service))


def down(where: str | None, *, destroy: str | None, dry_run: bool, wait: str) -> Result:
    from otagate.flows import environments

    with opened(where) as (platform, ports):
        if dry_run:
            return planned(environments.plan_down(platform, ports, destroy=destroy))
        command = f"otagate down --destroy-state {destroy}" if destroy else "otagate down"
        claims = [wiring.claim(scope, None, command, "take down") for scope in (Scope.MIRROR, Scope.PLATFORM)]
        gone = environments.down(platform, ports, claims, destroy=destroy, wait=wiring.duration(wait))
        return Result(Exit.DONE, {"removed": list(gone)}, f"{platform.name}: {len(gone)} objects removed")
