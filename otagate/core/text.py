"""Text from outside (test names, log lines) made fit to print: bounded, and without characters that hide or reorder."""

import unicodedata
from collections.abc import Sequence

_ODD = "\N{REPLACEMENT CHARACTER}"

# Cc control, Cf format (bidirectional overrides, zero width), Cs lone surrogates, Co private use, Cn unassigned,
# Zl/Zp line and paragraph separators: each can hide, reorder or break what a reader sees.
_HIDING = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(text: str, limit: int = 120) -> str:
    """`text` on one line in at most `limit` characters; what cannot be shown safely becomes U+FFFD."""
    # Cut before the scan as well: a name of many megabytes must cost no more than a long one.
    head = _clean(text[: limit + 1])
    return head if len(head) <= limit else head[: limit - 1] + "…"


def printable_lines(text: str, limit: int) -> str:
    """Like `printable`, keeping line breaks and tabs; the end is kept when `text` is longer, as logs tell it there."""
    kept = text if len(text) <= limit else "…" + text[-(limit - 1) :]
    return "\n".join("\t".join(_clean(part) for part in line.split("\t")) for line in kept.splitlines())


def first_few(names: Sequence[str], shown: int = 3, limit: int = 80) -> str:
    """`a, b, c and 4 more`."""
    text = ", ".join(printable(name, limit) for name in names[:shown])
    left = len(names) - shown
    return f"{text} and {left} more" if left > 0 else text


def counted(number: int, one: str, many: str = "") -> str:
    """`1 case`, `2 cases`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def _clean(text: str) -> str:
    # Python's "printable" leaves out all of the above; nearly every text is, and then costs nothing.
    return text if text.isprintable() else "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character in "\t\n\r":
        return " "
    return _ODD if unicodedata.category(character) in _HIDING else character
