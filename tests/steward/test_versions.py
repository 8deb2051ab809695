"""A steward and a command line of different otagates."""

from tests.steward.test_serve import CLAIM, Serving, intent, serving

__all__ = ["serving"]


def test_what_is_asked_by_another_otagate_is_not_done(serving: Serving) -> None:
    line = serving.line(hello=False)
    assert line.refused("status")["message"] == "say hello first"
    error = line.refused("hello", source="sha256:" + "b" * 64)
    assert error["code"] == "version"
    assert "otagate up" in error["hint"]
    assert line.refused("status")["message"] == "say hello first"


def test_another_otagate_may_not_renew_a_steward_that_is_at_work(serving: Serving) -> None:
    holder, other = serving.line(), serving.line(hello=False)
    holder.ask("acquire", claim=CLAIM, wait=0)
    error = other.refused("hello", source="sha256:" + "b" * 64)
    assert (error["code"], "holds the platform lease" in error["message"]) == ("version-at-work", True)
    holder.ask("begin", intent=intent("p-1"))
    holder.ask("release")
    error = other.refused("hello", source="sha256:" + "b" * 64)
    assert (error["code"], "p-1 of alice is unfinished: preflight" in error["message"]) == ("version-at-work", True)
