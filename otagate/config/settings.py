"""otagate.yaml: what otagate itself must know of a platform."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema

from otagate.config.base import Environment, ImageName, Matches, Name, Section, Strict, UrlPath
from otagate.config.tree import shown
from otagate.config.units import Count, Deadline, Duration, PortNumber, Positive, Share, between, flaw
from otagate.config.watching import Watch

ImpactName = Literal["K0", "K1", "K2", "K3", "K4"]
Words = Annotated[str, Matches(r"[\s\S]*\S[\s\S]*", "some words", 1000)]
Requirement = Annotated[str, Matches(r"[A-Za-z0-9][A-Za-z0-9_.:/-]*", "a requirement's name without spaces", 100)]


def _people(value: Any) -> int:
    if value == "not-required":
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 100:
        raise flaw(f"{shown(value)} is neither not-required nor a number of people", "write not-required, or 1 or more")
    return value


@dataclass(frozen=True)
class OrPass:
    """In the JSON Schema: the word `pass` may stand for the mapping."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"const": "pass"}, handler(schema)]}


Approvals = Annotated[
    int,
    BeforeValidator(_people),
    WithJsonSchema({"anyOf": [{"const": "not-required"}, {"type": "integer", "minimum": 1, "maximum": 100}]}),
]


HeaderName = Annotated[str, Matches(r"[A-Za-z0-9][A-Za-z0-9-]{0,60}", "a header's name", 61)]
Pointer = Annotated[str, Matches(r"(?:/[^/\x00-\x1f]+)+", "a JSON pointer such as /objects/*/uid", 300)]


class CloudEntry(Strict):
    """A place that runs containers."""

    engine: Annotated[
        str, Matches(r"(?:unix:///|ssh://|tcp://)[A-Za-z0-9._~:/@\[\]-]+", "unix://, ssh:// or tcp://…")
    ] = Field(description="URL of a Docker engine: `unix:///path`, `ssh://user@host` or `tcp://host:port`")


class Clouds(Strict):
    """Where each colour and the shared part run. For now all must be one engine."""

    blue: CloudEntry | None = Field(default=None, description="the blue colour's engine")
    green: CloudEntry | None = Field(default=None, description="the green colour's engine")
    shared: CloudEntry | None = Field(default=None, description="the engine of state, switch and steward")


@dataclass(frozen=True)
class Unshown(Matches):
    """Like its parent, and never repeats what does not match: it may be the secret itself."""

    def check(self, value: str) -> str:
        if not self.fits(value):
            raise flaw(f"is not {self.words}", f"write {self.words}")
        return value


Reference = Annotated[
    str, Unshown(r"file:[^\x00-\x1f]{1,1000}|env:[A-Za-z_][A-Za-z0-9_]*", "file:PATH or env:NAME", 1100)
]


class TlsEnd(Strict):
    """The switch speaks TLS with clients, and plainly with the service."""

    certificate: Reference = Field(description="`file:PATH` or `env:NAME`: the certificate in PEM, then its issuers")
    key: Reference = Field(description="`file:PATH` or `env:NAME`: its private key in PEM, without a passphrase")


class TlsEntry(Strict):
    """Who ends TLS: the switch (`end`), or the service itself (`tls: pass`). Clients' certificates cannot be demanded,
    as by DICOM's node authentication: with `end` the switch asks for none, and a service behind `pass` that demands one
    is never up, and so never promoted, for the switch's check and the steward's probe have none to show."""

    end: TlsEnd | None = Field(default=None, description="the switch ends it, with this certificate and key")


def _tls(value: Any) -> Any:
    if value == "pass":
        return {}
    if not (isinstance(value, dict) and value.get("end") is not None):
        raise flaw(f"{shown(value)} does not say who ends TLS", "write pass, or end: {certificate: …, key: …}")
    return value


