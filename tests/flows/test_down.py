"""Taking a platform down while somebody else is at work on it."""

import pytest

from otagate.core.errors import SwitchFault
from tests.flows.scene import raised
from tests.flows.test_environments import PRODUCTION, down


def test_a_steward_of_another_otagate_that_is_at_work_keeps_its_platform() -> None:
    """It did answer: a promotion runs, and `destroy` would take it away under it."""
    scene = raised()

    def at_work(name: str) -> None:
        if name == "lease":
            raise SwitchFault("another otagate's, and a promotion is unfinished", code="version-at-work")

    scene.steward.before = at_work
    with pytest.raises(SwitchFault):
        down(scene, "p")
    assert scene.names() == PRODUCTION
