"""Entries over HTTP: submit them, ask what became of them, fetch their receipts.

    request  = canonical([1, [[entry bin, [sealed body bin ...]] ...]])        1 ... 1,024 entries
    answer   = {"results": [{"entry", "status", "height", "index", "registration_no", "code",
                "detail", ...} ...]}                                           in the given order

`status` is `committed`, `pending` or `refused`. Of several entries one may be refused while others
are taken, and the answer is 200; a single refused one is a problem document. The same entry again
gets the same answer while it waits, and `registry.replayed` with its place once it is committed.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from keys.errors import BadSignatureError, CivregError
from keys.hashing import Digest
from ledger.canonical import decode
from ledger.errors import InvalidDataError
from ledger.fields import read_array, read_version
from ledger.limits import BLOCK_ENTRIES_MAX, COMMIT_WAIT_TIMEOUT_MS, REQUEST_BODY_BYTES_MAX
from ledger.receipts import hide_parts, print_receipt
from ledger.store_proofs import receipt
from node.access import Access
from node.admission import Admission
from node.admission_queue import AdmissionQueue
from node.application import Application
from node.call_values import digest_of, json_reply, msgpack_reply
from node.gossip import read_submissions
from node.public_errors import MalformedRequestError, NotFoundError
from node.routes import Call, Handler, Json, Reply
from node.submissions import Admitted, Result, replayed
from node.waiting import Answer, Place, Waiter
from registry.authority_errors import SignatureWrongError
from registry.content_errors import TagUnsignedError

SUBMITTED_MAX: Final = BLOCK_ENTRIES_MAX
BAD_SIGNATURE_TOKENS: Final = 20
GARBAGE_TOKENS: Final = 2
"""What an entry costs whose signature, or whose bytes, nobody can have believed in."""
KNOWN_TOKENS: Final = 1
"""What an entry costs that waits or stands in the chain already: it is looked up."""
_VERSION: Final = 1
_ACCEPTED: Final = 202


@dataclass(frozen=True, slots=True)
class EntryRoutes:
    """The handlers of /v1/entries.

    Attributes:
        application: The chain.
        admission: The door.
        queue: The way to the door.
        access: Who may see parts.
        wait_ms_max: How long a client may wait for a commit.
    """

    application: Application
    admission: Admission
    queue: AdmissionQueue
    access: Access
    wait_ms_max: int = COMMIT_WAIT_TIMEOUT_MS

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers by the names of their routes."""
        return {
            "submit_entries": self.submit,
            "entry_status": self.status,
            "entry_receipt": self.receipt,
            "entry_content": self.content,
        }

    async def submit(self, call: Call) -> Reply:
        """Take entries in; see the module's docstring."""
        wait = call.query.get("wait")
        if wait not in {None, "commit"}:
            raise MalformedRequestError("wait can only be `commit`", parameter="wait")
        value = decode(call.body, REQUEST_BODY_BYTES_MAX, limit="request body bytes")
        version, pairs = read_array(value, "submission", 2)
        read_version(version, "submission.version", _VERSION)
        listed = read_array(pairs, "submission.entries", (1, SUBMITTED_MAX))
        submissions = read_submissions(listed, trusted=False)
        results = await self.queue.submit(submissions, call.source)
        call.charge(sum(cost_of(result) for result in results))
        answers: dict[Digest, Answer] = {}
        if wait == "commit":
            answers = await self._wait(results)
        return _reply(results, answers)

    async def _wait(self, results: Sequence[Result]) -> dict[Digest, Answer]:
        """Return what became of the entries that waited, as far as it is known in time."""
        pending = {
            result.entry_digest
            for result in results
            if isinstance(result, Admitted) and result.place is None
        }
        answers: dict[Digest, Answer] = {}
        done = asyncio.Event()
        waiters: dict[Digest, Waiter] = {}
        for digest in pending:
            waiters[digest] = _waiter(digest, answers, len(pending), done)
            self.admission.waiting.add(digest, waiters[digest])
        try:
            if pending and not self._answer_missed(pending, answers):
                async with asyncio.timeout(self.wait_ms_max / 1_000):
                    await done.wait()
        except TimeoutError:
            pass
        finally:
            for digest, waiter in waiters.items():
                self.admission.waiting.remove(digest, waiter)
        return answers

    def _answer_missed(self, pending: set[Digest], answers: dict[Digest, Answer]) -> bool:
        """Look up what was committed between admission and waiting; tell whether that was all."""
        for digest in pending:
            if digest not in self.admission.pool and digest not in answers:
                place = self.admission.place(digest)
                if place is not None:
                    self.admission.waiting.answer(digest, place)
        return len(answers) == len(pending)

    async def status(self, call: Call) -> Reply:
        """Say whether an entry waits or where it stands."""
        digest = digest_of(call)
        known = self.admission.known(digest)
        if known is None:
            raise self._unknown("waits or stands")
        if known.place is None:
            return json_reply(_pending(digest))
        place = known.place
        body = _committed(digest, place)
        body["outcome"] = self.application.store.outcomes(place.height)[place.index].hex()
        return json_reply(body)

    async def receipt(self, call: Call) -> Reply:
        """Return the receipt; only those entitled are shown the parts."""
        digest = digest_of(call)
        place = self.admission.place(digest)
        if place is None:
            raise self._unknown("stands")
        found = receipt(self.application.store, digest)
        entry = self.application.store.entry(place.height, place.index)
        if not self.access.may_read_entry(call.asker, entry):
            found = hide_parts(found, ())
        return msgpack_reply(print_receipt(found))

    def _unknown(self, how: str) -> NotFoundError:
        """Return the refusal for a digest that is not found; what is older may be elsewhere."""
        first = self.application.store.began.first_height
        if first == 1:
            return NotFoundError(f"no entry with this digest {how} in the chain")
        return NotFoundError(
            f"no entry with this digest {how} in the chain from block {first} on; "
            "this node has no older blocks",
            first_height=first,
        )

    async def content(self, call: Call) -> Reply:
        """Return the bytes of an entry to those entitled."""
        place = self.admission.place(digest_of(call))
        if place is not None:
            entry = self.application.store.entry(place.height, place.index)
            if self.access.may_read_entry(call.asker, entry):
                return msgpack_reply(entry.raw)
        raise self._unknown("stands")


