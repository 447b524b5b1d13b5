"""The ceremony of docs/using.md, run as it is printed: real key files, four nodes, a block."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from cli.client import Client
from cli.local_nodes import LocalNodes
from cli.network_file import NetworkFile, NodePlace
from ledger.genesis import parse_genesis
from tests.cli.conftest import Desk
from tests.node.homes import free_port

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "using.md"
FIRST_BLOCK_S = 150
LOOP = re.compile(r"for name in (.*); do (.*); done")


def blocks(kind):
    """The blocks of the section, in order."""
    text = PAGE.read_text(encoding="utf-8").partition("\n## Genesis of a real network\n")[2]
    section = text.partition("\n## ")[0]
    return re.findall(rf"```{kind}\n(.*?)```", section, re.DOTALL)


def commands(block):
    """Each command of a block as words after `civreg`; a loop of the shell is unrolled."""
    for line in block.splitlines():
        loop = LOOP.fullmatch(line)
        names = loop[1].split() if loop else [""]
        for name in names:
            words = shlex.split((loop[2] if loop else line).replace("$name", name), comments=True)
            assert words[0] == "civreg"
            yield words[1:]


class Founder:
    """One agency on its own machine: a home folder and a folder in which it works."""

    def __init__(self, folder, name):
        self.name, self.folder = name, folder / name
        self.desk = Desk(self.folder / "home")

    def ask(self, words, monkeypatch):
        """Run a command of the page where the agency works; `*.part` is for the shell."""
        monkeypatch.chdir(self.folder)
        listed = [one for word in words for one in self._files(word)]
        return self.desk.ask(*listed)

    def _files(self, word):
        return sorted(self.folder.glob(word)) if "*" in word else [word]


def make_keys(founders, monkeypatch):
    for founder in founders:
        founder.folder.mkdir()
        for words in commands(blocks("text")[0]):
            founder.ask([*words, "--unencrypted"], monkeypatch)


def make_parts(founders, template, part, monkeypatch):
    """Each writes the printed part with its own name, and makes it; all get all parts."""
    _agreed, own = blocks("toml")
    for founder in founders:
        founder.folder.joinpath("template.civreg").write_bytes(template)
        text = own.replace("node.justice.example:7400", f"127.0.0.1:{free_ports()}")
        text = text.replace('agency = "justice"', f'agency = "{founder.name}"')
        founder.folder.joinpath("part.toml").write_text(text)
        words = [re.sub(r"^justice(?=\.part$)", founder.name, word) for word in part]
        founder.ask(words, monkeypatch)
    for founder in founders:
        for other in founders:
            name = f"{other.name}.part"
            founder.folder.joinpath(name).write_bytes((other.folder / name).read_bytes())


def free_ports():
    """A port that is free now, and well below the last."""
    while (port := free_port()) > 65_000:
        pass
    return port


def test_the_ceremony_of_the_manual_ends_with_four_nodes_that_make_a_block(tmp_path, monkeypatch):
    template, part, merge, node = commands(blocks("text")[1])
    doctor, run = commands(blocks("text")[2])
    agreed = blocks("toml")[0]
    founders = [Founder(tmp_path, one["name"]) for one in tomllib.loads(agreed)["agencies"]]
    make_keys(founders, monkeypatch)
    founders[0].folder.joinpath("agreed.toml").write_text(agreed)
    founders[0].ask(template, monkeypatch)
    template_raw = founders[0].folder.joinpath("template.civreg").read_bytes()
    make_parts(founders, template_raw, part, monkeypatch)
    told = [founder.ask(merge, monkeypatch)[0] for founder in founders]
    assert len({(one["network_id"], one["fingerprint"]) for one in told}) == 1
    for founder in founders:
        words = [founder.name if word == "justice" else word for word in node]
        founder.ask([*words, "--unencrypted", "--listen", "127.0.0.1"], monkeypatch)
        assert founder.ask(doctor, monkeypatch)[0]["level"] == "ok"
    assert run[:2] == ["node", "run"], "which the processes below do"
    run_until_a_block(founders)


def run_until_a_block(founders):
    genesis = parse_genesis((founders[0].desk.home / "genesis.civreg").read_bytes())
    ids = {agency.name: agency.agency_id for agency in genesis.template.agencies}
    places = [NodePlace(one.name, ids[one.name], "", one.folder / "node") for one in founders]
    network = NetworkFile(
        folder=founders[0].desk.home,
        name=genesis.template.name,
        network_id=genesis.network_id,
        nodes=tuple(places),
    )
    with Client(network.network_id) as client, LocalNodes(network, client) as nodes:
        nodes.start_all()
        for name in nodes.names:
            nodes.wait_for_height(name, 1, FIRST_BLOCK_S)
