"""A chain of the town with real entries, signatures and certificates, made without consensus."""

from pathlib import Path

from node.application import Application, Turn
from tests.node.town_chain import certificate, make_application
from tests.registry.town import Town


def grow_chain(
    folder: Path, town: Town, heights: int, people: int, first_ms: int = 0
) -> Application:
    """Return an application of so many blocks; the entries of new people are spread over them."""
    application = make_application(folder, town)
    for number in range(people):
        town.adult(f"person {number}")
    entries = [entry for _height, _time_ms, made in town.blocks for entry in made]
    for height in range(1, heights + 1):
        time_ms = max(application.tip_time_ms, first_ms) + 1_000
        turn = Turn(round=0, proposer=height % 4, time_ms=time_ms)
        draft = application.begin_draft()
        share = entries[len(entries) * (height - 1) // heights : len(entries) * height // heights]
        for entry in share:
            verified = application.verified(draft.state, application.entries.parse(entry.raw))
            application.try_entry(draft, verified, turn.time_ms)
        block = application.finish_draft(draft, turn)
        application.commit(block, certificate(town, height, block.header.digest))
    return application
