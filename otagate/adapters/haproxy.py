"""HAProxy's Runtime API over its unix socket. One command a connection, a deadline on each; raises SwitchFault."""

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from otagate.core.cloud import Colour
from otagate.core.errors import SwitchFault
from otagate.core.fronts import FrontCount, read_fronts
from otagate.core.switch import (
    MAP_PATH,
    MOST,
    SOCKET_PATH,
    OpenSession,
    read_copies,
    read_entries,
    read_sessions,
    read_show_map,
)
from otagate.core.switch_counts import BackendCount, read_counts

_MOST = 4_000_000  # bytes of one answer; far above a platform's statistics
_LOOK = "otagate status shows the switch; its engine restarts it, and its log says why it ended"


@dataclass(frozen=True)
class HAProxy:
    """The switch's run time. `deadline` in seconds for each command."""

    path: str = SOCKET_PATH
    deadline: float = 2.0

    def ask(self, command: str) -> str:
        """The answer's text without its closing empty line; raises SwitchFault (code `switch-gone` if no process
        listens, which then passes nothing either; else `switch-away`)."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
                line.settimeout(self.deadline)
                line.connect(self.path)
                line.sendall(command.encode() + b"\n")
                return _read(line).strip("\n")
        except (OSError, UnicodeDecodeError) as error:
            what = f"the switch did not answer {command.split()[0]!r}: {error}"
            code = "switch-gone" if isinstance(error, ConnectionRefusedError | FileNotFoundError) else "switch-away"
            raise SwitchFault(what, code=code, hint=_LOOK) from error

    def entry(self) -> tuple[Colour, int]:
        """Colour and epoch at run time; raises SwitchFault also if the map holds anything else."""
        text = self.ask(f"show map {MAP_PATH}")
        try:
            return read_entries(read_show_map(text))
        except ValueError as odd:
            raise SwitchFault(f"the switch's own map is odd: {odd}", code="switch-map", hint="otagate recover") from odd

    def flip(self, came: Colour, to: Colour, epoch: int, *, held: bool = False) -> str:
        """Turn all coloured doors at once; answers "" or why the switch would not. With `held` it would not either
        once its hold has passed."""
        answer = self.ask(f"otagate flip {came} {to} {epoch}{' held' if held else ''}")
        return "" if answer == f"OK {came} -> {to} epoch {epoch}" else _refusal(answer)

    def hold(self, epoch: int) -> str:
        """Let new work wait, at most as long as the platform says; answers "" or why the switch would not."""
        answer = self.ask(f"otagate hold {epoch}")
        return "" if answer == "OK held" else _refusal(answer)

    def release(self) -> float:
        """Let go whatever waits; the longest wait in seconds. Raises SwitchFault for an answer that is none."""
        answer = self.ask("otagate release")
        match = re.fullmatch(r"OK (?:released|passed), longest (\d+)", answer)
        if match is None:
            raise SwitchFault(f"the switch would not release: {_refusal(answer)}", code="switch-away", hint=_LOOK)
        return int(match[1]) / 1000

    def restore(self, colour: Colour, epoch: int) -> None:
        """Set the run time to what the map file says; raises SwitchFault if the switch would not."""
        answer = self.ask(f"otagate restore {colour} {epoch}")
        if answer != f"OK {colour} epoch {epoch}":
            raise SwitchFault(
                f"the switch would not take its map over: {_refusal(answer)}", code="switch-map", hint=_LOOK
            )

    def counts(self) -> Mapping[str, BackendCount]:
        """Backend → what the switch counts; raises SwitchFault."""
        text = self.ask("show stat;otagate counts")
        try:
            return read_counts(text)
        except (ValueError, KeyError) as odd:
            raise SwitchFault(f"the switch's statistics cannot be read: {odd}", code="switch-away", hint=_LOOK) from odd

    def fronts(self) -> Mapping[str, FrontCount]:
        """Door → what the switch counts there; raises SwitchFault."""
        text = self.ask("show stat")
        try:
            return read_fronts(text)
        except (ValueError, KeyError) as odd:
            raise SwitchFault(f"the switch's statistics cannot be read: {odd}", code="switch-away", hint=_LOOK) from odd

    def pause(self, door: str) -> None:
        """Accept nothing more at a door, what is open goes on; `resume` takes it back. Raises SwitchFault."""
        self._obeyed(f"set maxconn frontend {door} 0")

    def resume(self, door: str) -> None:
        """Accept at a door again; raises SwitchFault."""
        self._obeyed(f"set maxconn frontend {door} {MOST}")

    def shut(self, door: str) -> None:
        """The same for good, and each answer on a kept-alive connection asks its client to come anew. Raises
        SwitchFault."""
        self._obeyed(f"shutdown frontend {door}", "Frontend was already shut down.")

    def _obeyed(self, command: str, so_already: str = "") -> None:
        answer = self.ask(command).strip()
        if answer not in ("", so_already):
            raise SwitchFault(f"the switch would not {command}: {_refusal(answer)}", code="switch-door", hint=_LOOK)

    def open_sessions(self) -> tuple[OpenSession, ...]:
        """The sessions open now; raises SwitchFault."""
        text = self.ask("show sess")
        try:
            return read_sessions(text)
        except ValueError as odd:
            raise SwitchFault(f"the switch's sessions cannot be read: {odd}", code="switch-away", hint=_LOOK) from odd

    def arm_shadow(self, door: str, seconds: float, most: int) -> None:
        """Have safe requests copied from now on; raises SwitchFault if the switch would not."""
        answer = self.ask(f"otagate shadow arm {door} {round(seconds * 1000)} {most}")
        if answer != f"OK {door} {most}":
            what = f"the switch would not copy requests of {door}: {_refusal(answer)}"
            raise SwitchFault(what, code="switch-shadow", hint="a switch made before copies none: otagate up says so")

    def take_shadow(self, door: str) -> tuple[tuple[bytes, ...], int]:
        """What was copied since the last time, and how many were dropped; raises SwitchFault."""
        text = self.ask(f"otagate shadow take {door}")
        try:
            return read_copies(text)
        except ValueError as odd:
            raise SwitchFault(f"the switch's copies cannot be read: {odd}", code="switch-shadow", hint=_LOOK) from odd

    def cut(self, session: OpenSession) -> bool:
        """End a session; False if it had ended by itself. Raises SwitchFault."""
        answer = self.ask(f"shutdown session {session.name}")
        if answer and not answer.startswith("No such session"):
            raise SwitchFault(f"the switch would not end a session: {_refusal(answer)}", code="switch-away", hint=_LOOK)
        return not answer


def _read(line: socket.socket) -> str:
    parts: list[bytes] = []
    size = 0
    while part := line.recv(65536):
        parts.append(part)
        size += len(part)
        if size > _MOST:
            raise OSError("an answer without end")
    return b"".join(parts).decode()


def _refusal(answer: str) -> str:
    return answer.removeprefix("ERR ").strip()[:400] or "an empty answer"
