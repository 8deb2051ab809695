"""A document against its model, piece by piece: every fault with its position, and what is sound for further checks."""

import difflib
import re
import types
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from otagate.config.base import Section, Strict
from otagate.config.tree import Broken, Document, Path, shown

S = TypeVar("S", bound=Section)

_EXPONENT = re.compile(r"[-+]?[0-9.]+[eE][-+]?[0-9]+")
_WRITTEN_OUT = "write all its digits, without an exponent: 1000000, not 1e6"
_KINDS = {
    "string_type": ("must be text", "put it in quotes"),
    "int_type": ("must be a whole number", "write a number without quotes and without a point"),
    "float_type": ("must be a number", "write a number without quotes"),
    "bool_type": ("must be true or false", "write true or false, without quotes"),
    "list_type": ("must be a list", "write [one, two], or one item a line after a dash"),
    "dict_type": ("must be a mapping", "write key: value lines below it"),
    "model_type": ("must be a mapping", "write key: value lines below it"),
    "model_attributes_type": ("must be a mapping", "write key: value lines below it"),
    "finite_number": ("must be a finite number", "write a number"),
}


def sound_pieces(model: type[S], document: Document, path: Path = ()) -> S:
    """What of `model` is sound at `path`; the rest is reported to `document`.

    A required mapping that is missing or faulty is empty in the answer; another required field is then unset.
    """
    raw = document.at(path)
    fields: dict[str, Any] = {}
    if not isinstance(raw, dict):
        if not isinstance(raw, Broken):
            document.complain(path, *_KINDS["dict_type"])
        raw = None
    for key in raw or ():
        if key not in _keys(model):
            _complain_key(document, model, (*path, key))
    for name, info in model.model_fields.items():
        key = info.alias or name
        here = (*path, key)
        if raw is not None and key in raw:
            _present(name, info, document, here, fields)
        elif info.is_required():
            if raw is not None:
                _complain_missing(document, here)
            _absent(name, info, document, fields)
    return model.model_construct(**fields)


def _present(name: str, info: FieldInfo, document: Document, path: Path, fields: dict[str, Any]) -> None:
    kind = _bare(info.annotation)
    if _is(kind, Section):
        fields[name] = sound_pieces(kind, document, path)
    elif get_origin(kind) is dict:
        fields[name] = _entries(get_args(kind), document, path)
    else:
        field = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
        _one(field, document, path, fields, name)


def _absent(name: str, info: FieldInfo, document: Document, fields: dict[str, Any]) -> None:
    kind = _bare(info.annotation)
    if _is(kind, Section):
        fields[name] = sound_pieces(kind, _empty(document), ())
    elif get_origin(kind) is dict:
        fields[name] = {}


def _empty(document: Document) -> Document:
    return Document(document.file, Broken(), {}, {})


def _entries(kinds: tuple[Any, ...], document: Document, path: Path) -> dict[str, Any]:
    raw = document.at(path)
    entries: dict[str, Any] = {}
    if not isinstance(raw, dict):
        if not isinstance(raw, Broken):
            document.complain(path, *_KINDS["dict_type"])
        return entries
    for key in raw:
        try:
            _adapter(kinds[0]).validate_python(key)
        except ValidationError as error:
            context = error.errors(include_url=False)[0].get("ctx", {})
            document.complain((*path, key), str(context.get("text")), str(context.get("hint")), key=True)
            continue
        _one(kinds[1], document, (*path, key), entries, key)
    return entries


