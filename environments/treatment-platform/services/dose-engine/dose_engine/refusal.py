"""What the engine says when it will not compute."""


class Refusal(Exception):
    """The input is not fit to compute on; `code` is one of docs/dose-engine.md, `http` the answer's status.

    The message names identifiers and figures, never a person.
    """

    def __init__(self, code: str, message: str, http: int = 422) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.http = http
