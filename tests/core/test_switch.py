"""The switch as text: what is written must be what is read, and nothing odd is ever taken for a colour."""

import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.pdu import A_ASSOCIATE_RQ

from otagate.core.cloud import Colour
from otagate.core.platform import Protocol, Tls
from otagate.core.switch import (
    SERVERS_PATH,
    OpenSession,
    associate_request,
    flip_lua,
    haproxy_config,
    map_text,
    read_entries,
    read_map,
    read_sessions,
    read_show_map,
)
from otagate.core.topology import Door, Topology

HOSTS = {"blue": "t-blue-web", "green": "t-green-web"}
WEB = Door("web", Protocol.HTTP, 20001, HOSTS, 8080, probe="/healthz", idle_timeout=60)
DICOM = Door("dicom", Protocol.DICOM, 20002, HOSTS, 11112, called_ae="HELLO", idle_timeout=14400)
HL7 = Door("hl7", Protocol.TCP, 20003, HOSTS, 2575, idle_timeout=86400)
ARCHIVE = Door("archive", Protocol.TCP, 20004, {"blue": "t-store", "green": "t-store"}, 104, coloured=False)


def topology(*doors: Door) -> Topology:
    return Topology("t", "t-shared-switch", doors)


def section(config: str, head: str) -> list[str]:
    """The lines of one section, stripped."""
    (part,) = [p for p in config.split("\n\n") if p.strip().startswith(head + "\n")]
    return [line.strip() for line in part.strip().splitlines()[1:]]


def test_every_coloured_door_looks_up_the_one_entry() -> None:
    config = haproxy_config(topology(WEB, DICOM, HL7))
    lookups = [line.strip() for line in config.splitlines() if "use_backend" in line]
    assert lookups == [f"use_backend {d}_%[str(active),map(/run/otagate/active.map)]" for d in ("web", "dicom", "hl7")]


def test_it_believes_what_it_is_told_of_its_servers_and_then_asks_them() -> None:
    config = haproxy_config(topology(WEB))
    assert f"    server-state-file {SERVERS_PATH}\n" in config
    assert "defaults\n    load-server-state-from-file global\n" in config
    assert "init-addr last," in config


def test_no_coloured_door_has_anything_to_fall_back_to() -> None:
    config = haproxy_config(topology(WEB, DICOM, HL7))
    assert "default_backend" not in config
    assert "active.map," not in config


def test_an_uncoloured_door_has_a_key_of_its_own_and_one_back() -> None:
    config = haproxy_config(topology(WEB, ARCHIVE))
    front = section(config, "frontend archive")
    assert "use_backend archive_%[str(door.archive),map(/run/otagate/active.map,standing)]" in front
    assert "server s1 t-store:104" in section(config, "backend archive_standing")
    assert '"archive"' not in flip_lua(topology(WEB, ARCHIVE)), "a flip must not wait for the archive"


def test_an_http_door_is_asked_for_its_probe() -> None:
    back = section(haproxy_config(topology(WEB)), "backend web_green")
    assert back == [
        "mode http",
        "timeout server 60000ms",
        "option httpchk GET /healthz",
        "http-check expect status 200",
        "http-request lua.came",
        "http-response lua.took",
        "timeout tunnel 60000ms",
        "server s1 t-green-web:8080",
    ]


def test_a_dicom_door_is_asked_by_an_association_and_may_idle_for_hours() -> None:
    config = haproxy_config(topology(DICOM))
    back = section(config, "backend dicom_blue")
    assert "option tcp-check" in back
    assert "tcp-check connect" in back
    assert f"tcp-check send-binary {associate_request('HELLO').hex()}" in back
    assert "timeout server 14400000ms" in back
    assert "timeout client 14400000ms" in section(config, "frontend dicom")


def test_tls_is_ended_at_the_listener_or_passed_unread() -> None:
    config = haproxy_config(topology(replace(WEB, tls=Tls.END), replace(DICOM, tls=Tls.PASS)))
    assert "bind :20001 ssl crt /run/otagate/tls/web.pem ssl-min-ver TLSv1.2" in section(config, "frontend web")
    assert "server s1 t-blue-web:8080" in section(config, "backend web_blue")
    assert "bind :20002" in section(config, "frontend dicom")
    assert "server s1 t-blue-web:11112 check-ssl verify none" in section(config, "backend dicom_blue")
    unread = haproxy_config(topology(replace(WEB, tls=Tls.PASS)))
    assert "mode tcp" in section(unread, "frontend web")
    assert "option httpchk GET /healthz" in section(unread, "backend web_blue")
    assert "tcp-check connect ssl" in section(config, "backend dicom_blue")
    assert "ssl" not in haproxy_config(topology(WEB, DICOM))


def test_safe_requests_are_copied_only_where_the_platform_says_so() -> None:
    shadowed = topology(replace(WEB, shadowed=True), DICOM)
    assert "http-request lua.shadow web if METH_GET" in section(haproxy_config(shadowed), "frontend web")
    assert 'local SHADOWS = { "web" }' in flip_lua(shadowed)
    assert 'local DOORS = { "web", "dicom" }' in flip_lua(shadowed)
    for line in flip_lua(shadowed).splitlines():
        assert line.count('"') % 2 == 0, f"a text is left open: {line}"
    assert "shadow" not in haproxy_config(topology(WEB, DICOM)) + flip_lua(topology(WEB, DICOM))


