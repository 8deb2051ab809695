"""The archive, asked over DICOMweb."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import httpx

from dose_engine.multipart import pack, unpack
from dose_engine.refusal import Refusal

PATIENCE = 20.0  # seconds for one answer
AS_PARTS = {"Accept": 'multipart/related; type="application/dicom"'}
SERIES, STUDY, COUNT, FAILED = "0020000E", "0020000D", "00201209", "00081198"


class Archive(Protocol):
    """What the engine asks of an archive; everything raises Refusal `archive-down` or `not-found`."""

    def place(self, uid: str, study: str | None = None) -> tuple[str, str]:
        """Study and series of an object."""

    def count(self, study: str, series: str) -> int:
        """How many objects a series has now."""

    def fetch(self, study: str, series: str, uid: str | None = None) -> list[bytes]:
        """One object, or all of a series, as files."""

    def store(self, objects: Sequence[bytes]) -> None:
        """Keeps objects; returns when the archive has them."""


class DicomWeb:
    """An archive behind a URL; one connection pool for the whole process."""

    def __init__(self, url: str, credentials: tuple[str, str], transport: httpx.BaseTransport | None = None) -> None:
        self._client = httpx.Client(
            base_url=url, auth=credentials, timeout=PATIENCE, transport=transport, trust_env=False
        )

    def close(self) -> None:
        self._client.close()

    def place(self, uid: str, study: str | None = None) -> tuple[str, str]:
        within = f"/studies/{study}" if study else ""
        found = self._search(f"{within}/instances", {"SOPInstanceUID": uid, "includefield": SERIES})
        if len(found) != 1:
            raise Refusal("not-found", f"the archive has {len(found)} objects {uid}", http=404)
        return _value(found[0], STUDY), _value(found[0], SERIES)

    def count(self, study: str, series: str) -> int:
        found = self._search(f"/studies/{study}/series", {"SeriesInstanceUID": series, "includefield": COUNT})
        return int(_value(found[0], COUNT)) if found else 0

    def fetch(self, study: str, series: str, uid: str | None = None) -> list[bytes]:
        path = f"/studies/{study}/series/{series}" + (f"/instances/{uid}" if uid else "")
        answer = self._ask("GET", path, headers=AS_PARTS)
        return unpack(answer.content, answer.headers.get("content-type", ""))

    def store(self, objects: Sequence[bytes]) -> None:
        body, kind = pack(objects)
        headers = {"Content-Type": kind, "Accept": "application/dicom+json"}
        answer = self._ask("POST", "/studies", content=body, headers=headers)
        try:
            failed = answer.json().get(FAILED)
        except (ValueError, AttributeError):
            failed = True
        if failed or answer.status_code != 200:
            raise Refusal("not-stored", "the archive did not keep everything it was sent", http=502)

    def _search(self, path: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        answer = self._ask("GET", path, params=dict(query), headers={"Accept": "application/dicom+json"})
        if answer.status_code == 204:
            return []
        try:
            found = answer.json()
        except ValueError:
            raise Refusal("archive-answer", "the archive's answer is no JSON", http=502) from None
        return list(found)

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            answer = self._client.request(method, path, **more)
        except httpx.HTTPError as error:
            raise Refusal("archive-down", f"the archive does not answer ({type(error).__name__})", http=503) from None
        if answer.status_code == 404:
            raise Refusal("not-found", "the archive has no such object", http=404)
        if answer.status_code >= 400:
            raise Refusal("archive-answer", f"the archive answered {answer.status_code}", http=502)
        return answer


def _value(found: Mapping[str, Any], tag: str) -> str:
    try:
        return str(found[tag]["Value"][0])
    except (KeyError, IndexError, TypeError):
        raise Refusal("archive-answer", f"the archive's answer lacks {tag}", http=502) from None
