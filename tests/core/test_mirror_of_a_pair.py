"""A mirror has one switch, and both of production's pair are compared with it."""

from dataclasses import replace

from otagate.core.mirror import PRESENT, compare
from otagate.core.switch import certificate_path
from tests.core.test_mirror import changed, container


def test_both_of_a_pair_are_compared_with_the_mirrors_one_switch() -> None:
    mirrors = container(service="switch", tier="edge", binding="candidate", fields={"image": "x"})
    first = container(service="switch", tier="edge", fields={"image": "x"})
    other = replace(changed(first, **{"env.OTAGATE_SWITCH_RUN": "/run/otagate/second"}), name="p-shared-switch-second")
    assert compare([first, other], [mirrors], [], {}).drift == ()
    odd = changed(other, **{"restart": "no"})
    assert [d.field for d in compare([first, odd], [mirrors], [], {}).drift] == ["restart"]


def test_whichever_switch_serves_its_key_is_productions_alone() -> None:
    mirrors = container(service="switch", tier="edge", binding="candidate", fields={"image": "x"})
    for number, second in ((1, False), (2, False), (1, True), (3, True)):
        path = certificate_path("web", number, second=second)
        serving = container(service="switch", tier="edge", fields={"image": "x", f"secret.{path}": PRESENT})
        assert compare([serving], [mirrors], [], {}).drift == (), path
