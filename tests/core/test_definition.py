"""What a release is defined as is read again exactly as it was kept, and explains only what both definitions say."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otagate.core.definition import defined_as, explained, kept, read, redefined
from otagate.core.mirror import BUILD_VARIABLE as BUILD
from otagate.core.mirror import Comparison, Difference, Explanation, ObservedContainer, compare
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
    assert other.services["web"] == replace(WHOLE, depends_on=own.services["web"].depends_on)
    assert other.services["store"] is own.services["store"]
    assert (redefined(own, other), redefined(own, own)) == (("web",), ())


FIELDS = {
    "env.A": "sha256:aa",
    "command": '["serve"]',
    "user": "nobody",
    "network.colour": "web",
    BUILD: "sha256:1",
}


def seen(**fields: str | None) -> ObservedContainer:
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
        fields={name: value for name, value in {**FIELDS, **fields}.items() if value is not None},
        from_image={},
        labels={},
    )


NEW = {"env.A": None, "env.B": "sha256:bb", "command": '["other"]', "user": "1"}


def told(live: ObservedContainer, candidate: ObservedContainer, baseline: ObservedContainer) -> dict[str, Explanation]:
    found = explained(compare([live], [candidate], [], {}), live, candidate, baseline)
    return {d.field: d.explanation for d in found.differences}


def test_what_the_release_under_test_defines_otherwise_is_told_as_that() -> None:
    assert told(seen(), seen(**NEW), seen()) == dict.fromkeys(NEW, Explanation.DEFINITION)


@pytest.mark.parametrize("field", ["env.A", "command", "user"])
def test_control_what_production_shows_and_the_baseline_does_not_stays_drift(field: str) -> None:
    found = told(seen(**{field: "by hand"}), seen(**NEW), seen())
    assert found[field] is Explanation.DRIFT
    assert {e for name, e in found.items() if name != field} == {Explanation.DEFINITION}


def test_control_what_both_sides_of_the_mirror_share_stays_drift() -> None:
    mirror = {"network.colour": "other"}
    assert told(seen(), seen(**mirror), seen(**mirror)) == {"network.colour": Explanation.DRIFT}


def test_control_another_build_than_the_one_under_test_is_no_definition() -> None:
    live, candidate = seen(), seen(**{BUILD: "sha256:3"})
    found = explained(compare([live], [candidate], [], {"web": "sha256:2"}), live, candidate, seen())
    assert Explanation.DEFINITION not in {d.explanation for d in found.differences}


def test_what_is_explained_already_or_of_another_service_is_left_as_it_was_told() -> None:
    allowed = Difference("web", "user", "nobody", "1", Explanation.ALLOWED, "a rule")
    other = Difference("store", "user", "nobody", "1", Explanation.DRIFT, "differs")
    comparison = Comparison(2, (allowed, other))
    assert explained(comparison, seen(), seen(**NEW), seen()) == comparison
