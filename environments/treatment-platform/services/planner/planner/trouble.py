"""Why a step of the chain did not come off."""


class Trouble(Exception):
    """`code` says which step and why, `http` is the answer's status; `lasting` if asking again would not help."""

    def __init__(self, code: str, message: str, http: int, *, lasting: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.http = http
        self.lasting = lasting
