"""What every keeper of secrets keeps to."""

from itertools import product
from pathlib import Path

import pytest

from otagate.adapters.secrets import KeptSecrets
from otagate.core.cloud import Binding
from otagate.ports import Secrets
from tests.fakes.secrets import FakeSecrets


@pytest.fixture(params=["fake", "kept"])
def keeper(request: pytest.FixtureRequest, tmp_path: Path) -> Secrets:
    return FakeSecrets() if request.param == "fake" else KeptSecrets(str(tmp_path / "home"), {})


def test_a_secret_is_made_at_the_first_call_and_stays(keeper: Secrets) -> None:
    made = keeper.of("hello", Binding.PRODUCTION, "store-password")

    assert len(made) == 32
    assert made.decode().isascii()
    assert keeper.of("hello", Binding.PRODUCTION, "store-password") == made


def test_no_two_places_share_a_secret(keeper: Secrets) -> None:
    places = list(product(["hello", "other"], Binding, ["store-password", "api-key"]))

    assert len({keeper.of(*place) for place in places}) == len(places)


def test_forgetting_is_for_one_platform_and_may_be_repeated(keeper: Secrets) -> None:
    mine = keeper.of("hello", Binding.PRODUCTION, "store-password")
    other = keeper.of("other", Binding.PRODUCTION, "store-password")

    keeper.forget("hello")
    keeper.forget("hello")
    keeper.forget("never-seen")

    assert keeper.of("other", Binding.PRODUCTION, "store-password") == other
    assert keeper.of("hello", Binding.PRODUCTION, "store-password")
    assert mine
