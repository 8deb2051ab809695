"""The archive's own settings, where others depend on them."""

import json
from inspect import signature
from pathlib import Path

import httpx

SETTINGS = Path(__file__).parents[3] / "environments" / "treatment-platform" / "services" / "vna" / "vna.json"


def test_it_is_not_the_archive_that_closes_an_idle_connection() -> None:
    """Who sends into a connection while the other end closes it gets no answer: the client must be the one to close."""
    kept_by_clients = signature(httpx.Limits).parameters["keepalive_expiry"].default
    assert json.loads(SETTINGS.read_text())["KeepAliveTimeout"] > 2 * kept_by_clients
