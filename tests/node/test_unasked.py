"""A node that nobody knew when it started, and that finds out that it was a validator long since.

Its machine was restored from before it became one: its guard knows nothing, so it was not made to
ask its peers, and the certificates that it fetches may leave its signatures out.
"""

from ledger.ids import AgencyId
from node.logs import SilentLog
from node.signer import Place, SignedKind
from node.startup import GuardCheck, Permission
from tests.node.invented_world import AGENCIES, VALIDATORS
from tests.node.test_startup import certificate_of

OTHERS = (1, 2, 3)


def check_of(own, permission, last=None):
    check = GuardCheck(own, lambda: last, lambda _height: VALIDATORS, SilentLog())
    check.permission = permission
    return check


def test_a_member_that_has_not_asked_is_silent_after_what_it_fetches():
    check = check_of(AGENCIES[0], Permission(1, is_asked=False))
    for height in (8, 9):
        check.mind(certificate_of(height, *OTHERS))
    assert [check.may_vote(height) for height in (10, 11, 12)] == [False, False, True]


def test_what_is_supposed_ends_with_the_answers_and_what_they_prove_stays():
    check = check_of(AGENCIES[0], Permission(1, is_asked=False))
    check.mind(certificate_of(9, *OTHERS))
    check.learn(Permission(10))
    assert [check.may_vote(height) for height in (9, 10)] == [False, True]
    check.mind(certificate_of(10, *OTHERS))
    assert check.may_vote(11), "it has asked"
    check.learn(Permission(13))
    assert [check.may_vote(height) for height in (12, 13)] == [False, True]


def test_an_own_signature_in_a_certificate_is_no_supposition():
    check = check_of(AGENCIES[0], Permission(1, is_asked=False))
    check.mind(certificate_of(9, 0, 1, 2))
    check.learn(Permission(1))
    assert [check.may_vote(height) for height in (10, 11, 12)] == [False, False, True]


def test_who_asked_or_is_no_member_or_has_signed_is_not():
    for check in (
        check_of(AGENCIES[0], Permission(1)),
        check_of(AgencyId(b"x" * 16), Permission(1, is_asked=False)),
        check_of(None, Permission(1, is_asked=False)),
        check_of(AGENCIES[0], Permission(1, is_asked=False), Place(5, 0, SignedKind.PREVOTE)),
    ):
        check.mind(certificate_of(9, *OTHERS))
        assert check.permission.from_height == 1
