"""One line per thing made: living while it is made, final when it is done. What needs no making leaves no line."""

import sys
import time
from types import TracebackType

WIDTH = 100


class Line:
    """A thing being made, as one line on stderr; a terminal also sees what it is doing meanwhile."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._started = time.monotonic()
        self._living = sys.stderr.isatty()
        self._said = False

    def doing(self, text: str) -> None:
        """Shows `text` until the next; on a terminal only."""
        first = text.strip().splitlines()[:1]
        if self._living and first:
            print(f"\r\033[K  {self.name:<22} {first[0]:.{WIDTH - 26}}", end="", file=sys.stderr, flush=True)

    def done(self, text: str) -> None:
        """The final line, with the time it took."""
        took = time.monotonic() - self._started
        print(f"{self._clear()}  {self.name:<22} {text} ({took:.1f} s)", file=sys.stderr, flush=True)
        self._said = True

    def unchanged(self) -> None:
        """Nothing was to be done."""
        print(self._clear(), end="", file=sys.stderr, flush=True)
        self._said = True

    def _clear(self) -> str:
        return "\r\033[K" if self._living else ""

    def __enter__(self) -> "Line":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        if kind is not None and not self._said:
            self.done("failed")
