"""The real plugin and the real conversation with a local process in place of a container: fast, and just as strict."""

import os
import secrets
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from otagate.adapters.pytest_child import arguments, quiet, result, suite_files
from otagate.adapters.suite_talk import ERR, OUT, Talk
from otagate.adapters.suite_tree import read_tree, tree_digest
from otagate.ports import Answer, SuiteResult, SuiteRun, Tell


class LocalChild:
    def __init__(self, root: str, arguments: list[str], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=root,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._process.stdin
        assert self._process.stdout
        assert self._process.stderr
        self._stdin = self._process.stdin.fileno()
        self._open = {self._process.stdout.fileno(): OUT, self._process.stderr.fileno(): ERR}

    def receive(self, seconds: float) -> list[tuple[int, bytes]] | None:
        chunks = []
        for ready in select.select(list(self._open), [], [], seconds)[0]:
            data = os.read(ready, 1 << 16)
            if data:
                chunks.append((self._open[ready], data))
            else:
                del self._open[ready]
        return chunks if self._open or chunks else None

    def send(self, data: bytes) -> None:
        os.write(self._stdin, data)

    def wait(self, seconds: float) -> int | None:
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        self.kill()
        self._process.wait(10)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream:
                stream.close()


class LocalSuites:
    """ports.Suites with a process of this machine per suite."""

    def digest(self, folder: str) -> str:
        return tree_digest(read_tree(folder))

    def run(self, run: SuiteRun, answer: Answer, tell: Tell) -> SuiteResult:
        tree = read_tree(run.folder)
        begun = time.monotonic()
        with tempfile.TemporaryDirectory() as root:
            for path, content in suite_files(run.suite, tree).items():
                Path(root, path).parent.mkdir(parents=True, exist_ok=True)
                Path(root, path).write_bytes(content)
            given = arguments(root, run.suite)
            home = {"PATH": os.environ["PATH"], "HOME": root, "OTAGATE_SECRETS": f"{root}/secrets"}
            Path(root, "secrets").mkdir()
            for name, secret in run.secrets.items():
                Path(root, "secrets", name).write_bytes(secret)
            child = LocalChild(root, given, quiet({**home, **run.environment}))
            try:
                balance = Talk(run, secrets.token_hex(16), given, answer, tell).hold(child)
            finally:
                child.close()
        return result(run, tree, balance, time.monotonic() - begun)
