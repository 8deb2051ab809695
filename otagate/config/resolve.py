"""Sound models to the core's own types."""

from pathlib import Path

from otagate.config import compose as c
from otagate.config import settings as s
from otagate.config.paths import MOST_CONFIG_BYTES, read_whole, within
from otagate.config.watching import Watch
from otagate.core.impact import Impact
from otagate.core.invariant import Invariant
from otagate.core.platform import (
    IDLE,
    AllowedDifference,
    ConfigFile,
    Deadlines,
    Healthcheck,
    Hook,
    HookName,
    Listener,
    Migrate,
    Mount,
    Platform,
    Protocol,
    SecretKind,
    SecretSource,
    Service,
    SuiteSpec,
    Tier,
    Tls,
)
from otagate.core.policy import AnyRule, CasesRule, CrashRule, DriftRule, MetricRule, Policy, Statistic
from otagate.core.schema import Schema
from otagate.core.shadow import Body, ShadowRule
from otagate.core.slow import SlowPolicy
from otagate.core.watch import WatchPolicy


def platform_of(compose: c.ComposeFile, settings: s.SettingsFile, folder: Path, default_engine: str) -> Platform:
    """The platform that two sound files declare; reads the config files' contents (a Flaw if one went away)."""
    return Platform(
        name=settings.platform,
        folder=str(folder.resolve()),
        services={name: _service(name, service, compose, folder) for name, service in sorted(compose.services.items())},
        listeners={name: _listener(name, entry) for name, entry in sorted(settings.listeners.items())},
        volumes=tuple(sorted(compose.volumes)),
        secrets={name: _secret(entry) for name, entry in sorted(compose.secrets.items())} | _keys(settings),
        suites={name: _suite(name, entry, folder) for name, entry in sorted(settings.suites.items())},
        policy=_policy(settings.policy, settings.watch, {name: e.minimum for name, e in settings.suites.items()}),
        watch=_watch(settings.watch),
        allowed=tuple(AllowedDifference(**rule.model_dump()) for rule in settings.mirror.allowed),
        deadlines=Deadlines(**settings.deadlines.model_dump()),
        engines=_engines(settings.clouds, default_engine),
        mirror_data=settings.mirror.data,
        second="" if settings.switch.second is None else settings.switch.second.address,
    )


def _service(name: str, service: c.Service, compose: c.ComposeFile, folder: Path) -> Service:
    return Service(
        name=name,
        tier=Tier(service.facts.tier),
        image=service.image,
        impact=Impact(service.facts.impact),
        command=None if service.command is None else tuple(service.command),
        entrypoint=None if service.entrypoint is None else tuple(service.entrypoint),
        environment=dict(sorted(service.environment.items())),
        mounts=tuple(Mount(mount.source, mount.target, mount.read_only) for mount in service.volumes),
        configs=tuple(_config(use, compose.configs[use.source], folder) for use in service.configs),
        secrets=tuple(sorted(service.secrets)),
        depends_on=tuple(sorted(service.depends_on)),
        healthcheck=_healthcheck(service.healthcheck),
        read_only=service.read_only,
        tmpfs=tuple(service.tmpfs),
        user=service.user,
        cap_drop=tuple(sorted(cap.removeprefix("CAP_") for cap in service.cap_drop)),
        no_new_privileges=bool(service.security_opt),
        memory=service.mem_limit,
        cpus=service.cpus,
        restart=service.restart,
        stop_signal=service.stop_signal,
        stop_grace=service.stop_grace_period,
        hooks=_hooks(service.facts.hooks),
        schema=_schema(service.facts.state_schema),
        hold=service.facts.hold or 0.0,
        migrate=_migrate(service.facts.hooks.migrate),
    )


def _config(use: c.ConfigUse, entry: c.ConfigEntry, folder: Path) -> ConfigFile:
    content = read_whole(within(folder, entry.file), MOST_CONFIG_BYTES)
    return ConfigFile(use.source, use.target, content, int(use.mode, 8))


def _healthcheck(check: c.Healthcheck | None) -> Healthcheck | None:
    if check is None:
        return None
    return Healthcheck(tuple(check.test), check.interval, check.timeout, check.retries, check.start_period)


def _hooks(hooks: c.Hooks) -> tuple[Hook, ...]:
    calls = (
        (HookName.ACTIVATE, hooks.activate),
        (HookName.PASSIVE, hooks.passive),
        (HookName.DRAIN, hooks.drain),
        (HookName.WRITTEN_SINCE, hooks.written_since),
        (HookName.QUARANTINE, hooks.quarantine),
        (HookName.INVARIANTS, hooks.invariants),
    )
    return tuple(Hook(name, call.port, call.path, call.deadline) for name, call in calls if call is not None)


