"""What rolled-back releases left behind: listed, and cleared by a named person."""

from collections.abc import Collection, Mapping

from otagate.core.errors import Fault, UsageError
from otagate.core.incident import Incident, incident_id
from otagate.core.platform import Platform, Tier
from otagate.core.record import PromotionRecord
from otagate.core.traffic import Claim
from otagate.flows.look import live_status
from otagate.ports import Ports


def listed(platform: Platform, ports: Ports, *, every: bool) -> tuple[Incident, ...]:
    """The open ones, or with `every` the cleared ones too; oldest first."""
    live_status(platform, ports)  # says what to do where there is no production
    return tuple(i for i in ports.steward.incidents() if every or i.cleared is None)


def clear(platform: Platform, ports: Ports, claim: Claim, name: str, reason: str) -> Incident:
    """By id, or its unique end. UsageError if there is none or more than one of it."""
    found = [i.incident for i in listed(platform, ports, every=True) if name and i.incident.endswith(name)]
    exact = [incident for incident in found if incident == name] or found
    if len(exact) != 1:
        what = f"{name!r} names more than one incident" if exact else f"there is no incident {name!r}"
        raise UsageError(what, code="no-incident", hint="otagate incident list --all")
    return ports.steward.clear(claim, exact[0], reason)


def left_open(record: PromotionRecord, ports: Ports) -> Incident | None:
    """What a promotion that has ended left open; None also where it cannot be asked: `incident list` shows it then."""
    try:
        wanted = incident_id(record.view.intent.promotion)
        return next((i for i in ports.steward.incidents() if i.incident == wanted), None)
    except Fault:
        return None


def worst_impact(
    platform: Platform, before: Mapping[str, str], after: Mapping[str, str], redefined: Collection[str] = ()
) -> str:
    """The worst class among the release-tier services whose build differs, or that are `redefined`; among all of them
    where no build differs and nobody knows whose definition does; "" for a platform without one."""
    services = platform.of_tier(Tier.RELEASE)
    changed = [s.impact for s in services if before.get(s.name) != after.get(s.name) or s.name in redefined]
    return min(changed or [s.impact for s in services]).value if services else ""
