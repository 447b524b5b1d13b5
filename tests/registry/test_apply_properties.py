"""Invariants of applying entries, whatever the entries are."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ledger import state_tree
from ledger.canonical import encode
from ledger.entries import Entry, parse_entry
from ledger.errors import InvalidDataError
from registry.apply import VerifiedEntry, apply, execute, rehearse
from registry.books import book
from registry.claims import tag_checks
from registry.errors import BlockRefusedError, RuleError
from registry.rows import RecordRow
from registry.state import State
from registry.state_key_names import record_key
from tests.registry.town import Town, by, office, plain_value, two_officers

ROOT = Path(__file__).parents[2]


class Scene:
    """A town made once, with valid entries of several kinds that nobody has applied."""

    def __init__(self) -> None:
        town = self.town = Town()
        anna, paul, bank = town.adult("anna"), town.adult("paul"), town.adult("bank")
        title = town.title({anna: "anna"})
        correction = town.part("identity", anna)
        hands = [*two_officers(), by("subject", "anna")]
        self.entries = [
            town.birth(mother=anna, father=paul),
            town.birth("birth/declare", mother=anna),
            town.contact(anna, by("subject", "anna")),
            town.entry("identity/correct", hands, [correction], reason="clerical"),
            town.sale(title, ["anna"], {paul: "paul"}),
            town.mortgage(title, ["anna"], bank, "bank"),
        ]


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


def nodes(value, path=()):
    """Every place in a decoded value at which something can be changed."""
    yield path
    if isinstance(value, dict):
        items = list(value.items())
    else:
        items = list(enumerate(value)) if isinstance(value, tuple) else []
    for name, item in items:
        yield from nodes(item, (*path, name))


def changed(value, path, new):
    if not path:
        return new
    first, *rest = path
    if isinstance(value, tuple):
        return tuple(
            changed(item, rest, new) if at == first else item for at, item in enumerate(value)
        )
    return {key: changed(item, rest, new) if key == first else item for key, item in value.items()}


replacements = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 3),
    st.sampled_from(["", "2026-01-02", "subject", "register", "*", "birth/register"]),
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=32, max_size=32),
    st.just(()),
    st.just({}),
)


def with_a_change(data, entry: Entry) -> bytes:
    """The bytes of an entry in which one value of one part is another."""
    raw_parts, slots = plain_value(entry.raw)
    at = data.draw(st.integers(0, len(raw_parts) - 1))
    part = plain_value(raw_parts[at][1])
    path = data.draw(st.sampled_from(list(nodes(part))))
    damaged = changed(part, path, data.draw(replacements))
    assume(damaged != part)
    parts = tuple(
        (blind, encode(damaged)) if index == at else (blind, raw)
        for index, (blind, raw) in enumerate(raw_parts)
    )
    return encode((parts, slots))


def code_of(town: Town, raw: bytes) -> str:
    """The code with which bytes are refused, or `accepted`."""
    try:
        apply(town.state, town.verified(parse_entry(raw)), town.block())
    except (InvalidDataError, RuleError) as error:
        return error.code
    return "accepted"


def trial(town: Town, raw: bytes, run) -> str:
    """The code with which the rules refuse bytes that everybody signed, or `accepted`."""
    try:
        entry = parse_entry(raw)
        tag_keys = tuple(found[0] for found in tag_checks(town.state, entry))
        run(town.state.fork(), VerifiedEntry(entry, tag_keys), town.block())
    except (InvalidDataError, RuleError) as error:
        return error.code
    return "accepted"


@pytest.mark.parametrize("kind", range(6))
def test_a_rehearsal_writes_what_applying_writes_and_nothing_for_the_store(scene, kind):
    town, entry = scene.town, scene.entries[kind]
    real, guess = town.state.fork(), town.state.fork()
    apply(real, town.verified(entry), town.block())
    rehearse(guess, town.verified(entry), town.block())
    assert set(guess.written_keys()) == set(real.written_keys())
    for key in real.written_keys():
        assert guess.get(key) == real.get(key)
    assert guess.changes() == {}


@settings(max_examples=100)
@given(data=st.data())
def test_no_changed_entry_is_accepted_and_no_refusal_leaves_a_trace(scene, data):
    """Invariant: whatever is changed in head, records, objects or context, the signatures break."""
    town = scene.town
    before = dict(town.state.tree_changes())
    assert (
        code_of(town, with_a_change(data, data.draw(st.sampled_from(scene.entries)))) != "accepted"
    )
    assert town.state.tree_changes() == before


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_a_changed_entry_that_everybody_signed_again_is_refused_with_a_code_or_applied(scene, data):
    """Invariant: the rules never fall over, whatever the officers agree to sign."""
    raw = with_a_change(data, data.draw(st.sampled_from(scene.entries)))
    code = trial(scene.town, raw, apply)
    assert code.startswith(("ledger.", "registry.", "accepted"))
    assert trial(scene.town, raw, rehearse) == code


@settings(max_examples=60)
@given(data=st.data())
def test_no_changed_signature_is_accepted(scene, data):
    town = scene.town
    entry = data.draw(st.sampled_from(scene.entries))
    raw_parts, slots = plain_value(entry.raw)
    raw = encode(slots)
    at = data.draw(st.integers(0, len(raw) - 1))
    damaged = raw[:at] + bytes([raw[at] ^ data.draw(st.integers(1, 255))]) + raw[at + 1 :]
    with pytest.raises((InvalidDataError, RuleError)):
        town.verified(parse_entry(encode((raw_parts, plain_value(damaged)))))


def root(town: Town) -> bytes:
    """The root over all that the town has written since genesis."""
    changes = {bytes(key): value for key, value in town.state.tree_changes().items()}
    return state_tree.update(lambda _key: None, changes).root


@pytest.mark.parametrize("sizes", [(1,) * 4, (4,), (2, 2), (1, 3)])
def test_the_state_does_not_depend_on_how_entries_fall_into_blocks(sizes):
    """Invariant: apart from heights and indexes, one block or several give the same records."""
    towns = Town(), Town()
    rows: list[list[Any]] = []
    for town, parts in zip(towns, ((4,), sizes), strict=True):
        mothers = [town.adult(f"mother {number}") for number in range(4)]
        births = [town.birth(mother=mother) for mother in mothers]
        first = 0
        for size in parts:
            execute(town.state, births[first : first + size], town.block())
            town.height += 1
            first += size
        found = [town.row(birth.records[0].record_id) for birth in births]
        rows.append([(row.version, row.registration_number, row.links) for row in found])
        frontier = book(town.state, office(), "birth", 2026)
        rows[-1].append(frontier)
    assert rows[0] == rows[1]


def test_a_block_is_applied_as_a_whole_or_not_at_all(scene):
    town = scene.town
    birth = scene.entries[0]
    before = dict(town.state.tree_changes())
    with pytest.raises(BlockRefusedError) as refused:
        execute(town.state, [birth, birth], town.block())
    assert refused.value.details["index"] == 1
    assert town.state.tree_changes() == before


@settings(max_examples=15, deadline=None)
@given(plan=st.lists(st.sampled_from(["good", "no basis", "no signer", "twice"]), max_size=8))
def test_numbers_are_gapless_under_refusals(plan):
    """Invariant: number n is followed by n + 1, whatever was refused between."""
    town = Town()
    numbers = []
    for at, act in enumerate(plan):
        mother = town.adult(f"mother {at}")
        match act:
            case "good":
                entry = town.birth(mother=mother, number=f"number {at}")
                numbers.append(town.accept(entry).registration_number)
            case "no basis":
                town.refuse(town.birth(mother=mother, basis=()))
            case "no signer":
                town.refuse(town.birth(mother=mother, hands=town.birth_hands()[:2]))
            case _:
                town.accept(town.birth("birth/declare", mother=mother))
                town.refuse(town.birth(mother=mother, number=f"number {at}"))
    assert numbers == [f"birth/{number}/2026" for number in range(1, len(numbers) + 1)]
    assert book(town.state, office(), "birth", 2026).size == len(numbers)


@settings(max_examples=20)
@given(order=st.randoms(use_true_random=False))
def test_applying_does_not_depend_on_the_order_in_which_maps_were_filled(scene, order):
    """Invariant: a state whose rows were read in another order gives the same outcome."""
    town = scene.town
    entry = scene.entries[4]
    wanted = apply(town.state.fork(), town.verified(entry), town.block())
    stored = list(town.state.changes().items())
    order.shuffle(stored)
    below = town.state
    shuffled = dict(stored)
    other = State(lambda key: shuffled.get(key) or stored_below(below, key))
    assert apply(other, town.verified(entry), town.block()) == wanted


def stored_below(state: State, key: bytes) -> bytes | None:
    return state._source.reader(key)


def test_the_row_of_a_record_survives_its_bytes(scene):
    for entry in scene.entries[2:]:
        row = scene.town.state.read(record_key(entry.records[0].record_id), RecordRow)
        if row is not None:
            assert RecordRow.from_value(plain_value(encode(row.to_value()))) == row


PROGRAM = """
from tests.registry.test_apply_properties import root
from tests.registry.town import Town, by
town = Town()
anna, paul = town.adult("anna"), town.adult("paul")
town.accept(town.birth(mother=anna, father=paul))
title = town.title({anna: "anna"})
town.accept(town.sale(title, ["anna"], {paul: "paul"}))
town.accept(town.contact(anna, by("subject", "anna")))
print(root(town).hex())
"""


def test_two_hash_seeds_give_the_same_root():
    found = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for hash_seed in ("0", "4242")
    ]
    assert found[0] == found[1]
    assert len(found[0].strip()) == 64


def test_a_signature_that_was_never_made_is_named_by_its_term(scene):
    town = scene.town
    entry = scene.entries[2]
    parts, slots = plain_value(entry.raw)
    swapped = parse_entry(encode((parts, (slots[1], slots[0]))))
    refusal = town.refusal(swapped)
    assert refusal.code == "registry.bad_signature"
    assert refusal.details["term"] == "subject"
