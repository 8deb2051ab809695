"""ports.Vault in memory: paths that lead nowhere, contents by path."""

from otagate.core.errors import StoreFault, UsageError


class FakeVault:
    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def folder(self, run: str) -> str:
        return f"/vault/runs/{_plain(run)}"

    def write(self, run: str, name: str, content: bytes) -> str:
        path = f"{self.folder(run)}/{_plain(name)}"
        self.files[path] = content
        return path

    def read(self, run: str, name: str) -> bytes:
        path = f"{self.folder(run)}/{_plain(name)}"
        if path not in self.files:
            raise StoreFault(f"{path} cannot be read: no such file", code="vault")
        return self.files[path]


def _plain(name: str) -> str:
    if not name or name.startswith(".") or "/" in name or "\0" in name:
        raise UsageError(f"{name!r} is no plain name of a file", code="bad-name")
    return name
