"""Images: made when something they depend on has changed, and only then."""

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import ImageNotFound

from otagate.core.cloud import LABEL_PLATFORM
from otagate.core.errors import EngineFault
from scripts.builds import Recipe, context_archive, context_files, ensure_image, inputs_digest, parents_of

TAG = "t-setup/tiny:1"


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\nARG WORD=one\nCOPY kept /kept\n")
    (folder / "kept").write_text("content")
    (folder / ".dockerignore").write_text("# what is not the image's\n\nnotes\n**/__pycache__\n")
    (folder / "notes").write_text("not for the image")
    (folder / "deep" / "__pycache__").mkdir(parents=True)
    (folder / "deep" / "__pycache__" / "x.pyc").write_text("")
    return folder


def test_ignored_files_are_no_part_of_the_context(context: Path) -> None:
    assert [str(path) for path in context_files(context)] == [".dockerignore", "Dockerfile", "kept"]


def test_an_ignored_file_changes_nothing(context: Path) -> None:
    before = inputs_digest(Recipe(TAG, context), {})
    (context / "notes").write_text("quite different")
    assert inputs_digest(Recipe(TAG, context), {}) == before


def test_the_time_of_a_file_changes_nothing(context: Path) -> None:
    before = inputs_digest(Recipe(TAG, context), {}), context_archive(context).getvalue()
    os.utime(context / "kept", (1, 1))
    assert (inputs_digest(Recipe(TAG, context), {}), context_archive(context).getvalue()) == before


def test_content_mode_argument_label_and_parent_each_change_the_digest(context: Path) -> None:
    seen = {inputs_digest(Recipe(TAG, context), {})}
    seen.add(inputs_digest(Recipe(TAG, context, {"WORD": "two"}), {}))
    seen.add(inputs_digest(Recipe(TAG, context, {}, {LABEL_PLATFORM: "t-setup"}), {}))
    seen.add(inputs_digest(Recipe(TAG, context), {"otagate/base:13": "sha256:1"}))
    (context / "kept").chmod(0o755)
    seen.add(inputs_digest(Recipe(TAG, context), {}))
    (context / "kept").write_text("other content")
    seen.add(inputs_digest(Recipe(TAG, context), {}))
    (context / "more").symlink_to("kept")
    seen.add(inputs_digest(Recipe(TAG, context), {}))
    assert len(seen) == 7


def test_the_archive_holds_the_context_without_owners(context: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(context_archive(context).getvalue())) as archive:
        entries = {entry.name: (entry.uid, entry.uname, entry.mtime) for entry in archive}
    assert entries == dict.fromkeys((".dockerignore", "Dockerfile", "kept"), (0, "", 0))


def test_a_folder_without_a_dockerfile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineFault, match="there is no "):
        parents_of(docker.DockerClient("unix:///nowhere", version="1.41"), tmp_path)


@pytest.fixture
def tidy(engine: docker.DockerClient) -> Iterator[None]:
    yield
    try:
        engine.images.remove(TAG, force=True)
    except ImageNotFound:
        return


@pytest.mark.docker
@pytest.mark.usefixtures("tidy")
def test_an_image_is_built_once_and_again_when_its_arguments_change(engine: docker.DockerClient, context: Path) -> None:
    recipe = Recipe(TAG, context, {}, {LABEL_PLATFORM: "t-setup"})
    assert ensure_image(engine, recipe)
    assert not ensure_image(engine, recipe)
    assert ensure_image(engine, Recipe(TAG, context, {"WORD": "two"}, recipe.labels))
    assert engine.images.get(TAG).labels[LABEL_PLATFORM] == "t-setup"


@pytest.mark.docker
@pytest.mark.usefixtures("tidy")
def test_an_image_is_built_again_when_the_one_it_starts_from_changed(
    engine: docker.DockerClient, context: Path, tmp_path: Path
) -> None:
    ensure_image(engine, Recipe(TAG, context))
    child = tmp_path / "child"
    child.mkdir()
    (child / "Dockerfile").write_text(f"FROM {TAG}\nCOPY Dockerfile /again\n")
    first = parents_of(engine, child)
    (context / "kept").write_text("other content")
    ensure_image(engine, Recipe(TAG, context))
    assert first[TAG] != parents_of(engine, child)[TAG]
