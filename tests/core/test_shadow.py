"""Two answers compared by a rule, and what a rule says of what was seen."""

from dataclasses import replace

import pytest

from otagate.core.shadow import (
    Body,
    Difference,
    Reply,
    Request,
    ShadowRule,
    ShadowSeen,
    Told,
    beyond_own,
    compare,
    judged,
    read_request,
)

RULE = ShadowRule(5.0, 100, 20, 0, ("content-type",), Body.JSON, ("/build", "/objects/*/kept_by"))
GET = Request("GET", "/objects?patient=4711", ())


def reply(body: bytes = b"{}", code: int = 200, **headers: str) -> Reply:
    return Reply(code, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def places(found: tuple[Difference, ...]) -> list[str]:
    return [difference.place for difference in found]


def test_what_moves_hides_what_stands_below_it_and_nothing_else() -> None:
    found = [Difference(place, "") for place in ("status", "body /a", "body /a/0", "body /ab", "header etag")]
    own = [Difference("body /a", ""), Difference("header etag", "")]
    assert places(beyond_own(found, own)) == ["status", "body /ab"]
    assert places(beyond_own(found, [Difference("body", "")])) == ["status", "header etag"]
    assert places(beyond_own(found, [])) == places(tuple(found))


def test_the_same_answer_differs_nowhere() -> None:
    assert compare(RULE, GET, reply(b'{"a": [1, 2]}'), reply(b'{ "a":[1,2] }')) == ()


@pytest.mark.parametrize(
    ("live", "new", "place"),
    [
        (reply(), reply(code=500), "status"),
        (reply(content_type="a"), reply(content_type="b"), "header content-type"),
        (reply(content_type="a"), reply(), "header content-type"),
        (reply(b'{"dose": 60.0}'), reply(b'{"dose": 59.0}'), "body /dose"),
        (reply(b'{"dose": 60}'), reply(b'{"dose": true}'), "body /dose"),
        (reply(b'{"dose": 1}'), reply(b'{"dose": true}'), "body /dose"),
        (reply(b'{"dose": 60.0}'), reply(b"{}"), "body /dose"),
        (reply(b"{}"), reply(b'{"a/b": 1}'), "body /a~1b"),
        (reply(b"[1, 2]"), reply(b"[1]"), "body"),
        (reply(b'{"o": [{"u": 1}, {"u": 2}]}'), reply(b'{"o": [{"u": 1}, {"u": 3}]}'), "body /o/1/u"),
        (reply(b"{}"), reply(b"no json"), "body"),
        (reply(), replace(reply(), whole=False), "body"),
    ],
)
def test_a_departure_is_told_by_its_place(live: Reply, new: Reply, place: str) -> None:
    found = compare(RULE, GET, live, new)
    assert places(found) == [place]


def test_what_is_declared_may_differ_and_nothing_beside_it() -> None:
    live = reply(b'{"build": "a", "objects": [{"kept_by": "a", "uid": "1"}]}')
    assert compare(RULE, GET, live, reply(b'{"build": "b", "objects": [{"kept_by": "b", "uid": "1"}]}')) == ()
    found = compare(RULE, GET, live, reply(b'{"build": "b", "objects": [{"kept_by": "b", "uid": "2"}]}'))
    assert places(found) == ["body /objects/0/uid"]


def test_no_value_of_an_answer_is_told() -> None:
    found = compare(RULE, GET, reply(b'{"name": "Phantom"}'), reply(b'{"name": "Other"}'))
    assert "Phantom" not in str(found)
    assert ShadowSeen().with_compared(GET, found).examples[0].path == "/objects"


def test_bytes_are_compared_exactly_or_not_at_all() -> None:
    exact, none = replace(RULE, body=Body.EXACT), replace(RULE, body=Body.NONE)
    assert places(compare(exact, GET, reply(b"{}"), reply(b"{ }"))) == ["body"]
    assert compare(none, GET, reply(b"{}"), reply(b"[1]")) == ()
    head = replace(GET, method="HEAD")
    assert compare(exact, head, reply(b"a"), reply(b"b")) == ()


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (ShadowSeen(), Told.UNKNOWN),
        (ShadowSeen(compared=19), Told.UNKNOWN),
        (ShadowSeen(compared=20), Told.PASS),
        (ShadowSeen(compared=3, differing=1), Told.FAIL),
        (ShadowSeen(compared=50, differing=1), Told.FAIL),
        (ShadowSeen(moving=500), Told.UNKNOWN),
    ],
)
def test_nothing_compared_is_unknown_and_a_difference_a_fail(seen: ShadowSeen, told: Told) -> None:
    word = judged(RULE, seen)
    assert word.told is told
    assert word.refuses
    assert not judged(replace(RULE, unexplained=None), seen).refuses


def test_so_many_as_are_declared_may_differ() -> None:
    assert judged(replace(RULE, unexplained=2), ShadowSeen(compared=50, differing=2)).told is Told.PASS
    assert judged(replace(RULE, unexplained=2), ShadowSeen(compared=50, differing=3)).told is Told.FAIL


def test_a_request_is_read_without_what_belongs_to_one_hop() -> None:
    raw = b"GET /objects?limit=1\nhost: a.example\nConnection: keep-alive\naccept: application/json\ncookie: x=y: z"
    assert read_request(raw) == Request(
        "GET", "/objects?limit=1", (("host", "a.example"), ("accept", "application/json"), ("cookie", "x=y: z"))
    )


@pytest.mark.parametrize("raw", [b"POST /objects", b"", b"GET http://x/", b"GET /a b", b"GET /\nno header", b"\xff"])
def test_what_is_no_safe_request_is_none(raw: bytes) -> None:
    with pytest.raises(ValueError, match="no "):
        read_request(raw)
