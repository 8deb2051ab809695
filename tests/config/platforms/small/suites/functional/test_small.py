"""A suite with one case, so that the folder is not empty."""


def test_one_is_one() -> None:
    assert int("1") == 1
