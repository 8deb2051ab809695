"""A run's report in each form that somebody reads: people a page, CI servers JUnit XML, pull requests Markdown."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from otagate.core.record import PromotionRecord
from otagate.ports import StoredRun


class Render(Protocol):
    """A form of the report: its content and the name of its file. `pictures`: what the suites' pictures hold, by
    digest; one whose file is lost or changed is not in it. `promotions` of the run's release and the rollbacks that
    left it, oldest first."""

    def __call__(
        self, run: StoredRun, promotions: Sequence[PromotionRecord], pictures: Mapping[str, bytes], /
    ) -> tuple[bytes, str]: ...


# Each form is imported when it is asked for: templates and XML are of no use to the other commands.
def _html(run: StoredRun, promotions: Sequence[PromotionRecord], pictures: Mapping[str, bytes]) -> tuple[bytes, str]:
    from otagate.report.html import page

    return page(run, promotions, pictures).encode(), "report.html"


def _junit(run: StoredRun, *_others: object) -> tuple[bytes, str]:
    from otagate.report.junit import document

    return document(run).encode(), "junit.xml"


def _markdown(run: StoredRun, promotions: Sequence[PromotionRecord], *_others: object) -> tuple[bytes, str]:
    from otagate.report.markdown import summary

    return summary(run, promotions).encode(), "summary.md"


FORMATS: Mapping[str, Render] = {"html": _html, "junit": _junit, "markdown": _markdown}
