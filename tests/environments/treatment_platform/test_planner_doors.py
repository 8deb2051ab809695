"""How scans come in, and what a planner must be told before it starts."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from phantoms.objects import ct_slices, encode
from phantoms.study import Study
from planner.dicom import DicomServer
from planner.settings import Protocol, Settings, parse_protocol, read_settings
from pydicom import Dataset, dcmread
from pynetdicom import AE

from tests.environments.treatment_platform.hospital import CT_IMAGE, IDENTITY, SOON, USUAL, Hospital, Parts


@pytest.fixture
def receiver(parts: Parts) -> Iterator[int]:
    settings = Settings(
        identity=IDENTITY,
        archive="",
        credentials=("", ""),
        engine="",
        linac=("", 0),
        title="PLANNER",
        machine="LINAC",
        protocol=Protocol(("SCANNER",), USUAL),
    )
    server = DicomServer(settings, parts.archive, parts.worker.arrived)
    yield server.start(("127.0.0.1", 0))
    server.close(1.0)


def scanner(title: str = "SCANNER") -> AE:
    ae = AE(ae_title=title)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = SOON
    ae.add_requested_context(CT_IMAGE, "1.2.840.10008.1.2.1")
    return ae


def scanned(study: Study, plane: int) -> Dataset:
    return dcmread(BytesIO(encode(ct_slices(study)[plane])))


def test_a_scan_is_acknowledged_once_the_archive_has_it(receiver: int, hospital: Hospital, study: Study) -> None:
    association = scanner().associate("127.0.0.1", receiver, ae_title="PLANNER")
    slices = [scanned(study, plane) for plane in range(3)]
    statuses = [association.send_c_store(one).Status for one in slices]
    assert association.acceptor.implementation_version_name == "b-cdcdcdcdcdcd"
    association.release()
    assert statuses == [0, 0, 0]
    assert len(hospital.stored) == 3


def test_a_scan_that_the_archive_does_not_take_is_not_acknowledged(
    receiver: int, hospital: Hospital, study: Study
) -> None:
    hospital.down = True
    association = scanner().associate("127.0.0.1", receiver, ae_title="PLANNER")
    status = association.send_c_store(scanned(study, 0)).Status
    association.release()
    assert status == 0xA700


def test_a_stranger_gets_no_association(receiver: int) -> None:
    association = scanner("STRANGER").associate("127.0.0.1", receiver, ae_title="PLANNER")
    assert association.is_rejected


@pytest.mark.parametrize(
    "text", ["", "callers: []\nplan: {}", "callers: [A]\nplan: {}", "callers: ['A\\B']\nplan: {prescription: {}}", "[]"]
)
def test_a_configuration_that_leaves_something_open_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each with its own words
        parse_protocol(text)


def test_settings_that_are_not_there_are_missed(tmp_path: Any) -> None:
    secret, config = tmp_path / "secret", tmp_path / "planner.yaml"
    secret.write_text("word\n")
    config.write_text("callers: [SCANNER]\nplan: {prescription: {roi: PTV, dose: 50, fractions: 25}}\n")
    environ = {"VNA_PASSWORD_FILE": str(secret), "PLANNER_CONFIG": str(config), "VNA_URL": "http://vna"}
    with pytest.raises(KeyError):
        read_settings(environ)
    found = read_settings({**environ, "ENGINE_URL": "http://engine", "LINAC_HOST": "linac"})
    assert found.credentials == ("clinic", "word")
    assert found.linac == ("linac", 11112)
