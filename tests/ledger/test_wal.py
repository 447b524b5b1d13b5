"""The write-ahead log: what was synced comes back, or the log refuses to open."""

import resource
import struct
import subprocess
import sys
import zlib
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import CorruptWalError, DiskRefusedError, LimitExceededError, StoreInUseError
from ledger.wal import FRAME_BYTES_MAX, MAGIC, WriteAheadLog, check_log, repair

HEAD_BYTES = 20
FRAMES = (b"first", b"", b"\x00" * 20, b"third, longer", b"x")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "consensus.wal"


def written(path, frames=FRAMES, *, sync_each=False):
    log = WriteAheadLog.open(path)
    for frame in frames:
        log.append(frame)
        if sync_each:
            log.sync()
    log.sync()
    log.close()
    return path.read_bytes()


def reopened(path):
    log = WriteAheadLog.open(path)
    log.close()
    return log


def ends(frames):
    """The offsets at which a log of these frames may end."""
    offsets = [len(MAGIC)]
    for frame in frames:
        offsets.append(offsets[-1] + HEAD_BYTES + len(frame))
    return offsets


def test_a_new_log_is_empty_and_begins_with_its_version(path):
    log = reopened(path)
    assert (log.frames, log.torn_bytes) == ((), 0)
    assert path.read_bytes() == MAGIC == b"civreg/wal/v2\x00\r\n"
    assert len(MAGIC) == 16
    assert path.stat().st_mode & 0o777 == 0o600


def test_frames_come_back_in_order_and_more_can_follow(path):
    written(path)
    assert reopened(path).frames == FRAMES
    written(path, (b"more",))
    assert reopened(path).frames == (*FRAMES, b"more")


def test_the_bytes_of_a_record_are_as_documented(path):
    raw = written(path, (b"vote",))
    head = "00000004" + "5a108564" + "0000000000000010"
    checked = zlib.crc32(bytes.fromhex(head)).to_bytes(4).hex()
    assert raw[len(MAGIC) :].hex() == head + checked + b"vote".hex()


@given(frames=st.lists(st.binary(max_size=50), max_size=8))
def test_any_frames_come_back(tmp_path_factory, frames):
    path = tmp_path_factory.mktemp("wal") / "log"
    written(path, frames)
    assert reopened(path).frames == tuple(frames)


def test_a_log_cut_anywhere_keeps_all_whole_frames_and_cuts_the_torn_one(path):
    raw = written(path)
    offsets = ends(FRAMES)
    for size in range(len(MAGIC), len(raw) + 1):
        path.write_bytes(raw[:size])
        log = reopened(path)
        whole = sum(offset <= size for offset in offsets) - 1
        assert log.frames == FRAMES[:whole]
        assert log.torn_bytes == size - offsets[whole]
        assert path.read_bytes() == raw[: offsets[whole]]


def test_a_torn_end_may_have_become_zeros(path):
    raw = written(path)
    for torn in (b"\x00" * 40, b"\x00" * 12, raw[16:30] + b"\x00" * 30):
        path.write_bytes(raw + torn)
        log = reopened(path)
        assert log.frames == FRAMES
        assert log.torn_bytes == len(torn)


@pytest.mark.parametrize("kept", range(HEAD_BYTES))
def test_a_head_of_which_only_a_part_came_through_before_zeros_is_a_torn_end(path, kept):
    whole = written(path, [b"first"])
    path.unlink()
    raw = written(path, [b"first", b"second"])
    path.write_bytes(raw[: len(whole) + kept] + bytes(40))
    log = WriteAheadLog.open(path)
    assert log.frames == (b"first",)
    assert log.torn_bytes == kept + 40
    log.close()


def test_a_flipped_bit_in_what_was_followed_by_another_sync_refuses_and_names_the_offset(path):
    """Never is a frame changed, left out or invented without a word."""
    raw = written(path, FRAMES, sync_each=True)
    offsets = ends(FRAMES)
    for at in range(len(raw)):
        for bit in range(8):
            bad = bytearray(raw)
            bad[at] ^= 1 << bit
            path.write_bytes(bad)
            if at >= offsets[-2]:  # nothing came after it: it may never have reached the disk
                assert reopened(path).frames == FRAMES[:-1]
                continue
            with pytest.raises(CorruptWalError) as caught:
                WriteAheadLog.open(path)
            record = max(offset for offset in (0, *offsets) if offset <= at)
            assert caught.value.details == {"offset": record if at >= len(MAGIC) else 0}
            assert path.read_bytes() == bad


@pytest.mark.parametrize("frames", [FRAMES, (b"alone",)])
def test_a_flipped_bit_anywhere_in_a_log_that_was_begun_anew_refuses(path, frames):
    """It was on the disk, all of it, before it had its name."""
    log = WriteAheadLog.open(path)
    log.restart(frames)
    log.close()
    raw = path.read_bytes()
    alone = range(len(MAGIC), len(MAGIC) + HEAD_BYTES) if len(frames) == 1 else range(0)
    for at in sorted(set(range(len(raw))) - set(alone)):  # nothing else could tell of a lone head
        bad = bytearray(raw)
        bad[at] ^= 16
        path.write_bytes(bad)
        with pytest.raises(CorruptWalError):
            WriteAheadLog.open(path)


