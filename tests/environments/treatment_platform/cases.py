"""The suites' own modules, for tests of what their cases let pass and what not."""

import importlib
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType

import pytest

from tests.environments.treatment_platform.test_suites import SUITES

Ask = Callable[[], None]


@contextmanager
def modules(suite: str, *names: str) -> Iterator[dict[str, ModuleType]]:
    """Of one suite and of what both share, under the names that they import one another by."""
    with pytest.MonkeyPatch.context() as patch:
        for folder in (SUITES, SUITES / suite):
            patch.syspath_prepend(str(folder))
        for name in names:
            patch.delitem(sys.modules, name, raising=False)
        yield {name: importlib.import_module(name) for name in names}
        for name in names:
            del sys.modules[name]


def said(ask: Ask) -> str:
    """What a case said when it failed; "" where it passed. Whatever is raised fails a case; a warning does not."""
    try:
        with warnings.catch_warnings(action="ignore"):
            ask()
    except (pytest.fail.Exception, Exception) as error:
        return str(error) or type(error).__name__
    return ""


def caught(asked: Mapping[str, Ask]) -> set[str]:
    """Which of the cases fail."""
    return {name for name, ask in asked.items() if said(ask)}