def test_the_association_is_one_that_a_dicom_library_reads() -> None:
    pdu = A_ASSOCIATE_RQ()
    pdu.decode(associate_request("HELLO"))
    assert (pdu.called_ae_title, pdu.calling_ae_title) == ("HELLO", "OTAGATE")
    (context,) = pdu.presentation_context
    assert context.abstract_syntax == "1.2.840.10008.1.1"
    assert context.transfer_syntax == ["1.2.840.10008.1.2"]
    assert pdu.user_information is not None
    assert pdu.user_information.maximum_length == 16384
    assert pdu.encode() == associate_request("HELLO")


def test_a_mirrors_switch_knows_one_colour_only() -> None:
    alone = Door("web", Protocol.HTTP, 20001, {"green": "m-web"}, 8080, probe="/healthz")
    config = haproxy_config(topology(alone))
    assert "backend web_green" in config
    assert "web_blue" not in config


def test_a_second_switch_on_the_same_ports_must_fail() -> None:
    assert "    noreuseport" in haproxy_config(topology(WEB)).splitlines()


def test_the_command_knows_every_coloured_door() -> None:
    assert 'local DOORS = { "web", "dicom" }' in flip_lua(topology(WEB, DICOM))


@given(st.sampled_from(list(Colour)), st.integers(0, 10**15))
def test_a_map_is_read_as_it_was_written(colour: Colour, epoch: int) -> None:
    assert read_map(map_text(colour, epoch)) == (colour, epoch)


@given(st.sampled_from(list(Colour)), st.integers(0, 10**6), st.data())
def test_a_map_cut_short_anywhere_is_refused(colour: Colour, epoch: int, data: st.DataObject) -> None:
    whole = map_text(colour, epoch)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(ValueError, match=r"map|entry|epoch|Colour"):
        read_map(whole[:cut])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "\n\n",
        "active blue\n",
        "epoch 1\n",
        "active blue\nepoch 1",
        "active red\nepoch 1\n",
        "active \nepoch 1\n",
        "active blue\nactive green\n",
        "epoch 1\nepoch 2\n",
        "active blue\nepoch 1\nactive green\n",
        "active blue\nepoch 1\n\n",
        "active blue\nepoch -1\n",
        "active blue\nepoch 01\n",
        "active blue\nepoch 1.0\n",
        "active blue\nepoch ١\n",
        "active blue \nepoch 1\n",
        "active  blue\nepoch 1\n",
        "ACTIVE blue\nepoch 1\n",
        "# note\nactive blue\n",
        "\x00\x00\x00\n\x00\n",
    ],
)
def test_anything_else_is_no_map(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_map(text)


@given(st.text(max_size=60))
def test_no_text_is_taken_for_a_map_unless_it_is_one(text: str) -> None:
    try:
        colour, epoch = read_map(text)
    except ValueError:
        return
    assert map_text(colour, epoch) == text


def test_show_map_is_read_and_a_double_key_refused() -> None:
    text = "0x55 active green\n0x56 epoch 7\n"
    assert read_entries(read_show_map(text)) == (Colour.GREEN, 7)
    for odd in ("0x55 active green\n0x57 active blue\n0x56 epoch 7\n", "entry not found.\n", "0x55 active\n"):
        with pytest.raises(ValueError, match="no map entry"):
            read_show_map(odd)
    with pytest.raises(ValueError, match="lacks a colour"):
        read_entries(read_show_map("\n"))


SESSIONS = """\
0x55d0c1: proto=tcpv4 src=172.18.0.1:40122 fe=dicom be=dicom_blue srv=s1 ts=00 epoch=0 age=4m3s calls=2 rate=0 cpu=0 lat=0 rq[f=848202h,i=0,an=00h] rp[f=0] scf=[8,200000h] scb=[8,200000h] exp=3h59m rc=0 c_exp=
0x55d0c2: proto=unix_stream src=unix:1 fe=GLOBAL be=<NONE> srv=<none> ts=00 epoch=0 age=0s calls=1 rate=1 exp=10m
0x55d0c3: proto=tcpv6 src=[::1]:99 fe=web be=web_green srv=s1 ts=00 epoch=0 age=0s calls=1 rate=1 exp=10m
"""  # noqa: E501 - as HAProxy 3.0 writes it


def test_open_sessions_are_read_with_client_and_age() -> None:
    assert read_sessions(SESSIONS) == (
        OpenSession("0x55d0c1", "172.18.0.1:40122", "dicom_blue", "4m3s"),
        OpenSession("0x55d0c2", "unix:1", "<NONE>", "0s"),
        OpenSession("0x55d0c3", "[::1]:99", "web_green", "0s"),
    )
    assert read_sessions("") == ()
    for odd in ("Unknown command\n", "0x55: src=1.2.3.4:5 be=\n"):
        with pytest.raises(ValueError, match="no session"):
            read_sessions(odd)


def test_the_configuration_has_no_line_that_is_too_long_for_the_switch() -> None:
    longest = max(len(line) for line in io.StringIO(haproxy_config(topology(WEB, DICOM, HL7, ARCHIVE))))
    assert longest < 2048
