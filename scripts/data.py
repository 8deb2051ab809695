"""Fetches public test data out of packages of the index, by hash, into a platform's folder."""

import fnmatch
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from otagate.core.errors import Fault
from scripts.platforms import Data
from scripts.progress import Line

RECORD = ".fetched.json"  # what stands in the folder, and from where
FETCHING = 300  # seconds
LARGEST = 256 * 1024 * 1024  # bytes of one file


def ensure_data(wanted: Data, downloads: Path) -> bool:
    """Has the files stand in `wanted.into`, byte by byte as fetched; true if they were put there now. Raises Fault.

    Distributions are kept in `downloads`, by hash.
    """
    with Line(f"{wanted.package} {wanted.version}") as line:
        if is_complete(wanted):
            line.unchanged()
            return False
        files = take(fetch(wanted, downloads, line), wanted)
        write(files, wanted)
        line.done(f"{len(files)} files into {os.path.relpath(wanted.into)}")
        return True


def source_of(wanted: Data) -> str:
    """What the record must name for the files to be these."""
    return f"{wanted.package}=={wanted.version} sha256:{wanted.sha256} {' '.join(wanted.take)}"


def is_complete(wanted: Data) -> bool:
    """Whether every file that was fetched from this source stands there unchanged."""
    record = _record(wanted.into)
    mine = record.get(source_of(wanted), {})
    return bool(mine) and all(_digest(wanted.into / name) == digest for name, digest in mine.items())


def fetch(wanted: Data, downloads: Path, line: Line) -> Path:
    """The distribution with exactly this hash, from whatever index pip is set up for."""
    place = downloads / wanted.sha256
    for kept in place.glob("*"):
        if _digest(kept) == wanted.sha256:
            return kept
    line.doing("asking the package index")
    with tempfile.TemporaryDirectory(prefix="otagate-data-") as scratch:
        got = _download(wanted, Path(scratch))
        if _digest(got) != wanted.sha256:  # pip has checked it; the platform's own line is what we answer to
            raise Fault(f"{got.name} is not the file that images.yaml names", code="data.hash", hint="mend images.yaml")
        place.mkdir(parents=True, exist_ok=True)
        return Path(shutil.move(got, place / got.name))


def _download(wanted: Data, scratch: Path) -> Path:
    pinned = scratch / "pinned.txt"
    pinned.write_text(f"{wanted.package}=={wanted.version} --hash=sha256:{wanted.sha256}\n")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--no-deps", "--require-hashes"]
    command = [*pip, "--progress-bar", "off", "-q", "-d", str(scratch / "got"), "-r", str(pinned)]
    hint = "look at the network or the package index (pip config list), then: make setup"
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=FETCHING, check=False)
    except subprocess.TimeoutExpired as error:
        raise Fault(f"{wanted.package}: not here after {FETCHING} s", code="data.fetch", hint=hint) from error
    got = sorted((scratch / "got").glob("*"))
    if answer.returncode or len(got) != 1:
        said = "\n".join(f"    {text}" for text in answer.stderr.splitlines()[-8:])
        raise Fault(f"{wanted.package} {wanted.version} could not be fetched\n{said}", code="data.fetch", hint=hint)
    return got[0]


def take(archive: Path, wanted: Data) -> dict[str, bytes]:
    """File name → content of what the patterns name; every pattern must name something, no two the same name."""
    files: dict[str, bytes] = {}
    unused = set(wanted.take)
    for path, content in _members(archive):
        for pattern in wanted.take:
            if not fnmatch.fnmatchcase(path, pattern):
                continue
            unused.discard(pattern)
            name = PurePosixPath(path).name
            if files.setdefault(name, content) != content:
                raise Fault(f"{wanted.package} has two files {name}", code="data.take", hint="name one in images.yaml")
    if unused:
        raise Fault(
            f"{wanted.package} {wanted.version} has no {', '.join(sorted(unused))}",
            code="data.take",
            hint="mend `take` in images.yaml: paths within the package, without an sdist's own top folder",
        )
    return files


def write(files: Mapping[str, bytes], wanted: Data) -> None:
    """Each file whole or not at all; the record last."""
    wanted.into.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        _replace(wanted.into / name, content)
    record = _record(wanted.into)
    record[source_of(wanted)] = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    _replace(wanted.into / RECORD, json.dumps(record, indent=1, sort_keys=True).encode())


def _replace(path: Path, content: bytes) -> None:
    half = path.with_name(f".{path.name}.half")
    half.write_bytes(content)
    half.replace(path)


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Path within the package and content of each regular file: links and devices are passed over."""
    if archive.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(archive) as packed:
            for item in packed.infolist():
                if not item.is_dir() and item.file_size <= LARGEST:
                    yield item.filename, packed.read(item)
        return
    with tarfile.open(archive) as unpacked:
        for member in unpacked:
            stream = unpacked.extractfile(member) if member.isreg() and member.size <= LARGEST else None
            if stream is not None:
                yield member.name.partition("/")[2], stream.read()


def _record(folder: Path) -> dict[str, dict[str, str]]:
    """What the folder's record says; empty if there is none that can be read, which makes the files be fetched."""
    try:
        found = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _digest(path: Path) -> str:
    """Hexadecimal SHA-256, empty if there is no such file."""
    if not path.is_file():
        return ""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
