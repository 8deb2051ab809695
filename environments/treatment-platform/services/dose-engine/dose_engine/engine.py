"""From a request to archived objects: the engine's whole work, step by step."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from pydicom.uid import generate_uid
from scipy.sparse import csr_array

from dose_engine.archive import Archive
from dose_engine.beam import Beam, covering
from dose_engine.figures import dose_volume, is_met
from dose_engine.grid import Floats
from dose_engine.identity import Arithmetic, Identity
from dose_engine.influence import influence, spread
from dose_engine.kernel import Kernel
from dose_engine.laps import Laps
from dose_engine.optimiser import Objective, Optimum, optimise
from dose_engine.patient import Patient, prepare
from dose_engine.plan import Plan, read_plan
from dose_engine.protocol import aims_of
from dose_engine.recent import Recent
from dose_engine.refusal import Refusal
from dose_engine.request import ForwardRequest, Goal, PlanRequest
from dose_engine.scan import read_scan
from dose_engine.structures import Structures, read_structures
from dose_engine.traits import Traits
from dose_engine.writing import Prescription, encode, rt_dose, rt_plan
from dose_engine.written import Written

KEPT = 4  # patients, and influence matrices: some 60 MB each
KEPT_PLACES = 1000
SAMPLED = 4  # every which voxel of the body at large the optimiser looks at
Answer = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Computed:
    """One plan with its dose, ready to be stored: `objects` by UID, in that order."""

    objects: dict[str, bytes]
    answer: Answer


class Engine:
    """One per process. What it keeps in memory depends only on immutable objects, named by UID, never on who asked."""

    def __init__(
        self, archive: Archive, identity: Identity, told: Arithmetic, traits: Traits, now: Callable[[], datetime]
    ) -> None:
        self._archive = archive
        self._identity = identity
        self._arithmetic = told
        self._traits = traits
        self._now = now
        self._kernel = Kernel()
        self._places: Recent[tuple[str, str]] = Recent(KEPT_PLACES)
        self._structures: Recent[Structures] = Recent(KEPT)
        self._patients: Recent[Patient] = Recent(KEPT)
        self._matrices: Recent[csr_array] = Recent(KEPT)
        self.seen: set[str] = set()  # patients this process computed for
        self.written = Written(identity, now)

    def plan(self, wanted: PlanRequest) -> Answer:
        """Plan and dose, computed and archived. Raises Refusal; then no plan is archived without its dose."""
        laps = Laps()
        for _ in range(self._traits.passes):
            computed = self._compute(wanted, laps)
        self._store(computed.objects, laps)
        return computed.answer | {"timings": laps.answer, "arithmetic": self._arithmetic.answer}

    def forward(self, wanted: ForwardRequest) -> tuple[bytes, Answer]:
        """The dose of an archived plan: the RT Dose object, and what is said about it. Raises Refusal."""
        laps = Laps()
        for _ in range(self._traits.passes):
            with laps.hop("plan"):
                plan = read_plan(self._fetch(wanted.plan))
            patient = self._patient(plan.study, plan.structure_set, wanted.spacing, laps, again=False)
            _fits(plan, patient)
            doses = self._dose(plan, patient, laps)
            with laps.hop("encode"):
                made = rt_dose(patient.origin, self._identity, plan.uid, self._volume(doses, patient),
                               patient.phantom.dose_grid, self._now())  # fmt: skip
                encoded = encode(made)
        if wanted.store:
            self._store({str(made.SOPInstanceUID): encoded}, laps)
        answer = {"dose": str(made.SOPInstanceUID), "plan": plan.uid, "maximum": float(doses.max())}
        return encoded, answer | {"timings": laps.answer}

    def _store(self, objects: dict[str, bytes], laps: Laps) -> None:
        """Accounted for also where the archive does not say that it has them: they may be there all the same."""
        try:
            with laps.hop("store"):
                self._archive.store(list(objects.values()))
        finally:
            self.written.note(*objects)

    def _compute(self, wanted: PlanRequest, laps: Laps) -> Computed:
        again = self._traits.passes > 1  # nothing kept may shorten repeated work
        patient = self._patient(wanted.study, wanted.structure_set, wanted.spacing, laps, again=again)
        target = patient.rows(wanted.target)
        isocentre, beams = _beams(patient, target, wanted)
        with laps.hop("influence"):
            matrix = self._influence(patient, beams)
        with laps.hop("optimise"):
            optimum = optimise(matrix, _objectives(patient, wanted), _start(matrix, target, wanted.dose),
                               scaled=self._traits.scaled_search)  # fmt: skip
        with laps.hop("encode"):
            plan, objects, doses = self._written(patient, wanted, beams, matrix, optimum)
        answer: Answer = {
            "study": wanted.study,
            "structure_set": wanted.structure_set,
            "plan": plan.uid,
            "dose": objects[0][0],
            "isocentre": list(isocentre),
            "optimiser": _told(optimum),
            "figures": {name: self._figures(patient, doses, name) for name in patient.structures.regions},
            "scan": patient.digest,
        }
        answer["goals"] = [_judged(goal, answer["figures"]) for goal in wanted.goals]
        return Computed(dict(objects), answer)

    def _written(
        self, patient: Patient, wanted: PlanRequest, beams: tuple[Beam, ...], matrix: csr_array, optimum: Optimum
    ) -> tuple[Plan, list[tuple[str, bytes]], Floats]:
        """The dose is that of the plan as written, not of the optimiser's last digits. Dose before plan: where an
        archive keeps only the first, nobody takes the study for planned."""
        named = wanted.structure_set
        if self._traits.foreign_structures:
            named = generate_uid(prefix=None, entropy_srcs=[named])
        prescription = Prescription(named, wanted.dose, wanted.fractions, wanted.label)
        now = self._now()
        plan_object = encode(rt_plan(patient.origin, self._identity, prescription, beams, optimum.fluence, now))
        plan = read_plan(plan_object)
        self._matrices.get(_key(plan, patient), lambda: _part(matrix, beams, plan))
        doses = self._dose(plan, patient, Laps())
        dose = rt_dose(patient.origin, self._identity, plan.uid, self._volume(doses, patient),
                       patient.phantom.dose_grid, now)  # fmt: skip
        return plan, [(str(dose.SOPInstanceUID), encode(dose)), (plan.uid, plan_object)], doses

    def _patient(self, study: str, structure_set: str, spacing: float, laps: Laps, *, again: bool) -> Patient:
        """How many slices the archive has now is part of the key: one that vanished or came is noticed. Listing them
        would take it ten times as long as counting, and longer than a forward dose does."""
        with laps.hop("find"):
            structures = self._structures.get((structure_set, study), lambda: self._drawn(structure_set, study))
            slices = self._archive.count(structures.study, structures.series)
        self.seen.add(structures.patient)

        def made() -> Patient:
            with laps.hop("fetch"):
                files = self._archive.fetch(structures.study, structures.series) if slices else []
            if len(files) != slices:
                raise Refusal("archive-answer", f"the archive sent {len(files)} of {slices} slices", http=502)
            with laps.hop("prepare"):
                return prepare(read_scan(files), structures, spacing)

        key = (structure_set, slices, spacing)
        return made() if again else self._patients.get(key, made)

    def _drawn(self, uid: str, study: str) -> Structures:
        where, series = self._archive.place(uid, study)
        return read_structures(self._archive.fetch(where, series, uid)[0])

    def _fetch(self, uid: str) -> bytes:
        study, series = self._places.get(uid, lambda: self._archive.place(uid))
        return self._archive.fetch(study, series, uid)[0]

    def _influence(self, patient: Patient, beams: tuple[Beam, ...]) -> csr_array:
        return influence(patient.phantom, beams, self._kernel, self._traits.output_factor)

    def _dose(self, plan: Plan, patient: Patient, laps: Laps) -> Floats:
        """Gy to each voxel of the body, over all fractions."""
        with laps.hop("influence"):
            matrix = self._matrices.get(_key(plan, patient), lambda: self._influence(patient, plan.beams))
        with laps.hop("dose"):
            doses: Floats = matrix @ (plan.fluence * plan.fractions)
        return doses

    def _volume(self, doses: Floats, patient: Patient) -> Floats:
        volume = spread(doses, patient.phantom)
        return volume[:, :, ::-1] if self._traits.mirrored else volume

    def _figures(self, patient: Patient, doses: Floats, name: str) -> dict[str, float]:
        return dose_volume(doses[patient.rows(name)], patient.phantom.dose_grid.voxel_volume)


def _key(plan: Plan, patient: Patient) -> tuple[object, ...]:
    """Of the plan's influence matrix: everything that it depends on."""
    return patient.digest, patient.structures.uid, patient.phantom.dose_grid, plan.geometry


