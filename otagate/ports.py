"""What flows may ask of the world. Adapters implement these; `tests/fakes` does too, under the same contract suite."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from otagate.core.build import Build
from otagate.core.cloud import Binding, Cloud, Colour
from otagate.core.container import Stage
from otagate.core.incident import Incident
from otagate.core.judge import Decision, Verdict
from otagate.core.metric import Metric
from otagate.core.mirror import ObservedCloud
from otagate.core.promotion import Event, Phase
from otagate.core.record import PromotionRecord, Record, RunHeader
from otagate.core.replacement import Replacement
from otagate.core.schema import Move
from otagate.core.shadow import ShadowRule, ShadowSeen
from otagate.core.suite import Crash, SuiteReport
from otagate.core.traffic import Claim, Intent, PromotionView, Status, StewardEvent


@dataclass(frozen=True)
class Progress:
    """One line of live progress: `step` (e.g. "mirror"), `subject` (e.g. a service), `message`. `total` 0: unknown."""

    step: str
    subject: str
    message: str
    done: int = 0
    total: int = 0


Tell = Callable[[Progress], None]
May = Callable[[], object]  # raises where what is about to be done may not be done any more


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since the epoch."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...

    def new_id(self, prefix: str) -> str:
        """A sortable id: prefix, UTC time, random tail."""

    def nonce(self) -> str: ...


class Engine(Protocol):
    """Observation of the clouds' engines (never provisioning, save for removal). Raises EngineFault."""

    def resolve(self, service: str, reference: str) -> Build:
        """The build that `reference` means now. UsageError if the engine has no such image and cannot get it."""

    def observe(self, platform: str, bindings: Sequence[Binding]) -> tuple[ObservedCloud, ...]:
        """All clouds, with the platform's containers of these bindings (edge included in PRODUCTION)."""

    def wait_healthy(self, names: Sequence[str], deadline: float, tell: Tell) -> None:
        """Until all are healthy (running, where no health check is). EngineFault names the guilty one, with the last
        lines of its log, at the deadline or as soon as one has ended."""

    def log_tail(self, name: str, lines: int) -> str: ...

    def collect(self, name: str, lines: int) -> str:
        """The last lines of a one-off container that has ended, which then is removed; UsageError for any other."""

    def watch_crashes(self, platform: str, binding: Binding) -> AbstractContextManager["CrashWatch"]: ...

    def restart(self, name: str, deadline: float) -> None:
        """Ask a mirror's container to stop and start it again; UsageError for any that is not a mirror's."""

    def kill(self, name: str, deadline: float) -> None:
        """SIGKILL a mirror's container and start it again; UsageError for any that is not a mirror's."""

    def clock(self, cloud: Cloud) -> float:
        """The engine's own time, seconds since the epoch."""

    def free_port(self, host: str) -> int: ...

    def port_taken(self, host: str, port: int) -> bool: ...

    def published(self, platform: str, *, second: bool = False) -> Mapping[int, tuple[str, int]]:
        """Container port → (host, host port) of production's front doors, or of a pair's other ones; empty if there
        are none."""

    def remove(
        self, platform: str, bindings: Sequence[Binding], *, state: bool, may: May, tell: Tell
    ) -> tuple[str, ...]:
        """Remove labelled containers, networks and (state True or a mirror's) volumes; answers what went. `may` is
        asked right before each container goes, the steward's last of all, and what it raises ends the removal."""

    def remove_colour(self, platform: str, colour: Colour, may: May, tell: Tell) -> tuple[str, ...]:
        """Remove a colour's production-bound release containers (a promotion that was abandoned); never state. `may`
        is asked right before each of them goes, and what it raises ends the removal. Only what was there before it was
        asked goes: what is made meanwhile under the same name is another container, and stays."""

    def remove_switch(self, platform: str, number: int, tell: Tell, *, second: bool = False) -> tuple[str, ...]:
        """Remove production's switch of that number, `second` of a pair's other doors; answers its name if it was
        there."""

    def images(self) -> "EdgeImages":
        """Digests of the edge's images, built first where missing."""


@dataclass(frozen=True)
class EdgeImages:
    """`source` is the digest of the otagate that the steward's image was made from."""

    switch: str
    holder: str
    steward: str
    source: str


