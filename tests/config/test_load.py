"""What a sound platform becomes."""

import os
from pathlib import Path

import pytest

from otagate.config.load import LOCAL_ENGINE, load
from otagate.core.errors import UsageError
from otagate.core.impact import Impact
from otagate.core.platform import (
    AllowedDifference,
    ConfigFile,
    Deadlines,
    Healthcheck,
    Hook,
    HookName,
    Listener,
    Mount,
    Protocol,
    SecretKind,
    SecretSource,
    Service,
    SuiteSpec,
    Tier,
)
from otagate.core.policy import CasesRule, CrashRule, DriftRule, MetricRule, Policy, Statistic
from otagate.core.watch import WatchPolicy
from tests.config.platform_copies import original, problems_of, small_in

REPOSITORY = Path(__file__).parents[2]


def test_a_release_service_is_resolved_whole(tmp_path: Path) -> None:
    assert load(small_in(tmp_path)).services["web"] == Service(
        name="web",
        tier=Tier.RELEASE,
        image="small/web:1.0",
        impact=Impact.K1,
        environment={"STORE_HOST": "store"},
        configs=(ConfigFile("peers", "/etc/small/peers.yaml", b"peers: [SENDER]\n", 0o444),),
        secrets=("store-password",),
        depends_on=("store",),
        healthcheck=Healthcheck(("CMD", "small-health"), 1.0, 3.0, 5, 20.0),
        user="65534:65534",
        cap_drop=("ALL",),
        no_new_privileges=True,
        memory=512 * 1024**2,
        cpus=1.0,
        restart="unless-stopped",
        stop_grace=10.0,
        hooks=(
            Hook(HookName.ACTIVATE, 8080, "/hooks/activate", 5.0),
            Hook(HookName.PASSIVE, 8080, "/hooks/passive", 5.0),
        ),
    )


def test_a_state_service_is_resolved_with_composes_defaults(tmp_path: Path) -> None:
    assert load(small_in(tmp_path)).services["store"] == Service(
        name="store",
        tier=Tier.STATE,
        image="small/store:1.0",
        impact=Impact.K1,
        mounts=(Mount("store-data", "/var/lib/postgresql/data"),),
        secrets=("store-password",),
        healthcheck=Healthcheck(("CMD-SHELL", "pg_isready -q"), 30.0, 30.0, 3, 0.0),
    )


def test_listeners_suites_and_the_rest_are_resolved(tmp_path: Path) -> None:
    folder = small_in(tmp_path)
    platform = load(folder, {})
    assert platform.listeners == {
        "dicom": Listener("dicom", "web", Protocol.DICOM, 11112, idle_timeout=14400.0, called_ae="SMALL"),
        "web": Listener("web", "web", Protocol.HTTP, 8080, probe="/healthz"),
    }
    assert platform.suites["technical"] == SuiteSpec(
        "technical", str(folder / "suites/technical"), "small/suite:1.0", 180.0, 10, {}, ("store-password",)
    )
    assert platform.volumes == ("store-data",)
    assert platform.secrets == {"store-password": SecretSource(SecretKind.GENERATED)}
    assert platform.watch == WatchPolicy()
    assert platform.deadlines == Deadlines()
    assert platform.engines == dict.fromkeys(("blue", "green", "shared"), LOCAL_ENGINE)
    assert (platform.name, platform.folder, platform.mirror_data) == ("small", str(folder), "empty")


def test_the_policy_is_resolved_in_the_files_order(tmp_path: Path) -> None:
    assert load(small_in(tmp_path)).policy == Policy(
        rules=(
            CasesRule("technical", Impact.K1, suite="technical", minimum=8),
            CasesRule("privacy", Impact.K3, suite="technical", requirements=("clean-log",)),
            CasesRule("dose", Impact.K0, suite="functional", requirements=("dose",)),
            CasesRule("geometry", Impact.K0, suite="functional", requirements=("geometry",)),
            MetricRule("latency", Impact.K2, False, "summary-latency", Statistic.P50, 2000.0, 1.5, 40),
            CrashRule("crash", Impact.K1),
            DriftRule("drift", Impact.K1),
        ),
        minimums={"technical": 10, "functional": 8},
        warm=60.0,
    )


def test_loading_twice_gives_the_same(tmp_path: Path) -> None:
    folder = small_in(tmp_path)
    assert load(folder) == load(folder)


def test_the_order_of_services_and_listeners_in_the_file_changes_nothing(tmp_path: Path) -> None:
    lines = original("otagate").split("\n")
    web = next(i for i, line in enumerate(lines) if line.startswith("  web: "))
    lines[web], lines[web + 1] = lines[web + 1], lines[web]
    turned = load(small_in(tmp_path / "turned", otagate="\n".join(lines)))
    assert list(turned.listeners) == list(load(small_in(tmp_path / "straight")).listeners) == ["dicom", "web"]


