"""The map file: what the switch reads at its start, hence the commit point of every flip. Raises SwitchFault."""

import os
from dataclasses import dataclass
from pathlib import Path

from otagate.core.cloud import Colour
from otagate.core.errors import SwitchFault
from otagate.core.switch import map_text, read_map

_HINT = "otagate recover writes it anew if journal and switch agree; the switch goes on serving meanwhile"


@dataclass(frozen=True)
class MapFile:
    """The file at `path`; its folder is the one that the switch mounts."""

    path: Path

    def exists(self) -> bool:
        return self.path.exists()

    def read(self) -> tuple[Colour, int]:
        """Colour and epoch; raises SwitchFault (`map-unreadable`) for a file that is missing or anything but whole."""
        try:
            return read_map(self.path.read_text())
        except (OSError, ValueError) as error:
            raise SwitchFault(f"the map file cannot be read: {error}", code="map-unreadable", hint=_HINT) from error

    def write(self, colour: Colour, epoch: int) -> None:
        """Whole and durable when it returns; before that the old one stands. Raises SwitchFault."""
        try:
            write_durably(self.path, map_text(colour, epoch).encode())
        except OSError as error:
            what = f"the map file cannot be written: {error}"
            raise SwitchFault(what, code="map-write", hint="make room on the disk of the steward's volume") from error

    def remove(self) -> None:
        """Gone for good when it returns; only where nothing was ever served. Raises SwitchFault."""
        try:
            self.path.unlink(missing_ok=True)
            _sync_folder(self.path)
        except OSError as error:
            raise SwitchFault(f"the map file cannot be removed: {error}", code="map-write") from error


def write_durably(path: Path, content: bytes) -> None:
    """The file is whole and durable when this returns; before that the old one stands. Raises OSError."""
    unborn = path.with_suffix(".new")
    handle = os.open(unborn, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)
    os.rename(unborn, path)
    _sync_folder(path)


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
