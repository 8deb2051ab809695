"""The plans that the machine has, and what makes it refuse another."""

from collections import Counter
from threading import Lock

from linac.checks import Received, Refused


class Plans:
    """By SOP instance UID. A plan is taken once; a study belongs to one patient for good."""

    def __init__(self) -> None:
        self._plans: dict[str, Received] = {}
        self._times: Counter[str] = Counter()
        self._whose: dict[str, str] = {}
        self._refused: list[dict[str, str]] = []
        self._lock = Lock()

    def take(self, plan: Received) -> bool:
        """False if this very plan was there already, which is counted all the same. Raises Refused."""
        with self._lock:
            known = self._plans.get(plan.uid)
            if known is not None:
                if known.sha256 != plan.sha256:
                    raise Refused("changed", "another plan came under the UID of one that is here")
                self._times[plan.uid] += 1
                return False
            for shared in (plan.study, plan.frame):
                if self._whose.get(shared, plan.patient) != plan.patient:
                    raise Refused("patient", "the plan's study or frame of reference is another patient's")
            self._plans[plan.uid] = plan
            self._times[plan.uid] = 1
            self._whose[plan.study] = self._whose[plan.frame] = plan.patient
            return True

    def refuse(self, code: str, uid: str) -> None:
        """Notes a refusal; the last thousand are kept."""
        with self._lock:
            self._refused = [*self._refused[-999:], {"uid": uid, "code": code}]

    def find(self, uid: str) -> Received | None:
        with self._lock:
            return self._plans.get(uid)

    def times(self, uid: str) -> int:
        """How often the plan came."""
        with self._lock:
            return self._times[uid]

    def all(self) -> list[Received]:
        with self._lock:
            return list(self._plans.values())

    def refused(self) -> list[dict[str, str]]:
        with self._lock:
            return list(self._refused)
