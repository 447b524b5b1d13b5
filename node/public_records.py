"""Records and certificates over HTTP: what they are now, their history, proofs, bodies and wraps.

    proof = canonical([1, "state-proof", key, stored bin|nil, proof value, header bin,
              quorum_certificate bin])

`key` is the state key, `stored` canonical([blind, value]), and the proof leads to the `state_root`
of the header; without `stored` it proves that the key is absent. To a stranger a record that is not
public by law does not exist; of one that is, the public fields are shown.

Source: docs/formats.md, section 9; the design's users.md, section 3.
"""

import asyncio
from dataclasses import dataclass
from typing import Final, cast

from ledger.canonical import Value, encode
from ledger.ids import ObjectId, RecordId
from ledger.state_keys import StateKey
from ledger.store_proofs import certified_header, prove_state
from ledger.vault import Vault
from node.access import Access, require_asker
from node.application import Application
from node.call_values import id_of, json_reply, json_value, msgpack_reply, query_number
from node.public_errors import MalformedRequestError, NotFoundError
from node.reading import UNKNOWN_RECORD, Reading
from node.request_auth import Asker
from node.routes import Call, Handler, Json, Reply
from registry.object_rows import CertificateRow, WrapsRow
from registry.review import is_under_review
from registry.rows import RecordRow
from registry.state_key_names import certificate_key, record_key, wraps_key
from registry.wraps import Wrap, parse_wraps

_VERSION: Final = 1
HISTORY_MAX: Final = 256
"""Acts in one answer."""


