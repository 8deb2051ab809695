"""A suite's files as they lie on disk: what is digested is what is sent, byte for byte."""

import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path

from otagate.core.canonical import digest_of
from otagate.core.errors import UsageError

TREE_BYTES = 256 * 1024 * 1024
_LEFT_OUT = frozenset({"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".git"})
SHARED = "../conftest.py"  # the suites of a platform may share one; it decides what they find and is digested with each


def read_tree(folder: str) -> dict[str, bytes]:
    """Relative path → content, caches and byte code left out, the shared conftest.py included.

    UsageError for a folder that is not there, holds no test file, or holds something that is no plain file.
    """
    root = Path(folder)
    if not root.is_dir():
        raise UsageError(f"there is no suite folder {folder}", code="empty-suite", hint="name it in otagate.yaml")
    try:
        tree = {path.relative_to(root).as_posix(): path.read_bytes() for path in _files(root)}
        shared = root.parent / "conftest.py"
        if shared.is_file():
            tree[SHARED] = shared.read_bytes()
    except OSError as error:
        raise UsageError(f"suite folder {folder} cannot be read: {error.filename}: {error.strerror}") from error
    if not any(_is_test(path) for path in tree):
        raise UsageError(
            f"suite folder {folder} holds no test file",
            code="empty-suite",
            hint="a test file is called test_….py or …_test.py",
        )
    if sum(map(len, tree.values())) > TREE_BYTES:
        raise UsageError(f"suite folder {folder} holds more than {TREE_BYTES >> 20} MiB")
    return tree


def tree_digest(tree: Mapping[str, bytes]) -> str:
    """The digest over the map of paths to the digests of their contents."""
    return digest_of({path: hashlib.sha256(content).hexdigest() for path, content in tree.items()})


def archive(files: Mapping[str, bytes]) -> bytes:
    """A tar of plain files (path → content), readable by all, with their folders; nothing of this machine in it."""
    packed = io.BytesIO()
    folders = {parent.as_posix() for path in files for parent in Path(path).parents if parent != Path(".")}
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for folder in sorted(folders):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o555
            tar.addfile(entry)
        for path, content in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o444
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _files(root: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(root, onerror=_raise):
        folders[:] = sorted(set(folders) - _LEFT_OUT)
        for name in [*folders, *sorted(names)]:
            path = Path(place, name)
            mode = path.lstat().st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                raise UsageError(f"{path} is no plain file: its content would not be what was digested")
            if stat.S_ISREG(mode) and path.suffix not in (".pyc", ".pyo"):
                yield path


def _raise(error: OSError) -> None:
    raise error


def _is_test(path: str) -> bool:
    name = path.rpartition("/")[2]
    return fnmatch(name, "test_*.py") or fnmatch(name, "*_test.py")
