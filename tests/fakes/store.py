"""ports.Store in memory."""

from otagate.core.errors import StoreFault, UsageError
from otagate.core.judge import Decision
from otagate.core.record import PromotionRecord
from otagate.ports import StoredRun


class FakeStore:
    """`full` makes the next call fail as a full disk does."""

    def __init__(self) -> None:
        self.saved: dict[str, dict[str, StoredRun]] = {}
        self.promotions: dict[tuple[str, str], PromotionRecord] = {}
        self.full = False

    def save_run(self, run: StoredRun) -> None:
        self._grow()
        of_platform = self.saved.setdefault(run.header.platform, {})
        if repr(of_platform.setdefault(run.header.run, run)) != repr(run):  # NaN is equal to itself here
            raise StoreFault(f"run {run.header.run} is recorded already, with another content", code="run-exists")

    def run(self, platform: str, run: str) -> StoredRun:
        of_platform = self.saved.get(platform, {})
        matching = [run] if run in of_platform else [name for name in self.runs(platform) if name.startswith(run)]
        if not matching:
            raise UsageError(f"no run {run} of platform {platform}", code="no-run", hint="otagate test makes one")
        if run and len(matching) > 1:
            raise UsageError(f"{len(matching)} runs begin with {run}", code="ambiguous-run", hint="type more of its id")
        return of_platform[matching[0]]

    def runs(self, platform: str) -> tuple[str, ...]:
        return tuple(reversed(self.saved.get(platform, {})))

    def latest(self, platform: str, release: str) -> tuple[str, Decision] | None:
        for run in self.runs(platform):
            stored = self.saved[platform][run]
            if stored.header.release == release and stored.verdict.decision is not Decision.INCONCLUSIVE:
                return run, stored.verdict.decision
        return None

    def save_promotion(self, platform: str, record: PromotionRecord) -> None:
        self._grow()
        self.promotions[platform, record.view.intent.promotion] = record

    def promotions_of(self, platform: str, run: str) -> tuple[PromotionRecord, ...]:
        return tuple(r for (p, _), r in self.promotions.items() if (p, r.view.intent.run) == (platform, run))

    def _grow(self) -> None:
        if self.full:
            raise StoreFault("the store cannot grow: the disk is full", code="store-full", hint="free some space")