def _one(kind: Any, document: Document, path: Path, into: dict[str, Any], name: str) -> None:
    try:
        into[name] = _adapter(kind).validate_python(document.at(path))
    except ValidationError as error:
        # Unknown keys first: a key that one of them stands for is then not also missing.
        for detail in sorted(error.errors(include_url=False), key=lambda d: d["type"] != "extra_forbidden"):
            _report(kind, detail, document, path)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _report(kind: Any, detail: ErrorDetails, document: Document, base: Path) -> None:
    path, model = _follow(kind, document, base, detail["loc"])
    if isinstance(document.at(path), Broken) and detail["type"] != "missing":
        return  # it could not be read, which is already said
    if detail["type"] == "extra_forbidden":
        _complain_key(document, model, path)
    elif detail["type"] == "missing":
        _complain_missing(document, (*path, str(detail["loc"][-1])))
    else:
        message, hint = _words(detail)
        if path[:1] == ("secrets",):  # a value there is never repeated: it may be the secret itself
            message = "does not belong here" if detail["type"] == "otagate" else message
        elif detail["type"] == "literal_error":
            message += f", not {shown(detail['input'])}"
        document.complain(path, message, hint)


def _words(detail: ErrorDetails) -> tuple[str, str]:
    context = detail.get("ctx", {})
    if detail["type"] == "otagate":
        return str(context["text"]), str(context["hint"])
    if detail["type"] == "literal_error":
        expected = str(context.get("expected", "")).replace("'", "")
        return f"must be {expected}", f"write {expected}"
    if detail["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return "kind must be cases, metric, crash or drift", "write kind: cases, metric, crash or drift"
    if detail["type"] in ("int_type", "float_type") and _EXPONENT.fullmatch(str(detail["input"])):
        return ("must be a number that is written out: YAML takes one with an exponent for text", _WRITTEN_OUT)
    return _KINDS.get(detail["type"], (detail["msg"], "docs/platform-files.md explains every key"))


def _complain_missing(document: Document, path: Path) -> None:
    if path not in document.meant:
        message = f"{path[-1]} is missing"
        document.complain(path, message, f"add {path[-1]}: …; docs/platform-files.md explains every key")


def _complain_key(document: Document, model: type[Strict] | None, path: Path) -> None:
    key = str(path[-1])
    if model is not None and key in model.refused:
        refusal = model.refused[key]
        document.complain(path, f"{key} is refused: {refusal.reason}", refusal.instead, key=True)
        return
    known = _keys(model) if model is not None else []
    near = difflib.get_close_matches(key[:64], known, n=1, cutoff=0.6)
    document.meant.update((*path[:-1], name) for name in near)
    hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known) or 'nothing'}"
    document.complain(path, f"the key {shown(key)} is unknown", hint, key=True)


def _keys(model: type[BaseModel]) -> list[str]:
    return [info.alias or name for name, info in model.model_fields.items()]


def _follow(kind: Any, document: Document, base: Path, loc: tuple[str | int, ...]) -> tuple[Path, type[Strict] | None]:
    """The error's place in the document, and the model it stands in; pydantic's own steps name union members too."""
    path, model = base, None
    for step in loc:
        kind = _bare(kind)
        if get_origin(kind) in (Union, types.UnionType):
            kind = next((m for m in get_args(kind) if _tag(m) == step), None)
            continue
        model = kind if _is(kind, Strict) else model
        path = (*path, step) if (*path, step) in document.values else path
        kind = _inside(kind, step)
    return path, model


def _inside(kind: Any, step: str | int) -> Any:
    """The type of the part `step` of a `kind`."""
    if _is(kind, BaseModel):
        return {info.alias or name: info.annotation for name, info in kind.model_fields.items()}.get(str(step))
    if get_origin(kind) in (dict, list):
        return get_args(kind)[-1]
    return None


def _tag(member: Any) -> str | None:
    tag = member.model_fields["kind"].annotation if "kind" in getattr(member, "model_fields", {}) else None
    return str(get_args(tag)[0]) if get_origin(tag) is Literal else None


def _bare(kind: Any) -> Any:
    """A type without Annotated and without `| None`."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        members = [m for m in get_args(kind) if m is not type(None)]
        return _bare(members[0]) if len(members) == 1 else kind
    return kind


def _is(kind: Any, base: type) -> bool:
    return isinstance(kind, type) and issubclass(kind, base)