def _schema(facts: c.SchemaFacts | None) -> Schema | None:
    return None if facts is None else Schema(facts.writes, tuple(sorted(set(facts.reads))))


def _migrate(step: c.MigrateStep | None) -> Migrate | None:
    return None if step is None else Migrate(tuple(step.command), tuple(sorted(set(step.secrets))), step.deadline)


def _secret(entry: c.SecretEntry) -> SecretSource:
    if entry.environment is not None:
        return SecretSource(SecretKind.ENVIRONMENT, entry.environment)
    if entry.file is not None:
        return SecretSource(SecretKind.FILE, entry.file)
    return SecretSource(SecretKind.GENERATED)


def _listener(name: str, entry: s.ListenerEntry) -> Listener:
    host, port = s.host_and_port(entry.address)
    return Listener(
        name=name,
        service=entry.service,
        protocol=Protocol(entry.protocol),
        port=entry.port,
        host=host,
        host_port=port,
        probe=entry.probe or "",
        idle_timeout=IDLE[Protocol(entry.protocol)] if entry.idle is None else entry.idle,
        called_ae=entry.called_ae or "",
        tls=Tls.NONE if entry.tls is None else Tls.PASS if entry.tls.end is None else Tls.END,
        shadow=None if entry.shadow is None else _shadow(entry.shadow),
    )


def _shadow(entry: s.ShadowEntry) -> ShadowRule:
    return ShadowRule(
        lasts=entry.lasts,
        most=entry.most,
        minimum=entry.minimum,
        unexplained=entry.unexplained,
        headers=tuple(name.lower() for name in entry.headers),
        body=Body(entry.body),
        ignore=tuple(entry.ignore),
    )


def _keys(settings: s.SettingsFile) -> dict[str, SecretSource]:
    """What the switch ends TLS with; a point in a name keeps it apart from compose.yaml's secrets."""
    found = {}
    for name, entry in settings.listeners.items():
        if entry.tls is not None and entry.tls.end is not None:
            listener = _listener(name, entry)
            found[listener.certificate] = _referred(entry.tls.end.certificate)
            found[listener.key] = _referred(entry.tls.end.key)
    return found


def _referred(reference: str) -> SecretSource:
    kind, _, rest = reference.partition(":")
    return SecretSource(SecretKind.ENVIRONMENT if kind == "env" else SecretKind.FILE, rest)


def _suite(name: str, entry: s.SuiteEntry, folder: Path) -> SuiteSpec:
    return SuiteSpec(
        name=name,
        folder=str(within(folder, entry.folder)),
        image=entry.image,
        deadline=entry.deadline,
        minimum=entry.minimum,
        environment=dict(sorted(entry.environment.items())),
        secrets=tuple(sorted(entry.secrets)),
    )


def _policy(section: s.PolicySection, watch: Watch, minimums: dict[str, int]) -> Policy:
    return Policy(
        rules=tuple(_rule(name, entry) for name, entry in section.rules.items()),
        max_age=section.max_age,
        approvals=section.approvals,
        backup=section.backup == "required",
        window=section.window == "required",
        clock_skew=section.clock_skew,
        warm=watch.lasts if section.warm is None else section.warm,
        minimums=minimums,
    )


def _watch(section: Watch) -> WatchPolicy:
    plain = section.model_dump(exclude={"slow", "invariants"})
    return WatchPolicy(
        **plain,
        slow=SlowPolicy(**section.slow.model_dump()),
        invariants=tuple(Invariant(name, **entry.model_dump()) for name, entry in sorted(section.invariants.items())),
    )


def _rule(name: str, entry: s.AnyEntry) -> AnyRule:
    impact, trial = Impact(entry.impact), entry.trial
    match entry:
        case s.CasesEntry():
            return CasesRule(name, impact, trial, entry.suite, tuple(entry.requirements), entry.minimum, entry.skipped)
        case s.MetricEntry():
            statistic = Statistic(entry.statistic)
            return MetricRule(name, impact, trial, entry.metric, statistic, entry.limit, entry.ratio, entry.minimum)
        case s.CrashEntry():
            return CrashRule(name, impact, trial)
        case s.DriftEntry():
            return DriftRule(name, impact, trial, entry.unexplained, entry.fidelity)


def _engines(clouds: s.Clouds, default_engine: str) -> dict[str, str]:
    """Clouds that name no engine share the one that is named, or the default."""
    named = [cloud.engine for cloud in (clouds.blue, clouds.green, clouds.shared) if cloud is not None]
    engine = named[0] if named else default_engine
    return {"blue": engine, "green": engine, "shared": engine}
