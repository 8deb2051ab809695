"""One fault at one chosen call of a process: killed before it, or told EIO or ENOSPC instead of having it done; a
commit of the journal also told EIO once it is done, as by a disk that does not take the folder's sync.

Counted are the calls that leave the process: what Python does to files under the watched folders (open, write, fsync,
rename, unlink …), what SQLite does to them (see `vfs`), and what is asked of the switch, the services, the engine and
the provisioner, before and after (see `outside`). The count lies in memory shared with the parent.
"""

import builtins
import errno
import io
import mmap
import os
import signal
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any

_BY_PATH = ("open", "rename", "replace", "unlink", "mkdir", "chmod", "link")
_BY_HANDLE = ("write", "fsync")
_LAYOUT = "qqqq"  # calls passed, faults given, length of the names, what was acknowledged last
_NAMES_AT, _SIZE = 64, 1 << 20


class Harm(StrEnum):
    """What happens at the chosen call. STOP: the whole world stands still there, for a power cut."""

    KILL = "SIGKILL"
    EIO = "EIO"
    ENOSPC = "ENOSPC"
    LATE = "EIO once done"
    STOP = "SIGSTOP"


NUMBERS = {Harm.EIO: errno.EIO, Harm.ENOSPC: errno.ENOSPC, Harm.LATE: errno.EIO}


class Faults:
    """Made before the fork, armed in the child. The chosen call is the `at`-th, with a `name` the `at`-th or first of
    that name; without either it only counts. `last` runs just before a kill."""

    def __init__(self, watched: tuple[Path, ...], at: int = 0, *, harm: Harm = Harm.KILL, name: str = "") -> None:
        self._watched = tuple(f"{folder}/" for folder in watched)
        self._at, self._name, self._harm = at, name, harm
        self._named = 0  # calls of that name
        self._shared = mmap.mmap(-1, _SIZE)
        self._lock = threading.Lock()
        self._armed = False
        self.last: Callable[[], None] = lambda: None

    # --- the parent's side ---

    @property
    def passed(self) -> int:
        return self._state()[0]

    @property
    def hit(self) -> bool:
        """Whether the chosen call was reached and the fault was given."""
        return self._state()[1] > 0

    @property
    def names(self) -> list[str]:
        """The name of each call passed, in order."""
        text = self._shared[_NAMES_AT : self._shared.find(b"\0", _NAMES_AT)].decode()
        return text.split("\n")[:-1]

    def release(self) -> None:
        self._shared.close()

    @property
    def acknowledged(self) -> int:
        """The last journal entry of which the child was told that it is kept."""
        return self._state()[3]

    def _state(self) -> tuple[int, int, int, int]:
        passed, hit, end, entry = struct.unpack_from(_LAYOUT, self._shared)
        return passed, hit, end, entry

    # --- the child's side ---

    def arm(self) -> None:
        self._armed = True

    def reached(self, name: str) -> Harm | None:
        """One more call: killed if it is the chosen one; answers what the caller is to be told instead of having it."""
        if not self._armed:
            return None
        with self._lock:
            passed, hit, end, entry = self._state()
            line = f"{name}\n".encode()
            if _NAMES_AT + end + len(line) < _SIZE:
                self._shared[_NAMES_AT + end : _NAMES_AT + end + len(line)] = line
                end += len(line)
            self._named += name == self._name
            so_named = name == self._name and self._named == max(self._at, 1)
            chosen = so_named if self._name else passed + 1 == self._at
            struct.pack_into(_LAYOUT, self._shared, 0, passed + 1, hit + chosen, end, entry)
        if not chosen:
            return None
        if self._harm is Harm.KILL:
            self.last()
            os.kill(os.getpid(), signal.SIGKILL)
        if self._harm is Harm.STOP:
            os.kill(os.getpid(), signal.SIGSTOP)
            return None
        return self._harm

    def acknowledge(self, entry: int) -> None:
        with self._lock:
            passed, hit, end, _ = self._state()
            struct.pack_into(_LAYOUT, self._shared, 0, passed, hit, end, entry)

    def call(self, name: str, fault: Callable[[str], BaseException]) -> None:
        """A call of a port; raises what the port would raise."""
        if harm := self.reached(name):
            raise fault(f"{harm} planted at {name}")

    def concerns(self, path: object) -> bool:
        if not isinstance(path, str | os.PathLike):
            return False
        return os.fspath(path).startswith(self._watched)

    def _file(self, name: str, path: object) -> None:
        if not self.concerns(path):
            return
        if harm := self.reached(f"{name} {Path(str(path)).name}"):
            raise OSError(NUMBERS[harm], os.strerror(NUMBERS[harm]), str(path))

    def install(self) -> None:
        """Around Python's own calls, in this process."""
        for name in _BY_PATH:
            self._around(os, name, lambda arguments: arguments[0])
        for name in _BY_HANDLE:
            self._around(os, name, lambda arguments: named(arguments[0]))
        self._around(io, "open", lambda arguments: arguments[0])
        builtins.open = io.open

    def _around(self, module: Any, name: str, path_of: Callable[[tuple[Any, ...]], object]) -> None:
        whole = getattr(module, name)

        def around(*arguments: Any, **more: Any) -> Any:
            self._file(name, path_of(arguments))
            return whole(*arguments, **more)

        setattr(module, name, around)


def named(handle: int) -> str:
    """The path of an open file, "" for what is none."""
    with suppress(OSError):
        return os.readlink(f"/proc/self/fd/{handle}")
    return ""
