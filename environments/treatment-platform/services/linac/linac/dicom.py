"""The DICOM side: echo, and plans from known callers."""

import logging
import socket
from typing import Any

from pydicom import Dataset
from pynetdicom import AE, evt

from linac.checks import RT_PLAN, Machine, Refused, check
from linac.received import Plans

EXPLICIT = "1.2.840.10008.1.2.1"
VERIFICATION = "1.2.840.10008.1.1"
SUCCESS, OUT_OF_RESOURCES, REFUSED, CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xA900, 0xC000
IDLE = 300.0  # seconds
LARGEST = 16 * 1024 * 1024

log = logging.getLogger("linac")


class DicomServer:
    """Listens from `start` to `close`."""

    def __init__(self, title: str, callers: tuple[str, ...], machine: Machine, plans: Plans) -> None:
        self._machine = machine
        self._plans = plans
        self._ae = AE(ae_title=title)
        self._ae.require_called_aet = True
        self._ae.require_calling_aet = list(callers)
        self._ae.acse_timeout, self._ae.dimse_timeout, self._ae.network_timeout = 10.0, 30.0, IDLE
        self._ae.add_supported_context(VERIFICATION)
        self._ae.add_supported_context(RT_PLAN, [EXPLICIT])  # one syntax: what came can be compared with what was sent
        self._server: Any = None

    @property
    def listening(self) -> bool:
        return self._server is not None

    def start(self, address: tuple[str, int]) -> int:
        """The port that is listened on."""
        bound: list[Any] = [(evt.EVT_C_STORE, self._on_store), (evt.EVT_CONN_OPEN, _answer_at_once)]
        self._server = self._ae.start_server(address, block=False, evt_handlers=bound)
        return int(self._server.socket.getsockname()[1])

    def close(self) -> None:
        if self._server is not None:
            self._ae.shutdown()
            self._server = None

    def _on_store(self, event: Any) -> int | Dataset:
        encoded = event.request.DataSet.getvalue()
        uid = str(event.request.AffectedSOPInstanceUID)
        requestor = event.assoc.requestor
        try:
            if len(encoded) > LARGEST:
                raise Refused("unreadable", "too large for a plan")
            caller = str(requestor.ae_title).strip()
            plan = check(encoded, self._machine, caller, str(requestor.implementation_version_name or ""))
            if plan.uid != uid:
                raise Refused("inconsistent", "sent under another UID than its own")
            new = self._plans.take(plan)
        except Refused as refused:
            self._plans.refuse(refused.code, uid)
            log.warning("refused %s: %s", uid, refused.code)
            return _refusal(CANNOT_UNDERSTAND if refused.code == "unreadable" else REFUSED, refused)
        except OSError as error:
            log.error("could not keep %s: %s", uid, type(error).__name__)
            return OUT_OF_RESOURCES
        log.info("%s %s", "took" if new else "had already", uid)
        return SUCCESS


def _refusal(code: int, why: Refused) -> Dataset:
    """With the reason in Error Comment (0000,0902), which holds 64 characters (PS3.7 C.4.2)."""
    answer = Dataset()
    answer.Status, answer.ErrorComment = code, str(why)[:64]
    return answer


def _answer_at_once(event: Any) -> None:
    """Small answers must not wait for the peer's delayed acknowledgement (some 40 ms each)."""
    event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
