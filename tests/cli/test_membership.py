"""A network of real processes that changes its members, by the commands of the manual."""

import re
import time

import pytest

from cli.acting import Actor
from cli.client import MSGPACK, Call, Client
from cli.development import Wish, make_development
from cli.exit_codes import ExitCode
from cli.local_nodes import LocalNodes
from cli.network_file import load_network
from ledger.trust import parse_trust
from node.config import CONFIG_FILE, load_config
from tests.cli.conftest import GENESIS_MS, Desk
from tests.node.homes import free_port
from verifier.trust import read_trust

pytestmark = pytest.mark.slow
PATIENCE_S = 150


def until(is_so):
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.2)


def members(desk, *more):
    (found,) = desk.ask("governance", "committee", *more)
    return {one["agency"]: one["validator"] for one in found["members"]}, found


def decide(desk, proposal, voters):
    """Open a ballot by the first and have the others vote for it; return it as it passed."""
    first, *others = voters
    (opened,) = desk.ask("governance", "propose", *proposal, "--by", first, "--yes")
    for name in others:
        (voted,) = desk.ask("governance", "vote", opened["ballot"], "for", "--by", name, "--yes")
        if voted["in_force_height"] is not None:
            return voted
    raise AssertionError("the ballot did not pass")


def rotate(desk, nodes, purpose, agency, home):
    """What the manual says: a new key, its file beside the old one, restart, then the act."""
    name = f"{agency}-{purpose}-2"
    desk.ask("key", "new", name, "--unencrypted")
    new = home / "keys" / f"{purpose}.next.pem"
    new.touch(mode=0o600)
    new.write_bytes((desk.home / "keys" / f"{name}.pem").read_bytes())
    nodes.kill(agency)
    nodes.start(agency)
    nodes.wait_until_up(agency)
    (changed,) = desk.ask("governance", "change-key", purpose, name, "--by", agency, "--yes")
    return changed


