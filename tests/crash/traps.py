"""Wraps what a node does to its disk, so that the process can end between any two steps.

`set_trap` is called in the child process, before the node starts, and replaces os.write, os.fsync,
os.ftruncate, os.replace, os.rename and LevelDB's batches by ones that say where the process stands.
At the n-th time that the named step is reached the process kills itself with SIGKILL: no flush, no
farewell, no Python. Production code knows nothing of it.

`watch_messages` copies every signed message that the node signs or takes in to a file that is
never begun anew, as a listening peer would.
"""

# mypy: disable-error-code="assignment,misc,method-assign,attr-defined"
# It is the business of this file to replace what others define.

import os
import signal
import threading
import time
from pathlib import Path

import plyvel

from ledger.canonical import encode
from ledger.snapshot_restore import Restoration
from ledger.store import ChainStore
from ledger.vault import Vault
from ledger.wal import WriteAheadLog
from node.signer import GuardedSigner
from tests.crash.steps import BY_NAME

KILLED_FILE = "killed-at"
WITNESS_FILE = "witness"
DURING_STEP_S = 0.000_03
"""How much later in a write of LevelDB each further kill during it comes."""

_write, _fsync, _ftruncate = os.write, os.fsync, os.ftruncate
_replace, _rename, _open_database = os.replace, os.rename, plyvel.DB
_VAULT_METHODS = {"stage_bodies": "stage", "keep_bodies": "keep", "put_bodies": "put"}


class Trap:
    """Counts how often a step is reached; ends the process at the n-th time."""

    def __init__(self, home, step, nth):
        assert step in BY_NAME, step
        assert nth >= 1
        self.step, self.nth = step, nth
        self._left = nth
        self._note = home / KILLED_FILE

    def is_due(self, step):
        """Count a step; tell whether it is the one."""
        if step == self.step:
            self._left -= 1
            return self._left == 0
        return False

    def reach(self, step):
        if self.is_due(step):
            self.kill()

    def kill(self):
        note = os.open(self._note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        _write(note, self.step.encode())
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)  # never comes back

    def kill_soon(self):
        """End the process while the calling thread is in the next call."""

        def wait_and_kill():
            time.sleep(DURING_STEP_S * self.nth)
            self.kill()

        threading.Thread(target=wait_and_kill, daemon=True).start()


