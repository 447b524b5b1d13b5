"""`civreg audit`: a good copy holds, and each kind of damage has its own exit status."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli import audit as audit_command
from cli.audit_checkpoint import read_checkpoint, write_checkpoint
from cli.audit_replay import Audit
from cli.audit_report import difference_lines
from cli.audit_samples import Sampler
from cli.audit_signatures import SignatureQueue, first_bad_signature
from cli.chain_copies import open_copy
from cli.main import program
from cli.output import Context
from ledger import state_tree
from ledger.blocks import Block, build_block
from ledger.canonical import encode
from ledger.entries import Entry, parse_entry
from ledger.export import read_blocks
from ledger.quorum import print_quorum_certificate
from ledger.receipts import parse_receipt
from ledger.store import ChainStore
from ledger.trust import parse_trust
from node.application import Application
from node.entry_cache import EntryCache
from registry.errors import RuleError
from registry.genesis_state import initial_state
from registry.replay import Replayer
from tests.cli.real_chains import RealChain, new_town, small_town, town_chain
from tests.registry.town import by

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def town():
    return small_town()


@pytest.fixture(scope="module")
def chain(town):
    return town_chain(town)


@pytest.fixture
def export(chain, tmp_path):
    return chain.export(tmp_path / "export")


def run(*words):
    result = CliRunner().invoke(program, ["audit", *map(str, words), "--json"])
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return result.exit_code, lines


def replay(folder, *words):
    status, lines = run("replay", folder, "--jobs", 0, *words)
    return status, lines[0] if lines else {}


def test_a_good_copy_holds_and_says_how_far_it_goes(chain, export):
    status, result = replay(export)
    assert status == 0
    assert result["holds"] is True
    assert result["height"] == len(chain.blocks)
    assert result["entries"] == sum(len(block.entries) for block, _ in chain.blocks)
    assert result["state_root"] == chain.blocks[-1][0].header.state_root.hex()
    assert result["trust_fingerprint"] == chain.trust().fingerprint


def test_a_pool_of_processes_finds_what_one_process_finds(export):
    assert run("replay", export, "--jobs", 2)[0] == 0


# --- damage --------------------------------------------------------------------------------------


class Liar:
    """A chain up to a height, from which on its agencies certify what does not hold."""

    def __init__(self, chain: RealChain, height: int) -> None:
        self.made = RealChain(chain.genesis)
        self.original = chain.blocks
        for block, _ in chain.blocks[: height - 1]:
            self.made.add(block.entries, block.header.time_ms)
        self.block = chain.blocks[height - 1][0]

    def with_header(self, **changes) -> RealChain:
        """The next block, but its header says something else."""
        header = replace(self.block.header, **changes)
        return self.with_block(build_block(header, self.block.entries, ()))

    def with_entries(self, *entries: Entry) -> RealChain:
        """Another block with these entries; its roots over them are right."""
        header = self.made.header(entries, self.block.header.time_ms)
        return self.with_block(build_block(header, entries, ()))

    def with_block(self, block: Block) -> RealChain:
        self.made.blocks.append((block, self.made.certificate(block)))
        return self.made


HEIGHT = 4
HEADER_LIES: dict[str, tuple[dict[str, Any], int, str]] = {
    "parent": ({"parent": bytes(32)}, 10, "ledger.block_wrong_parent"),
    "height": ({"height": HEIGHT + 7}, 10, "ledger.block_wrong_height"),
    "network": ({"network_id": bytes(32)}, 10, "ledger.block_wrong_network"),
    "headers root": ({"headers_root": bytes(32)}, 10, "ledger.block_wrong_headers_root"),
    "log root": ({"log_root": bytes(32)}, 10, "ledger.block_wrong_log"),
    "log size": ({"log_size": 99}, 10, "ledger.block_wrong_log"),
    "proposer": ({"round": 1}, 10, "ledger.block_wrong_proposer"),
    "validators": ({"validators": bytes(32)}, 10, "ledger.block_wrong_validators"),
    "next validators": ({"next_validators": bytes(32)}, 10, "ledger.block_wrong_validators"),
    "time": ({"time_ms": 1}, 10, "ledger.block_wrong_time"),
    "outcomes root": ({"outcomes_root": bytes(32)}, 12, "registry.replay_outcomes_differ"),
    "state root": ({"state_root": bytes(32)}, 12, "registry.replay_state_differs"),
}


@pytest.mark.parametrize("lie", HEADER_LIES)
def test_a_lie_in_a_header_that_all_agencies_signed_is_found(chain, tmp_path, lie):
    changes, status, code = HEADER_LIES[lie]
    made = Liar(chain, HEIGHT).with_header(**changes)
    folder = raw_export(made, tmp_path / "export")
    found, result = replay(folder)
    assert (found, result["difference"]["code"]) == (status, code)
    assert result["difference"]["height"] == HEIGHT
    assert result["height"] == HEIGHT - 1
    if status == 12:
        assert result["difference"]["expected"] == bytes(32).hex()
        assert result["difference"]["found"]


def raw_export(chain: RealChain, folder: Path) -> Path:
    """An export whatever the headers say; the writer would refuse a wrong height."""
    folder.mkdir()
    (folder / "genesis.civreg").write_bytes(chain.genesis.raw)
    frames = [
        encode((block.raw, print_quorum_certificate(certificate)))
        for block, certificate in chain.blocks
    ]
    blocks = b"".join(len(frame).to_bytes(4) + frame for frame in frames)
    (folder / "blocks.civreg").write_bytes(blocks)
    return folder


def test_an_entry_with_a_wrong_signature_is_found_wherever_it_stands(chain, tmp_path):
    good = chain.blocks[HEIGHT - 1][0].entries[0]
    assert len(good.slots) > 1
    for index, slot in enumerate(good.slots):
        slots = list(good.slots)
        slots[index] = bytes(slot[:-1]) + bytes([slot[-1] ^ 1])
        entry = parse_entry(unsigned(good, slots))
        folder = raw_export(Liar(chain, HEIGHT).with_entries(entry), tmp_path / str(index))
        status, result = replay(folder)
        assert (status, result["difference"]["height"]) == (11, HEIGHT)
        assert result["difference"]["index"] == 0
        assert result["difference"]["rule"].startswith("signature as ")


def unsigned(entry: Entry, slots) -> bytes:
    return encode((tuple([tuple(part) for part in entry.parts]), tuple(slots)))


def test_a_registered_entry_that_breaks_a_rule_is_found_by_its_code(chain, tmp_path):
    replayed = chain.blocks[HEIGHT - 2][0].entries[0]
    folder = raw_export(Liar(chain, HEIGHT).with_entries(replayed), tmp_path / "replayed")
    status, result = replay(folder)
    assert (status, result["difference"]["rule"]) == (13, "registry.replayed")


def test_a_signature_that_is_wrong_earlier_is_named_before_a_rule_that_is_broken_later(
    chain, tmp_path
):
    good = chain.blocks[HEIGHT - 1][0].entries[0]
    slots = list(good.slots)
    slots[0] = bytes(slots[0][:-1]) + bytes([slots[0][-1] ^ 1])
    broken = parse_entry(unsigned(good, slots))
    made = Liar(chain, HEIGHT).with_entries(broken, good)
    status, result = replay(raw_export(made, tmp_path / "export"))
    assert (status, result["difference"]["index"]) == (11, 0)


def spoiled(what: str, chain: RealChain, block: Block, good):
    """A certificate that does not hold."""
    match what:
        case "two of four":
            return chain.certificate(block, signers=2)
        case "of another height":
            return replace(good, height=good.height + 1)
        case "of another block":
            return replace(good, block_id=bytes(32))
        case "of another round":
            return replace(good, round=5)
        case _:
            return replace(good, signatures=((0, bytes(64)), *good.signatures[1:]))


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ("two of four", 14),
        ("of another height", 14),
        ("of another block", 14),
        ("of another round", 11),
        ("a signature of zeros", 11),
    ],
)
def test_a_certificate_that_does_not_hold_is_found(chain, tmp_path, what, status):
    made = RealChain(chain.genesis)
    made.blocks = list(chain.blocks)
    block, good = made.blocks[HEIGHT - 1]
    made.blocks[HEIGHT - 1] = (block, spoiled(what, made, block, good))
    found, result = replay(raw_export(made, tmp_path / "export"))
    assert (found, result["difference"]["height"]) == (status, HEIGHT)
    assert result["difference"]["index"] is None, "no entry is to blame"


def test_damaged_bytes_of_an_export_break_the_chain(export):
    path = export / "blocks.civreg"
    raw = bytearray(path.read_bytes())
    good = bytes(raw)
    for at in range(0, len(raw), len(raw) // 11):
        raw[at] ^= 0x40
        path.write_bytes(raw)
        status, result = replay(export)
        assert status in {10, 11, 12, 13, 14}, at
        assert result["holds"] is False
        raw[at] ^= 0x40
    path.write_bytes(good[:-1])
    assert replay(export)[0] == 10
    path.write_bytes(good)
    assert replay(export)[0] == 0


def test_blocks_left_out_or_exchanged_break_the_chain(chain, tmp_path):
    made = RealChain(chain.genesis)
    made.blocks = [*chain.blocks[:2], *chain.blocks[3:]]
    assert replay(raw_export(made, tmp_path / "left out"))[0] == 10
    made.blocks = [chain.blocks[1], chain.blocks[0], *chain.blocks[2:]]
    assert replay(raw_export(made, tmp_path / "exchanged"))[0] == 10


def test_a_copy_that_contradicts_the_trust_bundle_is_forked(chain, tmp_path):
    other = RealChain(chain.genesis)
    for block, _ in chain.blocks:
        other.add(block.entries, block.header.time_ms + (1 if block is chain.blocks[-1][0] else 0))
    (tmp_path / "trust").write_bytes(chain.trust().to_bytes())
    folder = raw_export(other, tmp_path / "export")
    status, result = replay(folder, "--trust", tmp_path / "trust")
    assert (status, result["difference"]["code"]) == (10, "ledger.trust_forked")
    assert result["difference"]["found"] == other.blocks[-1][0].header.digest.hex()


def test_no_folder_and_no_copy_are_refused(tmp_path):
    assert run("replay", tmp_path / "nothing")[0] == 2
    assert run("replay", tmp_path)[0] == 6


# --- checkpoints, reports ------------------------------------------------------------------------


def test_an_audit_resumes_from_its_checkpoint(chain, export, tmp_path):
    path = tmp_path / "checkpoint"
    with open_copy(export) as copy, SignatureQueue() as queue:
        audit = Audit(copy, copy.trust(), queue)
        blocks = audit.blocks()
        for _ in range(3):
            next(blocks)
        audit.settle()
        write_checkpoint(path, audit.checkpoint())
    status, result = replay(export, "--resume", path)
    assert (status, result["height"], result["replayed"]) == (
        0,
        len(chain.blocks),
        result["entries"] - 3,
    )
    assert read_checkpoint(path).tip.height == len(chain.blocks)
    assert replay(export, "--resume", path)[1]["replayed"] == 0


def test_ctrl_c_ends_an_audit_between_two_blocks_and_keeps_the_checkpoint(
    export, tmp_path, monkeypatch
):
    path = tmp_path / "checkpoint"

    class Interrupting(Sampler):
        def see(self, exported):
            super().see(exported)
            if exported.height == 3:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(audit_command, "Sampler", Interrupting)
    assert replay(export, "--resume", path, "--second-opinion")[0] == 9
    assert read_checkpoint(path).tip.height == 3
    monkeypatch.undo()
    assert replay(export, "--resume", path)[1]["holds"] is True


def test_a_checkpoint_that_was_changed_is_refused(export, tmp_path):
    path = tmp_path / "checkpoint"
    assert replay(export, "--resume", path)[0] == 0
    good = path.read_bytes()
    for at in range(0, len(good), len(good) // 40):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        assert replay(export, "--resume", path)[0] == 6, at
    path.write_bytes(good[:-5])
    assert replay(export, "--resume", path)[0] == 6
    checkpoint = read_checkpoint(write_back(path, good))
    rows = dict(checkpoint.rows)
    rows.pop(next(iter(rows)))
    write_checkpoint(path, replace(checkpoint, rows=rows))
    assert replay(export, "--resume", path)[0] == 6


def write_back(path: Path, raw: bytes) -> Path:
    path.write_bytes(raw)
    return path


def test_reports_come_as_json_and_as_markdown(chain, export, tmp_path):
    assert replay(export, "--report", tmp_path / "r.json")[0] == 0
    assert json.loads((tmp_path / "r.json").read_text())["holds"] is True
    made = Liar(chain, HEIGHT).with_header(state_root=bytes(32))
    folder = raw_export(made, tmp_path / "bad")
    assert replay(folder, "--report", tmp_path / "r.md")[0] == 12
    text = (tmp_path / "r.md").read_text()
    assert "The copy does not hold." in text
    assert f"| difference.height | {HEIGHT} |" in text
    assert replay(export, "--report", tmp_path / "r.txt")[0] == 6


def test_the_second_verifier_agrees_on_a_sample(chain, export):
    status, result = replay(export, "--second-opinion")
    assert (status, result["second_opinions"]) == (0, len(chain.blocks))
    status, lines = run("sample", export, "--seed", 3, "--size", 2)
    assert (status, len(lines)) == (0, 2)
    assert run("sample", export, "--seed", 3, "--size", 2)[1] == lines


# --- the folder of a stopped node ----------------------------------------------------------------


@pytest.fixture(scope="module")
def home(chain, tmp_path_factory):
    """The home of a stopped node that has the chain."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "data").mkdir()
    state = initial_state(chain.genesis)
    hashes = {bytes(position): value for position, value in state.tree_changes().items()}
    stored = {key: value for key, value in state.changes().items() if value is not None}
    pages = state_tree.update(lambda _key: None, hashes).pages
    store = ChainStore.create(folder / "data", chain.genesis, stored, pages)
    application = Application(store, EntryCache())
    for block, certificate in chain.blocks:
        application.commit(block, certificate)
    store.close()
    return folder


