"""Open sessions of a colour that are ended by name: each is told to those who follow, and owed."""

from collections.abc import Sequence

from otagate.core.cloud import Colour
from otagate.core.switch import backend
from otagate.core.text import counted
from otagate.core.topology import Door
from otagate.core.traffic import Happening
from otagate.steward.book import Book
from otagate.steward.outside import Switch

_NAMED = 20  # sessions named one by one in the debt; all are counted, and all stand in the event


def cut_open(switch: Switch, book: Book, doors: Sequence[Door], colour: Colour, when: str) -> int:
    """End what is open at `switch` on the doors of `colour`; `when` says why it was not waited for. Answers how many.
    Raises SwitchFault if one of them would not end."""
    names = {backend(door.name, colour): door.name for door in doors}
    late = [session for session in switch.open_sessions() if session.backend in names]
    ended = [session for session in late if switch.cut(session)]
    if ended:
        message = f"{counted(len(ended), 'session')} of {colour} cut {when}"
        told = [{"listener": names[s.backend], "client": s.client, "age": s.age} for s in ended]
        book.tell(Happening.DRAIN, message, cut=told, colour=colour)
        named = [f"{names[s.backend]} {s.client} open {s.age}" for s in ended]
        more = f"; and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        book.owe(f"{message}: {'; '.join(named[:_NAMED])}{more}")
    return len(ended)