def cut_off(path, batches, unsynced):
    """Write batches, each with a sync, and frames without one; return what is safe, and all."""
    with closing(WriteAheadLog.open(path)) as log:
        for batch in batches:
            for frame in batch:
                log.append(frame)
            log.sync()
        safe = path.stat().st_size
        for frame in unsynced:
            log.append(frame)
    return safe, bytearray(path.read_bytes())


def test_heads_that_a_peer_hides_in_a_frame_are_content(path):
    """Each claims eight mebibytes and a sync behind it; a crash tore the frame that holds them."""
    checked = struct.pack(">IIQ", FRAME_BYTES_MAX, 0, 100)
    hidden = (checked + zlib.crc32(checked).to_bytes(4)) * 40_000
    raw = written(path, [b"first", hidden])
    path.write_bytes(raw[:-1])
    log = reopened(path)
    assert log.frames == (b"first",)


BATCHES = st.lists(st.lists(st.binary(max_size=30), max_size=4), max_size=4)


@given(
    batches=BATCHES,
    unsynced=st.lists(st.binary(max_size=30), min_size=1, max_size=5),
    data=st.data(),
)
def test_whatever_pages_a_power_cut_loses_of_what_was_not_synced_the_log_opens(
    tmp_path_factory, batches, unsynced, data
):
    """Invariant: what was synced comes back, what was not as far as it is whole, without a word."""
    path = tmp_path_factory.mktemp("wal") / "wal"
    safe, raw = cut_off(path, batches, unsynced)
    del raw[data.draw(st.integers(safe, len(raw)), label="size") :]
    first = len(raw)
    for _hole in range(data.draw(st.integers(0, 3), label="holes")):
        begin = data.draw(st.integers(safe, len(raw)), label="begin")
        end = data.draw(st.integers(begin, len(raw)), label="end")
        if any(raw[begin:end]):
            first = min(first, begin + next(at for at, one in enumerate(raw[begin:end]) if one))
        raw[begin:end] = bytes(end - begin)
    path.write_bytes(raw)
    kept = [frame for batch in batches for frame in batch]
    offsets = ends([*kept, *unsynced])
    whole = sum(offset <= first for offset in offsets) - 1
    with closing(WriteAheadLog.open(path)) as log:
        assert log.frames == (*kept, *unsynced)[:whole]
        log.append(b"after")
        log.sync()
    assert reopened(path).frames == (*[*kept, *unsynced][:whole], b"after")


@given(batches=BATCHES, later=st.binary(max_size=9), data=st.data())
def test_a_hole_in_what_was_followed_by_another_sync_refuses(
    tmp_path_factory, batches, later, data
):
    path = tmp_path_factory.mktemp("wal") / "wal"
    safe, raw = cut_off(path, batches, [later])
    begin = data.draw(st.integers(0, safe - 1), label="begin")
    end = data.draw(st.integers(begin + 1, safe), label="end")
    was_there = any(raw[begin:end])
    raw[begin:end] = bytes(end - begin)
    path.write_bytes(raw)
    if was_there:
        with pytest.raises(CorruptWalError):
            WriteAheadLog.open(path)


def test_repair_cuts_at_the_damage_and_keeps_a_copy(path):
    raw = written(path)
    offsets = ends(FRAMES)
    for index in range(len(FRAMES) - 1):
        bad = bytearray(raw)
        bad[offsets[index] + 5] ^= 1
        path.write_bytes(bad)
        report = repair(path)
        assert (report.frames, report.cut_at) == (index, offsets[index])
        assert report.cut_bytes == len(raw) - offsets[index]
        assert report.copy is not None
        assert report.copy.name == f"consensus.wal.damaged-{index + 1}"
        assert report.copy.read_bytes() == bad
        assert reopened(path).frames == FRAMES[:index]


def test_repair_leaves_a_whole_log_alone(path):
    raw = written(path)
    report = repair(path)
    assert (report.frames, report.cut_bytes, report.copy) == (len(FRAMES), 0, None)
    assert path.read_bytes() == raw


def test_repair_of_something_else_leaves_an_empty_log_and_a_copy(path):
    path.write_bytes(b"not a log")
    with pytest.raises(CorruptWalError):
        WriteAheadLog.open(path)
    report = repair(path)
    assert report.copy is not None
    assert report.copy.read_bytes() == b"not a log"
    assert reopened(path).frames == ()


def test_repair_needs_a_file(path):
    with pytest.raises(DiskRefusedError):
        repair(path)


