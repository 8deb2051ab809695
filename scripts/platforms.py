"""What a platform's images.yaml declares: the images to build and the public data to fetch."""

from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from otagate.core.cloud import LABEL_PLATFORM
from otagate.core.errors import ConfigError, Position, Problem
from scripts.builds import Recipe


@dataclass(frozen=True)
class Data:
    """Files out of one distribution of the package index: `take` are patterns within it, `into` a folder to fill."""

    package: str
    version: str
    sha256: str
    take: tuple[str, ...]
    into: Path


@dataclass(frozen=True)
class Declaration:
    """All one platform declares."""

    images: tuple[Recipe, ...]
    data: tuple[Data, ...]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Image(_Strict):
    image: str
    context: str
    args: dict[str, str] = {}


class _Data(_Strict):
    package: str
    version: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    take: list[str] = Field(min_length=1)
    into: str


class _File(_Strict):
    images: list[_Image] = []
    data: list[_Data] = []


def declarations(environments: Path) -> list[Declaration]:
    """Those of every shipped platform, by name of its folder. Raises ConfigError."""
    return [read_declaration(path) for path in sorted(environments.glob("*/images.yaml"))]


def read_declaration(path: Path) -> Declaration:
    """Raises ConfigError with every problem of the file."""
    read = _read(path)
    folder = path.parent.resolve()
    labels = {LABEL_PLATFORM: _platform(folder)}
    problems: list[Problem] = []
    images = [
        Recipe(it.image, _inside(folder, it.context, f"images.{n}.context", path, problems), it.args, labels)
        for n, it in enumerate(read.images)
    ]
    data = [
        Data(
            it.package,
            it.version,
            it.sha256,
            tuple(it.take),
            _inside(folder, it.into, f"data.{n}.into", path, problems),
        )
        for n, it in enumerate(read.data)
    ]
    if problems:
        raise ConfigError(problems, hint=f"mend {path}, then: make setup")
    return Declaration(tuple(images), tuple(data))


def _read(path: Path) -> _File:
    hint = f"mend {path}, then: make setup"
    try:
        return _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = Position(str(path), mark.line + 1, mark.column + 1) if mark else Position(str(path), 1, 1)
        raise ConfigError([Problem(at, "", "this is not YAML")], hint=hint) from error
    except ValidationError as error:
        at = Position(str(path), 1, 1)
        found = [Problem(at, ".".join(str(step) for step in it["loc"]), it["msg"]) for it in error.errors()]
        raise ConfigError(found, hint=hint) from error


def _platform(folder: Path) -> str:
    """The platform's name out of its otagate.yaml; the check of that file is not this module's affair."""
    try:
        named = yaml.safe_load((folder / "otagate.yaml").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return folder.name
    return str(named.get("platform", folder.name)) if isinstance(named, dict) else folder.name


def _inside(folder: Path, name: str, at: str, path: Path, problems: list[Problem]) -> Path:
    """The path under the platform's folder; a problem if it leads out of it."""
    place = (folder / name).resolve()
    if folder not in place.parents:
        problems.append(Problem(Position(str(path), 1, 1), at, f"{name!r} is not a folder inside the platform's own"))
    return place