class ShadowEntry(Strict):
    """Before the flip, what clients ask of the live colour is asked of the new one too, and the answers compared."""

    lasts: Annotated[Duration, AfterValidator(between(1, 60, "from 1s to 60s"))] = Field(
        default=10.0, description="how long, default `10s`"
    )
    most: Annotated[Positive, AfterValidator(between(1, 1000, "from 1 to 1000"))] = Field(
        default=100, description="at most so many requests, spread over the time, default 100"
    )
    minimum: Positive = Field(default=20, description="fewer comparisons are unknown, never a pass; default 20")
    unexplained: Count | None = Field(
        default=None,
        description="more requests answered differently refuse the promotion, and so does unknown; without it both "
        "are only shown",
    )
    headers: list[HeaderName] = Field(default_factory=list, description="headers of the answers that must be the same")
    body: Literal["exact", "json", "none"] = Field(
        default="exact", description="`exact`, `json` (by its places) or `none`, default `exact`"
    )
    ignore: list[Pointer] = Field(
        default_factory=list,
        description="json only: places that may differ, as JSON pointers; `*` stands for any one name or number",
    )


def host_and_port(address: str) -> tuple[str, int | None]:
    """The host and port of `IP:port` or `IP:auto` (None)."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), None if port == "auto" else int(port)


class ListenerEntry(Strict):
    """A front door of the platform at the switch."""

    service: str = Field(description="the release- or state-tier service behind it")
    protocol: Literal["http", "dicom", "tcp"] = Field(description="`http`, `dicom` or `tcp`")
    port: PortNumber = Field(description="the service's own port")
    address: Annotated[
        str, Matches(r"(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]+\]):(?:auto|\d{1,5})", "IP:port or IP:auto")
    ] = Field(
        default="127.0.0.1:auto",
        description="`IP:port` on the host, or `IP:auto` for a port chosen once, at genesis; default `127.0.0.1:auto`",
    )
    probe: UrlPath | None = Field(
        default=None, description="http only: path that answers with the headers X-Otagate-Build and X-Otagate-Colour"
    )
    called_ae: (
        Annotated[str, Matches(r"[!-\[\]-~](?:[ -\[\]-~]{0,14}[!-\[\]-~])?", "an AE title of 1 to 16 characters")]
        | None
    ) = Field(default=None, description="dicom only: the AE title to call")
    idle: Deadline | None = Field(
        default=None,
        description="a session without traffic is closed after this; default `60s`, for dicom `4h`, for tcp `24h`",
    )
    tls: Annotated[TlsEntry, BeforeValidator(_tls), OrPass()] | None = Field(
        default=None, description="`pass` (the service ends it) or a mapping; without it the listener is plain"
    )
    shadow: ShadowEntry | None = Field(
        default=None, description="http only: live GETs and HEADs are asked of the new colour too; without it none is"
    )


class SecondSwitch(Strict):
    """The other one of a pair of switches, which serves every listener too."""

    address: Annotated[str, Matches(r"\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f:.]*:[0-9a-f:.]*", "an IP address")] = Field(
        description="IP of the same host: each listener has its port there as well, whatever its own `address`"
    )


class SwitchSection(Strict):
    """What stands at the listeners."""

    second: SecondSwitch | None = Field(
        default=None, description="another switch at another address, turned with the first; without it there is one"
    )


class Allowed(Strict):
    """A difference between mirror and production that is meant."""

    name: Name = Field(description="the rule's name, shown beside each difference it explains")
    service: str = Field(description="the service, or `*`")
    field: Words = Field(
        description="the field, e.g. `limit.memory`, or a pattern such as `env.*` that does not match `container`"
    )
    reason: Words = Field(description="why it is meant")


class Mirror(Strict):
    """OTA's copy of production."""

    data: Literal["empty"] = Field(description="what the mirror's state starts with; `empty`: what the image brings")
    allowed: list[Allowed] = Field(default_factory=list, description="differences that are meant")


class SuiteEntry(Strict):
    """A pytest tree, run in a container on the mirror's network."""

    folder: str = Field(description="the tree, inside the platform's folder; it must hold test files")
    image: ImageName = Field(description="image with `python3`, pytest and what the tests import; see docs/suites.md")
    deadline: Deadline = Field(description="for the whole suite")
    minimum: Positive = Field(
        description="at least so many cases must have run (passed, failed or crashed), else it is unknown"
    )
    environment: Environment = Field(default_factory=dict, description="variables for the tests")
    secrets: list[str] = Field(default_factory=list, description="names of secrets of compose.yaml, mirror's values")


class RuleEntry(Strict):
    impact: ImpactName = Field(description="what a failure of this rule would do to treatment, K0 to K4")
    trial: bool = Field(default=False, description="shown and never counted, default false")


