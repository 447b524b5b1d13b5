"""What the ledger would say of a draft now, told to whoever writes, reads or signs it.

A signature on what the rules refuse is lost work, and a record may have moved on since the draft
was written. So the rules are tried where a node answers; where none does, that is said.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

from cli.details import details_in
from cli.errors import KeyNeededError, NoNetworkError, RemoteRefusalError
from cli.languages import error_text
from cli.network_view import NetworkView
from cli.output import Context
from cli.trying import try_entry
from keys.errors import CivregError, KeyFileError, WrongPassphraseError
from ledger.ids import RecordId
from registry.drafts import Draft
from registry.errors import RuleError
from registry.explain_words import term_words
from registry.problems import in_language

_NO_NODE: Final = "no_node"
_NO_KEY: Final = "no_key"
_HIDDEN: Final = "hidden"


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of trying a draft.

    Attributes:
        word: Whether the rules would accept it, refuse it, or were not tried.
        reason: Why they were not tried; empty where they were.
        error: Why they would refuse it, or None.
    """

    word: Literal["accepted", "refused", "untried"]
    reason: str = ""
    error: CivregError | None = None

    @property
    def is_refused(self) -> bool:
        """Whether the ledger would refuse the draft as it stands."""
        return self.error is not None

    def told(self, context: Context) -> list[str]:
        """Return what is said to people."""
        if self.error is None:
            return [context.say(f"draft.trial.{self.reason or self.word}")]
        details = details_in(context.lang, self.error.details)
        words = error_text(context.lang, self.error.code, details)
        sentence = f"{words.sentence} [{self.error.code}]"
        return [context.say("draft.trial.refused", sentence=sentence), f"  {words.hint}"]

    def shown(self) -> dict[str, object]:
        """Return what is said to programs."""
        if self.error is not None:
            details = {"code": self.error.code, "details": self.error.details}
            return {"result": self.word, **details, "message": str(self.error)}
        return {"result": self.word, **({"reason": self.reason} if self.reason else {})}


def try_draft(view: NetworkView, draft: Draft) -> Trial:
    """Try the rules of the ledger on a draft; whatever hinders that is an answer too.

    Raises:
        WrongPassphraseError: The passphrase of the key that would ask a node is wrong.
    """
    try:
        try_entry(view, draft)
    except RuleError as error:
        return Trial("refused", error=error)
    except NoNetworkError:
        return Trial("untried", _NO_NODE)
    except WrongPassphraseError:
        raise  # Told at once: whoever mistyped tries again, before anything is signed.
    except (KeyNeededError, KeyFileError):
        return Trial("untried", _NO_KEY)
    except RemoteRefusalError:
        return Trial("untried", _HIDDEN)
    return Trial("accepted")


def unchecked(
    context: Context, view: NetworkView, draft: Draft, compared: Collection[RecordId]
) -> list[str]:
    """Say what only the custodian sees: whether weighty sealed fields change.

    Args:
        context: The language.
        view: Record types.
        draft: Of the act.
        compared: Records whose values before were at hand, so that the planner compared them.
    """
    senior = view.find_form(draft.entry.head.kind).operation.senior
    if senior is None or not senior.sealed or not draft.entry.records:
        return []
    first = draft.entry.records[0]
    signed_for = {signer.term for signer in draft.entry.head.signers} & senior.adds_signer.labels
    if first.record_version == 1 or first.record_id in compared or signed_for:
        return []
    titles = view.find_type(first.type_name).fields
    fields = [in_language(titles[name].title, context.lang) or name for name in senior.sealed]
    terms = [
        f"{in_language(term_words(label), context.lang)}, {label}"
        for label in sorted(senior.adds_signer.labels)
    ]
    return [context.say("act.unchecked", fields=", ".join(fields), term="; ".join(terms))]
