"""Rules in code change by ballot, at a height; a program that lacks them stops and says nothing."""

import pytest

from registry import catalogue, parameters
from registry.code_tables import record_type
from registry.engine import check_engine
from registry.errors import EngineVersionError, ReplayError
from registry.replay import Replayer
from registry.schema_reader import read_record_type
from tests.cli.real_chains import town_chain
from tests.registry.test_governance import decide, open_ballot, publish, vote
from tests.registry.town import Town


@pytest.fixture
def town():
    return Town()


def engine(value, **given):
    return {"name": "engine_version", "value": value, **given}


def test_a_version_is_in_force_from_its_height_and_not_before(town):
    from_height = town.height + 30
    decide(town, "parameter", engine(2, height=from_height))
    assert parameters.number(town.state, parameters.ENGINE, from_height - 1) == 1
    check_engine(town.state, from_height - 1)
    with pytest.raises(EngineVersionError) as stopped:
        check_engine(town.state, from_height)
    assert stopped.value.details == {"height": from_height, "needed": 2, "known": 1}


def test_a_program_that_has_the_version_goes_on(town, monkeypatch):
    decide(town, "parameter", engine(2))
    with pytest.raises(EngineVersionError):
        check_engine(town.state, town.height + 9)
    monkeypatch.setattr("registry.engine.ENGINE_VERSION", 2)
    check_engine(town.state, town.height + 9)


def test_the_version_never_goes_back_neither_in_one_ballot_nor_by_two_at_once(town):
    third, second = (
        open_ballot(town, "parameter", engine(3)),
        open_ballot(town, "parameter", engine(2), "police"),
    )
    for opened in (third, second):
        town.accept(opened)
    town.accept(vote(town, third.created_record_id, "police"))
    town.accept(vote(town, third.created_record_id, "land"))
    assert town.refuse(open_ballot(town, "parameter", engine(2), "tax")) == (
        "registry.governance_conflict"
    )
    town.accept(vote(town, second.created_record_id, "justice"))
    assert town.refuse(vote(town, second.created_record_id, "land")) == (
        "registry.governance_conflict"
    )
    town.accept(open_ballot(town, "parameter", engine(3), "tax"))


def test_a_type_that_needs_a_later_engine_is_refused_by_old_and_new_programs_alike(
    town, monkeypatch
):
    text = catalogue.type_text("birth").replace(b"version = 1", b"version = 2", 1)
    text = text.replace(b"engine_version = 1", b"engine_version = 2", 1)
    digest = publish(town, text)
    opened = open_ballot(town, "schema", {"digest": digest})
    town.accept(opened)
    town.accept(vote(town, opened.created_record_id, "police"))
    assert town.refuse(vote(town, opened.created_record_id, "land")) == "registry.field_value"
    monkeypatch.setattr("registry.schema_reader.ENGINE_VERSION", 2)
    monkeypatch.setattr("registry.engine.ENGINE_VERSION", 2)
    assert read_record_type(text).engine_version == 2
    assert town.refuse(vote(town, opened.created_record_id, "land")) == "registry.field_value"
    decide(town, "parameter", engine(2))
    decide(town, "schema", {"digest": digest})
    assert record_type(town.state, "birth", town.height + 9).engine_version == 2


def test_a_replay_stops_before_the_height_and_finds_no_difference(town, monkeypatch):
    town.adult("an")
    before = len(town.blocks)
    decide(town, "parameter", engine(2, height=before + 6))
    for number in range(6):
        town.adult(f"person {number}")
    with monkeypatch.context() as newer:
        newer.setattr("registry.engine.ENGINE_VERSION", 2)
        blocks = [block for block, _certificate in town_chain(town).blocks]
    replayer = Replayer(town.genesis)
    for block in blocks[: before + 5]:
        replayer.replay_block(block)
    with pytest.raises(EngineVersionError) as stopped:
        replayer.replay_block(blocks[before + 5])
    assert not isinstance(stopped.value, ReplayError)
    monkeypatch.setattr("registry.engine.ENGINE_VERSION", 2)
    replayer.replay_block(blocks[before + 5])
