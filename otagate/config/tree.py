"""YAML text to plain values with the position of each: no tags, no templating, nothing ambiguous, nothing unbounded."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from otagate.core.errors import Position, Problem

Path = tuple[str | int, ...]

MOST_BYTES = 256 * 1024
MOST_DEPTH = 20
MOST_NODES = 20_000
MOST_ALIASES = 100
MOST_NUMBER = 2**53  # beyond it JSON readers differ

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)
_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+")
_TAG = "tag:yaml.org,2002:"
_AMBIGUOUS = {
    "bool": "write true or false, or put the text in quotes",
    "int": "write a plain decimal number, or put the text in quotes",
    "float": "write a plain decimal number such as 1.5, or put the text in quotes",
    "timestamp": "put the text in quotes",
    "merge": "write the keys out: merging is not supported",
}


class Flaw(Exception):
    """What is wrong with one piece of text, and what to write instead."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


Settle = Callable[[str], str]


@dataclass(frozen=True)
class Broken:
    """Stands for a value that could not be read; its problem is already reported."""


@dataclass
class Document:
    """A file as plain values. `values` and `keys` give the position of each value and key by its path."""

    file: str
    value: Any
    values: Mapping[Path, Position]
    keys: Mapping[Path, Position]
    problems: list[Problem] = field(default_factory=list)
    meant: set[Path] = field(default_factory=set)  # keys that a misspelt one stands for

    def at(self, path: Path) -> Any:
        """The raw value at `path`, or Broken where there is none."""
        value = self.value
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return Broken()
        return value

    def position(self, path: Path, *, key: bool = False) -> Position:
        """Where `path` stands, or the nearest thing around it that has a place."""
        if key and path in self.keys:
            return self.keys[path]
        for length in range(len(path), -1, -1):
            if path[:length] in self.values:
                return self.values[path[:length]]
        return Position(self.file, 1, 1)

    def complain(self, path: Path, message: str, hint: str, *, key: bool = False) -> None:
        """Report a problem at `path` (at its key with `key`)."""
        self.problems.append(Problem(self.position(path, key=key), dotted(path), message, hint))


def dotted(path: Path) -> str:
    return ".".join(str(s) if isinstance(s, int) or re.fullmatch(r"[\w-]{1,64}", s) else shown(s) for s in path)


def shown(text: object) -> str:
    """`text` for a message: quoted, escaped, cut at 40 characters."""
    words = text if isinstance(text, str) else str(text)
    return repr(words) if len(words) <= 40 else repr(words[:39]) + "…"


def read_tree(content: bytes, file: str, settle: Settle) -> Document:
    """Parse `content`; what is wrong stands in the document's problems. `settle` has the last word on each text."""
    document = Document(file, Broken(), {}, {})
    try:
        text = _decoded(content, file)
        root = _Reader(text, document, settle).read()
    except _Stop as stop:
        document.problems.append(stop.problem)
        return document
    values: dict[Path, Position] = {}
    keys: dict[Path, Position] = {}
    document.value = _flat(root, (), values, keys)
    document.values, document.keys = values, keys
    return document


class _Stop(Exception):
    def __init__(self, at: Position, message: str, hint: str) -> None:
        super().__init__(message)
        self.problem = Problem(at, "", message, hint)


@dataclass
class _Node:
    """`size` counts the nodes below and itself with aliases written out, `height` the levels."""

    at: Position
    content: Any
    size: int = 1
    height: int = 1
    anchor: str | None = None
    open: bool = False
    refused: bool = False
    key: tuple[str, Position] | None = None
    seen: dict[str, tuple[Position, "_Node"]] = field(default_factory=dict)


