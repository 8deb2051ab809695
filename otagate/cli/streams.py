"""stdout and stderr that never break a command: what was done stands, whether or not somebody hears of it.

A reader that went away, a full disk, a closed stream or a lost terminal must not end a promotion half way, nor change
an exit status. What cannot be written is dropped; why stands in `lost`.
"""

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Outlet(io.RawIOBase):
    """The file under a standard stream; takes every write. `lost` is why it writes no more, None while it does."""

    def __init__(self, number: int, lost: OSError | None = None) -> None:
        super().__init__()
        self._number = number
        self.lost = lost

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._number

    def isatty(self) -> bool:
        return self.lost is None and os.isatty(self._number)

    def write(self, content: "ReadableBuffer", /) -> int:
        if self.lost is None:
            try:
                return os.write(self._number, content)
            except OSError as error:
                self.lost = error
        return memoryview(content).nbytes


def take_over() -> Outlet:
    """Put outlets under sys.stdout and sys.stderr; answers stdout's. Once, before anything is printed or opened."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # A closed number would go to the next file that is opened, and talk would be written into that.
            os.open(os.devnull, os.O_RDWR)
    out, err = _outlet(1, sys.stdout), _outlet(2, sys.stderr)
    sys.stdout, sys.stderr = _over(out, sys.stdout, line=out.isatty()), _over(err, sys.stderr, line=True)
    return out


def tell_lost(out: Outlet) -> None:
    """Say on stderr that the result could not be written; not of a reader that had enough of it (`| head`)."""
    sys.stdout.flush()
    if out.lost is not None and out.lost.errno != errno.EPIPE:
        why = out.lost.strerror or str(out.lost)
        sys.stderr.write(f"otagate: stdout cannot be written: {why}; the exit status is the outcome's all the same\n")
    sys.stderr.flush()


def _outlet(number: int, stream: TextIO | None) -> Outlet:
    """Python has no stream at all where the number was closed when it started."""
    return Outlet(number, None if stream is not None else OSError(errno.EBADF, "it is closed"))


def _over(outlet: Outlet, stream: TextIO | None, *, line: bool) -> TextIO:
    encoding = stream.encoding if stream is not None else "utf-8"
    return io.TextIOWrapper(io.BufferedWriter(outlet), encoding, "backslashreplace", line_buffering=line)