def test_a_stopped_node_is_audited_without_changing_what_it_holds(chain, home):
    for folder in (home, home / "data", home / "data" / "chain"):
        status, result = replay(folder)
        assert (status, result["height"]) == (0, len(chain.blocks))
    with ChainStore.open(home / "data", read_only=True) as store:
        assert store.height == len(chain.blocks)
        in_use = run("replay", home)
    assert in_use[0] == 7


def test_an_export_of_a_stopped_node_goes_on_where_it_stopped(chain, home, tmp_path):
    shorter = RealChain(chain.genesis)
    shorter.blocks = chain.blocks[:3]
    folder = shorter.export(tmp_path / "export")
    result = CliRunner().invoke(
        program, ["export", "chain", str(folder), "--from", str(home), "--json"]
    )
    assert json.loads(result.stdout)["written"] == len(chain.blocks) - 3
    assert replay(folder)[0] == 0
    assert run("compare", folder, home)[0] == 0


# --- compare, prove ------------------------------------------------------------------------------


def test_two_copies_are_compared_block_by_block(chain, export, tmp_path):
    shorter = RealChain(chain.genesis)
    shorter.blocks = chain.blocks[:3]
    second = raw_export(shorter, tmp_path / "shorter")
    assert run("compare", export, second) == (
        0,
        [{"same": True, "height": 3, "longer": str(export)}],
    )
    said = CliRunner().invoke(program, ["audit", "compare", str(second), str(export)])
    assert f"goes on to block {len(chain.blocks)}." in said.stdout
    made = Liar(chain, HEIGHT).with_header(state_root=bytes(32))
    third = raw_export(made, tmp_path / "other")
    assert run("compare", export, third) == (10, [{"same": False, "height": HEIGHT}])


