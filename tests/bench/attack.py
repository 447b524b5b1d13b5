"""`make bench-attack`: time to finality of honest clients at rest and under each attack.

Four validators in four processes, over HTTP and TLS. The same light load of honest owners (each
updates the own contact data and waits for the commit) runs at rest and under each attack; the 95th
percentile of what the owners wait, the memory of the nodes and what the attacker was told are
compared. For attacks on the peers' listeners one validator is the attacker: its node is down, so
these are compared with a rest in which it is merely down. The last line is one JSON object.

    python -m tests.bench.attack [--entries N] [--kinds far_votes,slow,...]
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.acting import Actor
from cli.demo_people import birth_orders, create_identities, enrol_keys
from cli.demo_scene import Scene
from cli.development import DEMONSTRATION_UNITS, Wish, make_development
from cli.local_nodes import LocalNodes
from cli.output import Context
from cli.packages import Package, print_submission
from cli.people import PeopleMaker, communes
from cli.staff import staff_of
from tests.bench.commit import contact_updates, make, say
from tests.bench.load import Request, write_requests

ENTRIES = 320
"""Of honest owners, in each measurement."""
OWNERS = 32
"""Each has one entry under way."""
STUFFED = 240
"""Good entries of few signers that the attacker has."""
NODES = 4
RISE_S = 3.0
"""How long an attack lasts before it is measured."""
LULL_S = 15.0
"""After an attack as a peer: until the cut-offs of before are over."""
CLIENT_KINDS = ("none", "bad_signatures", "stuffing", "slow", "silent")
PEER_KINDS = ("none", "far_votes", "forged_votes", "garbage", "bad_entries")
_KIB = 1024


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement: the attack, what owners waited, what nodes held, what the attacker did."""

    name: str
    median_ms: int
    p95_ms: int
    committed: int
    memory_mib: int
    attacker: dict[str, object]

    def to_json(self) -> dict[str, object]:
        """Return it for the result."""
        return {
            "p95_ms": self.p95_ms,
            "median_ms": self.median_ms,
            "committed": self.committed,
            "memory_mib": self.memory_mib,
            "attacker": self.attacker,
        }


class Siege:
    """A running network, honest entries made beforehand, and attacks one after the other."""

    def __init__(self, scene: Scene, packages: Sequence[Package], stuffing: Sequence[Package]):
        self.scene = scene
        self._packages = list(packages)
        self._requests = scene.folder / "attack.requests"
        fresh, self._packages = self._packages[-OWNERS:], self._packages[:-OWNERS]
        made = [*(_request(0, one) for one in stuffing), *(_request(1, one) for one in fresh)]
        write_requests(self._requests, made)
        self._attacker = scene.nodes.names[-1]

    def measure(self, name: str, kind: str, entries: int) -> Measured:
        """Have the owners work under an attack, and return what they saw."""
        command = [
            *(sys.executable, "-m", "tests.bench.attacker", kind),
            *(str(self.scene.folder), self._attacker, str(self._requests)),
        ]
        attacker = subprocess.Popen(command, stdout=subprocess.PIPE)
        try:
            time.sleep(RISE_S)
            said = self._load(entries)
            memory_kib = max(self._memory_kib(one) for one in self._running())
        finally:
            attacker.terminate()
            out, _none = attacker.communicate(timeout=30)
        found = Measured(
            name=name,
            median_ms=said["median_ms"],
            p95_ms=said["p95_ms"],
            committed=said["committed"],
            memory_mib=memory_kib // _KIB,
            attacker=json.loads(out),
        )
        say(f"  {name}: p95 {found.p95_ms} ms, {found.memory_mib} MiB, {found.attacker}")
        return found

    def stop_attackers_node(self) -> None:
        """End the node whose keys the attacker has."""
        self.scene.nodes.kill(self._attacker)

    def _load(self, entries: int) -> dict[str, int]:
        """Submit the next entries and wait for each; every one must be committed."""
        chosen, self._packages = self._packages[:entries], self._packages[entries:]
        path = self.scene.folder / "honest.requests"
        write_requests(path, [_request(at % OWNERS, one) for at, one in enumerate(chosen)])
        addresses = [self.scene.nodes.address(name) for name in self._running()]
        command = [sys.executable, "-m", "tests.bench.load", str(path), *addresses]
        done = subprocess.run(command, capture_output=True, check=True, timeout=900)
        said: dict[str, int] = json.loads(done.stdout)
        if said["refused"] or said["committed"] != len(chosen):
            raise SystemExit(f"honest entries were refused: {said}")
        return said

    def _running(self) -> list[str]:
        return [name for name in self.scene.nodes.names if self.scene.nodes.is_running(name)]

    def _memory_kib(self, name: str) -> int:
        status = Path(f"/proc/{self.scene.nodes.process_id(name)}/status").read_text("ascii")
        (line,) = [line for line in status.splitlines() if line.startswith("VmRSS")]
        return int(line.split()[1])


