"""The tag services of two agencies, and how a custodian has tags made.

A tag needs the secrets of both agencies of its namespace. The first one's service makes the inner
half of a value, the second one's makes the tag of that half and signs it for one record, one field
and one officer. Both answer only authenticated nodes of agencies that write records with such tags,
for officers of theirs, only so often (`node.tag_limits`), and note who asked how much, never a
value.

    POST /peer/v1/tags/inner  canonical°([1, "tag-inner", [[namespace, value str] ...]])
                           -> canonical([1, [inner bin 32 ...]])
    POST /peer/v1/tags/outer  canonical([1, "tag-outer", [[namespace, inner bin 32, leaf bin 32,
                              record_id bin 16, officer key_id bin 16, not_after_ms int] ...]])
                           -> canonical([1, [[epoch, tag bin 32, expiry_ms, signature] ...]])

The secret of a node is 32 bytes in `keys/tag.secret`; the key of each namespace, half and epoch
follows from it. Whoever loses it loses every tag: back it up with the other keys.
"""

import hmac
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from keys.hashing import DIGEST_BYTES, Digest, domain
from keys.signing import KEY_ID_BYTES, KeyId, Signer
from ledger.canonical import Value, decode, decode_opaque, encode, encode_opaque
from ledger.entries import TagProof
from ledger.errors import InvalidDataError
from ledger.fields import (
    INTEGER_MAX,
    read_array,
    read_bytes,
    read_bytes_up_to,
    read_digest,
    read_int,
    read_text,
    read_version,
)
from ledger.ids import ID_BYTES, AgencyId, RecordId
from ledger.part_readers import NAME_CHARS_MAX
from ledger.quorum import SIGNATURE_BYTES_MAX
from node.access import Access
from node.application import Committed
from node.clock import Clock
from node.errors import PeerError
from node.logs import Log
from node.metrics import Metrics
from node.public_errors import ForbiddenError, TagServiceError, TooManyRequestsError
from node.tag_limits import TagLimits, agency_of_key, used_tags
from registry.authority import ALL, mandates, officer_of_key
from registry.civil_calendar import in_range
from registry.custodian_answers import MadeTag, TagTask
from registry.errors import RegistryError, UnknownKindError
from registry.rows import NamespaceRow
from registry.state_key_names import namespace_key
from registry.tags import (
    TAG_KEY_BYTES,
    TAG_VALUE_CHARS_MAX,
    TagStatement,
    inner_tag,
    outer_tag,
    prove_tag,
)

INNER_PATH: Final = "/peer/v1/tags/inner"
OUTER_PATH: Final = "/peer/v1/tags/outer"
TAGS_MAX: Final = 256
"""Tags in one question."""
TAGS_BYTES_MAX: Final = 256 * 1024
TAG_DAYS_MS: Final = 31 * 24 * 3_600_000
"""The longest time for which an answer may be used."""
_TAG_KEY: Final = domain("tag-key")
_VERSION: Final = 1
_FIRST: Final = b"first"
_SECOND: Final = b"second"


@dataclass(frozen=True, slots=True)
class OuterQuestion:
    """What the second agency is asked for.

    Attributes:
        namespace: As genesis names it.
        inner: The first agency's half, 32 bytes.
        leaf: Of the field in the record's commitment, 32 bytes.
        record_id: Whose tag it will be.
        officer_key_id: For whom it is made.
        not_after_ms: Of the entry that will hold it.
    """

    namespace: str
    inner: Digest
    leaf: Digest
    record_id: RecordId
    officer_key_id: KeyId
    not_after_ms: int


class Ask(Protocol):
    """Sends a question to the node of another agency."""

    def __call__(self, agency: AgencyId, path: str, body: bytes) -> Awaitable[bytes]:
        """Return the answer's bytes; PeerError if there is none."""


