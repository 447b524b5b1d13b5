"""No read without a trace: the access that an officer's program files before it opens a record.

A node gives a sealed body to an officer only after that officer's access act stands in the chain;
it counts for 24 hours. The owner sees who it was, for which office and when. Purpose and legal
basis are for the owner and the officer's agency, not for every agency: the chain has their salted
digest, and `accesses.jsonl` of the home folder keeps what it opens to. Owners file nothing.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from cli.acting import Actor, Order
from cli.document_words import act_words
from cli.errors import AccessNeededError, BadParameterError, NoNetworkError
from cli.output import Context, note
from cli.packages import Package
from keys.errors import CivregError
from keys.hashing import Digest, domain, hash_with
from keys.private_files import append_private
from keys.signing import KeyId, Signer
from ledger.canonical import encode
from ledger.ids import OfficeId, RecordId, print_id
from ledger.parts import ObjectPart
from registry.acts import Act
from registry.authority_rows import KeyRow, OfficerRow
from registry.civil_calendar import in_range
from registry.legal_words import bases_words
from registry.problems import in_language
from registry.rows import RecordRow
from registry.signer_plan import Hands
from registry.state_key_names import key_key, officer_key

UNLOGGED: Final = "node.access_unlogged"
"""The code with which a node asks for an access first."""
ROLES: Final = ("declare", "register")
INSPECTION: Final = "inspection"
"""Purpose of who opens a record and names none."""
JOURNAL_FILE: Final = "accesses.jsonl"
SALT_BYTES: Final = 32
_WHY: Final = domain("access-why")
_PURPOSE: Final = re.compile(r"[a-z0-9][a-z0-9_/.-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """An access that stands in the chain, with what its digest opens to.

    Attributes:
        entry: Digest of the act.
        height: Of its block.
        purpose: A code.
        legal_basis: Articles.
    """

    entry: Digest
    height: int | None
    purpose: str
    legal_basis: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """Why somebody wants a record opened.

    Attributes:
        purpose: A code, such as `birth/correct`.
        legal_basis: Articles.
        is_stated: Whether the person named the purpose; then an access of that purpose is filed
            even where an earlier one still counts.
        may_file: Whether an access may be filed; not in a dry run.
        tell: Told what was filed; None where an earlier access of the officer counts.
    """

    purpose: str
    legal_basis: tuple[str, ...]
    is_stated: bool = False
    may_file: bool = True
    tell: Callable[[Filed | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessWish:
    """What a person said of accesses on the command line.

    Attributes:
        purpose: A code; empty takes that of the operation.
        log: Whether an access is filed in a dry run too.
    """

    purpose: str = ""
    log: bool = False


def why_of(context: Context, purpose: str, legal_basis: Sequence[str], wish: AccessWish) -> Why:
    """Return why a command opens a record; whoever runs it is told what is filed.

    Args:
        context: Of the command.
        purpose: What the command is for, unless the person says otherwise.
        legal_basis: Of what the command does.
        wish: What the person said.

    Raises:
        BadParameterError: The purpose is no code.
    """
    if wish.purpose and _PURPOSE.fullmatch(wish.purpose) is None:
        raise BadParameterError(
            "a purpose is a code of at most 64 letters a-z, digits and _ / . -", name="--purpose"
        )
    return Why(
        purpose=wish.purpose or purpose,
        legal_basis=tuple(legal_basis),
        is_stated=bool(wish.purpose),
        may_file=wish.log or not context.dry_run,
        tell=lambda filed: note(said_of(filed, context), context),
    )


def said_of(filed: Filed | None, context: Context) -> str:
    """Say what was filed, in the person's language."""
    if filed is None:
        return context.say("access.earlier")
    return context.say(
        "access.filed",
        entry=filed.entry.hex(),
        height=filed.height,
        purpose=purpose_words(context, filed.purpose),
        basis=in_language(bases_words(filed.legal_basis), context.lang),
    )


