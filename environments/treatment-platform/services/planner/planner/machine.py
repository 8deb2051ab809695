"""The treatment machine, over DICOM."""

import hashlib
import socket
import time
from tempfile import NamedTemporaryFile
from typing import Any

from pynetdicom import AE, _config, evt
from pynetdicom.association import Association

from planner.trouble import Trouble

RT_PLAN = "1.2.840.10008.5.1.4.1.1.481.5"
EXPLICIT = "1.2.840.10008.1.2.1"
SUCCESS, OUT_OF_RESOURCES = 0x0000, range(0xA700, 0xA800)  # PS3.4 B.2.3
META_LENGTH = 140  # where a Part-10 file says how long its file meta information is
PATIENCE = 15.0  # seconds for each step of an association
HELD_BY = 1.0  # seconds in which a thread that may run comes round once, on a busy machine too

_config.STORE_SEND_CHUNKED_DATASET = True  # a plan's bytes go out as they are in the archive


class Machine:
    """Sends plans; an association for each."""

    def __init__(self, address: tuple[str, int], title: str, own: str, implementation: str) -> None:
        self._address = address
        self._title = title
        self._ae = AE(ae_title=own)
        self._ae.implementation_version_name = implementation
        self._ae.acse_timeout = self._ae.dimse_timeout = self._ae.network_timeout = PATIENCE
        self._ae.connection_timeout = PATIENCE
        self._ae.add_requested_context(RT_PLAN, EXPLICIT)

    def send(self, plan: bytes) -> str:
        """SHA-256 of the data set that the machine acknowledged. Raises Trouble."""
        handlers: list[Any] = [(evt.EVT_CONN_OPEN, _at_once)]
        host, port = self._address
        association = self._ae.associate(host, port, ae_title=self._title, evt_handlers=handlers)
        if not association.is_established:
            raise Trouble("linac", "the machine takes no association", 502)
        try:
            with NamedTemporaryFile(suffix=".dcm") as file:  # a data set the library would encode anew
                file.write(plan)
                file.flush()
                hold(association)
                status = association.send_c_store(file.name)
        except RuntimeError:  # the library's word for an association that ended since it was accepted
            raise Trouble("linac", "the machine broke the association off", 502) from None
        finally:
            association.release()
        code = status.get("Status") if status else None
        if code is None:
            raise Trouble("linac", "the machine did not answer", 502)
        if code in OUT_OF_RESOURCES:
            raise Trouble("linac", f"the machine could not keep the plan (0x{code:04X})", 502)
        if code != SUCCESS:
            why = status.get("ErrorComment") or "it did not say why"
            raise Trouble("linac-refused", f"the machine refused the plan (0x{code:04X}): {why}", 422, lasting=True)
        return hashlib.sha256(data_set(plan)).hexdigest()


def data_set(file: bytes) -> bytes:
    """The encoded data set of a Part-10 file: all that follows its file meta information."""
    length = int.from_bytes(file[META_LENGTH : META_LENGTH + 4], "little")
    return file[META_LENGTH + 4 + length :]


def hold(association: Association) -> None:
    """Lets the association's own thread come to rest before something is sent. pynetdicom (3.0) takes it for resting
    when it has only said that it will; it may then take the answer away, and the sender waits in vain.
    """
    if not association._reactor_checkpoint.is_set():
        return  # it is held
    association._reactor_checkpoint.clear()  # the thread stops here the next time it comes by
    association._is_paused = False  # what it said before does not count
    until = time.monotonic() + HELD_BY
    while not association._is_paused and time.monotonic() < until:
        time.sleep(0.0005)
    association._is_paused = True  # it stopped between our two lines, or has just said so


def _at_once(event: Any) -> None:
    event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
