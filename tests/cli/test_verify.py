"""`civreg verify`: one word, each check by its name, and the exit status of users.md."""

import base64
import http.server
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
from click.testing import CliRunner

from cli.document_status import currency_of_state
from cli.document_words import act_words, field_lines
from cli.languages import catalogue
from cli.main import program
from cli.output import Context
from cli.verdicts import Word
from ledger import merkle, state_tree
from ledger.blocks import outcomes_root
from ledger.ids import print_id
from ledger.receipts import build_receipt, print_receipt
from ledger.state_keys import key_hash, stored_value, stored_value_hash
from ledger.trust import CertifiedHeader, make_trust
from registry.certificates import print_certificate
from registry.civil_calendar import civil_date
from registry.sealed import OpenedBody, OpenedField, show_openings
from registry.state_documents import StateDocument, print_state_document
from tests.agreement.documents import (
    CERTIFICATE_ID,
    certified_entry,
    high_s,
    only_objects,
    p256_network,
    sealed_entry,
    small_world,
)
from tests.networks import ChainBuilder, seed
from tests.registry.small_world import record_row

NOW_MS = time.time_ns() // 1_000_000


@pytest.fixture(scope="module")
def world():
    return small_world()


@pytest.fixture
def verify(tmp_path, world, monkeypatch):
    """Run `verify` on a document with the young bundle; its end lies in the future."""
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    monkeypatch.delenv("LC_ALL", raising=False)
    bundle = replace(world.young_trust, valid_until_ms=NOW_MS * 2)
    (tmp_path / "trust.civreg").write_bytes(bundle.to_bytes())

    def run(document, *words, stdin=None):
        if isinstance(document, bytes):
            (tmp_path / "document").write_bytes(document)
            document = str(tmp_path / "document")
        arguments = ["verify", document, "--home", str(tmp_path), *words]
        return CliRunner().invoke(program, arguments, input=stdin)

    return run


def test_a_good_receipt_is_genuine_and_says_when_where_and_by_how_many(verify, world):
    result = verify(world.raw("whole"), "--json")
    answer = json.loads(result.stdout)
    assert result.exit_code == 0
    assert answer["word"] == "GENUINE"
    assert answer["height"] == 1
    assert answer["act"] == "birth/register"
    assert answer["registration_no"] == "00001/2026/3"
    assert answer["office_name"] == "Office of a"
    assert (answer["agencies_signed"], answer["agencies"]) == (3, 4)
    assert [check["name"] for check in answer["checks"]] == [
        "network", "entry", "inclusion", "outcome", "quorum", "trust",
    ]  # fmt: skip


def test_both_languages_name_each_check(verify, world):
    english = verify(world.raw("whole")).stdout
    vietnamese = verify(world.raw("whole"), "--lang", "vi").stdout
    assert english.startswith("GENUINE\nregistered: 2026-01-01 07:00 (UTC+7), block 1\n")
    assert vietnamese.startswith("THẬT (GENUINE)\n")
    assert english.count("  passed  ") == vietnamese.count("  đạt  ") == 6


def test_a_receipt_may_come_as_text_or_on_standard_input(verify, world):
    raw = world.raw("whole")
    text = base64.urlsafe_b64encode(raw).decode()
    assert verify(text).exit_code == 0
    assert verify(text.rstrip("=")).exit_code == 0
    assert verify("-", stdin=raw).exit_code == 0
    assert verify("-", stdin=text).exit_code == 0


def other_certificate(world, change):
    receipt = world.receipts["whole"]
    certificate = change(receipt.certified.quorum_certificate)
    return print_receipt(replace(receipt, certified=CertifiedHeader(receipt.header, certificate)))


def test_each_kind_of_damage_has_its_word_and_exit_status(verify, world):
    whole = world.receipts["whole"]
    other = world.receipts["partly hidden"]
    cases = {
        ("FORGED", 18): print_receipt(replace(whole, outcome=other.outcome)),
        ("FORGED", 11): other_certificate(world, high_s),
        ("FORGED", 14): other_certificate(
            world, lambda one: replace(one, signatures=one.signatures[:-1])
        ),
        ("UNREADABLE", 6): world.raw("whole")[:-1],
        ("CANNOT CHECK NOW", 19): print_receipt(receipt_of_another_network()),
    }
    for (word, status), raw in cases.items():
        result = verify(raw, "--json")
        assert (json.loads(result.stdout)["word"], result.exit_code) == (word, status)