class CrashWatch(Protocol):
    """Listens to the engine's events from entry to exit."""

    def expect(self, name: str) -> AbstractContextManager[None]:
        """A container's end inside this block was asked for."""

    def seen(self) -> tuple[Crash, ...] | None:
        """What ended unasked so far; None if the stream of events broke (then nobody was watching)."""


class Provisioner(Protocol):
    """Ansible. Raises ProvisionFault with the guilty task and container; nothing goes on after the deadline."""

    def apply(self, platform: str, stages: Sequence[Stage], folder: str, tell: Tell) -> tuple[str, ...]:
        """Raise the stages in order; answers the names of what changed. `folder` receives the redacted output."""


@dataclass(frozen=True)
class SuiteRun:
    """One suite's execution. `networks` to join; `environment` gives addresses; `files` go under /suite."""

    platform: str
    run: str
    suite: str
    image: str
    cloud: Cloud
    networks: tuple[str, ...]
    environment: Mapping[str, str]
    secrets: Mapping[str, bytes]
    folder: str
    deadline: float
    output: str  # where the child's own output goes (a file in the run folder)


@dataclass(frozen=True)
class SuiteResult:
    """`contents` of the report's pictures by digest."""

    report: SuiteReport
    metrics: Mapping[str, Metric]
    contents: Mapping[str, bytes]


class Suites(Protocol):
    def digest(self, folder: str) -> str:
        """The digest of a suite tree (byte code and caches left out). UsageError if it holds no test file."""

    def run(self, run: SuiteRun, answer: "Answer", tell: Tell) -> SuiteResult:
        """Run to the end or the deadline; what went wrong with the child is a flaw of the report, not an exception.
        SuiteFault only if the container could not be started at all."""


# A suite may ask the parent for what it has no right to do itself: ("restart", {"service": "web"}) → JSON-like answer.
Answer = Callable[[str, Mapping[str, Any]], Any]


class Secrets(Protocol):
    def of(self, platform: str, binding: Binding, name: str) -> bytes:
        """The secret of a binding, made at the first call and kept; a mirror's differ from production's."""

    def forget(self, platform: str) -> None: ...


class Hold(Protocol):
    """A lease that is held, and the promotion under it. Dies with the process. SwitchFault if the steward is lost, or
    the lease is (code "lease-lost"): it is freed where nothing is heard of the process, as while its machine sleeps."""

    @property
    def epoch(self) -> int: ...

    def begin(self, intent: Intent) -> PromotionView:
        """Journal a promotion in phase preflight. Refused if one is unfinished."""

    def report(self, event: Event, message: str) -> Phase:
        """What the CLI's own phase (preflight, deploying, smoking, discarding) came to; answers the next phase. When
        that is flipping the steward takes over; of its phases ABORT alone may be reported (flipping, watching), and it
        goes back. Refused for a promotion begun under another lease, save in discarding.

        Genesis goes the same way: production's switch waits for its first map, which the steward writes in flipping,
        so it may be started at any time before, and no listener opens until then."""

    def note(self, message: str) -> None:
        """Journal an intent or an effect inside the CLI's own phase."""

    def migrating(self, move: Move) -> None:
        """Journal that a state is about to be moved. Refused (code "out-of-order") outside deploying."""

    def migrated(self, move: Move) -> None:
        """Journal that a state was read and has the schema `move.to`, whether it was moved or only looked at."""

    def prove(self, colour: str, builds: Mapping[str, str]) -> None:
        """Ask each coloured listener of the colour itself, without the switch and only by reading. Refused with what
        answered, unless it is the digest that `builds` (service → digest) has for the listener's service; bare TCP
        cannot say and need only be open. ProbeFault if a listener does not answer."""

    def shadow(self, colour: Colour, rules: Mapping[str, ShadowRule]) -> Mapping[str, ShadowSeen]:
        """Ask the colour, and the live one beside it, what clients ask of the listeners meanwhile, by each listener's
        rule (listener → rule), and tell what differed. Refused if nothing is live beside it, or the switch was made
        without a shadow of the listener."""

    def held(self) -> None:
        """SwitchFault (code "lease-lost") unless it is held still: asked right before what cannot be taken back."""

    def may_remove(self, colour: Colour) -> None:
        """Journal, once in a phase, that a colour's containers are about to be removed; outside a promotion it holds no
        release from then on. Refused (code "in-use") if it is live or warm, or a promotion is unfinished: save the one
        that deploys to this colour under this lease, or discards it."""

    def replace_switch(self, drain: float, *, second: bool = False) -> Replacement:
        """Journal that another switch takes the doors over, `second` a pair's other doors; its number is given out.
        `drain` in seconds for the old one's sessions. Refused (code "unfinished") while a promotion or replacement is
        unfinished, where nothing is live or map file, switch and journal disagree, and (code "no-pair") a `second` of
        one that is no pair."""

    def take_doors(self) -> Replacement:
        """Prove the new switch, which rehearses behind no door, and let it take them; the steward goes on by itself,
        `status` tells how far. SwitchFault (code "switch-unproven"): nothing was moved."""

    def give_up(self, reason: str) -> Replacement:
        """Journal that the new switch could not be raised or proven. Refused once it takes the doors."""

    def tidied(self) -> Replacement:
        """Journal that the switch which nothing needs any more is removed. Refused before that."""


