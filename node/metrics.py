"""Counters and gauges in the text format of Prometheus; numbers only, never anything personal.

Labels are names from the program (routes, codes, lanes) and agency ids, so their number is bounded.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import Final

LABELED_MAX: Final = 512
"""Values of one metric with different labels; more are counted together under `other`."""
FINALITY_SECONDS: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_Labels = tuple[tuple[str, str], ...]


class Metric:
    """A number for each combination of labels.

    Args:
        name: As Prometheus shows it.
        kind: `counter` or `gauge`.
        help_text: One line.
    """

    def __init__(self, name: str, kind: str, help_text: str) -> None:
        self.name = name
        self._kind = kind
        self._help = help_text
        self._values: dict[_Labels, float] = {}

    def add(self, amount: float, **labels: str) -> None:
        """Add to a counter."""
        place = self._place(labels)
        self._values[place] = self._values.get(place, 0) + amount

    def set(self, value: float, **labels: str) -> None:
        """Set a gauge, or a counter that is counted elsewhere."""
        self._values[self._place(labels)] = value

    def clear(self) -> None:
        """Forget all values, of a gauge whose labels come and go."""
        self._values.clear()

    def value(self, **labels: str) -> float:
        """Return a value, 0 if there is none."""
        return self._values.get(tuple(sorted(labels.items())), 0)

    def lines(self) -> Iterable[str]:
        """Yield the metric's text."""
        yield f"# HELP {self.name} {self._help}"
        yield f"# TYPE {self.name} {self._kind}"
        for labels, value in sorted(self._values.items()):
            yield f"{self.name}{_labels(labels)} {_number(value)}"

    def _place(self, labels: dict[str, str]) -> _Labels:
        place = tuple(sorted(labels.items()))
        if place in self._values or len(self._values) < LABELED_MAX:
            return place
        return tuple((name, "other") for name, _value in place)


class Histogram:
    """How many observations were up to each bound.

    Args:
        name: As Prometheus shows it.
        bounds: Ascending.
        help_text: One line.
    """

    def __init__(self, name: str, bounds: tuple[float, ...], help_text: str) -> None:
        self.name = name
        self._bounds = bounds
        self._help = help_text
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count an observation."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self) -> Iterable[str]:
        """Yield the histogram's text."""
        yield f"# HELP {self.name} {self._help}"
        yield f"# TYPE {self.name} histogram"
        total = 0
        for bound, count in zip((*self._bounds, "+Inf"), self._counts, strict=True):
            total += count
            yield f'{self.name}_bucket{{le="{bound}"}} {total}'
        yield f"{self.name}_sum {_number(self._sum)}"
        yield f"{self.name}_count {total}"


class ChainMetrics:
    """What the chain and the rounds do."""

    def __init__(self) -> None:
        super().__init__()
        self.committed = Metric("civreg_committed_total", "counter", "Entries in blocks.")
        self.height = Metric("civreg_height", "gauge", "Newest block.")
        self.round = Metric("civreg_round", "gauge", "Round in which the newest block was made.")
        self.rounds = Metric("civreg_rounds_total", "counter", "Rounds that made no block.")
        self.block_age = Metric("civreg_block_age_seconds", "gauge", "Age of the newest block.")
        self.consensus_round = Metric(
            "civreg_consensus_round", "gauge", "Round of the height in work, -1 while it waits."
        )
        self.consensus_age = Metric(
            "civreg_consensus_height_age_seconds",
            "gauge",
            "Since work on the present height began.",
        )
        self.vote_awaited = Metric(
            "civreg_vote_awaited",
            "gauge",
            "1 for each validator whose proposal or vote the present round waits for.",
        )
        self.missed = Metric(
            "civreg_missed_precommits_total", "counter", "Blocks certified without a validator."
        )
        self.evidence = Metric(
            "civreg_equivocations_total", "counter", "Equivocations seen, by validator."
        )
        self.syncing = Metric("civreg_syncing", "gauge", "1 while the node catches up.")
        self.finality = Histogram(
            "civreg_finality_seconds", FINALITY_SECONDS, "From admission here to the block."
        )