def purpose_words(context: Context, purpose: str) -> str:
    """Return what people call a purpose: an act's name, the word for a usual one, or itself."""
    if purpose == INSPECTION:
        return context.say("access.purpose.inspection")
    return act_words(purpose, context.lang)


def digest_of(salt: bytes, purpose: str, legal_basis: Sequence[str]) -> Digest:
    """Return what an access says of its purpose and legal basis; the salt has 32 bytes."""
    return hash_with(_WHY, encode((1, salt, purpose, tuple(legal_basis))))


def is_officer(actor: Actor, asker: Signer) -> bool:
    """Tell whether a key that asks is an officer's."""
    key = actor.state.read(key_key(asker.public.key_id), KeyRow)
    return key is not None and key.holder_kind == "officer"


def file_access(
    actor: Actor, about: tuple[RecordId, RecordRow], asker: Signer, address: str, why: Why
) -> Filed:
    """Put an access of a record on record, for the officer whose auth key asks; wait for its block.

    Args:
        actor: With the officer's signing key on its ring.
        about: The record and its row.
        asker: The auth key.
        address: Of the node that will be asked, which must know of the access.
        why: Purpose and basis.

    Raises:
        AccessNeededError: It is a dry run, no key at hand may file one, or a rule refuses it.
        NoNetworkError: No node answers, or the block does not come.
    """
    record_id, row = about
    if not why.may_file:
        raise AccessNeededError(
            "a dry run files nothing, and without an access the record cannot be opened"
        )
    term, key_id, office = _role(actor, asker)
    salt = actor.draw(SALT_BYTES)
    logged = ObjectPart("logged", {"digest": digest_of(salt, why.purpose, why.legal_basis)})
    act = Act(kind=f"{row.type_name}/access", event_date=actor.today, records=(), objects=(logged,))
    order = Order(act=act, hands=Hands(officers={term: key_id}), office=office, target=record_id)
    try:
        package = actor.make_entry(order)
        _keep(actor, package, record_id, salt, why)
        (result,) = actor.submit([package], address=address)
        result.check()
    except NoNetworkError:
        raise
    except CivregError as error:
        raise AccessNeededError(f"the access was refused: {error}") from error
    if not result.committed:
        raise NoNetworkError("the access waits for a block; ask again later", address=address)
    return Filed(
        entry=package.entry.entry_digest,
        height=result.height,
        purpose=why.purpose,
        legal_basis=why.legal_basis,
    )


def _keep(actor: Actor, package: Package, record_id: RecordId, salt: bytes, why: Why) -> None:
    """Keep what the digest of an access opens to, before it is sent."""
    line = {
        "entry": package.entry.entry_digest.hex(),
        "day": actor.today,
        "record": print_id(record_id),
        "purpose": why.purpose,
        "legal_basis": list(why.legal_basis),
        "salt": salt.hex(),
    }
    written = json.dumps(line, ensure_ascii=False) + "\n"
    append_private(actor.network.folder / JOURNAL_FILE, written.encode())


def _role(actor: Actor, asker: Signer) -> tuple[str, KeyId, OfficeId]:
    """Return term, key and office with which the holder of an auth key may file an access.

    Raises:
        AccessNeededError: The holder is no officer of such a role, or its key is not at hand.
    """
    key = actor.state.read(key_key(asker.public.key_id), KeyRow)
    if key is not None and key.holder_kind == "officer":
        officer = actor.state.read(officer_key(RecordId(key.holder)), OfficerRow)
        for role in () if officer is None else officer.roles:
            is_fit = role.role in ROLES and role.office == key.office and role.key_id in actor.ring
            if is_fit and in_range(actor.today, role.from_date, role.to_date):
                return f"officer({role.role})", role.key_id, OfficeId(role.office)
    raise AccessNeededError(
        "the officer whose auth key asks has no role to file it, or the signing key is elsewhere"
    )
