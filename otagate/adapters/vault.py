"""The run folders: what a run leaves behind as files, whole or not at all, readable by their owner alone.

Below the home no symbolic link is followed: every step is taken from the descriptor of the folder before it.
"""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from otagate.core.errors import StoreFault
from otagate.core.text import plain_name

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # a pipe must not keep its reader waiting


class FolderVault:
    """ports.Vault under `HOME/runs/`. Raises StoreFault; UsageError for a name that would lead elsewhere."""

    def __init__(self, home: str) -> None:
        self._home = Path(home)

    def folder(self, run: str) -> str:
        """The run's folder, made with mode 0700 if it is not there."""
        path = self._path(run)
        with _translating(path, "written"), self._opened(run, make=True):
            return str(path)

    def write(self, run: str, name: str, content: bytes) -> str:
        """A reader sees the old file or the new one, also after a power cut."""
        path = self._path(run) / plain_name(name)
        with _translating(path, "written"), self._opened(run, make=True) as folder:
            temporary = f".{secrets.token_hex(8)}.part"
            try:
                with os.fdopen(os.open(temporary, _NEW, 0o600, dir_fd=folder), "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(temporary, dir_fd=folder)
                raise
            os.fsync(folder)  # a file's name is content of its folder, and lasts only when that is on the disk too
        return str(path)

    def read(self, run: str, name: str) -> bytes:
        """What a regular file of the run's folder holds."""
        path = self._path(run) / plain_name(name)
        with (
            _translating(path, "read"),
            self._opened(run, make=False) as folder,
            os.fdopen(os.open(name, _READ, dir_fd=folder), "rb") as file,
        ):
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(0, "it is no file")
            return file.read()

    def _path(self, run: str) -> Path:
        return self._home / "runs" / plain_name(run)

    @contextmanager
    def _opened(self, run: str, *, make: bool) -> Iterator[int]:
        """The descriptor of the run's folder."""
        if make:
            self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (
            _closing(os.open(self._home, os.O_RDONLY | os.O_DIRECTORY)) as home,
            _closing(_step(home, "runs", make=make)) as runs,
            _closing(_step(runs, run, make=make)) as folder,
        ):
            if make:
                os.fchmod(folder, 0o700)  # also if it was there before, or the umask was tighter
            yield folder


def _step(folder: int, name: str, *, make: bool) -> int:
    if make:
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=folder)
    return os.open(name, _FOLDER, dir_fd=folder)


@contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _translating(path: Path, done: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        link = next((p for p in (path, *path.parents[:2]) if p.is_symlink()), None)
        why = f"{link} is a symbolic link, and none is followed here" if link else error.strerror or error
        raise StoreFault(
            f"{path} cannot be {done}: {why}",
            code="vault",
            hint="look at the folder's owner, mode and free space (df -h), or set OTAGATE_HOME elsewhere",
        ) from error