def receipt_of_another_network():
    network = p256_network("efgh")
    chain = ChainBuilder(network)
    block, certificate = chain.next_block([sealed_entry(network, COMMITMENT)])
    return build_receipt(block, [chain.outcomes[0][0].to_bytes()], 0, certificate)


def test_without_a_bundle_nothing_can_be_checked_now(tmp_path, world):
    (tmp_path / "document").write_bytes(world.raw("whole"))
    arguments = ["verify", str(tmp_path / "document"), "--home", str(tmp_path), "--json"]
    result = CliRunner().invoke(program, arguments)
    assert (json.loads(result.stdout)["word"], result.exit_code) == ("CANNOT CHECK NOW", 19)


def test_a_file_that_is_not_there_is_not_found(verify):
    for name in ("birth-0042.receipt", "nofile", "giấy khai sinh", "x" * 255):
        result = verify(name)
        assert (result.exit_code, result.stdout) == (3, "")
        assert f"There is no file {name}." in result.stderr


def test_a_pipe_that_the_shell_names_is_read_and_a_folder_is_no_document(verify, world, tmp_path):
    reader, writer = os.pipe()
    os.write(writer, world.raw("whole"))
    os.close(writer)
    try:
        assert verify(f"/dev/fd/{reader}").exit_code == 0
    finally:
        os.close(reader)
    assert verify(str(tmp_path)).exit_code == 3


def test_text_that_is_no_document_is_unreadable(verify, world):
    assert verify("x" * 256).exit_code == 6
    assert verify(base64.urlsafe_b64encode(world.raw("whole"))[:40].decode()).exit_code == 6
    assert verify(b"").exit_code == 6
    assert verify("x" * 3_000_000).exit_code == 6


@pytest.mark.parametrize("bundle", [True, False])
def test_who_holds_a_damaged_document_is_told_whom_to_ask_for_a_new_one(
    verify, world, tmp_path, bundle
):
    """Invariant: nobody is told to make a document again who cannot make one."""
    if not bundle:
        (tmp_path / "trust.civreg").unlink()
    whole = world.raw("whole")
    longer_integer = whole[:1] + b"\xcc\x01" + whole[2:]  # not the one canonical encoding
    for raw in (whole[:-1], longer_integer, b""):
        for lang, words in (("en", "ask whoever gave it to you"), ("vi", "hãy xin bản mới")):
            shown = verify(raw, "--lang", lang).stdout
            assert words in shown
            assert "again with civreg" not in shown
        (check,) = json.loads(verify(raw, "--json", "--lang", "en").stdout)["checks"]
        assert "for a new copy" in check["hint"]