class Steward(Protocol):
    """The program beside the production switch, spoken to over the engine's API. SwitchFault if it does not answer."""

    def present(self) -> bool: ...

    def status(self) -> Status: ...

    def lease(self, claim: Claim, wait: float) -> AbstractContextManager[Hold]:
        """Busy with the holder's name if it is not free within `wait` seconds."""

    def follow(self, promotion: str) -> Iterator[StewardEvent]:
        """The promotion's events from its beginning, live, until it ends or halts."""

    def go_back(self, claim: Claim) -> PromotionView:
        """Tell the steward to go back from what it is flipping or watching, whoever began it; of finalizing it ends
        the drain, for then the way back is a rollback. Needs no lease, is journalled by name, and answers at once:
        `follow` tells how it ends. Nothing is changed of a rollback or a way back that is under way already. Refused
        (code "nothing-acts") if the steward acts on nothing that has a way back, and ("way-back-fails") if it would
        lead to a colour that nobody could go back to."""

    def incidents(self) -> tuple[Incident, ...]:
        """All that were ever opened, oldest first, cleared ones too."""

    def clear(self, claim: Claim, incident: str, reason: str) -> Incident:
        """Journal that the claim's `by` clears it. Needs no lease. UsageError without a name or a reason or for an id
        that there is not, Refused if it is cleared already."""

    def recover(self, claim: Claim, wait: float, override: str = "") -> PromotionView | None:
        """Finish or undo what was cut off, as far as the steward can alone. Busy like `lease`. A promotion
        left in DISCARDING waits for the CLI to remove the idle colour's containers and report. None: nothing was
        unfinished. With `override`, a reason, what is stranded ends on the colour that it leads to, unsigned: Refused
        (code "not-kept"), and nothing done, unless the map file says that one and it answers, and the other does
        not."""


@dataclass(frozen=True)
class StoredRun:
    """`lifts` is the run whose refusal of this very release an approval ends; "" if there was none."""

    header: RunHeader
    record: Record
    verdict: Verdict
    ended: float
    expires: float
    lifts: str = ""


class Store(Protocol):
    """What was judged and promoted. Raises StoreFault; a full disk is one."""

    def save_run(self, run: StoredRun) -> None: ...

    def run(self, platform: str, run: str) -> StoredRun:
        """By id or unique beginning; "" means the newest. UsageError if there is none, Alarm (code "record-altered")
        if what is kept of it does not belong together."""

    def runs(self, platform: str) -> tuple[str, ...]:
        """Ids, newest first."""

    def latest(self, platform: str, release: str) -> tuple[str, Decision] | None:
        """The newest run that approved or refused this very release, and which of both; None if none did."""

    def save_promotion(self, platform: str, record: PromotionRecord) -> None:
        """Again with more of the same promotion replaces what was kept."""

    def promotions_of(self, platform: str, run: str) -> tuple[PromotionRecord, ...]:
        """The promotions of a run's release and the rollbacks that left it, oldest first."""


class Vault(Protocol):
    """The run folder: one per run, mode 0700, files written whole or not at all."""

    def folder(self, run: str) -> str: ...

    def write(self, run: str, name: str, content: bytes) -> str:
        """Answers the path."""

    def read(self, run: str, name: str) -> bytes:
        """What was written. StoreFault if it is not there or cannot be read."""


@dataclass(frozen=True)
class Ports:
    clock: Clock
    engine: Engine
    provisioner: Provisioner
    suites: Suites
    secrets: Secrets
    steward: Steward
    store: Store
    vault: Vault
    tell: Tell
