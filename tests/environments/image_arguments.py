"""What the last layer of a sample build's image makes of its build arguments."""

import re
from collections.abc import Mapping


def arguments(dockerfile: str) -> dict[str, str]:
    """Name → default."""
    return dict(re.findall(r"^ARG (\w+)=(\S+)$", dockerfile, re.MULTILINE))


def as_printed(dockerfile: str, given: Mapping[str, str]) -> str:
    """traits.json, with some arguments given."""
    template = re.search(r"printf '(.*)\\n'", dockerfile)
    assert template
    values = re.findall(r'"\$(\w+)"', dockerfile[template.end() :])
    return template[1] % tuple({**arguments(dockerfile), **given}[name] for name in values)
