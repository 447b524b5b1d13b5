"""The agency's vault service over HTTP: prepares entries of its offices, and signs them last.

    POST /v1/custodian/prepare   `registry.custodian_messages`: request -> reply
    POST /v1/custodian/sign      draft signed by all others -> canonical([key_id, signature])

It serves officers of its own agency, and persons for records that are theirs or of those they
represent. Between the two requests it keeps body and wraps (`node.pending_bodies`), never a data
key: that it finds again in the wraps with the agency's seal key. What it does is the registry's
(`registry.custodian`); here are rights, time, disk and the way to the tag services.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

from keys.errors import CivregError
from keys.hashing import Digest
from ledger.canonical import Value, encode
from ledger.entries import EntryContent
from ledger.errors import PurgedError
from ledger.ids import OfficeId, RecordId
from ledger.limits import NOT_AFTER_AHEAD_MAX_MS
from ledger.parts import About, Head, RecordPart
from ledger.vault import Vault
from node.access import Access, require_asker
from node.application import Committed
from node.birth_index import BIRTH, BirthIndex
from node.body_rescue import BodyRescue
from node.call_values import msgpack_reply
from node.clock import Clock
from node.custodian_keys import CustodianKeys
from node.entry_cache import EntryCache
from node.logs import Log
from node.metrics import Metrics
from node.pending_bodies import PendingBodies, Prepared
from node.public_errors import ForbiddenError, NotFoundError
from node.request_auth import Asker
from node.routes import Call, Handler, Reply
from node.shelf_shares import Holder, holder_of
from node.tag_askers import check_author, officer_of
from node.tag_limits import OfficerShares
from node.tag_service import TagMaker
from registry.acts import RecordContent
from registry.apply import resolve_signatures, verify_entry
from registry.authority_errors import SignerMissingError
from registry.birth_details import SAME_AS_BIRTH, birth_of, unopened_birth
from registry.code_tables import record_type
from registry.custodian import Knowledge, check_draft
from registry.custodian_answers import HeldBody, answer_request, open_request, tag_tasks
from registry.custodian_messages import CustodianRequest, parse_request, print_reply
from registry.drafts import Draft, add_signature, custodian_is_next, finish_draft, parse_draft
from registry.duplicates import BirthSketch
from registry.errors import ExpiredError, NotAfterTooFarError, WrongNetworkError
from registry.object_rows import WrapsRow
from registry.office_rules import sketch_birth
from registry.opened_records import check_dates
from registry.readers import agency_of_office, readers_of
from registry.record_checks import companion_id
from registry.rows import RecordRow
from registry.schema import RecordType
from registry.sealed import BodyPlace, open_body
from registry.state_key_names import wraps_key
from registry.wraps import open_wraps, parse_wraps, wraps_digest

REGISTER: Final = "birth/register"
_PARENTS: Final = ("mother", "father")


@dataclass(frozen=True, slots=True, kw_only=True)
class CustodianPorts:
    """What a custodian stands on.

    Attributes:
        vault: Bodies and wraps.
        pending: Those of entries in the making.
        births: Those that a new one is compared with.
        shares: How many tags each officer may have made.
        entries: Is told whose signatures were verified here.
        threads: For writes that wait for the disk.
        clock: What time it is.
        log: Takes notes: who asked, what kind of act, never content.
        metrics: Counts.
    """

    vault: Vault
    pending: PendingBodies
    births: BirthIndex
    shares: OfficerShares
    entries: EntryCache
    threads: Executor
    clock: Clock
    log: Log
    metrics: Metrics


class Custodian:
    """The handlers of /v1/custodian.

    Args:
        keys: What it holds.
        network_id: Of this network.
        access: The state, and who may ask.
        tags: Has tags made.
        height: Returns the height of the next block, for the types in force.
        ports: What it stands on.
    """

    def __init__(
        self,
        keys: CustodianKeys,
        network_id: Digest,
        access: Access,
        tags: TagMaker,
        height: Callable[[], int],
        ports: CustodianPorts,
    ) -> None:
        self._keys = keys
        self._network_id = network_id
        self._access = access
        self._tags = tags
        self._height = height
        self._births = ports.births
        self._rescue = BodyRescue(ports.vault, ports.pending, ports.log)
        self._ports = ports

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers by the names of their routes."""
        return {"custodian_prepare": self.prepare, "custodian_sign": self.sign}

    def committed(self, committed: Committed) -> None:
        """Forget what is in the chain, or can no longer come into it; a body is kept for good."""
        self._ports.shares.committed(committed.block.entries)
        self._rescue.committed(committed)

    # --- prepare ---

    async def prepare(self, call: Call) -> Reply:
        """Give record parts their wraps and tags, and keep what signing will need."""
        asker = require_asker(call.asker)
        request = parse_request(call.body)
        parts = tuple([record.part for record in request.records])
        office = self._check(asker, request.head, parts)
        opened = open_request(request, self._find_type, self._keys.seal)
        tasks = tag_tasks(request, opened)
        if tasks:
            if asker.agency != self._keys.agency_id:  # the head names officers who have not signed
                raise ForbiddenError("only officers of the agency have tags made")
            check_author(self._access, self._keys.agency_id, request.head, self._height())
            records = [parts[task.record].record_id for task in tasks]
            self._ports.shares.take(asker.key.holder, records)
        made = await self._tags.make(
            [(task, parts[task.record].record_id) for task in tasks],
            officer_of(request.head),
            request.head.not_after_ms,
        )
        readers = [
            readers_of(
                self._access.state,
                record.record_type,
                record.part,
                office,
                self._access.today,
                parents=_parents(request),
            )
            for record in opened
        ]
        tagged = list(zip(tasks, made, strict=True))
        reply, held = answer_request(request, opened, tagged, readers)
        holder = holder_of(asker, self._keys.agency_id)
        for body in held:
            if body is not None:
                self._keep(body, request.head.not_after_ms, holder)
        self._note(asker, "prepared", request.head)
        return msgpack_reply(print_reply(reply))

    def _keep(self, held: HeldBody, not_after_ms: int, holder: Holder) -> None:
        digest = wraps_digest(held.wraps)
        prepared = Prepared(held.body, held.wraps, held.tag_signatures, held.beside_names)
        self._ports.pending.put(digest, prepared, not_after_ms, holder)

    # --- sign ---

    async def sign(self, call: Call) -> Reply:
        """Sign a draft, if it is what was prepared and everybody else has signed it."""
        asker = require_asker(call.asker)
        draft = parse_draft(call.body)
        entry = draft.entry
        self._check(asker, entry.head, entry.records)
        if not custodian_is_next(draft):
            raise SignerMissingError(
                "the custodian signs last, when nobody else's signature is missing",
                term="custodian",
            )
        held = [self._held(entry, part) for part in entry.records]
        opened = check_draft(entry, held, self._find_type, self._knowledge(entry, held))
        signature = self._keys.custodian.sign(entry.sign_message)
        self._verify(add_signature(draft, self._keys.custodian.public, signature))
        await self._store_wraps(held)
        self._births.note(entry, opened)
        self._note(asker, "signed", entry.head)
        key_id = self._keys.custodian.public.key_id
        return msgpack_reply(encode((key_id, signature)))

    def _verify(self, draft: Draft) -> None:
        """Refuse to give a signature to an entry of which another one is wrong."""
        entry = finish_draft(draft)
        checks = resolve_signatures(self._access.state, entry)
        self._ports.entries.expect(verify_entry(entry, checks))

    def _held(self, entry: EntryContent, part: RecordPart) -> HeldBody | None:
        """Return what was prepared for a record, with its data key from the agency's own wrap."""
        if part.seal is None:
            return None
        found = self._ports.pending.get(part.seal.wraps_digest) or self._in_vault(part)
        if found is None:
            raise NotFoundError("this custodian has not prepared that record, or too long ago")
        wraps = parse_wraps(found.wraps)
        place = BodyPlace(entry.head.network_id, part.record_id, part.record_version)
        data_key = open_wraps(wraps, place, self._keys.seal, part.seal.key_check)
        return HeldBody(found.body, data_key, found.wraps, found.tag_signatures, found.beside_names)

    def _in_vault(self, part: RecordPart) -> Prepared | None:
        """Return what was signed before; its tags, if any, have to be made again."""
        assert part.seal is not None, "only sealed records are looked for"
        body = self._ports.vault.body(part.seal.body_digest)
        wraps = self._ports.vault.wraps(part.seal.wraps_digest)
        return None if body is None or wraps is None else Prepared(body, wraps, (), ())

    async def _store_wraps(self, held: list[HeldBody | None]) -> None:
        loop = asyncio.get_running_loop()
        for one in held:
            if one is not None:
                digest = wraps_digest(one.wraps)
                put = self._ports.vault.put_wraps
                await loop.run_in_executor(self._ports.threads, put, digest, one.wraps)

    def _knowledge(self, entry: EntryContent, held: list[HeldBody | None]) -> Knowledge:
        """Return what the custodian knows beside the entry: versions before, similar births."""
        birth = self._birth_in(entry, held)
        births = None if birth is None else self._births.births_like(birth)
        different: tuple[RecordId, ...] = ()
        if birth is not None and births:
            different = self._births.different(birth.record_id, births)
        return Knowledge(
            custodian_key=self._keys.custodian.public.key_id,
            births=births,
            different=different,
            previous=self._previous(entry),
            birth=self._birth_before(entry),
        )

    def _birth_in(self, entry: EntryContent, held: list[HeldBody | None]) -> BirthSketch | None:
        """Return what a birth that is to be registered is compared by; None for other acts."""
        if entry.head.kind != REGISTER or not entry.records or not self._births.is_index:
            return None
        part, body = entry.records[0], held[0]
        schema = self._find_type(BIRTH)
        check_dates(schema, part)
        if part.seal is None or body is None or "event_date" not in part.member:
            return None
        place = BodyPlace(entry.head.network_id, part.record_id, part.record_version)
        paths = tuple(schema.sealed_paths)
        values = open_body(place, paths, body.body, part.seal, body.data_key).values
        content = RecordContent(member=part.member, sealed=values, links=part.links)
        return sketch_birth(part.record_id, content)

    def _birth_before(self, entry: EntryContent) -> Mapping[str, Value] | None:
        """Return the sealed values of the birth that the subject came of, if it came of one.

        None where another agency's custodian keeps them, and where no rule compares them.
        """
        if not any(rule.rule == SAME_AS_BIRTH for rule in entry.context.rules):
            return None
        row = self._access.record(entry.records[0].record_id) if entry.records else None
        birth_id = birth_of(row)
        birth = None if birth_id is None else self._access.record(birth_id)
        if birth_id is None or birth is None:
            return unopened_birth(row)
        return self._open_current(birth_id, birth)

    def _previous(self, entry: EntryContent) -> Mapping[RecordId, Mapping[str, Value]]:
        """Return the sealed values of the versions before, as far as this agency can open them."""
        found: dict[RecordId, Mapping[str, Value]] = {}
        for part in entry.records:
            row = self._access.record(part.record_id)
            values = None if row is None else self._open_current(part.record_id, row)
            if values is not None:
                found[part.record_id] = values
        return found

    def _open_current(self, record_id: RecordId, row: RecordRow) -> Mapping[str, Value] | None:
        if row.seal is None:
            return None
        added = self._access.state.read(wraps_key(record_id, row.version), WrapsRow)
        digests = (row.seal.wraps_digest, *(() if added is None else added.digests))
        place = BodyPlace(self._network_id, record_id, row.version)
        schema = self._access.type_of(row)
        for digest in digests:
            try:
                body = self._ports.vault.body(row.seal.body_digest)
                wraps = self._ports.vault.wraps(digest)
                if body is None or wraps is None or schema is None:
                    continue
                data_key = open_wraps(
                    parse_wraps(wraps), place, self._keys.seal, row.seal.key_check
                )
                opened = open_body(place, tuple(schema.sealed_paths), body, row.seal, data_key)
            except (CivregError, PurgedError):
                continue
            return opened.values
        return None

    # --- both ---

    def _check(self, asker: Asker, head: Head, parts: tuple[RecordPart, ...]) -> OfficeId:
        """Refuse whom this custodian does not serve, and acts that are not of its offices.

        Returns:
            The office that acts.

        Raises:
            WrongNetworkError: The act is for another network.
            ExpiredError: Its time is over.
            NotAfterTooFarError: Its time is too long.
            ForbiddenError: Another agency's office, or an asker who may not.
        """
        if head.network_id != self._network_id:
            raise WrongNetworkError("the act is for another network")
        now_ms = self._ports.clock.now_ms()
        if head.not_after_ms < now_ms:
            raise ExpiredError("the act's time is over", not_after_ms=head.not_after_ms)
        if head.not_after_ms > now_ms + NOT_AFTER_AHEAD_MAX_MS:
            raise NotAfterTooFarError("the act's time is too long", not_after_ms=head.not_after_ms)
        if head.office is None:
            raise ForbiddenError("the act names no office whose custodian this is")
        if agency_of_office(self._access.state, head.office) != self._keys.agency_id:
            raise ForbiddenError("the office is another agency's: ask its custodian")
        if asker.agency != self._keys.agency_id:
            self._check_owner(asker, head.about, parts)
        return head.office

    def _check_owner(
        self, asker: Asker, about: About | None, parts: tuple[RecordPart, ...]
    ) -> None:
        records = [part.record_id for part in parts]
        records += [owner for part in parts for owner in _beside(part)]
        if about is not None:
            records.append(about.record_id)
        if not any(self._access.is_owner(asker, record_id) for record_id in records):
            raise ForbiddenError(
                "the custodian serves officers of its agency, and owners for their records"
            )

    def _find_type(self, name: str) -> RecordType:
        return record_type(self._access.state, name, self._height())

    def _note(self, asker: Asker, what: str, head: Head) -> None:
        self._ports.metrics.custodian.add(1, answer=what)
        self._ports.log.info("custodian", answer=what, kind=head.kind, asker=asker.key_id)


def _beside(part: RecordPart) -> list[RecordId]:
    """Return the records beside which a part is the companion; it may not be in the state yet."""
    linked = [one for one in part.links.values() if isinstance(one, bytes)]
    return [one for one in linked if companion_id(one) == part.record_id]


def _parents(request: CustodianRequest) -> tuple[RecordId, ...]:
    """Return who will represent the child of a birth; none for other acts."""
    if request.head.type_name != "birth" or not request.records:
        return ()
    links = request.records[0].part.links
    found = [links[name] for name in _PARENTS if name in links]
    return tuple([one for one in found if isinstance(one, bytes)])
