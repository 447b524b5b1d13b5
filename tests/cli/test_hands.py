"""Words of the command line that say who signs."""

from typing import TYPE_CHECKING, cast

import pytest

from cli.errors import BadParameterError
from cli.hands import key_of, split_word
from ledger.ids import parse_id, print_id

if TYPE_CHECKING:
    from cli.network_view import NetworkView

EVERY_CHECK_CHARACTER = [print_id(number.to_bytes(16)) for number in range(37)]


@pytest.mark.parametrize("shown", EVERY_CHECK_CHARACTER)
@pytest.mark.parametrize("who", ["police-1", "justice-1,justice-2", "did:key:zDn", "a=b.pem"])
def test_an_id_and_its_signer_are_told_apart_whatever_the_check_character(shown, who):
    assert split_word(f"{shown}={who}", "--person") == (shown, who)
    assert parse_id(shown) == EVERY_CHECK_CHARACTER.index(shown).to_bytes(16)


def test_the_ids_of_this_test_end_with_every_check_character():
    assert len({shown[-1] for shown in EVERY_CHECK_CHARACTER}) == 37


class NoOfficers:
    """A network file that names nobody."""

    def officer(self, _name):
        return None


class Bare:
    """The view of a home folder without officers."""

    network = NoOfficers()


@pytest.mark.parametrize("shown", EVERY_CHECK_CHARACTER)
def test_a_key_id_is_taken_as_lists_print_it_and_in_hexadecimal(shown):
    view, raw = cast("NetworkView", Bare()), parse_id(shown)
    assert key_of(view, shown) == key_of(view, raw.hex()) == raw


@pytest.mark.parametrize("word", ["", "=", "==", "a", "a=", "=who", f"{print_id(bytes(16))}="])
def test_a_word_without_both_sides_is_refused(word):
    with pytest.raises(BadParameterError):
        split_word(word, "--person")
