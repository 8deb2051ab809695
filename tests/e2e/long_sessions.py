"""Senders whose sessions outlast flips: DICOM associations of many stores, HL7 senders that resend what was not
acknowledged. Each remembers what it sent and what was acknowledged."""

import socket
import threading
import time
from dataclasses import dataclass, field

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ImplicitVRLittleEndian, generate_uid
from pynetdicom import AE

from otagate.demo.asking import stored

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
BEGIN, END = b"\x0b", b"\x1c\r"


@dataclass(frozen=True)
class Association:
    """One association: `asked` UIDs in order, how many were acknowledged, and what cut it ("": nothing)."""

    title: str
    asked: tuple[str, ...]
    acknowledged: int
    cut: str
    began: float
    ended: float


def send(address: tuple[str, int], title: str, stores: int, lasts: float) -> Association:
    """One association of so many stores, spread over `lasts` seconds."""
    entity = AE(ae_title=title)
    entity.network_timeout = None
    entity.add_requested_context(SECONDARY_CAPTURE, ImplicitVRLittleEndian)
    asked = tuple(str(generate_uid()) for _ in range(stores))
    began, acknowledged, cut = time.monotonic(), 0, ""
    association = entity.associate(*address, ae_title="LOAD")
    if not association.is_established:
        return Association(title, asked, 0, "no association", began, time.monotonic())
    for number, uid in enumerate(asked):
        if stored(association, _image(uid)) != "0x0000":
            cut = f"store {number + 1} of {stores}"
            break
        acknowledged += 1
        time.sleep(max(0.0, began + lasts * (number + 1) / stores - time.monotonic()))
    association.release()
    return Association(title, asked, acknowledged, cut, began, time.monotonic())


def _image(uid: str) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    made.SOPClassUID, made.SOPInstanceUID = SECONDARY_CAPTURE, uid
    made.PatientID, made.PixelData = "TEST", bytes(8192)
    made["PixelData"].VR = "OW"
    return made


@dataclass
class Sender:
    """One HL7 sender: a connection that it keeps, one message after the other, resent until it is acknowledged."""

    address: tuple[str, int]
    name: str
    pause: float = 0.04
    acknowledged: list[str] = field(default_factory=list)
    reconnects: int = 0
    resent: int = 0
    _ends: threading.Event = field(default_factory=threading.Event)

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        self._ends.set()

    def _run(self) -> None:
        line: socket.socket | None = None
        number = 0
        while not self._ends.is_set():
            number += 1
            message, tries = f"{self.name}-{number}", 0
            while line is None or not _acknowledged(line, message):
                tries += line is not None
                line = self._anew(line)
            self.resent += tries > 0
            self.acknowledged.append(message)
            time.sleep(self.pause)
        if line is not None:
            line.close()

    def _anew(self, line: socket.socket | None) -> socket.socket:
        if line is not None:
            line.close()
            self.reconnects += 1
        while True:
            try:
                return socket.create_connection(self.address, timeout=10)
            except OSError:
                time.sleep(0.05)


def _acknowledged(line: socket.socket, message: str) -> bool:
    """False if the line ended before the acknowledgement came."""
    try:
        line.sendall(BEGIN + message.encode() + END)
        answer = b""
        while END not in answer:
            part = line.recv(4096)
            if not part:
                return False
            answer += part
    except OSError:
        return False
    return b"ACK" in answer
