"""multipart/related bodies, as DICOMweb sends objects."""

import re
import secrets
from collections.abc import Sequence

from dose_engine.refusal import Refusal

_BOUNDARY = re.compile(r'boundary="?([^";,]+)"?', re.IGNORECASE)


def pack(objects: Sequence[bytes]) -> tuple[bytes, str]:
    """Body and content type of a store request."""
    boundary = f"part-{secrets.token_hex(16)}"
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    body = b"".join(head + one + b"\r\n" for one in objects) + f"--{boundary}--\r\n".encode()
    return body, f'multipart/related; type="application/dicom"; boundary={boundary}'


def unpack(body: bytes, content_type: str) -> list[bytes]:
    """The parts of an answer. Raises Refusal unless it ends with its closing boundary, as a whole one does."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise Refusal("archive-answer", "the archive's answer is not in parts", http=502)
    mark = b"--" + found.group(1).encode()
    pieces = (b"\r\n" + body).split(b"\r\n" + mark)
    if not pieces[-1].startswith(b"--"):
        raise Refusal("archive-answer", "the archive's answer was cut short", http=502)
    parts = []
    for piece in pieces[1:-1]:
        head, gap, content = piece.partition(b"\r\n\r\n")
        if not gap:
            raise Refusal("archive-answer", "a part of the archive's answer has no content", http=502)
        claimed = re.search(rb"content-length:\s*(\d+)", head, re.IGNORECASE)
        if claimed and int(claimed.group(1)) != len(content):
            raise Refusal("archive-answer", "a part of the archive's answer was cut short", http=502)
        parts.append(content)
    return parts
