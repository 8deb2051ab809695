"""The run folders: what a run leaves behind as files, whole or not at all, readable by their owner alone."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from otagate.core.errors import StoreFault
from otagate.core.text import plain_name


class FolderVault:
    """ports.Vault under `HOME/runs/`. Raises StoreFault; UsageError for a name that would lead elsewhere."""

    def __init__(self, home: str) -> None:
        self._home = Path(home)

    def folder(self, run: str) -> str:
        """The run's folder, made with mode 0700 if it is not there."""
        runs = self._home / "runs"
        path = runs / plain_name(run)
        with _translating(path, "written"):
            self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
            runs.mkdir(exist_ok=True, mode=0o700)
            path.mkdir(exist_ok=True, mode=0o700)
            path.chmod(0o700)  # also if it was there before, or the umask was tighter
        return str(path)

    def write(self, run: str, name: str, content: bytes) -> str:
        """A reader sees the old file or the new one, also after a power cut."""
        folder = Path(self.folder(run))
        path = folder / plain_name(name)
        with _translating(path, "written"):
            descriptor, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=folder)  # mode 0600
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                Path(temporary).replace(path)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
            _keep(folder)
        return str(path)

    def read(self, run: str, name: str) -> bytes:
        path = self._home / "runs" / plain_name(run) / plain_name(name)
        with _translating(path, "read"):
            return path.read_bytes()


def _keep(folder: Path) -> None:
    """The name of a file is content of its folder, and lasts only when that is on the disk too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _translating(path: Path, done: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreFault(
            f"{path} cannot be {done}: {error.strerror or error}",
            code="vault",
            hint="look at the folder's owner, mode and free space (df -h), or set OTAGATE_HOME elsewhere",
        ) from error