class Disk:
    """What the process is doing, and the wrapped calls."""

    def __init__(self, trap):
        self._trap = trap
        self._at = threading.local()
        self._renamed = ""
        self.is_open = False
        self.is_new = False

    @property
    def label(self):
        """Which operation of a store this thread is in."""
        return getattr(self._at, "label", "")

    @label.setter
    def label(self, label):
        self._at.label = label

    # --- files ------------------------------------------------------------------------------------

    def place(self, path):
        """The beginning of a step's name, for a file's path; empty for what is no step."""
        name = path.name
        if name == "wal":
            return "wal" if self.is_open else "open.wal"
        if name == "wal.new":
            return "create.wal" if self.is_new else "restart"
        if name in {"guard", "guard.new"}:
            return "guard" if self.is_open else ""
        if name == "manifest.civreg":
            return "snapshot.manifest"
        return "snapshot.chunk" if name.endswith(".chunk") else ""

    def write(self, file, raw):
        place = self.place(path_of(file))
        if not place:
            return _write(file, raw)
        self._trap.reach(f"{place}.write.before")
        if self._trap.is_due(f"{place}.write.half"):
            _write(file, raw[: len(raw) // 2])
            self._trap.kill()
        written = _write(file, raw)
        self._trap.reach(f"{place}.write.after")
        return written

    def fsync(self, file):
        path = path_of(file)
        is_folder = path.is_dir()
        place = self._renamed if is_folder else self.place(path)
        if not is_folder and self.label == "heal":
            place, self.label = "", ""
            _fsync(file)
            self._trap.reach("heal.sync")
            return
        _fsync(file)
        if not self.is_open and is_folder:
            place = "open.wal"
        if place:
            self._trap.reach(f"{place}.{'folder' if is_folder else 'sync'}")
        if is_folder:
            self._renamed = ""

    def ftruncate(self, file, size):
        self._trap.reach("heal.before")
        _ftruncate(file, size)
        self._trap.reach("heal.cut")
        self.label = "heal"

    def replace(self, source, target, **given):
        _replace(source, target, **given)
        self._renamed = self.place(Path(source))
        if self._renamed:
            self._trap.reach(f"{self._renamed}.rename")

    def rename(self, source, target, **given):
        source_path = Path(source)
        is_restored = source_path.parent.name == "restoring"
        if is_restored:
            self._trap.reach("restore.rename.before")
        _rename(source, target, **given)
        if is_restored:
            self._trap.reach("restore.rename.after")
        if source_path.name.endswith(".part"):
            self._trap.reach("snapshot.rename")

    # --- stores -----------------------------------------------------------------------------------

    def within(self, method, label):
        """Wrap a method of a store, so that its batches have a name."""

        def wrapped(*given, **named):
            before, self.label = self.label, label
            try:
                return method(*given, **named)
            finally:
                self.label = before

        return wrapped

    def batch(self, batch):
        return Batch(batch, self.label, self._trap)

    def reach(self, step):
        self._trap.reach(step)


class Batch:
    """A batch of LevelDB, with a step before, within and after the write."""

    def __init__(self, batch, label, trap):
        self._batch, self._label, self._trap = batch, label, trap

    def __enter__(self):
        return self._batch.__enter__()

    def __exit__(self, *given):
        self._trap.reach(f"{self._label}.before")
        if self._trap.is_due(f"{self._label}.during"):
            self._trap.kill_soon()
        result = self._batch.__exit__(*given)
        self._trap.reach(f"{self._label}.after")
        return result


class Database:
    """A LevelDB database whose batches are steps."""

    def __init__(self, disk, *given, **named):
        self._disk = disk
        self._database = _open_database(*given, **named)

    def __getattr__(self, name):
        return getattr(self._database, name)

    def write_batch(self, **given):
        return self._disk.batch(self._database.write_batch(**given))


def path_of(file):
    """The path of an open file."""
    return Path(f"/proc/self/fd/{file}").readlink()


def set_trap(home, step, nth):
    """End this process when a step is reached for the n-th time."""
    disk = Disk(Trap(home, step, nth))
    os.write, os.fsync, os.ftruncate = disk.write, disk.fsync, disk.ftruncate
    os.replace, os.rename = disk.replace, disk.rename
    plyvel.DB = lambda *given, **named: Database(disk, *given, **named)
    _wrap_stores(disk)
    _wrap_log(disk)


def _wrap_stores(disk):
    for name, label in _VAULT_METHODS.items():
        setattr(Vault, name, disk.within(getattr(Vault, name), f"vault.{label}"))
    ChainStore.commit = disk.within(ChainStore.commit, "chain.commit")
    create = ChainStore.create.__func__
    ChainStore.create = classmethod(disk.within(create, "create.chain"))
    Restoration.take = disk.within(Restoration.take, "restore.rows")
    Restoration.finish = disk.within(Restoration.finish, "restore.finish")


def _wrap_log(disk):
    opened, restart = WriteAheadLog.open.__func__, WriteAheadLog.restart

    def open_log(cls, path):
        disk.is_new = not path.exists()
        log = opened(cls, path)
        disk.is_new, disk.is_open = False, True
        return log

    def restart_log(self, frames):
        disk.reach("restart.before")
        restart(self, frames)

    WriteAheadLog.open = classmethod(open_log)
    WriteAheadLog.restart = restart_log


def watch_messages(path):
    """Copy all that is signed and all that goes into the log to a file that only grows."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    append, restart, sign = WriteAheadLog.append, WriteAheadLog.restart, GuardedSigner.sign

    def keep(letter, raw):
        _write(file, len(raw).to_bytes(4) + letter + raw)

    def append_frame(self, frame):
        if frame[:1] == b"E":
            keep(b"E", frame[1:])
        append(self, frame)

    def restart_log(self, frames):
        kept = tuple(frames)
        for frame in kept:
            if frame[:1] == b"E":
                keep(b"E", frame[1:])
        restart(self, kept)

    def sign_place(self, place, message, by=None):
        signature = sign(self, place, message, by)
        keep(b"S", encode((place.height, place.round, int(place.kind), message)))
        return signature

    WriteAheadLog.append, WriteAheadLog.restart = append_frame, restart_log
    GuardedSigner.sign = sign_place
