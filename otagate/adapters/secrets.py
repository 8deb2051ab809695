"""Secrets of a binding: production's from where the platform says, a mirror's always made here and kept apart."""

import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from otagate.core.cloud import Binding
from otagate.core.errors import StoreFault
from otagate.core.text import plain_name

Read = Callable[[], bytes]


class KeptSecrets:
    """ports.Secrets. `outside` maps the names that production takes from a variable or file to what reads them."""

    def __init__(self, home: str, outside: Mapping[str, Read]) -> None:
        self._platforms = Path(home) / "platforms"
        self._outside = outside

    def of(self, platform: str, binding: Binding, name: str) -> bytes:
        """StoreFault where a made one cannot be kept; what `outside` raises where production's cannot be read."""
        if binding is Binding.PRODUCTION and name in self._outside:
            return self._outside[name]()
        return self._made(self._folder(platform) / binding.value / plain_name(name))

    def forget(self, platform: str) -> None:
        """Remove what was made for the platform, production's too."""
        folder = self._folder(platform)
        try:
            if folder.is_dir():
                shutil.rmtree(folder)
        except OSError as error:
            hint = f"remove {folder} by hand"
            raise StoreFault(f"the secrets of {platform} cannot be removed: {error.strerror}", hint=hint) from error

    def _folder(self, platform: str) -> Path:
        return self._platforms / plain_name(platform) / "secrets"

    def _made(self, path: Path) -> bytes:
        try:
            if not path.exists():  # what is there is read on a full disk too
                for folder in (path.parent.parent, path.parent):
                    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                with suppress(FileExistsError):
                    _write_once(path, secrets.token_urlsafe(24).encode())
            content = path.read_bytes()
        except OSError as error:
            hint = "free space or set OTAGATE_HOME to a folder that can be written"
            raise StoreFault(f"the secret {path} cannot be kept: {error.strerror}", hint=hint) from error
        if not content:
            raise StoreFault(f"the secret {path} is empty", hint="remove the file; it is made anew for a new platform")
        return content


def _write_once(path: Path, content: bytes) -> None:
    """Whole or not at all, and never over another's: a link fails where the name is taken. On the disk, name too:
    a state service keeps the first one for ever."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(scratch, path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        scratch.unlink(missing_ok=True)
