"""Whole entries with their bodies, on the way into the chain, and what became of them.

    request  = canonical([1, [[entry bin, [body bin ...]] ...]])            at most 2 MiB
    answer   = {"results": [{"entry", "status", "height", "index", "registration_no", "code",
                "detail"} ...]}

A node that has no room now is asked again; a refusal by a rule is final, but for a node that may
lack a block in which another one has told us of an entry: it is waited for and asked once more.
Submitting twice is harmless, for an entry is known by its digest.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cli.client import Call, Client, refusal_of
from cli.errors import NoNetworkError, RemoteRefusalError, code_of
from keys.errors import CivregError
from keys.hashing import Digest
from ledger.canonical import Value, encode
from ledger.entries import Entry, RecordPart
from ledger.ids import RecordId
from ledger.limits import REQUEST_BODY_BYTES_MAX
from registry.drafts import Draft, finish_draft
from registry.preparing import Target
from registry.rows import RecordRow

REQUEST_ENTRIES_MAX: Final = 256
REQUESTS_AT_ONCE: Final = 8
SUBMIT_SECONDS: Final = 120.0
"""How long entries are submitted again that a node cannot take or commit now."""
ROUND_SECONDS: Final = 0.2
CATCH_UP_SECONDS: Final = 10.0
"""How long a node is waited for that lacks blocks of others, before its refusal is believed."""

TRY_AGAIN: Final = frozenset(
    {"node.pool_full", "node.signer_limit", "node.record_depth", "node.too_many_requests",
     "node.unavailable"}
)  # fmt: skip
"""Codes that say nothing about the entry."""
REPLAYED: Final = "registry.replayed"
_RULES: Final = "registry."
"""How the codes of the ledger's rules begin."""
_OVERHEAD_BYTES: Final = 64
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Package:
    """A signed entry with its sealed bodies.

    Attributes:
        entry: With all signatures.
        bodies: For the vaults, in the order of the record parts that have one.
    """

    entry: Entry
    bodies: tuple[bytes, ...]

    @property
    def record_id(self) -> RecordId:
        """The subject's id, or the record that a side act is about."""
        if self.entry.records:
            return self.entry.records[0].record_id
        assert self.entry.head.about is not None, "an act about nothing has no record"
        return self.entry.head.about.record_id

    def target(self, record_id: RecordId | None = None, before: RecordRow | None = None) -> Target:
        """Return a record as it will be after this entry, to build on before the commit is known.

        Only what drafting looks at is right: version, last entry, holders, links, claims in clear.

        Args:
            record_id: One that the entry writes; None for the subject.
            before: The record's row before, for its older claims and encumbrances.
        """
        wanted = record_id or self.record_id
        part = next(part for part in self.entry.records if part.record_id == wanted)
        return Target(wanted, _row_after(self.entry, part, before))


def package_of(draft: Draft) -> Package:
    """Return what is submitted of a draft that all have signed.

    Raises:
        SignerMissingError: A signature is missing.
    """
    bodies = tuple([item.body for item in draft.bodies if item is not None])
    return Package(finish_draft(draft), bodies)


