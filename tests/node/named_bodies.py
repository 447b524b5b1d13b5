"""Blocks that are nothing but names of bodies, peers that serve these, and a log that is read."""

from types import SimpleNamespace
from typing import Any

from keys.hashing import domain, hash_with, sha256
from node.bodies import SEALED_PATH, Bodies, answer_question
from node.logs import SilentLog
from tests.node.invented_ports import InventedNetwork, InventedTimers
from tests.node.invented_world import AGENCIES

SIGNER = b"s" * 16
NOT_AFTER_MS = 1_000


class NotingLog(SilentLog):
    """Remembers warnings."""

    def __init__(self):
        self.noted: list[Any] = []

    def warning(self, event, **values):
        self.noted.append((event, values))

    def count(self, event):
        return sum(one == event for one, _values in self.noted)


def digest_of(body):
    return hash_with(domain("body"), body)


def entry_of(digests, signer=SIGNER, not_after_ms=NOT_AFTER_MS):
    head = SimpleNamespace(first_key_id=signer, not_after_ms=not_after_ms)
    records = [SimpleNamespace(seal=SimpleNamespace(body_digest=digest)) for digest in digests]
    return SimpleNamespace(head=head, records=[*records, SimpleNamespace(seal=None)])


def block_of(digests, height=1, name=b"block", **given) -> Any:
    """A block of one entry that names these bodies."""
    header = SimpleNamespace(height=height, digest=sha256(name))
    return SimpleNamespace(header=header, entries=[entry_of(digests, **given)])


def make(vault, served=(), log=None):
    network, timers = InventedNetwork(AGENCIES), InventedTimers()
    for peer, body in served:
        serve(network, peer, {digest_of(body): body})
    return Bodies(vault, network, timers, log or NotingLog()), network, timers


def serve(network, peer, bodies):
    network.served[peer, SEALED_PATH] = lambda question: answer_question(question, bodies.get)


def go_on(network, timers, turns=1):
    for _ in range(turns):
        timers.fire_all()
        network.answer_all()
