"""Files of a platform: read only if they are plain files inside its folder, and only up to a size."""

import os
import stat
from pathlib import Path

from otagate.config.tree import Flaw, shown

MOST_CONFIG_BYTES = 1024 * 1024


def within(folder: Path, relative: str) -> Path:
    """The resolved path of `relative` inside `folder`; a Flaw if it is absolute, climbs out, or a link leads out."""
    hint = "write a path inside the platform's folder, such as ./services/web/peers.yaml"
    if not relative or os.path.isabs(relative) or relative.startswith("~"):
        raise Flaw(f"{shown(relative)} is not a path inside the platform's folder", hint)
    if ".." in Path(relative).parts:
        raise Flaw(f"{shown(relative)} climbs out with ..", hint)
    root = folder.resolve()
    try:
        real = (root / relative).resolve()
    except RuntimeError:  # how pathlib says it
        raise Flaw(f"{shown(relative)} is a link that leads to itself", "put the file itself there") from None
    except (OSError, ValueError) as error:
        raise Flaw(f"{shown(relative)} cannot be followed: {reason(error)}", hint) from None
    if not real.is_relative_to(root):
        raise Flaw(f"{shown(relative)} leads out of the platform's folder by a link", "put the file itself there")
    return real


def read_whole(path: Path, most: int) -> bytes:
    """The content of a plain file; a Flaw if it is none, cannot be read, or is larger than `most` bytes."""
    try:
        # O_NONBLOCK: a pipe in the file's place must not make anybody wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Flaw("does not exist", "make the file, or mend the path") from None
    except (OSError, ValueError) as error:
        raise Flaw(f"cannot be read: {reason(error)}", "mend the path or its rights") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Flaw("is not a plain file", "put a plain file there")
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            content = stream.read(most + 1)
    finally:
        os.close(descriptor)
    if len(content) > most:
        raise Flaw(f"is larger than {most // 1024} KiB", "make the file smaller")
    return content


def reason(error: Exception) -> str:
    """What the system says, in its own few words."""
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


def holds_tests(folder: Path) -> bool:
    """Whether pytest would look into a file below `folder`."""
    return any(p.is_file() for pattern in ("test_*.py", "*_test.py") for p in folder.rglob(pattern))


def links_out(folder: Path, root: Path) -> Path | None:
    """The first link below `folder` that leads out of `root`."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
            return path
    return None
