"""Releases go live only where each reads what the other writes."""

from dataclasses import replace

import pytest

from otagate.core.cloud import Colour
from otagate.core.promotion import Phase
from otagate.core.schema import Schema
from otagate.flows import rollback
from tests.flows.scene import CLAIM, Scene
from tests.flows.test_promote import go, judged, live


@pytest.mark.parametrize(
    ("live_one", "new_one", "refused"),
    [
        (Schema("1", ("1",)), Schema("2", ("1", "2")), "the live release reads web 1, not 2"),
        (Schema("1", ("1",)), Schema("2", ("2",)), "the new release reads web 2, not 1"),
        (Schema("1", ("1", "2")), Schema("2", ("1", "2")), ""),
        (Schema("1", ("1",)), Schema("1", ("1", "2")), ""),
        (None, Schema("2", ("2",)), ""),
    ],
)
def test_a_release_goes_live_only_where_both_read_what_the_other_writes(
    live_one: Schema | None, new_one: Schema, refused: str
) -> None:
    scene = Scene()
    declare(scene, live_one)
    scene.up()
    declare(scene, new_one)
    attempt = go(scene, judged(scene, "hello/web:1.1"))
    if refused:
        assert [o.code for o in attempt.objections] == ["incompatible-schema"]
        assert refused in attempt.objections[0].message
    else:
        assert attempt.record.view.phase is Phase.PROMOTED
        assert scene.steward.status().colours["green"].schemas == {"web": new_one}
        rollback.rollback(scene.platform, scene.ports, CLAIM, wait=0.0)
        assert live(scene) is Colour.BLUE


def declare(scene: Scene, schema: Schema | None) -> None:
    services = dict(scene.platform.services)
    services["web"] = replace(services["web"], schema=schema)
    scene.platform = replace(scene.platform, services=services)
