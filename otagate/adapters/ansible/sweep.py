"""Kill a process with everything that came from it. Ansible's workers open sessions of their own, so a process group
is not enough: the tree is walked, and every process bears a mark in its environment in case its parent is gone."""

import time
from contextlib import suppress

import psutil

MARK = "OTAGATE_SWEEP"
_PATIENCE = 10.0  # seconds; a killed process that is still there after that hangs in the kernel


def sweep(root: int, mark: str) -> tuple[int, ...]:
    """SIGKILL `root`, its descendants and all that bear `mark`, save the caller; answers those that would not die."""
    until = time.monotonic() + _PATIENCE
    while family := _family(root, mark):
        for process in family:
            with suppress(psutil.Error):  # first of all, so that none leaves children behind while others are killed
                process.suspend()
        family = _family(root, mark)
        for process in family:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(family, timeout=1.0)
        if time.monotonic() > until:
            return tuple(sorted(process.pid for process in _family(root, mark)))
    return ()


def _family(root: int, mark: str) -> list[psutil.Process]:
    found: dict[int, psutil.Process] = {}
    with suppress(psutil.Error):  # gone already; what it left behind bears the mark
        parent = psutil.Process(root)
        found = {process.pid: process for process in (parent, *parent.children(recursive=True))}
    found.update({process.pid: process for process in psutil.process_iter() if _marked(process, mark)})
    own = psutil.Process().pid
    return [process for process in found.values() if process.pid != own and _alive(process)]


def _marked(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get(MARK) == mark
    except (psutil.Error, OSError):
        return False  # gone, or another user's: not ours


def _alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
