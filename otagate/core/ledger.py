"""What a suite's run told, entered line by line and then balanced: every contradiction is a flaw."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from otagate.core.metric import Metric
from otagate.core.picture import TITLE_CHARS, NoPicture, Picture, Pictures
from otagate.core.policy import Direction
from otagate.core.redaction import Redactor
from otagate.core.stream import DETAIL_CHARS, ID_CHARS, MESSAGE_CHARS, Message, NotAMessage, decode
from otagate.core.suite import Case, Outcome
from otagate.core.text import printable

FLAWS = 20
SAMPLES = 200_000


@dataclass(frozen=True)
class Ask:
    """What a case wants of the gate; to be answered under the same id."""

    id: int
    what: str
    args: dict[str, Any]


@dataclass(frozen=True)
class Step:
    """Something to tell people: `case` None means that the cases were just collected."""

    case: Case | None
    done: int
    total: int


@dataclass(frozen=True)
class Balance:
    """The whole, after the end. `status`: the child's own; `ended`: the end marker came; `runner`: what ran it;
    `contents` of the pictures by digest."""

    collected: tuple[str, ...]
    cases: tuple[Case, ...]
    flaws: tuple[str, ...]
    metrics: dict[str, Metric]
    pictures: tuple[Picture, ...]
    contents: dict[str, bytes]
    status: int | None
    ended: bool
    runner: str = ""


@dataclass(frozen=True)
class _Mark:
    requirements: tuple[str, ...]
    risks: tuple[str, ...]


class Ledger:
    """One run of one suite. `token` is what each line must bear, `args` what pytest was started with, `secrets` what
    must not be kept of what it says."""

    def __init__(self, token: str, args: Sequence[str], secrets: Iterable[bytes] = ()) -> None:
        self._token = token
        self._redact = Redactor(secrets)
        self._args = list(args)
        self._next = 0
        self._asked = 0
        self._session = False
        self._runner = ""
        self._collected: dict[str, _Mark] | None = None
        self._open: dict[str, float] = {}
        self._cases: dict[str, Case] = {}
        self._counts: Counter[str] = Counter()
        self._metrics: dict[str, Metric] = {}
        self._samples: dict[str, tuple[list[float], list[float]]] = {}
        self._sampled = 0
        self._pictures = Pictures()
        self._end: Message | None = None
        self._flaws: dict[str, None] = {}
        self._unshown = 0
        self._enter = {
            "session": self._take_session,
            "broken": self._take_broken,
            "collected": self._take_collected,
            "start": self._take_start,
            "case": self._take_case,
            "sample": self._take_sample,
            "picture": self._take_picture,
            "ask": self._take_ask,
            "end": self._take_end,
        }

    def flaw(self, text: str) -> None:
        """A reason not to believe the run; the first twenty are kept, the rest counted."""
        text = self._shown(text, MESSAGE_CHARS)
        if text in self._flaws:
            return
        if len(self._flaws) < FLAWS:
            self._flaws[text] = None
        else:
            self._unshown += 1

    def take(self, line: bytes) -> Ask | Step | None:
        """Enter one line. What it says about itself wrongly is a flaw, never an exception."""
        try:
            message = decode(line, self._token)
        except NotAMessage as error:
            self.flaw(f"on the suite's line: {error}")
            return None
        if message.number != self._next:
            self.flaw(f"message {message.number} came where number {self._next} was due")
        self._next = message.number + 1
        if self._end is not None:
            self.flaw(f"a message of kind {message.kind} after the end marker")
            return None
        if not self._session and message.kind not in ("session", "broken"):
            self.flaw(f"a message of kind {message.kind} before the session began")
        return self._enter[message.kind](message)

    def settle(self, status: int | None, *, now: float, cut: str = "", said: str = "") -> Balance:
        """Balance the books. `status`: how the child ended; `cut`: why the parent ended it, if it did;
        `said`: the last of the child's error stream; `now` in seconds since the epoch."""
        if cut:
            self._flaws = {self._shown(cut, MESSAGE_CHARS): None, **self._flaws}
        else:
            self._check_end(status, said)
        self._check_cases()
        flaws = list(self._flaws)
        if self._unshown:
            flaws.append(f"and {self._unshown} more of this kind")
        cases = tuple(self._cases.get(id) or self._missing(id, now) for id in self._collected or ())
        metrics = {
            name: Metric(name, known.unit, known.direction, *map(tuple, self._samples[name]))
            for name, known in self._metrics.items()
        }
        collected, ended = tuple(self._collected or ()), self._end is not None
        pictures, contents = tuple(self._pictures.kept.values()), self._pictures.contents
        return Balance(collected, cases, tuple(flaws), metrics, pictures, contents, status, ended, self._runner)

    def _shown(self, text: str, limit: int, *, lines: bool = False) -> str:
        return printable(self._redact(text), limit, lines=lines)

    # ------------------------------------------------------------------------------------------------- entries

    def _take_session(self, message: Message) -> None:
        if self._session:
            self.flaw("the session began twice")
        self._session = True
        said = message.fields
        self._runner = self._shown(f"pytest {said['pytest']}, Python {said['python']}", 60)
        if said["args"] != self._args:
            self.flaw("pytest ran with other arguments than it was given")
        if said["plugins"]:
            self.flaw(f"plugins that nobody asked for were loaded: {', '.join(said['plugins'])}")
        if said["optimized"]:
            self.flaw("Python ran optimized: assert statements were left out")

    def _take_broken(self, message: Message) -> None:
        where, why = (self._shown(message.fields[part], MESSAGE_CHARS // 3) for part in ("where", "message"))
        self.flaw(f"{where} broke before its cases could be counted: {why}")

    def _take_collected(self, message: Message) -> Step | None:
        if self._collected is not None:
            self.flaw("the cases were collected twice")
            return None
        self._collected = {}
        for case in message.fields["cases"]:
            id = self._shown(case["id"], ID_CHARS)
            if id in self._collected:
                self.flaw(f"{id} was collected twice")
            marks = ([self._shown(name, 100) for name in case[part]] for part in ("requirements", "risks"))
            self._collected[id] = _Mark(*map(tuple, marks))
        dropped = message.fields["dropped"]
        if dropped:
            self.flaw(f"{len(dropped)} case(s) were found and then left out, {dropped[0]} first")
        return Step(None, 0, len(self._collected))

    def _take_start(self, message: Message) -> None:
        id = self._shown(message.fields["id"], ID_CHARS)
        if self._open:
            self.flaw(f"{id} started while {next(iter(self._open))} had not ended")
        if id not in (self._collected or ()):
            self.flaw(f"{id} started but was never collected")
        self._open[id] = message.fields["at"]

    def _take_case(self, message: Message) -> Step | None:
        said = message.fields
        id = self._shown(said["id"], ID_CHARS)
        mark = (self._collected or {}).get(id)
        if mark is None:
            self.flaw(f"{id} was reported but never collected")
            return None
        if self._open.pop(id, None) != said["started"] or said["ended"] < said["started"]:
            self.flaw(f"{id} was reported without having been started, or out of time")
        outcome = Outcome(said["outcome"])
        self._counts[outcome] += 1
        case = Case(
            id,
            outcome,
            float(said["started"]),
            float(said["ended"]),
            mark.requirements,
            mark.risks,
            self._shown(said["message"], MESSAGE_CHARS),
            self._shown(said["detail"], DETAIL_CHARS, lines=True),
            said["since"] and (float(said["since"][0]), float(said["since"][1])),
        )
        if id in self._cases:
            self.flaw(f"{id} was reported twice")
            return None
        self._cases[id] = case
        return Step(case, len(self._cases), len(self._collected or ()))

    def _take_sample(self, message: Message) -> None:
        said = message.fields
        self._sampled += 1
        if self._sampled > SAMPLES:
            self.flaw(f"more than {SAMPLES} samples")
            return
        name = self._shown(said["metric"], 100)
        known = self._metrics.setdefault(
            name, Metric(name, self._shown(said["unit"], 40), Direction(said["direction"]), ())
        )
        if (known.unit, known.direction) != (self._shown(said["unit"], 40), said["direction"]):
            self.flaw(f"metric {name} came in two units or directions")
            return
        candidate, baseline = self._samples.setdefault(name, ([], []))
        candidate.append(float(said["candidate"]))
        if said["baseline"] is not None:
            baseline.append(float(said["baseline"]))

    def _take_picture(self, message: Message) -> None:
        """The case is the one that runs, whatever the message might say."""
        said = message.fields
        name, title = self._shown(said["name"], 100), self._shown(said["title"], TITLE_CHARS)
        try:
            self._pictures.take(name, title, next(iter(self._open), ""), said["size"], said["content"])
        except NoPicture as error:
            self.flaw(f"picture {name} is refused: {error}")

    def _take_ask(self, message: Message) -> Ask:
        said = message.fields
        if said["id"] != self._asked + 1:
            self.flaw("the suite's asks are out of order")
        self._asked = said["id"]
        return Ask(said["id"], said["what"], said["args"])

    def _take_end(self, message: Message) -> None:
        self._end = message

    # ------------------------------------------------------------------------------------------------- balance

    def _check_end(self, status: int | None, said: str) -> None:
        last = f": {said}" if said else ""
        if not self._session:
            self.flaw(f"pytest ended with {status} before its session began{last}")
        elif self._end is None:
            self.flaw(f"no end marker: the run ended with {status} in the middle{self._where()}")
        else:
            self._check_marker(self._end.fields)
            self._check_status(status, self._end.fields["status"])
        if self._session and not self._collected:
            self.flaw("no case was collected")

    def _check_marker(self, marker: Any) -> None:
        for text in marker["meddling"]:
            self.flaw(f"the count may have been meddled with: {text}")
        if marker["collected"] != len(self._collected or ()):
            self.flaw(f"the end marker counts {marker['collected']} collected cases, {len(self._collected or ())} came")
        if marker["counts"] != dict(self._counts):
            self.flaw(f"the end marker counts {_listed(marker['counts'])}, {_listed(self._counts)} came")

    def _check_status(self, status: int | None, told: int) -> None:
        failed = self._counts["failed"] + self._counts["error"]
        if status != told:
            self.flaw(f"pytest ended with {status} but told {told}")
        elif status not in (0, 1):
            self.flaw(f"pytest ended with {status}, which is no end of a whole run")
        elif (status == 1) != (failed > 0):
            self.flaw(f"pytest ended with {status}, but {failed} case(s) failed")

    def _check_cases(self) -> None:
        missing = [id for id in self._collected or () if id not in self._cases]
        if missing:
            self.flaw(f"{len(missing)} collected case(s) were never reported, {missing[0]} first")

    def _missing(self, id: str, now: float) -> Case:
        mark = (self._collected or {})[id]
        started = self._open.get(id)
        if started is None:
            return Case(id, Outcome.MISSING, 0.0, 0.0, mark.requirements, mark.risks, "never started")
        message = "started and never reported"
        return Case(id, Outcome.MISSING, started, max(started, now), mark.requirements, mark.risks, message)

    def _where(self) -> str:
        return f", in {next(iter(self._open))}" if self._open else ""


def _listed(counts: dict[str, int] | Counter[str]) -> str:
    return ", ".join(f"{n} {printable(word, 20)}" for word, n in sorted(counts.items())) or "nothing"
