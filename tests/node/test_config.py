from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.ids import AgencyId
from node.config import Address, Config, load_config, parse_address, parse_config, render_config
from node.errors import ConfigError

HOME = Path("somewhere")

hosts = st.sampled_from(["127.0.0.1", "node.example.org", "::1", "0.0.0.0"])
addresses = st.builds(Address, hosts, st.integers(0, 65_535))
names = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), min_size=1, max_size=64
).filter(str.isprintable)
configs = st.builds(
    Config,
    home=st.just(HOME),
    agency=st.none() | st.binary(min_size=16, max_size=16).map(AgencyId),
    name=names,
    peer=addresses,
    public=addresses,
    private=st.builds(Address, st.sampled_from(["127.0.0.1", "::1"]), st.integers(0, 65_535)),
    peers=st.dictionaries(st.binary(min_size=16, max_size=16).map(AgencyId), addresses, max_size=3),
    passphrase_file=st.none() | st.just(HOME / "keys/passphrase") | st.just(Path("/etc/secret")),
    unencrypted=st.booleans(),
    verify_threads=st.integers(1, 64),
    garbage_max=st.integers(1, 1_000),
    snapshot_blocks=st.integers(0, 1_000_000),
    log_level=st.sampled_from(["debug", "info", "warning", "error"]),
)


@given(configs)
def test_what_was_rendered_is_read_back_as_the_same_config(config):
    assert parse_config(render_config(config).encode(), HOME) == config


def test_a_minimal_file_has_defaults_and_no_agency():
    config = parse_config(b"version = 1", HOME)
    assert config.agency is None
    assert config.peer == Address("0.0.0.0", 7400)


def test_every_problem_is_reported_at_once():
    text = b"""
agency = "abc"
surprise = 7
[listen]
peer = "nowhere"
private = "0.0.0.0:1"
[work]
verify_threads = true
[peers]
xyz = "a:1"
[log]
level = "loud"
"""
    with pytest.raises(ConfigError) as caught:
        parse_config(text, HOME)
    named = {problem.partition(":")[0] for problem in caught.value.problems}
    assert named == {
        "version",
        "agency",
        "surprise",
        "listen.peer",
        "listen.private",
        "work.verify_threads",
        "peers.xyz",
        "log.level",
    }


@given(st.binary(max_size=300))
def test_any_bytes_are_a_config_or_a_config_error(raw):
    problems: tuple[str, ...] = ()
    try:
        parse_config(raw, HOME)
    except ConfigError as error:
        problems = error.problems
    assert all(problems)


def test_a_file_over_the_limit_is_not_parsed():
    with pytest.raises(ConfigError, match="over"):
        parse_config(b"#" * (256 * 1024 + 1), HOME)


def test_a_missing_file_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match=r"config\.toml"):
        load_config(tmp_path)


@pytest.mark.parametrize("text", ["", "a", "a:", ":1", "a:b", "a:65536", "::1:5", "a:1٣", "a:-1"])
def test_text_that_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_address(text)
