"""A suite with one case, so that the folder is not empty."""


def test_one_is_one() -> None:
    assert 1 == int("1")
