"""The DICOM side: scans come in, each object acknowledged once the archive has it."""

import logging
import socket
import time
from collections.abc import Callable
from threading import Thread
from typing import Any

from pynetdicom import AE, AllStoragePresentationContexts, evt

from planner.archive import Archive
from planner.settings import Settings
from planner.trouble import Trouble

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
SUCCESS, OUT_OF_RESOURCES, CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xC000
LARGEST = 64 * 1024 * 1024
IDLE = 4 * 3600.0  # seconds an association may be silent: modalities keep theirs for a whole session

log = logging.getLogger("planner")


class DicomServer:
    """Listens from `start` to `close`; refuses calling AE titles that are not among the callers."""

    def __init__(self, settings: Settings, archive: Archive, arrived: Callable[[], None]) -> None:
        self._archive = archive
        self._arrived = arrived
        self._ae = AE(ae_title=settings.title)
        self._ae.implementation_version_name = settings.identity.implementation
        self._ae.require_called_aet = True
        self._ae.require_calling_aet = list(settings.protocol.callers)
        self._ae.maximum_associations = 64
        self._ae.maximum_pdu_size = 256 * 1024
        self._ae.acse_timeout, self._ae.dimse_timeout, self._ae.network_timeout = 10.0, 30.0, IDLE
        self._ae.add_supported_context(VERIFICATION, [IMPLICIT, EXPLICIT])
        for context in AllStoragePresentationContexts:
            self._ae.add_supported_context(str(context.abstract_syntax), [EXPLICIT, IMPLICIT])
        self._server: Any = None

    @property
    def listening(self) -> bool:
        return self._server is not None

    def start(self, address: tuple[str, int]) -> int:
        """The port that is listened on."""
        bound: list[Any] = [
            (evt.EVT_C_STORE, self._on_store),
            (evt.EVT_RELEASED, lambda _: self._arrived()),
            (evt.EVT_CONN_OPEN, _answer_at_once),
        ]
        self._server = self._ae.start_server(address, block=False, evt_handlers=bound)
        return int(self._server.socket.getsockname()[1])

    def close(self, patience: float) -> None:
        """Takes no new association at once, lets open ones finish for `patience` seconds, then aborts them."""
        if self._server is None:
            return
        server, self._server = self._server, None
        ending = Thread(target=self._end, args=(server, patience), name="dicom-end", daemon=True)
        ending.start()
        ending.join(timeout=patience + 1.0)

    def _end(self, server: Any, patience: float) -> None:
        server.shutdown()
        until = time.monotonic() + patience
        while any(open_.is_established for open_ in self._ae.active_associations) and time.monotonic() < until:
            time.sleep(0.05)
        self._ae.shutdown()

    def _on_store(self, event: Any) -> int:
        encoded = event.request.DataSet
        if encoded is None:
            return CANNOT_UNDERSTAND
        if encoded.getbuffer().nbytes > LARGEST:
            return OUT_OF_RESOURCES
        try:
            self._archive.store(event.encoded_dataset())
        except Trouble as trouble:
            log.error("C-STORE refused: %s", trouble.code)
            return OUT_OF_RESOURCES
        return SUCCESS


def _answer_at_once(event: Any) -> None:
    """Small answers must not wait for the peer's delayed acknowledgement (some 40 ms each)."""
    event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
