"""Sending over a DICOM association without losing the answer by oneself."""

import time

from pynetdicom.association import Association

HELD_BY = 1.0  # seconds in which a thread that may run comes round once, on a busy machine too


def hold(association: Association) -> None:
    """Let the association's own thread come to rest before something is sent.

    pynetdicom (3.0) takes it for resting when it has only said that it will: on a busy machine it then takes the answer
    off the queue, the sender waits in vain and aborts, and another would be blamed for a cut that the asker made.
    """
    if not association._reactor_checkpoint.is_set():
        return  # it is held
    association._reactor_checkpoint.clear()  # the thread stops here the next time it comes by
    association._is_paused = False  # what it said before does not count
    until = time.monotonic() + HELD_BY
    while not association._is_paused and time.monotonic() < until:
        time.sleep(0.0005)
    association._is_paused = True  # it stopped between our two lines, or has just said so
