"""The clinic that never stops working: patients are scanned and planned, doses asked for, the archive read.

Runs as a process of its own (`python -m otagate.demo.clinic`), paced and bounded, against the addresses it is given;
the archive's password comes in CLINIC_PASSWORD. Every request for a plan or a dose passes the planner and the engine
behind it: what the log calls its build is the engine's, and an answer whose planner and engine differ in colour is no
answer.
"""

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import requests
from pynetdicom import AE

from otagate.demo.asking import Log, keep_asking, paced, stored, who
from otagate.demo.patient import CT_IMAGE, RT_STRUCTURES, Patient, arrive

TIMEOUT = 30.0  # seconds for one answer: the machine also computes doses for the builds that are judged
LATEST = 3  # patients whose doses are asked for over and over: the engine remembers four
AE_TITLE, CALLED, USER = "SCANNER", "PLANNER", "clinic"
WHOLE = slice(128, 132)  # where a DICOM file says that it is one


@dataclass
class Waiting:
    """Patients with a plan: (study, plan), in the order of their coming. Threads share it, and take turns."""

    _planned: list[tuple[str, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _latest: Iterator[int] = field(default_factory=count)
    _before: int = 0  # how many came before the one that was last asked for among all

    def add(self, study: str, plan: str) -> None:
        with self._lock:
            self._planned.append((study, plan))

    def latest(self) -> tuple[str, str] | None:
        """One of the latest by turns; None while nobody has a plan."""
        with self._lock:
            among = min(LATEST, len(self._planned))
            return self._planned[-1 - next(self._latest) % among] if among else None

    def all(self) -> tuple[str, str] | None:
        """Each by turns, backwards and then again from the latest, however many come meanwhile."""
        with self._lock:
            if not self._planned:
                return None
            self._before = (self._before or len(self._planned)) - 1
            return self._planned[self._before]


def origin(status: int, headers: Mapping[str, str]) -> tuple[str, str, str]:
    """What came, by which colour, from which engine. What the engine itself had answered, if the planner says so."""
    colour, build = headers.get("X-Otagate-Colour", ""), headers.get("X-Engine-Build", "")
    came = headers.get("X-Engine-Status", str(status))
    if build and headers.get("X-Engine-Colour") != colour:
        return "planner and engine of two colours", colour, build
    return came, colour, build


Send = Callable[..., requests.Response]


def dose(send: Send, base: str, plan: str, log: Log) -> None:
    began = time.time()
    try:
        answer = send("POST", f"{base}/forward", json={"plan": plan, "spacing": 5}, timeout=TIMEOUT)
    except requests.RequestException as error:
        log("forward", began, type(error).__name__, "", "")
        return
    came, colour, build = origin(answer.status_code, answer.headers)
    if came == "200" and answer.content[WHOLE] != b"DICM":
        came = "no dose"
    log("forward", began, came, colour, build)


Whose = Callable[[], tuple[str, str] | None]


def kept_alive(base: str, rate: float, whose: Whose, log: Log, stop: threading.Event) -> None:
    with requests.Session() as session:
        session.trust_env = False
        for _ in paced(rate, stop):
            if one := whose():
                dose(session.request, base, one[1], log)


def fresh(base: str, rate: float, whose: Whose, log: Log, stop: threading.Event) -> None:
    for _ in paced(rate, stop):
        if one := whose():
            with requests.Session() as session:
                session.trust_env = False
                dose(session.request, base, one[1], log)


def reads(base: str, password: str, rate: float, waiting: Waiting, log: Log, stop: threading.Event) -> None:
    """What a viewer asks the archive: which objects a patient's study holds."""
    with requests.Session() as session:
        session.trust_env, session.auth = False, (USER, password)
        for _ in paced(rate, stop):
            if one := waiting.latest():
                began = time.time()
                try:
                    answer = session.get(f"{base}/dicom-web/studies/{one[0]}/instances", timeout=TIMEOUT)
                    came = str(answer.status_code) if answer.status_code != 200 or answer.json() else "nothing"
                except requests.RequestException as error:
                    came = type(error).__name__
                log("read", began, came, "", "")


def scans(scanner: tuple[str, int], base: str, rate: float, waiting: Waiting, log: Log, stop: threading.Event) -> None:
    """One patient after another: the scan by C-STORE in one association, then the plan is asked for."""
    host, port = scanner
    ae = AE(ae_title=AE_TITLE)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = TIMEOUT
    for kind in (CT_IMAGE, RT_STRUCTURES):
        ae.add_requested_context(kind)
    with requests.Session() as session:
        session.trust_env = False
        for number in paced(rate, stop):
            patient = arrive(number + 1)
            if scan(ae, host, port, patient, log):
                plan(session.request, base, patient, waiting, log)


def scan(ae: AE, host: str, port: int, patient: Patient, log: Log) -> bool:
    """Whether every object was acknowledged."""
    began = time.time()
    association = ae.associate(host, port, ae_title=CALLED)
    if not association.is_established:
        log("association", began, "not established", "", "")
        return False
    colour, build = who(association)
    whole = True
    for dataset in patient.objects:
        sent = time.time()
        came = stored(association, dataset)
        whole = whole and came == "0x0000"
        log("store", sent, came, colour, build, f"{patient.study}/{dataset.SOPInstanceUID}")
    held = bool(association.is_established)
    association.release()
    log("association", began, "whole" if held else "cut", colour, build)
    return whole


def plan(send: Send, base: str, patient: Patient, waiting: Waiting, log: Log) -> None:
    began, wanted = time.time(), {"study": patient.study, "structure_set": patient.structure_set}
    made: Any = {}
    try:
        answer = send("POST", f"{base}/plans", json=wanted, timeout=TIMEOUT * 2)
        came, colour, build = origin(answer.status_code, answer.headers)
        made = answer.json() if came == "200" else {}
    except requests.RequestException as error:
        came, colour, build = type(error).__name__, "", ""
    named = str(made.get("plan") or "") if isinstance(made, dict) else ""
    if came == "200" and not named:
        came = "no plan"
    if came == "200":
        waiting.add(patient.study, named)
    log("plan", began, came, colour, build, named)


def main() -> int:
    """Exit status 1 if the log is not all that was asked."""
    parser = argparse.ArgumentParser(prog="otagate.demo.clinic", description=__doc__)
    parser.add_argument("--planner", required=True, help="host:port, HTTP")
    parser.add_argument("--scans", required=True, help="host:port, DICOM")
    parser.add_argument("--archive", required=True, help="host:port, DICOMweb")
    parser.add_argument("--log", required=True, type=Path)
    parser.add_argument("--doses", type=float, default=2.2, help="forward doses a second for the latest patients")
    parser.add_argument("--earlier", type=float, default=0.8, help="forward doses a second for all patients by turns")
    parser.add_argument("--patients", type=float, default=0.1, help="patients a second")
    parser.add_argument("--reads", type=float, default=0.5, help="reads at the archive a second")
    given = parser.parse_args()
    base, (host, _, port) = f"http://{given.planner}", given.scans.rpartition(":")
    archive, password = f"http://{given.archive}", os.environ["CLINIC_PASSWORD"]
    waiting = Waiting()

    asks = [
        partial(kept_alive, base, given.doses * 0.6, waiting.latest),
        partial(fresh, base, given.doses * 0.4, waiting.latest),
        partial(kept_alive, base, given.earlier, waiting.all),
        partial(reads, archive, password, given.reads, waiting),
        partial(scans, (host, int(port)), base, given.patients, waiting),
    ]
    return keep_asking(asks, given.log, TIMEOUT * 2)


if __name__ == "__main__":
    sys.exit(main())
