"""Production log and guard on invented disks: what a new process reads, a power cut cannot undo."""

import random
from types import SimpleNamespace
from typing import Any

import pytest

from consensus.messages import VoteType, vote_message
from keys.signing import Purpose
from ledger.wal import WriteAheadLog
from node.signer import GuardedSigner, GuardFile, Place, SignedKind, create_guard
from node.startup import OLD_GUARD_DISTANCE, Guard, PeerAnswer, decide_permission
from node.storage import GUARD_FILE, SUPPOSED_FILE, is_guard_made_up, open_signer
from tests.sim.calls import InventedPath, invented_disks
from tests.sim.files import MOUNTED, Disk
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


def test_a_node_without_guard_that_stopped_before_it_signed_has_none_at_the_next_start(disk):
    config: Any = SimpleNamespace(data_folder=InventedPath("m"))
    keys: Any = {Purpose.CONSENSUS: InventedKey(network.public(0))}
    assert is_guard_made_up(config)
    open_signer(config, keys, {}, allow_missing_guard=True)
    disk.lose_power()
    again = open_signer(config, keys, {}, allow_missing_guard=False)
    assert again is not None
    guard = Guard(again.last, is_made_up=is_guard_made_up(config))
    tips = {one: PeerAnswer(7, {}) for one in network.members[1:]}
    members = network.genesis.validator_set
    permission = decide_permission(network.members[0], guard, tips, members, never)
    assert permission.from_height == 7 + OLD_GUARD_DISTANCE + 1


def test_a_guard_made_with_its_key_is_not_supposed(disk):
    config: Any = SimpleNamespace(data_folder=InventedPath("m"))
    keys: Any = {Purpose.CONSENSUS: InventedKey(network.public(0))}
    create_guard(path(GUARD_FILE), network.public(0).key_id)
    open_signer(config, keys, {}, allow_missing_guard=True)
    assert not is_guard_made_up(config)
    assert SUPPOSED_FILE not in disk.files


def never(_vote):
    raise AssertionError("no peer has seen a vote")