class CasesEntry(RuleEntry):
    """Judges the cases of a suite."""

    kind: Literal["cases"] = Field(description="`cases`: judges the cases of a suite")
    suite: str = Field(description="the suite's name")
    requirements: list[Requirement] = Field(
        default_factory=list,
        description="cases marked with one of these; without it: every case that no other rule of the suite claims",
    )
    minimum: Positive = Field(default=1, description="at least so many must have passed, default 1")
    skipped: Count = Field(default=0, description="at most so many may have been skipped, default 0")


class MetricEntry(RuleEntry):
    """Judges a metric against a limit, and side by side against the baseline."""

    kind: Literal["metric"] = Field(description="`metric`: judges a measured figure")
    metric: Words = Field(description="the metric's name in the suites")
    statistic: Literal["p50", "p95", "max", "min", "mean"] = Field(
        default="p50", description="`p50`, `p95`, `max`, `min` or `mean`, default `p50`"
    )
    limit: float | None = Field(default=None, description="absolute, in the metric's unit; this or ratio, or both")
    ratio: Annotated[float, AfterValidator(between(0.01, 1000, "from 0.01 to 1000"))] | None = Field(
        default=None, description="how much worse than the baseline it may be, as a factor"
    )
    minimum: Positive = Field(default=20, description="at least so many samples, default 20")


class CrashEntry(RuleEntry):
    """Judges whether a container of the candidate ended unasked."""

    kind: Literal["crash"] = Field(description="`crash`: judges containers that ended unasked")


class DriftEntry(RuleEntry):
    """Judges the differences between mirror and production."""

    kind: Literal["drift"] = Field(description="`drift`: judges differences between mirror and production")
    unexplained: Count = Field(default=0, description="at most so many differences that nothing explains, default 0")
    fidelity: Share = Field(
        default=0.0, description="at least this share of the compared fields must agree, default `0%`"
    )


AnyEntry = Annotated[CasesEntry | MetricEntry | CrashEntry | DriftEntry, Field(discriminator="kind")]


class PolicySection(Section):
    """What a build must show, and what a promotion demands."""

    max_age: Annotated[Duration, AfterValidator(between(1, 366 * 86400, "of at least 1s"))] = Field(
        default=86400.0, description="how long a verdict may be promoted on, default `24h`"
    )
    approvals: Approvals = Field(description="`not-required`, or how many people must sign")
    backup: Literal["not-required", "required"] = Field(description="`not-required` or `required`")
    window: Literal["not-required", "required"] = Field(description="`not-required` or `required`")
    clock_skew: Annotated[Duration, AfterValidator(between(0.001, 60, "from 1ms to 60s"))] = Field(
        default=2.0, description="how far the clocks may be apart, default `2s`"
    )
    warm: Duration | None = Field(
        default=None,
        description="no promotion replaces the old colour for so long after a flip; at least and by default the watch",
    )
    rules: dict[Name, AnyEntry] = Field(description="the rules by name")


class DeadlinesSection(Strict):
    """How long each wait may last."""

    up: Deadline = Field(default=180.0, description="raising production, default `3m`")
    mirror: Deadline = Field(default=120.0, description="raising the mirror, default `2m`")
    deploy: Deadline = Field(default=120.0, description="raising the idle colour, default `2m`")
    drain: Deadline = Field(
        default=60.0,
        description="for old sessions to end after a turn, default `60s`; what is open then is cut, counted and named",
    )


class SettingsFile(Section):
    """otagate.yaml as a whole."""

    platform: Name = Field(description="the platform's name; it begins the name of everything made")
    clouds: Clouds = Field(default_factory=Clouds, description="engines; without it DOCKER_HOST or the local socket")
    listeners: dict[Name, ListenerEntry] = Field(description="front doors at the switch, by name")
    switch: SwitchSection = Field(default_factory=SwitchSection, description="one switch, or a pair")
    mirror: Mirror = Field(description="OTA's copy of production")
    suites: dict[Name, SuiteEntry] = Field(description="the suites by name")
    policy: PolicySection = Field(description="what is judged and demanded")
    watch: Watch = Field(default_factory=Watch, description="after the flip")
    deadlines: DeadlinesSection = Field(default_factory=DeadlinesSection, description="for each wait")
