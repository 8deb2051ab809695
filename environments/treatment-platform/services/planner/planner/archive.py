"""The archive, over DICOMweb."""

import itertools
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from planner.trouble import Trouble

PATIENCE = 20.0  # seconds for one answer
PAGE = 500  # objects in one answer
STUDY, SERIES, SOP_INSTANCE, FAILED, COUNT = "0020000D", "0020000E", "00080018", "00081198", "00201208"
AS_JSON = {"Accept": "application/dicom+json"}
AS_PARTS = {"Accept": 'multipart/related; type="application/dicom"'}


@dataclass(frozen=True)
class Waiting:
    """A structure set without a plan, and how many objects its study holds now."""

    study: str
    structure_set: str
    objects: int


class Archive:
    """Every call raises Trouble."""

    def __init__(self, url: str, credentials: tuple[str, str], transport: httpx.BaseTransport | None = None) -> None:
        self._client = httpx.Client(
            base_url=url, auth=credentials, timeout=PATIENCE, transport=transport, trust_env=False
        )
        self._planned: set[str] = set()  # structure sets whose study has a plan: the archive deletes none

    def close(self) -> None:
        self._client.close()

    def store(self, file: bytes) -> None:
        """Returns when the archive has the object."""
        boundary = f"part-{secrets.token_hex(16)}"
        body = b"--%b\r\nContent-Type: application/dicom\r\n\r\n%b\r\n--%b--\r\n" % (
            boundary.encode(), file, boundary.encode(),
        )  # fmt: skip
        kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
        answer = self._ask("POST", "/studies", content=body, headers={**AS_JSON, "Content-Type": kind})
        try:
            failed = answer.json().get(FAILED)
        except (ValueError, AttributeError):
            failed = True
        if failed or answer.status_code != 200:
            raise Trouble("not-stored", "the archive did not keep the object", 502)

    def fetch(self, study: str, uid: str) -> bytes:
        """One object, as a file."""
        found = self._search(f"/studies/{study}/instances", {"SOPInstanceUID": uid})
        if len(found) != 1:
            raise Trouble("not-found", f"the archive has {len(found)} objects {uid}", 502)
        series = _value(found[0], SERIES)
        answer = self._ask("GET", f"/studies/{study}/series/{series}/instances/{uid}", headers=AS_PARTS)
        return _only_part(answer.content, answer.headers.get("content-type", ""))

    def waiting(self) -> list[Waiting]:
        """Structure sets in studies that have no plan yet. One plan a study: what is drawn anew in a planned one is
        planned when somebody asks, for nobody else knows whether the first plan still holds."""
        found = []
        for one in self._all("/instances", {"Modality": "RTSTRUCT"}):
            study, structure_set = _value(one, STUDY), _value(one, SOP_INSTANCE)
            if structure_set in self._planned:
                continue
            if self._search(f"/studies/{study}/instances", {"Modality": "RTPLAN", "limit": "1"}):
                self._planned.add(structure_set)
                continue
            counted = self._search("/studies", {"StudyInstanceUID": study, "includefield": COUNT})
            objects = int(_value(counted[0], COUNT)) if counted else 0
            found.append(Waiting(study, structure_set, objects))
        return found

    def _all(self, path: str, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """Page by page: what an archive leaves out of an answer that is too long would never be found."""
        for offset in itertools.count(0, PAGE):
            page = self._search(path, {**query, "limit": str(PAGE), "offset": str(offset)})
            yield from page
            if len(page) < PAGE:
                return

    def _search(self, path: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        answer = self._ask("GET", path, params=dict(query), headers=AS_JSON)
        if answer.status_code == 204:
            return []
        try:
            return list(answer.json())
        except ValueError:
            raise Trouble("archive", "the archive's answer is no JSON", 502) from None

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            answer = self._client.request(method, path, **more)
        except httpx.HTTPError as error:
            raise Trouble("archive", f"the archive does not answer ({type(error).__name__})", 503) from None
        if answer.status_code >= 400:
            raise Trouble("archive", f"the archive answered {answer.status_code}", 502)
        return answer


def _value(found: Mapping[str, Any], tag: str) -> str:
    try:
        return str(found[tag]["Value"][0])
    except (KeyError, IndexError, TypeError):
        raise Trouble("archive", f"the archive's answer lacks {tag}", 502) from None


def _only_part(body: bytes, content_type: str) -> bytes:
    named = re.search(r'boundary="?([^";,]+)"?', content_type)
    mark = b"--" + named.group(1).encode() if named else b""
    pieces = (b"\r\n" + body).split(b"\r\n" + mark) if mark else []
    if len(pieces) != 3 or not pieces[2].startswith(b"--") or b"\r\n\r\n" not in pieces[1]:
        raise Trouble("archive", "the archive's answer is not one whole object", 502)
    return pieces[1].partition(b"\r\n\r\n")[2]
