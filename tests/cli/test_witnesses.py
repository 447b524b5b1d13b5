"""`civreg evidence compare`: a light client asks nodes over HTTP; two histories become a file."""

import json
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner

from cli.main import program
from ledger.canonical import encode
from ledger.quorum import print_quorum_certificate
from ledger.trust import (
    CertifiedHeader,
    TrustBundle,
    ValidatorChange,
    make_trust,
    parse_trust,
    trust_genesis,
)
from tests.agreement.documents import five_validators, p256_network
from tests.cli.test_clerk import identity_form
from tests.networks import GENESIS_MS, ChainBuilder

NEVER_MS = 4_000_000_000_000
NETWORK = p256_network()
CHARTER = NETWORK.genesis.charter
CHANGED = five_validators(NETWORK)


def chain(*, skips=(), change_after=0, heights=8) -> list[CertifiedHeader]:
    """Headers of today; `skips` are heights that are a second later than in the other chain."""
    builder = ChainBuilder(NETWORK)
    builder.skip_ms = time.time_ns() // 1_000_000 - GENESIS_MS - 60_000
    made = []
    for height in range(1, heights + 1):
        builder.skip_ms += 1_000 * (height in skips)
        following = CHANGED if height == change_after else None
        block, certificate = builder.next_block(next_validators=following)
        made.append(CertifiedHeader(block.header, certificate))
        builder.skip_ms = 1_000
    return made


def bundle_of(headers, change_after=0, upto=None) -> TrustBundle:
    told = headers[:upto]
    known = 0 < change_after < len(told)
    changes = [ValidatorChange(headers[change_after - 1], CHANGED)] if known else []
    return make_trust(CHARTER, changes, told[-1], NEVER_MS)


@contextmanager
def served(headers, bundle):
    """A node that answers with these; what it was asked is in the list that is yielded."""
    asked: list[int] = []

    class Node(BaseHTTPRequestHandler):
        def do_GET(self):
            path = urlsplit(self.path)
            if path.path == "/v1/trust-bundle":
                self._answer(bundle.to_bytes())
            else:
                height = int(parse_qs(path.query)["from"][0])
                asked.append(height)
                shown = headers[height - 1 : height]
                pairs = [
                    (one.header.raw, print_quorum_certificate(one.quorum_certificate))
                    for one in shown
                ]
                self._answer(encode(tuple(pairs)))

        def _answer(self, body):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words):
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Node)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def compare(tmp_path):
    """Ask nodes, each (headers, bundle), with a held bundle; returns status, result, asked."""

    def run(held, *nodes):
        (tmp_path / "held").write_bytes(held.to_bytes())
        with ExitStack() as stack:
            started = [stack.enter_context(served(*node)) for node in nodes]
            words = ["evidence", "compare", *[url for url, _ in started], "--json"]
            words += ["--trust", str(tmp_path / "held"), "--out", str(tmp_path / "out")]
            result = CliRunner().invoke(program, words)
        said = json.loads(result.stdout) if result.stdout else json.loads(result.stderr)["error"]
        return result.exit_code, said, [asked for _, asked in started]

    return run


def test_nodes_of_one_history_are_believed_in_a_single_step(compare):
    headers = chain()
    held = bundle_of(headers, upto=2)
    told = [(headers, bundle_of(headers)), (headers, bundle_of(headers, upto=5))]
    status, result, asked = compare(held, *told)
    assert (status, result["same"]) == (0, True)
    assert [(one["height"], one["steps"]) for one in result["nodes"]] == [(8, 1), (5, 1)]
    assert asked == [[2, 8, 5], [2, 5, 5]]  # What is held, the newest, the highest of all.


def test_a_change_of_the_set_on_the_way_is_skipped_over(compare):
    headers = chain(change_after=4)
    held = bundle_of(headers, upto=2)
    whole = bundle_of(headers, change_after=4)
    status, result, _ = compare(held, (headers, whole), (headers, whole))
    assert (status, [one["steps"] for one in result["nodes"]]) == (0, [1, 1])


def test_a_node_that_is_behind_the_bundle_is_asked_nothing_that_it_lacks(compare):
    headers = chain()
    held = bundle_of(headers, upto=6)
    status, result, asked = compare(held, (headers[:3], bundle_of(headers, upto=3)))
    assert (status, result["nodes"][0]["steps"], asked) == (0, 0, [[]])


@pytest.mark.parametrize("skips", [(5,), (2,)], ids=["after what is held", "at what is held"])
def test_two_histories_become_a_file_of_evidence_that_verifies(compare, tmp_path, skips):
    """The quorum of each height has signed both: with three quarters lying nothing prevents it."""
    headers, other = chain(), chain(skips=skips)
    held = bundle_of(headers, upto=2)
    status, result, _ = compare(held, (headers, bundle_of(headers)), (other, bundle_of(other)))
    assert (status, result["same"], result["proves"]) == (18, False, "equivocation")
    assert len(result["accused"]) == 3
    words = ["evidence", "verify", result["file"], "--trust", str(tmp_path / "held"), "--json"]
    verdict = CliRunner().invoke(program, words)
    assert json.loads(verdict.stdout)["word"] == "GENUINE"


def test_a_node_whose_answers_do_not_fit_its_bundle_is_refused(compare):
    headers = chain()
    held, whole = bundle_of(headers, upto=2), bundle_of(headers)
    shifted = [headers[1], *headers]  # It answers with the header before.
    assert compare(held, (shifted, whole))[1]["code"] == "ledger.light_wrong_answer"
    assert compare(held, (headers[:7], whole))[1]["code"] == "ledger.light_wrong_answer"
    foreign = replace(headers[7].quorum_certificate, block_id=bytes(32))
    broken = [*headers[:7], CertifiedHeader(headers[7].header, foreign)]
    assert compare(held, (broken, whole))[0] == 14


def test_a_bundle_whose_time_is_over_believes_nobody(compare):
    headers = chain()
    over = replace(bundle_of(headers, upto=2), valid_until_ms=1)
    assert compare(over, (headers, bundle_of(headers)))[1]["code"] == "ledger.trust_stale"


def test_nothing_follows_from_a_bundle_that_is_older_than_the_trusting_period(compare):
    headers = chain()
    genesis = trust_genesis(NETWORK.genesis, NEVER_MS)
    status, error, _ = compare(genesis, (headers, bundle_of(headers)))
    assert (status, error["code"]) == (19, "ledger.light_expired")


def test_real_nodes_tell_one_history(network, desk, tmp_path):
    form = identity_form("Trần", 1995, "female")  # so that there is a block of today
    desk.ask("identity", "create", "-", "--office", "police", "--yes", stdin=form)
    urls = [node.address for node in network.nodes][:2]
    held = tmp_path / "trust.civreg"
    runner = CliRunner()
    fetched = runner.invoke(program, ["trust", "fetch", *urls, "--yes", "--out", str(held)])
    assert fetched.exit_code == 0, fetched.stderr
    assert parse_trust(held.read_bytes()).newest is not None
    words = ["evidence", "compare", *urls, "--trust", str(held), "--json"]
    result = runner.invoke(program, words)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["same"] is True
