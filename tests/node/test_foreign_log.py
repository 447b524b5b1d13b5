"""A log that does not fit is refused at the opening: no peer makes it fit by chance."""

from contextlib import closing

import pytest

from consensus.events import StartHeight
from consensus.parameters import LAN
from ledger.errors import CorruptWalError
from ledger.wal import WriteAheadLog
from node.app import Options, open_node
from node.config import load_config
from node.journal import event_frame, owner_frame
from node.storage import WAL_FILE, load_genesis
from tests.node.homes import agency_id, make_homes


def write_log(home, *, owner, height):
    """Write the log of a node that has begun a height."""
    config = load_config(home)
    start = StartHeight(
        height=height,
        previous_time_ms=0,
        now_ms=1,
        kept=(),
        validators=load_genesis(config).validator_set,
        parameters=LAN,
        may_vote=True,
    )
    config.data_folder.mkdir(exist_ok=True)
    with closing(WriteAheadLog.open(config.data_folder / WAL_FILE)) as log:
        log.restart([owner_frame(owner), event_frame(start)])


@pytest.mark.parametrize(("height", "owner"), [(2, ""), (9, ""), (1, "nobody")])
@pytest.mark.asyncio
async def test_a_log_that_does_not_fit_is_refused_before_a_peer_is_asked(tmp_path, height, owner):
    home = make_homes(tmp_path).folders[0]
    write_log(home, owner=agency_id(owner) if owner else load_config(home).agency, height=height)
    with pytest.raises(CorruptWalError):
        open_node(home, Options())


@pytest.mark.asyncio
async def test_the_log_of_the_height_that_is_worked_on_fits(tmp_path):
    home = make_homes(tmp_path).folders[0]
    write_log(home, owner=load_config(home).agency, height=1)
    node = open_node(home, Options())
    node.storage.close()
