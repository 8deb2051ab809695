"""Pictures that the cases of a suite attach: PNGs alone, each looked at before it is kept."""

import base64
import binascii
import re
from dataclasses import dataclass, field

from otagate.core.canonical import digest_of_bytes
from otagate.core.png import NotAPng, read_png
from otagate.core.text import printable

PICTURES = 40  # of a run
PICTURE_BYTES = 2 * 1024 * 1024
PICTURES_BYTES = 16 * 1024 * 1024  # of a run
TITLE_CHARS = 200
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")


class NoPicture(ValueError):
    """A picture that is not kept; the text says why."""


@dataclass(frozen=True)
class Picture:
    """What the run's record says of a picture; its content is the file `file` of the run's folder. `case` attached it,
    `width` and `height` in pixels, `size` in bytes."""

    name: str
    title: str
    case: str
    digest: str
    width: int
    height: int
    size: int

    @property
    def file(self) -> str:
        return f"{self.digest.removeprefix('sha256:')}.png"


@dataclass
class Pictures:
    """The pictures of one suite as they come. `contents` by digest."""

    kept: dict[str, Picture] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)

    def take(self, name: str, title: str, case: str, size: int, content: str) -> None:
        """Keep one whose `content`, in base64, is a sound PNG of the `size` in bytes that was told; else NoPicture."""
        if not _NAME.fullmatch(name):
            raise NoPicture("its name is not of small letters, digits and hyphens, 60 at most")
        if name in self.kept:
            raise NoPicture("there is one of that name already")
        if not case:
            raise NoPicture("it came while no case ran")
        if size > PICTURE_BYTES:
            raise NoPicture(f"its {size:,} bytes are more than {PICTURE_BYTES:,}")
        try:
            png = read_png(_decoded(content, size))
        except NotAPng as error:
            raise NoPicture(str(error)) from None
        digest = digest_of_bytes(png.content)
        picture = Picture(name, printable(title, TITLE_CHARS), case, digest, png.width, png.height, len(png.content))
        reason = beyond([*self.kept.values(), picture])
        if reason:
            raise NoPicture(reason)
        self.kept[name], self.contents[digest] = picture, png.content


def beyond(pictures: list[Picture]) -> str:
    """Why the last of a run's `pictures` is one too many; empty if it is not."""
    if len(pictures) > PICTURES:
        return f"a run keeps {PICTURES} pictures"
    return f"a run keeps {PICTURES_BYTES:,} bytes of them" if sum(p.size for p in pictures) > PICTURES_BYTES else ""


def _decoded(content: str, size: int) -> bytes:
    try:
        decoded = base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        raise NoPicture("it cannot be decoded") from None
    if len(decoded) != size:
        raise NoPicture(f"{len(decoded):,} of {size:,} bytes came")
    return decoded
