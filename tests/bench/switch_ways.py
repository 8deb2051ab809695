"""Ways to turn traffic from one colour to the other, each over the same two colours and on ports of this machine: our
own switch, a reload of HAProxy or nginx, Caddy's admin API, and stopping one container to start the other."""

import contextlib
import io
import json
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import docker

from otagate.adapters.engine.build import build_image
from otagate.core.cloud import LABEL_PLATFORM, Colour
from tests.e2e.edge import packed
from tests.e2e.flip_account import Flip
from tests.e2e.load_edge import LoadEdge

PROXIES = "t-bench-proxies:1"
WEB, TCP = 8000, 9000  # inside a proxy's container


class Way(Protocol):
    """`ports`: of HTTP and TCP on this machine; TCP 0 where a way knows HTTP alone."""

    name: str

    @property
    def ports(self) -> tuple[int, int]: ...

    def flip(self, to: Colour) -> Flip: ...


class Ours:
    """The steward's own order: journal, map file, run time, read back."""

    name = "otagate"

    def __init__(self, edge: LoadEdge) -> None:
        self._edge = edge
        self._count = 0

    @property
    def ports(self) -> tuple[int, int]:
        return self._edge.address("web")[1], self._edge.address("tcp")[1]

    def flip(self, to: Colour) -> Flip:
        self._count += 1
        return self._edge.flip(to, f"p-bench-{self._count}")


class Proxy:
    """A proxy in a container of its own. `configuration` writes its files for a colour; `turn` is a Python program that
    runs inside: its command has returned when it ends. Begin and end are its own clock, which is this machine's."""

    def __init__(
        self, edge: LoadEdge, name: str, command: list[str], files: Mapping[str, str], turn: str, *, tcp: bool = True
    ) -> None:
        self.name, self._turn, self._tcp = name, turn, tcp
        self._files = files
        wanted: Any = {f"{port}/tcp": ("127.0.0.1", None) for port in (WEB, TCP)}
        self.container = edge.client.containers.create(
            PROXIES,
            command,
            name=f"{edge.platform}-{name.split()[0].lower()}",
            network=edge.platform,
            ports=wanted,
            labels={LABEL_PLATFORM: edge.platform},
            stop_signal="SIGKILL",
        )
        self._hosts = {colour: f"{edge.platform}-{colour}-web" for colour in Colour}
        self._put(Colour.BLUE)
        self.container.start()

    @property
    def ports(self) -> tuple[int, int]:
        self.container.reload()
        published: Any = self.container.ports
        web, tcp = (int(published[f"{port}/tcp"][0]["HostPort"]) for port in (WEB, TCP))
        return web, tcp if self._tcp else 0

    def _put(self, colour: Colour) -> None:
        for path, content in self._files.items():
            folder, _, file = path.rpartition("/")
            text = content.replace("@HOST@", self._hosts[colour])
            self.container.put_archive(folder, packed(file, text.encode()))

    def flip(self, to: Colour) -> Flip:
        self._put(to)
        program = (
            f"import time\nhost = {self._hosts[to]!r}\nbegan = time.monotonic()\n"
            f"{self._turn}\nprint(began, time.monotonic())"
        )
        status, output = self.container.exec_run(["python3", "-c", program])
        assert isinstance(output, bytes)
        assert status == 0, output
        began, acked = output.decode().split()[-2:]
        return Flip(float(began), float(acked), to.value)


HAPROXY = f"""\
global
    maxconn 8000
defaults
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    retries 2
frontend web
    mode http
    bind :{WEB}
    default_backend web
frontend tcp
    mode tcp
    bind :{TCP}
    default_backend tcp
backend web
    mode http
    server s1 @HOST@:8080
backend tcp
    mode tcp
    server s1 @HOST@:9000
"""

NGINX = f"""\
load_module modules/ngx_stream_module.so;
worker_processes 1;
pid /run/nginx.pid;
error_log stderr crit;
events {{ worker_connections 8000; }}
http {{
    access_log off;
    keepalive_requests 1000000;
    upstream back {{ server @HOST@:8080; keepalive 64; }}
    server {{
        listen {WEB};
        location / {{ proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
}}
stream {{ server {{ listen {TCP}; proxy_pass @HOST@:9000; }} }}
"""

