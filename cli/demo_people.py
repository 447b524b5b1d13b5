"""Steps of the demonstration that are about people: adults, their keys, births."""

from collections.abc import Sequence
from dataclasses import replace

from cli.acting import Order
from cli.demo_scene import Citizen, Scene
from cli.generated_acts import (
    Parents,
    PersonKeys,
    birth_act,
    enrolment_act,
    identity_act,
    scan_digest,
)
from cli.people import Person
from cli.staff import prefetch_persons
from keys.signing import KeyId
from ledger.ids import RecordId

KEYED_SHARE = 4
"""One adult of so many enrols keys; for the others the office has custody."""
KEYED_MIN = 8
FATHERLESS_SHARE = 6
"""One child of so many has no father in the register."""
TWINS_SHARE = 20
"""One birth of so many is a birth of twins."""
LOAD_SHARE = 3
"""One birth of so many waits until a node is dead."""
AGE_DAYS_MAX = 50
"""Births are declared within 60 days."""
AFTER_LAW_AGE = 24


def register_adults(scene: Scene) -> None:
    """Parents to be get identities; some of them are there with a device and enrol keys."""
    create_identities(scene)
    enrol_keys(scene, scene.citizens[: max(KEYED_MIN, len(scene.citizens) // KEYED_SHARE)])


def create_identities(scene: Scene) -> None:
    """Two officers create the identities of parents to be."""
    people: list[Person] = []
    for number in range(scene.births_wished):
        people.append(scene.maker.adult("female", AFTER_LAW_AGE))
        if number % FATHERLESS_SHARE:
            people.append(scene.maker.adult("male", AFTER_LAW_AGE))
    today = scene.actor.today
    acts = [identity_act(person, today) for person in people]
    made = scene.carry("demo.adults", [scene.order(scene.justice, act) for act in acts])
    scene.citizens = [
        Citizen(person=person, identity_id=package.record_id, created=act, last=package)
        for person, act, package in zip(people, acts, made, strict=True)
    ]
    scene.tally.identities += len(made)
    scene.families = _families(scene.citizens)


def _families(citizens: Sequence[Citizen]) -> list[Parents]:
    """Return mothers with the father who follows them, if one does."""
    found: list[Parents] = []
    for at, citizen in enumerate(citizens):
        if citizen.person.sex == "female":
            parents = Parents(mother=citizen.person, mother_id=citizen.identity_id)
            if at + 1 < len(citizens) and citizens[at + 1].person.sex == "male":
                other = citizens[at + 1]
                parents = replace(parents, father=other.person, father_id=other.identity_id)
            found.append(parents)
    return found


def enrol_keys(scene: Scene, citizens: Sequence[Citizen]) -> None:
    """Citizens prove their new keys before two officers and one of another agency."""
    orders: list[Order] = []
    for citizen in citizens:
        citizen.keys = PersonKeys.generate()
        keys = citizen.keys
        scene.actor.ring.add_all((keys.sign, keys.auth, keys.seal))
        hands = replace(scene.justice.hands, new_keys=(citizen.sign, citizen.auth))
        act = enrolment_act(citizen.created, keys)
        orders.append(scene.order(scene.justice, act, citizen.last.target(), hands=hands))
    made = scene.carry("demo.keys", orders)
    for citizen, package in zip(citizens, made, strict=True):
        citizen.last = package
    scene.actor.refresh()


def register_births(scene: Scene) -> None:
    """Births come into the register, each with the child's identity and its representatives."""
    now = scene.births_wished - scene.births_wished // LOAD_SHARE
    scene.births = scene.carry("demo.births", birth_orders(scene, now))
    scene.tally.births += len(scene.births)
    scene.tally.identities += len(scene.births)


def birth_orders(scene: Scene, count: int) -> list[Order]:
    """Return the orders for children of families that have none yet; a few are twins."""
    parents = [one for family in scene.families for one in (family.mother_id, family.father_id)]
    prefetch_persons(scene.actor, [one for one in parents if one is not None])
    orders: list[Order] = []
    while len(orders) < count and scene.families:
        family = scene.families.pop()
        left = len(scene.families)
        child = scene.maker.child(family.mother, family.father, 1 + left % AGE_DAYS_MAX)
        has_twin = left % TWINS_SHARE == 0 and len(orders) + 1 < count
        orders.append(_birth_order(scene, child, family, (2, 1) if has_twin else None))
        if has_twin:
            twin = scene.maker.twin(child)
            orders.append(_birth_order(scene, twin, family, (2, 2)))
    return orders


def _birth_order(
    scene: Scene, child: Person, family: Parents, multiple: tuple[int, int] | None
) -> Order:
    act = birth_act(child, family, scene.actor.find_type("identity"), multiple)
    key = _key_of(scene, family.mother_id)
    informant = scene.justice.custody(scan_digest()) if key is None else key
    hands = replace(scene.justice.hands, informant=informant)
    return scene.order(scene.justice, act, hands=hands)


def _key_of(scene: Scene, identity_id: RecordId) -> KeyId | None:
    for citizen in scene.citizens:
        if citizen.identity_id == identity_id and citizen.keys is not None:
            return citizen.sign
    return None
