"""What the client asked and what became of it: failed, stale, harmed, cut, missing. Pure counting over its log."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

# Requests that reach the service under test: each answer must say whose it is.
ANSWERED = ("kept-alive", "fresh", "forward", "plan")
READ = "read"  # of a service that has no colour


@dataclass(frozen=True)
class Request:
    """Times in seconds since the epoch; `came` is an HTTP status, a DIMSE status, "whole", or how it broke; `what`
    names the object or plan that was acknowledged."""

    kind: str
    began: float
    ended: float
    came: str
    colour: str
    build: str
    what: str = ""


@dataclass(frozen=True)
class Flip:
    """`acknowledged`: seconds since the epoch when the switch said that `to` serves from now on."""

    acknowledged: float
    to: str


@dataclass(frozen=True)
class After:
    """What was found when all was over. `missing`: acknowledged instances that are not there; `astray`: acknowledged
    plans that the machine has not exactly once; `unplanned`: whole scans without a plan at archive and machine."""

    missing: int
    astray: int = 0
    unplanned: int = 0


@dataclass(frozen=True)
class Account:
    """`harmed`: answered 500 by a build that went bad. `stale`: begun after a flip's acknowledgement, answered by the
    old colour. `kept`, over DICOM or HTTP, and `plans` were acknowledged. `recovery`: seconds from the first harmed
    answer to the flip back; None if none was harmed, or none came. `nameless` associations ended whole and did not
    say whose they were."""

    requests: int
    failed: int
    stale: int
    harmed: int
    reads: int
    reads_failed: int
    plans: tuple[str, ...]
    stores: int
    stores_failed: int
    associations: int
    associations_cut: int
    nameless: int
    kept: tuple[str, ...]
    recovery: float | None
    by_colour: Mapping[str, int] = field(default_factory=dict)

    def lost(self, after: After) -> bool:
        went = self.failed or self.stale or self.reads_failed or self.stores_failed or self.associations_cut
        return bool(went or self.nameless or after.missing or after.astray or after.unplanned)


def account(log: Iterable[Request], flips: Sequence[Flip], first: str, bad: str) -> Account:
    """Count the client's log against the flips; `first` is the colour that served before the first of them, `bad` the
    digest of the build that goes bad: only its 500s are harm, any other build's are failures."""
    entries = list(log)
    http = [r for r in entries if r.kind in ANSWERED]
    reads = [r for r in entries if r.kind == READ]
    stores = [r for r in entries if r.kind == "store"]
    associations = [r for r in entries if r.kind == "association"]
    harmed = [r for r in http if r.came == "500" and r.build and r.build == bad]
    # An answer that does not say whose it is proves nothing about where it came from.
    harm = set(harmed)
    failed = [r for r in http if r not in harm and not (r.came == "200" and r.colour and r.build)]
    stale = [r for r in (*http, *associations) if r.colour and _stale(r, flips, first)]
    taken = [r.what for r in stores if r.came == "0x0000"]
    posted = [r.what for r in http if r.kind != "plan" and r.came == "200" and r.what]
    return Account(
        requests=len(http),
        failed=len(failed),
        stale=len(stale),
        harmed=len(harmed),
        reads=len(reads),
        reads_failed=sum(r.came != "200" for r in reads),
        plans=tuple(r.what for r in http if r.kind == "plan" and r.came == "200"),
        stores=len(stores),
        stores_failed=len(stores) - len(taken),
        associations=len(associations),
        associations_cut=sum(r.came != "whole" for r in associations),
        nameless=sum(r.came == "whole" and not (r.colour and r.build) for r in associations),
        kept=(*taken, *posted),
        recovery=_recovery(harmed, flips),
        by_colour={c: sum(r.colour == c for r in http) for c in sorted({r.colour for r in http if r.colour})},
    )


def lines_of(counted: Account, after: After, *, plans: bool) -> list[tuple[str, str]]:
    """The account as people read it; `plans`: whether the platform has a machine that gets them."""
    never = "it never came" if counted.harmed else "none harmed"
    recovery = never if counted.recovery is None else f"{counted.recovery:.2f} s"
    lines = [
        ("HTTP requests", f"{counted.requests}"),
        ("  failed", f"{counted.failed}"),
        ("  answered by the old colour after the flip", f"{counted.stale}"),
        ("  harmed by the build that went bad (500)", f"{counted.harmed}"),
        ("  from the first of them to the way back", recovery),
        ("DICOM associations", f"{counted.associations}"),
        ("  cut", f"{counted.associations_cut}"),
        ("  that did not say whose they were", f"{counted.nameless}"),
        ("instances stored", f"{counted.stores}"),
        ("  not acknowledged", f"{counted.stores_failed}"),
        ("objects acknowledged, over HTTP as well", f"{len(counted.kept)}"),
        ("  missing afterwards", f"{after.missing}"),
    ]
    if plans:
        lines += [
            ("reads at the archive", f"{counted.reads}"),
            ("  failed reads", f"{counted.reads_failed}"),
            ("plans acknowledged", f"{len(counted.plans)}"),
            ("  not at the machine exactly once", f"{after.astray}"),
            ("  scans left without a plan", f"{after.unplanned}"),
        ]
    return lines


def _stale(request: Request, flips: Sequence[Flip], first: str) -> bool:
    """Begun after the last flip that was acknowledged by then, ended before the next began, and yet another colour."""
    serving, until = first, None
    for flip in flips:
        if flip.acknowledged > request.began:
            until = flip.acknowledged
            break
        serving = flip.to
    # A request that was under way at the next flip may rightly be answered by either colour.
    overlapped = until is not None and request.ended >= until - 1.0
    return request.colour != serving and not overlapped


def _recovery(harmed: Sequence[Request], flips: Sequence[Flip]) -> float | None:
    """To the first flip after the first harm: one before it was no way back from it."""
    if not harmed:
        return None
    first = min(r.ended for r in harmed)
    return next((flip.acknowledged - first for flip in flips if flip.acknowledged >= first), None)