def test_a_receipt_out_of_a_copy_is_genuine(chain, export, tmp_path):
    out = tmp_path / "receipt"
    entry = chain.blocks[2][0].entries[0]
    assert run("prove", export, entry.entry_digest.hex(), "--out", out)[0] == 0
    assert parse_receipt(out.read_bytes()).entry_digest == entry.entry_digest
    trust = str(export / "trust.civreg")
    assert CliRunner().invoke(program, ["verify", str(out), "--trust", trust]).exit_code == 0
    assert run("prove", export, "00" * 32, "--out", out)[0] == 3


def test_the_pure_chunk_function_names_the_first_bad_signature(chain):
    entry = chain.blocks[0][0].entries[0]
    with SignatureQueue() as queue:
        pieces = collect(chain, queue)
    assert first_bad_signature(pieces) is None
    for at in range(len(pieces)):
        bad = list(pieces)
        for position in range(at, len(bad)):
            key, message, signature = bad[position]
            bad[position] = (key, message + b"x", signature)
        assert first_bad_signature(bad) == at
    assert entry.slots


def collect(chain, queue):
    """All signatures of the first two blocks."""
    pieces = []
    queue._send = lambda: None
    replayer = Replayer(chain.genesis, verify=queue.verify_later)
    for block, _ in chain.blocks[:2]:
        replayer.replay_block(block)
    pieces += queue._pieces
    return pieces


