"""What a file of evidence says, as data and in words of both languages."""

from collections.abc import Mapping, Sequence

from cli.output import Context
from consensus.accusations import Accusation, Equivocation
from consensus.messages import SignedProposal, SignedVote
from ledger.conflicts import ConflictKind, HeaderConflict
from ledger.errors import InvalidDataError
from ledger.ids import print_id
from ledger.trust import TrustBundle
from ledger.validators import ValidatorSet


def facts_of(accusation: Accusation, trust: TrustBundle | None) -> dict[str, object]:
    """Return who is accused of what.

    Args:
        accusation: Verified or not.
        trust: For the agencies' names, and for who signed two headers; None: nobody is named.
    """
    if isinstance(accusation, HeaderConflict):
        return _facts_of_headers(accusation, trust)
    return _facts_of_messages(accusation, trust)


def lines_of(context: Context, facts: Mapping[str, object]) -> list[str]:
    """Return the facts for people."""
    proves = str(facts["proves"])
    values = {key: facts[key] for key in ("height", "round", "message") if key in facts}
    if "message" in values:
        values["message"] = context.say(f"evidence.message.{values['message']}")
    proof = "messages" if facts["kind"] == "equivocation" else proves.replace("-", "_")
    lines = [context.say(f"evidence.proves.{proof}", **values)]
    said = facts["said"]
    assert isinstance(said, Sequence), "made by facts_of"
    for one in said:
        block = one["block"] or context.say("evidence.nil")
        key = "evidence.said_proposal" if "pol_round" in one else "evidence.said"
        lines.append(context.say(key, **{"round": facts.get("round"), **one, "block": block}))
    accused = facts["accused"]
    assert isinstance(accused, Sequence), "made by facts_of"
    key = "evidence.suspect" if facts["proves"] == ConflictKind.AMNESIA else "evidence.accused"
    for one in accused:
        name = one["name"] or one["agency"]
        lines.append(context.say(key, name=name, index=one["index"], weight=one["weight"]))
    return lines


def _facts_of_messages(accusation: Equivocation, trust: TrustBundle | None) -> dict[str, object]:
    evidence = accusation.evidence
    validators = accusation.validators
    inside = [evidence.validator] if evidence.validator < len(validators) else []
    return {
        "kind": "equivocation",
        "proves": "equivocation",
        "network": accusation.network_id,
        "height": evidence.height,
        "round": evidence.round,
        "message": evidence.tag.name.lower(),
        "evidence": evidence.digest,
        "said": [_said(one) for one in (evidence.first, evidence.second)],
        "accused": _accused(validators, inside, trust),
    }


def _facts_of_headers(conflict: HeaderConflict, trust: TrustBundle | None) -> dict[str, object]:
    known, other = conflict.known, conflict.other
    proves, accused, weight = "conflict", list[dict[str, object]](), 0
    try:
        guilt = None if trust is None else conflict.check(trust)
    except InvalidDataError:
        guilt = None
    if guilt is not None:
        proves, weight = guilt.kind.value, guilt.weight
        accused = _accused(guilt.validators, guilt.accused, trust)
    said = [
        {"block": one.header.digest.hex(), "round": one.quorum_certificate.round}
        for one in (known, other)
    ]
    return {
        "kind": "conflict",
        "proves": proves,
        "network": known.header.network_id,
        "height": conflict.height,
        "set_height": conflict.set_height,
        "said": said,
        "accused": accused,
        "accused_weight": weight,
    }


def _said(message: SignedVote | SignedProposal) -> dict[str, object]:
    block = None if message.block_id is None else message.block_id.hex()
    if isinstance(message, SignedProposal):
        return {"block": block, "pol_round": message.pol_round, "time_ms": message.time_ms}
    return {"block": block}


def _accused(
    validators: ValidatorSet, indexes: Sequence[int], trust: TrustBundle | None
) -> list[dict[str, object]]:
    agencies = () if trust is None else trust.charter.template.agencies
    names = {agency.agency_id: agency.name for agency in agencies}
    return [
        {
            "index": index,
            "agency": print_id(validators[index].agency_id),
            "name": names.get(validators[index].agency_id),
            "weight": validators[index].weight,
        }
        for index in indexes
    ]
