"""All that a Byzantine member may draw; a new behaviour is listed here."""

from tests.sim.behaviours import (
    Behaviour,
    Equivocation,
    FutureSpam,
    HiddenLock,
    Replay,
    Silence,
    YesMan,
)
from tests.sim.forgers import FalseAccusation, MadeUpPolka, RepeatedEntries
from tests.sim.liars import (
    EquivocatingProposal,
    FalseStatus,
    Garbage,
    InvalidBlocks,
    StaleCertificates,
    Twin,
    Withholding,
    WrongTimes,
)

ALL: tuple[type[Behaviour], ...] = (
    Equivocation,
    EquivocatingProposal,
    Silence,
    Withholding,
    InvalidBlocks,
    WrongTimes,
    StaleCertificates,
    FutureSpam,
    Replay,
    HiddenLock,
    YesMan,
    MadeUpPolka,
    FalseAccusation,
    RepeatedEntries,
    FalseStatus,
    Garbage,
    Twin,
)
