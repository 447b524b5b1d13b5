"""Damage that no crash explains: refused with a code, named with its cure, repaired, caught up.

A network of four makes blocks; the victim is stopped, damaged, refused, repaired and started again.
After all of it the nodes are compared as after kills: nothing lost, nobody contradicted himself.
"""

import asyncio
import json
import shutil
from pathlib import Path

import aiohttp
import plyvel
import pytest
from click.testing import CliRunner

from cli.exit_codes import exit_code_of
from cli.languages import error_text
from cli.main import program
from node.signer import GuardFile
from tests.crash.rig import Rig

EXITS = frozenset({4, 10})
BLOCKS_AFTER = 4
"""Blocks that a repaired node sees and takes part in: it may vote again before the last one."""


def flip(path, at=None):
    """Change one bit of a file, in its middle."""
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 if at is None else at] ^= 0x10
    path.write_bytes(raw)


def make_tables(folder):
    """Have LevelDB put everything into tables, as it does by itself when there is more.

    Uncompressed, as a vault's are: there LevelDB itself sees no wrong bit without its checksums.
    """
    database = plyvel.DB(str(folder), compression=None)
    database.compact_range(start=b"", stop=b"\xff" * 33)
    database.close()


def tables(folder):
    return sorted(
        [*folder.glob("*.ldb"), *folder.glob("*.sst")], key=lambda one: one.stat().st_size
    )


def flip_wal(home, _other):
    flip(home / "data" / "wal", 30)  # in the first frame; in a last one it would be a torn end


def cut_guard(home, _other):
    path = home / "data" / "guard"
    path.write_bytes(path.read_bytes()[:-7])


def delete_table(home, _other):
    make_tables(home / "data" / "chain")
    tables(home / "data" / "chain")[-1].unlink()


def flip_table(home, _other):
    make_tables(home / "data" / "chain")
    flip(tables(home / "data" / "chain")[-1])


def lose_chain(home, _other):
    shutil.rmtree(home / "data" / "chain")


def delete_vault_table(home, _other):
    make_tables(home / "data" / "vault")
    tables(home / "data" / "vault")[-1].unlink()


def flip_vault_table(home, _other):
    make_tables(home / "data" / "vault")
    flip(tables(home / "data" / "vault")[-1], 16)  # small: its middle may be no row


def swap(name):
    def swap_files(home, other):
        ours, theirs = home / "data" / name, other / "data" / name
        kept = ours.read_bytes()
        ours.write_bytes(theirs.read_bytes())
        theirs.write_bytes(kept)

    return swap_files


SWAPPED_GUARDS = "swapped guards"
CHAIN = {"chain": "ledger.corrupt_store", "log": "ledger.corrupt_wal"}
"""Without its chain the log is ahead of it."""
DAMAGES = {
    "a bit of the log": (flip_wal, {"log": "ledger.corrupt_wal"}, True),
    "a cut guard": (cut_guard, {"guard": "node.guard_damaged"}, True),
    "a missing table of the chain": (delete_table, CHAIN, True),
    "a byte of a table of the chain": (flip_table, CHAIN, False),
    "no chain under a log": (lose_chain, {"log": "ledger.corrupt_wal"}, True),
    "a missing table of the vault": (delete_vault_table, {"vault": "ledger.corrupt_store"}, True),
    "a byte of a table of the vault": (flip_vault_table, {"vault": "ledger.corrupt_store"}, False),
    "swapped logs": (swap("wal"), {"log": "ledger.corrupt_wal"}, True),
    SWAPPED_GUARDS: (swap("guard"), {"guard": "node.guard_mismatch"}, True),
}
"""By name: what is done, which part is found damaged with which code, whether the start refuses."""


def ask(*words):
    """Run a command here; return its status and what it says, an object a line."""
    shown = CliRunner().invoke(program, [*map(str, words), "--json"])
    return shown.exit_code, [json.loads(line) for line in shown.stdout.splitlines()]