def _request(lane: int, package: Package) -> Request:
    return Request(lane, 1, print_submission([package]))


def main() -> None:
    """Run everything in a folder that is removed afterwards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=ENTRIES)
    parser.add_argument("--kinds", default=",".join((*CLIENT_KINDS, *PEER_KINDS)))
    parser.add_argument("--keep", type=Path, help="work in this new folder and keep it")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="civreg-bench-") as temporary:
        result = bench(given.keep or Path(temporary), given)
    print(json.dumps(result, ensure_ascii=False))  # noqa: T201 - the result


def bench(folder: Path, given: argparse.Namespace) -> dict[str, object]:
    """Set up, measure at rest and under each attack, stop."""
    wish = Wish(
        name="siege",
        nodes=NODES,
        time_ms=time.time_ns() // 1_000_000,
        unit_table=DEMONSTRATION_UNITS,
    )
    make_development(folder, wish)
    wanted = given.kinds.split(",")
    client_kinds = [kind for kind in CLIENT_KINDS if kind in wanted]
    peer_kinds = [kind for kind in PEER_KINDS if kind in wanted]
    with Actor.open(folder) as actor, LocalNodes(actor.network, actor.client) as nodes:
        say("starting four nodes")
        nodes.start_all()
        scene = set_up(folder, actor, nodes)
        stuffing = make(actor, birth_orders(scene, STUFFED), "births to stuff the pool with")
        rounds = len(client_kinds) + len(peer_kinds) + 1
        siege = Siege(scene, contact_updates(scene, rounds * given.entries + OWNERS), stuffing)
        siege.measure("warm-up", "none", given.entries)
        found = {kind: siege.measure(kind, kind, given.entries) for kind in client_kinds}
        siege.stop_attackers_node()
        silent = {}
        for kind in peer_kinds:
            silent[kind] = siege.measure(f"{kind}, as a validator", kind, given.entries)
            time.sleep(0 if kind == "none" else LULL_S)
        nodes.stop_all()
    return _result(found, silent, given.entries)


def set_up(folder: Path, actor: Actor, nodes: LocalNodes) -> Scene:
    """Register the people whom the measured entries need."""
    units = communes(actor.genesis.attachments["table/admin_unit"].decode())
    scene = Scene(
        folder=folder,
        context=Context(lang="en"),
        actor=actor,
        nodes=nodes,
        maker=PeopleMaker(units, actor.today, 1),
        justice=staff_of(actor, "justice", ["police"]),
        land=staff_of(actor, "land", ["justice"]),
        births_wished=STUFFED,
        titles_wished=0,
        victim="bank",
    )
    create_identities(scene)
    enrol_keys(scene, scene.citizens[:OWNERS])
    return scene


def _result(
    found: dict[str, Measured], silent: dict[str, Measured], entries: int
) -> dict[str, object]:
    under = [one for kind, one in (*found.items(), *silent.items()) if kind != "none"]
    return {
        "name": "attack",
        "value": max((one.p95_ms for one in under), default=0),
        "unit": "ms",
        "parameters": {
            "what": "95th percentile of time to finality, the worst of all attacks",
            "at_rest": {kind: one.to_json() for kind, one in found.items() if kind == "none"},
            "one_validator_down": {
                kind: one.to_json() for kind, one in silent.items() if kind == "none"
            },
            "attacks": {one.name: one.to_json() for one in under},
            "entries": entries,
            "in_flight": OWNERS,
            "validators": NODES,
            "processes": NODES,
            "fsync": True,
            "load_average": [round(one, 1) for one in os.getloadavg()],
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
    }


if __name__ == "__main__":
    main()
