"""Last steps of the demonstration: equal state roots, a receipt checked offline, a replay."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from cli.client import MSGPACK, Call
from cli.demo_owner import wait_for_all
from cli.demo_scene import Scene
from cli.errors import InternalFaultError
from cli.network_file import GENESIS_FILE, TRUST_FILE
from ledger.export import ExportWriter
from ledger.store import ChainStore
from ledger.store_proofs import trust_bundle

RECEIPT_FILE: Final = "birth.receipt"
COPY_FOLDER: Final = "copy"
COMMAND_SECONDS: Final = 600
TRUST_VALID_MS: Final = 10 * 365 * 86_400_000


def compare_roots(scene: Scene) -> None:
    """Ask every node for its height and state root; they must agree.

    Raises:
        InternalFaultError: They do not.
    """
    wait_for_all(scene)
    answers = [_tip(scene, name) for name in scene.nodes.names]
    newest = set(answers)
    if len(newest) != 1:
        raise InternalFaultError(f"the nodes differ: {sorted(newest)}", kind="demonstration")
    ((height, root),) = newest
    scene.tally.roots_equal = True
    scene.tally.blocks = height
    scene.say("demo.roots", count=len(answers), height=height, root=root)


def _tip(scene: Scene, name: str) -> tuple[int, str]:
    """Return height and state root of a node, the root in hexadecimal."""
    call = Call(address=scene.nodes.address(name), path="/v1/status")
    found = scene.actor.client.send(call).json
    return int(found["height"]), str(found["state_root"])


def verify_a_receipt(scene: Scene) -> None:
    """Fetch the receipt of a birth as its office does, and check it with the network out of reach.

    Raises:
        InternalFaultError: It is not genuine.
    """
    digest = scene.births[0].entry.entry_digest.hex()
    call = Call(
        address=scene.nodes.address(scene.justice.agency),
        path=f"/v1/entries/{digest}/receipt",
        accept=MSGPACK,
        signer=scene.actor.auth_key(scene.justice.asker),
    )
    path = scene.folder / RECEIPT_FILE
    path.write_bytes(scene.actor.client.send(call).body)
    said = run_civreg("verify", path, "--trust", scene.folder / TRUST_FILE)
    word = str(said.get("word"))
    if said["exit"] != 0:
        raise InternalFaultError(f"the receipt is {word}", kind="demonstration")
    scene.tally.receipt_verified = True
    scene.say("demo.receipt", path=path, verdict=word)


def run_civreg(*words: str | Path) -> dict[str, object]:
    """Run a command in a process of its own; return its last JSON object with its exit status."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "cli.main", *map(str, words), "--json"],
        capture_output=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    lines = (done.stdout or done.stderr).decode().splitlines()
    said: dict[str, object] = json.loads(lines[-1]) if lines else {}
    return {**said, "exit": done.returncode}


def replay_a_copy(scene: Scene) -> None:
    """Copy the killed node's chain; the auditor applies every entry again from genesis on.

    Raises:
        InternalFaultError: A signature, link, certificate, rule or root does not hold.
    """
    copy = scene.folder / COPY_FOLDER
    scene.tally.entries = copy_chain(scene, copy)
    said = run_civreg(
        "audit", "replay", copy, "--trust", scene.folder / TRUST_FILE, "--second-opinion"
    )
    if said["exit"] != 0 or said.get("entries") != scene.tally.entries:
        raise InternalFaultError(f"the audit says {said}", kind="demonstration")
    scene.tally.audit = "ok"
    scene.say("demo.replayed", entries=scene.tally.entries, blocks=said["height"], path=copy)


def copy_chain(scene: Scene, copy: Path) -> int:
    """Write the chain of the stopped victim as an export folder; return its number of entries."""
    home = scene.nodes.home(scene.victim)
    shutil.rmtree(copy, ignore_errors=True)
    genesis_raw = (scene.folder / GENESIS_FILE).read_bytes()
    with (
        ChainStore.open(home / "data", read_only=True) as store,
        ExportWriter.open(copy, genesis_raw) as export,
    ):
        for height in range(1, store.height + 1):
            export.append(store.block_raw(height), store.quorum_certificate_raw(height))
        export.finish(trust_bundle(store, store.tip.time_ms + TRUST_VALID_MS))
        return store.tip.log.size
