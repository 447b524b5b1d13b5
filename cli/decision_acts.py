"""What `civreg governance` does: acts signed by governance keys, and who is in the committee.

An act needs `needed` governance keys of one agency, all in the home folder. Where they lie in
several homes, the same act goes by a draft: `civreg ballot open --draft`.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import click

from cli.act_flow import open_actor
from cli.act_results import say_result
from cli.acting import Actor, Order
from cli.carrying import wait_for_height
from cli.client import Call
from cli.errors import InvalidInputError, NoNetworkError, NotFoundError
from cli.import_windows import governance_keys
from cli.interrupts import heard
from cli.network_file import GovernancePlace
from cli.output import Context, confirm
from cli.sent import send_act, warn_of_unsettled
from cli.trying import try_entry
from keys.signing import KeyId, PublicKey
from ledger.errors import InvalidDataError
from ledger.ids import AgencyId, ObjectId, parse_id, print_id
from ledger.parts import ObjectPart
from registry.acts import Act
from registry.civil_calendar import DAY_MS
from registry.object_rows import BallotRow
from registry.signer_plan import Hands
from registry.state_key_names import ballot_key

BALLOT_DAYS: Final = 30
"""While no ballot has set another time after which ballots lapse."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of an act.

    Attributes:
        entry: Its digest.
        made: The id of what it made.
        height: Where it stands; None for a dry run.
    """

    entry: bytes
    made: bytes
    height: int | None


@dataclass(frozen=True, slots=True)
class Signers:
    """Who signs an act of governance; their keys are on the actor's ring.

    Attributes:
        place: The agency whose governance keys sign; None where its consensus key does.
        consensus: Its consensus key, or None.
        new_key: A key that is enrolled, and proves it, or None.
    """

    place: GovernancePlace | None
    consensus: PublicKey | None = None
    new_key: PublicKey | None = None

    def hands(self, actor: Actor) -> Hands:
        """Return the signers; governance keys come onto the ring."""
        governance: tuple[KeyId, ...] = ()
        if self.place is not None:
            governance = governance_keys(actor.ring, self.place)
        return Hands(
            governance=governance,
            new_keys=() if self.new_key is None else (self.new_key.key_id,),
            consensus=None if self.consensus is None else self.consensus.key_id,
        )


def carry_out(
    context: Context, actor: Actor, kind: str, item: ObjectPart, signers: Signers, question: str
) -> Done:
    """Make, sign and submit an act of governance; with --dry-run try it on the node's state.

    Args:
        context: Whether to ask, and whether it is a dry run.
        actor: The network with the keys at hand.
        kind: Such as `ballot/open`.
        item: What the act makes.
        signers: Who signs.
        question: Asked before anything is signed.

    Raises:
        CancelledError: The person said no.
        CivregError: A key is not at hand, the ledger refuses, or no node answers.
        click.exceptions.Exit: Nobody knows yet whether it is registered, as was said.
    """
    warn_of_unsettled(context)
    act = Act(kind=kind, event_date=actor.today, records=(), objects=(item,))
    draft = actor.draft(Order(act=act, hands=signers.hands(actor)))
    made = draft.entry.created_record_id
    if context.dry_run:
        try_entry(actor, draft)
        return Done(draft.entry.entry_digest, made, None)
    confirm(question, context)
    sent = send_act(context, actor, actor.sign(draft))
    sent.result.check()
    if sent.kept is not None:
        raise click.exceptions.Exit(say_result(context, actor, sent))
    # It is registered: who does not want to wait for the node that is read next is told so.
    with contextlib.suppress(KeyboardInterrupt, NoNetworkError), heard():
        wait_for_height(actor, sent.result.height or 0)
    return Done(sent.package.entry.entry_digest, made, sent.result.height)


def governing(actor: Actor, name: str) -> GovernancePlace:
    """Return the agency whose governance keys are at hand; the first one if none is named.

    Raises:
        NotFoundError: The home folder has none, or not of this agency.
    """
    places = actor.network.governance
    for place in places:
        if name in {"", place.agency}:
            return place
    known = ", ".join(place.agency for place in places) or "-"
    raise NotFoundError(f"governance keys at hand: {known}", name=name or "governance")


def agency_named(actor: Actor, word: str) -> AgencyId:
    """Return the agency that a word means: a name of network.toml or of the ledger, or an id.

    Raises:
        NotFoundError: None.
    """
    for node in actor.network.nodes:
        if node.agency == word:
            return node.agency_id
    for row in listed(actor, "agency"):
        agency = bytes.fromhex(row["key"][1])
        if word in {row["value"][0], agency.hex(), print_id(agency)}:
            return AgencyId(agency)
    raise NotFoundError(f"there is no agency {word!r}", name=word)


def ballot_named(actor: Actor, word: str) -> tuple[ObjectId, BallotRow]:
    """Return a ballot by its id.

    Raises:
        NotFoundError: There is none.
        InvalidInputError: The word is no id.
    """
    try:
        ballot_id = ObjectId(parse_id(word))
    except InvalidDataError as error:
        raise InvalidInputError(f"no id: {error}", name=word) from error
    row = actor.state.read(ballot_key(ballot_id), BallotRow)
    if row is None:
        raise NotFoundError("there is no such ballot", name=word)
    return ballot_id, row


def listed(actor: Actor, kind: str) -> Sequence[Mapping[str, Any]]:
    """Return all rows of a kind as a node tells them."""
    call = Call(address="", path=f"/v1/state/{kind}", signer=actor.auth_key())
    rows: Sequence[Mapping[str, Any]] = actor.ask_any(call).json["rows"]
    return rows


def ballots(actor: Actor) -> list[dict[str, object]]:
    """Return all ballots as people read them, newest first."""
    days = BALLOT_DAYS
    for row in listed(actor, "parameter"):
        if row["key"][1] == "ballot_days":
            days = int(row["value"][0][-1][0])
    shown = []
    for row in listed(actor, "ballot"):
        action, fields, height, opened_ms, yes, no, in_force = row["value"]
        over = actor.now_ms > opened_ms + days * DAY_MS
        status = "passed" if in_force is not None else "lapsed" if over else "open"
        shown.append(
            {
                "id": print_id(bytes.fromhex(row["key"][1])),
                "action": action,
                "fields": {name: readable(actor, name, one) for name, one in fields.items()},
                "status": status,
                "opened_height": height,
                "for": [name_of(actor, one) for one in yes],
                "against": [name_of(actor, one) for one in no],
                "in_force_height": in_force,
            }
        )
    return sorted(shown, key=lambda one: -int(str(one["opened_height"])))


def readable(actor: Actor, name: str, value: object) -> object:
    """Return a field of a ballot for people: agencies by name, long bytes by their length."""
    if name == "agency" and isinstance(value, str):
        return name_of(actor, value)
    if name == "application" and isinstance(value, str):
        return f"{len(value) // 2} bytes"
    return value


def name_of(actor: Actor, agency_hex: str) -> str:
    """Return what an agency is called in network.toml, else its id."""
    agency = bytes.fromhex(agency_hex)
    for node in actor.network.nodes:
        if node.agency_id == agency:
            return node.agency
    return print_id(agency)


def committee(actor: Actor) -> dict[str, object]:
    """Return the members of the network, who of them validates, and the sets that are to come."""
    status = actor.ask_any(Call(address="", path="/v1/status")).json
    height = int(status["height"])
    sets = [
        (int(first), {agency: weight for agency, _number, _public, weight in value[1]})
        for row in listed(actor, "validators")
        for first, value in row["value"][0]
    ]
    present = [one for first, one in sets if first <= height + 1][-1]
    coming = [(first, one) for first, one in sets if first > height + 1]
    last = coming[-1][1] if coming else present
    agencies = listed(actor, "agency")
    known = {node.agency_id.hex(): node.agency for node in actor.network.nodes}
    names = {row["key"][1]: known.get(row["key"][1], row["value"][0]) for row in agencies}
    members = []
    for row in agencies:
        agency, value = row["key"][1], row["value"]
        word = _standing(value[2] > 0 and value[9] is None, agency in present, agency in last)
        members.append(
            {
                "agency": names[agency],
                "id": print_id(bytes.fromhex(agency)),
                "title": value[0],
                "validator": word,
                "weight": present.get(agency, value[2]),
                "address": value[6],
                "until": value[9],
            }
        )
    return {
        "height": height,
        "total_weight": sum(present.values()),
        "members": sorted(members, key=lambda one: str(one["agency"])),
        "coming": [
            {"from_height": first, "validators": {names[a]: w for a, w in one.items()}}
            for first, one in coming
        ],
    }


def _standing(is_admitted: bool, votes: bool, will_vote: bool) -> str:  # noqa: FBT001 - a table
    """Return in one word how a member stands to the set of validators."""
    if votes:
        return "votes" if will_vote else "leaves"
    if will_vote:
        return "joins"
    return "waits" if is_admitted else "none"


def key_object(purpose: str, public: PublicKey) -> ObjectPart:
    """Return the object of `agency/change_key`."""
    algorithm = int(public.algorithm)
    return ObjectPart("key", {"purpose": purpose, "algorithm": algorithm, "public": public.public})


def open_governance(context: Context, asker: str) -> Actor:
    """Open the network of the home folder; an officer of one's own agency asks the nodes.

    Raises:
        NotFoundError: The home folder belongs to no network, or there is no such key.
    """
    return open_actor(context, asker)
