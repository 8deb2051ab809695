from dataclasses import replace

from otagate.core.hold import SLACK, hold_lines
from otagate.core.switch import flip_lua, haproxy_config
from otagate.core.topology import topology
from tests.core.platforms import platform

PLAIN = topology(platform())
HELD = replace(PLAIN, hold=2.5)


def test_a_platform_that_holds_nothing_has_a_switch_that_knows_no_hold() -> None:
    assert "hold" not in flip_lua(PLAIN).replace("holds", "")
    assert "lua.hold" not in haproxy_config(PLAIN)


def test_the_bound_is_the_switchs_own() -> None:
    text = flip_lua(HELD)
    assert "local MOST = 2500" in text
    assert "@" not in text.split("-- Each runs")[1]
    assert text.index("the hold has passed") < text.index("set(to, new)")


def test_every_coloured_door_waits_and_tcp_longer_than_the_bound() -> None:
    text = haproxy_config(HELD)
    assert text.count("http-request lua.hold") == 1
    assert text.count("tcp-request content lua.hold") == 1
    assert f"tcp-request inspect-delay {round((2.5 + SLACK) * 1000)}ms" in text
    assert hold_lines(0.0, "http") == ()
    for frontend in text.split("frontend ")[1:]:
        assert frontend.index("lua.hold") < frontend.index("use_backend")


def test_the_shortest_hold_of_any_service_is_the_platforms_and_a_mirror_holds_nothing() -> None:
    known = platform()
    services = dict(known.services)
    services["web"] = replace(services["web"], hold=9.0)
    services["more"] = replace(services["web"], name="more", hold=4.0)
    assert topology(replace(known, services=services)).hold == 4.0