def test_verify_starts_without_server_database_or_progress_bars():
    code = (
        "import sys; import cli.main, cli.verify; "
        "sys.exit(bool({'aiohttp', 'plyvel', 'rich', 'asyncio', 'node'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- certificates, and what is still in force ----------------------------------------------------

FIELDS = tuple(
    OpenedField(path, bytes(16), value) for path, value in (("name", "Ân"), ("sex", "m"))
)
COMMITMENT = merkle.root([one.leaf for one in FIELDS])
RECORD = ("record", seed("record", "sealed", 0)[:16])


@pytest.fixture
def issue(tmp_path):
    """Make a certificate that was registered some days ago, with its bundle in the home folder."""

    def make(days_ago, state=None, certified_fields=None, stated=()):
        network = p256_network()
        entry = sealed_entry(network, COMMITMENT)
        if certified_fields is not None:
            fields = {"commitment": COMMITMENT, **certified_fields}
            entry = certified_entry(network, dict(stated), **fields)
        chain = ChainBuilder(network)
        start = chain.network.genesis.time_ms
        chain.skip_ms = NOW_MS - days_ago * 86_400_000 - start
        pages: dict[bytes, bytes] = {}
        hashes: dict[bytes, bytes | None] = {
            key_hash(key): stored_value_hash(raw) for key, raw in (state or {}).items()
        }
        update = state_tree.update(pages.get, hashes)
        pages.update({key: page for key, page in update.pages.items() if page is not None})
        block, quorum_certificate = chain.next_block([entry], state_root=update.root)
        outcomes = [one.to_bytes() for one in chain.outcomes[0]]
        assert block.header.outcomes_root == outcomes_root(chain.outcomes[0])
        certified = CertifiedHeader(block.header, quorum_certificate)
        bundle = make_trust(network.genesis.charter, [], certified, NOW_MS * 2)
        (tmp_path / "trust.civreg").write_bytes(bundle.to_bytes())
        receipt = build_receipt(block, outcomes, 0, quorum_certificate)
        if certified_fields is not None:
            receipt = only_objects(receipt)
        opened = OpenedBody(fields=FIELDS, leaves=tuple(one.leaf for one in FIELDS))
        raw = print_certificate(receipt, show_openings(opened, {"name"}))
        (tmp_path / "document").write_bytes(raw)
        return receipt, lambda key: print_state_document(
            StateDocument(
                key, (state or {}).get(key), state_tree.prove(pages.get, key_hash(key)), certified
            )
        )

    return make


def answer_of(tmp_path, *words):
    arguments = ["verify", str(tmp_path / "document"), "--home", str(tmp_path), "--json", *words]
    result = CliRunner().invoke(program, arguments)
    return json.loads(result.stdout), result.exit_code


def test_a_birth_certificate_counts_as_current_for_180_days(issue, tmp_path):
    issue(179)
    answer, status = answer_of(tmp_path)
    assert (answer["word"], status, answer["fields"]) == ("GENUINE", 0, {"name": "Ân"})
    issue(180)
    answer, status = answer_of(tmp_path)
    assert (answer["word"], status) == ("CANNOT CHECK NOW", 19)
    assert answer["as_of"]


@pytest.mark.parametrize(
    ("row", "word", "status"),
    [
        ({"version": 1}, "GENUINE", 0),
        ({"version": 2}, "CHANGED", 17),
        ({"version": 2, "status": "revoked"}, "REVOKED", 15),
        (None, "NOT FOUND", 3),
    ],
)
def test_a_state_proof_says_whether_the_record_is_still_so(issue, tmp_path, row, word, status):
    state = {}
    if row is not None:
        state[RECORD] = stored_value(bytes(16), record_row("birth", **row).to_value())
    _, prove = issue(0, state)
    (tmp_path / "proof").write_bytes(prove(RECORD))
    answer, code = answer_of(tmp_path, "--status", str(tmp_path / "proof"))
    assert (answer["word"], code) == (word, status)


CERTIFICATE = ("certificate", CERTIFICATE_ID)


def row_of_certificate(entry_digest, status):
    return {CERTIFICATE: stored_value(bytes(16), (status, 1, entry_digest))}


def day(days):
    return civil_date(NOW_MS + days * 86_400_000)


def test_a_certificate_says_what_it_is_and_never_of_whom(issue, tmp_path):
    issue(1, certified_fields={"expires_on": day(1)}, stated={"event_date": "2026-02-28"})
    answer, status = answer_of(tmp_path)
    assert (answer["word"], status) == ("GENUINE", 0)
    assert answer["fields"] == {"event_date": "2026-02-28", "name": "Ân"}
    assert answer["certificate"] == print_id(CERTIFICATE_ID)
    assert (answer["type"], answer["form"]) == ("birth", "copy")
    assert (answer["office_name"], answer["act"]) == ("Office of a", None)
    arguments = ["verify", str(tmp_path / "document"), "--home", str(tmp_path)]
    for lang, words in (("en", "Compare with the paper"), ("vi", "Hãy đối chiếu")):
        shown = CliRunner().invoke(program, [*arguments, "--lang", lang]).stdout
        assert words in shown
        assert print_id(CERTIFICATE_ID) in shown


@pytest.mark.parametrize(
    ("type_name", "days_ago", "expires", "answered"),
    [
        ("birth", 179, 1, ("GENUINE", 0)),
        ("birth", 180, 1, ("CANNOT CHECK NOW", 19)),
        ("birth", 10, 0, ("EXPIRED", 16)),
        ("birth", 200, -1, ("EXPIRED", 16)),
        ("land_title", 0, 1, ("CANNOT CHECK NOW", 19)),
        ("identity", 0, 1, ("CANNOT CHECK NOW", 19)),
        ("dragon", 0, 1, ("CANNOT CHECK NOW", 19)),
    ],
)
def test_offline_a_certificate_is_current_as_long_as_its_type_says(
    issue, tmp_path, type_name, days_ago, expires, answered
):
    issue(days_ago, certified_fields={"type": type_name, "expires_on": day(expires)})
    answer, code = answer_of(tmp_path)
    assert (answer["word"], code) == answered
    assert answer["as_of"] == day(-days_ago)


@pytest.mark.parametrize(
    ("found", "expires", "word", "status"),
    [
        ("valid", 1, "GENUINE", 0),
        ("valid", 0, "EXPIRED", 16),
        ("replaced", 1, "CHANGED", 17),
        ("replaced", 0, "CHANGED", 17),
        ("revoked", 1, "REVOKED", 15),
        ("unheard of", 1, "CANNOT CHECK NOW", 19),
        (None, 1, "NOT FOUND", 3),
    ],
)
def test_a_state_proof_says_whether_a_certificate_still_counts(
    issue, tmp_path, found, expires, word, status
):
    fields = {"type": "land_title", "expires_on": day(expires)}
    digest = issue(0, certified_fields=fields)[0].entry_digest
    state = {} if found is None else row_of_certificate(digest, found)
    _, prove = issue(0, state, certified_fields=fields)
    (tmp_path / "proof").write_bytes(prove(CERTIFICATE))
    answer, code = answer_of(tmp_path, "--status", str(tmp_path / "proof"))
    assert (answer["word"], code) == (word, status)


# --- what only a node can say ---------------------------------------------------------------------


@pytest.fixture
def node():
    """A node that answers what it is given, path -> body; it closes with the test."""
    answers: dict[str, bytes] = {}

    class Answering(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            found = answers.get(self.path)
            self.send_response(404 if found is None else 200)
            self.end_headers()
            self.wfile.write(found or b"")

        def log_message(self, *_words):
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", answers
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("found", "said", "answered"),
    [
        ("valid", b'{"signer_compromised": false}', ("GENUINE", 0)),
        ("valid", b"{}", ("GENUINE", 0)),
        ("valid", b'{"signer_compromised": true}', ("SIGNER COMPROMISED", 15)),
        ("replaced", b'{"signer_compromised": true}', ("SIGNER COMPROMISED", 15)),
        ("revoked", b'{"signer_compromised": true}', ("REVOKED", 15)),
        (None, b'{"signer_compromised": true}', ("NOT FOUND", 3)),
    ],
)
def test_a_node_can_make_a_document_worse_and_never_better(
    issue, tmp_path, node, found, said, answered
):
    fields = {"type": "land_title", "expires_on": day(1)}
    digest = issue(0, certified_fields=fields)[0].entry_digest
    state = {} if found is None else row_of_certificate(digest, found)
    _, prove = issue(0, state, certified_fields=fields)
    address, answers = node
    path = f"/v1/certificates/{print_id(CERTIFICATE_ID)}"
    answers |= {f"{path}/proof": prove(CERTIFICATE), path: said}
    for asked in (address, f"{address}{path}/proof"):
        answer, code = answer_of(tmp_path, "--status", asked)
        assert (answer["word"], code) == answered
    arguments = ["verify", str(tmp_path / "document"), "--home", str(tmp_path)]
    for lang in ("en", "vi"):
        shown = CliRunner().invoke(program, [*arguments, "--lang", lang, "--status", address])
        assert answered[0] in shown.stdout.splitlines()[0]


@pytest.mark.parametrize("said", [b"", b"[]", b"\xff", b'"yes"'])
def test_after_a_malformed_answer_of_a_node_the_status_is_not_known(issue, tmp_path, node, said):
    fields = {"type": "land_title", "expires_on": day(1)}
    digest = issue(0, certified_fields=fields)[0].entry_digest
    _, prove = issue(0, row_of_certificate(digest, "valid"), certified_fields=fields)
    address, answers = node
    path = f"/v1/certificates/{print_id(CERTIFICATE_ID)}"
    answers |= {f"{path}/proof": prove(CERTIFICATE), path: said}
    answer, code = answer_of(tmp_path, "--status", address)
    assert (answer["word"], code) == ("CANNOT CHECK NOW", 19)
    assert answer["status_error"]["code"] == "ledger.invalid_data"


DOWN = "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("type_name", "expires", "offline", "answered"),
    [
        ("birth", 1, "GENUINE", ("CANNOT CHECK NOW", 19)),
        ("land_title", 1, "CANNOT CHECK NOW", ("CANNOT CHECK NOW", 19)),
        ("birth", 0, "EXPIRED", ("EXPIRED", 16)),
    ],
)
def test_where_nobody_tells_the_status_the_document_is_judged_all_the_same(
    issue, tmp_path, type_name, expires, offline, answered
):
    issue(10, certified_fields={"type": type_name, "expires_on": day(expires)})
    for asked, why in ((DOWN, "cli.no_network"), ("no-such.proof", "cli.no_such_file")):
        answer, code = answer_of(tmp_path, "--status", asked)
        assert (answer["word"], code) == answered
        assert answer["in_force"] == answer["word"]
        assert (answer["offline_word"], answer["as_of"]) == (offline, day(-10))
        assert (answer["status_from"], answer["status_error"]["code"]) == (asked, why)
        assert len(answer["checks"]) == 7


