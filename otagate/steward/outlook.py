"""The steward's picture of traffic, and where journal, map file and run time do not tell the same story. Reads only."""

from collections.abc import Callable
from dataclasses import dataclass

from otagate.core.cloud import Colour
from otagate.core.errors import SwitchFault
from otagate.core.traffic import Holder, Status, SwitchView
from otagate.steward.account import Account
from otagate.steward.helm import Helm
from otagate.steward.pair import SILENT, SPLIT

Told = tuple[Colour, int] | SwitchFault | None


@dataclass(frozen=True)
class Outlook:
    """`source` is the digest of the otagate that the steward was made from; `holders` tells the leases held now."""

    source: str
    helm: Helm
    holders: Callable[[], tuple[Holder, ...]]

    def status(self) -> Status:
        account = self.helm.book.account
        file, run = self._file(), _try(self.helm.switch.entry)
        return Status(
            source=self.source,
            live=account.live,
            epoch=account.epoch,
            colours=account.colours,
            switch=self._view(file, run),
            promotion=account.promotion,
            holders=self.holders(),
            disagreements=self._disagreements(account, file, run),
            last_flip=account.last_flip,
            now=self.helm.clock.now(),
            incidents=tuple(i for i in account.incidents if i.cleared is None),
            schemas=dict(account.schemas.at),
            serving=account.serving,
            replacement=account.replacement,
            paired=bool(self.helm.topology.second),
            serving_second=account.serving_second,
        )

    def disagreements(self) -> tuple[str, ...]:
        """What does not answer is told at any time; where two differ, only while no turn is being made."""
        return self._disagreements(self.helm.book.account, self._file(), _try(self.helm.switch.entry))

    def _file(self) -> Told:
        return _try(self.helm.map_file.read) if self.helm.map_file.exists() else None

    def _view(self, file: Told, run: Told) -> SwitchView:
        try:
            up = {name: count.up for name, count in self.helm.switch.counts().items()}
        except SwitchFault:
            up = {}
        file_colour, file_epoch = file if isinstance(file, tuple) else (None, None)
        run_colour, run_epoch = run if isinstance(run, tuple) else (None, None)
        return SwitchView(file_colour, file_epoch, run_colour, run_epoch, up)

    def _disagreements(self, account: Account, file: Told, run: Told) -> tuple[str, ...]:
        journal = (account.live, account.live_epoch) if account.live is not None else None
        silent, differ = [], []
        if isinstance(file, SwitchFault):
            silent.append(file.message)
        elif file != journal:
            differ.append(f"the journal says {_words(journal)}, the map file says {_words(file)}")
        if isinstance(run, SwitchFault) and (journal is not None or run.code not in SILENT):
            (differ if run.code == SPLIT else silent).append(run.message)
        elif isinstance(run, tuple) and run != (file if isinstance(file, tuple) else journal):
            differ.append(f"the map file says {_words(file)}, the switch itself says {_words(run)}")
        # For the length of a turn they differ on purpose.
        return tuple(silent if self.helm.turning.is_set() else silent + differ)


def _try(read: Callable[[], tuple[Colour, int]]) -> Told:
    try:
        return read()
    except SwitchFault as fault:
        return fault


def _words(told: Told) -> str:
    return f"{told[0]} of epoch {told[1]}" if isinstance(told, tuple) else "nothing"
