"""Switch, steward and two tiny colours in the real engine, under a platform name of the test's own; all removed."""

import contextlib
import io
import json
import secrets
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import docker
import requests
from docker.models.containers import Container

from otagate.adapters.images import edge_images
from otagate.adapters.steward_client import StewardClient
from otagate.core.canonical import digest_of, plain
from otagate.core.cloud import LABEL_PLATFORM, LABEL_SERVICE, Colour
from otagate.core.places import run_folder
from otagate.core.platform import Protocol
from otagate.core.promotion import Event, Phase
from otagate.core.shadow import ShadowRule, ShadowSeen
from otagate.core.switch import flip_lua, haproxy_config
from otagate.core.switch_counts import BackendCount, read_counts
from otagate.core.topology import Door, HookCall, Topology
from otagate.core.traffic import Claim, ColourView, Intent, Kind, PromotionView, Scope
from otagate.core.watch import WatchPolicy
from otagate.ports import Hold

BUILDS = {Colour.BLUE: digest_of("blue"), Colour.GREEN: digest_of("green")}
FRONTS = {"web": 20001, "dicom": 20002, "raw": 20003}
WATCH = WatchPolicy(lasts=2.0, every=0.1, window=10.0, error_share=0.02, minimum=20, blind=15, unhealthy=3)
ALWAYS: Any = {"Name": "always"}
FOLDER = "/srv"
# What has pynetdicom, which no image of otagate's own needs.
COLOUR_IMAGE, COLOUR_PATH = "hello/web:1.0", "/opt/venv/bin:/usr/bin:/bin"
HTTP_IDLE = 5.0  # seconds
SERVICE = Path(__file__).with_name("colour_service.py")


def topology_of(platform: str) -> Topology:
    hosts = {colour.value: f"{platform}-{colour}-web" for colour in Colour}
    return Topology(
        platform=platform,
        switch=f"{platform}-shared-holder",
        doors=(
            Door("web", Protocol.HTTP, FRONTS["web"], hosts, 8080, "/healthz", idle_timeout=HTTP_IDLE, service="web"),
            Door("dicom", Protocol.DICOM, FRONTS["dicom"], hosts, 11112, "", "HELLO", 3600, service="web"),
            Door("raw", Protocol.TCP, FRONTS["raw"], hosts, 8080, idle_timeout=3600, service="web"),
        ),
        hooks=tuple(HookCall("web", n, hosts, 8080, f"/hooks/{n}", 5.0) for n in HOOKS),
    )


def claim_of(by: str, scope: Scope = Scope.PLATFORM) -> Claim:
    return Claim(scope, by, f"{by}@here:1", f"otagate promote by {by}", "a test")


_CUT = """
import os, pathlib
for process in pathlib.Path("/proc").glob("[0-9]*"):
    if (process / "cmdline").read_bytes().endswith(b"otagate.steward\\0session\\0"):
        os.kill(int(process.name), 9)
"""
HOOKS = ("activate", "passive", "written_since", "quarantine")


