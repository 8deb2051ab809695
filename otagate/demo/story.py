"""The story of `otagate demo`: from nothing to the report, with a client that never stops asking."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

from otagate.core.promotion import Phase
from otagate.demo.account import ANSWERED, READ, Account, After, Flip, Request, account, lines_of
from otagate.demo.command import COMMAND_SECONDS, Story, Surprise, started
from otagate.demo.expected import Expectation
from otagate.demo.outside import raise_outside
from otagate.demo.production import Production
from otagate.demo.scenario import Least, Scenario

MORE_SECONDS = 180.0
LAST_ANSWERS = 90.0  # for a client that is told to stop: it gives its own last requests a minute at most
WAY_OUT_SECONDS = 120.0  # for a promotion that is told to end to discard what it deployed


@dataclass(frozen=True)
class Ending:
    """What the story came to. `runs` maps image to the run that judged it, `departures` to how it came otherwise."""

    lines: tuple[tuple[str, str], ...]
    surprises: tuple[str, ...]
    seconds: float
    steps: tuple[tuple[str, float], ...]
    runs: Mapping[str, str]
    verdicts: Mapping[str, str]
    departures: Mapping[str, str]
    promotions: Mapping[str, str]

    @property
    def well(self) -> bool:
        return not self.surprises


@dataclass
class Told:
    """What the steps found, by image."""

    runs: dict[str, str] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=dict)
    departures: dict[str, str] = field(default_factory=dict)
    promotions: dict[str, str] = field(default_factory=dict)
    flips: list[Flip] = field(default_factory=list)
    bad: str = ""  # the digest of the build whose promotion is brought back


def tell(story: Story, scenario: Scenario) -> Ending:
    """The whole story. Raises Surprise where going on makes no sense; what the client lost is a surprise of its own."""
    with story.step("a platform of its own"):
        story.otagate("init", str(story.folder), "--like", scenario.like)
        story.otagate("check")
    with story.step("production: the first release goes live, unproven"):
        listeners = story.otagate("up", "--by", "demo")["data"]["listeners"]
        outside = raise_outside(story.platform, story.folder, scenario.outside)
    production = Production(story.platform, story.home, listeners, outside)
    told = Told()
    log = story.home / "client.jsonl"
    with _client(story, scenario, production, log) as client:
        _builds(story, scenario, told, client)
        with story.step("the client has asked enough"):
            _enough(story, scenario.least, log, client)
    with story.step("what the client lost"):
        counted = account(_read(log), told.flips, first="blue", bad=told.bad)
        after = scenario.after(counted, production)
        lines = lines_of(counted, after, plans=scenario.least.plans > 0)
        _weigh(story, scenario.least, counted, after, lines)
    seconds = time.monotonic() - story.began
    return Ending(
        tuple(lines),
        tuple(story.surprises),
        seconds,
        tuple(story.took),
        told.runs,
        told.verdicts,
        told.departures,
        told.promotions,
    )


def _builds(story: Story, scenario: Scenario, told: Told, client: "subprocess.Popen[bytes]") -> None:
    """Judge every build; while a promotion is watched the steward needs nobody, and the next builds are judged.
    Surprise where nobody asks any more: a flip under no load would prove nothing."""
    watched: Promotion | None = None
    with ExitStack() as running:
        for expected in scenario.builds:
            if client.poll() is not None:
                raise Surprise(
                    f"the client ended by itself with status {client.poll()}: a flip under no load proves nothing"
                )
            if watched and expected.promotion is not None:
                _ended(story, watched, told)
                watched = None
            with story.step(f"{expected.image}: {expected.does}"):
                approved = judged(story, scenario.service, expected, told)
            if expected.promotion is not None and approved:
                with story.step(f"{expected.image} goes live under load"):
                    watched = promoting(story, expected, told.runs[expected.image], running)
        if watched:
            _ended(story, watched, told)


def judged(story: Story, service: str, expected: Expectation, told: Told) -> bool:
    """Test one build and hold its verdict, and the rules that gave it, against what they must be."""
    envelope = story.otagate("test", f"{service}={expected.image}", "--by", "demo", expected=(0, 1, 3))
    data = envelope["data"]
    failed = [(f["rule"], f["reason"]) for f in envelope["findings"] if f["mark"] == "fail" and not f["trial"]]
    came = expected.came(data["verdict"], failed)
    story.say(f"    {came}")
    told.verdicts[expected.image], told.runs[expected.image] = came, data["run"]
    if expected.promotion is Phase.ROLLED_BACK:
        told.bad = data["builds"][service]
    departure = told.departures[expected.image] = expected.departure(data["verdict"], envelope["exit"], failed)
    story.check(not departure, f"{expected.image}: {departure}; it must be {expected.must}; it came to {came}")
    if departure:
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


def promoting(story: Story, expected: Expectation, run: str, running: ExitStack) -> Promotion:
    """Start the promotion and wait until its release is live and watched, or it has ended before. The command ends
    with `running` at the latest: what it might still deploy would be left behind."""
    log = story.home / f"promote-{run}.log"
    words = ["promote", run, "--by", "demo"]
    story.say(f"    $ otagate {' '.join(words)}")
    with log.open("wb") as stderr:
        how = {"stdout": subprocess.PIPE, "stderr": stderr, "env": dict(story.environment)}
        process = running.enter_context(started(story.command(*words), patience=WAY_OUT_SECONDS, **how))
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
        try:
            out, _ = promotion.process.communicate(timeout=COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            raise Surprise(f"the promotion of {expected.image} did not end within {COMMAND_SECONDS:.0f} s") from None
        for line in promotion.log.read_text().splitlines():
            story.say(f"      {line}")
        envelope = _told(expected.image, out, promotion.process.returncode)
        came = envelope["data"].get("promotion", {})
        phase = came.get("phase", "none")
        told.flips.extend(Flip(flip["at"], flip["to"]) for flip in came.get("flips", []))
        told.promotions[expected.image] = phase
        story.say(f"    {phase} (exit {envelope['exit']})")
        reason = came.get("reason", "")
        story.check(
            not expected.ended_otherwise(phase, envelope["exit"], reason),
            f"the promotion of {expected.image} ended {phase} (exit {envelope['exit']}): {reason}",
        )
        _left_behind(story, phase, envelope["data"].get("incidents", []))


def _told(image: str, out: bytes, code: int) -> dict[str, Any]:
    try:
        return dict(json.loads(out))
    except ValueError:
        raise Surprise(f"the promotion of {image} ended by {code} and told no result: {out[-200:]!r}") from None


def _left_behind(story: Story, phase: str, incidents: Sequence[Mapping[str, Any]]) -> None:
    """What the release that was brought back wrote while it was live; whoever goes back owes an account of it."""
    for incident in incidents:
        story.say(f"    incident {incident['incident']} is open ({incident['impact']}), its release is held")
        for written in incident["written"]:
            known = written["message"] if written["count"] is None else f"wrote {written['count']} objects meanwhile"
            apart = "" if written["quarantined"] is None else f", {written['quarantined']} set apart"
            story.say(f"      {written['service']} {known}{apart}")
    wanted = int(phase == Phase.ROLLED_BACK)
    story.check(
        len(incidents) == wanted, f"a promotion that ended {phase} left {len(incidents)} incidents, not {wanted}"
    )


@contextmanager
def _client(story: Story, scenario: Scenario, production: Production, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The client as a process of its own, deaf to Ctrl-C, ended by its process id. One that broke, or had to be killed
    with requests under way, has not logged all that it asked: what was lost there would count as nothing."""
    doors = (word for option, name in scenario.doors.items() for word in (option, production.address(name)))
    command = [sys.executable, "-m", scenario.client, *doors, "--log", str(log)]
    secrets = {variable: production.secret(name) for variable, name in scenario.secrets.items()}
    environment = {**story.environment, **secrets}
    with started(command, patience=LAST_ANSWERS, env=environment, start_new_session=True) as process:
        story.say(f"    the client asks from now on (process {process.pid})")
        yield process
    story.check(process.returncode == 0, f"the client ended with status {process.returncode}: its log is not whole")


