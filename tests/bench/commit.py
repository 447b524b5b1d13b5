"""`make bench-commit`: entries finalised a second by four validators in four processes, over HTTP.

The standard entry is identity/update_contact: one owner's signature and the custodian's, one record
beside the identity, a sealed body of about 1 kB. Births and land transfers are measured the same
way, with signatures and written state keys per entry. Everything is signed beforehand; the nodes
sync every block to disk; a client process submits. The last line of stdout is one JSON object.

    python -m tests.bench.commit [--entries N] [--profile]
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cli.acting import Actor, Order
from cli.demo_land import bring_in_titles, sale_order
from cli.demo_owner import contact_order
from cli.demo_people import birth_orders, create_identities, enrol_keys
from cli.demo_proofs import copy_chain
from cli.demo_scene import Scene
from cli.development import DEMONSTRATION_UNITS, Wish, make_development
from cli.local_nodes import NODE_COMMAND, LocalNodes
from cli.output import Context
from cli.packages import Package, print_submission
from cli.people import PeopleMaker, communes
from cli.staff import staff_of
from keys.errors import CivregError
from tests.bench.load import Request, write_requests
from tests.bench.weights import weigh

ENTRIES = 6_144
"""A multiple of OWNERS."""
OWNERS = 1_024
"""A multiple of REQUEST_ENTRIES; each has one entry under way at a time."""
BIRTHS = 300
TRANSFERS = 300
REQUEST_ENTRIES = 32
MAKE_AT_ONCE = 400
FILLER = "đường Bờ Sông, "
BODY_FILLER_CHARS = 480
NODES = 4
"""Validators."""


def say(message: str) -> None:
    """Tell a person how far it is."""
    print(message, file=sys.stderr, flush=True)  # noqa: T201 - a program for developers


def make(actor: Actor, orders: Sequence[Order], name: str) -> list[Package]:
    """Make entries and sign them; every one must succeed."""
    found: list[Package] = []
    began_s = time.monotonic()
    for at in range(0, len(orders), MAKE_AT_ONCE):
        for made in actor.make_entries(orders[at : at + MAKE_AT_ONCE]):
            if isinstance(made, CivregError):
                raise made
            found.append(made)
    rate = len(found) / max(0.001, time.monotonic() - began_s)
    say(f"  {len(found):,} {name} made and signed, {rate:,.0f}/s")
    return found


def contact_updates(scene: Scene, count: int) -> list[Package]:
    """Return updates in rounds: every owner's first, then every owner's second, ..."""
    filler = (FILLER * BODY_FILLER_CHARS)[:BODY_FILLER_CHARS]
    found: list[Package] = []
    owners = scene.keyed
    assert len(owners) % REQUEST_ENTRIES == 0, "a lane has the same owners in every round"
    while len(found) < count:
        orders: list[Order] = []
        for owner in owners[: count - len(found)]:
            order = contact_order(scene, owner)
            (content,) = order.act.records
            longer = replace(content, sealed={**content.sealed, "postal_address": filler})
            orders.append(replace(order, act=replace(order.act, records=(longer,))))
        made = make(scene.actor, orders, "contact updates")
        for owner, package in zip(owners, made, strict=False):
            owner.contact = package
        found += made
    return found


def transfers(scene: Scene, count: int) -> list[Package]:
    """Return first sales of as many titles."""
    orders = [sale_order(scene, title)[0] for title in scene.titles[:count]]
    return make(scene.actor, orders, "land transfers")


def measure(scene: Scene, packages: Sequence[Package], name: str, lanes: int) -> dict[str, object]:
    """Have the client process submit the packages, and return what it measured.

    Args:
        scene: The running network.
        packages: Entries, those that build on one another a multiple of the lanes apart.
        name: Of the file of requests.
        lanes: How many requests are under way at once.
    """
    path = scene.folder / f"{name}.requests"
    requests = []
    for at in range(0, len(packages), REQUEST_ENTRIES):
        batch = packages[at : at + REQUEST_ENTRIES]
        lane = at // REQUEST_ENTRIES % lanes
        requests.append(Request(lane, len(batch), print_submission(batch)))
    write_requests(path, requests)
    command = [sys.executable, "-m", "tests.bench.load", str(path), *scene.actor.addresses]
    before = node_seconds(scene.nodes)
    done = subprocess.run(command, capture_output=True, check=True, timeout=900)
    main_us, node_us = (
        (after_s - before_s) * 1_000_000 / len(packages) / NODES
        for before_s, after_s in zip(before, node_seconds(scene.nodes), strict=True)
    )
    said = json.loads(done.stdout)
    if said["refused"] or said["committed"] != len(packages):
        raise SystemExit(f"{name}: {said}")
    rate = said["committed"] / said["seconds"]
    say(
        f"  {name}: {rate:,.0f}/s, median {said['median_ms']} ms, p95 {said['p95_ms']} ms, "
        f"{node_us:.0f} us of processor time a node and entry, {main_us:.0f} in the main thread"
    )
    return {
        "value": round(rate, 1),
        "unit": "entries/s",
        "entries": len(packages),
        "median_ms": said["median_ms"],
        "p95_ms": said["p95_ms"],
        "node_us": round(node_us),
        "node_main_thread_us": round(main_us),
        "client_us": round(said["cpu_seconds"] * 1_000_000 / len(packages)),
        "entry_bytes": round(sum(len(one.entry.raw) for one in packages) / len(packages)),
        "body_bytes": round(
            sum(len(body) for one in packages for body in one.bodies) / len(packages)
        ),
    }


def signal_all(nodes: LocalNodes, number: signal.Signals, given: argparse.Namespace) -> None:
    """Begin or end the profile of all nodes, if they are profiled."""
    if given.profile:
        for name in nodes.names:
            os.kill(nodes.process_id(name), number)


def node_seconds(nodes: LocalNodes) -> tuple[float, float]:
    """Return the processor time of all nodes: of their main threads, and of all threads."""
    main = sum(_cpu_seconds(Path(f"/proc/{number}/task/{number}/stat")) for number in _ids(nodes))
    return main, sum(_cpu_seconds(Path(f"/proc/{number}/stat")) for number in _ids(nodes))


def _ids(nodes: LocalNodes) -> list[int]:
    return [nodes.process_id(name) for name in nodes.names]


def _cpu_seconds(path: Path) -> float:
    """Return user and system time of a process or thread, in seconds."""
    fields = path.read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Run everything in a folder that is removed afterwards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=ENTRIES)
    parser.add_argument("--owners", type=int, default=OWNERS)
    parser.add_argument("--births", type=int, default=BIRTHS)
    parser.add_argument("--profile", action="store_true", help="run the nodes under cProfile")
    parser.add_argument("--keep", type=Path, help="work in this new folder and keep it")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="civreg-bench-") as temporary:
        folder = given.keep or Path(temporary)
        result = bench(folder, given)
    print(json.dumps(result, ensure_ascii=False))  # noqa: T201 - the result


def bench(folder: Path, given: argparse.Namespace) -> dict[str, object]:
    """Set up, measure, stop, weigh."""
    wish = Wish(
        name="bench",
        nodes=NODES,
        time_ms=time.time_ns() // 1_000_000,
        unit_table=DEMONSTRATION_UNITS,
    )
    make_development(folder, wish)
    profiled = (sys.executable, "-m", "tests.bench.profiled_node")
    command = profiled if given.profile else NODE_COMMAND
    with Actor.open(folder) as actor, LocalNodes(actor.network, actor.client, command) as nodes:
        say("starting four nodes")
        nodes.start_all()
        scene = set_up(folder, actor, nodes, given)
        updates = contact_updates(scene, given.owners + given.entries)
        births = make(actor, birth_orders(scene, given.births), "births")
        sold = transfers(scene, TRANSFERS)
        warm = len(updates) - given.entries
        lanes = given.owners // REQUEST_ENTRIES
        measure(scene, updates[:warm], "warm-up", lanes)
        signal_all(nodes, signal.SIGUSR1, given)
        measured = measure(scene, updates[warm:], "identity.update_contact", lanes)
        signal_all(nodes, signal.SIGUSR2, given)
        beside = {
            "birth/register": measure(scene, births, "birth.register", lanes),
            "land_title/transfer": measure(scene, sold, "land_title.transfer", lanes),
        }
        nodes.stop_all()
        copy_chain(scene, folder / "copy")
    kinds = {"identity/update_contact": measured, **beside}
    for kind, weight in weigh(folder / "copy", tuple(kinds)).items():
        kinds[kind].update(weight)
    return {
        "name": "commit",
        "value": measured["value"],
        "unit": "entries/s",
        "parameters": {
            "kind": "identity/update_contact",
            **{key: value for key, value in measured.items() if key not in {"value", "unit"}},
            "validators": NODES,
            "processes": NODES,
            "fsync": True,
            "request_entries": REQUEST_ENTRIES,
            "in_flight": given.owners,
            "profiled": given.profile,
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "beside": beside,
    }


def set_up(folder: Path, actor: Actor, nodes: LocalNodes, given: argparse.Namespace) -> Scene:
    """Register the people and titles that the measured entries need."""
    units = communes(actor.genesis.attachments["table/admin_unit"].decode())
    scene = Scene(
        folder=folder,
        context=Context(lang="en"),
        actor=actor,
        nodes=nodes,
        maker=PeopleMaker(units, actor.today, 1),
        justice=staff_of(actor, "justice", ["police"]),
        land=staff_of(actor, "land", ["justice"]),
        births_wished=given.births,
        titles_wished=TRANSFERS,
        victim="bank",
    )
    scene.births_wished = max(given.births, given.owners * 6 // 11 + 1)
    create_identities(scene)
    enrol_keys(scene, scene.citizens[: given.owners])
    bring_in_titles(scene, TRANSFERS)
    return scene


if __name__ == "__main__":
    main()
