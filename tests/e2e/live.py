"""A platform of the tests' own, raised by the very commands a user types, with a home of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import requests

from otagate.core.cloud import LABEL_PLATFORM

SECONDS = 1500  # for one command: a gate run of the clinic was seen to take 540 on a busy machine


@dataclass(frozen=True)
class Live:
    """`folder` holds the platform's files; every command gets `environment`."""

    name: str
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def start(self, *words: str, **changed: str) -> "subprocess.Popen[str]":
        where = [] if words[0] == "init" else ["-p", str(self.folder)]
        return subprocess.Popen(
            [sys.executable, "-m", "otagate", *words, *where, "--output", "json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **self.environment, **changed},
        )

    def otagate(self, *words: str, exit: int = 0, **changed: str) -> dict[str, Any]:
        """Run a command to its end; its JSON envelope. Fails unless it ended with `exit`, and on any traceback."""
        process = self.start(*words, **changed)
        out, err = process.communicate(timeout=SECONDS)
        assert "Traceback" not in out + err, err
        envelope: dict[str, Any] = json.loads(out)
        told = f"otagate {' '.join(words)} ended {process.returncode}, not {exit}:\n{out}\n{err[-2000:]}"
        assert process.returncode == envelope["exit"] == exit, told
        return envelope

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        text = path.read_text()
        assert old in text, f"{old!r} does not stand in {file}"
        path.write_text(text.replace(old, new))


def status(live: Live) -> dict[str, Any]:
    data: dict[str, Any] = live.otagate("status")["data"]
    return data


def asked(live: Live) -> tuple[str, str]:
    """Colour and build that the front door answers with."""
    answer = requests.get(f"http://{status(live)['listeners']['web']['address']}/healthz", timeout=10)
    assert answer.status_code == 200
    return answer.headers["X-Otagate-Colour"], answer.headers["X-Otagate-Build"]


def containers(engine: docker.DockerClient, live: Live) -> set[str]:
    found = engine.containers.list(all=True, filters={"label": f"{LABEL_PLATFORM}={live.name}"}, ignore_removed=True)
    return {str(c.name) for c in found}


def clear(live: Live) -> None:
    """As a person would who has looked at what was left."""
    for incident in live.otagate("incident", "list")["data"]["incidents"]:
        live.otagate("incident", "clear", incident["incident"], "--by", "tests", "--reason", "nothing was written")
    assert status(live)["incidents"] == []


def undone(envelope: Mapping[str, Any]) -> int:
    """What a `recover` ends with that undid what it tells: a rollback that did not go back is no safe end."""
    promotion = envelope.get("data", {}).get("promotion") or {}
    return 4 if promotion.get("kind") == "rollback" else 5