class TagService:
    """One agency's half of every namespace that it holds.

    Args:
        own: The agency.
        secret: 32 bytes, or None: then it answers nobody.
        signer: Holds the agency's tag key, or None likewise.
        access: The state, for namespaces.
        network_id: Of this network.
        ports: Clock, log, metrics and how often an agency may ask.
    """

    def __init__(
        self,
        own: AgencyId,
        secret: bytes | None,
        signer: Signer | None,
        access: Access,
        network_id: Digest,
        ports: "TagPorts",
    ) -> None:
        self._own = own
        self._secret = secret
        self._signer = signer
        self._access = access
        self._network_id = network_id
        self._ports = ports

    def inner(self, asker: AgencyId, raw: bytes) -> bytes:
        """Answer a question for inner halves.

        Raises:
            InvalidDataError: The question is malformed.
            ForbiddenError: This agency is not the first of a namespace, or the asking one writes no
                records with such tags.
            TooManyRequestsError: The agency asked for too many.
            TagServiceError: This node has no secret.
        """
        value = decode_opaque(raw, TAGS_BYTES_MAX, limit="bytes of a question for tags")
        pairs = [_read_pair(pair) for pair in _read_question(value, "tag-inner")]
        self._check_asker(asker, {namespace for namespace, _text in pairs})
        self._take(asker, len(pairs), "inner")
        halves: list[Value] = []
        for namespace, text in pairs:
            row = self._namespace(namespace)
            if row.first_agency != self._own:
                raise ForbiddenError("this agency does not hold that half of the namespace")
            halves.append(inner_tag(self._key(namespace, _FIRST, row.epoch), namespace, text))
        return encode((_VERSION, tuple(halves)))

    def outer(self, asker: AgencyId, raw: bytes) -> bytes:
        """Answer a question for tags with their proofs; errors as `inner`.

        Raises:
            ForbiddenError: Also where somebody is no officer in force of the asking agency.
        """
        value = decode(raw, TAGS_BYTES_MAX, limit="bytes of a question for tags")
        questions = [_read_outer(one) for one in _read_question(value, "tag-outer")]
        self._check_asker(asker, {question.namespace for question in questions})
        for key_id in dict.fromkeys(question.officer_key_id for question in questions):
            self._check_officer(asker, key_id)
        self._take(asker, len(questions), "outer")
        return encode((_VERSION, tuple([self._tag(question) for question in questions])))

    def committed(self, committed: Committed) -> None:
        """Give back to each agency, for each half that is made here, the tags that it has used."""
        state, ports = self._access.state, self._ports
        for namespace, officer_key_id in used_tags(committed.block.entries):
            row = state.read(namespace_key(namespace), NamespaceRow)
            agency = agency_of_key(state, officer_key_id)
            if row is None or agency is None:
                continue
            for half, maker in (("inner", row.first_agency), ("outer", row.second_agency)):
                if maker == self._own:
                    ports.limits.used(agency, 1, ports.clock.monotonic_ms())
                    ports.metrics.tags_used.add(1, half=half)

    def _tag(self, question: OuterQuestion) -> Value:
        row = self._namespace(question.namespace)
        if row.second_agency != self._own:
            raise ForbiddenError("this agency does not hold that half of the namespace")
        if self._signer is None:
            raise TagServiceError("this node has no tag key")
        key = self._key(question.namespace, _SECOND, row.epoch)
        tag = outer_tag(key, question.namespace, question.inner)
        expiry_ms = min(question.not_after_ms, self._ports.clock.now_ms() + TAG_DAYS_MS)
        statement = TagStatement(
            network_id=self._network_id,
            namespace=question.namespace,
            epoch=row.epoch,
            tag=tag,
            commitment_leaf=question.leaf,
            record_id=question.record_id,
            officer_key_id=question.officer_key_id,
            expiry_ms=expiry_ms,
        )
        return row.epoch, tag, expiry_ms, prove_tag(statement, self._signer).signature

    def _namespace(self, namespace: str) -> NamespaceRow:
        row = self._access.state.read(namespace_key(namespace), NamespaceRow)
        if row is None:
            raise ForbiddenError("the network has no such namespace")
        return row

    def _key(self, namespace: str, half: bytes, epoch: int) -> bytes:
        if self._secret is None:
            raise TagServiceError("this node has no secret for tags")
        source = _TAG_KEY + half + b"\x00" + epoch.to_bytes(8) + namespace.encode()
        return hmac.digest(self._secret, source, "sha256")

    def _check_asker(self, asker: AgencyId, namespaces: set[str]) -> None:
        """Refuse an agency that writes no record which has such a tag."""
        state, today = self._access.state, self._access.today
        written: set[str] = set()
        for _key, row in mandates(state, asker):
            if in_range(today, row.from_date, row.to_date):
                written.update(row.types)
        known = {one for name in written - {ALL} for one in self._tagged(name)}
        if ALL not in written and not namespaces <= known:
            raise ForbiddenError("the agency has no mandate for records with such a tag")

    def _tagged(self, type_name: str) -> tuple[str, ...]:
        """Return the namespaces of the tags that records of a type have."""
        try:
            record_type = self._access.type_named(type_name)
        except UnknownKindError:
            return ()
        claimed = [one.namespace for one in record_type.unique if one.mode == "tag"]
        return (*claimed, *[one.namespace for one in record_type.match])

    def _check_officer(self, asker: AgencyId, key_id: KeyId) -> None:
        """Refuse a tag for somebody who is no officer of the asking agency now."""
        try:
            officer = officer_of_key(self._access.state, key_id, self._access.today, "officer")
        except RegistryError as error:
            raise ForbiddenError("a tag is made for an officer in force") from error
        if officer.agency != asker:
            raise ForbiddenError("a tag is made for an officer of the agency that asks")

    def _take(self, asker: AgencyId, count: int, half: str) -> None:
        for _ in range(count):
            wait_ms = self._ports.limits.take(asker, self._ports.clock.monotonic_ms())
            if wait_ms:
                self._ports.log.warning("tags_refused", asker=asker, half=half, count=count)
                raise TooManyRequestsError(
                    "the agency asks for too many tags", retry_after_s=wait_ms // 1_000 + 1
                )
        self._ports.metrics.tags.add(count, half=half)
        self._ports.log.info("tags_made", asker=asker, half=half, count=count)