def test_a_person_reads_the_offline_word_and_why_the_status_is_not_known(issue, tmp_path):
    issue(10, certified_fields={"type": "birth", "expires_on": day(1)})
    arguments = ["verify", str(tmp_path / "document"), "--home", str(tmp_path), "--status", DOWN]
    for lang, words in (
        ("en", "could not be learned: "),
        ("vi", "Chưa hỏi được tình trạng hiệu lực"),
    ):
        shown = CliRunner().invoke(program, [*arguments, "--lang", lang]).stdout
        assert "CANNOT CHECK NOW" in shown.splitlines()[0]
        assert words in shown
        assert any("GENUINE" in line and day(-10) in line for line in shown.splitlines())


def test_a_receipt_is_judged_where_no_node_can_be_asked_about_it(verify, world):
    result = verify(world.raw("whole"), "--status", DOWN, "--json")
    answer = json.loads(result.stdout)
    assert (answer["word"], answer["offline_word"]) == ("CANNOT CHECK NOW", "GENUINE")
    assert result.exit_code == 19


def test_what_is_proved_to_be_over_stays_so_where_the_node_says_no_more(issue, tmp_path, node):
    fields = {"type": "land_title", "expires_on": day(1)}
    digest = issue(0, certified_fields=fields)[0].entry_digest
    _, prove = issue(0, row_of_certificate(digest, "revoked"), certified_fields=fields)
    address, answers = node
    answers[f"/v1/certificates/{print_id(CERTIFICATE_ID)}/proof"] = prove(CERTIFICATE)
    answer, code = answer_of(tmp_path, "--status", address)
    assert (answer["word"], code) == ("REVOKED", 15)


