"""Clients beside the nodes: they write and read records, and note down what they see.

Two rivals write each record: both sign an update of the same version and submit it, to any node,
again and again, until one of the two is acknowledged and the other is refused after that. So each
round is a race that the network must decide once. Readers ask every node what a record is.
"""

import asyncio
import itertools
import random
import time
from dataclasses import dataclass, field

import aiohttp

from keys.hashing import sha256
from ledger.canonical import decode, encode
from ledger.fields import read_array
from ledger.ids import RecordId
from ledger.state_keys import read_stored_value
from node.request_auth import NONCE_BYTES, Request, sign_request
from registry.record_checks import companion_id
from registry.rows import RecordRow
from registry.state_key_names import record_key
from tests.chaos.history import Kind, Operation, Outcome
from tests.chaos.validators import NODES, PUBLIC_PORT, URL, Validators
from tests.node.public_town import submission
from tests.node.town_chain import SealedTown
from tests.registry.town import by, key

OFFICER = key("justice", "register", "auth")
"""Members read every row."""
TRY_S = 6
"""How long a client waits for one node before it asks another."""
PAUSE_S = 0.05
COMMITTED = frozenset({"committed", "registry.replayed"})
_NONCES = itertools.count()
Said = tuple[str, str]


@dataclass
class Owner:
    """Somebody whose record is written, and who has won how often."""

    name: str
    identity: RecordId
    writes: int = 0

    @property
    def record(self) -> RecordId:
        """The record that is written: the owner's contact."""
        return companion_id(self.identity)


@dataclass
class Race:
    """Two entries of which at most one can come after the same version."""

    winner: str | None = None


