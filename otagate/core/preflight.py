"""What must hold before anything of production is touched; each objection says what, by how much, and what to type."""

from collections.abc import Mapping
from dataclasses import dataclass

from otagate.core.incident import HELD, HELD_HINT
from otagate.core.judge import Decision
from otagate.core.policy import Policy
from otagate.core.schema import INCOMPATIBLE, UNPROVEN, Move

RECORD = "record-altered"
TEST_AGAIN = "otagate test again, then promote the new run"


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
    ended: float
    expires: float
    release: str
    policy: str
    suites: Mapping[str, str]
    production: str
    moves: tuple[Move, ...] = ()  # the schemas that were moved on the mirror, with the live release beside


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
    brought_back: str = ""  # why the release was left since the run began, also where that incident is cleared
    held: str = ""  # why this very release may not be promoted: it was rolled back, and its incident is open
    unreadable: tuple[str, ...] = ()  # what one of both releases writes and the other cannot read
    moves: tuple[Move, ...] = ()  # the schemas that this promotion would move
    contradiction: str = ""  # where the verdict is not what its record comes to, judged again by the policy as it is
    warm_since: float | None = None  # the flip whose way back still stands; None: there is no way back to lose
    refused_since: str = ""  # a run that refused this very release, and that no approving one has followed


def objections(policy: Policy, judged: Judged, now: Now) -> tuple[Objection, ...]:
    """Every condition that does not hold, worst first; empty means go on."""
    already_live = judged.release == now.live_release
    found: list[Objection] = []
    # Where it is live already, its own promotion is what changed production.
    if judged.production != now.production and not already_live:
        message = f"production has changed since run {judged.run}: its verdict is void"
        found.append(Objection("production-changed", message, TEST_AGAIN, alarm=True))
    found += _record(policy, judged, now)
    found += _verdict(judged, now)
    found += _release(judged, now)
    found += _time(judged, now)
    if already_live:
        found.append(Objection("already-live", "this very release is live already", "nothing needs to be done"))
    return (*found, *_way_back(policy, now), *_demanded(policy), *_clocks(policy, now.clocks))


def _way_back(policy: Policy, now: Now) -> list[Objection]:
    """A promotion deploys over the warm colour; a flip from a clock ahead of ours has just been made."""
    left = policy.warm if now.warm_since is None else min(policy.warm, now.warm_since + policy.warm - now.at)
    if now.warm_since is None or left <= 0:
        return []
    message = f"the way back is kept for {policy.warm:g} s after a flip, {left:.0f} s more: deploying would remove it"
    return [Objection("way-back-kept", message, "wait, or otagate rollback if the live release must go")]


def _record(policy: Policy, judged: Judged, now: Now) -> list[Objection]:
    """What shows that the stored record is not what the gate recorded. It is evidence, not proof: nobody signed it."""
    wrong: list[str] = []
    # Under another policy it would come to something else by rights, and that is objected as a change.
    if now.contradiction and judged.policy == now.policy:
        wrong.append(now.contradiction)
    if not judged.expires <= judged.ended + policy.max_age and judged.policy == now.policy:
        wrong.append(f"its verdict would hold longer than the policy's {policy.max_age:g} s")
    if not judged.ended <= now.at + policy.clock_skew:
        wrong.append("it ends in the future")
    message = f"the record of run {judged.run} contradicts itself: {'; '.join(wrong)}"
    return [Objection(RECORD, message, "find out who changed the store; then otagate test again", alarm=True)] * bool(
        wrong
    )


def _verdict(judged: Judged, now: Now) -> list[Objection]:
    found: list[Objection] = []
    if judged.decision is not Decision.APPROVE:
        message = f"run {judged.run} ended {judged.decision}, not approve"
        found.append(Objection("not-approved", message, f"otagate verdict {judged.run}"))
    if now.refused_since:
        message = f"run {now.refused_since} refused this very release: the approval of {judged.run} is withdrawn"
        found.append(Objection("withdrawn", message, f"otagate verdict {now.refused_since}"))
    return found


def _release(judged: Judged, now: Now) -> list[Objection]:
    found: list[Objection] = []
    if now.held:
        found.append(Objection(HELD, now.held, HELD_HINT))
    elif now.brought_back:  # cleared means that its damage is seen to, not that the old verdict holds again
        message = f"since run {judged.run} this very release was rolled back ({now.brought_back})"
        found.append(Objection("brought-back", message, TEST_AGAIN))
    if now.unreadable:
        message = f"there would be no way on or no way back: {'; '.join(now.unreadable)}"
        hint = "first promote a release that reads both labels and writes the old one"
        found.append(Objection(INCOMPATIBLE, message, hint))
    if unproven := [str(move) for move in now.moves if move not in judged.moves]:
        message = f"run {judged.run} did not show that the live release works once this is migrated: "
        found.append(Objection(UNPROVEN, message + "; ".join(unproven), TEST_AGAIN))
    return found


def _time(judged: Judged, now: Now) -> list[Objection]:
    """What has passed or changed since the verdict."""
    found: list[Objection] = []
    if not now.at < judged.expires:
        late = now.at - judged.expires
        found.append(Objection("expired", f"the verdict of run {judged.run} expired {late:.0f} s ago", TEST_AGAIN))
    changed = [name for name, a, b in _digests(judged, now) if a != b]
    if changed:
        message = f"changed since run {judged.run}: {', '.join(changed)}"
        found.append(Objection("changed", message, TEST_AGAIN))
    return found


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
