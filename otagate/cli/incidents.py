"""Bodies of `incident list` and `incident clear`, and an incident in words."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from otagate import wiring
from otagate.cli.result import Result
from otagate.cli.session import opened
from otagate.core.canonical import plain
from otagate.core.errors import Exit
from otagate.core.impact import Impact
from otagate.core.incident import Incident, Written
from otagate.core.text import counted
from otagate.core.traffic import Scope


def list_(where: str | None, *, every: bool) -> Result:
    from otagate.flows import incidents as flow

    with opened(where) as (platform, ports):
        found = flow.listed(platform, ports, every=every)
        lines = [line for incident in found for line in lines_of(incident)]
        text = "\n".join(lines) if found else f"{platform.name}: no incident{'' if every else ' is open'}"
        still = any(i.cleared is None for i in found)
        follow = "otagate incident clear ID --by NAME --reason REASON" if still else ""
        return Result(Exit.DONE, {"incidents": data_of(found)}, text, next=follow)


def clear(name: str, where: str | None, *, by: str, reason: str) -> Result:
    from otagate.flows import incidents as flow

    with opened(where) as (platform, ports):
        claim = wiring.claim(Scope.PLATFORM, by, f"otagate incident clear {name}", reason)
        cleared = flow.clear(platform, ports, claim, name, reason)
        text = f"{cleared.incident} is cleared by {by}: release {_short(cleared.release)} is held no longer"
        return Result(Exit.DONE, {"incidents": data_of([cleared])}, text)


def data_of(incidents: Sequence[Incident]) -> list[dict[str, Any]]:
    """As they stand in every command's JSON."""
    return [{**plain(incident), "open": incident.cleared is None} for incident in incidents]


def lines_of(incident: Incident) -> list[str]:
    """The impact first, then what is known, then who cleared it."""
    state = "open" if incident.cleared is None else "cleared"
    lines = [f"incident {incident.incident} ({state}): {impact_of(incident)}"]
    lines.append(f"  release    {_short(incident.release)} was live on {incident.colour}")
    lines.append(f"  from       {_at(incident.since)} to {_at(incident.opened)}")
    lines.append(f"  because    {incident.reason}")
    lines.extend(f"  wrote      {line}" for written in incident.written for line in _written(written))
    if (cleared := incident.cleared) is not None:
        lines.append(f"  cleared    by {cleared.by} from {cleared.origin} at {_at(cleared.at)}: {cleared.reason}")
    return lines


def impact_of(incident: Incident) -> str:
    """The class with its meaning."""
    if incident.impact not in list(Impact):
        return "impact unknown"
    return f"{incident.impact}, {Impact(incident.impact).meaning}"


def _written(written: Written) -> list[str]:
    if written.count is None:
        said = "not known"
    else:
        more = written.count - len(written.items)
        said = counted(written.count, "object") + (f", the first {len(written.items)} below" if more > 0 else "")
    apart = "" if written.quarantined is None else f"; {written.quarantined} quarantined"
    why = f" ({written.message})" if written.message else ""
    return [f"{written.service}: {said}{apart}{why}", *(f"  {item}" for item in written.items)]


def _short(release: str) -> str:
    return release.removeprefix("sha256:")[:12]


def _at(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
