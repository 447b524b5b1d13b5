"""Production log and guard on invented disks: what a new process reads, a power cut cannot undo."""

import random
from typing import Any

import pytest

from consensus.messages import VoteType, vote_message
from ledger.wal import WriteAheadLog
from node.signer import GuardedSigner, GuardFile, Place, SignedKind, create_guard
from tests.sim.files import MOUNTED, Disk, InventedPath, invented_disks
from tests.sim.power import Power, PowerLostError
from tests.sim.town import InventedKey, network_of

network = network_of(4)
MESSAGE = vote_message(network.genesis.network_id, VoteType.PREVOTE, 1, 0, None)


@pytest.fixture(params=range(8))
def disk(request):
    with invented_disks():
        MOUNTED["m"] = Disk(Power(random.Random(request.param)))
        yield MOUNTED["m"]


def path(name: str) -> Any:
    return InventedPath("m") / name


def stop_at_sync(disk, number, action):
    """Do something and stop the machine just before its n-th sync."""
    burn, syncs = disk.power.burn, []

    def stop(_power, operation):
        if operation == "fsync":
            syncs.append(operation)
        if len(syncs) == number:
            raise PowerLostError(operation)
        burn(operation)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Power, "burn", stop)
        with pytest.raises(PowerLostError):
            action()


def test_frames_that_a_new_process_reads_survive_a_power_cut(disk):
    log = WriteAheadLog.open(path("wal"))
    log.append(b"one")
    log.sync()
    log.append(b"two, written by a process that was killed before its sync")
    read = WriteAheadLog.open(path("wal")).frames
    disk.lose_power()
    assert WriteAheadLog.open(path("wal")).frames == read


def test_a_log_that_was_renamed_and_read_by_a_new_process_survives_a_power_cut(disk):
    log = WriteAheadLog.open(path("wal"))
    log.append(b"old")
    log.sync()
    stop_at_sync(disk, 2, lambda: log.restart([b"new"]))  # the folder's
    read = WriteAheadLog.open(path("wal")).frames
    assert read == (b"new",)
    disk.lose_power()
    assert WriteAheadLog.open(path("wal")).frames == read


def test_a_guard_that_a_new_process_reads_survives_a_power_cut(disk):
    key: Any = InventedKey(network.public(0))
    create_guard(path("guard"), key.public.key_id)
    signer = GuardedSigner(key, GuardFile(path("guard")))
    place = Place(1, 0, SignedKind.PREVOTE)
    stop_at_sync(disk, 2, lambda: signer.sign(place, MESSAGE))  # the folder's
    assert GuardedSigner(key, GuardFile(path("guard"))).last == place
    disk.lose_power()
    assert GuardedSigner(key, GuardFile(path("guard"))).last == place
