"""Talk while work goes on, on stderr: one line a step, plain when it is no terminal."""

import time  # noqa: TID251 - the only clock that is shown and never decided on
from collections.abc import Callable

from rich.console import Console
from rich.text import Text

from otagate.ports import Progress

_WIDTH = 80
_STILL = 15.0  # seconds between two lines of a long step where there is no terminal: a log that stands still looks dead


class Talk:
    """Prints each `Progress` once. The running count of a long step stays on one line of a terminal; elsewhere it is
    told now and then."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._clock = clock
        self._began = self._told = clock()
        self._status = self._console.status("") if self._console.is_terminal else None

    def __call__(self, progress: Progress) -> None:
        counted = progress.total > 0
        if counted and progress.done < progress.total:
            if self._status:
                self._status.update(Text(self._line(progress)))
                self._status.start()
                return
            if self._clock() - self._told < _STILL:
                return
        if self._status:
            self._status.stop()
        self._told = self._clock()
        self._console.print(Text(self._line(progress)))

    def close(self) -> None:
        if self._status:
            self._status.stop()

    def _line(self, progress: Progress) -> str:
        elapsed = self._clock() - self._began
        count = f" {progress.done}/{progress.total}" if progress.total else ""
        parts = [part for part in (progress.subject, progress.message) if part]
        return f"{elapsed:6.1f} s  {progress.step:<12}{count} {'  '.join(parts)}"[: self._width()]

    def _width(self) -> int:
        return self._console.width if self._console.is_terminal else max(_WIDTH * 4, 200)
