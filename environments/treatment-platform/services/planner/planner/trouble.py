"""Why a step of the chain did not come off."""

from collections.abc import Mapping


class Trouble(Exception):
    """`code` says which step and why, `http` is the answer's status; `lasting` if asking again would not help;
    `engine` what the engine's answer said of itself, if it was the engine that answered."""

    def __init__(
        self, code: str, message: str, http: int, *, lasting: bool = False, engine: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.http = http
        self.lasting = lasting
        self.engine = dict(engine or {})
