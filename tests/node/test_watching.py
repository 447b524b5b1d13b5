"""What operators read: clocks of peers, rounds that stand, what peers say, files and disks."""

import datetime as dt
import resource

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from consensus.engine import begin, step
from consensus.events import PoolNotEmpty, StartHeight
from consensus.messages import Phase, SignedVote, Status, VoteType
from consensus.parameters import LAN
from consensus.schedule import round_robin
from consensus.state import Identity
from ledger.canonical import encode
from ledger.errors import InvalidDataError
from ledger.ids import AgencyId
from node.clock_watch import CLOCK_PATH, SAMPLE_AGE_MS_MAX, ClockWatch, parse_answer
from node.disk_trend import EVERY_MS, SPAN_MS_MIN, DiskTrend
from node.file_limits import raise_file_limit
from node.file_watch import certificate_end_ms, exposed_files, file_bytes
from node.logs import SilentLog
from node.peer_reports import PeerReports
from node.round_watch import Awaited, RoundWatch
from tests.node.invented_ports import InventedNetwork, InventedTimers
from tests.node.invented_world import AGENCIES, GENESIS_MS, VALIDATORS
from tests.node.public_town import HandClock

PEERS = [AgencyId(bytes([number]) * 16) for number in range(1, 4)]


class Clocks:
    """Our watch, and peers whose clocks are off by given numbers."""

    def __init__(self, offsets_ms, trips_ms=(0, 0, 0)):
        self.clock = HandClock()
        self.network = InventedNetwork(PEERS[: len(offsets_ms)])
        self.timers = InventedTimers()
        self.watch = ClockWatch(self.network, self.timers, self.clock, SilentLog())
        self.offsets_ms, self.trips_ms = offsets_ms, trips_ms

    def ask(self):
        """Ask everybody; each answer takes its time, half of it on the way there."""
        self.watch.start()
        while self.network.questions:
            peer, question, answer = self.network.questions.popleft()
            assert question.path == CLOCK_PATH
            at = PEERS.index(peer)
            before = (self.clock.now, self.clock.monotonic)
            there = self.trips_ms[at] // 2
            raw = encode((1, self.clock.now + there + self.offsets_ms[at]))
            self.clock.monotonic += self.trips_ms[at]
            answer(raw)
            self.clock.now, self.clock.monotonic = before


def test_nobody_answered_means_nothing_is_known_of_the_clock():
    clocks = Clocks((0, 0, 0))
    clocks.watch.start()
    assert clocks.watch.skew() is None
    assert clocks.watch.offset(PEERS[0]) is None


@given(
    skew_ms=st.integers(-100_000, 100_000),
    spread_ms=st.lists(st.integers(-50, 50), min_size=2, max_size=2),
    liar_ms=st.integers(-(10**9), 10**9),
    at=st.integers(0, 2),
)
def test_one_liar_of_three_peers_cannot_move_the_skew_out_of_what_honest_peers_say(
    skew_ms, spread_ms, liar_ms, at
):
    honest = [spread - skew_ms for spread in spread_ms]
    offsets = [*honest[:at], liar_ms, *honest[at:]]
    clocks = Clocks(offsets)
    clocks.ask()
    skew = clocks.watch.skew()
    assert skew is not None
    assert min(honest) <= -skew.offset_ms <= max(honest)


def test_the_quickest_answer_of_a_peer_counts_and_says_how_far_it_may_be_off():
    clocks = Clocks((40, 40, 40), trips_ms=(300, 0, 8))
    clocks.ask()
    found = [clocks.watch.offset(peer) for peer in PEERS]
    assert [(one.offset_ms, one.error_ms) for one in found if one] == [(40, 150), (40, 0), (40, 4)]
    clocks.trips_ms = (2, 500, 500)
    clocks.ask()
    found = [clocks.watch.offset(peer) for peer in PEERS]
    assert [one.error_ms for one in found if one] == [1, 0, 4]


def test_old_answers_and_those_before_a_jump_count_no_more():
    clocks = Clocks((0, 0, 0))
    clocks.ask()
    clocks.clock.now += SAMPLE_AGE_MS_MAX + 1
    clocks.clock.monotonic += SAMPLE_AGE_MS_MAX + 1
    assert clocks.watch.skew() is None
    clocks.ask()
    assert clocks.watch.skew() is not None
    clocks.clock.now += 5_000  # somebody set the clock
    clocks.watch.start()
    assert clocks.watch.skew() is None
    assert clocks.watch.jumps == 1


def test_an_answer_that_is_none_is_held_against_who_gave_it():
    clocks = Clocks((0,))
    clocks.network.served[(PEERS[0], CLOCK_PATH)] = b"noon"
    clocks.watch.start()
    clocks.network.answer_all()
    assert [peer for peer, _code in clocks.network.blamed] == [PEERS[0]]
    assert parse_answer(clocks.watch.answer()) == clocks.clock.now
    with pytest.raises(InvalidDataError):
        parse_answer(encode((1, -1)))


