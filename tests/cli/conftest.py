"""Commands run in this process; one real network of four node processes for the whole session."""

import json

import pytest
from click.testing import CliRunner

from cli.client import Client
from cli.development import Wish, make_development
from cli.local_nodes import LocalNodes
from cli.main import program

GENESIS_MS = 1_767_225_600_000  # 2026-01-01


class Desk:
    """Somebody at a terminal with a home folder: runs commands and keeps what they said."""

    def __init__(self, home):
        self.home = home

    def run(self, *words, stdin=None):
        shown = CliRunner().invoke(program, ["--home", str(self.home), *map(str, words)], stdin)
        if shown.exception is not None and not isinstance(shown.exception, SystemExit):
            raise shown.exception
        return shown

    def ask(self, *words, stdin=None):
        """Run a command that must succeed and return its JSON objects."""
        shown = self.run(*words, "--json", stdin=stdin)
        assert shown.exit_code == 0, shown.stderr
        return [json.loads(line) for line in shown.stdout.splitlines()]

    def refused(self, *words, stdin=None):
        """Run a command that must be refused; return exit status and the error's object."""
        shown = self.run(*words, "--json", stdin=stdin)
        assert shown.exit_code != 0, shown.stdout
        return shown.exit_code, json.loads(shown.stderr.splitlines()[-1])["error"]


@pytest.fixture(autouse=True)
def _english(monkeypatch):
    for name in ("LC_ALL", "LC_MESSAGES", "CIVREG_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")


@pytest.fixture(scope="session")
def network(tmp_path_factory):
    """A development network whose four nodes run; stopped at the end of the session."""
    folder = tmp_path_factory.mktemp("network") / "net"
    made, _genesis = make_development(folder, Wish(name="test", nodes=4, time_ms=GENESIS_MS))
    with Client(made.network_id) as client, LocalNodes(made, client) as nodes:
        nodes.start_all()
        yield made


@pytest.fixture
def desk(network):
    """A desk where all keys of the development network are at hand."""
    return Desk(network.folder)


@pytest.fixture
def new_desk(network, tmp_path):
    """Make a home folder of its own for some officers, or for a citizen."""

    def make(name, *officers):
        home = tmp_path / name
        words = [word for officer in officers for word in ("--officer", officer)]
        Desk(network.folder).ask("network", "home", home, *words)
        return Desk(home)

    return make
