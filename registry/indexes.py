"""Indexes by which births are compared: by mother, by match tag; small, whoever fills them.

Source: records.md, sections 2.3 and 8.
"""

from typing import Final

from ledger.ids import RecordId
from ledger.state_keys import StateKey
from registry.claims import check_proof
from registry.content_errors import ClaimWrongError
from registry.possible_duplicates import counts
from registry.rows import IndexRow
from registry.running import NewRecord, Run
from registry.state_key_names import match_key
from registry.work_limits import check_work

INDEXED_MAX: Final = 256
"""Records under one key. Proposals that lapsed and records that ended are forgotten before that; so
nobody makes the registrations of one mother slow by declaring births for her."""


def add_to_index(run: Run, key: StateKey, record_id: RecordId, *, may_fill: bool = False) -> None:
    """Put a record under a key, once.

    Args:
        run: The entry.
        key: Of the index.
        record_id: The record.
        may_fill: Whether one more than there may be is left out, instead of refused.

    Raises:
        TooMuchWorkError: There are as many that count.
    """
    row = run.state.read(key, IndexRow) or IndexRow(())
    if record_id in row.record_ids:
        return
    others = row.record_ids
    if len(others) >= INDEXED_MAX:
        others = tuple([one for one in others if counts(run, one)])
        if may_fill and len(others) >= INDEXED_MAX:
            return
    check_work("indexed records", len(others) + 1, INDEXED_MAX)
    run.state.write(key, IndexRow(tuple(sorted((*others, record_id)))))


def take_from_index(run: Run, key: StateKey, record_id: RecordId) -> None:
    """Remove a record from under a key if it is there."""
    row = run.state.read(key, IndexRow)
    if row is not None and record_id in row.record_ids:
        left = tuple([one for one in row.record_ids if one != record_id])
        run.state.write(key, IndexRow(left))


def settle_matches(run: Run, record: NewRecord, namespace: str) -> None:
    """Index a record under its match tag of a namespace.

    What a mother's children are called is few people's; a name and a day of birth any number of
    people may share, and the first of them stand for all.

    Raises:
        ClaimWrongError: Not exactly one tag of the namespace.
        TagUnsignedError: The tag's proof is not valid.
        TooMuchWorkError: As many records as may be have the tag.
    """
    found = [match for match in record.part.matches if match.namespace == namespace]
    if len(found) != 1:
        raise ClaimWrongError("one match tag of this namespace is needed", namespace=namespace)
    match = found[0]
    check_proof(run, namespace, match.epoch, match.proof)
    key = match_key(namespace, match.epoch, match.tag)
    beside = next(one.link for one in record.record_type.match if one.namespace == namespace)
    may_fill = record.record_type.fields[beside].kind == "date"
    add_to_index(run, key, record.part.record_id, may_fill=may_fill)