def _enough(story: Story, least: Least, log: Path, client: "subprocess.Popen[bytes]") -> None:
    """Let the client go on, bounded, until it has asked as much as the story promises."""
    until = time.monotonic() + MORE_SECONDS
    while time.monotonic() < until and client.poll() is None:
        kinds = Counter(entry.kind for entry in _read(log))
        asked = sum(kinds[kind] for kind in ANSWERED), kinds["store"], kinds["plan"], kinds[READ]
        if all(count >= wanted for count, wanted in zip(asked, astuple(least), strict=True)):
            return
        time.sleep(2.0)
    story.check(client.poll() is None, f"the client ended by itself with status {client.poll()}")


def _read(log: Path) -> list[Request]:
    if not log.exists():
        return []
    whole = log.read_text().rpartition("\n")[0]  # a last line may be half written
    return [Request(*json.loads(line)) for line in whole.splitlines()]


def _weigh(story: Story, least: Least, counted: Account, after: After, lines: list[tuple[str, str]]) -> None:
    for name, number in lines:
        story.say(f"    {name:<44} {number}")
    story.check(counted.requests >= least.requests, f"only {counted.requests} requests were asked")
    story.check(counted.stores >= least.stores, f"only {counted.stores} instances were stored")
    story.check(len(counted.plans) >= least.plans, f"only {len(counted.plans)} plans were acknowledged")
    story.check(counted.reads >= least.reads, f"the archive was read only {counted.reads} times")
    story.check(set(counted.by_colour) == {"blue", "green"}, f"answers came from {sorted(counted.by_colour)} alone")
    story.check(counted.harmed > 0, "the build that goes bad harmed nobody: it was not put to the test")
    story.check(counted.recovery is not None, "no flip followed the harm that the bad build did")
    story.check(not counted.lost(after), "something was lost")
