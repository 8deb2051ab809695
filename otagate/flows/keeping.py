"""Keep how a promotion ended also where its command line did not live to see it: the steward's journal tells it."""

from otagate.core.platform import Platform
from otagate.core.promotion import Phase
from otagate.core.record import PromotionRecord
from otagate.core.traffic import PromotionView
from otagate.ports import Ports


def keep_last(platform: Platform, ports: Ports) -> PromotionView | None:
    """`keep` the steward's last promotion, where there is production; answers it while it goes on, for no store has it
    yet."""
    view = ports.steward.status().promotion if ports.steward.present() else None
    keep(platform, view, ports)
    return None if view is None or _halted(view) else view


def keep(platform: Platform, view: PromotionView | None, ports: Ports) -> None:
    """A promotion as the steward told it, followed and stored if it ended, or halted, and the store does not say so."""
    if view is None or not _halted(view):
        return
    promotion = view.intent.promotion
    known = (record.view for record in ports.store.promotions_of(platform.name, view.intent.run))
    if (promotion, view.phase) not in ((one.intent.promotion, one.phase) for one in known):
        ports.store.save_promotion(platform.name, PromotionRecord(view, tuple(ports.steward.follow(promotion))))


def _halted(view: PromotionView) -> bool:
    return view.phase.ended or view.phase is Phase.STRANDED
