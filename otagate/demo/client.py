"""The client that never stops asking: over HTTP, kept alive and fresh, and over DICOM, until it is told to stop.

Runs as a process of its own (`python -m otagate.demo.client`), paced and bounded, against the addresses it is given.
Every request becomes one line of its log: kind, start and end (seconds since the epoch), what came, colour, build.
"""

import argparse
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path

import pydicom
import requests
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE

from otagate.demo.asking import Log, keep_asking, paced, stored, who

TIMEOUT = 10.0
STORES_PER_ASSOCIATION = 5
AE_TITLE = "CTSIM"  # one of the peers that hello knows


class Objects:
    """What was acknowledged as kept, so that it can be asked for again."""

    def __init__(self) -> None:
        self._uids: list[str] = []
        self._lock = threading.Lock()

    def add(self, uid: str) -> None:
        with self._lock:
            self._uids.append(uid)

    def one(self, turn: int) -> str | None:
        with self._lock:
            return self._uids[turn * 7919 % len(self._uids)] if self._uids else None


def fresh_object() -> Dataset:
    """A small real CT slice under a new instance UID."""
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    return dataset


def as_bytes(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def ask(send: Callable[..., requests.Response], base: str, turn: int, objects: Objects, log: Log, kind: str) -> None:
    """One request in four keeps a new object, the others ask for one that was kept."""
    uid, kept = objects.one(turn), ""
    began = time.time()
    try:
        if turn % 4 == 0 or uid is None:
            dataset = fresh_object()
            answer = send("POST", f"{base}/objects", data=as_bytes(dataset), timeout=TIMEOUT)
            if answer.status_code == 200:
                kept = str(dataset.SOPInstanceUID)
                objects.add(kept)
        else:
            answer = send("GET", f"{base}/objects/{uid}", timeout=TIMEOUT)
    except requests.RequestException as error:
        log(kind, began, type(error).__name__, "", "")
        return
    colour, build = (answer.headers.get(f"X-Otagate-{name}", "") for name in ("Colour", "Build"))
    log(kind, began, str(answer.status_code), colour, build, kept)


def kept_alive(base: str, rate: float, objects: Objects, log: Log, stop: threading.Event) -> None:
    with requests.Session() as session:
        session.trust_env = False
        for turn in paced(rate, stop):
            ask(session.request, base, turn, objects, log, "kept-alive")


def fresh(base: str, rate: float, objects: Objects, log: Log, stop: threading.Event) -> None:
    for turn in paced(rate, stop):
        with requests.Session() as session:
            session.trust_env = False
            ask(session.request, base, turn, objects, log, "fresh")


def dicom(peer: tuple[str, int, str], rate: float, objects: Objects, log: Log, stop: threading.Event) -> None:
    """Associations of a few C-STOREs each; a store without status 0 is one that failed. `peer`: host, port, called AE
    title."""
    host, port, called = peer
    ae = AE(ae_title=AE_TITLE)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = TIMEOUT
    sample = fresh_object()
    ae.add_requested_context(sample.SOPClassUID, sample.file_meta.TransferSyntaxUID)
    for _ in paced(rate / STORES_PER_ASSOCIATION, stop):
        began = time.time()
        association = ae.associate(host, port, ae_title=called)
        if not association.is_established:
            log("association", began, "not established", "", "")
            continue
        colour, build = who(association)
        for _ in range(STORES_PER_ASSOCIATION):
            dataset, sent = fresh_object(), time.time()
            came = stored(association, dataset)
            # The association began when it did: that is when the switch chose a colour for it.
            log("store", sent, came, colour, build, str(dataset.SOPInstanceUID))
            if came == "0x0000":
                objects.add(str(dataset.SOPInstanceUID))
        whole = bool(association.is_established)
        association.release()
        log("association", began, "whole" if whole else "cut", colour, build)


def main() -> int:
    """Exit status 1 if the log is not all that was asked."""
    parser = argparse.ArgumentParser(prog="otagate.demo.client", description=__doc__)
    parser.add_argument("--web", required=True, help="host:port")
    parser.add_argument("--dicom", required=True, help="host:port")
    parser.add_argument("--called", default="HELLO", help="the called AE title")
    parser.add_argument("--log", required=True, type=Path)
    parser.add_argument("--requests", type=float, default=100.0, help="HTTP requests a second, all together")
    parser.add_argument("--stores", type=float, default=4.0, help="C-STOREs a second")
    given = parser.parse_args()
    base, (host, _, port) = f"http://{given.web}", given.dicom.rpartition(":")
    objects = Objects()

    asks = [
        partial(kept_alive, base, given.requests * 0.4, objects),
        partial(kept_alive, base, given.requests * 0.4, objects),
        partial(fresh, base, given.requests * 0.2, objects),
        partial(dicom, (host, int(port), given.called), given.stores, objects),
    ]
    return keep_asking(asks, given.log, TIMEOUT * 2)


if __name__ == "__main__":
    sys.exit(main())
