"""The stories as data: a platform, what each of its sample builds must come to, and who asks meanwhile."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from otagate.demo import afterwards
from otagate.demo.account import Account, After
from otagate.demo.expected import HELLO as HELLO_BUILDS
from otagate.demo.expected import TREATMENT as TREATMENT_BUILDS
from otagate.demo.expected import Expectation
from otagate.demo.outside import Outside
from otagate.demo.production import Production

LINAC = "services/linac/linac.yaml"


@dataclass(frozen=True)
class Least:
    """What the client must have asked for the story to say anything."""

    requests: int
    stores: int
    plans: int = 0
    reads: int = 0


@dataclass(frozen=True)
class Scenario:
    """`like` is the shipped platform that the story's own is made from, `service` the one whose builds are judged.

    `client` is the module that asks: `doors` maps its options to listeners, `secrets` its variables to secrets.
    `outside` is started beside production, which finds it there. `after` asks production, once the client has stopped,
    for what was acknowledged.
    """

    like: str
    service: str
    builds: tuple[Expectation, ...]
    client: str
    doors: Mapping[str, str]
    least: Least
    after: Callable[[Account, Production], After]
    secrets: Mapping[str, str] = field(default_factory=dict)
    outside: tuple[Outside, ...] = ()


HELLO = Scenario(
    like="hello",
    service="web",
    builds=HELLO_BUILDS,
    client="otagate.demo.client",
    doors={"--web": "web", "--dicom": "dicom"},
    least=Least(requests=20_000, stores=500),
    after=afterwards.hello,
)

TREATMENT = Scenario(
    like="treatment-platform",
    service="dose-engine",
    builds=TREATMENT_BUILDS,
    client="otagate.demo.clinic",
    doors={"--planner": "planner", "--scans": "scans", "--archive": "vna-web"},
    least=Least(requests=2_000, stores=500, plans=45, reads=150),
    after=afterwards.clinic,
    secrets={"CLINIC_PASSWORD": "vna-password"},
    outside=(Outside("linac", "treatment-platform/linac:1.0", 8080, {"/etc/linac/linac.yaml": LINAC}),),
)