COMPOSE_FORMS = [
    ("{STORE_HOST: store}", "[STORE_HOST=store]"),
    ("{STORE_HOST: store}", '["STORE_HOST=store"]'),
    ("depends_on: {store: {condition: service_healthy}}", "depends_on: [store]"),
    ("[store-data:/var/lib/postgresql/data]", "[{source: store-data, target: /var/lib/postgresql/data}]"),
    ("[store-data:/var/lib/postgresql/data]", "[store-data:/var/lib/postgresql/data:rw]"),
    ("test: pg_isready -q", 'test: [CMD-SHELL, "pg_isready -q"]'),
    ("cap_drop: [ALL]", "cap_drop: [CAP_ALL]"),
    ('["no-new-privileges:true"]', "[no-new-privileges]"),
    ("mem_limit: 512m", "mem_limit: 524288kb"),
    ("stop_grace_period: 10s", "stop_grace_period: 0m10s"),
    ("volumes: {store-data: {}}", "volumes: {store-data: }"),
    ("restart: unless-stopped", "restart: &r unless-stopped"),
    ("services:", "---\nservices:"),
    ("services:", "\ufeffservices:"),
]


@pytest.mark.parametrize(("before", "after"), COMPOSE_FORMS, ids=[after for _, after in COMPOSE_FORMS])
def test_composes_other_forms_mean_the_same(before: str, after: str, tmp_path: Path) -> None:
    compose = original("compose")
    assert before in compose
    other = load(small_in(tmp_path / "other", compose=compose.replace(before, after, 1)))
    assert other.services == load(small_in(tmp_path / "first")).services


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("command: run --fast 'two words'", "command", ("run", "--fast", "two words")),
        ("command: [run, --fast]", "command", ("run", "--fast")),
        ("entrypoint: []", "entrypoint", ()),
        ("tmpfs: /cache:size=16m", "tmpfs", ("/cache:size=16m",)),
        ("stop_signal: SIGINT", "stop_signal", "SIGINT"),
        (
            'environment: {PRICE: "5$$", COUNT: 3, NOTHING: ""}',
            "environment",
            {"COUNT": "3", "NOTHING": "", "PRICE": "5$"},
        ),
        ('restart: "no"', "restart", "no"),
    ],
)
def test_a_key_of_compose_becomes_a_field(line: str, field: str, value: object, tmp_path: Path) -> None:
    image = "    image: small/store:1.0\n"
    compose = original("compose").replace(image, f"{image}    {line}\n")
    assert getattr(load(small_in(tmp_path, compose=compose)).services["store"], field) == value


def test_a_config_may_have_a_mode_of_its_own(tmp_path: Path) -> None:
    compose = original("compose").replace("target: /etc/small/peers.yaml", 'target: /etc/peers, mode: "0400"')
    (config,) = load(small_in(tmp_path, compose=compose)).services["web"].configs
    assert (config.target, config.mode) == ("/etc/peers", 0o400)


def test_an_allowed_difference_is_resolved(tmp_path: Path) -> None:
    rule = "allowed: [{name: a, service: web, field: env.MODE, reason: because}]"
    folder = small_in(tmp_path, otagate=original("otagate").replace("allowed: []", rule))
    assert load(folder).allowed == (AllowedDifference("a", "web", "env.MODE", "because"),)


def test_demands_of_the_policy_are_resolved(tmp_path: Path) -> None:
    text = original("otagate").replace("approvals: not-required", "approvals: 2").replace("backup: not-", "backup: ")
    policy = load(small_in(tmp_path, otagate=text)).policy
    assert (policy.approvals, policy.backup, policy.window) == (2, True, False)


def test_a_port_may_be_fixed_and_open_to_all(tmp_path: Path) -> None:
    text = original("otagate").replace("127.0.0.1:auto", "0.0.0.0:8443", 1).replace("127.0.0.1:auto", "[::1]:10400", 1)
    listeners = load(small_in(tmp_path, otagate=text)).listeners
    assert (listeners["web"].host, listeners["web"].host_port) == ("0.0.0.0", 8443)
    assert (listeners["dicom"].host, listeners["dicom"].host_port) == ("::1", 10400)


def test_clouds_that_are_not_named_share_the_named_engine(tmp_path: Path) -> None:
    text = original("otagate").replace("unix:///var/run/docker.sock", "ssh://operator@cloud")
    platform = load(small_in(tmp_path, otagate=text), {"DOCKER_HOST": "unix:///elsewhere"})
    assert set(platform.engines.values()) == {"ssh://operator@cloud"}


def test_without_clouds_the_environment_names_the_engine(tmp_path: Path) -> None:
    lines = original("otagate").split("\n")
    text = "\n".join(line for line in lines if "clouds" not in line and 'engine: "unix' not in line)
    folder = small_in(tmp_path, otagate=text)
    assert set(load(folder, {"DOCKER_HOST": "unix:///elsewhere"}).engines.values()) == {"unix:///elsewhere"}
    assert set(load(folder, {}).engines.values()) == {LOCAL_ENGINE}


def test_a_missing_folder_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path / "none")
    assert caught.value.hint


def test_problems_name_files_as_seen_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = small_in(tmp_path, compose="")
    monkeypatch.chdir(tmp_path)
    assert str(problems_of(folder)[0]).startswith(f"small{os.sep}compose.yaml:1:1: ")


@pytest.mark.parametrize(
    "folder", sorted(p.parent for p in REPOSITORY.glob("environments/*/otagate.yaml")), ids=lambda p: p.name
)
def test_every_shipped_platform_loads(folder: Path) -> None:
    assert load(folder).name == folder.name
