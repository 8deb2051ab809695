"""What must hold before anything of production is touched; each objection says what, by how much, and what to type."""

from collections.abc import Mapping
from dataclasses import dataclass

from otagate.core.incident import HELD, HELD_HINT
from otagate.core.judge import Decision
from otagate.core.policy import Policy
from otagate.core.schema import INCOMPATIBLE


@dataclass(frozen=True)
class Objection:
    """`alarm`: production is not what it should be (exit 8), rather than the promotion being unwanted (exit 1)."""

    code: str
    message: str
    hint: str
    alarm: bool = False


@dataclass(frozen=True)
class Judged:
    """What the verdict speaks of. Times in seconds since the epoch."""

    run: str
    decision: Decision
    expires: float
    release: str
    policy: str
    suites: Mapping[str, str]
    production: str


@dataclass(frozen=True)
class Now:
    """What is the case now. `clocks`: seconds by which each other clock is ahead of ours; None could not be read."""

    at: float
    release: str
    policy: str
    suites: Mapping[str, str]
    production: str
    live_release: str
    clocks: Mapping[str, float | None]
    held: str = ""  # why this very release may not be promoted: it was rolled back, and its incident is open
    unreadable: tuple[str, ...] = ()  # what one of both releases writes and the other cannot read
    refused_since: str = ""  # a run that refused this very release, and that no approving one has followed


def objections(policy: Policy, judged: Judged, now: Now) -> tuple[Objection, ...]:
    """Every condition that does not hold, worst first; empty means go on."""
    test_again = "otagate test again, then promote the new run"
    found: list[Objection] = []
    already_live = judged.release == now.live_release
    # Where it is live already, its own promotion is what changed production.
    if judged.production != now.production and not already_live:
        found.append(
            Objection(
                "production-changed",
                f"production has changed since run {judged.run}: its verdict is void",
                test_again,
                alarm=True,
            )
        )
    if judged.decision is not Decision.APPROVE:
        found.append(
            Objection(
                "not-approved",
                f"run {judged.run} ended {judged.decision}, not approve",
                f"otagate verdict {judged.run}",
            )
        )
    if now.refused_since:
        found.append(
            Objection(
                "withdrawn",
                f"run {now.refused_since} refused this very release: the approval of {judged.run} is withdrawn",
                f"otagate verdict {now.refused_since}",
            )
        )
    if now.held:
        found.append(Objection(HELD, now.held, HELD_HINT))
    if now.unreadable:
        found.append(
            Objection(
                INCOMPATIBLE,
                f"there would be no way on or no way back: {'; '.join(now.unreadable)}",
                "first promote a release that reads both labels and writes the old one",
            )
        )
    if now.at >= judged.expires:
        late = now.at - judged.expires
        found.append(Objection("expired", f"the verdict of run {judged.run} expired {late:.0f} s ago", test_again))
    changed = [name for name, a, b in _digests(judged, now) if a != b]
    if changed:
        found.append(
            Objection("changed", f"changed since run {judged.run}: {', '.join(changed)}", test_again),
        )
    if already_live:
        found.append(Objection("already-live", "this very release is live already", "nothing needs to be done"))
    return (*found, *_demanded(policy), *_clocks(policy, now.clocks))


def _digests(judged: Judged, now: Now) -> list[tuple[str, str, str]]:
    suites = sorted({*judged.suites, *now.suites})
    return [
        ("the release", judged.release, now.release),
        ("the policy", judged.policy, now.policy),
        *((f"suite {name}", judged.suites.get(name, ""), now.suites.get(name, "")) for name in suites),
    ]


def _demanded(policy: Policy) -> list[Objection]:
    """What a policy may demand and this otagate cannot yet show: an absence, so never a pass."""
    wanted = (
        ("approvals", policy.approvals > 0, f"the policy demands {policy.approvals} approval(s) and none can be shown"),
        ("backup", policy.backup, "the policy demands a restored backup and none can be shown"),
        ("window", policy.window, "the policy demands an open window and none can be shown"),
    )
    hint = "declare it not-required in otagate.yaml's policy, or promote with an otagate that can show it"
    return [Objection(code, message, hint) for code, asked, message in wanted if asked]


def _clocks(policy: Policy, clocks: Mapping[str, float | None]) -> list[Objection]:
    return [
        Objection(
            "clocks",
            f"{name}'s clock could not be read"
            if ahead is None
            else f"{name}'s clock is {ahead:+.1f} s from ours, the limit is {policy.clock_skew:g} s",
            "set the clocks by NTP, then promote again",
        )
        for name, ahead in clocks.items()
        if ahead is None or not abs(ahead) <= policy.clock_skew
    ]