@dataclass(frozen=True, slots=True)
class RecordRoutes:
    """The handlers of /v1/records and /v1/certificates.

    Attributes:
        application: The chain.
        vault: Sealed bodies and wraps.
        access: Who may read what.
        reading: Who may read sealed bodies.
    """

    application: Application
    vault: Vault
    access: Access
    reading: Reading

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers by the names of their routes."""
        return {
            "record": self.record,
            "record_history": self.history,
            "record_proof": self.proof,
            "record_body": self.body,
            "record_keys": self.keys,
            "certificate": self.certificate,
            "certificate_proof": self.certificate_proof,
        }

    async def record(self, call: Call) -> Reply:
        """Return the current version, all of it or its public fields."""
        record_id = RecordId(id_of(call))
        row = self.access.record(record_id)
        if row is not None and self.access.may_read(call.asker, record_id):
            return json_reply({**_whole(record_id, row), "under_review": self._in_review(row)})
        if row is None or not self._is_public(row):
            raise _unknown()
        return json_reply(self._public(record_id, row))

    def _in_review(self, row: RecordRow) -> bool | None:
        """Tell whether a stolen key has signed the record's first entry or its last one.

        None: one of them is older than this node's history, so it cannot tell.
        """
        store, is_unknown = self.application.store, False
        for digest in {row.first_entry, row.last_entry}:
            place = store.locate(digest)
            if place is None:
                is_unknown = store.began.first_height > 1
                continue
            head, time_ms = store.entry(*place).head, store.header(place[0]).time_ms
            if is_under_review(self.access.state, head, time_ms):
                return True
        return None if is_unknown else False

    def _is_public(self, row: RecordRow) -> bool:
        schema = self.access.type_of(row)
        return schema is not None and any(
            spec.visibility == "public" for spec in schema.fields.values()
        )

    def _public(self, record_id: RecordId, row: RecordRow) -> dict[str, Json]:
        schema = self.access.type_of(row)
        fields = {} if schema is None else schema.fields
        shown: dict[str, Json] = {
            name: json_value(value)
            for name, value in row.member.items()
            if name in fields and fields[name].visibility == "public"
        }
        return {
            "record": record_id.hex(),
            "type": row.type_name,
            "version": row.version,
            "status": row.status,
            "flags": list(row.flags),
            "under_review": self._in_review(row),
            "office": None if row.office is None else row.office.hex(),
            "registration_no": row.registration_number,
            "fields": shown,
            "encumbrances": [
                {"number": one.number, "kind": one.kind, "status": one.status}
                for one in row.encumbrances
            ],
        }

    async def history(self, call: Call) -> Reply:
        """Return the entries that wrote a record or are about it."""
        record_id = RecordId(id_of(call))
        row = self.access.record(record_id)
        entitled = self.access.may_read(call.asker, record_id)
        if row is None or not (entitled or self._is_public(row)):
            raise _unknown()
        first = query_number(call, "from", 0)
        limit = query_number(call, "limit", HISTORY_MAX)
        if not 1 <= limit <= HISTORY_MAX:
            raise MalformedRequestError(f"limit is not within 1 ... {HISTORY_MAX}")
        found: list[Json] = []
        for version, height, index in self.application.store.history(record_id):
            if version >= first and len(found) < limit:
                found.append(self._act(version, height, index, entitled=entitled))
                await asyncio.sleep(0)
        return json_reply({"record": record_id.hex(), "history": found})

    def _act(self, version: int, height: int, index: int, *, entitled: bool) -> Json:
        store = self.application.store
        entry, time_ms = store.entry(height, index), store.header(height).time_ms
        shown: dict[str, Json] = {
            "version": version,
            "height": height,
            "index": index,
            "time_ms": time_ms,
            "entry": entry.entry_digest.hex(),
            "kind": entry.head.kind,
            "under_review": is_under_review(self.access.state, entry.head, time_ms),
        }
        if entitled:
            shown["office"] = None if entry.head.office is None else entry.head.office.hex()
            shown["event_date"] = entry.head.event_date
            shown["legal_basis"] = list(entry.head.legal_basis)
            shown["signers"] = [signer.term for signer in entry.head.signers]
        return shown

    async def proof(self, call: Call) -> Reply:
        """Return the state of a record with its proof, to those entitled."""
        record_id = RecordId(id_of(call))
        if not self.access.may_read(call.asker, record_id):
            raise _unknown()
        return self._prove(record_key(record_id), call)

    def _prove(self, key: StateKey, call: Call) -> Reply:
        store = self.application.store
        proved = prove_state(store, key, query_number(call, "height", store.height))
        if not proved.height:
            raise NotFoundError("there is no block yet whose header could prove anything")
        certified = certified_header(store, proved.height)
        value: Value = (
            *(_VERSION, "state-proof", key, proved.stored, proved.proof.to_value()),
            *(certified.header.raw, store.quorum_certificate_raw(proved.height)),
        )
        return msgpack_reply(encode(value))

    async def body(self, call: Call) -> Reply:
        """Return the sealed body of the current version, to those entitled."""
        record_id = RecordId(id_of(call))
        row = self.reading.require_reader(call.asker, record_id)
        raw = None if row.seal is None else self.vault.body(row.seal.body_digest)
        if raw is None:
            raise NotFoundError("the record has no sealed body here")
        return msgpack_reply(raw)

    async def keys(self, call: Call) -> Reply:
        """Return the wraps of the data key that are for the asker's keys."""
        record_id = RecordId(id_of(call))
        row = self.reading.require_reader(call.asker, record_id)
        wraps = self._wraps_for(require_asker(call.asker), record_id, row)
        if not wraps:
            raise NotFoundError("this node keeps no wrapped key for the asker")
        listed = tuple([(wrap.recipient, wrap.purpose, wrap.wrapped) for wrap in wraps])
        return msgpack_reply(encode((_VERSION, listed)))

    def _wraps_for(self, asker: Asker, record_id: RecordId, row: RecordRow) -> list[Wrap]:
        """Return the wraps of a record version whose recipient is the asker, ascending."""
        if row.seal is None:
            return []
        digests = [row.seal.wraps_digest]
        added = self.access.state.read(wraps_key(record_id, row.version), WrapsRow)
        digests += [] if added is None else added.digests
        wraps: dict[tuple[bytes, str], Wrap] = {}
        for digest in digests:
            raw = self.vault.wraps(digest)
            for wrap in () if raw is None else parse_wraps(raw):
                wraps[wrap.recipient, wrap.purpose] = wrap
        own = self.access.keys_of_holder(asker)
        return [wraps[place] for place in sorted(wraps) if place[0] in own]

    async def certificate(self, call: Call) -> Reply:
        """Say whether a certificate is valid, replaced or revoked, since when, and nothing more."""
        certificate_id = ObjectId(id_of(call))
        row = self.access.state.read(certificate_key(certificate_id), CertificateRow)
        if row is None:
            raise NotFoundError("there is no certificate with this id")
        return json_reply(
            {
                "certificate": certificate_id.hex(),
                "status": row.status,
                "since_height": row.height,
                "signer_compromised": self._by_stolen_key(row),
                "as_of_height": self.application.tip_height,
            }
        )

    def _by_stolen_key(self, row: CertificateRow) -> bool | None:
        """Tell whether a stolen key signed a certificate, or the record that it is about.

        None: an entry that it takes is older than this node's history.
        """
        store = self.application.store
        place = store.locate(row.entry_digest)
        if place is None:
            return None if store.began.first_height > 1 else False
        head, time_ms = store.entry(*place).head, store.header(place[0]).time_ms
        if is_under_review(self.access.state, head, time_ms):
            return True
        record = None if head.about is None else self.access.record(head.about.record_id)
        return False if record is None else self._in_review(record)

    async def certificate_proof(self, call: Call) -> Reply:
        """Return the state of a certificate with its proof, or the proof that there is none."""
        return self._prove(certificate_key(ObjectId(id_of(call))), call)


def _whole(record_id: RecordId, row: RecordRow) -> dict[str, Json]:
    """Return all fields of a row by their names."""
    values = cast("tuple[Value, ...]", row.to_value())
    named: dict[str, Json] = {
        name: json_value(value) for name, value in zip(row.__match_args__, values, strict=True)
    }
    named["registration_no"] = named.pop("registration_number")
    named["type"] = named.pop("type_name")
    return {"record": record_id.hex(), **named}


def _unknown() -> NotFoundError:
    return NotFoundError(UNKNOWN_RECORD)
