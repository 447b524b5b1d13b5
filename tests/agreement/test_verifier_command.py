"""`python -m verifier` and `civreg verify` end with the same status for every document."""

import base64
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from click.testing import CliRunner

from cli.main import program
from ledger import merkle
from ledger.receipts import build_receipt, print_receipt
from ledger.trust import CertifiedHeader, make_trust
from registry.catalogue import TYPES, type_text
from registry.certificates import print_certificate
from registry.civil_calendar import civil_date
from registry.schema_reader import read_record_type
from registry.sealed import OpenedBody, OpenedField, show_openings
from tests.agreement.documents import (
    DAY_MS,
    certified_entry,
    damaged,
    high_s,
    only_objects,
    p256_network,
    sealed_entry,
    small_world,
)
from tests.networks import ChainBuilder
from verifier.__main__ import main
from verifier.currency import FRESH_DAYS

NOW_MS = time.time_ns() // 1_000_000
FIELDS = (OpenedField("name", bytes(16), "Ân\x1b[2J"), OpenedField("sex", bytes(16), "m"))
COMMITMENT = merkle.root([one.leaf for one in FIELDS])


@pytest.fixture(scope="module")
def world():
    return small_world()


@pytest.fixture
def statuses(tmp_path, world, capsys):
    """Judge bytes by both programs; return their statuses and first words."""
    young = replace(world.young_trust, valid_until_ms=NOW_MS * 2)
    (tmp_path / "trust.civreg").write_bytes(young.to_bytes())

    def judge(raw):
        document, trust = tmp_path / "document", tmp_path / "trust.civreg"
        document.write_bytes(raw)
        arguments = ["--lang", "en", "verify", str(document), "--trust", str(trust)]
        ours = CliRunner().invoke(program, arguments)
        theirs = main([str(document), "--trust-bundle", str(trust)])
        said = capsys.readouterr().out
        return (ours.exit_code, ours.stdout.partition("\n")[0]), (theirs, said.partition("\n")[0])

    return judge


def test_both_programs_give_each_kind_of_receipt_the_same_status(statuses, world):
    whole = world.receipts["whole"]
    certificate = whole.certified.quorum_certificate
    fewer = replace(certificate, signatures=certificate.signatures[:-1])
    cases = {
        0: world.raw("whole"),
        6: world.raw("whole")[:-1],
        11: with_certificate(whole, high_s(certificate)),
        14: with_certificate(whole, fewer),
        18: print_receipt(replace(whole, outcome=world.receipts["partly hidden"].outcome)),
        19: receipt_of_another_network(),
    }
    for status, raw in cases.items():
        ours, theirs = statuses(raw)
        assert ours == theirs
        assert ours[0] == status
    assert statuses(base64.urlsafe_b64encode(world.raw("whole")))[1] == (0, "GENUINE")
    assert statuses(b"")[1] == (6, "UNREADABLE")


def with_certificate(receipt, certificate):
    return print_receipt(replace(receipt, certified=CertifiedHeader(receipt.header, certificate)))


def receipt_of_another_network():
    network = p256_network("efgh")
    chain = ChainBuilder(network)
    block, certificate = chain.next_block([sealed_entry(network, COMMITMENT)])
    return print_receipt(build_receipt(block, [chain.outcomes[0][0].to_bytes()], 0, certificate))


@pytest.mark.parametrize("name", ["whole", "partly hidden"])
def test_both_programs_give_any_damaged_receipt_the_same_status(statuses, world, name):
    found = set()
    for number, (place, raw) in enumerate(damaged(world.raw(name))):
        if number % 7 == 0:
            ours, theirs = statuses(raw)
            assert ours == theirs, place
            found.add(ours[0])
    assert {6, 18} <= found
    assert 0 not in found


