"""What a release is defined as is read again exactly as it was kept, and explains only what both definitions say."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otagate.core.canonical import digest_of_bytes
from otagate.core.definition import defined_as, explained, fields_defined, kept, read, redefined
from otagate.core.mirror import Comparison, Difference, Explanation, ObservedContainer, compare, file_fact
from otagate.core.platform import (
    ConfigFile,
    Healthcheck,
    Hook,
    HookName,
    Migrate,
    Mount,
    Service,
)
from otagate.core.release import definition
from otagate.core.schema import Schema
from tests.core.platforms import platform

WEB = platform().services["web"]
WHOLE = replace(
    WEB,
    command=("serve", "--all"),
    entrypoint=("/bin/web",),
    environment={"A": "ü {}", "B": ""},
    mounts=(Mount("data", "/data", read_only=True),),
    configs=(ConfigFile("peers", "/etc/web/peers", b"\x00\xff not text", 0o440),),
    secrets=("pw",),
    depends_on=("store",),
    healthcheck=Healthcheck(("CMD", "true"), 1.5, 2.0, 3, 0.0),
    tmpfs=("/cache:size=64m", "/run"),
    restart="unless-stopped",
    memory=64_000_000,
    cpus=0.5,
    hooks=(Hook(HookName.DRAIN, 8080, "/drain", 2.0),),
    schema=Schema("2", ("1", "2")),
    migrate=Migrate(("migrate",), ("pw",), 30.0),
    hold=1.5,
)


@pytest.mark.parametrize("service", [WEB, WHOLE])
def test_what_is_kept_is_read_again(service: Service) -> None:
    again = read(kept(service))
    assert again == service
    assert definition(again) == definition(service)


@given(st.text(), st.binary(max_size=64))
def test_any_value_and_any_file_is_kept(value: str, content: bytes) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        return
    service = replace(WEB, environment={"A": value}, configs=(ConfigFile("f", "/f", content),))
    assert read(kept(service)) == service


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", kept(WEB)[:-1], kept(WEB).replace('"tier"', '"tire"')])
def test_what_is_no_definition_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's, base64's or our own
        read(text)


def test_a_platform_defined_as_its_live_release_keeps_the_order_of_its_services() -> None:
    own = platform()
    other = defined_as(own, {"web": WHOLE})
    assert list(other.services) == list(own.services)
    assert other.services["web"] is WHOLE
    assert other.services["store"] is own.services["store"]
    assert (redefined(own, other), redefined(own, own)) == (("web",), ())


def observed(service: Service, **other: str) -> ObservedContainer:
    """As an engine shows what was made from a definition, of an image that sets PATH and LEVEL."""
    from_image = {"env.PATH": "sha256:aa", "env.LEVEL": "sha256:bb"}
    fields = {**from_image, **fields_defined(service), "network.colour": "web", **other}
    return ObservedContainer(
        name="p-blue-web",
        id="1",
        service="web",
        cloud="blue",
        colour="blue",
        binding="production",
        image="sha256:" + "1" * 64,
        running=True,
        health="healthy",
        started_at=1.0,
        restarts=0,
        addresses={},
        fields=fields,
        from_image=from_image,
        labels={},
    )


CHANGED = replace(
    WHOLE,
    command=("serve",),
    environment={"A": "other", "C": "new", "LEVEL": "debug"},
    mounts=(),
    configs=(ConfigFile("peers", "/etc/web/peers", b"other", 0o440),),
    healthcheck=None,
    tmpfs=(),
    memory=32_000_000,
    cpus=None,
    restart="always",
)


def told(production: ObservedContainer, mirror: ObservedContainer, was: Service, new: Service) -> dict[str, Difference]:
    found = compare([production], [mirror], [], {})
    found = explained(found, {"web": production}, {"web": mirror}, {"web": was}, {"web": new})
    return {d.field: d for d in found.differences}


def test_what_the_release_under_test_defines_otherwise_is_told_as_that() -> None:
    found = told(observed(WHOLE), observed(CHANGED), WHOLE, CHANGED)
    assert {d.explanation for d in found.values()} == {Explanation.DEFINITION}
    fields = {"command", "env.A", "env.B", "env.C", "env.LEVEL", "file./etc/web/peers", "healthcheck", "limit.cpus"}
    assert fields < set(found)
    assert {"limit.memory", "mount./data", "restart", "tmpfs./cache", "tmpfs./run"} < set(found)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("env.A", digest_of_bytes(b"by hand")),
        ("file./etc/web/peers", file_fact(b"by hand", 0o440)),
        ("limit.memory", "1"),
        ("limit.cpus", "9"),
        ("restart", "no"),
    ],
)
def test_control_a_value_that_neither_definition_says_stays_drift(field: str, value: str) -> None:
    by_hand = {field: value}
    assert told(observed(WHOLE, **by_hand), observed(CHANGED), WHOLE, CHANGED)[field].explanation is Explanation.DRIFT
    assert told(observed(WHOLE), observed(CHANGED, **by_hand), WHOLE, CHANGED)[field].explanation is Explanation.DRIFT


@pytest.mark.parametrize("field", ["network.colour", "host.Privileged", "env.PATH", "user"])
def test_control_what_no_definition_changed_stays_drift(field: str) -> None:
    found = told(observed(WHOLE), observed(CHANGED, **{field: "other"}), WHOLE, CHANGED)
    assert found[field].explanation is Explanation.DRIFT


def test_a_service_that_is_no_release_is_left_as_it_was_told() -> None:
    drift = Difference("store", "restart", "a", "b", Explanation.DRIFT, "differs")
    comparison = Comparison(1, (drift,))
    assert explained(comparison, {}, {}, {"web": WHOLE}, {"web": CHANGED}) == comparison
