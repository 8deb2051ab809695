"""What stands outside a story's production: what is put into it, and the secret that opens the archive."""

import tarfile
from io import BytesIO
from pathlib import Path

from otagate.adapters.secrets import KeptSecrets
from otagate.core.cloud import Binding
from otagate.demo.outside import packed
from otagate.demo.production import Production


def test_files_are_packed_where_they_are_looked_for_and_readable_by_any_user() -> None:
    with tarfile.open(fileobj=BytesIO(packed({"/etc/linac/linac.yaml": b"machine: one\n"}))) as tar:
        (entry,) = tar.getmembers()
        content = tar.extractfile(entry)
        assert content is not None
        assert (entry.name, entry.mode, content.read()) == ("etc/linac/linac.yaml", 0o444, b"machine: one\n")


def test_a_secret_is_productions_own(tmp_path: Path) -> None:
    kept = KeptSecrets(str(tmp_path), {})
    production = Production("clinic", tmp_path, {"vna-web": {"address": "127.0.0.1:8042"}}, {})
    made = kept.of("clinic", Binding.PRODUCTION, "vna-password").decode()
    assert production.secret("vna-password") == made
    assert made != kept.of("clinic", Binding.CANDIDATE, "vna-password").decode()
    assert production.address("vna-web") == "127.0.0.1:8042"
