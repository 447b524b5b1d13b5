"""A network and timers that do what a test says, step by step."""

from collections import deque
from typing import Any

from ledger.ids import AgencyId


class InventedTimers:
    """Fires when told."""

    def __init__(self):
        self.pending: list[Any] = []

    def after(self, delay_ms, fire):
        self.pending.append((delay_ms, fire))

    def fire_all(self):
        due, self.pending = self.pending, []
        for _delay, fire in due:
            fire()


class InventedNetwork:
    """Remembers what was sent; answers questions from `served` when told."""

    def __init__(self, peers):
        self.peers = tuple(sorted(AgencyId(peer) for peer in peers))
        self.messages: list[bytes] = []
        self.bulk: list[tuple[str, bytes]] = []
        self.blamed: list[tuple[AgencyId, str]] = []
        self.questions: deque[Any] = deque()
        self.asked: list[tuple[AgencyId, str]] = []
        self.served: dict[tuple[AgencyId, str], Any] = {}

    def broadcast_messages(self, messages):
        self.messages += messages

    def broadcast_bulk(self, path, body):
        self.bulk.append((path, body))

    def ask(self, peer, question, answer):
        self.asked.append((peer, question.path))
        self.questions.append((peer, question, answer))

    def blame(self, peer, reason):
        self.blamed.append((peer, reason))

    def answer_all(self, rounds=1_000):
        """Answer what is asked, and what is asked because of that."""
        while self.questions and rounds:
            rounds -= 1
            peer, question, answer = self.questions.popleft()
            served = self.served.get((peer, question.path))
            answer(served(question.body) if callable(served) else served)
