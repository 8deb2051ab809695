"""This machine's clock."""

import time
from datetime import UTC, datetime

from otagate.adapters.system import SystemClock


def test_now_is_this_machines_time() -> None:
    assert abs(SystemClock().now() - time.time()) < 1


def test_an_id_is_in_universal_time() -> None:
    made = datetime.strptime(SystemClock().new_id("").partition("-")[0], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)

    assert abs(made.timestamp() - time.time()) < 2
