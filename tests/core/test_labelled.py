from dataclasses import replace

from otagate.core.cloud import LABEL_COLOUR, LABEL_SERVICE, LABEL_SPEC, LABEL_TIER, Binding, Cloud, Colour
from otagate.core.container import Container
from otagate.core.labelled import labels_of, specified
from otagate.core.platform import Tier

PLAIN = Container(name="p-shared-x", image="sha256:1", networks=(), labels={"a": "b"})


def test_the_digest_names_how_it_was_made_and_not_what_it_bears_or_started_after() -> None:
    made = specified(PLAIN)
    assert made.labels["a"] == "b"
    assert specified(replace(PLAIN, labels={"c": "d"})).labels[LABEL_SPEC] == made.labels[LABEL_SPEC]
    assert specified(replace(PLAIN, after=("p-shared-y",))).labels[LABEL_SPEC] == made.labels[LABEL_SPEC]
    assert specified(replace(PLAIN, image="sha256:2")).labels[LABEL_SPEC] != made.labels[LABEL_SPEC]


def test_what_an_object_is_not_it_bears_no_label_of() -> None:
    bare = labels_of("p", Cloud.SHARED, "", Binding.PRODUCTION, None)
    assert not {LABEL_SERVICE, LABEL_TIER, LABEL_COLOUR} & set(bare)
    whole = labels_of("p", Cloud.BLUE, "web", Binding.CANDIDATE, Tier.RELEASE, colour=Colour.BLUE)
    assert {LABEL_SERVICE, LABEL_TIER, LABEL_COLOUR} <= set(whole)
