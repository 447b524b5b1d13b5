"""Health in words, metrics, rate limits, the feed of blocks: what operators and their tools see."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.errors import CivregError
from keys.hashing import sha256
from node.health import Health, Level
from node.machine_findings import (
    CERTIFICATE_BAD_MS,
    CERTIFICATE_WARN_MS,
    DISK_BAD_BYTES,
    DISK_WARN_BYTES,
    DISK_WARN_S,
    LOG_WARN_BYTES,
    check_certificate,
    check_disk,
    check_exposed,
    check_log,
    check_pool,
    check_skew,
)
from node.metrics import LABELED_MAX, Histogram, Metric, Metrics
from node.network_findings import (
    REPLACED_MS,
    STUCK_BAD_MS,
    STUCK_ROUNDS,
    STUCK_WARN_MS,
    check_behind,
    check_conduct,
    check_equivocation,
    check_known,
    check_lagging,
    check_peer_clock,
    check_peers,
    check_permission,
    check_progress,
    check_round,
    check_silent,
    check_votes,
)
from node.problems import problem_of
from node.public_errors import NotFoundError, TooManyRequestsError
from node.rate_limits import RateLimits
from node.round_watch import Awaited, RoundView
from node.waiting import Place, Refusals, Waiting
from registry.errors import StaleVersionError


def level(finding):
    return Level.OK if finding is None else finding.level


def a_round(number=0, height_ms=0, waits_for=Awaited.PREVOTES):
    return RoundView(7, number, "prevote", height_ms, height_ms, waits_for, (2,), 2, 3, True)  # noqa: FBT003


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (check_disk(DISK_WARN_BYTES), Level.OK),
        (check_disk(DISK_WARN_BYTES - 1), Level.WARN),
        (check_disk(DISK_BAD_BYTES - 1), Level.BAD),
        (check_disk(DISK_WARN_BYTES, DISK_WARN_S), Level.OK),
        (check_disk(DISK_WARN_BYTES, DISK_WARN_S - 1), Level.WARN),
        (check_skew(None, 0, 500), Level.OK),
        (check_skew(249, 0, 500), Level.OK),
        (check_skew(-250, 0, 500), Level.WARN),
        (check_skew(250, 1, 500), Level.OK),
        (check_skew(500, 0, 500), Level.BAD),
        (check_pool((79, 100), (0, 100)), Level.OK),
        (check_pool((80, 100), (0, 100)), Level.WARN),
        (check_pool((0, 100), (80, 100)), Level.WARN),
        (check_pool((9, 100), (0, 100), (9, 10)), Level.OK),
        (check_pool((10, 100), (0, 100), (10, 10)), Level.WARN),
        (check_log(LOG_WARN_BYTES - 1), Level.OK),
        (check_log(LOG_WARN_BYTES), Level.WARN),
        (check_exposed(()), Level.OK),
        (check_exposed(("keys/peer.pem",)), Level.BAD),
        (check_certificate("site.pem", CERTIFICATE_WARN_MS), Level.OK),
        (check_certificate("site.pem", CERTIFICATE_WARN_MS - 1), Level.WARN),
        (check_certificate("site.pem", CERTIFICATE_BAD_MS - 1), Level.BAD),
        (check_certificate("site.pem", -1), Level.BAD),
        (check_certificate("site.pem", None), Level.WARN),
        (check_peers(4, 3, 4, ()), Level.OK),
        (check_peers(3, 3, 4, ("land",)), Level.WARN),
        (check_peers(2, 3, 4, ("land", "bank")), Level.BAD),
        (check_known(3, 0, REPLACED_MS), Level.BAD),
        (check_known(3, 0, REPLACED_MS - 1), Level.OK),
        (check_known(3, 1, REPLACED_MS), Level.OK),
        (check_known(0, 0, REPLACED_MS), Level.OK),
        (check_silent(()), Level.OK),
        (check_silent(("land",)), Level.WARN),
        (check_progress(2_999, 1_000, 0), Level.OK),
        (check_progress(3_000, 1_000, 5), Level.BAD),
        (check_behind(9, 10), Level.OK),
        (check_behind(8, 10), Level.WARN),
        (check_round(a_round(-1, STUCK_BAD_MS), ()), Level.OK),
        (check_round(a_round(0, STUCK_WARN_MS - 1), ("land",)), Level.OK),
        (check_round(a_round(0, STUCK_WARN_MS), ("land",)), Level.WARN),
        (check_round(a_round(STUCK_ROUNDS), ("land",)), Level.WARN),
        (check_round(a_round(0, STUCK_BAD_MS), ("land",)), Level.BAD),
        (check_votes((), 10), Level.OK),
        (check_votes(("land",), 10), Level.WARN),
        (check_lagging((), 9), Level.OK),
        (check_lagging((("land", 2),), 9), Level.WARN),
        (check_conduct("land", 0, 0, "x"), Level.OK),
        (check_conduct("land", 1, 0, "keys.bad_signature"), Level.WARN),
        (check_conduct("land", 0, 1, "keys.bad_signature"), Level.WARN),
        (check_equivocation(()), Level.OK),
        (check_equivocation(("land",)), Level.BAD),
        (check_peer_clock("land", 509, 10, 500), Level.OK),
        (check_peer_clock("land", -510, 10, 500), Level.WARN),
        (check_permission(is_asking=False, votes_from=5, height=5), Level.OK),
        (check_permission(is_asking=False, votes_from=6, height=5), Level.WARN),
        (check_permission(is_asking=True, votes_from=5, height=5), Level.WARN),
    ],
)
def test_what_is_announced_and_how_loudly(found, expected):
    assert level(found) is expected
    if found is not None:
        shown = found.to_json()
        assert {*shown["cause"], *shown["cure"]} == {"vi", "en"}
        assert all([*shown["cause"].values(), *shown["cure"].values()])
        assert shown["cause"]["vi"] != shown["cause"]["en"]


@pytest.mark.parametrize(
    "found",
    [
        check_round(a_round(0, STUCK_BAD_MS), ("Land",)),
        check_votes(("Land",), 10),
        check_lagging((("Land", 2),), 9),
        check_conduct("Land", 1, 0, "keys.bad_signature"),
        check_peers(3, 3, 4, ("Land",)),
        check_silent(("Land",)),
        check_equivocation(("Land",)),
        check_peer_clock("Land", 900, 0, 500),
    ],
)
def test_what_another_node_does_is_said_with_its_name_in_both_languages(found):
    assert all("Land" in text for text in found.cause)


def test_the_worst_finding_is_the_word_and_comes_first():
    health = Health([lambda: (None, check_disk(DISK_BAD_BYTES)), lambda: (check_disk(0),)])
    assert (health.word(), health.findings()[0].level) == (Level.BAD, Level.BAD)
    assert Health([lambda: (None,)]).word() is Level.OK


def test_metrics_are_in_the_text_format():
    metric = Metric("civreg_x_total", "counter", "Help.")
    metric.add(1, code='a"b\\c\n')
    metric.add(2, code="plain")
    assert list(metric.lines()) == [
        "# HELP civreg_x_total Help.",
        "# TYPE civreg_x_total counter",
        r'civreg_x_total{code="a\"b\\c\n"} 1',
        'civreg_x_total{code="plain"} 2',
    ]


def test_labels_from_outside_cannot_grow_a_metric_without_bound():
    metric = Metric("civreg_x_total", "counter", "Help.")
    for number in range(LABELED_MAX + 100):
        metric.add(1, code=str(number))
    assert metric.value(code="other") == 100
    assert len(list(metric.lines())) == LABELED_MAX + 3


@given(st.lists(st.floats(0, 100)))
def test_a_histogram_counts_every_observation_once(values):
    histogram = Histogram("h", (0.5, 1.0, 10.0), "Help.")
    for value in values:
        histogram.observe(value)
    lines = dict(line.rsplit(" ", 1) for line in histogram.lines() if not line.startswith("#"))
    for bound in (0.5, 1.0, 10.0):
        assert int(lines[f'h_bucket{{le="{bound}"}}']) == sum(value <= bound for value in values)
    assert int(lines['h_bucket{le="+Inf"}']) == int(lines["h_count"]) == len(values)


def test_all_metrics_render():
    text = Metrics().render()
    assert text.endswith("\n")
    assert "civreg_finality_seconds_count 0" in text


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 500)), max_size=60))
def test_no_address_gets_more_than_rate_and_burst(requests):
    limits, now_ms = RateLimits(2, 3), 0
    granted: dict[str, int] = {}
    started: dict[str, int] = {}
    for address, passed_ms in requests:
        now_ms += passed_ms
        started.setdefault(address, now_ms)
        if limits.take(address, now_ms) == 0:
            granted[address] = granted.get(address, 0) + 1
    for address, count in granted.items():
        assert count <= 3 + 2 * (now_ms - started[address]) / 1_000


def test_who_must_wait_gets_in_after_that_time_and_not_before():
    limits = RateLimits(2, 1)
    assert limits.take("a", 0) == 0
    wait_ms = limits.take("a", 0)
    assert wait_ms == 500
    assert limits.take("a", wait_ms - 1) == 1
    assert limits.take("a", wait_ms) == 0
    assert limits.take("b", 0) == 0


def test_buckets_are_bounded():
    limits = RateLimits(addresses_max=2)
    for name in "abcd":
        limits.take(name, 0)
    assert len(limits) == 2


def test_refusals_are_bounded_and_hold_no_frames():
    refusals = Refusals(refusals_max=2)
    for number in range(3):
        try:
            raise NotFoundError("x")
        except CivregError as error:
            refusals.put(sha256(bytes([number])), error)
    assert len(refusals) == 2
    assert refusals.get(sha256(b"\x00")) is None
    kept = refusals.get(sha256(b"\x02"))
    assert kept is not None
    assert kept.__traceback__ is None


def test_each_waiter_is_answered_once_and_removed_ones_never():
    waiting = Waiting()
    told: list[object] = []
    gone = told.append
    waiting.add(sha256(b"e"), gone)
    waiting.remove(sha256(b"e"), gone)
    waiting.add(sha256(b"e"), lambda answer: told.append(("kept", answer)))
    for _ in range(2):
        waiting.answer(sha256(b"e"), Place(1, 2, None))
    waiting.remove(sha256(b"e"), gone)
    assert (told, len(waiting)) == ([("kept", Place(1, 2, None))], 0)


def test_a_problem_has_its_code_its_details_and_when_to_come_back():
    problem = problem_of(StaleVersionError("old", version=7))
    assert (problem.status, problem.document["code"]) == (409, "registry.stale_version")
    assert problem.document["version"] == 7
    assert problem_of(TooManyRequestsError("slow", retry_after_s=9)).headers["Retry-After"] == "9"


def test_details_cannot_overwrite_the_members_of_a_problem():
    problem = problem_of(NotFoundError("x", status=200, code="fine", title="y"))
    assert (problem.document["status"], problem.document["code"]) == (404, "node.not_found")