class Town:
    """The rig, with its nodes stopped and started one by one."""

    def __init__(self, rig, session):
        self.rig, self.session = rig, session

    async def commit(self, count):
        """Have some updates finalised, each in its turn."""
        for _update in range(count):
            await self.rig.owners[0].update(self.session)

    async def stop(self, *nodes):
        for node in nodes:
            self.rig.programs[node].terminate()
        for node in nodes:
            assert await asyncio.to_thread(self.rig.programs[node].wait) == 0

    async def refusal(self, node):
        """Start a damaged node, which does not stay; return the code that its log names."""
        program, _life, log = self.rig.start(node, "")
        assert await asyncio.to_thread(program.wait) in EXITS
        events = [json.loads(line) for line in log.read_text().splitlines()]
        refused = next(one for one in events if one["event"] == "refused")
        is_clear = refused["code"] != "node.guard_mismatch"  # which of two files is the wrong one
        assert refused["cure"] == ("civreg node repair" if is_clear else None)
        return refused["code"]

    async def votes_again(self, node):
        """Wait until a node has signed in a height that began after its start."""
        path = self.rig.homes[node] / "data" / "guard"
        before = GuardFile(path).read()
        while GuardFile(path).read() == before:
            await self.commit(1)


def repair(home, wanted):
    """See what a command finds, then let it repair; return where the damaged parts are kept."""
    status, (found,) = ask("node", "repair", home, "--dry-run")
    assert status == exit_code_of(found["damaged"][0]["code"])
    assert {one["part"]: one["code"] for one in found["damaged"]} == wanted
    status, done = ask("node", "repair", home, "--yes")
    assert (status, {one["part"] for one in done}) == (0, set(wanted))
    assert ask("node", "repair", home, "--yes") == (0, [{"damaged": []}])
    copies = {one["part"]: Path(one["copy"]) for one in done}
    assert all(path.exists() for path in copies.values())
    return copies


async def damage_and_repair(town, name):
    """One kind of damage, from the stop to the next vote."""
    rig, (do, wanted, is_refused) = town.rig, DAMAGES[name]
    victims = (2, 3) if name.startswith("swapped") else (3,)
    await town.commit(1)
    await town.stop(*victims)
    do(rig.homes[3], rig.homes[2])
    for victim in victims:
        if is_refused:
            assert await town.refusal(victim) in wanted.values()
    if name == SWAPPED_GUARDS:  # with both made up, two of four would be silent: the network stands
        kept = repair(rig.homes[3], wanted)
        shutil.copy(kept["guard"], rig.homes[2] / "data" / "guard")
    else:
        for victim in victims:
            repair(rig.homes[victim], wanted)
    for victim in victims:
        rig.start(victim, "")
    await town.commit(BLOCKS_AFTER)
    await rig.level(town.session)
    for victim in victims:
        await town.votes_again(victim)


async def run(folder, names):
    rig = Rig(folder, 1)  # nothing here is random
    try:
        async with asyncio.timeout(900), aiohttp.ClientSession() as session:
            for node in range(4):
                rig.start(node, "")
            await rig.register(session)
            town = Town(rig, session)
            for name in names:
                await damage_and_repair(town, name)
            await rig.level(session)
        rig.stop()
        rig.check()
    finally:
        rig.kill_all()


@pytest.mark.slow
@pytest.mark.asyncio
async def test_whatever_is_damaged_is_refused_repaired_and_caught_up(tmp_path):
    await run(tmp_path, list(DAMAGES))


@pytest.mark.parametrize("language", ["en", "vi"])
@pytest.mark.parametrize(
    "code", ["ledger.corrupt_store", "ledger.corrupt_wal", "node.guard_damaged"]
)
def test_the_hint_of_every_refusal_names_the_command_that_repairs(code, language):
    assert "civreg node repair" in error_text(language, code, {}).hint