@dataclass(frozen=True, slots=True, kw_only=True)
class TagPorts:
    """What a tag service stands on.

    Attributes:
        clock: What time it is.
        log: Takes notes, never of values.
        metrics: Counts.
        limits: How many tags an agency may ask for.
    """

    clock: Clock
    log: Log
    metrics: Metrics
    limits: TagLimits


class TagMaker:
    """Has tags made for a custodian, here or by other agencies.

    Args:
        own: This agency.
        service: Its tag service.
        access: The state, for namespaces.
        ask: Sends a question to another agency.
    """

    def __init__(self, own: AgencyId, service: TagService, access: Access, ask: Ask) -> None:
        self._own = own
        self._service = service
        self._access = access
        self._ask = ask

    async def make(
        self,
        tasks: Sequence[tuple[TagTask, RecordId]],
        officer_key_id: KeyId,
        not_after_ms: int,
    ) -> list[MadeTag]:
        """Return the tags of tasks, in their order.

        Args:
            tasks: Each with the record it is for.
            officer_key_id: For whom.
            not_after_ms: Of the entry.

        Raises:
            TagServiceError: A service does not answer, or not with what was asked for.
            ForbiddenError: There is no such namespace.
        """
        made: list[MadeTag] = []
        for task, record_id in tasks:
            namespace = task.wish.namespace
            row = self._access.state.read(namespace_key(namespace), NamespaceRow)
            if row is None:
                raise ForbiddenError("the network has no such namespace", namespace=namespace)
            inner = await self._inner(row.first_agency, namespace, task.value)
            question = OuterQuestion(
                namespace, inner, task.leaf, record_id, officer_key_id, not_after_ms
            )
            made.append(await self._outer(row.second_agency, question))
        return made

    async def _inner(self, agency: AgencyId, namespace: str, value: str) -> Digest:
        question = encode_opaque((_VERSION, "tag-inner", ((namespace, value),)))
        (half,) = await self._question(agency, INNER_PATH, question)
        return read_digest(half, "inner tag")

    async def _outer(self, agency: AgencyId, asked: OuterQuestion) -> MadeTag:
        fields = (
            *(asked.namespace, asked.inner, asked.leaf),
            *(asked.record_id, asked.officer_key_id, asked.not_after_ms),
        )
        question = encode((_VERSION, "tag-outer", (fields,)))
        (answer,) = await self._question(agency, OUTER_PATH, question)
        epoch, tag, expiry_ms, signature = read_array(answer, "tag", 4)
        proof = TagProof(
            commitment_leaf=asked.leaf,
            officer_key_id=asked.officer_key_id,
            expiry_ms=read_int(expiry_ms, "tag.expiry_ms", 0, INTEGER_MAX),
            signature=read_bytes_up_to(signature, "tag.signature", SIGNATURE_BYTES_MAX),
        )
        return MadeTag(
            read_int(epoch, "tag.epoch", 1, INTEGER_MAX), read_digest(tag, "tag.tag"), proof
        )

    async def _question(self, agency: AgencyId, path: str, body: bytes) -> tuple[Value, ...]:
        """Return the one answer of an agency's service."""
        if agency == self._own:
            service = self._service
            raw = (service.inner if path == INNER_PATH else service.outer)(self._own, body)
        else:
            try:
                raw = await self._ask(agency, path, body)
            except PeerError as error:
                raise TagServiceError(
                    "the tag service of another agency does not answer", agency=agency.hex()
                ) from error
        version, answers = read_array(decode(raw, TAGS_BYTES_MAX), "tag answer", 2)
        read_version(version, "tag answer.version", _VERSION)
        return read_array(answers, "tag answers", 1)


def _read_question(value: Value, word: str) -> tuple[Value, ...]:
    version, said, items = read_array(value, "question for tags", 3)
    read_version(version, "question.version", _VERSION)
    if said != word:
        raise InvalidDataError("another question was expected here")
    return read_array(items, "question.items", (1, TAGS_MAX))


def _read_pair(value: Value) -> tuple[str, str]:
    namespace, text = read_array(value, "tag", 2)
    return (
        read_text(namespace, "tag.namespace", NAME_CHARS_MAX, chars_min=1),
        read_text(text, "tag.value", TAG_VALUE_CHARS_MAX, chars_min=1),
    )


def _read_outer(value: Value) -> OuterQuestion:
    namespace, inner, leaf, record_id, officer, not_after_ms = read_array(value, "tag", 6)
    return OuterQuestion(
        read_text(namespace, "tag.namespace", NAME_CHARS_MAX, chars_min=1),
        read_digest(inner, "tag.inner"),
        read_digest(leaf, "tag.leaf"),
        RecordId(read_bytes(record_id, "tag.record_id", ID_BYTES)),
        KeyId(read_bytes(officer, "tag.officer", KEY_ID_BYTES)),
        read_int(not_after_ms, "tag.not_after_ms", 0, INTEGER_MAX),
    )


assert DIGEST_BYTES == TAG_KEY_BYTES, "a tag key is as long as an HMAC-SHA256"
