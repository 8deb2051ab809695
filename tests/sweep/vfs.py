"""SQLite's own way to the disk, watched call by call: the default VFS of this process, with a look before each write,
truncate, sync, delete and open. After the method of SQLite's own crash tests, without another library."""

import _sqlite3
import ctypes
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_void_p

from tests.sweep.faults import Faults, Harm

OK, FULL, CANTOPEN = 0, 13, 14
_WRITE, _SYNC, _FOLDER, _TRUNCATE, _DELETE = 778, 1034, 1290, 1546, 2570  # SQLITE_IOERR_…

_OPEN_CALL = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
_DELETE_CALL = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int)
_WRITE_CALL = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_TRUNCATE_CALL = CFUNCTYPE(c_int, c_void_p, c_int64)
_SYNC_CALL = CFUNCTYPE(c_int, c_void_p, c_int)


_INSTALLED: list["WatchedVfs"] = []  # what SQLite calls must outlive this process's last connection


class _Vfs(Structure):
    _fields_ = (
        ("version", c_int),
        ("size", c_int),
        ("longest", c_int),
        ("next", c_void_p),
        ("name", c_char_p),
        ("data", c_void_p),
        ("open", c_void_p),
        ("delete", c_void_p),
    )


class _Methods(Structure):
    """As far as this looks; SQLite's own may be longer, so a copy keeps all of it."""

    _fields_ = (
        ("version", c_int),
        ("close", c_void_p),
        ("read", c_void_p),
        ("write", c_void_p),
        ("truncate", c_void_p),
        ("sync", c_void_p),
        ("rest", c_void_p * 13),
    )


class WatchedVfs:
    """`synced(path, folder)` is told of each sync that was done; `skips` leaves them undone (a control)."""

    def __init__(self, faults: Faults, synced: Callable[[str, bool], None], *, skips: bool = False) -> None:
        self._faults = faults
        self._synced = synced
        self._skips = skips
        self._paths: dict[int, str] = {}
        self._copies: dict[int, _Methods] = {}
        self._kept: list[object] = []

    def install(self) -> None:
        """In this process, for every connection opened from now on."""
        library = ctypes.CDLL(_sqlite3.__file__)
        library.sqlite3_vfs_find.restype = POINTER(_Vfs)
        vfs = library.sqlite3_vfs_find(None).contents
        opens, deletes = _OPEN_CALL(vfs.open), _DELETE_CALL(vfs.delete)

        def opened(this: int, name: int, file: int, flags: int, out: int) -> int:
            path = ctypes.string_at(name).decode() if name else ""
            if self._told("sqlite open", path):
                return CANTOPEN
            answer = opens(this, name, file, flags, out)
            if answer == OK and path:
                self._paths[file] = path
                self._watch(file)
            return int(answer)

        def deleted(this: int, name: int, folder: int) -> int:
            path = ctypes.string_at(name).decode()
            harm = self._told("sqlite delete", path)
            if harm and harm is not Harm.LATE:
                return _DELETE
            answer = deletes(this, name, folder)
            if harm:
                return _FOLDER
            if folder and answer == OK and self._faults.concerns(path):
                self._synced(path, True)
            return int(answer)

        vfs.open, vfs.delete = self._pointer(_OPEN_CALL(opened)), self._pointer(_DELETE_CALL(deleted))
        self._kept += [library, opens, deletes]
        _INSTALLED.append(self)

    def _told(self, name: str, path: str) -> Harm | None:
        if not self._faults.concerns(path):
            return None
        return self._faults.reached(f"{name} {path.rsplit('/', 1)[1]}")

    def _pointer(self, call: object) -> int | None:
        self._kept.append(call)
        return ctypes.cast(call, c_void_p).value  # type: ignore[arg-type]

    def _watch(self, file: int) -> None:
        slot = ctypes.cast(file, POINTER(c_void_p))
        found = slot.contents.value
        if found is None:
            return
        if found not in self._copies:
            copy = _Methods()
            ctypes.memmove(ctypes.byref(copy), found, ctypes.sizeof(copy))
            self._around(copy)
            self._copies[found] = copy
        slot[0] = ctypes.addressof(self._copies[found])

    def _around(self, methods: _Methods) -> None:
        writes, syncs = _WRITE_CALL(methods.write), _SYNC_CALL(methods.sync)
        truncates = _TRUNCATE_CALL(methods.truncate)

        def write(file: int, content: int, size: int, offset: int) -> int:
            harm = self._told("sqlite write", self._paths[file])
            if harm:
                return FULL if harm is Harm.ENOSPC else _WRITE
            return int(writes(file, content, size, offset))

        def truncate(file: int, size: int) -> int:
            return _TRUNCATE if self._told("sqlite truncate", self._paths[file]) else int(truncates(file, size))

        def sync(file: int, flags: int) -> int:
            path = self._paths[file]
            if self._told("sqlite sync", path):
                return _SYNC
            if self._skips:
                return OK
            answer = int(syncs(file, flags))
            if self._faults.concerns(path):
                self._synced(path, path.endswith("-journal"))  # a new journal's first sync does its folder too
            return answer

        methods.write = self._pointer(_WRITE_CALL(write))
        methods.truncate = self._pointer(_TRUNCATE_CALL(truncate))
        methods.sync = self._pointer(_SYNC_CALL(sync))
        self._kept += [writes, syncs, truncates]