def test_a_peer_is_known_by_what_came_over_its_own_connection():
    reports = PeerReports()
    vote = SignedVote(VoteType.PREVOTE, 9, 0, None, 2, b"")
    reports.saw_vote(PEERS[0], vote, 5, 10)
    reports.saw_status(PEERS[1], Status(9, 0, Phase.WAIT, 8), 6)
    voted, stood = reports.of(PEERS[0]), reports.of(PEERS[1])
    assert (voted and voted.voted, voted and voted.heard_ms) == ({2: 9}, 5)
    assert stood is not None
    assert (stood.voted, stood.status and stood.status.last_committed) == ({}, 8)
    assert reports.of(PEERS[2]) is None


def test_votes_of_heights_that_nobody_can_have_reached_are_not_noted():
    reports = PeerReports()
    reports.saw_vote(PEERS[0], SignedVote(VoteType.PREVOTE, 11, 0, None, 2, b""), 5, 10)
    report = reports.of(PEERS[0])
    assert report is not None
    assert report.voted == {}


def a_height(height=1):
    """The state of validator 0 at a height that begins, with and without work."""
    start = StartHeight(
        height=height,
        validators=VALIDATORS,
        parameters=LAN,
        previous_time_ms=GENESIS_MS,
        now_ms=GENESIS_MS + 1,
        may_vote=True,
    )
    idle, _effects = begin(Identity(AGENCIES[0], round_robin), start)
    working, _effects = step(idle, PoolNotEmpty(height))
    return idle, working


def test_a_round_that_waits_for_a_proposal_names_the_proposer_and_how_long():
    idle, working = a_height()
    watch = RoundWatch()
    assert watch.look(idle, 1_000).waits_for is Awaited.ENTRIES
    assert watch.look(idle, 9_000).height_ms == 0, "an idle network waits for nobody"
    watch.look(working, 10_000)
    view = watch.look(working, 14_000)
    assert (view.waits_for, view.height_ms, view.round_ms) == (Awaited.PROPOSAL, 5_000, 4_000)
    assert view.missing == (round_robin(VALIDATORS, 1, 0),)
    assert view.weight_needed == VALIDATORS.quorum_weight == 3


def test_the_least_quorum_is_one_and_one_less_is_none():
    assert VALIDATORS.is_quorum(VALIDATORS.quorum_weight)
    assert not VALIDATORS.is_quorum(VALIDATORS.quorum_weight - 1)


def test_a_disk_is_judged_by_an_hour_at_least():
    trend = DiskTrend()
    trend.note(1_000, 0)
    assert trend.full_in_s(900, SPAN_MS_MIN - 1) is None
    assert trend.full_in_s(1_100, SPAN_MS_MIN) is None, "it does not fill"
    assert trend.full_in_s(900, SPAN_MS_MIN) == 9 * SPAN_MS_MIN // 1_000


def test_a_disk_trend_remembers_a_day_and_no_more():
    trend = DiskTrend()
    for number in range(1_000):
        trend.note(10**9 - number, number * EVERY_MS)
    assert len(trend._samples) == 145


def test_files_of_keys_that_others_can_read_are_found(tmp_path):
    for name, mode in (("a.pem", 0o600), ("b.pem", 0o640), ("passphrase", 0o604)):
        (tmp_path / name).write_bytes(b"secret")
        (tmp_path / name).chmod(mode)
    assert exposed_files(tmp_path) == (f"{tmp_path.name}/b.pem", f"{tmp_path.name}/passphrase")
    assert exposed_files(tmp_path / "nothing") == ()
    assert (file_bytes(tmp_path / "a.pem"), file_bytes(tmp_path / "nothing")) == (6, 0)


def test_the_end_of_a_certificate_is_read_from_pem_and_der(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "site")])
    end = dt.datetime(2027, 3, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "site"
    for encoding in (serialization.Encoding.PEM, serialization.Encoding.DER):
        path.write_bytes(made.public_bytes(encoding))
        assert certificate_end_ms(path) == int(end.timestamp()) * 1_000
    path.write_bytes(b"no certificate")
    assert certificate_end_ms(path) is None
    assert certificate_end_ms(tmp_path / "nothing") is None


def test_the_limit_of_open_files_is_raised_and_never_lowered(monkeypatch):
    limits = [(256, 4_096)]
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _kind, pair: limits.append(pair))
    assert raise_file_limit(SilentLog(), 1_000) == 1_000
    assert limits[-1] == (1_000, 4_096)
    assert raise_file_limit(SilentLog(), 9_000) == 4_096
    limits.append((50_000, 50_000))
    raise_file_limit(SilentLog(), 1_000)
    assert limits[-1] == (50_000, 50_000)
