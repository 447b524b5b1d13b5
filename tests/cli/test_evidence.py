"""`civreg evidence`: shown in words, checked offline, taken out of a copy, made of two bundles."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from cli.main import program
from ledger.trust import make_trust
from tests.agreement.accusations import conflicts, equivocations
from tests.agreement.documents import (
    bundle,
    certified,
    five_validators,
    genesis_bundle,
    p256_network,
    small_world,
)
from tests.cli.test_audit_evidence import chain_of, equivocation

NEVER_MS = 4_000_000_000_000


@pytest.fixture(scope="module")
def world():
    return small_world()


@pytest.fixture
def desk(tmp_path, world):
    """Run `evidence` with files by name: evidence of every kind, and bundles."""
    changed = five_validators(world.network)
    young = bundle(world.network, world.blocks[:4], changed)
    known, other = certified(world.blocks[0]), conflicts(world)["equivocation"].other
    charter = world.network.genesis.charter
    names = {
        **{name: one.to_bytes() for name, one in equivocations(world).items()},
        **{f"two headers, {name}": one.to_bytes() for name, one in conflicts(world).items()},
        "trust": replace(young, valid_until_ms=NEVER_MS).to_bytes(),
        "over": young.to_bytes(),
        "another network": replace(
            genesis_bundle(p256_network("efgh")), valid_until_ms=NEVER_MS
        ).to_bytes(),
        "ours": make_trust(charter, [], known, NEVER_MS).to_bytes(),
        "theirs": make_trust(charter, [], other, NEVER_MS).to_bytes(),
        "rubbish": b"rubbish",
    }
    for name, raw in names.items():
        (tmp_path / name).write_bytes(raw)

    def run(verb, *words, lang="en", as_json=True):
        named = [str(tmp_path / word) if word in names else str(word) for word in words]
        form = ["--json"] if as_json else []
        arguments = ["evidence", verb, *named, "--home", str(tmp_path / "home"), "--lang", lang]
        result = CliRunner().invoke(program, [*arguments, *form])
        lines = [json.loads(one) for one in result.stdout.splitlines()] if as_json else []
        return result.exit_code, lines, result.stdout + result.stderr

    return run


def test_good_evidence_is_genuine_and_names_who_did_what(desk):
    status, (result,), _ = desk("verify", "prevotes", "--trust", "trust")
    assert (status, result["word"]) == (0, "GENUINE")
    assert (result["message"], result["height"], result["round"]) == ("prevote", 1, 1)
    (accused,) = result["accused"]
    assert accused["index"] == 2
    assert accused["name"].startswith("Agency ")
    assert len({one["block"] for one in result["said"]}) == 2
    assert [check["name"] for check in result["checks"]] == [
        "network", "set", "quorum", "messages", "trust",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "proves"),
    [("equivocation", "equivocation"), ("amnesia", "amnesia"), ("made up", "made-up-set")],
)
def test_two_headers_of_one_height_say_what_they_prove(desk, kind, proves):
    status, (result,), _ = desk("verify", f"two headers, {kind}", "--trust", "trust")
    assert (status, result["word"], result["proves"]) == (0, "GENUINE", proves)
    assert len(result["accused"]) == 2
    assert result["accused_weight"] == 2
    shown = desk("verify", f"two headers, {kind}", "--trust", "trust", as_json=False)[2]
    assert ("suspect: " in shown) == (kind == "amnesia")
    assert ("accused: " in shown) == (kind != "amnesia")


@pytest.mark.parametrize(
    ("bundle_name", "status", "failed"),
    [("over", 19, "trust"), ("another network", 19, "network")],
)
def test_what_the_bundle_cannot_judge_is_not_called_false(desk, bundle_name, status, failed):
    found, (result,), _ = desk("verify", "prevotes", "--trust", bundle_name)
    assert (found, result["word"]) == (status, "CANNOT CHECK NOW")
    failures = [check for check in result["checks"] if not check["passed"]]
    assert failed in {check["name"] for check in failures}
    assert all(check["hint"] and check["code"] for check in failures)
    assert "accused" not in result


def test_damaged_evidence_accuses_nobody(desk, tmp_path, world):
    good = equivocations(world)["prevotes"]
    broken = replace(good, evidence=replace(good.evidence, first=_unsigned(good.evidence.first)))
    path = tmp_path / "broken"
    path.write_bytes(broken.to_bytes())
    status, (result,), _ = desk("verify", path, "--trust", "trust")
    assert (status, result["word"]) == (18, "FORGED")
    assert "accused" not in result
    assert desk("verify", "rubbish", "--trust", "trust")[1][0]["word"] == "UNREADABLE"
    assert desk("verify", "rubbish", "--trust", "trust")[0] == 6
    assert desk("show", "rubbish")[0] == 6


def _unsigned(message):
    return replace(message, signature=bytes(64))


def test_without_a_bundle_it_says_which_file_is_missing(desk):
    assert desk("verify", "prevotes")[0] == 3


@pytest.mark.parametrize("lang", ["en", "vi"])
def test_it_is_shown_in_words_of_both_languages_and_says_that_nothing_is_verified(desk, lang):
    for name in ("prevotes", "proposals", "two headers, amnesia"):
        for words in ([name], [name, "--trust", "trust"]):
            status, _, shown = desk("show", *words, lang=lang, as_json=False)
            assert status == 0
            assert "civreg evidence verify" in shown
            assert "{" not in shown
    with_name = desk("show", "prevotes", "--trust", "trust", lang=lang, as_json=False)[2]
    assert "Agency " in with_name
    assert desk("show", "prevotes")[1][0]["verified"] is False


def test_evidence_of_a_copy_is_listed_written_and_verifies_on_its_own(desk, tmp_path):
    made = chain_of((), (equivocation(1), equivocation(2)), (), (equivocation(2, height=3),))
    folder = made.export(tmp_path / "export")
    status, listed, _ = desk("list", folder, "--out", tmp_path / "out")
    assert status == 0
    places = [(one["block"], one["height"], one["accused"][0]["index"]) for one in listed]
    assert places == [(2, 1, 1), (2, 1, 2), (4, 3, 2)]
    assert len({one["file"] for one in listed}) == 3
    for one in listed:
        verdict = desk("verify", one["file"], "--trust", folder / "trust.civreg")
        assert (verdict[0], verdict[1][0]["word"]) == (0, "GENUINE")
        assert verdict[1][0]["evidence"] == one["evidence"]
    shown = desk("list", folder, as_json=False)[2]
    assert "in block 4:" in shown
    empty = chain_of((), ()).export(tmp_path / "empty")
    assert desk("list", empty)[1] == []
    assert "No block" in desk("list", empty, as_json=False)[2]
    desk("list", folder, "--out", tmp_path / "dry", "--dry-run")
    assert not (tmp_path / "dry").exists()


def test_two_bundles_of_two_histories_become_evidence_that_verifies(desk, tmp_path):
    out = tmp_path / "fork.evidence"
    assert desk("conflict", "ours", "theirs", "--out", out, "--dry-run")[0] == 0
    assert not out.exists()
    status, (result,), _ = desk("conflict", "ours", "theirs", "--out", out)
    assert (status, result["proves"]) == (0, "equivocation")
    verdict = desk("verify", out, "--trust", "trust")
    assert (verdict[0], verdict[1][0]["accused"]) == (0, result["accused"])
    assert desk("conflict", "ours", "ours", "--out", out)[0] == 3
    assert desk("conflict", "ours", "another network", "--out", out)[0] == 3