@dataclass
class Edge:
    """`raise_` makes networks, volume, steward and switch; colours come one by one."""

    client: docker.DockerClient
    platform: str = field(default_factory=lambda: f"t-steward-{secrets.token_hex(3)}")
    service: Path = SERVICE
    topology_of: Callable[[str], Topology] = topology_of
    environment: Mapping[str, str] = field(default_factory=dict)  # of each colour, beside build and colour
    certificates: Mapping[str, bytes] = field(default_factory=dict)  # listener → what the switch ends its TLS with

    def topology(self) -> Topology:
        return self.topology_of(self.platform)

    @property
    def fronts(self) -> dict[str, int]:
        return {door.name: door.front for door in self.topology().doors}

    def raise_(self) -> None:
        self.images = edge_images(self.client)
        labels = {LABEL_PLATFORM: self.platform}
        self.client.networks.create(self.platform, labels=labels)
        self.client.volumes.create(self.volume, labels=labels)
        self.run_steward()
        self.run_switch()

    @property
    def volume(self) -> str:
        return f"{self.platform}-shared-steward"

    def run_steward(self) -> None:
        topology = json.dumps(plain(self.topology()))
        self._edge("steward", self.images.steward, {"OTAGATE_TOPOLOGY": topology}, {})

    def run_switch(self, *, second: bool = False) -> None:
        """Holder and switch as `otagate up` makes them."""
        topology, run = self.topology(), run_folder(second=second)
        fronts = [str(front) for front in self.fronts.values()]
        holder, switch = ("holder-second", "switch-second") if second else ("holder", "switch")
        self._edge(holder, self.images.holder, {}, self.published(), [run, *fronts])
        environment = {
            "OTAGATE_SWITCH_CONFIG": haproxy_config(topology, second=second),
            "OTAGATE_SWITCH_LUA": flip_lua(topology),
            "OTAGATE_SWITCH_NUMBER": "1",
            "OTAGATE_SWITCH_RUN": run,
        }
        self._edge(switch, self.images.switch, environment, {})

    def published(self) -> Mapping[str, tuple[str, int | None]]:
        """Where the doors are found on the engine's machine; None: the engine chooses."""
        return {f"{front}/tcp": ("127.0.0.1", None) for front in self.fronts.values()}

    def _edge(
        self,
        service: str,
        image: str,
        environment: Mapping[str, str],
        ports: Mapping[str, tuple[str, int | None]],
        command: Sequence[str] = (),
    ) -> None:
        made = self.client.containers.create(
            image,
            command=list(command) or None,
            name=f"{self.platform}-shared-{service}",
            network=self.platform,
            environment=dict(environment),
            labels={LABEL_PLATFORM: self.platform, LABEL_SERVICE: service},
            volumes={self.volume: {"bind": "/run/otagate", "mode": "rw"}},
            ports=cast(Any, dict(ports)),  # None: the engine chooses the port
            tmpfs={"/conf": ""},
            read_only=True,
            user="65534:65534",
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            restart_policy=ALWAYS,
        )
        for listener, content in self.certificates.items() if service == "switch" else ():
            made.put_archive("/run/otagate", packed(f"tls/{listener}.pem", content))
        made.start()

    def run_colour(self, colour: Colour, build: str = "") -> None:
        self.made_colour(colour, f"{self.platform}-{colour}-web", build=build).start()

    def made_colour(
        self, colour: Colour, name: str, *, build: str = "", ports: Mapping[str, tuple[str, int]] | None = None
    ) -> Container:
        """A colour's container, not yet started."""
        made = self.client.containers.create(
            COLOUR_IMAGE,
            name=name,
            ports=cast(Any, dict(ports or {})),
            entrypoint=["python", f"{FOLDER}/{self.service.name}"],
            command=[],
            network=self.platform,
            environment={
                "PATH": COLOUR_PATH,
                "OTAGATE_BUILD": build or BUILDS[colour],
                "OTAGATE_COLOUR": colour.value,
                **self.environment,
            },
            labels={LABEL_PLATFORM: self.platform, LABEL_SERVICE: "web"},
            restart_policy=ALWAYS,
            stop_signal="SIGKILL",
        )
        made.put_archive(FOLDER, packed(self.service.name, self.service.read_bytes()))
        return made

    def container(self, name: str) -> Container:
        return self.client.containers.get(f"{self.platform}-{name}")

    def steward(self) -> StewardClient:
        return StewardClient(lambda: self.client, self.platform, self.images.source)

    def address(self, listener: str, holder: str = "holder") -> tuple[str, int]:
        until = time.monotonic() + 10
        while True:
            published = self.container(f"shared-{holder}").ports.get(f"{self.fronts[listener]}/tcp")
            if published:
                return "127.0.0.1", int(published[0]["HostPort"])
            assert time.monotonic() < until, "the holder publishes no port"
            time.sleep(0.05)

    def url(self, path: str = "/") -> str:
        return "http://{}:{}{}".format(*self.address("web"), path)

    def colour_now(self) -> str:
        return requests.get(self.url(), timeout=5).headers["X-Otagate-Colour"]

    def poke(self, colour: Colour, path: str) -> dict[str, object]:
        """Ask a colour itself, from inside its container."""
        method = "GET" if path == "/active" else "POST"
        code = (
            "import urllib.request as u;"
            f"print(u.urlopen(u.Request('http://127.0.0.1:8080{path}', method='{method}'), timeout=5).read().decode())"
        )
        return dict(json.loads(self._python(f"{colour}-web", code)))

    # --- promotions ---

    def intent(self, kind: Kind, to: Colour, name: str, watch: WatchPolicy = WATCH) -> Intent:
        return Intent(name, kind, "run-1", digest_of([name, to]), {"web": BUILDS[to]}, to, "alice", watch, drain=5.0)

    def genesis(self) -> PromotionView:
        steward = self.steward()
        self.run_colour(Colour.BLUE)
        with steward.lease(claim_of("alice"), 0) as hold:
            hold.begin(self.intent(Kind.GENESIS, Colour.BLUE, "g-1", WatchPolicy(lasts=0.0, every=0.1)))
            hold.report(Event.OK, "nothing is live")
            hold.report(Event.OK, "deployed")
            self.await_colour(hold, Colour.BLUE)
            hold.report(Event.OK, "smoked")
        return self.end_of("g-1")

    def await_colour(self, hold: Hold, colour: Colour) -> None:
        until = time.monotonic() + 60
        while True:
            try:
                return hold.prove(colour, {"web": BUILDS[colour]})
            except Exception:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def to_flip(self, hold: Hold, intent: Intent) -> Phase:
        """Through the command line's own phases, up to and including the report that starts the flip."""
        hold.begin(intent)
        hold.report(Event.OK, "every condition holds")
        hold.report(Event.OK, "deployed")
        self.await_colour(hold, intent.to)
        return hold.report(Event.OK, "smoked")

    def end_of(self, promotion: str) -> PromotionView:
        for _ in self.steward().follow(promotion):
            pass
        view = self.steward().status().promotion
        assert view is not None
        return view

    def promote(
        self, to: Colour, name: str, watch: WatchPolicy = WATCH, *, intent: Intent | None = None
    ) -> PromotionView:
        with self.steward().lease(claim_of("alice"), 0) as hold:
            self.to_flip(hold, intent or self.intent(Kind.PROMOTE, to, name, watch))
        return self.end_of(name)

    def shadow(self, name: str, rule: ShadowRule) -> ShadowSeen:
        """What a promotion to green that ends before its flip finds of the listener `web`."""
        with self.steward().lease(claim_of("alice"), 0) as hold:
            hold.begin(self.intent(Kind.PROMOTE, Colour.GREEN, name))
            hold.report(Event.OK, "every condition holds")
            hold.report(Event.OK, "deployed")
            seen = hold.shadow(Colour.GREEN, {"web": rule})["web"]
            hold.report(Event.FAULT, "that was all")
            hold.report(Event.OK, "left as it stands")
        return seen

    def going_back(self, intent: Intent, warm: ColourView) -> Intent:
        return replace(intent, release=warm.release, builds=warm.builds, run="")

    def phase(self) -> Phase:
        view = self.steward().status().promotion
        assert view is not None
        return view.phase

    # --- waiting ---

    def renew(self, colour: Colour) -> None:
        """A colour's container made anew, as a promotion's deploying would."""
        for container in self.client.containers.list(all=True, filters={"name": f"^/{self.platform}-{colour}-web$"}):
            container.remove(force=True)
        self.run_colour(colour)

    @contextlib.contextmanager
    def stopped(self, colour: Colour) -> Iterator[None]:
        self.container(f"{colour}-web").stop(timeout=0)
        try:
            yield
        finally:
            self.container(f"{colour}-web").start()
            self.await_up(colour)

    def await_up(self, colour: Colour) -> None:
        names = [f"{listener}_{colour}" for listener in self.fronts]
        assert self.eventually(lambda: all(self.steward().status().switch.up[name] for name in names))
        time.sleep(1.2)  # a name just found counts as up before its first check

    def haproxy(self, command: str) -> str:
        """A command for the switch's socket, past the steward."""
        code = f"from otagate.adapters.haproxy import HAProxy; print(HAProxy().ask({command!r}))"
        return self._python("shared-steward", code)

    def counts(self) -> dict[str, BackendCount]:
        return read_counts(self.haproxy("show stat;otagate counts"))

    def doze(self) -> None:
        """Every line to the steward is cut, as it is of a command that is not heard of for too long."""
        self._python("shared-steward", _CUT)

    def _python(self, name: str, code: str) -> str:
        status, output = self.container(name).exec_run(["python", "-c", code])
        assert isinstance(output, bytes)
        assert status == 0, output
        return output.decode().strip()

    def eventually(self, holds: Callable[[], bool], seconds: float = 60.0) -> bool:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(Exception):
                if holds():
                    return True
            time.sleep(0.1)
        return False

    def beside(self, work: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread

    def remove(self) -> None:
        chosen: Any = {"label": f"{LABEL_PLATFORM}={self.platform}"}
        for container in self.client.containers.list(all=True, filters=chosen):
            container.remove(force=True, v=True)
        for network in self.client.networks.list(filters=chosen):
            network.remove()
        for volume in self.client.volumes.list(filters=chosen):
            volume.remove()


def packed(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(content), 0o644
        archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
