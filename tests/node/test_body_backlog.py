"""Bodies of stored blocks that are missing: looked for after a start, and none holds up others."""

import pytest

from ledger.vault import Vault
from node import body_backlog, body_wishes
from node.body_backlog import BodyBacklog
from node.body_wishes import STORED_MAX
from node.logs import SilentLog
from tests.node.grown_chain import grow_chain
from tests.node.named_bodies import digest_of, go_on, make, serve
from tests.node.town_chain import make_town

HEIGHTS = 12
PEOPLE = 8


class Setting:
    """A chain with twelve blocks, a vault without their bodies, and who waits for them."""

    def __init__(self, folder):
        self.town = make_town()
        self.application = grow_chain(folder / "chain", self.town, HEIGHTS, PEOPLE)
        self.vault = Vault.open(folder / "vault")
        self.named = list(self.town.bodies)
        self.start()

    def start(self):
        self.bodies, self.network, self.timers = make(self.vault)
        parts = (self.vault.mark, self.application, self.bodies, self.timers, SilentLog())
        self.backlog = BodyBacklog(*parts)

    def serve_all_but(self, *withheld):
        bodies = {one: body for one, body in self.town.bodies.items() if one not in withheld}
        for peer in self.network.peers:
            serve(self.network, peer, bodies)

    def look_through(self, turns=HEIGHTS + 10):
        self.backlog.start()
        go_on(self.network, self.timers, turns)

    def marked(self):
        return self.vault.mark.height, self.vault.mark.lacking

    def here(self):
        return {one for one in self.named if self.vault.body_size(one) is not None}

    def close(self):
        self.application.close()
        self.vault.close()


@pytest.fixture
def setting(tmp_path):
    made = Setting(tmp_path)
    yield made
    made.close()


def test_a_body_that_is_withheld_holds_up_neither_the_others_nor_the_mark(setting):
    withheld = setting.named[0]
    setting.serve_all_but(withheld)
    setting.look_through()
    assert setting.here() == set(setting.named) - {withheld}
    setting.backlog.stop()
    assert setting.marked() == (HEIGHTS, (withheld,))


def test_what_is_lacking_below_the_mark_is_asked_for_again_after_a_start(setting):
    withheld = setting.named[0]
    setting.serve_all_but(withheld)
    setting.look_through()
    setting.backlog.stop()
    setting.start()
    assert setting.backlog.mark == HEIGHTS
    setting.serve_all_but()
    setting.look_through()
    assert setting.here() == set(setting.named)


def test_the_mark_stays_while_not_everything_was_looked_through(setting):
    setting.serve_all_but()
    setting.look_through(turns=HEIGHTS // 2)
    setting.backlog.stop()
    assert setting.marked() == (0, ())


def test_of_more_bodies_than_are_waited_for_those_asked_in_vain_make_room_and_come_later(
    setting, monkeypatch
):
    monkeypatch.setattr(body_wishes, "STORED_MAX", 2)
    withheld = setting.named[:3]
    setting.serve_all_but(*withheld)
    setting.look_through(turns=4 * HEIGHTS)
    assert setting.here() == set(setting.named) - set(withheld), "all others came"
    assert setting.bodies.missing == 2
    assert setting.bodies.dropped > 0
    setting.backlog.stop()
    assert setting.marked() == (0, ()), "the mark vouches for nothing that was given up"
    setting.serve_all_but()
    go_on(setting.network, setting.timers, 4 * HEIGHTS)
    assert setting.here() == set(setting.named)
    setting.backlog.stop()
    assert setting.marked() == (HEIGHTS, ())


def test_looking_waits_for_what_may_come_and_not_for_what_nobody_gives_out(setting, monkeypatch):
    monkeypatch.setattr(body_backlog, "FRESH_MAX", 1)
    setting.backlog.start()
    for _ in range(3 * HEIGHTS):  # no peer has answered yet
        setting.timers.fire_all()
    assert setting.bodies.missing == 1
    go_on(setting.network, setting.timers, 8 * HEIGHTS)  # they have nothing
    assert setting.bodies.missing == len(setting.named)


def test_the_wishes_for_stored_blocks_are_bounded(setting):
    setting.bodies.keep([digest_of(b"%d" % number) for number in range(STORED_MAX)])
    assert (setting.bodies.missing, setting.bodies.dropped) == (STORED_MAX, 0)
    setting.bodies.keep([digest_of(b"one more")])
    assert (setting.bodies.missing, setting.bodies.dropped) == (STORED_MAX, 1)


def test_the_mark_does_not_vouch_for_what_was_given_up_since_the_look(setting):
    setting.serve_all_but()
    setting.look_through()
    setting.bodies.keep([digest_of(b"%d" % number) for number in range(STORED_MAX + 1)])
    setting.backlog.stop()
    assert setting.marked() == (0, ())


@pytest.mark.parametrize("count", [0, 1, 3, STORED_MAX])
def test_a_mark_reads_as_it_was_written(count, tmp_path):
    lacking = tuple([digest_of(b"%d" % number) for number in range(count)])
    with_mark = Vault.open(tmp_path / "vault")
    assert (with_mark.mark.height, with_mark.mark.lacking) == (0, ())
    with_mark.mark.move(17, lacking)
    with_mark.close()
    again = Vault.open(tmp_path / "vault")
    assert (again.mark.height, again.mark.lacking) == (17, lacking)
    again.close()
