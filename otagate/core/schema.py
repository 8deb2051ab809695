"""Can one release read what another wrote? Asked before a flip in both directions, and before a way back."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

INCOMPATIBLE = "incompatible-schema"
UNPROVEN = "migration-unproven"
LABEL = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_SAID = re.compile(rf"schema ({LABEL})")


@dataclass(frozen=True)
class Schema:
    """What a service's release declares of the state that it shares with others: the label it writes, and all that it
    can read (`writes` is one of them)."""

    writes: str
    reads: tuple[str, ...]


def unreadable(wrote: Mapping[str, Schema], reader: Mapping[str, Schema], who: str) -> tuple[str, ...]:
    """What `who`, declaring `reader`, cannot read of what `wrote` writes, service by service. Where only one of both
    declares anything there is no fact to hold it against (docs/decisions/0012)."""
    return tuple(
        f"{who} reads {service} {' and '.join(reader[service].reads)}, not {schema.writes}"
        for service, schema in sorted(wrote.items())
        if service in reader and schema.writes not in reader[service].reads
    )


def beyond(at: Mapping[str, Sequence[str]], reader: Mapping[str, Schema], who: str) -> tuple[str, ...]:
    """What `who` cannot read of the states themselves, each at one of the labels that `at` has for it: it must read
    them all, for nobody knows which it is."""
    return tuple(
        f"{who} reads {service} {' and '.join(reader[service].reads)}, {_where(labels)}"
        for service, labels in sorted(at.items())
        if service in reader and not set(labels) <= set(reader[service].reads)
    )


def _where(labels: Sequence[str]) -> str:
    return f"not {labels[0]}" if len(labels) == 1 else f"and its state may be {either(labels)}: its move was cut off"


def either(labels: Sequence[str]) -> str:
    """Labels of which one is so, in words; "" is where nobody knew what was there before a move."""
    return " or ".join(label or "as it was" for label in labels)


@dataclass(frozen=True)
class Move:
    """One service's state, taken from the label that the live release writes ("" if it declares none) to the label
    that the new one writes, by the new one's `build` (a digest)."""

    service: str
    came: str
    to: str
    build: str

    def __str__(self) -> str:
        return f"{self.service} {self.came or 'unknown'} → {self.to}"


def moves(live: Mapping[str, Schema], new: Mapping[str, Schema], able: Mapping[str, str]) -> tuple[Move, ...]:
    """What a promotion of a release declaring `new` must migrate; `able` maps those of its services that declare how
    to the build that does it."""
    came = {service: live[service].writes if service in live else "" for service in able}
    return tuple(
        Move(service, came[service], new[service].writes, build)
        for service, build in sorted(able.items())
        if service in new and came[service] != new[service].writes
    )


def said(log: str) -> str:
    """The label that a migrate program told, in a line `schema LABEL` and in no other; "" if it told none or two."""
    told = {match[1] for line in log.splitlines() if (match := _SAID.fullmatch(line.strip()))}
    return told.pop() if len(told) == 1 else ""
