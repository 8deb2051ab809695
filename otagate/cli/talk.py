"""Talk while work goes on, on stderr: one line a step, plain when it is no terminal."""

import time  # noqa: TID251 - the only clock that is shown and never decided on

from rich.console import Console
from rich.text import Text

from otagate.ports import Progress

_WIDTH = 80


class Talk:
    """Prints each `Progress` once; on a terminal the running count of a long step stays on one line."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._began = time.monotonic()
        self._status = self._console.status("") if self._console.is_terminal else None

    def __call__(self, progress: Progress) -> None:
        counted = progress.total > 0
        if counted and progress.done < progress.total:
            if self._status:
                self._status.update(Text(self._line(progress)))
                self._status.start()
            return
        if self._status:
            self._status.stop()
        self._console.print(Text(self._line(progress)))

    def close(self) -> None:
        if self._status:
            self._status.stop()

    def _line(self, progress: Progress) -> str:
        elapsed = time.monotonic() - self._began
        count = f" {progress.done}/{progress.total}" if progress.total else ""
        parts = [part for part in (progress.subject, progress.message) if part]
        return f"{elapsed:6.1f} s  {progress.step:<12}{count} {'  '.join(parts)}"[: self._width()]

    def _width(self) -> int:
        return self._console.width if self._console.is_terminal else max(_WIDTH * 4, 200)
