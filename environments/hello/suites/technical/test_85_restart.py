"""An orderly restart loses nothing, and the service comes back passive."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Dicom, Web, uid_of


@pytest.mark.requirement("recovery")
@pytest.mark.risk("objects lost at a restart")
def test_everything_acknowledged_is_there_after_a_restart(
    web: Web, dicom: Dicom, anew: Callable[..., bytes], otagate: Any, tmp_path: Path
) -> None:
    by_http = [anew(name) for name in ("plan", "dose", "ct")]
    by_dicom = [anew("ct"), anew("plan")]
    for body in by_http:
        web.keep(body)
    for body in by_dicom:
        assert dicom.store(body, tmp_path) == 0x0000
    otagate.restart("web", deadline=30)
    again = Web(otagate.candidate.host("web"))
    again.wait_until_healthy()
    assert all(again.content(uid_of(body)) == body for body in by_http)
    assert all(again.kept(uid_of(body))["came_by"] == "dicom" for body in by_dicom)
    assert again.get("/healthz").json()["active"] is False
    with dicom.association() as association:
        assert association.send_c_echo().Status == 0x0000
