"""The chain export: what was written reads back, and an interrupted export goes on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.blocks import parse_block
from ledger.canonical import encode
from ledger.chain import genesis_tip, walk
from ledger.errors import InvalidDataError
from ledger.export import (
    BLOCKS_FILE,
    GENESIS_FILE,
    START_FILE,
    ExportedBlock,
    ExportWriter,
    InvalidExportError,
    PartialExportError,
    check_whole,
    read_blocks,
    read_genesis,
    read_start,
    read_trust,
)
from ledger.quorum import parse_quorum_certificate, print_quorum_certificate
from ledger.trust import trust_genesis
from tests.networks import ChainBuilder, small_entry, small_network

NETWORK = small_network()
GENESIS = NETWORK.genesis


def made_frames(count=5):
    builder = ChainBuilder(NETWORK)
    frames = []
    for height in range(count):
        entries = [small_entry(GENESIS.network_id, height)]
        block, certificate = builder.next_block(entries)
        frames.append((block.raw, print_quorum_certificate(certificate)))
    return frames


FRAMES = made_frames()


@pytest.fixture
def exported(tmp_path):
    with ExportWriter.open(tmp_path, GENESIS.raw) as writer:
        for frame in FRAMES:
            writer.append(*frame)
        writer.finish(trust_genesis(GENESIS, 2**60))
    return tmp_path


def test_what_was_exported_reads_back_and_verifies(exported):
    assert read_genesis(exported) == GENESIS
    assert read_trust(exported).network_id == GENESIS.network_id
    read = list(read_blocks(exported))
    assert [(one.block, one.quorum_certificate) for one in read] == FRAMES
    assert [one.height for one in read] == [1, 2, 3, 4, 5]
    blocks = [(parse_block(b), parse_quorum_certificate(c)) for b, c in FRAMES]
    tip = genesis_tip(GENESIS.charter)
    assert len(list(walk(blocks, tip, lambda _verified: GENESIS.validator_set))) == 5


@pytest.mark.parametrize("already", range(6))
def test_reading_resumes_behind_any_block(exported, already):
    height = end = 0
    for one in list(read_blocks(exported))[:already]:
        height, end = one.height, one.end
    rest = list(read_blocks(exported, height, end))
    assert [one.height for one in rest] == list(range(already + 1, 6))


@given(st.data())
def test_an_export_that_was_cut_anywhere_goes_on_behind_the_last_whole_block(
    tmp_path_factory, data
):
    folder = tmp_path_factory.mktemp("export")
    with ExportWriter.open(folder, GENESIS.raw) as writer:
        for frame in FRAMES:
            writer.append(*frame)
    whole = (folder / BLOCKS_FILE).read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    (folder / BLOCKS_FILE).write_bytes(whole[:cut])
    with ExportWriter.open(folder, GENESIS.raw) as writer:
        for frame in FRAMES[writer.height :]:
            writer.append(*frame)
    assert (folder / BLOCKS_FILE).read_bytes() == whole


def test_a_cut_file_is_read_up_to_the_cut_and_then_refused(exported):
    path = exported / BLOCKS_FILE
    whole = path.read_bytes()
    for kept in (len(whole) - 1, list(read_blocks(exported))[3].end + 2):
        path.write_bytes(whole[:kept])
        read: list[ExportedBlock] = []
        with pytest.raises(InvalidExportError):
            read.extend(read_blocks(exported))
        assert len(list_until_refused(exported)) == 4


def list_until_refused(folder):
    read = []
    try:
        for one in read_blocks(folder):
            read.append(one)  # noqa: PERF402  # what came before the refusal counts
    except InvalidDataError:
        pass
    return read


def test_a_gap_another_network_and_a_missing_file_are_refused(tmp_path, exported):
    with ExportWriter.open(exported, GENESIS.raw) as writer:
        assert writer.height == 5
        with pytest.raises(InvalidExportError):
            writer.append(*FRAMES[4])
        with pytest.raises(InvalidDataError):
            writer.append(b"no block", b"")
    with pytest.raises(InvalidExportError):
        ExportWriter.open(exported, small_network(weights=(2, 1, 1, 1)).genesis.raw)
    (exported / GENESIS_FILE).unlink()
    with pytest.raises(InvalidExportError):
        read_genesis(exported)
    with pytest.raises(InvalidExportError):
        list(read_blocks(tmp_path / "nowhere"))


def test_a_frame_of_an_impossible_length_is_refused_before_it_is_read(exported):
    path = exported / BLOCKS_FILE
    path.write_bytes(b"\xff\xff\xff\xff" + path.read_bytes())
    with pytest.raises(InvalidDataError):
        list(read_blocks(exported))
    with pytest.raises(InvalidExportError):
        ExportWriter.open(exported, GENESIS.raw)


def test_an_export_that_begins_later_says_so_goes_on_and_is_not_replayed(tmp_path):
    """As a node writes it that began with a snapshot."""
    for already, until in ((2, 4), (4, 5)):
        with ExportWriter.open(tmp_path, GENESIS.raw, first_height=3) as writer:
            assert writer.height == already
            for frame in FRAMES[already:until]:
                writer.append(*frame)
            writer.finish(trust_genesis(GENESIS, 2**60))
    assert read_start(tmp_path) == 3
    assert [one.height for one in read_blocks(tmp_path)] == [3, 4, 5]
    with pytest.raises(PartialExportError) as caught:
        check_whole(tmp_path)
    assert caught.value.details["first_height"] == 3


def test_a_node_without_history_goes_on_with_the_whole_export_of_another(exported):
    with ExportWriter.open(exported, GENESIS.raw, first_height=3) as writer:
        assert writer.height == len(FRAMES)
    assert read_start(exported) == 1
    check_whole(exported)


@pytest.mark.parametrize("content", [b"garbage", encode((1, "stop", 3)), encode((2, "start", 3))])
def test_a_file_that_does_not_say_where_an_export_starts_is_refused(content, exported):
    (exported / START_FILE).write_bytes(content)
    with pytest.raises(InvalidDataError):
        read_start(exported)
