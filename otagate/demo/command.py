"""The commands of a story: what a user would type, run as a process of its own, believed by exit status and JSON."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from otagate.core.errors import Fault

Say = Callable[[str], None]

COMMAND_SECONDS = 2700.0  # the suites of the slowest platform alone may take two quarters of an hour


class Surprise(Fault):
    """A step ended otherwise than it must."""

    default_code = "surprise"


@contextmanager
def started(command: Sequence[str], *, patience: float, **how: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that is never left behind, whatever ends the story: at the end it is asked by its id to take its way
    out, and after `patience` seconds it is killed. `how` is for Popen."""
    process = subprocess.Popen(command, **how)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
        if process.poll() is None:
            process.kill()
            process.wait()


@dataclass
class Story:
    """`folder` holds the platform, `home` its runs; `environment` is what every command is started with."""

    folder: Path
    platform: str
    home: Path
    environment: Mapping[str, str]
    say: Say
    began: float = field(default_factory=time.monotonic)
    number: int = 0
    surprises: list[str] = field(default_factory=list)
    took: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        self.number += 1
        start = time.monotonic()
        self.say(f"\n{self.number:>2}  {title}")
        yield
        seconds = time.monotonic() - start
        self.took.append((title, seconds))
        self.say(f"    {seconds:.1f} s")

    def command(self, *words: str) -> list[str]:
        """What is run for `otagate WORDS`: the same program, its result as JSON."""
        where = [] if words[0] == "init" else ["-p", str(self.folder)]
        return [sys.executable, "-m", "otagate", *words, *where, "--output", "json"]

    def otagate(self, *words: str, expected: Sequence[int] = (0,), quiet: bool = False) -> dict[str, Any]:
        """Run one command; answers its JSON envelope. Surprise where its exit status is not among `expected`."""
        if not quiet:
            self.say(f"    $ otagate {' '.join(words)}")
        try:
            done = subprocess.run(
                self.command(*words),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL if quiet else None,
                env=dict(self.environment),
                timeout=COMMAND_SECONDS,
                check=False,
            )
            envelope: dict[str, Any] = json.loads(done.stdout)
        except subprocess.TimeoutExpired:
            raise Surprise(f"otagate {words[0]} did not end within {COMMAND_SECONDS:.0f} s") from None
        except ValueError:
            raise Surprise(f"otagate {words[0]} ended {done.returncode} without its JSON") from None
        if done.returncode not in expected:
            told = "; ".join(e["message"] for e in envelope["errors"]) or json.dumps(envelope["data"])[:300]
            raise Surprise(f"otagate {' '.join(words)} ended {done.returncode}, not {expected[0]}: {told}")
        return envelope

    def check(self, held: bool, told: str) -> None:
        """Note what went otherwise than it must; the story goes on, and ends non-zero."""
        if not held:
            self.surprises.append(told)
            self.say(f"    SURPRISE: {told}")
