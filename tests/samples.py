"""Sample records that several tests share: a refused run with a bit of everything in it, and its promotion."""

import math
from dataclasses import replace

from otagate.core.build import Build
from otagate.core.canonical import digest_of_bytes
from otagate.core.cloud import Colour
from otagate.core.impact import Impact
from otagate.core.judge import judge
from otagate.core.metric import Metric
from otagate.core.mirror import Comparison, Difference, Explanation
from otagate.core.picture import Picture
from otagate.core.policy import CasesRule, CrashRule, Direction, DriftRule, MetricRule, Policy, Statistic
from otagate.core.promotion import Phase
from otagate.core.record import PromotionRecord, Record, RunHeader
from otagate.core.suite import Case, Crash, Outcome, SuiteReport
from otagate.core.traffic import Happening, Intent, Kind, PromotionView, StewardEvent
from otagate.core.watch import WatchPolicy
from otagate.ports import StoredRun
from tests.pngs import png

START = 1_764_000_000.0
HOSTILE = "test_<script>alert(1)</script>\x1b[31m\x00\x07 | %0A::error::x `a` \u202e\udc80 " + "long" * 500
PIXEL = png(90)

POLICY = Policy(
    (
        CasesRule("technical", Impact.K1, suite="technical", minimum=2),
        CasesRule("privacy", Impact.K3, suite="technical", requirements=("clean-log",)),
        CasesRule("dose", Impact.K0, suite="functional", requirements=("dose",)),
        MetricRule("latency", Impact.K2, metric="summary-latency", limit=2000, ratio=1.5, minimum=20),
        MetricRule("memory", Impact.K4, trial=True, metric="memory", statistic=Statistic.MAX, limit=500, minimum=1),
        CrashRule("crash", Impact.K1),
        DriftRule("drift", Impact.K1),
    )
)


def build(service: str, tag: str) -> Build:
    return Build(service, f"hello/{service}:{tag}", "sha256:" + (tag.replace(".", "") * 32)[:64])


def case(suite: str, at: float, name: str, outcome: Outcome = Outcome.PASSED, *requirements: str) -> Case:
    message = "" if outcome is Outcome.PASSED else f"{name}: assert 2.06 == 2.0 ± 0.01"
    detail = message and f"def {name}():\n>       assert maximum == approx(2.0)\nE       {message}"
    return Case(f"{suite}/test_{suite}.py::{name}", outcome, at, at + 1.5, requirements, ("H-3",), message, detail)


def suite(name: str, *cases: Case) -> SuiteReport:
    failed = any(case.outcome in (Outcome.FAILED, Outcome.ERROR, Outcome.CRASHED) for case in cases)
    return SuiteReport(
        name, "sha256:" + "5" * 64, tuple(c.id for c in cases), cases, int(failed), ended=True, seconds=12.0
    )


def picture(name: str, title: str, content: bytes = PIXEL) -> Picture:
    case = "functional/test_functional.py::test_maximum"
    return Picture(name, title, case, digest_of_bytes(content), 2, 1, len(content))


def record() -> Record:
    wave = [40 + 3 * math.sin(at) for at in range(40)]
    return Record(
        {
            "technical": suite(
                "technical",
                case("technical", START + 30, "test_health"),
                case("technical", START + 32, "test_restart"),
                case("technical", START + 34, "test_truncated", Outcome.CRASHED),
                case("technical", START + 36, HOSTILE),
                case("technical", START + 38, "test_log", Outcome.PASSED, "clean-log"),
            ),
            "functional": replace(
                suite(
                    "functional",
                    case("functional", START + 42, "test_maximum", Outcome.FAILED, "dose"),
                    case("functional", START + 44, "test_dvh", Outcome.PASSED, "dose"),
                ),
                pictures=(picture("dose-slice", "Dose at isocentre"),),
            ),
        },
        {
            "summary-latency": Metric(
                "summary-latency",
                "ms",
                Direction.LOWER,
                tuple(value * 1.04 for value in wave),
                tuple(value for value in wave),
            ),
            "memory": Metric("memory", "MB", Direction.LOWER, (math.nan,)),
        },
        (Crash("web", "hello-blue-candidate-web", START + 35, "exit 139", "reading header\nsegmentation fault"),),
        Comparison(
            212,
            (
                Difference("web", "image", "sha256:10", "sha256:12", Explanation.BUILD, "the build under test"),
                Difference("web", "limit.memory", "512m", "256m", Explanation.ALLOWED, "mirror is smaller"),
                Difference("store", "env.WORK_MEM", "a1", None, Explanation.DRIFT, "unexplained"),
            ),
        ),
    )


def stored(run: str = "20251124-160000-ab12", platform: str = "hello", content: Record | None = None) -> StoredRun:
    content = content or record()
    header = RunHeader(
        run,
        "n" * 16,
        platform,
        "otagate test web=hello/web:1.2",
        "ada",
        START,
        (build("web", "1.2"),),
        (build("web", "1.0"),),
        "sha256:" + "c" * 64,
        "sha256:" + "d" * 64,
        "sha256:" + "e" * 64,
        {"technical": "sha256:" + "5" * 64, "functional": "sha256:" + "5" * 64},
        "sha256:" + "f" * 64,
    )
    return StoredRun(header, content, judge(POLICY, content), START + 60, START + 86_460)


def rolled_back(phase: Phase = Phase.PROMOTED) -> PromotionRecord:
    """A rollback by bob from what `promotion` made live, and its flip."""
    made = promotion(phase)
    intent = replace(made.intent, promotion="r-1", kind=Kind.ROLLBACK, to=Colour.BLUE, by="bob", override="dose is off")
    turn = {"stage": "intent", "came": "green", "to": "blue", "epoch": 3}
    view = replace(made, intent=intent, came=Colour.GREEN, reason="")
    return PromotionRecord(view, (StewardEvent(START + 900, Happening.STEP, Phase.FLIPPING, "about to turn", turn),))


def promotion(phase: Phase = Phase.ROLLED_BACK, run: str = "20251124-160000-ab12") -> PromotionView:
    intent = Intent(
        "p-20251124-161000-cd34",
        Kind.PROMOTE,
        run,
        "sha256:" + "c" * 64,
        {"web": build("web", "1.2").digest},
        Colour.GREEN,
        "ada",
        WatchPolicy(),
        60.0,
    )
    return PromotionView(intent, phase, Colour.BLUE, START + 600, START + 660, "errors above the limit", ("kept",))