# --- words instead of codes -----------------------------------------------------------------------


def test_a_person_reads_names_of_acts_in_both_languages(verify, world):
    for lang, words in (("en", "act: Birth: "), ("vi", "việc: Khai sinh: ")):
        shown = verify(world.raw("whole"), "--lang", lang).stdout
        assert words in shown
        assert "birth/register" not in shown


def test_a_person_reads_titles_of_fields_and_names_of_codes(issue, tmp_path):
    fields = {"expires_on": day(1)}
    issue(1, certified_fields=fields, stated={"place_unit": "00070", "registration_no": "1/2026"})
    arguments = ["verify", str(tmp_path / "document"), "--home", str(tmp_path)]
    expected = {
        "en": ["certificate about: Birth", "form: copy", "Hoàn Kiếm (00070)",
               "  registration number: 1/2026"],
        "vi": ["giấy về: Khai sinh", "bản: bản sao", "Hoàn Kiếm (00070)",
               "  Số đăng ký: 1/2026"],
    }  # fmt: skip
    for lang, words in expected.items():
        shown = CliRunner().invoke(program, [*arguments, "--lang", lang]).stdout
        assert [word for word in words if word not in shown] == [], shown
        assert "place_unit" not in shown


@pytest.mark.parametrize(
    ("path", "value", "english", "vietnamese"),
    [
        ("land_use", "ODT, CLN", "(ODT), ", "Đất ở tại đô thị (ODT), Đất trồng cây lâu năm (CLN)"),
        ("area", "61.7", "Area (m²): 61.7", "Diện tích (m²): 61,7"),
        ("parcel.unit", "XX999", "Parcel, Unit: XX999", "Thửa đất, Đơn vị hành chính: XX999"),
        ("obligation_open", "false", ": no", ": không"),
        ("no.such", 7, "no.such: 7", "no.such: 7"),
    ],
)
def test_each_kind_of_stated_value_has_its_words(path, value, english, vietnamese):
    for context, words in ((Context(lang="en"), english), (Context(lang="vi"), vietnamese)):
        (line,) = field_lines(context, "land_title", {path: value}, "2026-03-01")
        assert words in line


