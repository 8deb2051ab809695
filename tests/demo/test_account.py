from otagate.demo.account import After, Flip, Request, account, lines_of

BAD = "sha256:ab"
FLIPS = [Flip(100.0, "green"), Flip(200.0, "blue")]


def http(began: float, colour: str, came: str = "200", ended: float | None = None, build: str = BAD) -> Request:
    return Request("fresh", began, ended if ended is not None else began + 0.01, came, colour, build)


def test_an_answer_of_the_old_colour_after_the_acknowledgement_is_stale() -> None:
    assert account([http(100.5, "blue")], FLIPS, "blue", BAD).stale == 1
    assert account([http(100.5, "green")], FLIPS, "blue", BAD).stale == 0


def test_before_the_flip_the_first_colour_is_right() -> None:
    assert account([http(50, "blue")], FLIPS, "blue", BAD).stale == 0
    assert account([http(50, "green")], FLIPS, "blue", BAD).stale == 1


def test_a_request_under_way_at_the_next_flip_may_be_answered_by_either() -> None:
    log = [http(199.9, "blue", ended=200.1), http(99.9, "green", ended=100.05)]
    assert account(log, FLIPS, "blue", BAD).stale == 0


def test_the_way_back_makes_the_bad_colour_the_old_one() -> None:
    assert account([http(200.5, "green")], FLIPS, "blue", BAD).stale == 1


def test_a_500_of_a_build_is_harm_and_anything_else_but_200_is_failure() -> None:
    log = [
        http(150, "green", "500"),
        Request("fresh", 150, 151, "503", "", ""),
        Request("kept-alive", 150, 151, "ConnectionError", "", ""),
        Request("fresh", 150, 151, "500", "", ""),
        http(150, "green", "404"),
    ]
    counted = account(log, FLIPS, "blue", BAD)
    assert (counted.harmed, counted.failed) == (1, 4)


def test_what_was_acknowledged_over_http_is_owed_as_well() -> None:
    log = [
        Request("store", 1, 2, "0x0000", "blue", "ab", "1.1"),
        Request("fresh", 1, 2, "200", "blue", "ab", "1.2"),
        Request("kept-alive", 1, 2, "200", "blue", "ab", "1.3"),
        Request("kept-alive", 1, 2, "500", "blue", "ab", "1.4"),
        Request("plan", 1, 2, "200", "blue", "ab", "a plan"),
        http(1, "blue"),
    ]
    assert account(log, FLIPS, "blue", BAD).kept == ("1.1", "1.2", "1.3")


def test_recovery_runs_from_the_first_harm_to_the_last_flip() -> None:
    assert account([http(190, "green", "500", ended=190.5)], FLIPS, "blue", BAD).recovery == 9.5
    assert account([], FLIPS, "blue", BAD).recovery is None


def test_cut_associations_and_refused_stores_are_counted() -> None:
    log = [
        Request("store", 1, 2, "0x0000", "blue", "ab", "1.2.3"),
        Request("store", 1, 2, "cut", "blue", "ab", "1.2.4"),
        Request("association", 1, 2, "cut", "blue", "ab"),
        Request("association", 1, 2, "whole", "blue", "ab"),
    ]
    counted = account(log, [], "blue", BAD)
    assert (counted.stores, counted.stores_failed, counted.kept) == (2, 1, ("1.2.3",))
    assert (counted.associations, counted.associations_cut) == (2, 1)
    assert counted.lost(After(missing=0))


def test_nothing_lost_means_nothing_failed_stale_cut_or_missing() -> None:
    clean = account([http(1, "blue")], [], "blue", BAD)
    assert not clean.lost(After(missing=0))
    assert clean.lost(After(missing=1))
    assert clean.lost(After(missing=0, astray=1))
    assert clean.lost(After(missing=0, unplanned=1))


def test_a_500_of_any_other_build_is_a_failure_and_so_is_an_answer_that_does_not_say_whose_it_is() -> None:
    log = [http(150, "green", "500", build="sha256:honest"), http(150, ""), http(150, "green", build="")]
    counted = account(log, FLIPS, "blue", BAD)
    assert (counted.harmed, counted.failed) == (0, 3)


def test_a_read_of_the_archive_needs_no_colour_but_an_answer() -> None:
    log = [Request("read", 1, 2, "200", "", ""), Request("read", 1, 2, "ReadTimeout", "", "")]
    counted = account(log, [], "blue", BAD)
    assert (counted.requests, counted.failed, counted.reads, counted.reads_failed) == (0, 0, 2, 1)
    assert counted.lost(After(missing=0))


def test_only_a_plan_that_was_acknowledged_must_be_at_the_machine() -> None:
    log = [
        Request("plan", 1, 2, "200", "blue", BAD, "1.2.3"),
        Request("plan", 1, 2, "500", "blue", BAD, ""),
        Request("plan", 1, 2, "502", "blue", "sha256:honest", ""),
    ]
    counted = account(log, [], "blue", BAD)
    assert (counted.requests, counted.plans, counted.harmed, counted.failed) == (3, ("1.2.3",), 1, 1)


def test_a_forward_dose_by_the_old_colour_is_stale_too() -> None:
    assert account([Request("forward", 100.5, 100.6, "200", "blue", BAD)], FLIPS, "blue", BAD).stale == 1


def test_plans_are_told_only_where_there_is_a_machine() -> None:
    counted = account([http(1, "blue")], [], "blue", BAD)
    without, with_ = (dict(lines_of(counted, After(0), plans=plans)) for plans in (False, True))
    assert not [name for name in without if "plan" in name]
    assert with_["  not at the machine exactly once"] == "0"


def test_an_association_that_does_not_say_whose_it_is_proves_nothing() -> None:
    log = [
        Request("association", 1, 2, "whole", "", ""),
        Request("association", 1, 2, "whole", "blue", ""),
        Request("association", 1, 2, "whole", "blue", "ab"),
        Request("association", 1, 2, "not established", "", ""),
    ]
    counted = account(log, [], "blue", BAD)
    assert (counted.nameless, counted.associations_cut) == (2, 1)
    assert account(log[:1], [], "blue", BAD).lost(After(missing=0))
    assert not account(log[2:3], [], "blue", BAD).lost(After(missing=0))


def test_a_flip_before_the_harm_was_no_way_back_from_it() -> None:
    counted = account([http(150, "green", "500")], FLIPS[:1], "blue", BAD)
    assert (counted.harmed, counted.recovery) == (1, None)
    told = dict(lines_of(counted, After(0), plans=False))
    assert told["  from the first of them to the way back"] == "it never came"
