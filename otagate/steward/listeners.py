"""The coloured listeners of a platform, asked who answers there: at a colour itself, and at a switch in front of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from otagate.core.cloud import Colour
from otagate.core.errors import NO_ANSWER, ProbeFault, Refused
from otagate.core.platform import Protocol, Tls
from otagate.core.topology import Door
from otagate.steward.outside import Services

PROBE_DEADLINE = 5.0


@dataclass(frozen=True)
class Listeners:
    """Raises ProbeFault where nothing answers, and Refused where another colour does, or a build that is none of
    `builds` (service → digest)."""

    doors: Sequence[Door]
    services: Services

    def answer_as(self, colour: Colour, builds: Mapping[str, str]) -> None:
        """Each of `colour` itself, asked without the switch."""
        for door in self.doors:
            build = self._told(door, door.backs[colour.value], door.port, colour, tls=door.tls is Tls.PASS)
            self._judged(door, build, builds, f"{door.name} of {colour}")

    def answer_in_front(self, colour: Colour, builds: Mapping[str, str], hosts: Sequence[str]) -> None:
        """Each at each of `hosts`, which switches stand behind."""
        for door in self.doors:
            for host in hosts:
                build = self._told(door, host, door.front, colour, tls=door.tls is not Tls.NONE)
                self._judged(door, build, builds, f"listener {door.name}")

    def is_silent(self, door: Door, colour: Colour) -> bool:
        """Whether nobody takes the connection to one of `colour`, or says anything in time: who says no answers."""
        try:
            self.services.ask(door, door.backs[colour.value], door.port, PROBE_DEADLINE, tls=door.tls is Tls.PASS)
        except ProbeFault as fault:
            return fault.code == NO_ANSWER
        return False

    def _told(self, door: Door, host: str, port: int, colour: Colour, *, tls: bool) -> str:
        answer = self.services.ask(door, host, port, PROBE_DEADLINE, tls=tls)
        if door.protocol is Protocol.TCP:
            return ""
        if answer.colour is not colour or not answer.build:
            raise Refused(f"{door.name} at {host}:{port} answers as {answer.colour or 'nobody'}, not as {colour}")
        return answer.build

    def _judged(self, door: Door, build: str, builds: Mapping[str, str], who: str) -> None:
        """It is the build of the door's own service, whole or by its first twelve hex digits (DICOM has no room for
        more). Bare TCP cannot say."""
        if door.protocol is Protocol.TCP:
            return
        wanted = [builds.get(door.service, "")] if door.service else list(builds.values())
        short = build.removeprefix("sha256:")
        if len(short) < 12 or not any(digest.removeprefix("sha256:").startswith(short) for digest in wanted):
            raise Refused(f"{who} answers with build {build}, which was not judged", code="other-build")
