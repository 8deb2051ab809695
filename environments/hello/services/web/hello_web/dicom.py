"""The DICOM side: C-ECHO and C-STORE for known peers."""

import logging
import socket
import time
from threading import Thread
from typing import Any

from pynetdicom import AE, AllStoragePresentationContexts, evt

from hello_web.intake import Intake
from hello_web.limits import EXPLICIT, IMPLICIT, LARGEST, Unreadable
from hello_web.settings import DICOM_PORT, Settings
from hello_web.store import Conflict, StoreDown

VERIFICATION = "1.2.840.10008.1.1"

SUCCESS = 0x0000
DUPLICATE = 0x0111
OUT_OF_RESOURCES = 0xA700
CANNOT_UNDERSTAND = 0xC000

IDLE = 4 * 3600.0  # seconds an association may be silent: modalities keep theirs for a whole session

log = logging.getLogger("hello")


class DicomServer:
    """Listens from `start` to `close`; refuses calling AE titles that are not among the peers."""

    def __init__(self, settings: Settings, intake: Intake) -> None:
        self._intake = intake
        self._ae = AE(ae_title=settings.ae_title)
        self._ae.implementation_version_name = settings.identity.implementation
        self._ae.require_called_aet = True
        self._ae.require_calling_aet = list(settings.peers)
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

    def start(self) -> None:
        bound: list[Any] = [(evt.EVT_C_STORE, self._on_store), (evt.EVT_CONN_OPEN, _answer_at_once)]
        self._server = self._ae.start_server(("0.0.0.0", DICOM_PORT), block=False, evt_handlers=bound)

    def close(self, patience: float) -> None:
        """Takes no new association at once, lets open ones finish for `patience` seconds, then aborts them.

        Ends a second later at most, also when a peer keeps a connection open that never became an association.
        """
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
            summary, _ = self._intake.keep(event.encoded_dataset(), "dicom")
        except Unreadable as error:
            log.warning("C-STORE refused: %s", error)
            return CANNOT_UNDERSTAND
        except Conflict:
            log.warning("C-STORE refused: another object is kept under this UID")
            return DUPLICATE
        except StoreDown:
            log.error("C-STORE refused: the store does not answer")
            return OUT_OF_RESOURCES
        if summary.sop_instance_uid != event.request.AffectedSOPInstanceUID:
            log.warning("C-STORE under another UID than the object's own sop=%s", summary.sop_instance_uid)
        return SUCCESS


def _answer_at_once(event: Any) -> None:
    """Small answers must not wait for the peer's delayed acknowledgement (some 40 ms each)."""
    event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
