"""images.yaml: read whole, or refused with every problem."""

from pathlib import Path

import pytest

from otagate.core.cloud import LABEL_PLATFORM
from otagate.core.errors import ConfigError
from scripts.platforms import declarations, read_declaration

ROOT = Path(__file__).resolve().parents[2]


def declared(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "otagate.yaml").write_text("platform: t-named\n")
    path = folder / "images.yaml"
    path.write_text(text)
    return path


def test_images_and_data_are_read(tmp_path: Path) -> None:
    text = f"""
images: [{{image: "a/b:1", context: services/b, args: {{WORD: "1"}}}}]
data: [{{package: p, version: 1.0.0, sha256: {"a" * 64}, take: ["*.dcm"], into: data}}]
"""
    found = read_declaration(declared(tmp_path / "p", text))
    (image,), (data,) = found.images, found.data
    assert (image.tag, image.args) == ("a/b:1", {"WORD": "1"})
    assert image.context == (tmp_path / "p" / "services" / "b").resolve()
    assert data.into == (tmp_path / "p" / "data").resolve()


def test_images_bear_the_name_the_platform_gives_itself(tmp_path: Path) -> None:
    found = read_declaration(declared(tmp_path / "folder", 'images: [{image: "a/b:1", context: b}]'))
    assert found.images[0].labels == {LABEL_PLATFORM: "t-named"}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("images: [{image: a/b, context: b, arg: {}}]", "images.0.arg"),
        ("images: [{image: a/b}]", "images.0.context"),
        ("images: [{image: a/b, context: b, args: {WORD: 1}}]", "images.0.args.WORD"),
        ("image: []", "image"),
        ("data: [{package: p, version: '1', sha256: abc, take: [a], into: d}]", "data.0.sha256"),
        (f"data: [{{package: p, version: '1', sha256: {'a' * 64}, take: [], into: d}}]", "data.0.take"),
        ("images: [{image: a/b, context: ../elsewhere}]", "images.0.context"),
        ("images: [{image: a/b, context: /etc}]", "images.0.context"),
        ("images: [{image: a/b, context: .}]", "images.0.context"),
        ("[]", ""),
    ],
)
def test_what_is_wrong_is_named_by_its_path(tmp_path: Path, text: str, path: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read_declaration(declared(tmp_path / "p", text))
    assert [problem.path for problem in raised.value.problems] == [path]
    assert "make setup" in raised.value.hint


def test_a_file_that_is_not_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        read_declaration(declared(tmp_path / "p", "images: []\ndata: [\n"))
    assert raised.value.problems[0].at is not None
    assert raised.value.problems[0].at.line == 3


def test_every_shipped_declaration_can_be_read() -> None:
    assert declarations(ROOT / "environments")