class EntryMetrics:
    """What clients ask for and what waits."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = Metric(
            "civreg_requests_total", "counter", "Requests of the public and the private listener."
        )
        self.admitted = Metric("civreg_admitted_total", "counter", "Entries taken into the pool.")
        self.refused = Metric("civreg_refused_total", "counter", "Entries refused, by code.")
        self.pool_entries = Metric("civreg_pool_entries", "gauge", "Entries that wait.")
        self.pool_bytes = Metric("civreg_pool_bytes", "gauge", "Bytes of entries that wait.")
        self.pool_used = Metric(
            "civreg_pool_used_ratio", "gauge", "The fuller of the pool's two limits, 0 to 1."
        )
        self.pool_largest = Metric(
            "civreg_pool_largest_signer_entries", "gauge", "Entries of the signer who has most."
        )
        self.queue_bytes = Metric(
            "civreg_verification_queue_bytes", "gauge", "Bytes that wait to be examined."
        )
        self.waiting = Metric("civreg_waiting_clients", "gauge", "Entries whose commit is awaited.")
        self.tags = Metric("civreg_tags_total", "counter", "Answers of the tag service.")
        self.tags_used = Metric(
            "civreg_tags_used_total", "counter", "Tags made here that came into the chain."
        )
        self.custodian = Metric("civreg_custodian_total", "counter", "Answers of the custodian.")


class PeerMetrics:
    """What is known of each peer."""

    def __init__(self) -> None:
        super().__init__()
        self.peers = Metric("civreg_peer_failures", "gauge", "Failed sends in a row, by peer.")
        self.peer_queue = Metric("civreg_peer_queue", "gauge", "Parcels that wait for a peer.")
        self.peer_dropped = Metric(
            "civreg_peer_dropped_total", "counter", "Parcels dropped because a peer was slow."
        )
        self.peer_height = Metric("civreg_peer_height", "gauge", "Newest block of a peer.")
        self.peer_heard = Metric(
            "civreg_peer_heard_age_seconds", "gauge", "Since a peer last said where it stands."
        )
        self.peer_clock = Metric(
            "civreg_peer_clock_offset_seconds", "gauge", "A peer's clock against ours."
        )
        self.peer_marks = Metric(
            "civreg_peer_marks_total", "counter", "Messages of a peer that no honest node sends."
        )
        self.peer_cut_off = Metric(
            "civreg_peer_cut_off", "gauge", "1 while a peer is cut off for misbehaving."
        )


class MachineMetrics:
    """How the machine does."""

    def __init__(self) -> None:
        super().__init__()
        self.disk_free = Metric("civreg_disk_free_bytes", "gauge", "Free space of the data folder.")
        self.log_bytes = Metric(
            "civreg_consensus_log_bytes", "gauge", "The write-ahead log of the present height."
        )
        self.memory = Metric("civreg_resident_memory_bytes", "gauge", "Memory of the process.")
        self.clock_skew = Metric(
            "civreg_clock_skew_seconds", "gauge", "Own clock ahead of the median of the peers'."
        )
        self.clock_error = Metric(
            "civreg_clock_skew_error_seconds", "gauge", "How far that measurement may be off."
        )
        self.certificate_expiry = Metric(
            "civreg_certificate_expiry_timestamp_seconds", "gauge", "When a watched file ends."
        )
        self.findings = Metric(
            "civreg_finding", "gauge", "1 for each finding of node status: code and level."
        )


class Metrics(ChainMetrics, EntryMetrics, PeerMetrics, MachineMetrics):
    """All metrics of a node; gauges are brought up to date by `refresh` before they are shown.

    `docs/operations.md` lists them; a test compares.
    """

    def __init__(self) -> None:
        super().__init__()
        self.refreshers: list[Callable[[], None]] = []

    def render(self) -> str:
        """Return the text that Prometheus reads."""
        for refresh in self.refreshers:
            refresh()
        parts = [part for part in vars(self).values() if isinstance(part, Metric | Histogram)]
        return "\n".join(line for part in parts for line in part.lines()) + "\n"


def _labels(labels: _Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
