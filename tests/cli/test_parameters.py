"""The list of a network's parameters says what is in force, and what a ballot may choose."""

from types import SimpleNamespace

import pytest

from cli import parameters
from cli.languages import catalogue, error_text
from consensus.parameters import DEFAULT, LAN
from registry.content_errors import ParameterRefusedError
from registry.parameters import CONSENSUS, HOLIDAYS, NUMBERS, check_decided, check_parameter
from registry.rows import ParameterRow
from registry.state_key_names import parameter_key

HEIGHT = 20
ROWS = {
    "received_days": ParameterRow(((5, 0), (3, 21), (9, 22))),
    HOLIDAYS: ParameterRow(((("2026-09-02",), 7),)),
    CONSENSUS: ParameterRow(((LAN.to_value(), 0),)),
    "development": ParameterRow(((True, 0),)),
}


def network_of(rows):
    """A network after block 20 whose state has these parameters."""
    state = {parameter_key(name): row for name, row in rows.items()}
    remote = SimpleNamespace(height=HEIGHT, prefetch=list)
    return SimpleNamespace(remote=remote, state=SimpleNamespace(read=lambda key, _: state.get(key)))


@pytest.fixture
def listed():
    return {one["name"]: one for one in parameters.parameters_of(network_of(ROWS))}


def test_what_is_in_force_in_the_next_block_is_told_and_what_comes_later(listed):
    received = listed["received_days"]
    assert (received["value"], received["from_height"], received["default"]) == (3, 21, 7)
    assert received["coming"] == [{"value": 9, "from_height": 22}]
    assert (received["least"], received["most"], received["unit"]) == (0, 366, "days")
    assert listed[HOLIDAYS]["value"] == ["2026-09-02"]
    assert listed[CONSENSUS]["value"]["propose_ms"] == LAN.propose_ms
    assert listed[CONSENSUS]["default"]["propose_ms"] == DEFAULT.propose_ms
    assert (listed["development"]["value"], listed["development"]["by_ballot"]) == (True, False)
    assert (listed["key_changes"]["value"], listed["key_changes"]["from_height"]) == (3, 0)


def test_every_parameter_that_the_ledger_takes_is_listed_with_its_bounds(listed):
    for name, bounds in NUMBERS.items():
        assert (listed[name]["least"], listed[name]["most"]) == (bounds.least, bounds.most)
        check_decided(name, listed[name]["most"])
        with pytest.raises(ParameterRefusedError):
            check_decided(name, listed[name]["most"] + 1)
    for name in listed.keys() - NUMBERS.keys():
        check_parameter(name, parameters._DEFAULTS[name])


@pytest.mark.parametrize("language", ["en", "vi"])
def test_each_has_a_unit_and_a_meaning_in_both_languages(listed, language):
    texts = catalogue(language).texts
    for name, one in listed.items():
        assert texts[f"parameter.meaning.{name}"]
        assert texts[f"parameter.unit.{one['unit']}"]
    assert "`civreg network parameters`" in error_text(language, "registry.parameter", {}).hint


@pytest.mark.slow
def test_officers_read_them_and_a_refused_ballot_names_the_list(desk):
    found = {one["name"]: one["value"] for one in desk.ask("network", "parameters")}
    assert (found["import_wait_days"], found["development"]) == (0, True)
    said = desk.run("network", "parameters", "--lang", "vi").stdout
    assert f"received_days = {found['received_days']} (ngày)" in said, "others vote on it here"
    assert f"propose_ms {found['consensus']['propose_ms']}, " in said
    words = ("governance", "propose", "parameter", "received_days", "367", "--by", "justice")
    refused = desk.run(*words, "--yes")
    assert "[registry.parameter]" in refused.stderr
    assert "`civreg network parameters`" in refused.stderr
