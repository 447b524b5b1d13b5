"""The named rules and effects that a schema may call, and what their arguments are.

The loader checks each call against this table: so a schema cannot call what the code lacks, and a
ledger rule cannot read a sealed field. One table for each `engine_version`.

Source: records.md, section 2.3.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

ENGINE_VERSION: Final = 1

RULES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "at_custody_office": "",
        "date_order": "ff",
        "duplicate_births": "f",
        "event_date_is": "f",
        "evidence": "w",
        "import_open": "",
        "import_settled": "",
        "in_custody": "w",
        "late_after": "fn",
        "link_status": "fw",
        "no_obligation_open": "f",
        "not_relative": "f*",
        "parent_possible": "ff",
        "shares_sum_one": "",
        "term_running": "f",
        "unit_valid_on": "ff",
    }
)
"""Name -> arguments: `f` a field (or event_date, block_date, received_on), `n` a number, `w` a
word, `*` repeats the one before."""

EFFECTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "add_encumbrance": "w",
        "add_wraps": "",
        "change_encumbrance": "w",
        "close_competence": "",
        "close_keys": "",
        "close_office": "",
        "close_role": "",
        "create_identity": "f",
        "enrol_keys": "",
        "file_notice": "",
        "give_competence": "",
        "give_role": "",
        "hold_ballot": "",
        "index": "f",
        "issue_certificate": "",
        "link_family": "fff",
        "log": "w",
        "make_grant": "",
        "match": "w",
        "name_office": "",
        "open_import": "",
        "own_identity": "",
        "publish_text": "",
        "resolve_duplicate": "w",
        "revoke_key": "",
        "use_import": "",
        "vote": "",
        "withdraw_grant": "",
    }
)

DATES: Final = frozenset({"block_date", "received_on", "head_event_date"})
"""Dates of the entry that a rule may name like a field."""
SELF: Final = "self"
"""Stands for the record itself where a rule takes links."""
PARTIES: Final = "parties"
"""Stands for the holders before and after, holders of encumbrances, and whom objects name."""
