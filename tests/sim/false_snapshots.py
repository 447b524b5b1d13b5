"""A Byzantine member that gives out false snapshots: torn, swapped, or made up from end to end."""

from dataclasses import replace
from typing import TYPE_CHECKING

from keys.hashing import Digest
from ledger.canonical import encode
from ledger.ids import AgencyId
from ledger.snapshot import ChunkKind, Manifest, chunked, parse_manifest, parse_state_chunk
from node.snapshots import CHUNKS_PATH, SNAPSHOTS_PATH, digest_of, parse_listing
from tests.sim.behaviours import Behaviour
from tests.sim.network import Payload

if TYPE_CHECKING:
    from tests.sim.machine import Machine

HONEST_SHARE = 0.3
PATIENT_SHARE = 0.5
WHOLE = 1 << 30


class FalseSnapshots(Behaviour):
    """Answers who fetches a snapshot with bytes that are none.

    A made-up one passes every check but the last: its manifest is by the rules, its chunks are
    those of the manifest, and two rows of the state have each other's values. Some liars are
    patient: they spoil nothing else of it, or it would hardly ever be found out by its root alone.
    """

    name = "false snapshot"

    def __init__(self, machine: "Machine") -> None:
        super().__init__(machine)
        self._manifests: dict[Digest, bytes] = {}
        self._heights: dict[Digest, int] = {}
        self._chunks: dict[Digest, bytes] = {}
        self._is_patient = False

    def outgoing(self, to: AgencyId, payload: Payload) -> list[Payload]:
        path = payload.path
        if payload.kind != "answer" or not path.startswith((SNAPSHOTS_PATH, CHUNKS_PATH)):
            return super().outgoing(to, payload)
        if path == SNAPSHOTS_PATH:
            return [replace(payload, parts=(self._listing(payload.parts),))]
        known = self._chunks if path.startswith(CHUNKS_PATH) else self._manifests
        made_up = known.get(digest_of(path.rpartition("/")[2]) or Digest(b""))
        if made_up is not None:
            self.acted()
            return [replace(payload, parts=(made_up,))]
        if not payload.parts or self._is_patient or self.dice.random() < HONEST_SHARE:
            return [payload]
        self.acted()
        return [replace(payload, parts=(self._wrong(payload.parts[0]),))]

    def _wrong(self, raw: bytes) -> bytes:
        """Return other bytes: one changed, some missing, or those of a chunk made up."""
        at = self.dice.randrange(len(raw))
        changed = raw[:at] + bytes((raw[at] ^ 1,)) + raw[at + 1 :]
        return self.dice.choice((changed, raw[:at], *self._chunks.values()))

    def _listing(self, parts: tuple[bytes, ...]) -> bytes:
        """Return a list with what was made up and instead of what is real."""
        listed = parse_listing(parts[0]) if parts else ()
        for height, snapshot_id in listed[:1]:
            if height not in self._heights.values():
                self._make_up(snapshot_id)
        made_up = sorted(((height, one) for one, height in self._heights.items()), reverse=True)
        if made_up and self.dice.random() >= HONEST_SHARE:
            self.acted()
            return encode(tuple(made_up[:1]))
        return encode((*made_up[:1], *listed))

    def _make_up(self, snapshot_id: Digest) -> None:
        """Make a snapshot of another state out of a real one."""
        process = self.machine.process
        raw = None if process is None else process.shelf.manifest(snapshot_id)
        if process is None or raw is None:
            return
        real = parse_manifest(raw)
        first = real.content.chunks[0]
        chunk = process.shelf.chunk(first.digest)
        if first.kind is not ChunkKind.STATE or chunk is None:
            return
        rows = parse_state_chunk(chunk)
        at = next(one for one in range(1, len(rows)) if rows[one][1] != rows[0][1])
        rows[0], rows[at] = (rows[0][0], rows[at][1]), (rows[at][0], rows[0][1])
        ((info, made_up),) = chunked(ChunkKind.STATE, rows, WHOLE)
        content = replace(real.content, chunks=(info, *real.content.chunks[1:]))
        self._chunks[info.digest] = made_up
        false = Manifest(content, real.trust, real.certificates)
        self._is_patient = self.dice.random() < PATIENT_SHARE
        self._manifests[content.snapshot_id] = false.to_bytes()
        self._heights[content.snapshot_id] = content.height
