"""Steps of the demonstration: what an owner alone may do, and what every node refuses.

The refusals go straight to each node, past all checks of this program: it is the state machine that
refuses.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from cli.acting import Order
from cli.demo_land import sale_order, settle_sale
from cli.demo_scene import Citizen, Scene
from cli.errors import InternalFaultError
from cli.generated_acts import contact_act
from cli.packages import Package
from ledger.parts import KeySigner
from registry.drafting import Target

WRONG_PHONE = "0900000000"
SUBJECT_TERM = "subject"


@dataclass(frozen=True, slots=True)
class Attempt:
    """Something that must not happen, as a signed entry, and the code that must refuse it."""

    name: str
    package: Package
    code: str


def update_contacts(scene: Scene) -> None:
    """Owners set phone and address with their own keys, and no officer's."""
    citizens = scene.keyed
    made = scene.carry("demo.contacts", [contact_order(scene, one) for one in citizens])
    for citizen, package in zip(citizens, made, strict=True):
        citizen.contact = package
    scene.tally.contacts += len(made)
    scene.actor.refresh()


def contact_order(scene: Scene, citizen: Citizen, phone: str = "") -> Order:
    """Return the order by which an owner sets the own contact data, alone."""
    beside = None if citizen.contact is None else citizen.contact.target().row
    return Order(
        act=contact_act(citizen.person, scene.actor.today, phone),
        signers=(KeySigner(SUBJECT_TERM, None, citizen.sign),),
        office=scene.justice.office_id,
        target=Target(citizen.identity_id, citizen.last.target().row, beside),
        asker=citizen.auth,
    )


def try_what_is_refused(scene: Scene) -> None:
    """Another key, a stale version, a replay, a double sale: on every node the same code.

    Raises:
        InternalFaultError: A node took one of them, or refused it for another reason.
    """
    for attempt in _attempts(scene):
        wait_for_all(scene)
        for node in scene.nodes.names:
            code = _try(scene, attempt.package, node)
            if code != attempt.code:
                raise InternalFaultError(
                    f"{attempt.name} on the node of {node}: {code} instead of {attempt.code}",
                    kind="demonstration",
                )
            scene.tally.refused[code] += 1
        scene.say(f"demo.refused_{attempt.name}", code=attempt.code)


def _attempts(scene: Scene) -> Iterator[Attempt]:
    """Make one attempt after the other: each is right but for one thing when it is tried."""
    owner, stranger = scene.keyed[0], scene.keyed[1]
    before = contact_order(scene, owner, WRONG_PHONE)
    other_key = Order(
        act=before.act,
        signers=(KeySigner(SUBJECT_TERM, None, stranger.sign),),
        office=before.office,
        target=before.target,
        asker=scene.justice.asker,
    )
    yield Attempt("other_key", scene.actor.make_entry(other_key), "registry.signer_wrong")
    stale = scene.actor.make_entry(before)
    renewed = scene.actor.make_entry(contact_order(scene, owner))
    scene.actor.submit([renewed])[0].check()
    owner.contact = renewed
    scene.tally.contacts += 1
    yield Attempt("stale", stale, "registry.stale_version")
    yield Attempt("replay", renewed, "registry.replayed")
    yield _double_sale(scene)


def _double_sale(scene: Scene) -> Attempt:
    """Sell a title, and the same version of it once more."""
    title = scene.titles[0]
    order, buyer = sale_order(scene, title)
    first = scene.actor.make_entry(order)
    again, _buyer = sale_order(scene, title)
    second = scene.actor.make_entry(again)
    scene.actor.submit([first])[0].check()
    settle_sale(title, order, buyer, first)
    scene.tally.transfers += 1
    return Attempt("double_sale", second, "registry.stale_version")


def wait_for_all(scene: Scene) -> None:
    """Wait until every node has what the newest one has."""
    newest = max(scene.nodes.height(name) or 0 for name in scene.nodes.names)
    for name in scene.nodes.names:
        scene.nodes.wait_for_height(name, newest, 30)


def _try(scene: Scene, package: Package, node: str) -> str:
    """Submit an entry to one node and return the code of its refusal."""
    (result,) = scene.actor.submit([package], address=scene.nodes.address(node))
    return result.code or result.status