@pytest.fixture
def issued(tmp_path):
    """Make a certificate of some days ago, with a bundle that knows its block."""

    def make(days_ago, fields):
        network = p256_network()
        entry = certified_entry(network, {"number": "7"}, commitment=COMMITMENT, **fields)
        chain = ChainBuilder(network)
        chain.skip_ms = NOW_MS - days_ago * DAY_MS - network.genesis.time_ms
        block, certificate = chain.next_block([entry])
        newest = CertifiedHeader(block.header, certificate)
        bundle = make_trust(network.genesis.charter, [], newest, NOW_MS * 2)
        (tmp_path / "trust.civreg").write_bytes(bundle.to_bytes())
        outcomes = [one.to_bytes() for one in chain.outcomes[0]]
        receipt = only_objects(build_receipt(block, outcomes, 0, certificate))
        opened = OpenedBody(fields=FIELDS, leaves=tuple(one.leaf for one in FIELDS))
        return print_certificate(receipt, show_openings(opened, {"name"}))

    return make


@pytest.mark.parametrize(
    ("type_name", "days_ago", "expires_in", "status"),
    [
        ("birth", 179, 1, 0),
        ("birth", 180, 1, 19),
        ("birth", 10, 0, 16),
        ("land_title", 0, 1, 19),
        ("land_title", 0, 0, 16),
        ("dragon", 0, 1, 19),
    ],
)
def test_both_programs_give_a_certificate_the_same_status(
    statuses, issued, type_name, days_ago, expires_in, status
):
    expires = civil_date(NOW_MS + expires_in * DAY_MS)
    raw = issued(days_ago, {"type": type_name, "expires_on": expires})
    ours, theirs = statuses(raw)
    assert ours == theirs
    assert ours[0] == status
    assert statuses(raw[:-1])[0] == statuses(raw[:-1])[1]


def test_the_second_verifier_knows_how_long_each_type_counts_offline():
    fresh = {name: read_record_type(type_text(name)).fresh_for for name in TYPES}
    assert {name: days for name, days in fresh.items() if days} == dict(FRESH_DAYS)


def test_the_command_shows_fields_and_fingerprint_and_steers_no_terminal(issued, tmp_path, capsys):
    raw = issued(1, {"type": "birth", "expires_on": civil_date(NOW_MS + DAY_MS)})
    (tmp_path / "document").write_bytes(raw)
    trust = str(tmp_path / "trust.civreg")
    assert main([str(tmp_path / "document"), "--trust-bundle", trust]) == 0
    said = capsys.readouterr().out
    shown = CliRunner().invoke(program, ["--lang", "en", "trust", "show", trust, "--json"]).stdout
    assert said.partition("fingerprint ")[2].partition("\n")[0] in shown
    assert '"name": "Ân\\u001b[2J"' in said
    assert '"number": "7"' in said
    assert "\x1b" not in said
    assert "block 1" in said


def test_what_is_no_file_and_what_is_no_bundle_is_said_on_stderr(tmp_path, world, capsys):
    (tmp_path / "document").write_bytes(world.raw("whole"))
    (tmp_path / "trust").write_bytes(world.young_trust.to_bytes()[:-1])
    words = [str(tmp_path / "document"), "--trust-bundle", str(tmp_path / "trust")]
    assert main(words) == 6
    assert "the trust bundle does not hold" in capsys.readouterr().err
    assert main([str(tmp_path / "nofile"), *words[1:]]) == 3
    assert "nofile" in capsys.readouterr().err


def test_the_module_runs_by_itself_and_loads_none_of_the_floors(tmp_path, world):
    (tmp_path / "document").write_bytes(world.raw("whole"))
    young = replace(world.young_trust, valid_until_ms=NOW_MS * 2)
    (tmp_path / "trust").write_bytes(young.to_bytes())
    code = (
        "import runpy, sys; sys.argv[1:] = ['document', '--trust-bundle', 'trust']\n"
        "try:\n    runpy.run_module('verifier', run_name='__main__')\n"
        "except SystemExit as end:\n    status = end.code\n"
        "floors = {'cli', 'node', 'consensus', 'registry', 'ledger', 'keys', 'cryptography'}\n"
        "sys.exit(status or bool(floors & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=tmp_path)
    assert done.returncode == 0
