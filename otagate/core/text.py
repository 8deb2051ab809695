"""Text from outside (test names, log lines) made fit to print: bounded, and without characters that hide or reorder."""

import unicodedata
from collections.abc import Sequence

from otagate.core.errors import UsageError

# Cc control, Cf format (bidirectional overrides, zero width), Cs lone surrogates, Co private use, Cn unassigned,
# Zl/Zp line and paragraph separators: each can hide, reorder or break what a reader sees.
_HIDING = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(text: str, limit: int = 120, *, lines: bool = False) -> str:
    """`text` on one line in at most `limit` characters; what cannot be shown safely is spelled out, such as `\\x1b`.

    `lines`: line feeds and tabs stay; without it they become spaces. Carriage returns always do.
    """
    # Cut before the scan as well: a name of many megabytes must cost no more than a long one.
    head = _spelled_out(text[: limit + 1], lines)
    return head if len(head) <= limit else head[: limit - 1] + "…"


def printable_lines(text: str, limit: int) -> str:
    """Like `printable` with lines, keeping the end when `text` is longer, as logs tell it there."""
    kept = _spelled_out("\n".join(text[-(limit + 1) :].splitlines()), True)
    return kept if len(text) <= limit and len(kept) <= limit else "…" + kept[len(kept) - min(len(kept), limit - 1) :]


def plain_name(name: str) -> str:
    """`name`, if as a file's it can lead nowhere but into its folder; else UsageError."""
    if not name or name.startswith(".") or "/" in name or "\0" in name:
        raise UsageError(f"{printable(repr(name))} is no plain name", code="bad-name", hint="names hold no slash")
    return name


def first_few(names: Sequence[str], shown: int = 3, limit: int = 80) -> str:
    """`a, b, c and 4 more`."""
    text = ", ".join(printable(name, limit) for name in names[:shown])
    left = len(names) - shown
    return f"{text} and {left} more" if left > 0 else text


def counted(number: int, one: str, many: str = "") -> str:
    """`1 case`, `2 cases`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def _spelled_out(text: str, lines: bool) -> str:
    if lines:
        return "\n".join("\t".join(_spelled_out(part, False) for part in line.split("\t")) for line in text.split("\n"))
    # Python's "printable" leaves out all of the above; nearly every text is, and then costs nothing.
    return text if text.isprintable() else "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character in "\t\n\r":
        return " "
    return _spelled(ord(character)) if unicodedata.category(character) in _HIDING else character


def _spelled(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
