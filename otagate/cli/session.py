"""A command's platform and ports, with talk on stderr that is closed at the end whatever happens."""

from collections.abc import Iterator
from contextlib import contextmanager

from otagate import wiring
from otagate.cli.talk import Talk
from otagate.core.platform import Platform
from otagate.ports import Ports


@contextmanager
def opened(where: str | None) -> Iterator[tuple[Platform, Ports]]:
    platform = wiring.platform(where)
    talk = Talk()
    try:
        yield platform, wiring.wire(platform, talk)
    finally:
        talk.close()
