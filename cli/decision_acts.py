"""What `civreg governance` does: acts signed by governance keys, and who is in the committee.

An act needs as many governance keys of one agency as it has agreed on. Where they lie on several
machines, it goes by a draft from one governor to the next: `--draft`, then `civreg draft sign`.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from cli.act_flow import open_actor
from cli.act_results import say_result
from cli.act_words import pass_on
from cli.acting import Actor, Order
from cli.carrying import wait_for_height
from cli.client import Call
from cli.draft_trials import try_draft
from cli.errors import (
    BadParameterError,
    FileTakenError,
    InvalidInputError,
    NoNetworkError,
    NotFoundError,
)
from cli.exit_codes import ExitCode
from cli.hands import key_of
from cli.interrupts import heard
from cli.output import Context, confirm
from cli.sent import send_act, warn_of_unsettled
from cli.trying import try_entry
from keys.signing import KeyId, PublicKey
from ledger.errors import InvalidDataError
from ledger.ids import AgencyId, ObjectId, parse_id, print_id
from ledger.parts import ObjectPart
from registry.acts import Act
from registry.authority_rows import AgencyRow
from registry.civil_calendar import DAY_MS
from registry.drafts import missing_keys
from registry.object_rows import BallotRow
from registry.signer_plan import Hands
from registry.state_key_names import agency_key, ballot_key

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """What the person said of who signs.

    Attributes:
        agency: Whose governance keys, or empty.
        asker: Name of the auth key that asks nodes, or empty.
        draft: Where to write the draft if signatures are missing, or None.
        governors: Words for governors who sign beside those at hand.
    """

    agency: str = ""
    asker: str = ""
    draft: Path | None = None
    governors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Governors:
    """The governors of an agency who sign, as many as decide.

    Attributes:
        agency: What it is called.
        keys: Their keys; not all need be at hand.
    """

    agency: str
    keys: tuple[KeyId, ...]


@dataclass(frozen=True, slots=True)
class Signers:
    """Who signs an act of governance.

    Attributes:
        place: The governors who sign; None where the consensus key does.
        consensus: The agency's consensus key, or None.
        new_key: A key that is enrolled, and proves it, or None.
        draft: Where to write the draft if signatures are missing, or None.
    """

    place: Governors | None
    consensus: PublicKey | None = None
    new_key: PublicKey | None = None
    draft: Path | None = None

    @property
    def hands(self) -> Hands:
        """The signers, for the planner."""
        return Hands(
            governance=() if self.place is None else self.place.keys,
            new_keys=() if self.new_key is None else (self.new_key.key_id,),
            consensus=None if self.consensus is None else self.consensus.key_id,
        )


def carry_out(
    context: Context, actor: Actor, kind: str, item: ObjectPart, signers: Signers, question: str
) -> Done:
    """Make, sign and submit an act of governance; with --dry-run try it on the node's state.

    Where keys of governors are elsewhere, the draft is written for them and the command ends.

    Args:
        context: Whether to ask, and whether it is a dry run.
        actor: The network with the keys at hand.
        kind: Such as `ballot/open`.
        item: What the act makes.
        signers: Who signs.
        question: Asked before anything is signed.

    Raises:
        CancelledError: The person said no.
        CivregError: A key is not at hand and no draft wanted, the ledger refuses, no node answers.
        click.exceptions.Exit: The draft was written; or nobody knows yet whether it is registered,
            as was said.
    """
    if signers.draft is not None and signers.draft.exists():
        raise FileTakenError("there is a file of that name already", name=str(signers.draft))
    warn_of_unsettled(context)
    act = Act(kind=kind, event_date=actor.today, records=(), objects=(item,))
    draft = actor.draft(Order(act=act, hands=signers.hands))
    made = draft.entry.created_record_id
    if context.dry_run:
        try_entry(actor, draft)
        return Done(draft.entry.entry_digest, made, None)
    trial = None if signers.draft is None else try_draft(actor, draft)
    confirm(question, context)
    signed = actor.sign(draft)
    if missing_keys(signed):
        pass_on(context, actor, signed, signers.draft, trial)
        raise click.exceptions.Exit(ExitCode.OK)
    sent = send_act(context, actor, signed)
    sent.result.check()
    if sent.kept is not None:
        raise click.exceptions.Exit(say_result(context, actor, sent))
    # It is registered: who does not want to wait for the node that is read next is told so.
    with contextlib.suppress(KeyboardInterrupt, NoNetworkError), heard():
        wait_for_height(actor, sent.result.height or 0)
    return Done(sent.package.entry.entry_digest, made, sent.result.height)


def governing(actor: Actor, given: Signing) -> Governors:
    """Return who of an agency signs: governors who were named, those at hand, then the others.

    Where no agency is named it is the first of which a governance key is at hand. Key files that
    `network.toml` names come onto the ring, as far as they are there.

    Raises:
        NotFoundError: The home folder has no governance key, or none of this agency.
        BadParameterError: Somebody was named who does not govern it.
    """
    places = actor.network.governance
    for path in (one for place in places for one in place.keys if one.exists()):
        actor.ring.add_file(path)
    named = [place.agency for place in places] + [node.agency for node in actor.network.nodes]
    found = []
    for agency in dict.fromkeys(named):
        row = actor.state.read(agency_key(actor.network.node_of(agency).agency_id), AgencyRow)
        if row is None or not any(key in actor.ring for key in row.governance_keys):
            continue
        if given.agency in {"", agency}:
            return Governors(agency, _chosen(actor, row, given.governors))
        found.append(agency)
    known = ", ".join(found) or "-"
    raise NotFoundError(f"governance keys at hand: {known}", name=given.agency or "governance")


def _chosen(actor: Actor, row: AgencyRow, words: Sequence[str]) -> tuple[KeyId, ...]:
    """Return as many governors as decide: those at hand and those named before the others."""
    named = [key_of(actor, word) for word in words]
    for word, key in zip(words, named, strict=True):
        if key not in row.governance_keys:
            raise BadParameterError(f"{word!r} does not govern this agency", name="--governor")
    at_hand = [key for key in row.governance_keys if key in actor.ring]
    wanted = dict.fromkeys([*named, *at_hand, *row.governance_keys])
    return tuple(wanted)[: row.governance_k]


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
