"""A small platform for tests of the core, built in code."""

from otagate.core.build import Build
from otagate.core.impact import Impact
from otagate.core.platform import (
    ConfigFile,
    Deadlines,
    Hook,
    HookName,
    Listener,
    Mount,
    Platform,
    Protocol,
    SecretKind,
    SecretSource,
    Service,
    SuiteSpec,
    Tier,
)
from otagate.core.policy import CrashRule, Policy
from otagate.core.watch import WatchPolicy

WEB = Service(
    "web",
    Tier.RELEASE,
    "hello/web:1.0",
    Impact.K1,
    environment={"STORE_HOST": "store"},
    configs=(ConfigFile("peers", "/etc/peers.yaml", b"[]"),),
    secrets=("password",),
    depends_on=("store",),
    hooks=(Hook(HookName.ACTIVATE, 8080, "/hooks/activate", 5.0), Hook(HookName.PASSIVE, 8080, "/hooks/passive", 5.0)),
)
STORE = Service(
    "store", Tier.STATE, "hello/store:1.0", Impact.K1, mounts=(Mount("data", "/data"),), secrets=("password",)
)


def platform(name: str = "p") -> Platform:
    return Platform(
        name=name,
        folder="/nowhere",
        services={"web": WEB, "store": STORE},
        listeners={
            "web": Listener("web", "web", Protocol.HTTP, 8080, probe="/healthz"),
            "dicom": Listener("dicom", "web", Protocol.DICOM, 11112, host_port=10400, called_ae="HELLO"),
        },
        volumes=("data",),
        secrets={"password": SecretSource(SecretKind.GENERATED)},
        suites={"technical": SuiteSpec("technical", "/nowhere/suites/technical", "hello/suite:1.0", 60.0, 1)},
        policy=Policy(rules=(CrashRule("crash", Impact.K1),)),
        watch=WatchPolicy(),
        allowed=(),
        deadlines=Deadlines(),
        engines={},
    )


def build(service: str = "web", digit: str = "a") -> Build:
    return Build(service, f"hello/{service}:1.0", "sha256:" + digit * 64)
