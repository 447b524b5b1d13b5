"""Signer policies: who must sign an operation, as the schema says it in one line.

    policy := term { ("and" | "or") term }        "and" binds tighter; parentheses allowed
    term   := name [ "(" argument { "," argument } ")" ]

A policy is compiled once to its alternatives: each is a list of terms that must all be fulfilled.
`registry.signers` compares an entry's signers with them. The label is what a signer's term says in
the head: with the role in parentheses where the term has one, else the bare name.

Source: records.md, section 2.2.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from registry.errors import SchemaError

OFFICER_TERMS: Final = frozenset(
    {"officer", "second_officer", "upper_office", "other_office", "other_agency"}
)
"""Terms whose label names the role."""
_ARGUMENTS: Final = {
    **dict.fromkeys(OFFICER_TERMS, ("[a-z_]+",)),
    "agency": ("k",),
    "consent": ("[0-9]{1,2}",),
    "owners": ("all|any",),
    "new_owners": ("all",),
    "lenders": ("all",),
    "links": ("[a-z_]+",) * 8,
    **dict.fromkeys(("subject", "representative", "supervisor"), ()),
    **dict.fromkeys(("informant", "new_key", "custodian", "consensus_key", "appointee"), ()),
}
"""Term -> what each argument may be; of `links` at least one, of the others exactly these."""
ALTERNATIVES_MAX: Final = 32
TEXT_CHARS_MAX: Final = 1_024
PARENTHESES_MAX: Final = 32

_TOKEN: Final = re.compile(r"\s*([a-z_]+|[0-9]+|[(),])")


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a policy.

    Attributes:
        name: Such as `officer`.
        arguments: Such as `("register",)`.
        label: What a signer's term says in the head, such as `officer(register)`.
    """

    name: str
    arguments: tuple[str, ...]
    label: str


@dataclass(frozen=True, slots=True)
class Policy:
    """A compiled policy.

    Attributes:
        text: As the schema says it.
        alternatives: Each a list of terms that must all be fulfilled; terms are not repeated.
    """

    text: str
    alternatives: tuple[tuple[Term, ...], ...]

    @property
    def labels(self) -> frozenset[str]:
        """All labels that may stand in an entry under this policy."""
        return frozenset(term.label for terms in self.alternatives for term in terms)


def compile_policy(text: str) -> Policy:
    """Compile the text of a policy.

    Raises:
        SchemaError: Not of the grammar, an unknown term, a wrong number of arguments, over 32
            alternatives, 1,024 characters, or 32 parentheses.
    """
    if len(text) > TEXT_CHARS_MAX or text.count("(") > PARENTHESES_MAX:
        raise SchemaError("a policy is too long")
    tokens = list(_tokens(text))
    alternatives, rest = _read_or(tokens)
    if rest:
        raise SchemaError(f"the policy {text!r} goes on after its end")
    return Policy(text, tuple(tuple(dict.fromkeys(terms)) for terms in alternatives))


_Terms: TypeAlias = list[tuple[Term, ...]]


def _tokens(text: str) -> Iterator[str]:
    at = 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if found is None:
            raise SchemaError(f"the policy {text!r} holds a character that policies never hold")
        yield found[1]
        at = found.end()


def _read_or(tokens: list[str]) -> tuple[_Terms, list[str]]:
    found, rest = _read_and(tokens)
    while rest[:1] == ["or"]:
        more, rest = _read_and(rest[1:])
        found = _few(found + more)
    return found, rest


def _read_and(tokens: list[str]) -> tuple[_Terms, list[str]]:
    found, rest = _read_factor(tokens)
    while rest[:1] == ["and"]:
        more, rest = _read_factor(rest[1:])
        found = _few([left + right for left in found for right in more])
    return found, rest


def _few(alternatives: _Terms) -> _Terms:
    if len(alternatives) > ALTERNATIVES_MAX:
        raise SchemaError(f"a policy has over {ALTERNATIVES_MAX} alternatives")
    return alternatives


def _read_factor(tokens: list[str]) -> tuple[_Terms, list[str]]:
    if tokens[:1] == ["("]:
        found, rest = _read_or(tokens[1:])
        return found, _skip(rest, ")")
    if not tokens or tokens[0] not in _ARGUMENTS:
        raise SchemaError(f"{tokens[0] if tokens else 'the end'!r} is no term of a policy")
    name, rest = tokens[0], tokens[1:]
    arguments: tuple[str, ...] = ()
    if rest[:1] == ["("]:
        arguments, rest = _read_arguments(rest[1:])
    allowed = _ARGUMENTS[name]
    fewest = min(len(allowed), 1)
    if not fewest <= len(arguments) <= len(allowed) or not all(
        re.fullmatch(pattern, given) for pattern, given in zip(allowed, arguments, strict=False)
    ):
        raise SchemaError(f"the arguments of the term {name!r} are not what it takes")
    label = f"{name}({arguments[0]})" if name in OFFICER_TERMS else name
    return [(Term(name, arguments, label),)], rest


def _read_arguments(tokens: list[str]) -> tuple[tuple[str, ...], list[str]]:
    found: list[str] = []
    rest = tokens
    while rest and rest[0] not in {"(", ")", ","}:
        found.append(rest[0])
        rest = rest[1:]
        if rest[:1] != [","]:
            break
        rest = rest[1:]
    return tuple(found), _skip(rest, ")")


def _skip(tokens: list[str], token: str) -> list[str]:
    if tokens[:1] != [token]:
        raise SchemaError(f"a policy lacks {token!r}")
    return tokens[1:]
