"""Private files: nobody else reads them at any moment, and a fault leaves the old file or none."""

import errno
import os
import stat
from pathlib import Path

import pytest

from keys.private_files import append_private, create_private, write_private

WRITERS = [write_private, create_private, append_private]
_really_sync = os.fsync


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def _open_handed():
    """Let new files be readable by everybody, unless somebody says otherwise."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "secret"


@pytest.mark.parametrize("write", WRITERS)
def test_nobody_else_can_read_it_at_any_moment(write, file, monkeypatch):
    seen: list[int] = []

    def watch(descriptor):
        seen.extend(mode(path) for path in file.parent.iterdir())
        _really_sync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    write(file, b"content")
    assert file.read_bytes() == b"content"
    assert set(seen) == {0o600}
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("write", WRITERS)
def test_the_file_and_then_its_folder_are_on_the_disk(write, file, monkeypatch):
    kinds: list[int] = []

    def watch(descriptor):
        kinds.append(stat.S_IFMT(os.fstat(descriptor).st_mode))
        _really_sync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    write(file, b"content")
    assert kinds == [stat.S_IFREG, stat.S_IFDIR]


def test_new_bytes_take_the_place_of_a_file_that_others_could_read(file):
    file.write_bytes(b"longer than what comes")
    file.chmod(0o644)
    write_private(file, b"new")
    assert (file.read_bytes(), mode(file)) == (b"new", 0o600)


def test_what_exists_is_never_overwritten_by_a_new_file(file):
    file.write_bytes(b"old")
    with pytest.raises(FileExistsError):
        create_private(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(file.parent.iterdir()) == [file]


def test_lines_come_one_after_another(file):
    append_private(file, b"")
    assert (file.read_bytes(), mode(file)) == (b"", 0o600)
    append_private(file, b"one\n")
    append_private(file, b"two\n")
    assert file.read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize("fault", [KeyboardInterrupt, OSError(errno.ENOSPC, "full")])
@pytest.mark.parametrize(("owner", "name"), [(os, "fsync"), (Path, "replace")])
def test_a_fault_leaves_the_old_file_and_nothing_beside_it(file, monkeypatch, owner, name, fault):
    file.write_bytes(b"old")

    def failing(*_arguments):
        raise fault

    monkeypatch.setattr(owner, name, failing)
    with pytest.raises((KeyboardInterrupt, OSError)):
        write_private(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize(("number", "is_told"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_folder_that_cannot_be_synced_is_no_fault_and_a_broken_disk_is(
    file, monkeypatch, number, is_told
):
    def sync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", sync)
    if is_told:
        with pytest.raises(OSError, match=os.strerror(number)):
            write_private(file, b"new")
    else:
        write_private(file, b"new")
    assert file.read_bytes() == b"new"


def test_a_link_is_followed(file, tmp_path):
    file.write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to(file)
    write_private(link, b"new")
    assert link.is_symlink()
    assert file.read_bytes() == b"new"


def test_a_pipe_that_somebody_names_is_written_to_and_stays_one(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_private(pipe, b"content")
        assert os.read(reader, 100) == b"content"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_folder_is_not_made_and_not_replaced(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_private(tmp_path / "absent" / "file", b"content")
    with pytest.raises(IsADirectoryError):
        write_private(tmp_path, b"content")
