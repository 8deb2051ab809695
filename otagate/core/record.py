"""Everything that one run of the gate found: the input of the judge and the body of the run's record."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from otagate.core.build import Build
from otagate.core.metric import Metric
from otagate.core.mirror import Comparison
from otagate.core.schema import Move
from otagate.core.suite import Crash, SuiteReport
from otagate.core.traffic import PromotionView, StewardEvent


@dataclass(frozen=True)
class Migration:
    """What the gate saw of a schema's move on the mirror: `suites` and `crashes` are the live release's, run on the
    state that the candidate had migrated; `broke` says why it came to nothing."""

    moves: tuple[Move, ...]
    suites: Mapping[str, SuiteReport] = field(default_factory=dict)
    crashes: tuple[Crash, ...] | None = None
    broke: str = ""


@dataclass(frozen=True)
class Record:
    """`None` where a part was never reached: that is unknown, never a pass. `faults` says what stopped the run."""

    suites: Mapping[str, SuiteReport]
    metrics: Mapping[str, Metric]
    crashes: tuple[Crash, ...] | None
    comparison: Comparison | None
    faults: tuple[str, ...] = ()
    migration: Migration | None = None


@dataclass(frozen=True)
class RunHeader:
    """What was judged, against what, when. Any change of a digest voids the verdict. Times: seconds since the epoch.

    `suite_digests` cover tree, image and settings of each suite; `suite_images` name the image's digest alone.
    """

    run: str
    nonce: str
    platform: str
    command: str
    by: str
    started: float
    builds: tuple[Build, ...]
    baseline: tuple[Build, ...]
    release: str
    baseline_release: str
    policy_digest: str
    suite_digests: Mapping[str, str]
    production_digest: str
    suite_images: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PromotionRecord:
    """A promotion as the report tells it. `figures` is what a bystander measured, by its printed name: a number or a
    short text each (e.g. "requests failed": 0)."""

    view: PromotionView
    events: tuple[StewardEvent, ...] = ()
    figures: Mapping[str, int | float | str] = field(default_factory=dict)
