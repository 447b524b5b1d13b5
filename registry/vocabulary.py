"""The named rules and effects that a schema may call, and what their arguments are.

The loader checks each call against this table: so a schema cannot call what the code lacks, and a
ledger rule cannot read a sealed field. One table for each `engine_version`.

Source: records.md, section 2.3.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

ENGINE_VERSION: Final = 1
UNITS: Final = "admin_unit"
"""The table of administrative units."""

RULES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "agrees_with_birth": "ld",
        "at_custody_office": "",
        "date_order": "dd",
        "duplicate_births": "ll",
        "duplicate_identities": "",
        "event_date_is": "d",
        "evidence": "w",
        "import_open": "",
        "import_settled": "",
        "in_custody": "w",
        "key_settled": "",
        "late_after": "dn",
        "link_status": "lw",
        "no_obligation_open": "f",
        "not_relative": "l*",
        "nothing_stands_on": "l",
        "obligation_settled": "f",
        "older_than_children": "ld",
        "parent_possible": "lld",
        "shares_sum_one": "",
        "term_running": "d",
        "unit_valid_on": "cd",
    }
)
"""Name -> arguments: `f` a field that is not sealed, `d` a date (or one of
`DATES`), `c` a code, `l` a link (or self, parties), `n` a number, `w` a word, `*` repeats
the one before."""

EFFECTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "add_encumbrance": "w",
        "add_wraps": "",
        "change_encumbrance": "w",
        "change_key": "",
        "close_competence": "",
        "close_keys": "",
        "close_office": "",
        "close_role": "",
        "create_identity": "w",
        "date_identity": "ld",
        "date_keys": "",
        "declare_ready": "",
        "enrol_keys": "",
        "file_notice": "",
        "free_link": "l",
        "give_auth_key": "",
        "give_competence": "",
        "give_role": "",
        "hold_ballot": "",
        "index": "l",
        "issue_certificate": "",
        "link_family": "wll",
        "lock_link": "l",
        "log": "w",
        "make_grant": "",
        "match": "w",
        "move_node": "",
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

CREATING_EFFECTS: Final = frozenset({"create_identity", "link_family"})
"""Effects whose first argument is a link to a record that the operation creates."""


@dataclass(frozen=True, slots=True)
class ObjectNeed:
    """An object that an effect reads.

    Attributes:
        kind: Of the object.
        fields: Required fields and what they are; with `?`, fields that may be absent.
        single: Whether the entry has exactly one.
    """

    kind: str
    fields: Mapping[str, str]
    single: bool = True


KEY_OBJECTS: Final = frozenset({"auth_key", "key", "role"})
"""Objects that name a key; a new one proves itself by signing the entry that brings it."""
OFFICER_OBJECTS: Final = frozenset({"auth_key", "role"})
"""Those of them that make a key an officer's: the person agrees too."""
OBJECTS: Final[Mapping[str, ObjectNeed]] = MappingProxyType(
    {
        "add_encumbrance": ObjectNeed("encumbrance", {"holder": "link"}, single=False),
        "add_wraps": ObjectNeed("wraps", {"wraps_digest": "bytes"}),
        "change_encumbrance": ObjectNeed(
            "release", {"number": "int", "holder": "link"}, single=False
        ),
        "change_key": ObjectNeed("key", {"algorithm": "int", "public": "bytes", "purpose": "text"}),
        "close_competence": ObjectNeed(
            "competence_end", {"office": "bytes", "number": "int", "to_date": "date"}
        ),
        "close_keys": ObjectNeed("closing", {"key_id": "bytes"}, single=False),
        "close_office": ObjectNeed(
            "closing", {"office": "bytes", "to_date": "date", "succeeded_by": "list of bytes?"}
        ),
        "close_role": ObjectNeed(
            "role_end",
            {"identity": "link", "role": "text", "office": "bytes", "to_date": "date"},
            single=False,
        ),
        "declare_ready": ObjectNeed("readiness", {"height": "int", "header": "bytes"}),
        "enrol_keys": ObjectNeed(
            "key", {"algorithm": "int", "public": "bytes", "purpose": "text"}, single=False
        ),
        "file_notice": ObjectNeed("notice", {"purpose": "text", "digest": "bytes"}),
        "give_auth_key": ObjectNeed(
            "auth_key",
            {"identity": "link", "office": "bytes", "algorithm": "int", "public": "bytes"},
            single=False,
        ),
        "give_competence": ObjectNeed(
            "competence",
            {
                "office": "bytes",
                "type": "text",
                "operations": "list of text",
                "from_date": "date",
                "to_date": "date?",
                "legal_basis": "text",
            },
            single=False,
        ),
        "give_role": ObjectNeed(
            "role",
            {
                "identity": "link",
                "role": "text",
                "types": "list of text",
                "office": "bytes",
                "algorithm": "int",
                "public": "bytes",
                "from_date": "date",
                "to_date": "date?",
            },
            single=False,
        ),
        "hold_ballot": ObjectNeed("ballot", {"action": "text", "fields": "map"}),
        "issue_certificate": ObjectNeed(
            "certificate",
            {
                "certificate_id": "bytes",
                "type": "text",
                "commitment": "bytes",
                "status": "text",
                "transcribed": "bool",
                "office": "bytes",
                "expires_on": "date",
            },
        ),
        "log": ObjectNeed("logged", {"digest": "bytes"}),
        "make_grant": ObjectNeed(
            "grant", {"recipient": "bytes", "wraps_digest": "bytes", "until": "date"}
        ),
        "move_node": ObjectNeed("place", {"peer_address": "text"}),
        "name_office": ObjectNeed(
            "office",
            {
                "name": "text",
                "unit": "code",
                "unit_date": "date",
                "level": "text",
                "parent": "bytes?",
                "from_date": "date",
            },
        ),
        "open_import": ObjectNeed(
            "opening", {"source": "text", "scans_root": "bytes", "count": "int"}
        ),
        "publish_text": ObjectNeed(
            "piece", {"digest": "bytes", "number": "int", "pieces": "int", "bytes": "bytes"}
        ),
        "resolve_duplicate": ObjectNeed("duplicate", {"other": "link"}),
        "revoke_key": ObjectNeed("key_end", {"key_id": "bytes", "compromised_since_ms": "int?"}),
        "vote": ObjectNeed("vote", {"ballot": "bytes", "yes": "bool"}),
        "withdraw_grant": ObjectNeed("withdrawal", {"grant": "bytes"}),
    }
)
"""What effects read; the loader checks that the operation has it."""
TERM_OBJECTS: Final[Mapping[str, tuple[ObjectNeed, ...]]] = MappingProxyType(
    {
        "appointee": tuple(
            [
                ObjectNeed(kind, {"identity": "link"}, single=False)
                for kind in sorted(OFFICER_OBJECTS)
            ]
        ),
        "new_key": tuple(
            [
                ObjectNeed(kind, {"algorithm": "int", "public": "bytes"}, single=False)
                for kind in sorted(KEY_OBJECTS)
            ]
        ),
    }
)
"""What terms of a policy read of these objects, where the operation has them."""

DATES: Final = frozenset({"block_date", "received_on", "recorded_on", "head_event_date"})
"""Dates of the entry, or of its subject's first one, that a rule may name like a field."""
SELF: Final = "self"
"""Stands for the record itself where a rule takes links."""
PARTIES: Final = "parties"
"""Stands for the holders before and after, holders of encumbrances, and whom objects name."""