def test_fields_stand_in_the_order_of_the_paper_and_unknown_ones_last():
    shown = {
        "else": "?", "informant.name": "Lan", "sex": "female", "event_date": "2026-03-01",
        "name.given": "An", "name.family": "Lê", "registration_no": "birth/1/2026",
    }  # fmt: skip
    lines = field_lines(Context(), "birth", shown, "2026-03-01")
    assert [line.rpartition(": ")[2] for line in lines] == [
        "birth/1/2026", "Lê", "An", "2026-03-01", "Female (female)", "Lan", "?",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["", "/", "dragon/breathe", "birth/breathe", "birth"])
def test_what_has_no_name_stands_as_it_is(kind):
    assert act_words(kind, "en") == kind
    assert field_lines(Context(), kind, {"a.b": "c"}, "2026-03-01") == ["  a.b: c"]


def test_a_state_proof_of_before_the_certificate_says_nothing_about_it():
    network = p256_network()
    chain = ChainBuilder(network)
    pages: dict[bytes, bytes] = {}
    update = state_tree.update(pages.get, {})
    first = CertifiedHeader(*with_header(chain.next_block(state_root=update.root)))
    entry = certified_entry(network, {}, commitment=COMMITMENT)
    block, quorum_certificate = chain.next_block([entry])
    outcomes = [one.to_bytes() for one in chain.outcomes[1]]
    receipt = only_objects(build_receipt(block, outcomes, 0, quorum_certificate))
    bundle = make_trust(network.genesis.charter, [], first, NOW_MS * 2)
    absent = state_tree.prove(pages.get, key_hash(CERTIFICATE))
    proof = print_state_document(StateDocument(CERTIFICATE, None, absent, first))
    found = currency_of_state(receipt, proof, bundle, first.header.time_ms)
    assert found.word is Word.CANNOT_CHECK


def with_header(pair):
    block, quorum_certificate = pair
    return block.header, quorum_certificate


def test_a_row_that_names_another_entry_makes_a_certificate_forged(issue, tmp_path):
    state = row_of_certificate(seed("another entry"), "valid")
    _, prove = issue(0, state, certified_fields={"type": "birth"})
    (tmp_path / "proof").write_bytes(prove(CERTIFICATE))
    answer, code = answer_of(tmp_path, "--status", str(tmp_path / "proof"))
    assert (answer["word"], code) == ("FORGED", 18)


def test_a_state_proof_of_yesterday_says_nothing_about_today(issue, tmp_path):
    row = stored_value(bytes(16), record_row("birth").to_value())
    _, prove = issue(2, {RECORD: row})
    (tmp_path / "proof").write_bytes(prove(RECORD))
    assert answer_of(tmp_path, "--status", str(tmp_path / "proof"))[1] == 19


def test_a_state_proof_about_something_else_or_damaged_tells_no_status(issue, tmp_path):
    _, prove = issue(0, {RECORD: stored_value(bytes(16), record_row("birth").to_value())})
    for raw in (prove(("record", bytes(16))), prove(RECORD)[:-1], b""):
        (tmp_path / "proof").write_bytes(raw)
        answer, code = answer_of(tmp_path, "--status", str(tmp_path / "proof"))
        assert (answer["word"], answer["offline_word"], code) == ("CANNOT CHECK NOW", "GENUINE", 19)


@pytest.mark.parametrize("lang", ["en", "vi"])
def test_no_failed_check_of_a_document_sends_a_stranger_to_a_node(lang):
    """Invariant: whoever holds a document asks the office; a node serves those entitled."""
    words = {"en": ("from a node", "civreg network"), "vi": ("từ một nút",)}[lang]
    hints = {
        code: text.hint
        for code, text in catalogue(lang).errors.items()
        if code.startswith(("ledger.receipt_", "ledger.trust_needs_anchor"))
    }
    assert len(hints) > 8
    assert [code for code, hint in hints.items() if any(one in hint for one in words)] == []
