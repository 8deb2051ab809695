"""A file that ends too early is refused, whichever way it comes, and what was kept before stays. Last, because a build
that such a file brings down takes every case with it that runs meanwhile."""

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Dicom, Web, uid_of

pytestmark = pytest.mark.risk("a file cut off on its way stops the service or spoils what is kept")


def test_a_truncated_file_by_http_is_refused_and_nothing_is_lost(web: Web, anew: Callable[..., bytes]) -> None:
    kept = anew("plan")
    web.keep(kept)
    body = anew("dose")
    for share in (0.02, 0.5, 0.999):
        answer = web.post("/objects", body[: int(len(body) * share)])
        assert answer.status_code == 422, answer.text
        assert answer.json()["error"]["code"] == "truncated"
    web.wait_until_healthy()
    assert web.get(f"/objects/{uid_of(body)}").status_code == 404
    assert web.content(uid_of(kept)) == kept


def test_a_truncated_object_by_c_store_is_refused_and_nothing_is_lost(
    web: Web, dicom: Dicom, anew: Callable[..., bytes], tmp_path: Path
) -> None:
    kept = anew("plan")
    assert dicom.store(kept, tmp_path) == 0x0000
    body = anew("dose")
    assert dicom.store(body[: len(body) // 2], tmp_path) == 0xC000
    web.wait_until_healthy()
    assert web.get(f"/objects/{uid_of(body)}").status_code == 404
    assert web.kept(uid_of(kept))["came_by"] == "dicom"
