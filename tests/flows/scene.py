"""A whole small world for flows: a platform over fakes that share one engine, one clock and one steward."""

from dataclasses import dataclass, field, replace

from otagate.core.impact import Impact
from otagate.core.metric import Metric
from otagate.core.platform import Platform
from otagate.core.policy import CasesRule, CrashRule, Direction, DriftRule, MetricRule, Policy
from otagate.core.suite import Case, Outcome, SuiteReport
from otagate.core.traffic import Claim, Scope
from otagate.flows import environments
from otagate.ports import Ports, Progress, SuiteResult
from tests.core.platforms import platform
from tests.fakes.engine import FakeEngine
from tests.fakes.provisioner import FakeProvisioner
from tests.fakes.secrets import FakeSecrets
from tests.fakes.steward import FakeSteward
from tests.fakes.store import FakeStore
from tests.fakes.suites import FakeSuites
from tests.fakes.vault import FakeVault
from tests.fakes.world import World

POLICY = Policy(
    rules=(
        CasesRule("technical", Impact.K1, suite="technical", minimum=2),
        MetricRule("latency", Impact.K2, metric="latency", limit=100.0, ratio=1.5, minimum=20),
        CrashRule("crash", Impact.K1),
        DriftRule("drift", Impact.K1),
    )
)
IMAGES = {
    **{f"hello/web:1.{n}": "sha256:" + str(n) * 64 for n in range(8)},
    "hello/store:1.0": "sha256:" + "c" * 64,
    "hello/suite:1.0": "sha256:" + "d" * 64,
}
CLAIM = Claim(Scope.PLATFORM, "ada", "ada@host:1", "otagate", "test")
MIRROR = replace(CLAIM, scope=Scope.MIRROR)


def cases(outcome: Outcome = Outcome.PASSED) -> SuiteResult:
    ids = ("technical/test_a.py::test_one", "technical/test_a.py::test_two")
    found = (Case(ids[0], Outcome.PASSED, 1.0, 2.0), Case(ids[1], outcome, 2.0, 3.0))
    status = 0 if outcome is Outcome.PASSED else 1
    report = SuiteReport("technical", "sha256:" + "e" * 64, ids, found, status, ended=True)
    latency = Metric("latency", "ms", Direction.LOWER, (10.0,) * 20, (10.0,) * 20)
    return SuiteResult(report, {"latency": latency}, {})


@dataclass
class Scene:
    """Production of `platform` is not there until `up`."""

    world: World = field(default_factory=lambda: World(images=dict(IMAGES)))
    platform: Platform = field(default_factory=lambda: replace(platform(), policy=POLICY))
    told: list[Progress] = field(default_factory=list)
    store: FakeStore = field(default_factory=FakeStore)
    secrets: FakeSecrets = field(default_factory=FakeSecrets)
    vault: FakeVault = field(default_factory=FakeVault)

    def __post_init__(self) -> None:
        folder = self.platform.suites["technical"].folder
        self.engine = FakeEngine(self.world)
        self.provisioner = FakeProvisioner(self.world)
        self.suites = FakeSuites({folder: "sha256:" + "e" * 64}, {"technical": cases()})
        self.steward = FakeSteward("p", self.world, self.world.clock, listeners={"web": "web", "dicom": "web"})

    @property
    def ports(self) -> Ports:
        return Ports(
            clock=self.world.clock,
            engine=self.engine,
            provisioner=self.provisioner,
            suites=self.suites,
            secrets=self.secrets,
            steward=self.steward,
            store=self.store,
            vault=self.vault,
            tell=self.told.append,
        )

    def up(self) -> environments.Raised:
        wanted = environments.look_for_up(self.platform, self.ports)
        return environments.up(self.platform, wanted, self.ports, CLAIM, wait=0.0)

    def names(self) -> list[str]:
        return sorted(self.world.containers)


def raised(*, second: str = "") -> Scene:
    """A scene with the first release live; with `second` behind a pair of switches."""
    scene = Scene()
    scene.platform = replace(scene.platform, second=second)
    scene.up()
    return scene
