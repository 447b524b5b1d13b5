"""Reading a LevelDB of which one bit on the disk is wrong: the truth, or an error."""

import plyvel
import pytest

from ledger.database_rows import get_row, scan_prefix, scan_rows
from ledger.errors import CorruptStoreError

ROWS = {b"%c/%03d" % (kind, one): bytes([one]) * 90 for kind in b"abc" for one in range(20)}
EVERY = 11
"""One byte of so many is damaged, and one bit of it."""


def in_one_table(path, compression):
    """Write the rows into a table of which nothing is in memory; return its file."""
    database = plyvel.DB(str(path), create_if_missing=True, compression=compression)
    for key, value in ROWS.items():
        database.put(key, value)
    database.compact_range(start=b"", stop=b"\xff")
    database.close()
    (table,) = path.glob("*.ldb")
    return table


def answers(database):
    """Return what every kind of reading gives, with an exception's class in place of a refusal."""
    kinds = {
        "get": lambda: [get_row(database, key) for key in ROWS],
        "absent": lambda: get_row(database, b"b/999"),
        "all": lambda: list(scan_rows(database)),
        "backwards": lambda: list(scan_rows(database, reverse=True)),
        "between": lambda: list(scan_rows(database, b"a/010", b"b/015")),
        "newest": lambda: next(scan_rows(database, b"a/", b"b/015", reverse=True)),
        "prefix": lambda: list(scan_prefix(database, b"b/")),
        "prefix backwards": lambda: list(scan_prefix(database, b"b/", reverse=True)),
    }
    found: dict[str, object] = {}
    for name, read in kinds.items():
        try:
            found[name] = read()
        except CorruptStoreError as error:
            found[name] = type(error)
    return found


def is_true(found, truth):
    return all(found[name] in (truth[name], CorruptStoreError) for name in truth)


@pytest.mark.parametrize("compression", [None, "snappy"])
def test_one_wrong_bit_in_a_table_gives_no_other_value_no_missing_row_and_no_short_list(
    tmp_path, compression
):
    table = in_one_table(tmp_path, compression)
    database = plyvel.DB(str(tmp_path), paranoid_checks=True)
    truth = answers(database)
    database.close()
    assert truth["get"] == list(ROWS.values())
    assert [len(truth[name]) for name in ("all", "between", "prefix")] == [60, 25, 20]
    raw, noticed = table.read_bytes(), 0
    for at in range(0, len(raw), EVERY):
        damaged = bytearray(raw)
        damaged[at] ^= 1 << at % 8
        table.write_bytes(damaged)
        try:
            database = plyvel.DB(str(tmp_path), paranoid_checks=True)
        except plyvel.Error:
            noticed += 1
            continue
        found = answers(database)
        database.close()
        assert is_true(found, truth), f"byte {at}"
        noticed += found != truth
    assert noticed * EVERY > len(raw) * 0.8, "most bytes of a table matter"


def test_without_the_checksums_a_wrong_bit_is_another_value(tmp_path):
    """The negative control: what `get_row` is for."""
    table = in_one_table(tmp_path, None)
    raw = bytearray(table.read_bytes())
    raw[raw.index(ROWS[b"a/007"]) + 3] ^= 1
    table.write_bytes(raw)
    database = plyvel.DB(str(tmp_path), paranoid_checks=True)
    unchecked = database.get(b"a/007")  # type: ignore[call-arg]  # what the types forbid
    assert unchecked not in (None, ROWS[b"a/007"])
    database.close()
    database = plyvel.DB(str(tmp_path), paranoid_checks=True)
    with pytest.raises(CorruptStoreError):
        get_row(database, b"a/007")
    database.close()


def test_a_prefix_ends_where_it_ends(tmp_path):
    database = plyvel.DB(str(tmp_path), create_if_missing=True)
    there = [b"", b"a", b"a\xff", b"a\xff\xff", b"a\xff\xff1", b"b", b"\xfe", b"\xff", b"\xff\xff"]
    for key in there:
        database.put(key, b"")
    for prefix in (*there, b"c"):
        keys = [key for key in there if key.startswith(prefix)]
        assert [key for key, _value in scan_prefix(database, prefix)] == keys
        assert [key for key, _value in scan_prefix(database, prefix, reverse=True)] == keys[::-1]
    database.close()