@dataclass
class Clients:
    """All clients of a network.

    Attributes:
        town: Signs; knows the state that each entry builds on.
        validators: Who is asked.
        dice: Chooses whom.
        owners: Whose records are written.
        history: What was seen so far.
    """

    town: SealedTown
    validators: Validators
    dice: random.Random
    owners: list[Owner]
    history: list[Operation] = field(default_factory=list)
    is_ending: bool = False

    async def register(self) -> None:
        """Submit what made the owners, and wait until it is registered."""
        entries = [entry for _height, _time_ms, made in self.town.blocks for entry in made]
        body = submission(*entries, bodies=self.town.bodies)
        while True:
            said = await self._submit(0, body)
            if all(status in COMMITTED for status, _code in said):
                return

    def acknowledging(self, since_ns: int) -> set[int]:
        """Return the nodes that have acknowledged a write that began since a moment."""
        return {
            one.node
            for one in reversed(self.history)
            if one.kind is Kind.WRITE and one.outcome is Outcome.OK and one.invoked_ns >= since_ns
        }

    async def work(self) -> None:
        """Write and read until `is_ending`; all that was begun is finished."""
        readers = [self._read_forever(node) for node in range(NODES)]
        await asyncio.gather(*readers, *[self._write_forever(owner) for owner in self.owners])

    async def _write_forever(self, owner: Owner) -> None:
        while not self.is_ending:
            race = Race()
            rivals = [self.town.contact(owner.identity, by("subject", owner.name)) for _ in "ab"]
            await asyncio.gather(*[self._write(owner, entry, race) for entry in rivals])
            (won,) = [entry for entry in rivals if entry.entry_digest.hex() == race.winner]
            self.town.accept(won)
            owner.writes += 1

    async def _write(self, owner: Owner, entry, race: Race) -> None:
        name, body = entry.entry_digest.hex(), submission(entry, bodies=self.town.bodies)
        invoked_ns, outcome, node = time.monotonic_ns(), Outcome.UNKNOWN, -1
        while outcome is Outcome.UNKNOWN:
            node = self.dice.randrange(NODES)
            lost = race.winner not in {None, name}
            ((status, code),) = await self._submit(node, body)
            if status in COMMITTED:
                outcome, race.winner = Outcome.OK, name
            elif status == "refused" and lost:
                assert code.startswith(("registry.", "node.")), code
                outcome = Outcome.FAIL
            else:
                await asyncio.sleep(PAUSE_S)
        self.history.append(
            Operation(
                client=owner.name,
                record=owner.record.hex(),
                kind=Kind.WRITE,
                value=name,
                node=node,
                invoked_ns=invoked_ns,
                returned_ns=time.monotonic_ns(),
                outcome=outcome,
            )
        )

    async def _submit(self, node: int, body: bytes) -> list[Said]:
        """Submit to a node; return status and code of each entry."""
        try:
            async with self.validators.session(node).post(
                f"{URL}/v1/entries?wait=commit",
                data=body,
                headers={"Content-Type": "application/msgpack"},
                timeout=aiohttp.ClientTimeout(total=TRY_S),
            ) as answer:
                said = await answer.json(content_type=None)
                retry = answer.status in {429, 503}
        except (aiohttp.ClientError, TimeoutError, OSError):
            return [("silence", "")]
        if "results" in said:
            return [(_status(one), one.get("code", "")) for one in said["results"]]
        if retry:
            return [("full", said["code"])]
        return [(said["code"] if said["code"] in COMMITTED else "refused", said["code"])]

    async def _read_forever(self, node: int) -> None:
        while not self.is_ending:
            owner = self.dice.choice(self.owners)
            invoked_ns = time.monotonic_ns()
            try:
                value = await self._read(node, owner.record)
            except (aiohttp.ClientError, TimeoutError, OSError):
                pass
            else:
                self.history.append(
                    Operation(
                        client=f"reader {node}",
                        record=owner.record.hex(),
                        kind=Kind.READ,
                        value=value,
                        node=node,
                        invoked_ns=invoked_ns,
                        returned_ns=time.monotonic_ns(),
                        outcome=Outcome.OK,
                    )
                )
            await asyncio.sleep(PAUSE_S)

    async def _read(self, node: int, record: RecordId) -> str | None:
        """Return the entry that wrote a record last, as a node knows it."""
        body = encode((1, (record_key(record),)))
        async with self.validators.session(node).post(
            f"{URL}/v1/state",
            data=body,
            headers={"Content-Type": "application/msgpack", **self._signed("/v1/state", body)},
            timeout=aiohttp.ClientTimeout(total=TRY_S),
        ) as answer:
            raw = await answer.read()
            if answer.status in {429, 503}:
                raise aiohttp.ClientError("later")
            assert answer.status == 200, raw
        _version, _height, values = read_array(decode(raw, len(raw)), "state answer", 3)
        (stored,) = read_array(values, "state values", 1)
        if stored is None:
            return None
        assert isinstance(stored, bytes)
        return RecordRow.from_value(read_stored_value(stored)[1]).last_entry.hex()

    def _signed(self, path: str, body: bytes) -> dict[str, str]:
        authority = f"127.0.0.1:{PUBLIC_PORT}"
        request = Request(method="POST", authority=authority, path=path, query="", body=body)
        nonce = sha256(b"%d" % next(_NONCES))[:NONCE_BYTES]
        now_s = time.time_ns() // 1_000_000_000
        return dict(sign_request(request, self.town.network_id, OFFICER, now_s, nonce))


def _status(result) -> str:
    """Return the status of one entry; a replay was committed before."""
    code = result.get("code", "")
    return code if code in COMMITTED else str(result["status"])


def make_owners(town: SealedTown, count: int) -> list[Owner]:
    """Let the town have people with keys."""
    names = [f"owner {number}" for number in range(count)]
    return [Owner(name, town.adult(name)) for name in names]


def chain_of(entries, owners) -> dict[str, list[str]]:
    """Return the writes of each owner's record in the order of the chain."""
    return {
        owner.record.hex(): [digest for digest, records in entries if owner.record in records]
        for owner in owners
    }