def test_a_head_that_claims_too_long_a_frame_is_not_read(path):
    head = struct.pack(">IIQ", FRAME_BYTES_MAX + 1, 0, 0)
    path.write_bytes(MAGIC + head + zlib.crc32(head).to_bytes(4))
    log = reopened(path)
    assert (log.frames, log.torn_bytes) == ((), HEAD_BYTES)


def test_a_frame_may_have_eight_mebibytes_and_no_more(path):
    log = WriteAheadLog.open(path)
    log.append(b"x" * FRAME_BYTES_MAX)
    for write in (log.append, lambda frame: log.restart([frame])):
        with pytest.raises(LimitExceededError):
            write(b"x" * (FRAME_BYTES_MAX + 1))
    log.append(b"after")
    log.close()
    assert reopened(path).frames == (b"x" * FRAME_BYTES_MAX, b"after")


def test_a_restart_replaces_the_log_and_appending_goes_on(path):
    log = WriteAheadLog.open(path)
    log.append(b"old")
    log.restart([b"kept"])
    assert log.frames == (b"kept",)
    log.append(b"new")
    log.sync()
    log.close()
    assert reopened(path).frames == (b"kept", b"new")
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "consensus.wal",
        "consensus.wal.lock",
    ]


def test_what_a_crash_left_of_a_restart_is_in_nobodys_way(path):
    written(path)
    path.with_name("consensus.wal.new").write_bytes(MAGIC + b"half")
    log = WriteAheadLog.open(path)
    assert log.frames == FRAMES
    log.restart([b"kept"])
    log.close()
    assert reopened(path).frames == (b"kept",)


def test_one_opener_at_a_time(path):
    log = WriteAheadLog.open(path)
    with pytest.raises(StoreInUseError):
        WriteAheadLog.open(path)
    with pytest.raises(StoreInUseError):
        repair(path)
    log.restart([b"kept"])
    code = (
        "import sys, pathlib, ledger.wal as w\n"
        "try: w.WriteAheadLog.open(pathlib.Path(sys.argv[1]))\n"
        "except w.StoreInUseError: print('in use')\n"
    )
    other = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert other.stdout == "in use\n"
    log.close()
    log.close()
    assert reopened(path).frames == (b"kept",)


def test_a_closed_log_takes_nothing(path):
    log = WriteAheadLog.open(path)
    log.close()
    for use in (lambda: log.append(b"x"), log.sync, lambda: log.restart([])):
        with pytest.raises(DiskRefusedError):
            use()


def test_a_log_in_a_folder_that_is_not_there_cannot_be_opened(tmp_path):
    with pytest.raises(DiskRefusedError):
        WriteAheadLog.open(tmp_path / "absent" / "log")


@pytest.fixture
def full_disk():
    """Let no file of this process grow over a size: the kernel then cuts a write short."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_after_half_a_frame_the_log_takes_nothing_more_and_the_half_is_never_read(path, full_disk):
    log = WriteAheadLog.open(path)
    log.append(b"whole")
    log.sync()
    full_disk(path.stat().st_size + 20)
    with pytest.raises(DiskRefusedError):
        log.append(b"y" * 100)
    full_disk(resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    for use in (lambda: log.append(b"z"), log.sync, lambda: log.restart([])):
        with pytest.raises(DiskRefusedError):
            use()
    log.close()
    log = reopened(path)
    assert log.frames == (b"whole",)
    assert log.torn_bytes == 20


def test_a_restart_on_a_full_disk_leaves_the_old_log(path, full_disk):
    log = WriteAheadLog.open(path)
    log.append(b"whole")
    log.sync()
    full_disk(40)
    with pytest.raises(DiskRefusedError):
        log.restart([b"y" * 100])
    log.close()
    full_disk(resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    assert reopened(path).frames == (b"whole",)


def test_a_failed_sync_is_not_tried_again(path, monkeypatch):
    """After a failed fsync the kernel may have dropped the pages: a second one would say yes."""
    log = WriteAheadLog.open(path)
    log.append(b"frame")

    def fail(_file):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fail)
        with pytest.raises(DiskRefusedError):
            log.sync()
    with pytest.raises(DiskRefusedError):
        log.sync()
    log.close()


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_log_is_found_damaged_exactly_when_it_cannot_be_opened(tmp_path_factory, at, mask):
    """Invariant: `check_log` refuses what `open` refuses, and leaves the file as it is."""
    path = tmp_path_factory.mktemp("wal") / "wal"
    written(path)
    raw = bytearray(path.read_bytes())
    raw[at % len(raw)] ^= mask
    path.write_bytes(raw)
    refusals: list[int | str | None] = []
    for look in (check_log, lambda one: WriteAheadLog.open(one).close()):
        try:
            look(path)
            refusals.append(None)
        except CorruptWalError as error:
            refusals.append(error.details["offset"])
        if look is check_log:
            assert path.read_bytes() == raw
    assert refusals[0] == refusals[1]


def test_a_log_that_is_not_there_cannot_be_checked(path):
    with pytest.raises(DiskRefusedError):
        check_log(path)
