import pytest

from otagate.core.fronts import FrontCount, read_fronts

STAT = """\
# pxname,svname,scur,stot,
web,FRONTEND,3,633,
web_blue,s1,1,9,
web_blue,BACKEND,1,9,
dicom,FRONTEND,1,1,
"""


def test_doors_alone_are_counted() -> None:
    assert read_fronts(STAT) == {"web": FrontCount(3, 633), "dicom": FrontCount(1, 1)}


@pytest.mark.parametrize("text", ["", "Unknown command", STAT.replace("633", "many")])
def test_what_is_no_count_is_no_zero(text: str) -> None:
    with pytest.raises(ValueError, match=r"no statistics|invalid literal"):
        read_fronts(text)
