"""Step of the demonstration: a node is killed under load, the others go on, it comes back."""

from typing import Final

from cli.carrying import deliver
from cli.demo_owner import contact_order
from cli.demo_people import birth_orders
from cli.demo_scene import Citizen, Scene
from cli.packages import Package
from keys.errors import CivregError
from ledger.store import ChainStore

CATCH_UP_SECONDS: Final = 60.0
LOAD_BATCH: Final = 16


def crash_a_node(scene: Scene) -> None:
    """Kill a node with SIGKILL while entries pour in; the other three commit all of them."""
    packages, citizens, births = _load(scene)
    others = [scene.nodes.address(name) for name in scene.nodes.names if name != scene.victim]
    scene.tally.killed_node = scene.victim
    with scene.watched("demo.under_load", len(packages)) as advance:
        for number, carried in enumerate(
            deliver(scene.actor, packages, advance, others, LOAD_BATCH)
        ):
            if number == 0:
                scene.nodes.kill(scene.victim)
            carried.made()
    _count(scene, packages, citizens, births)
    scene.tally.committed_meanwhile = len(packages)
    assert not scene.nodes.is_running(scene.victim), "it was killed"
    scene.say("demo.went_on", node=scene.victim, count=len(packages))


def bring_it_back(scene: Scene) -> None:
    """Start the killed node again and wait until it has every block of the others."""
    living = [name for name in scene.nodes.names if name != scene.victim]
    newest = max(scene.nodes.height(name) or 0 for name in living)
    with ChainStore.open(scene.nodes.home(scene.victim) / "data", read_only=True) as store:
        began = store.height
    scene.nodes.start(scene.victim)
    scene.nodes.wait_until_up(scene.victim)
    scene.nodes.wait_for_height(scene.victim, newest, CATCH_UP_SECONDS)
    scene.tally.caught_up = True
    scene.say("demo.caught_up", node=scene.victim, began=began, height=newest)


def _load(scene: Scene) -> tuple[list[Package], list[Citizen], int]:
    """Make entries beforehand, so that no custodian is needed while its node may be dead."""
    wished = scene.births_wished - len(scene.births)
    orders = birth_orders(scene, wished)
    births = len(orders)
    citizens = scene.keyed[2:]
    orders += [contact_order(scene, citizen) for citizen in citizens]
    packages: list[Package] = []
    for made in scene.actor.make_entries(orders):
        if isinstance(made, CivregError):
            raise made
        packages.append(made)
    return packages, citizens, births


def _count(scene: Scene, packages: list[Package], citizens: list[Citizen], births: int) -> None:
    scene.births += packages[:births]
    scene.tally.births += births
    scene.tally.identities += births
    scene.tally.contacts += len(citizens)
    for citizen, package in zip(citizens, packages[births:], strict=True):
        citizen.contact = package
