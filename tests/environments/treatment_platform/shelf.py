"""An archive that lives in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO

from dose_engine.refusal import Refusal
from phantoms.objects import ct_slices, encode, structure_set
from phantoms.study import Study
from pydicom import Dataset, dcmread


@dataclass
class Shelf:
    """Objects by SOP instance UID; `fetched` counts what was asked for."""

    objects: dict[str, bytes] = field(default_factory=dict)
    places: dict[str, tuple[str, str]] = field(default_factory=dict)
    fetched: int = 0

    @classmethod
    def of(cls, study: Study) -> "Shelf":
        shelf = cls()
        shelf.store([encode(one) for one in (*ct_slices(study), structure_set(study))])
        return shelf

    def copy(self) -> "Shelf":
        return Shelf(dict(self.objects), dict(self.places))

    def store(self, objects: Sequence[bytes]) -> None:
        for data in objects:
            read = dcmread(BytesIO(data), stop_before_pixels=True)
            self.put(read.SOPInstanceUID, (read.StudyInstanceUID, read.SeriesInstanceUID), data)

    def put(self, uid: str, place: tuple[str, str], data: bytes) -> None:
        """Also what is no sound object."""
        self.objects[str(uid)], self.places[str(uid)] = data, (str(place[0]), str(place[1]))

    def replace(self, uid: str, made: Dataset) -> None:
        self.objects[uid] = encode(made)

    def read(self, uid: str) -> Dataset:
        return dcmread(BytesIO(self.objects[uid]))

    def place(self, uid: str, study: str | None = None) -> tuple[str, str]:
        if uid not in self.places or study not in (None, self.places[uid][0]):
            raise Refusal("not-found", "no such object", http=404)
        return self.places[uid]

    def count(self, study: str, series: str) -> int:
        return len(self._within(study, series))

    def _within(self, study: str, series: str) -> list[str]:
        return sorted(uid for uid, place in self.places.items() if place == (study, series))

    def fetch(self, study: str, series: str, uid: str | None = None) -> list[bytes]:
        self.fetched += 1
        wanted = [uid] if uid else self._within(study, series)
        return [self.objects[one] for one in wanted]
