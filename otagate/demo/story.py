"""The story of `otagate demo --fast`: from nothing to the report, with a client that never stops asking.

Every step is the command a user would type, run as a process of its own and believed by its exit status and its JSON.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from otagate.core.errors import Fault
from otagate.core.promotion import Phase
from otagate.demo.account import Account, Flip, Request, account
from otagate.demo.expected import HELLO, Expectation

Say = Callable[[str], None]

REQUESTS_AT_LEAST = 20_000
STORES_AT_LEAST = 500
MORE_SECONDS = 180.0
COMMAND_SECONDS = 600.0


class Surprise(Fault):
    """A step ended otherwise than it must."""

    default_code = "surprise"


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
        done = subprocess.run(
            self.command(*words),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if quiet else None,
            env=dict(self.environment),
            timeout=COMMAND_SECONDS,
            check=False,
        )
        try:
            envelope: dict[str, Any] = json.loads(done.stdout)
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


@dataclass(frozen=True)
class Ending:
    """What the story came to. `runs` maps image to the run that judged it; `flips` as the steward acknowledged them."""

    account: Account
    missing: int
    surprises: tuple[str, ...]
    seconds: float
    steps: tuple[tuple[str, float], ...]
    runs: Mapping[str, str]
    verdicts: Mapping[str, str]
    flips: tuple[Flip, ...]

    @property
    def well(self) -> bool:
        return not self.surprises


def tell(story: Story) -> Ending:
    """The whole story. Raises Surprise where going on makes no sense; what the client lost is a surprise of its own."""
    with story.step("a platform of its own"):
        story.otagate("init", str(story.folder))
        story.otagate("check")
    with story.step("production: the first release goes live, unproven"):
        listeners = story.otagate("up", "--by", "demo")["data"]["listeners"]
    told = Told()
    log = story.home / "client.jsonl"
    with _client(story, listeners, log) as client:
        _builds(story, told)
        with story.step("the client has asked enough"):
            _enough(story, log, client)
    with story.step("what the client lost"):
        counted = account(_read(log), told.flips, first="blue", bad=told.bad)
        missing = _missing(counted.kept, listeners["web"]["address"])
        _weigh(story, counted, missing)
    seconds = time.monotonic() - story.began
    return Ending(
        counted,
        missing,
        tuple(story.surprises),
        seconds,
        tuple(story.took),
        told.runs,
        told.verdicts,
        tuple(told.flips),
    )


@dataclass
class Told:
    """What the steps found, by image."""

    runs: dict[str, str] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=dict)
    flips: list[Flip] = field(default_factory=list)
    bad: str = ""  # the digest of the build whose promotion is brought back


def _builds(story: Story, told: Told) -> None:
    """Judge every build; while a promotion is watched the steward needs nobody, and the next builds are judged."""
    watched: Promotion | None = None
    for expected in HELLO:
        if watched and expected.promotion is not None:
            _ended(story, watched, told)
            watched = None
        with story.step(f"{expected.image}: {expected.does}"):
            approved = judged(story, expected, told)
        if expected.promotion is not None and approved:
            with story.step(f"{expected.image} goes live under load"):
                watched = promoting(story, expected, told.runs[expected.image])
    if watched:
        _ended(story, watched, told)


def judged(story: Story, expected: Expectation, told: Told) -> bool:
    """Test one build and hold its verdict, and the rule and reason that gave it, against what they must be."""
    envelope = story.otagate("test", f"web={expected.image}", "--by", "demo", expected=(0, 1, 3))
    data = envelope["data"]
    failed = [(f["rule"], f["reason"]) for f in envelope["findings"] if f["mark"] == "fail" and not f["trial"]]
    wanted = [(expected.rule, expected.reason)] if expected.rule else []
    came = f"{data['verdict']}" + (f" by {', '.join(f'{r} ({c})' for r, c in failed)}" if failed else "")
    story.say(f"    {came}")
    told.verdicts[expected.image], told.runs[expected.image] = came, data["run"]
    if expected.promotion is Phase.ROLLED_BACK:
        told.bad = data["builds"]["web"]
    held = envelope["exit"] == expected.exit and data["verdict"] == expected.decision and failed == wanted
    must = f"{expected.decision} by {wanted[0] if wanted else 'no rule'} (exit {int(expected.exit)})"
    story.check(held, f"{expected.image} came to {came} (exit {envelope['exit']}); it must be {must}")
    if not held:
        for finding in envelope["findings"]:
            if finding["mark"] != "pass":
                story.say(f"      {finding['mark']} {finding['rule']}: {finding['message']}")
    return bool(data["verdict"] == "approve")


@dataclass(frozen=True)
class Promotion:
    """A running `otagate promote`; its talk goes to `log`."""

    expected: Expectation
    process: "subprocess.Popen[bytes]"
    log: Path


def promoting(story: Story, expected: Expectation, run: str) -> Promotion:
    """Start the promotion and wait until its release is live and watched, or it has ended before."""
    log = story.home / f"promote-{run}.log"
    words = ["promote", run, "--by", "demo"]
    story.say(f"    $ otagate {' '.join(words)}")
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            story.command(*words), stdout=subprocess.PIPE, stderr=stderr, env=dict(story.environment)
        )
    until = time.monotonic() + COMMAND_SECONDS
    while process.poll() is None and time.monotonic() < until:
        phase = story.otagate("status", quiet=True, expected=(0, 8))["data"]["promotion"]["phase"]
        if phase in ("watching", "finalizing", "rolling-back"):
            break
        time.sleep(1.5)
    return Promotion(expected, process, log)


def _ended(story: Story, promotion: Promotion, told: Told) -> None:
    """Wait for the promotion's end and hold it against what it must be."""
    expected = promotion.expected
    with story.step(f"the promotion of {expected.image} ends"):
        out, _ = promotion.process.communicate(timeout=COMMAND_SECONDS)
        for line in promotion.log.read_text().splitlines():
            story.say(f"      {line}")
        envelope = json.loads(out)
        came = envelope["data"].get("promotion", {})
        phase = came.get("phase", "none")
        told.flips.extend(Flip(flip["at"], flip["to"]) for flip in came.get("flips", []))
        story.say(f"    {phase} (exit {envelope['exit']})")
        story.check(
            phase == expected.promotion and envelope["exit"] == expected.promotion_exit,
            f"the promotion of {expected.image} ended {phase} (exit {envelope['exit']}): {came.get('reason', '')}",
        )