def _row_after(entry: Entry, part: RecordPart, before: RecordRow | None) -> RecordRow:
    held = () if before is None else before.claims
    claims = {(claim.namespace, claim.epoch, claim.value) for claim in part.claims}
    place = (0, 0, entry.head.event_date)
    return RecordRow(
        type_name=part.type_name,
        schema_version=entry.head.schema_version,
        version=part.record_version,
        last_entry=entry.entry_digest,
        first_entry=entry.entry_digest if before is None else before.first_entry,
        status="" if before is None else before.status,
        flags=() if before is None else before.flags,
        office=entry.head.office if before is None else before.office,
        member=dict(part.member),
        holders=part.holders,
        links=dict(part.links) if before is None else {**before.links, **part.links},
        seal=part.seal,
        engine={} if before is None else before.engine,
        claims=(*held, *sorted(claims - set(held), key=repr)),
        encumbrances=() if before is None else before.encumbrances,
        registration_number=None if before is None else before.registration_number,
        created=place if before is None else before.created,
        registered=None if before is None else before.registered,
        officers=() if before is None else before.officers,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one entry.

    Attributes:
        entry_digest: 32 bytes.
        status: `committed`, `pending` or `refused`.
        height: Of its block, if committed.
        index: In the block, if committed.
        registration_number: Given at execution, or None.
        error: Why it was refused, or None.
    """

    entry_digest: Digest
    status: str
    height: int | None = None
    index: int | None = None
    registration_number: str | None = None
    error: CivregError | None = None

    @property
    def committed(self) -> bool:
        """Whether it stands in the chain."""
        return self.status == "committed"

    @property
    def code(self) -> str | None:
        """The stable code of the refusal, or None."""
        return None if self.error is None else code_of(self.error)

    def check(self) -> "Result":
        """Return itself unless the entry was refused.

        Raises:
            RemoteRefusalError: It was; `remote_code` says why.
        """
        if self.error is not None:
            raise self.error
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How packages are submitted.

    Attributes:
        addresses: Base addresses of nodes.
        wait_commit: Whether to wait until entries stand in the chain.
        ordered: Requests follow one another, to one node, because entries build on earlier ones.
        seconds_max: How long to go on with what a node cannot take now.
    """

    addresses: Sequence[str]
    wait_commit: bool = True
    ordered: bool = True
    seconds_max: float = SUBMIT_SECONDS


async def submit_all(client: Client, packages: Sequence[Package], way: Way) -> list[Result]:
    """Submit packages and return one result for each; see `Actor.submit`.

    Raises:
        NoNetworkError: No node answers.
    """
    results: dict[int, Result] = {}
    deadline_s = time.monotonic() + way.seconds_max
    waiting = list(range(len(packages)))
    turn = 0
    while waiting:
        batches = list(_batches(packages, waiting))
        limit = asyncio.Semaphore(1 if way.ordered else REQUESTS_AT_ONCE)

        async def one(batch: list[int], number: int, limit: asyncio.Semaphore = limit) -> None:
            async with limit:
                chosen = 0 if way.ordered else number
                found = await _submit(client, [packages[at] for at in batch], chosen, way)
            results.update(zip(batch, found, strict=True))

        if way.ordered:
            for batch in batches:
                await one(batch, 0)
        else:
            await asyncio.gather(*[one(batch, turn + at) for at, batch in enumerate(batches)])
        if turn:  # What waited in an earlier round may stand in the chain by now.
            for at in waiting:
                results[at] = settled(results[at])
        turn += len(batches)
        waiting = [at for at in waiting if _is_open(results[at], wait_commit=way.wait_commit)]
        if waiting and time.monotonic() > deadline_s:
            break
        if waiting:
            await asyncio.sleep(ROUND_SECONDS)
    return [results[at] for at in range(len(packages))]


def settled(result: Result) -> Result:
    """Return where an entry stands that was submitted before and that is called a replay now."""
    if result.error is None or result.code != REPLAYED:
        return result
    details = result.error.details
    number = details.get("registration_no")
    return Result(
        entry_digest=result.entry_digest,
        status="committed",
        height=_whole(details.get("height")),
        index=_whole(details.get("index")),
        registration_number=number if isinstance(number, str) else None,
    )


def _is_open(result: Result, *, wait_commit: bool) -> bool:
    if result.status == "refused":
        return result.code in TRY_AGAIN
    return wait_commit and result.status == "pending"


def _batches(packages: Sequence[Package], waiting: Sequence[int]) -> Iterator[list[int]]:
    """Yield positions whose packages fit into one request."""
    batch: list[int] = []
    size = 0
    for at in waiting:
        package = packages[at]
        more = len(package.entry.raw) + sum(map(len, package.bodies)) + _OVERHEAD_BYTES
        if batch and (
            size + more > REQUEST_BODY_BYTES_MAX - _OVERHEAD_BYTES
            or len(batch) >= REQUEST_ENTRIES_MAX
        ):
            yield batch
            batch, size = [], 0
        batch.append(at)
        size += more
    if batch:
        yield batch


def print_submission(packages: Sequence[Package]) -> bytes:
    """Return the body of a request that submits packages."""
    pairs: list[Value] = [(package.entry.raw, package.bodies) for package in packages]
    return encode((_VERSION, tuple(pairs)))


async def _submit(client: Client, packages: Sequence[Package], turn: int, way: Way) -> list[Result]:
    """Submit one batch to the node whose turn it is, or to the next that answers.

    Raises:
        NoNetworkError: No node answers for as long as the way allows.
        RemoteRefusalError: A node refuses the whole request, for good.
    """
    until_s = time.monotonic() + way.seconds_max
    body = print_submission(packages)
    digests = [package.entry.entry_digest for package in packages]
    tries, may_be_early = 0, True
    while True:
        call = Call(
            address=way.addresses[(turn + tries) % len(way.addresses)],
            path="/v1/entries",
            query="wait=commit" if way.wait_commit else "",
            method="POST",
            body=body,
            tries_s=0.0,
        )
        try:
            found = read_results((await client.send_async(call)).json, digests)
        except RemoteRefusalError as error:
            if len(packages) > 1 and error.remote_code not in TRY_AGAIN:
                raise
            found = [Result(entry_digest=one, status="refused", error=error) for one in digests]
        except NoNetworkError:
            if time.monotonic() > until_s:
                raise
            tries += 1
            await asyncio.sleep(ROUND_SECONDS)
            continue
        client.heights.saw(call.address, max([result.height or 0 for result in found], default=0))
        if may_be_early and _is_judged(found) and client.heights.is_behind(call.address):
            may_be_early = False
            await _catch_up(client, call.address)
            tries += len(way.addresses)  # the same node again
            continue
        # A try that seemed to fail may have come through: then its entries are replays now.
        return [settled(result) for result in found] if tries else found


def _is_judged(found: Sequence[Result]) -> bool:
    """Tell whether a rule has refused an entry: for good, if the node is up to date."""
    codes = [result.code or "" for result in found]
    return any(code.startswith(_RULES) and code != REPLAYED for code in codes)


async def _catch_up(client: Client, address: str) -> None:
    """Wait until a node has what others have told of; one that stays behind is believed then."""
    newest, until_s = client.heights.newest, time.monotonic() + CATCH_UP_SECONDS
    while client.heights.is_behind(address) and time.monotonic() < until_s:
        try:
            status = (await client.send_async(Call(address=address, path="/v1/status"))).json
        except (NoNetworkError, RemoteRefusalError):
            return
        height = int(status["height"])
        client.heights.saw(address, height)
        if height >= newest:
            return
        await asyncio.sleep(ROUND_SECONDS)


def read_results(document: object, digests: Sequence[Digest]) -> list[Result]:
    """Return the results that a node's answer tells of.

    Raises:
        NoNetworkError: The answer has another shape than a node's.
    """
    listed = document.get("results") if isinstance(document, dict) else None
    if not isinstance(listed, list) or len(listed) != len(digests):
        raise NoNetworkError("the node's answer has not a result for each entry", address="")
    return [_read(row, digest) for row, digest in zip(listed, digests, strict=True)]


def _read(row: object, digest: Digest) -> Result:
    if not isinstance(row, Mapping) or row.get("entry") not in (None, digest.hex()):
        raise NoNetworkError("the node's answer is about another entry", address="")
    status = row.get("status")
    if row.get("entry") is None and status != "refused":
        raise NoNetworkError("the node's answer is about another entry", address="")
    if status == "refused":  # At the door a node may refuse bytes before it knows their digest.
        return Result(entry_digest=digest, status="refused", error=refusal_of(row, 0))
    if status not in {"committed", "pending"}:
        raise NoNetworkError("the node's answer has an unknown status", address="")
    number = row.get("registration_no")
    return Result(
        entry_digest=digest,
        status=str(status),
        height=_whole(row.get("height")),
        index=_whole(row.get("index")),
        registration_number=number if isinstance(number, str) else None,
    )


def _whole(value: object) -> int | None:
    return value if type(value) is int else None
