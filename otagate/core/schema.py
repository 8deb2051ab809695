"""Can one release read what another wrote? Asked before a flip in both directions, and before a way back."""

from collections.abc import Mapping
from dataclasses import dataclass

INCOMPATIBLE = "incompatible-schema"


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
