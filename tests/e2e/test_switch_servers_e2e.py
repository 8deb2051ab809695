"""What a switch that comes to the doors knows of its servers, with the first health check that it makes failing."""

import time
from collections.abc import Iterator
from contextlib import suppress

import docker
import pytest
import requests

from otagate.core.cloud import Colour
from otagate.core.switch import SERVERS_PATH, flip_lua, haproxy_config, rehearsal_path
from tests.e2e.edge import Edge

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

NUMBER = 2
LONG = 2.0  # seconds of asking: a check twice a second finds the server well again within one


class Rehearsing(Edge):
    """A switch that waits for a holder that never comes; HAProxy is begun and ended in it by hand."""

    def raise_switch(self) -> None:
        self.container("shared-steward").exec_run(["sh", "-c", f"echo {NUMBER} > /run/otagate/serving"])
        self.container("shared-switch").stop(timeout=2)  # so that nobody else asks the server how it is
        self.container("shared-holder").remove(force=True)
        self.container("shared-steward").exec_run(["sh", "-c", "rm /run/otagate/holder /run/otagate/holder.sock"])
        topology = self.topology()
        environment = {
            "OTAGATE_SWITCH_CONFIG": haproxy_config(topology, NUMBER),
            "OTAGATE_SWITCH_LUA": flip_lua(topology),
            "OTAGATE_SWITCH_NUMBER": str(NUMBER),
        }
        self._edge("other", self.images.switch, environment, self.published())

    def shell(self, line: str) -> str:
        code, output = self.container("shared-other").exec_run(["sh", "-ec", line])
        assert isinstance(output, bytes)
        assert code == 0, output
        return output.decode()

    def begin(self) -> None:
        self.shell("haproxy -D -p /conf/pid -f /conf/rehearsal.cfg")

    def end(self) -> None:
        self.shell("kill -9 $(cat /conf/pid); rm /conf/pid")
        assert self.eventually(lambda: not self.known())

    def known(self) -> list[str]:
        """Each server as the HAProxy that runs knows it, in the words of its file."""
        code, output = self.container("shared-other").exec_run(
            ["perl", "/usr/local/bin/otagate-servers", rehearsal_path(NUMBER)]
        )
        assert isinstance(output, bytes)
        return [line for line in output.decode().splitlines() if " s1 " in line] if code == 0 else []

    def up(self) -> bool:
        fields = [line.split() for line in self.known() if line.split()[1] == "web_blue"]
        return [(state[5], state[12]) for state in fields] == [("2", "2")]  # running, and as healthy as can be

    def begun(self) -> list[int]:
        """HAProxy begins; the status of each answer from its first on, for it is asked before it is there."""
        published = self.container("shared-other").ports[f"{self.fronts['web']}/tcp"]
        assert published
        url, codes, until = f"http://127.0.0.1:{published[0]['HostPort']}/", list[int](), time.monotonic() + 60
        thread = self.beside(self.begin)
        while time.monotonic() < until:
            with suppress(requests.ConnectionError):
                codes.append(requests.get(url, timeout=5).status_code)
                until = until if len(codes) > 1 else time.monotonic() + LONG
            time.sleep(0.02)
        thread.join(60)
        return codes


@pytest.fixture(scope="module")
def other(engine: docker.DockerClient) -> Iterator[Rehearsing]:
    made = Rehearsing(engine)
    try:
        made.raise_()
        made.genesis()
        made.raise_switch()
        assert made.eventually(lambda: "rehearsal.cfg" in made.shell("ls /conf"))
        yield made
    finally:
        made.remove()


def come_anew(other: Rehearsing, *, known: bool) -> list[int]:
    """What is answered by a HAProxy whose first check of the server fails, told of its servers or not."""
    other.begin()
    assert other.eventually(other.up)
    told = "perl /usr/local/bin/otagate-servers {} > {}" if known else ": > {1}"
    other.shell(told.format(rehearsal_path(NUMBER), SERVERS_PATH))
    other.end()
    other.poke(Colour.BLUE, "/sick?checks=1")
    try:
        return other.begun()
    finally:
        other.end()


def test_one_that_knows_its_servers_answers_although_its_first_check_fails(other: Rehearsing) -> None:
    assert set(come_anew(other, known=True)) == {200}


def test_control_one_that_does_not_answers_503(other: Rehearsing) -> None:
    assert set(come_anew(other, known=False)) == {200, 503}