def _decoded(content: bytes, file: str) -> str:
    if len(content) > MOST_BYTES:
        raise _Stop(
            Position(file, 1, 1), f"is larger than {MOST_BYTES // 1024} KiB", "a platform's file is a few pages"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace")
        raise _Stop(_place(file, before), "is not UTF-8 text", "save the file as UTF-8") from None
    if (bad := _UNSEEN.search(text.replace("\r\n", "\n"))) is not None:
        before = text.replace("\r\n", "\n")[: bad.start()]
        name = f"U+{ord(bad.group()):04X}"
        raise _Stop(_place(file, before), f"holds the unseen character {name}", "delete it; a platform's file is text")
    return text


def _place(file: str, before: str) -> Position:
    return Position(file, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)


class _Reader:
    """Builds nodes from PyYAML's events with a stack of its own, so that depth and size are bounded while reading."""

    def __init__(self, text: str, document: Document, settle: Settle) -> None:
        self.loader: Any = yaml.SafeLoader(text)  # its stubs leave half of it untyped
        self.document = document
        self.settle = settle
        self.stack: list[_Node] = []
        self.anchors: dict[str, _Node] = {}
        self.aliases = 0
        self.root: _Node | None = None

    def read(self) -> _Node:
        try:
            while self.loader.check_event():
                self._take(self.loader.get_event())
        except yaml.MarkedYAMLError as error:
            raise self._syntax(error) from None
        except (yaml.YAMLError, ValueError, OverflowError, IndexError) as error:
            # PyYAML lets chr() and int() fail on their own, e.g. for "\UFFFFFFFF" or a huge %YAML version.
            raise _Stop(self._here(), f"cannot be read: {shown(error)}", "rewrite this place in plain YAML") from None
        finally:
            self.loader.dispose()
        if self.root is None:
            raise _Stop(Position(self.document.file, 1, 1), "is empty", "otagate init makes a platform to start from")
        return self.root

    def _take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            raise _Stop(self._mark(event), "holds more than one document", "keep one; delete the second `---` and on")
        if isinstance(event, yaml.AliasEvent):
            self._close(self._alias(event))
        elif isinstance(event, yaml.ScalarEvent):
            self._close(_Node(self._mark(event), self._scalar(event), anchor=event.anchor))
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._open(event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            node = self.stack.pop()
            node.open = False
            if isinstance(event, yaml.MappingEndEvent):
                node.content = node.seen
            if node.refused:
                node.content = Broken()
            self._close(node)

    def _open(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        at = self._mark(event)
        if len(self.stack) >= MOST_DEPTH:
            raise _Stop(
                at, f"is nested deeper than {MOST_DEPTH} levels", "a platform's file is at most a few levels deep"
            )
        mapping = isinstance(event, yaml.MappingStartEvent)
        node = _Node(at, None if mapping else [], anchor=event.anchor, open=True, refused=self._tagged(event.tag, at))
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        self.stack.append(node)

    def _close(self, node: _Node) -> None:
        """Hand a finished node to what it stands in."""
        if node.anchor is not None:
            self.anchors[node.anchor] = node
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1]
        parent.size += node.size
        parent.height = max(parent.height, node.height + 1)
        if parent.size > MOST_NODES or parent.height > MOST_DEPTH + 1:
            what = f"more than {MOST_NODES} values or {MOST_DEPTH} levels" + (
                ", aliases written out" if self.aliases else ""
            )
            raise _Stop(node.at, f"holds {what}", "a platform's file is a few pages")
        if isinstance(parent.content, list):
            parent.content.append(node)
        elif parent.key is None:
            parent.key = (self._key(node), node.at)
        else:
            self._put(parent, *parent.key, node)
            parent.key = None

    def _put(self, parent: _Node, key: str, at: Position, node: _Node) -> None:
        if key in parent.seen:
            first = parent.seen[key][0]
            self._complain(at, f"{shown(key)} stands twice (first in line {first.line})", "keep one of the two")
        else:
            parent.seen[key] = (at, node)

    def _key(self, node: _Node) -> str:
        if isinstance(node.content, str):
            return node.content
        if not isinstance(node.content, Broken):
            self._complain(node.at, "a key must be text", "put the key in quotes")
        return f"\x00{len(self.document.problems)}"

    def _alias(self, event: yaml.AliasEvent) -> _Node:
        at = self._mark(event)
        target = self.anchors.get(event.anchor or "")
        if target is None:
            raise _Stop(at, f"the alias {shown(event.anchor)} has no anchor before it", "write the value out")
        if target.open:
            raise _Stop(at, f"the alias {shown(event.anchor)} stands inside its own anchor", "write the value out")
        self.aliases += 1
        if self.aliases > MOST_ALIASES:
            raise _Stop(at, f"holds more than {MOST_ALIASES} aliases", "write the values out")
        return _Node(target.at, target.content, target.size, target.height)

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        at = self._mark(event)
        if self._tagged(event.tag, at):
            return Broken()
        try:
            if event.style is None:
                kind = self.loader.resolve(yaml.ScalarNode, event.value, (True, False)).removeprefix(_TAG)
                if kind not in ("str", "value"):
                    return _plain(kind, event.value)
            return self.settle(_visible(event.value))
        except Flaw as flaw:
            self._complain(at, flaw.message, flaw.hint)
            return Broken()

    def _tagged(self, tag: str | None, at: Position) -> bool:
        if tag is not None:
            self._complain(at, f"the tag {shown(tag)} is refused", "write plain values: text, numbers, true and false")
        return tag is not None

    def _complain(self, at: Position, message: str, hint: str) -> None:
        if len(self.document.problems) >= 100:
            raise _Stop(at, "and more problems than are worth listing", "mend those above first")
        self.document.problems.append(Problem(at, dotted(self._path()), message, hint))

    def _path(self) -> Path:
        """Where the value being read will stand."""
        steps: list[str | int] = []
        for node in self.stack:
            if isinstance(node.content, list):
                steps.append(len(node.content))
            elif node.key is not None:
                steps.append(node.key[0])
        return tuple(steps)

    def _mark(self, event: Any) -> Position:
        return Position(self.document.file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _here(self) -> Position:
        mark = self.loader.get_mark()
        return Position(self.document.file, mark.line + 1, mark.column + 1)

    def _syntax(self, error: yaml.MarkedYAMLError) -> _Stop:
        mark = error.problem_mark or error.context_mark
        at = Position(self.document.file, mark.line + 1, mark.column + 1) if mark else self._here()
        words = " ".join(str(part) for part in (error.context, error.problem) if part)
        if "\\t" in words:
            return _Stop(at, "a tab stands where YAML wants spaces", "indent with spaces")
        return _Stop(at, f"is not YAML: {words[:200]}", "look at the indentation, quotes and colons there")


def _plain(kind: str, text: str) -> Any:
    """A scalar without quotes that means the same to every reader, or a Flaw."""
    if kind == "null":
        return None
    if kind == "bool" and text in ("true", "false"):
        return text == "true"
    if kind == "int" and _WHOLE.fullmatch(text):
        if len(text) > 17 or abs(int(text)) > MOST_NUMBER:
            raise Flaw(f"the number {shown(text)} is too large", "write a number below 2^53, or put the text in quotes")
        return int(text)
    if kind == "float" and _DECIMAL.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    raise Flaw(f"{shown(text)} means different things to different readers of YAML", _AMBIGUOUS.get(kind, "use quotes"))


def _visible(text: str) -> str:
    """Text without characters that a terminal obeys or hides (an escape in quotes can make them)."""
    if (bad := _UNSEEN.search(text)) is not None:
        raise Flaw(f"the text holds the unseen character U+{ord(bad.group()):04X}", "write it without escapes")
    return text


def _flat(node: _Node, path: Path, values: dict[Path, Position], keys: dict[Path, Position]) -> Any:
    values[path] = node.at
    if isinstance(node.content, list):
        return [_flat(item, (*path, i), values, keys) for i, item in enumerate(node.content)]
    if not isinstance(node.content, dict):
        return node.content
    result = {}
    for key, (at, item) in node.content.items():
        if key.startswith("\x00"):  # a key that could not be read
            continue
        keys[*path, key] = at
        result[key] = _flat(item, (*path, key), values, keys)
    return result


def no_templates(text: str) -> str:
    """Text of otagate.yaml: a template or variable in it would stay as it is, so it is a Flaw."""
    if (found := re.search(r"\$\{[^}]{0,40}\}?", text)) is not None:
        raise Flaw(f"{shown(found.group())} is not filled in: there are no variables here", "write the value itself")
    if (found := re.search(r"\{\{.{0,40}|\{%.{0,40}", text)) is not None:
        raise Flaw(f"{shown(found.group())} is not filled in: there is no templating here", "write the value itself")
    return text


def compose_text(text: str) -> str:
    """Text of compose.yaml: `$$` is a dollar sign, as Compose has it; any other `$` would be a variable: a Flaw."""
    if (found := re.search(r"\$(?:\{[^}]{0,40}\}?|\w{0,40})", text.replace("$$", ""))) is not None:
        hint = "write the value itself, or $$ for a dollar sign"
        raise Flaw(f"{shown(found.group())} is not filled in: interpolation is not supported", hint)
    return no_templates(text).replace("$$", "$")