@contextmanager
def _client(story: Story, listeners: Mapping[str, Any], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The client as a process of its own, deaf to Ctrl-C, ended by its process id."""
    command = [
        *(sys.executable, "-m", "otagate.demo.client"),
        *("--web", listeners["web"]["address"], "--dicom", listeners["dicom"]["address"], "--log", str(log)),
    ]
    process = subprocess.Popen(command, env=dict(story.environment), start_new_session=True)
    story.say(f"    the client asks from now on (process {process.pid})")
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        if process.poll() is None:
            process.kill()


def _enough(story: Story, log: Path, client: "subprocess.Popen[bytes]") -> None:
    """Let the client go on, bounded, until it has asked as much as the story promises."""
    until = time.monotonic() + MORE_SECONDS
    while time.monotonic() < until and client.poll() is None:
        entries = _read(log)
        requests_, stores = (sum(e.kind in kinds for e in entries) for kinds in (("kept-alive", "fresh"), ("store",)))
        if requests_ >= REQUESTS_AT_LEAST and stores >= STORES_AT_LEAST:
            return
        time.sleep(2.0)
    story.check(client.poll() is None, f"the client ended by itself with status {client.poll()}")


def _read(log: Path) -> list[Request]:
    if not log.exists():
        return []
    whole = log.read_text().rpartition("\n")[0]  # a last line may be half written
    return [Request(*json.loads(line)) for line in whole.splitlines()]


def _missing(kept: Sequence[str], web: str) -> int:
    """How many of the instances whose C-STORE was acknowledged cannot be found through the front door now."""

    def found(uid: str) -> bool:
        try:
            return requests.get(f"http://{web}/objects/{uid}", timeout=10).status_code == 200
        except requests.RequestException:
            return False

    with ThreadPoolExecutor(4) as pool:
        return sum(not there for there in pool.map(found, kept))


def _weigh(story: Story, counted: Account, missing: int) -> None:
    for name, number in lines_of(counted, missing):
        story.say(f"    {name:<44} {number}")
    story.check(counted.requests >= REQUESTS_AT_LEAST, f"only {counted.requests} requests were asked")
    story.check(counted.stores >= STORES_AT_LEAST, f"only {counted.stores} instances were stored")
    story.check(set(counted.by_colour) == {"blue", "green"}, f"answers came from {sorted(counted.by_colour)} alone")
    story.check(counted.harmed > 0, "the build that goes bad harmed nobody: it was not put to the test")
    story.check(not counted.lost(missing), "something was lost")


def lines_of(counted: Account, missing: int) -> list[tuple[str, str]]:
    """The account as people read it."""
    recovery = "none harmed" if counted.recovery is None else f"{counted.recovery:.2f} s"
    return [
        ("HTTP requests", f"{counted.requests}"),
        ("  failed", f"{counted.failed}"),
        ("  answered by the old colour after the flip", f"{counted.stale}"),
        ("  harmed by the build that went bad (500)", f"{counted.harmed}"),
        ("  from the first of them to the way back", recovery),
        ("DICOM associations", f"{counted.associations}"),
        ("  cut", f"{counted.associations_cut}"),
        ("instances stored", f"{counted.stores}"),
        ("  not acknowledged", f"{counted.stores_failed}"),
        ("  missing afterwards", f"{missing}"),
    ]
