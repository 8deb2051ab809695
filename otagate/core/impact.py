"""What a failure does to treatment: one question, five classes.

Source: built on the words of PRISMA-RT and the severity idea of DCB0129; the class answers "what happens to which
patient, by when", never "which priority".
"""

from enum import StrEnum


class Impact(StrEnum):
    K0 = "K0"
    K1 = "K1"
    K2 = "K2"
    K3 = "K3"
    K4 = "K4"

    @property
    def meaning(self) -> str:
        return MEANINGS[self]


MEANINGS = {
    Impact.K0: "a wrong treatment is possible and may go unseen",
    Impact.K1: "treatment stands still",
    Impact.K2: "today's fraction is in danger",
    Impact.K3: "next sessions or new starts are late",
    Impact.K4: "administrative, no effect on treatment within five days",
}
