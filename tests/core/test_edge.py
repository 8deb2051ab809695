from dataclasses import replace

from otagate.core.cloud import LABEL_DOORS, Binding, Colour
from otagate.core.container import Container
from otagate.core.edge import another_switch, mirror_switch, steward_stage, switch_stage
from otagate.core.places import Place
from otagate.core.platform import Platform, Tls
from tests.core.platforms import platform

PORTS = {"web": 18080, "dicom": 10400}


def edge(number: int = 1) -> tuple[Container, Container]:
    holder, switch = switch_stage(platform(), "s", "h", PORTS, lambda _: b"x", number).containers
    return holder, switch


def test_the_holder_publishes_each_listener_where_it_was_told_and_the_switch_nothing() -> None:
    holder, switch = edge()
    assert [(p.host, p.host_port) for p in holder.ports] == [("127.0.0.1", 18080), ("127.0.0.1", 10400)]
    assert holder.command == ("/run/otagate", "20001", "20002")
    assert switch.ports == ()


def test_the_front_doors_bear_the_name_and_no_switch_does() -> None:
    holder, switch = edge()
    assert {alias for a in holder.networks for alias in a.aliases} == {"switch"}
    assert [a.aliases for a in switch.networks] == [(), (), ()]


def test_the_holder_says_what_its_doors_were_made_for_and_nothing_that_a_replacement_brings_in() -> None:
    p = platform()
    dicom = replace(p.listeners["dicom"], tls=Tls.PASS, service="archive", idle_timeout=1.0, called_ae="X", probe="/x")
    services = {**p.services, "archive": replace(p.services["web"], name="archive")}
    other = replace(p, services=services, listeners={"dicom": dicom, "web": p.listeners["web"]})
    made = [switch_stage(q, "s", "h", PORTS, lambda _: b"x").containers for q in (p, other)]
    assert [holder.labels[LABEL_DOORS] for holder, _ in made] == [
        "web/http/web/none dicom/dicom/web/none",
        "dicom/dicom/archive/pass web/http/web/none",
    ]


def test_edge_containers_are_unprivileged_and_read_only() -> None:
    p = platform()
    stages = (steward_stage(p, "s"), switch_stage(p, "s", "h", PORTS, lambda _: b"x"))
    containers = [c for stage in stages for c in stage.containers]
    assert len(containers) == 3
    for container in containers:
        assert (container.user, container.read_only, container.cap_drop) == ("65534:65534", True, ("ALL",))
        assert container.no_new_privileges
        assert container.restart == "always"


def test_a_replacement_has_a_name_a_number_and_a_socket_of_its_own_and_nothing_else_does() -> None:
    (second,) = another_switch(platform(), "s", lambda _: b"x", 2).containers
    _, first = edge()
    assert (first.name, second.name) == ("p-shared-switch", "p-shared-switch-2")
    assert second.environment["OTAGATE_SWITCH_NUMBER"] == "2"
    assert "stats socket /run/otagate/admin.sock " in first.environment["OTAGATE_SWITCH_CONFIG"]
    config = second.environment["OTAGATE_SWITCH_CONFIG"]
    assert config.replace("admin-2.sock", "admin.sock") == first.environment["OTAGATE_SWITCH_CONFIG"]
    assert replace(second, name=first.name, labels={}, environment={}) == replace(first, labels={}, environment={})
    assert edge(2)[1] == second, "what serves after it is what production then should be"


def pair(number: int = 1, number_second: int = 1) -> tuple[Container, ...]:
    p = replace(platform(), second="127.0.0.2")
    return switch_stage(p, "s", "h", PORTS, lambda _: b"x", number, number_second).containers


def test_a_pair_has_the_same_ports_at_a_second_address_and_a_holder_and_a_switch_of_its_own_there() -> None:
    holder, switch, other_holder, other = pair()
    assert (holder, switch) == edge(), "to declare a second changes nothing of what serves"
    assert (other_holder.name, other.name) == ("p-shared-holder-second", "p-shared-switch-second")
    assert [(p.host, p.host_port, p.container_port) for p in other_holder.ports] == [
        ("127.0.0.2", 18080, 20001),
        ("127.0.0.2", 10400, 20002),
    ]
    assert {alias for a in other_holder.networks for alias in a.aliases} == {"switch-second"}
    assert other_holder.command == ("/run/otagate/second", "20001", "20002")
    assert (other.ports, [a.aliases for a in other.networks]) == ((), [(), (), ()])


def test_both_of_a_pair_read_one_map_and_each_has_a_socket_and_a_folder_of_its_own() -> None:
    _, switch, _, other = pair()
    assert switch.mounts == other.mounts
    assert other.environment["OTAGATE_SWITCH_RUN"] == "/run/otagate/second"
    assert "OTAGATE_SWITCH_RUN" not in switch.environment
    config = other.environment["OTAGATE_SWITCH_CONFIG"]
    assert "stats socket /run/otagate/second.sock " in config
    assert config.replace("second.sock", "admin.sock") == switch.environment["OTAGATE_SWITCH_CONFIG"]


def test_the_replacement_of_a_pairs_second_is_what_production_then_should_be() -> None:
    p = replace(platform(), second="127.0.0.2")
    (new,) = another_switch(p, "s", lambda _: b"x", 3, second=True).containers
    assert new.name == "p-shared-switch-second-3"
    assert pair(2, 3)[3] == new
    assert pair(2, 3)[1].name == "p-shared-switch-2"


def test_a_steward_of_a_pair_is_made_otherwise_and_a_mirror_has_one_switch() -> None:
    p = platform()
    paired = replace(p, second="127.0.0.2")
    one, two = (steward_stage(q, "s").containers[0].labels["otagate.spec"] for q in (p, paired))
    assert one != two, "so that status and up tell of it"
    place = Place("p", Binding.CANDIDATE, Colour.GREEN)
    assert mirror_switch(paired, place, "s") == mirror_switch(p, place, "s")


def ending_tls(second: str = "") -> Platform:
    p = platform()
    return replace(p, second=second, listeners={**p.listeners, "web": replace(p.listeners["web"], tls=Tls.END)})


def test_the_switch_gets_the_key_of_a_listener_whose_tls_it_ends_and_a_mirrors_makes_its_own() -> None:
    p = ending_tls()
    _, switch = switch_stage(p, "s", "h", PORTS, lambda name: f"<{name}>\n".encode()).containers
    (file,) = switch.files
    assert (file.path, file.secret) == ("/run/otagate/tls/web.pem", True)
    assert file.content == b"<listener.web.certificate>\n<listener.web.key>\n"
    own = mirror_switch(p, Place("p", Binding.CANDIDATE, Colour.GREEN), "s")
    assert own.files == ()
    assert own.environment["OTAGATE_SWITCH_OWN_TLS"] == "/run/otagate/tls/web.pem"
    assert "OTAGATE_SWITCH_NUMBER" not in own.environment, "nobody replaces it"


def test_no_switch_is_given_the_file_that_another_one_starts_with() -> None:
    """They share a volume, and a new one may turn out not to start with what it was given."""
    p = ending_tls("127.0.0.2")
    made = [
        another_switch(p, "s", lambda _: b"x", number, second=second).containers[0]
        for number in (1, 2, 12)
        for second in (False, True)
    ]
    paths = [file.path for switch in made for file in switch.files]
    assert len(set(paths)) == len(made)
    for switch, path in zip(made, paths, strict=True):
        assert f" ssl crt {path} " in switch.environment["OTAGATE_SWITCH_CONFIG"], switch.name
