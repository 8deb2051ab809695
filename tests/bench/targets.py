"""Whether what was found of our own switch is what it must be. Pure; figures in, words out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from otagate.core.cloud import Colour
from tests.e2e.flip_account import Flip, FlipAccount
from tests.e2e.long_sessions import Association, Sender


def fewer(made: int, due: int, what: str) -> list[str]:
    return [f"only {made:,} of {due:,} {what}"] if made < due else []


def some(count: int, what: str) -> list[str]:
    return [f"{count:,} {what}"] if count else []


def flips_wrong(found: FlipAccount, flips: int, asks: int) -> list[str]:
    """So many flips and requests there must have been at least."""
    return [
        *fewer(found.flips, flips, "flips"),
        *fewer(found.asks, asks, "requests"),
        *some(found.failed, "requests failed"),
        *some(found.stale, "stale answers"),
        *some(found.mixed, "flips with mixed listeners"),
    ]


@dataclass(frozen=True)
class Stored:
    """What became of associations. `split`: those that both colours have stores of; `crossings`: of a flip, by an
    association that was open before and after; `crossed`: flips that had one at least."""

    associations: int
    asked: int
    once: int
    missing: int
    twice: int
    cut: int
    split: int
    flips: int
    crossings: int
    crossed: int

    @classmethod
    def of(cls, done: Sequence[Association], flips: Sequence[Flip], places: Mapping[Colour, Counter[str]]) -> "Stored":
        asked = [uid for association in done for uid in association.asked]
        times = Counter(sum(places[colour][uid] for colour in Colour) for uid in asked)
        crossings = [sum(a.began < flip.began and a.ended > flip.acked for a in done) for flip in flips]
        return cls(
            associations=len(done),
            asked=len(asked),
            once=times[1],
            missing=times[0],
            twice=len(asked) - times[0] - times[1],
            cut=sum(bool(a.cut) for a in done),
            split=sum(all(any(places[c][uid] for uid in a.asked) for c in Colour) for a in done),
            flips=len(flips),
            crossings=sum(crossings),
            crossed=sum(count > 0 for count in crossings),
        )

    def wrong(self, associations: int, flips: int) -> list[str]:
        """So many there must have been: associations to their end, and flips across which one was open."""
        return [
            *fewer(self.associations, associations, "associations came to their end"),
            *fewer(self.crossed, flips, "flips had an association open across them"),
            *some(self.missing, "stores missing"),
            *some(self.twice, "instances stored twice"),
            *some(self.cut, "associations cut"),
            *some(self.split, "associations split over the colours"),
        ]

    def rows(self) -> list[str]:
        return [
            "| associations | stores asked | stored once | missing | twice | cut | split over colours | flips "
            "| flips crossed |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
            f"| {self.associations} | {self.asked:,} | {self.once:,} | {self.missing} | {self.twice} | {self.cut} "
            f"| {self.split} | {self.flips} | {self.crossings} |",
        ]


@dataclass(frozen=True)
class Messages:
    """What became of the messages of HL7 senders. `unmoved`: senders that a flip did not meet; `stuck`: those that
    waited for an acknowledgement to the last; `cut`: sessions, by the switch."""

    acknowledged: int
    lost: int
    twice: int
    resent: int
    reconnects: int
    unmoved: int
    stuck: int
    cut: int
    flips: int

    @classmethod
    def of(cls, senders: Sequence[Sender], received: Counter[str], flips: int, *, stuck: int, cut: int) -> "Messages":
        sent = [message for sender in senders for message in sender.acknowledged]
        return cls(
            acknowledged=len(sent),
            lost=sum(received[message] == 0 for message in sent),
            twice=sum(received[message] > 1 for message in sent),
            resent=sum(sender.resent for sender in senders),
            reconnects=sum(sender.reconnects for sender in senders),
            unmoved=sum(sender.reconnects < flips for sender in senders),
            stuck=stuck,
            cut=cut,
            flips=flips,
        )

    def wrong(self, *, draining: bool) -> list[str]:
        """Who is not asked to let go is the control: cut he must be, and what was cut may come twice."""
        found = [
            *some(self.lost, "messages lost"),
            *some(self.unmoved, "senders were not met by each flip"),
            *some(self.stuck, "senders never had their last acknowledgement"),
        ]
        if draining:
            return [*found, *some(self.twice, "messages twice"), *some(self.cut, "sessions cut")]
        return found if self.cut else [*found, "nothing was cut where no session was let go"]

    def row(self, name: str) -> str:
        return (
            f"| {name} | {self.acknowledged:,} | {self.lost} | {self.twice} | {self.resent} | {self.reconnects} "
            f"| {self.cut} | {self.flips} |"
        )