@pytest.mark.slow
def test_replay_gives_the_same_roots_under_any_hash_seed(export):
    roots = set()
    for seed in ("0", "4242"):
        command = [sys.executable, "-m", "cli.main", "audit", "replay", str(export), "--json"]
        done = subprocess.run(
            [*command, "--jobs", "0"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            check=True,
            text=True,
        )
        result = json.loads(done.stdout)
        roots.add((result["state_root"], result["log_root"]))
    assert len(roots) == 1


def test_the_town_of_these_tests_is_really_refused_what_it_must_not_do():
    town = new_town()
    anna = town.adult("anna")
    with pytest.raises(RuleError):
        town.accept(town.contact(anna, by("subject", "binh")))


def test_the_bundle_of_an_export_is_the_one_that_its_chain_makes(chain, export):
    assert parse_trust((export / "trust.civreg").read_bytes()) == chain.trust()


@pytest.mark.parametrize(
    ("lang", "where", "sentence", "differs"),
    [
        ("en", "first difference: block 7, entry -, rule state_root", "state",
         "expected aa, found bb"),
        ("vi", "khác biệt đầu tiên: khối 7, mục -, quy tắc state_root", "rạng thái",
         "mong đợi aa, gặp bb"),
    ],
)  # fmt: skip
def test_a_difference_is_said_in_words_and_never_in_english_to_a_vietnamese(
    lang, where, sentence, differs
):
    difference = {
        "height": 7, "index": None, "rule": "state_root", "code": "registry.replay_state_differs",
        "expected": "aa", "found": "bb", "message": "the state root is another one",
    }  # fmt: skip
    said = difference_lines(Context(lang=lang), difference)
    assert said[0] == where
    assert sentence in said[1]
    assert said[2].strip() == differs
    assert ("the state root is another one" in said[-1]) == (lang == "en")
    unequal = difference_lines(Context(lang=lang), {**difference, "expected": "", "found": None})
    assert len(unequal) == len(said) - 1


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_a_copy_that_ends_before_what_the_trust_bundle_certifies_does_not_hold(
    chain, tmp_path, kept
):
    whole, cut = chain.export(tmp_path / "whole"), chain.export(tmp_path / "cut")
    assert parse_trust((whole / "trust.civreg").read_bytes()).newest_height == len(chain.blocks)
    ends = [0, *[one.end for one in read_blocks(whole)]]
    raw = (whole / "blocks.civreg").read_bytes()
    (cut / "blocks.civreg").write_bytes(raw[: ends[kept]])
    status, result = replay(cut)
    assert (status, result["holds"], result["height"]) == (10, False, kept)
    assert result["difference"]["code"] == "cli.copy_short"
    assert result["difference"]["height"] == kept + 1
    (cut / "trust.civreg").unlink()
    assert replay(cut)[0] == 0, "without a bundle nobody can know"
    assert replay(cut, "--trust", whole / "trust.civreg")[0] == 10


def test_an_audit_says_what_it_believed_beforehand_and_from_where_it_read(export, tmp_path):
    words = ["audit", "replay", str(export), "--jobs", "0", "--resume", str(tmp_path / "point")]
    first = CliRunner().invoke(program, words)
    assert "believed beforehand: the trust bundle in the copy itself" in first.stdout
    assert "nothing before it was read again" not in first.stdout
    second = CliRunner().invoke(program, [*words, "--trust", str(export / "trust.civreg")])
    assert f"believed beforehand: {export / 'trust.civreg'}" in second.stdout
    assert "nothing before it was read again" in second.stdout
    (export / "trust.civreg").unlink()
    third = CliRunner().invoke(program, words[:-2])
    assert "believed beforehand: the genesis document in the copy itself" in third.stdout
