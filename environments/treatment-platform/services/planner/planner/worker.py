"""What the planner does on its own, and only while it is active: a scan with structures and no plan gets one."""

import logging
from threading import Condition, Lock, Thread

from planner.archive import Archive, Waiting
from planner.courses import Courses
from planner.trouble import Trouble

PERIOD = 2.0  # seconds between looks at the archive when nothing arrives

log = logging.getLogger("planner")


class Worker:
    """Starts passive. It looks at what the archive holds, so that nothing is lost with a process or a flip."""

    def __init__(self, archive: Archive, courses: Courses, period: float = PERIOD) -> None:
        self._archive = archive
        self._courses = courses
        self._period = period
        self._turn = Condition()
        self._active = False
        self._ended = False
        self._working = Lock()
        self._refused: dict[str, int] = {}  # structure set → objects its study had when it was refused
        self._again: dict[
            str, Waiting
        ] = {}  # what failed for now: with a plan in the archive it waits no more, yet is owed
        self._thread = Thread(target=self._run, name="worker", daemon=True)

    @property
    def active(self) -> bool:
        return self._active

    @property
    def works(self) -> bool:
        """Whether it would notice a scan if it were active."""
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def activate(self) -> None:
        self._set(active=True)

    def passive(self) -> None:
        """When it returns, no chain is under way on its own and none will begin."""
        self._set(active=False)
        with self._working:
            pass

    def arrived(self) -> None:
        """Something new is in the archive."""
        with self._turn:
            self._turn.notify_all()

    def close(self) -> None:
        self._ended = True
        self._set(active=False)
        self._thread.join(timeout=1.0)

    def _set(self, *, active: bool) -> None:
        with self._turn:
            changed, self._active = self._active is not active, active
            self._turn.notify_all()
        if changed:
            log.info("now %s", "active" if active else "passive")

    def _run(self) -> None:
        while not self._ended:
            with self._turn:
                self._turn.wait(self._period)
            if self._active:
                self._look()

    def _look(self) -> None:
        try:
            found = self._archive.waiting()
        except Trouble as trouble:
            log.warning("the archive could not be looked at: %s", trouble.code)
            return
        except Exception as error:  # one odd answer must not be the end of all planning
            log.error("the archive could not be looked at: unforeseen %s", type(error).__name__)
            return
        for one in {**self._again, **{one.structure_set: one for one in found}}.values():
            with self._working:
                if not self._active:
                    return
                self._plan(one)

    def _plan(self, one: Waiting) -> None:
        if self._refused.get(one.structure_set) == one.objects:
            return  # refused as it is; something more may still arrive
        try:
            made = self._courses.run(one.study, one.structure_set, {})
        except Trouble as trouble:
            log.warning("no plan for %s: %s", one.structure_set, trouble.code)
            if trouble.lasting:
                self._refused[one.structure_set] = one.objects
                self._again.pop(one.structure_set, None)
            else:
                self._again[one.structure_set] = one
            return
        except Exception as error:  # its text may hold what came from outside: only its kind is logged
            log.error("no plan for %s: unforeseen %s", one.structure_set, type(error).__name__)
            self._again[one.structure_set] = one
            return
        self._again.pop(one.structure_set, None)
        log.info("plan %s for %s is at the machine", made["plan"], one.structure_set)
