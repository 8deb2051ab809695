"""The edge's images: named by all they are made from, and the steward's holds just what it runs."""

import ast
import io
import json
import sys
import tarfile
from pathlib import Path
from typing import Any

import docker
import pytest

import otagate
from otagate.adapters import images
from otagate.adapters.images import edge_images, source_digest, steward_files
from otagate.core.errors import EngineFault


def test_the_steward_is_made_from_the_source_that_runs() -> None:
    package = Path(otagate.__file__).parent
    for name, content in steward_files().items():
        if name.startswith("otagate/"):
            assert content == (package / name.removeprefix("otagate/")).read_bytes()


def test_it_holds_all_that_it_imports_and_no_adapter_but_its_three() -> None:
    files = steward_files()
    ours = {name for name in files if name.endswith(".py")}
    for name in ours:
        for node in ast.walk(ast.parse(files[name])):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("otagate"):
                path = str(node.module).replace(".", "/")
                found = {f"{path}.py", *(f"{path}/{alias.name}.py" for alias in node.names)} & ours
                assert found, f"{name} imports {node.module}"
    assert {name for name in ours if name.startswith("otagate/adapters/")} == {
        "otagate/adapters/__init__.py",
        "otagate/adapters/haproxy.py",
        "otagate/adapters/probe.py",
        "otagate/adapters/verification.py",
    }


def test_what_it_imports_from_others_is_pinned_with_hashes() -> None:
    files = steward_files()
    pinned = {line.split("==")[0] for line in files["requirements.txt"].decode().splitlines() if "==" in line}
    assert b"--require-hashes" in files["Dockerfile"]
    imported = {
        root
        for name, content in files.items()
        if name.endswith(".py")
        for node in ast.walk(ast.parse(content))
        for root in roots(node)
    }
    assert imported - set(sys.stdlib_module_names) - {"otagate"} <= pinned


def roots(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [(node.module or "").split(".")[0]]
    return [alias.name.split(".")[0] for alias in node.names] if isinstance(node, ast.Import) else []


def test_another_source_has_another_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = source_digest()
    assert source_digest() == before
    changed = {**steward_files(), "otagate/core/watch.py": b"# changed\n"}
    monkeypatch.setattr(images, "steward_files", lambda: changed)
    assert source_digest() != before


def test_the_context_is_the_same_bytes_each_time() -> None:
    packed = images._packed(steward_files()).getvalue()
    assert packed == images._packed(steward_files()).getvalue()
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        assert {entry.uid for entry in archive} == {0}


class Engine:
    """Just enough of an engine's client: what `images` asks of it."""

    def __init__(self, present: dict[str, str], stream: list[dict[str, Any]]) -> None:
        self.present = present
        self.stream = stream
        self.built: list[dict[str, Any]] = []
        self.images = self.api = self

    def get(self, reference: str) -> Any:
        if reference not in self.present:
            raise docker.errors.ImageNotFound("none")
        return type("Image", (), {"id": self.present[reference]})

    def build(self, **options: Any) -> Any:
        self.built.append(options)
        if not any("error" in event for event in self.stream):
            self.present[options["tag"]] = f"sha256:{len(self.present)}"
        return iter(self.stream)


def test_without_a_base_image_it_says_what_makes_one() -> None:
    with pytest.raises(EngineFault) as missing:
        edge_images(Engine({}, []))  # type: ignore[arg-type]
    assert missing.value.code == "no-base-image"
    assert "make setup" in missing.value.hint


def test_what_is_there_from_the_same_inputs_is_not_made_again() -> None:
    engine = Engine({images.BASE: "sha256:base", images.PYTHON: "sha256:python"}, [{"stream": "done"}])
    first = edge_images(engine)  # type: ignore[arg-type]
    assert len(engine.built) == 3
    assert edge_images(engine) == first  # type: ignore[arg-type]
    assert len(engine.built) == 3
    engine.present[images.BASE] = "sha256:newer base"
    assert edge_images(engine).switch != first.switch  # type: ignore[arg-type]


def test_the_stewards_image_says_which_source_it_is_from() -> None:
    engine = Engine({images.BASE: "sha256:base", images.PYTHON: "sha256:python"}, [])
    made = edge_images(engine)  # type: ignore[arg-type]
    (steward,) = [built for built in engine.built if built["tag"].startswith("otagate/steward:")]
    assert steward["buildargs"]["SOURCE"] == steward["labels"]["otagate.source"] == made.source == source_digest()


def test_a_build_that_fails_ends_in_its_own_last_words() -> None:
    stream = [{"stream": f"step {n}"} for n in range(50)] + [{"error": "no space left on device"}]
    with pytest.raises(EngineFault) as failed:
        edge_images(Engine({images.BASE: "sha256:base", images.PYTHON: "sha256:p"}, stream))  # type: ignore[arg-type]
    assert "could not be built: no space left on device" in failed.value.message
    assert "step 49" in failed.value.message
    assert "step 3\n" not in failed.value.message


@pytest.mark.docker
def test_in_a_real_engine_they_are_made_once_unprivileged_and_of_this_source(engine: docker.DockerClient) -> None:
    made = edge_images(engine)
    assert edge_images(engine) == made
    for identity in (made.switch, made.holder, made.steward):
        config = engine.images.get(identity).attrs["Config"]
        assert config["User"] == "65534:65534"
    environment = engine.images.get(made.steward).attrs["Config"]["Env"]
    assert f"OTAGATE_SOURCE={source_digest()}" in environment
    usage = engine.containers.run(made.steward, ["nonsense"], remove=True, stderr=True, detach=False, entrypoint=[
        "python", "-c", "import json, otagate.steward.run, otagate.steward.session; print(json.dumps('imports'))"
    ])  # fmt: skip
    assert json.loads(usage) == "imports"