def _part(matrix: csr_array, beams: tuple[Beam, ...], plan: Plan) -> csr_array:
    """The columns of the pixels that carry fluence in the plan as written; the others' were for the search alone."""
    kept = [written.open_[beam.open_] for beam, written in zip(beams, plan.beams, strict=True)]
    if any(not beam.like(written) for beam, written in zip(beams, plan.beams, strict=True)):
        raise Refusal("unsupported-plan", "the plan as written has other beams than were computed")
    return csr_array(matrix[:, np.flatnonzero(np.concatenate(kept))])


def _beams(
    patient: Patient, target: np.ndarray[Any, np.dtype[np.bool_]], wanted: PlanRequest
) -> tuple[tuple[float, float, float], tuple[Beam, ...]]:
    """Around the target's centre of mass, to a tenth of a millimetre."""
    points = patient.phantom.points[target]
    x, y, z = (round(float(value), 1) for value in points.mean(axis=0))
    return (x, y, z), tuple(covering(gantry, (x, y, z), wanted.pixel, points) for gantry in wanted.gantry)


def _objectives(patient: Patient, wanted: PlanRequest) -> list[Objective]:
    """In terms of the matrix's rows; a voxel of the target counts for the target alone."""
    target = patient.rows(wanted.target)
    found = []
    for aim in wanted.aims or aims_of(patient.structures, wanted.target, wanted.dose):
        rows = patient.rows(aim.roi)
        rows = rows if aim.roi == wanted.target else rows & ~target
        if aim.roi == patient.structures.body:
            rows = rows & (np.arange(rows.size) % SAMPLED == 0)
        if rows.any():
            found.append(Objective(rows, aim.kind, aim.dose, aim.weight))
    return found