CADDY = json.dumps(
    {
        "apps": {
            "http": {
                "servers": {
                    "web": {
                        "listen": [f":{WEB}"],
                        "automatic_https": {"disable": True},
                        "routes": [{"handle": [{"handler": "reverse_proxy", "upstreams": [{"dial": "@HOST@:8080"}]}]}],
                    }
                }
            }
        }
    }
)

_HAPROXY_TURN = """\
import socket
line = socket.socket(socket.AF_UNIX)
line.connect("/run/master.sock")
line.sendall(b"reload\\n")
said = b""
while part := line.recv(65536):
    said += part
assert b"Success=1" in said, said"""

_NGINX_TURN = """\
import subprocess
subprocess.run(["nginx", "-c", "/etc/nginx.conf", "-s", "reload"], check=True)"""

_CADDY_TURN = """\
import json, urllib.request
where = "http://127.0.0.1:2019/config/apps/http/servers/web/routes/0/handle/0/upstreams"
body = json.dumps([{"dial": f"{host}:8080"}]).encode()
asked = urllib.request.Request(where, body, {"Content-Type": "application/json"}, method="PATCH")
assert urllib.request.urlopen(asked, timeout=10).status == 200"""


class StopStart:
    """No proxy: the old colour's container is stopped, the new one's started, both on the same published ports."""

    name = "stop and start"

    def __init__(self, edge: LoadEdge) -> None:
        self._both = [_free(), _free()]
        wanted: Any = {"8080/tcp": ("127.0.0.1", self._both[0]), "9000/tcp": ("127.0.0.1", self._both[1])}
        self._containers = {
            colour: edge.made_colour(colour, f"{edge.platform}-alone-{colour}", ports=wanted) for colour in Colour
        }
        self._containers[Colour.BLUE].start()
        _await(self._both[0])

    @property
    def ports(self) -> tuple[int, int]:
        return self._both[0], self._both[1]

    def flip(self, to: Colour) -> Flip:
        began = time.monotonic()
        self._containers[to.other].stop(timeout=2)
        self._containers[to].start()
        return Flip(began, time.monotonic(), to.value)


def _free() -> int:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return int(line.getsockname()[1])


def _await(port: int) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as line:
            line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            if b" 200 " in line.recv(4096):
                return
        time.sleep(0.1)
    raise AssertionError(f"nobody answers at port {port}")


def ways(edge: LoadEdge) -> Iterator[Way]:
    """One after the other; each is there when it is asked for and gone before the next."""
    build_proxies(edge.client)
    yield Ours(edge)
    for name, command, files, turn, tcp in (
        (
            "HAProxy reload",
            ["haproxy", "-W", "-db", "-S", "/run/master.sock", "-f", "/etc/haproxy.cfg"],
            {"/etc/haproxy.cfg": HAPROXY},
            _HAPROXY_TURN,
            True,
        ),
        (
            "nginx reload",
            ["nginx", "-c", "/etc/nginx.conf", "-g", "daemon off;"],
            {"/etc/nginx.conf": NGINX},
            _NGINX_TURN,
            True,
        ),
        (
            "Caddy API",
            ["caddy", "run", "--config", "/etc/caddy.json"],
            {"/etc/caddy.json": CADDY},
            _CADDY_TURN,
            False,
        ),
    ):
        proxy = Proxy(edge, name, command, files, turn, tcp=tcp)
        _await(proxy.ports[0])
        yield proxy
        proxy.container.remove(force=True)
    yield StopStart(edge)


def build_proxies(client: docker.DockerClient) -> None:
    """The image with the other proxies, as Debian packages them."""
    dockerfile = Path(__file__).with_name("proxies") / "Dockerfile"
    context = io.BytesIO(packed("Dockerfile", dockerfile.read_bytes()))
    build_image(client, PROXIES, context, arguments={}, labels={}, say=lambda _: None)
