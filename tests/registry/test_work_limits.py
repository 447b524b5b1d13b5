"""What one entry may cost: the last step and the last write that are allowed, and the first not.

The numbers stand here again, as the design's table has them.
"""

import pytest

from ledger.ids import RecordId
from registry.errors import TooMuchWorkError
from registry.kinship import Steps, are_relatives
from registry.object_rows import CertificatesRow
from registry.rows import FamilyRow
from registry.state import State
from registry.state_key_names import family_key
from tests.registry.town import identifier

STEPS = 10_000
TOUCHES = 4_096
DAY = "2026-01-01"
CHILD, STRANGER = identifier("p0"), identifier("stranger")


def ancestors(count: int, *, married: bool = False) -> State:
    """A state in which `p0` has so many ancestors, one above the other, and perhaps a spouse.

    Looking for a relative asks each person with a parent for two steps and the last one for one.
    """
    state = State(lambda _key: None)
    spouse = (RecordId(identifier("spouse")), RecordId(identifier("marriage")), DAY, None)
    for number in range(count):
        parent = (identifier(f"p{number + 1}"), "birth", identifier("b"))
        spouses = (spouse,) if married and number == 0 else ()
        state.write(family_key(identifier(f"p{number}")), FamilyRow((parent,), (), spouses))
    return state


def test_an_entry_follows_ten_thousand_family_links_and_not_one_more():
    whole = ancestors((STEPS - 2) // 2)  # two steps for each, one for the last, one for a stranger
    assert not are_relatives(whole, CHILD, STRANGER, DAY, Steps())
    one_more = ancestors((STEPS - 2) // 2, married=True)
    with pytest.raises(TooMuchWorkError) as caught:
        are_relatives(one_more, CHILD, STRANGER, DAY, Steps())
    assert caught.value.details == {
        "limit": "family steps",
        "value": STEPS + 1,
        "maximum": STEPS,
    }


def test_the_steps_of_all_questions_of_an_entry_are_counted_together():
    steps = Steps()
    steps.take(STEPS - 1)
    steps.take(1)
    with pytest.raises(TooMuchWorkError) as caught:
        steps.take(3)
    assert caught.value.details["value"] == STEPS + 3


def test_an_entry_writes_4096_state_keys_and_not_one_more():
    fork = State(lambda _key: None).fork()
    for number in range(TOUCHES):
        fork.write(("x", number), CertificatesRow(()))
    fork.write(("x", 0), CertificatesRow(()))
    with pytest.raises(TooMuchWorkError) as caught:
        fork.write(("x", TOUCHES), CertificatesRow(()))
    assert caught.value.details == {
        "limit": "state touches",
        "value": TOUCHES + 1,
        "maximum": TOUCHES,
    }