class Recipe:
    """The steps of docs/operations.md, run as they are written there."""

    def __init__(self, folder, client):
        self.folder, self.client = folder, client
        self.desk, self.health = Desk(folder / "net"), Desk(folder / "health")

    def ask(self, *words):
        return self.desk.ask("governance", *words)

    def apply(self):
        """The agency prepares its folder and its application."""
        address = f"127.0.0.1:{free_port()}"
        names = ("--name", "health", "--title", "Y tế")
        words = ("network", "apply", self.health.home, *names, "--unencrypted",
                 "--peer-address", address)  # fmt: skip
        (applied,) = self.desk.ask(*words)
        status, error = self.desk.refused(*words)
        assert (status, error["code"]) == (ExitCode.CONFLICT, "cli.file_exists")
        free_listeners(self.health.home / "node")
        return applied["application"]

    def admit(self, application):
        """The members vote; before, somebody tries what would happen."""
        proposal = ("admit", application, "--name", "Y tế", "--kind", "health")
        (tried,) = self.ask("propose", *proposal, "--by", "justice", "--dry-run")
        assert tried["dry_run"] is True
        assert self.ask("list") == []
        decide(self.desk, proposal, ("justice", "police", "land"))
        names, _found = members(self.desk)
        assert sorted(names.values()) == ["votes"] * 4 + ["waits"]

    def catch_up(self, joined):
        """The new node is started, catches up, says so, and votes."""
        joined.start("health")
        joined.wait_until_up("health")
        until(lambda: members(self.desk)[0]["Y tế"] in {"joins", "votes"})

    def change_parameter(self):
        """Entries make blocks, so the fifth votes now; it asks with the key of its own officer."""
        self.move("land")
        until(lambda: members(self.health, "--auth", "health-1")[0]["health"] == "votes")
        assert members(self.desk)[1]["total_weight"] == 5
        four = ("justice", "police", "land", "bank")
        decide(self.desk, ("parameter", "received_days", "3"), four)
        (shown,) = [one for one in self.ask("list") if one["action"] == "parameter"]
        assert (shown["status"], shown["fields"]["value"]) == ("passed", 3)

    def let_go(self):
        """The validator of the first agency leaves the set."""
        words = ("propose", "validator", "justice", "--weight", "0", "--by", "justice", "--yes")
        (opened,) = self.ask(*words)
        for name in ("police", "land"):
            self.ask("vote", opened["ballot"], "for", "--by", name, "--yes")
        (voted,) = self.health.ask("governance", "vote", opened["ballot"], "for", "--yes")
        assert voted["agency"] == "health"
        assert voted["in_force_height"] is not None, "four of five, the new member among them"
        assert members(self.desk)[0]["justice"] == "leaves"
        self.move("bank")
        assert members(self.desk)[0]["justice"] == "none"

    def move(self, agency):
        """The node of an agency says that it is where it is."""
        node = next(one for one in members(self.desk)[1]["members"] if one["agency"] == agency)
        (act,) = self.ask("move", node["address"], "--by", agency, "--yes")
        return act["entry"]

    def verify(self):
        """What the new set certified is believed by the bundle that has grown, not by the old."""
        before = parse_trust((self.desk.home / "trust.civreg").read_bytes())
        receipt = self.folder / "act.receipt"
        receipt.write_bytes(receipt_of(self.desk, self.move("bank")))
        shown = self.desk.run("verify", receipt, "--json")
        assert shown.exit_code == ExitCode.CANNOT_CHECK
        (grown,) = self.desk.ask("trust", "update")
        assert grown["new_changes"] == 3, "the fifth came, a key was rotated, the first went"
        raw = (self.desk.home / "trust.civreg").read_bytes()
        assert before.extended_by(parse_trust(raw)).newest_height == grown["newest_height"]
        assert read_trust(raw).newest is not None
        (verdict,) = self.desk.ask("verify", receipt)
        assert (verdict["word"], verdict["agencies"]) == ("GENUINE", 4)

    def audit(self, home):
        """The whole history replays from genesis, and from a checkpoint in its middle."""
        trust = self.desk.home / "trust.civreg"
        words = ("audit", "replay", home, "--trust", trust, "--jobs", "0")
        found = self.desk.ask(*words, "--second-opinion")[-1]
        again = self.desk.ask(*words, "--resume", self.folder / "audit.checkpoint")[-1]
        assert found["height"] == again["height"] >= 10


def test_a_network_admits_a_fifth_changes_rotates_and_lets_the_first_go(tmp_path):
    wish = Wish(name="test", nodes=4, time_ms=GENESIS_MS)
    made, _genesis = make_development(tmp_path / "net", wish)
    with Client(made.network_id) as client, LocalNodes(made, client) as nodes:
        nodes.start_all()
        recipe = Recipe(tmp_path, client)
        recipe.admit(recipe.apply())
        joined = LocalNodes(load_network(recipe.health.home), client)
        try:
            recipe.catch_up(joined)
            recipe.change_parameter()
            for purpose in ("consensus", "peer"):
                rotate(recipe.desk, nodes, purpose, "land", made.folder / "node-2")
            until(lambda: "peer_key_changed" in (made.folder / "node-2/node.log").read_text())
            recipe.let_go()
            nodes.kill("justice")
            recipe.verify()
            nodes.stop_all()
            recipe.audit(made.folder / "node-1")
        finally:
            joined.stop_all()


def free_listeners(node_home):
    """Public and private ports that nobody else takes: those of the recipe may be in use here."""
    config = node_home / CONFIG_FILE
    text = config.read_text()
    for name in ("public", "private"):
        text = re.sub(rf'^{name} = ".*"$', f'{name} = "127.0.0.1:0"', text, flags=re.MULTILINE)
    config.write_text(text)
    assert load_config(node_home).public.port == 0


def receipt_of(desk, digest):
    with Actor.open(desk.home) as actor:
        call = Call(
            address="",
            path=f"/v1/entries/{digest}/receipt",
            accept=MSGPACK,
            signer=actor.auth_key(),
        )
        return actor.ask_any(call).body
