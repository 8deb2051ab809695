"""What every model of the platform files shares: strict, closed, and able to say why a key is refused."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from otagate.config.tree import shown
from otagate.config.units import flaw


@dataclass(frozen=True)
class Refusal:
    """Why a key that Compose knows is not taken here, and what to write instead."""

    reason: str
    instead: str


class Strict(BaseModel):
    """A mapping of known keys with values of exactly the declared types."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)
    refused: ClassVar[Mapping[str, Refusal]] = {}


class Section(Strict):
    """A mapping that is validated key by key, so that one faulty entry does not hide the others' faults."""


@dataclass(frozen=True)
class Matches:
    """Text that matches `pattern` as a whole; `words` says so to people."""

    pattern: str
    words: str
    most: int = 255

    def fits(self, value: str) -> bool:
        """Whether all of `value` matches and is not too long."""
        return len(value) <= self.most and re.fullmatch(self.pattern, value, re.ASCII) is not None

    def check(self, value: str) -> str:
        """Answers `value`, or raises the error that names it."""
        if not self.fits(value):
            raise flaw(f"{shown(value)} is not {self.words}", f"write {self.words}")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "pattern": f"^{self.pattern}$", "maxLength": self.most}


def environment_mapping(value: Any) -> Any:
    """Compose's list form `[NAME=text]` as a mapping; numbers become their text."""
    if isinstance(value, list):
        value = _pairs(value)
    if not isinstance(value, dict):
        return value
    return {name: _variable(name, text) for name, text in value.items()}


def _pairs(items: list[Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for item in items:
        name, equals, text = item.partition("=") if isinstance(item, str) else ("", "", "")
        if not equals:
            raise flaw("each line of the list form must be NAME=text", "write NAME=text, or a mapping NAME: text")
        if name in result:
            raise flaw(f"{shown(name)} stands twice", "keep one of the two")
        result[name] = text
    return result


def _variable(name: str, text: Any) -> Any:
    if isinstance(text, bool | float):
        raise flaw(f"the value of {shown(name)} must be text", "put it in quotes, so that it arrives as written")
    if text is None:
        raise flaw(f"{shown(name)} has no value", "write it out: nothing is taken from this machine's environment")
    return str(text) if isinstance(text, int) else text


Name = Annotated[str, Matches(r"[a-z][a-z0-9-]{0,30}", "a name: a-z, then a-z, 0-9 and -, 31 characters at most")]
Variable = Annotated[str, Matches(r"[A-Za-z_][A-Za-z0-9_]*", "a variable's name: letters, digits and _")]
ImageName = Annotated[
    str,
    Matches(
        r"(?:[a-zA-Z0-9.-]+(?::\d{1,5})?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?",
        "an image's name such as hello/web:1.0",
    ),
]
Inside = Annotated[str, Matches(r"/[^\x00:]*", "an absolute path inside the container", 1024)]
UrlPath = Annotated[str, Matches(r"/[A-Za-z0-9._~/%?=&-]*", "a path such as /healthz", 1024)]
Environment = Annotated[dict[Variable, str], BeforeValidator(environment_mapping)]
