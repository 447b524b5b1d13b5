"""`civreg trust`: what is believed first is pinned, and what comes later must extend it."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from click.testing import CliRunner

from cli.main import program
from tests.agreement.documents import genesis_bundle, p256_network, small_world


@pytest.fixture(scope="module")
def world():
    return small_world()


@pytest.fixture
def trust(tmp_path, world):
    """Run `trust` with files of bundles: young, old (newer!), genesis, another network's."""
    bundles = {
        "young": world.young_trust,
        "old": world.trust,
        "genesis": genesis_bundle(world.network),
        "other": genesis_bundle(p256_network("efgh")),
    }
    for name, bundle in bundles.items():
        (tmp_path / name).write_bytes(bundle.to_bytes())

    def run(verb, *words, home="home"):
        names = [str(tmp_path / word) if word in bundles else word for word in words]
        arguments = ["trust", verb, *names, "--home", str(tmp_path / home), "--json"]
        result = CliRunner().invoke(program, arguments)
        return result.exit_code, json.loads(result.stdout or "null"), result.stderr

    return run


def test_a_bundle_shows_whom_it_vouches_for(trust, world):
    status, result, _ = trust("show", "young")
    assert status == 0
    assert result["fingerprint"] == world.young_trust.fingerprint
    assert (result["newest_height"], result["changes"]) == (4, 1)
    assert [one["name"] for one in result["validators"]][-1] is None
    assert len(result["validators"]) == 5


def test_a_first_bundle_needs_a_fingerprint_or_more_agencies_than_can_lie(trust, world):
    assert trust("fetch", "young", "--yes")[0] == 6
    assert trust("fetch", "young", "young")[0] == 9  # Nobody at a terminal said yes.
    assert trust("fetch", "young", "old", "--yes", home="two")[1]["newest_height"] == 6
    fingerprint = world.young_trust.fingerprint
    assert trust("fetch", "young", "--fingerprint", fingerprint)[0] == 0
    wrong = genesis_bundle(world.network).fingerprint
    assert trust("fetch", "young", "--fingerprint", wrong, home="wrong")[0] == 6


def test_a_later_bundle_must_extend_the_one_that_is_held(trust, world):
    fingerprint = world.young_trust.fingerprint
    assert trust("fetch", "young", "--fingerprint", fingerprint)[0] == 0
    assert trust("fetch", "genesis")[0] == 19  # It is older.
    assert trust("fetch", "other")[0] == 6  # It is of another network.
    assert trust("fetch", "old")[1]["newest_height"] == 6
    assert trust("fetch", "young")[0] == 19


def test_two_networks_are_never_mixed_and_told_apart_from_a_fork(trust, world):
    for sources in (("young", "other"), ("other", "young")):
        status, _, said = trust("fetch", *sources, "--yes")
        error = json.loads(said.splitlines()[-1])["error"]
        assert (status, error["code"]) == (6, "ledger.trust_wrong_network")
        assert "are of different networks" in error["sentence"]
        assert world.network.genesis.network_id.hex()[:16] in error["sentence"]
        assert "evidence" not in error["hint"], "there is nobody to accuse"


def test_a_dry_run_keeps_nothing(trust, tmp_path, world):
    fingerprint = world.young_trust.fingerprint
    assert trust("fetch", "young", "--fingerprint", fingerprint, "--dry-run")[0] == 0
    assert not (tmp_path / "home").exists()


def test_a_damaged_bundle_is_refused(trust, tmp_path):
    raw = (tmp_path / "young").read_bytes()
    for at in range(0, len(raw), len(raw) // 31):
        (tmp_path / "young").write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        status, _, said = trust("show", "young")
        # One bit may only move the end of the bundle's time, which nobody signs.
        assert status in {6, 11, 14, 18, 19} or at > len(raw) - 9, (at, said)


def test_a_bundle_comes_from_a_node_over_http(trust, world, tmp_path):
    class Node(BaseHTTPRequestHandler):
        def do_GET(self):
            found = self.path == "/v1/trust-bundle"
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(world.young_trust.to_bytes() if found else b"")

        def log_message(self, *_words):
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Node)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        assert trust("fetch", url, url, "--yes")[0] == 0
        assert (tmp_path / "home" / "trust.civreg").read_bytes() == world.young_trust.to_bytes()
        assert trust("fetch", f"{url}/nothing")[0] == 8
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert trust("fetch", url)[0] == 8
