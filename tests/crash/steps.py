"""Every step on disk at which a node is killed, in the order in which the program takes them.

A step is named `<file>.<call>.<moment>`. The traps of `tests.crash.traps` know where each is; the
table in docs/crash-safety.md is written from this list.
"""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """How a node is brought to a step."""

    RUNNING = "any node under load"
    OPENING = "any start"
    TORN = "a start after half a frame was written"
    WIPED = "a start without chain, vault and log, with keys and guard"
    RESTORING = "`node snapshot restore`"


@dataclass(frozen=True, slots=True)
class Step:
    """A moment on disk.

    Attributes:
        name: What CIVREG_CRASH_AT calls it.
        kind: When it comes.
        what: What has happened and what has not, for the table.
    """

    name: str
    kind: Kind
    what: str


def _steps(kind: Kind, *rows: tuple[str, str]) -> tuple[Step, ...]:
    return tuple([Step(name, kind, what) for name, what in rows])


STEPS = (
    *_steps(
        Kind.OPENING,
        ("open.wal.sync", "the log was read and synced, nothing was replayed"),
        ("open.wal.folder", "and its folder was synced"),
    ),
    *_steps(
        Kind.TORN,
        ("heal.before", "half a frame stands at the end of the log, not yet cut off"),
        ("heal.cut", "it is cut off, not synced"),
        ("heal.sync", "it is cut off and synced, nothing was replayed"),
    ),
    *_steps(
        Kind.RUNNING,
        ("guard.write.before", "a vote is signed in memory only"),
        ("guard.write.half", "half of the new guard is written beside the old one"),
        ("guard.write.after", "the new guard is written, not synced"),
        ("guard.sync", "and synced, not in its place"),
        ("guard.rename", "and in its place, its folder not synced"),
        ("guard.folder", "the guard is durable; the signature was not handed over"),
        ("wal.write.before", "inputs came in, nothing of the first is in the log"),
        ("wal.write.half", "half a frame is in the log"),
        ("wal.write.after", "a frame is in the log, not synced"),
        ("wal.sync", "the log is synced; no effect was carried out, nothing was sent"),
        ("vault.stage.before", "bodies of an entry were examined, none is written"),
        ("vault.stage.during", "while LevelDB writes them"),
        ("vault.stage.after", "they are written; the client has no answer, the pool no entry"),
        ("chain.commit.before", "a block is decided and executed, nothing of it is written"),
        ("chain.commit.during", "while LevelDB writes it"),
        ("chain.commit.after", "the block is written; bodies, pool and log know nothing of it"),
        ("vault.keep.before", "the block is written, its bodies are staged"),
        ("vault.keep.during", "while LevelDB writes that they are kept"),
        ("vault.keep.after", "the bodies are kept; the log is that of the height before"),
        ("restart.before", "the next height begins; the log is that of the height before"),
        ("restart.write.half", "half of the new log is written beside the old one"),
        ("restart.write.after", "the new log is written, not synced"),
        ("restart.sync", "and synced, not in its place"),
        ("restart.rename", "and in its place, its folder not synced"),
        ("restart.folder", "the new log is durable; the old one is still open"),
        ("snapshot.chunk.sync", "a chunk of a snapshot for others is written"),
        ("snapshot.manifest.sync", "its manifest is written, under another name"),
        ("snapshot.rename", "the snapshot has its name, the folder is not synced"),
    ),
    *_steps(
        Kind.WIPED,
        ("create.chain.before", "the folder of the new store is there, LevelDB is empty"),
        ("create.chain.during", "while LevelDB writes genesis"),
        ("create.chain.after", "genesis is written; neither vault nor log is there"),
        ("create.wal.write.half", "half of the first log is written beside its place"),
        ("create.wal.sync", "it is written and synced, not in its place"),
        ("create.wal.rename", "it is in its place, the folder not synced"),
        ("vault.put.before", "bodies of old blocks came from others, none is written"),
        ("vault.put.during", "while LevelDB writes them"),
        ("vault.put.after", "they are written"),
    ),
    *_steps(
        Kind.RESTORING,
        ("restore.rows.before", "the snapshot's manifest is checked, no row is written"),
        ("restore.rows.after", "some rows are written"),
        ("restore.finish.during", "while LevelDB writes the row without which no store opens"),
        ("restore.finish.after", "the store is complete, beside its place"),
        ("restore.rename.before", "and synced"),
        ("restore.rename.after", "it is in its place, the folder not synced"),
    ),
)

BY_NAME = {step.name: step for step in STEPS}


def of_kind(*kinds: Kind) -> list[str]:
    """The names of the steps that come at such a time."""
    return [step.name for step in STEPS if step.kind in kinds]