def _start(matrix: csr_array, target: np.ndarray[Any, np.dtype[np.bool_]], dose: float) -> Floats:
    """The same fluence everywhere, enough for the target's mean."""
    even = np.ones(matrix.shape[1])
    mean = float((matrix @ even)[target].mean())
    if mean <= 0:
        raise Refusal("unreachable-target", "no beam reaches the target")
    return even * (dose / mean)


def _told(optimum: Optimum) -> Answer:
    return {
        "objective": optimum.value,
        "iterations": optimum.iterations,
        "evaluations": optimum.evaluations,
        "converged": optimum.converged,
    }


def _judged(goal: Goal, figures: dict[str, dict[str, float]]) -> Answer:
    if goal.roi not in figures:
        raise Refusal("unknown-structure", f"the structure set has no structure {goal.roi!r}")
    value = figures[goal.roi][goal.figure]
    return {"roi": goal.roi, "figure": goal.figure, **goal.bound, "value": value, "met": is_met(value, goal.bound)}


def _fits(plan: Plan, patient: Patient) -> None:
    """Raises Refusal unless plan and scan are of one patient, one study and one frame of reference."""
    if plan.frame != patient.origin.FrameOfReferenceUID:
        raise Refusal("foreign-frame", "plan and CT lie in different frames of reference")
    if plan.patient != patient.origin.PatientID or plan.study != patient.origin.StudyInstanceUID:
        raise Refusal("foreign-patient", "plan and CT are of different patients or studies")
