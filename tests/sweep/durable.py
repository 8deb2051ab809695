"""What of a volume a power cut would leave: only what was synced, contents and names each by themselves.

The strictest file system that POSIX allows: a file's content is what it was at its last fsync, a folder's names are
what they were at the folder's last fsync. A real one keeps more, never less.
"""

import os
from collections.abc import Callable
from pathlib import Path

from tests.sweep.faults import named


class Durable:
    """Of one folder, flat. What is there at the beginning is on the disk. `remains(target)` lays down what is left."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fsync: Callable[[int], None] = os.fsync
        self._contents: dict[int, bytes] = {}
        self._names: dict[str, int] = {}
        for path in self._files():
            self._contents[path.stat().st_ino] = path.read_bytes()
        self._sync_names()

    def install(self) -> None:
        """Hear of this process's own syncs; SQLite's are told to `synced`."""
        whole = self._fsync

        def fsync(handle: int) -> None:
            whole(handle)
            path = Path(named(handle))
            if path == self._folder:
                self._sync_names()
            elif path.parent == self._folder:
                self._contents[os.fstat(handle).st_ino] = path.read_bytes()

        os.fsync = fsync  # type: ignore[assignment]

    def synced(self, path: str, folder: bool) -> None:
        """SQLite has synced a file; `folder`: its folder's names too."""
        file = Path(path)
        if file.parent != self._folder:
            return
        if file.exists():
            self._contents[file.stat().st_ino] = file.read_bytes()
        if folder:
            self._sync_names()

    def remains(self, target: Path) -> None:
        target.mkdir(parents=True)
        for name, inode in self._names.items():
            (target / name).write_bytes(self._contents.get(inode, b""))

    def _sync_names(self) -> None:
        self._names = {path.name: path.stat().st_ino for path in self._files()}
        gone = self._contents.keys() - set(self._names.values())
        for inode in gone:  # its number may be given to another file
            del self._contents[inode]

    def _files(self) -> list[Path]:
        return [path for path in self._folder.iterdir() if path.is_file()]
