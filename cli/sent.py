"""Acts that were sent and of which nobody knows yet whether they are registered.

    HOME/sent/ENTRY.draft        the whole signed draft, mode 0600, from before its first byte
                                 leaves until its fate is known

An entry is known by its digest, so `civreg draft submit` of that file is harmless however often it
is done, and tells what became of the act. Running the command again is not: it draws another
act id, and the same form would be registered twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.acting import Actor
from cli.carrying import is_undecided
from cli.errors import CancelledError, NoNetworkError, code_of
from cli.interrupts import ignore_interrupts
from cli.output import Context, at_home, note, suggested
from cli.packages import Package, Result, package_of, settled
from keys.hashing import Digest
from keys.private_files import write_private
from keys.signing import KeyId
from registry.drafts import Draft, print_draft

FOLDER: Final = "sent"
SUFFIX: Final = ".draft"
FOLDER_MODE: Final = 0o700


@dataclass(frozen=True, slots=True)
class Sent:
    """An act after it was sent.

    Attributes:
        package: What was sent.
        result: `committed`, `refused` for good, or `pending`: nobody knows yet.
        kept: The file that settles it, while it is pending.
        cause: Stable code of what kept the fate from being known, or None: no block in time.
    """

    package: Package
    result: Result
    kept: Path | None = None
    cause: str | None = None

    def settle_command(self, context: Context) -> str:
        """Return the command that tells what became of it."""
        assert self.kept is not None, "only what is pending is kept"
        return settle_command(context, self.kept)


def send_act(context: Context, actor: Actor, draft: Draft, asker: KeyId | None = None) -> Sent:
    """Have the custodian sign where one must, keep the signed act, and submit it.

    From the moment its first byte may leave, neither Ctrl-C nor a lost connection is an error: the
    act is pending then, and its file stays. Ctrl-C is ignored after this.

    Raises:
        KeyboardInterrupt: Before anything left.
        CivregError: Before anything left: a signature is missing, or the custodian refuses.
        OSError: The file cannot be written; nothing left.
    """
    signed = actor.countersign(draft, asker)
    package = package_of(signed)
    digest = package.entry.entry_digest
    kept = kept_file(context.home, digest)
    try:
        kept.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        write_private(kept, print_draft(signed))
        result = settled(actor.submit([package])[0])
        ignore_interrupts()
    except (KeyboardInterrupt, NoNetworkError) as error:
        ignore_interrupts()
        if not kept.exists():
            raise
        cause = CancelledError.code if isinstance(error, KeyboardInterrupt) else code_of(error)
        return Sent(package, Result(entry_digest=digest, status="pending"), kept, cause)
    if is_undecided(result):
        return Sent(package, Result(entry_digest=digest, status="pending"), kept, result.code)
    kept.unlink(missing_ok=True)
    return Sent(package, result)


def kept_file(home: Path, digest: Digest) -> Path:
    """Return the file that keeps an act while its fate is unknown."""
    return home / FOLDER / f"{digest.hex()}{SUFFIX}"


def unsettled(home: Path) -> list[Path]:
    """Return the files of all acts of a home whose fate is not known."""
    return sorted((home / FOLDER).glob(f"*{SUFFIX}"))


def settle_command(context: Context, kept: Path) -> str:
    """Return the command that settles a kept act, for this person's home."""
    return at_home(suggested("draft", "submit", kept), context)


def warn_of_unsettled(context: Context, but: Sequence[Digest] = ()) -> None:
    """Say on stderr, one line for each, which earlier acts may be registered or not.

    Args:
        context: Whose home it is; silent with `--json`, where results have `unsettled`.
        but: Entries that are being settled now.
    """
    for kept in unsettled(context.home):
        if kept.stem not in {digest.hex() for digest in but}:
            command = settle_command(context, kept)
            note(context.say("act.unsettled", entry=kept.stem, command=command), context)
