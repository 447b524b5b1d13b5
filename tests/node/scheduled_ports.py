"""Clock, timers and a network of peers that serve blocks, each in its own time and manner."""

import heapq
from typing import Any

from ledger.canonical import decode, encode
from ledger.errors import InvalidDataError
from node.sync_wire import BLOCKS_PATH


class ScheduledPorts:
    """All ports in one: time passes from event to event, and only then.

    Args:
        manners: What a peer answers when asked for `count` blocks from `first` on: a function of
            both that returns bytes or None; None for a manner: it never answers.
        delays: Milliseconds that a peer takes to answer; 5 by default.
    """

    def __init__(self, manners, delays=None, start_ms=0):
        self.time_ms = start_ms
        self.peers = tuple(sorted(manners))
        self.manners = dict(manners)
        self.delays = dict.fromkeys(manners, 5) | (delays or {})
        self.blamed: list[object] = []
        self.messages: list[bytes] = []
        self.asked: list[tuple[object, int, int]] = []
        self.open = dict.fromkeys(manners, 0)
        self.open_max = dict.fromkeys(manners, 0)
        self.together_max = 0
        self._due: list[Any] = []
        self._count = 0

    def now_ms(self):
        return self.time_ms

    def monotonic_ms(self):
        return self.time_ms

    def after(self, delay_ms, fire):
        self._count += 1
        heapq.heappush(self._due, (self.time_ms + delay_ms, self._count, fire))

    def blame(self, peer, _reason):
        self.blamed.append(peer)

    def broadcast_messages(self, messages):
        self.messages += messages

    def broadcast_bulk(self, _path, _body):
        pass

    def ask(self, peer, question, answer):
        if not question.path.startswith(BLOCKS_PATH):
            self.after(self.delays[peer], lambda: answer(None))
            return
        first, *counts = map(int, question.path.removeprefix(BLOCKS_PATH).split("/"))
        count = counts[0] if counts else 1
        self.asked.append((peer, first, count))
        self.open[peer] += 1
        self.open_max[peer] = max(self.open_max[peer], self.open[peer])
        self.together_max = max(self.together_max, sum(self.open.values()))
        manner = self.manners[peer]
        if manner is None:
            return

        def reply():
            self.open[peer] -= 1
            raw = manner(first, count)
            answer(raw if counts else first_of(raw))

        self.after(self.delays[peer], reply)

    def run(self, until_ms):
        """Let time pass up to a moment."""
        while self._due and self._due[0][0] <= until_ms:
            self.time_ms, _count, fire = heapq.heappop(self._due)
            fire()

    def run_until(self, is_there, within_ms=60_000):
        """Let time pass until something holds, or fail."""
        end_ms = self.time_ms + within_ms
        while not is_there():
            assert self._due, "nothing happens any more"
            assert self._due[0][0] <= end_ms, "it was not reached in time"
            self.time_ms, _count, fire = heapq.heappop(self._due)
            fire()


def first_of(raw):
    """The first block of a range, as it is served alone; garbage stays what it is."""
    try:
        value: Any = None if raw is None else decode(raw, len(raw))
    except InvalidDataError:
        return raw
    return encode(value[0]) if value else raw