def _waiter(
    digest: Digest, answers: dict[Digest, Answer], wanted: int, done: asyncio.Event
) -> Waiter:
    def take(answer: Answer) -> None:
        answers[digest] = answer
        if len(answers) >= wanted:
            done.set()

    return take


def cost_of(result: Result) -> int:
    """Return what a submitted entry costs its source beyond the request, in tokens of its rate."""
    if isinstance(result, BadSignatureError | SignatureWrongError | TagUnsignedError):
        return BAD_SIGNATURE_TOKENS
    if isinstance(result, Admitted):
        return 0 if result.is_new else KNOWN_TOKENS
    return GARBAGE_TOKENS if isinstance(result, InvalidDataError) else 0


def _reply(results: Sequence[Result], answers: dict[Digest, Answer]) -> Reply:
    if len(results) == 1:
        (result,) = results
        if isinstance(result, CivregError):
            raise result
        if result.place is not None:
            raise replayed(result.place)
        answer = answers.get(result.entry_digest)
        if isinstance(answer, CivregError):
            raise answer
        status = 200 if answer is not None else _ACCEPTED
        return json_reply({"results": [_shown(result, answers)]}, status)
    return json_reply({"results": [_shown(result, answers) for result in results]})


def _shown(result: Result, answers: dict[Digest, Answer]) -> Json:
    if isinstance(result, CivregError):
        return _refused(None, result)
    if result.place is not None:
        return _refused(result.entry_digest, replayed(result.place))
    answer = answers.get(result.entry_digest)
    if answer is None:
        return _pending(result.entry_digest)
    if isinstance(answer, CivregError):
        return _refused(result.entry_digest, answer)
    return _committed(result.entry_digest, answer)


def _refused(digest: Digest | None, error: CivregError) -> dict[str, Json]:
    details: dict[str, Json] = dict(error.details)
    return {
        **details,
        "entry": None if digest is None else digest.hex(),
        "status": "refused",
        "code": error.code,
        "detail": str(error),
    }


def _pending(digest: Digest) -> dict[str, Json]:
    return {"entry": digest.hex(), "status": "pending"}


def _committed(digest: Digest, place: Place) -> dict[str, Json]:
    return {
        "entry": digest.hex(),
        "status": "committed",
        "height": place.height,
        "index": place.index,
        "registration_no": place.registration_number,
    }
