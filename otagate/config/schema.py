"""The JSON Schema of otagate.yaml, for editors."""

from typing import Any

from otagate.config.settings import SettingsFile


def json_schema() -> dict[str, Any]:
    """A JSON Schema (2020-12) that knows every key of otagate.yaml, its type and its meaning."""
    schema = SettingsFile.model_json_schema()
    _without_wrong_defaults(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "otagate.yaml"}


def _without_wrong_defaults(part: Any) -> None:
    """Defaults are in the program's units (seconds), keys in people's (`60s`): the descriptions say those."""
    if isinstance(part, dict):
        if part.get("type") == "string" and not isinstance(part.get("default", ""), str):
            del part["default"]
        if isinstance(part.get("default"), dict):
            del part["default"]
        part.pop("title", None)
    for value in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        _without_wrong_defaults(value)
