"""What may be wrong between the nodes: rounds, votes, peers, lies. Pure; see `node.health`.

Validators are called by the names of their agencies in genesis, which are public.
"""

from collections.abc import Sequence
from typing import Final

from node.health import Finding, Level
from node.round_watch import Awaited, RoundView

STILL_WARN_FACTOR: Final = 3
"""A block older than so many idle times is news."""
STUCK_WARN_MS: Final = 15_000
"""A height that is worked on for so long is news, whatever its timeouts."""
STUCK_BAD_MS: Final = 60_000
STUCK_ROUNDS: Final = 3
"""So many rounds without a decision are news, however quick they were."""
VOTES_LATE: Final = 10
"""Heights without a vote of a validator after which it is named."""
LAGGING_HEIGHTS: Final = 5
SILENT_MS: Final = 15_000
"""A peer of which nothing was heard for so long is named."""
DAY_MS: Final = 86_400_000
REPLACED_MS: Final = DAY_MS
"""A newest block so old, and nobody who answers: perhaps others make the blocks now."""
_AWAITED: Final = {
    Awaited.ENTRIES: ("hồ sơ", "entries"),
    Awaited.PROPOSAL: ("đề xuất", "the proposal"),
    Awaited.BLOCK: ("nội dung khối", "the block's content"),
    Awaited.PREVOTES: ("phiếu sơ bộ", "prevotes"),
    Awaited.PRECOMMITS: ("phiếu chốt", "precommits"),
    Awaited.NOTHING: ("bước kế tiếp", "the next step"),
}


def check_peers(reachable: int, needed: int, total: int, gone: Sequence[str]) -> Finding | None:
    """Announce validators that are gone; without a quorum nothing is decided.

    Args:
        reachable: Validators that answer, this one included.
        needed: How many make a quorum.
        total: All validators.
        gone: Who does not answer.
    """
    if reachable >= total:
        return None
    names = ", ".join(gone)
    return Finding(
        code="peers_gone",
        level=Level.BAD if reachable < needed else Level.WARN,
        cause=(
            f"Liên lạc được {reachable} trên {total} nút, cần {needed} để quyết định; "
            f"không liên lạc được: {names}.",
            f"{reachable} of {total} validators are in touch, {needed} are needed to decide; "
            f"out of touch: {names}.",
        ),
        cure=(
            "Kiểm tra mạng và tường lửa tới các nút đó; hỏi người vận hành của họ.",
            "Check network and firewall towards them; ask their operators.",
        ),
    )


def check_known(known: int, answering: int, age_ms: int) -> Finding | None:
    """Announce that nobody whom this node knows answers, long after its newest block.

    Args:
        known: The other nodes that its state or settings name.
        answering: How many of them take what is sent.
        age_ms: Of the newest block here.
    """
    if not known or answering or age_ms < REPLACED_MS:
        return None
    days = age_ms // DAY_MS
    return Finding(
        code="nobody_known",
        level=Level.BAD,
        cause=(
            f"Không nút nào trong {known} nút mà nút này biết trả lời, và khối mới nhất ở đây đã "
            f"{days} ngày: có thể họ đã được thay hoặc chuyển địa chỉ.",
            f"None of the {known} nodes that this one knows answers, and its newest block is "
            f"{days} days old: they may have been replaced or have moved.",
        ),
        cure=(
            "Hỏi các cơ quan đang chạy mạng: ghi địa chỉ mới vào [peers] của config.toml, hoặc "
            "khôi phục từ một bản chụp của họ (docs/operations.md, Nobody that a node knows).",
            "Ask the agencies that run the network now: name present addresses in [peers] of "
            "config.toml, or restore a snapshot of theirs (docs/operations.md, Nobody that a node "
            "knows).",
        ),
    )


def check_silent(names: Sequence[str]) -> Finding | None:
    """Name peers that take what we send and say nothing themselves."""
    if not names:
        return None
    shown = ", ".join(names)
    return Finding(
        code="peer_silent",
        level=Level.WARN,
        cause=(
            f"Gửi tới được nhưng không nghe gì từ: {shown}.",
            f"They take what is sent and nothing is heard from: {shown}.",
        ),
        cure=(
            "Xem cổng nút bạn của máy này có mở từ phía họ không; hỏi người vận hành của họ.",
            "See whether this node's peer port is open from their side; ask their operators.",
        ),
    )


def check_progress(age_ms: int, idle_ms: int, waiting: int) -> Finding | None:
    """Announce that no block comes though one should.

    Args:
        age_ms: Since the newest block came.
        idle_ms: After which the network makes a block even without entries.
        waiting: Entries in the pool.
    """
    if age_ms < idle_ms * STILL_WARN_FACTOR:
        return None
    seconds = age_ms // 1_000
    return Finding(
        code="no_blocks",
        level=Level.BAD,
        cause=(
            f"Đã {seconds} giây không có khối mới; {waiting} hồ sơ đang chờ.",
            f"No block for {seconds} seconds; {waiting} entries wait.",
        ),
        cure=(
            "Xem các nút khác có chạy và liên lạc được không: civreg node status.",
            "See whether the other nodes run and are in touch: civreg node status.",
        ),
    )


def check_behind(height: int, network_height: int) -> Finding | None:
    """Say that the node is catching up."""
    if network_height <= height + 1:
        return None
    return Finding(
        code="behind",
        level=Level.WARN,
        cause=(
            f"Nút ở khối {height}, mạng ở khối {network_height}.",
            f"This node is at block {height}, the network at {network_height}.",
        ),
        cure=(
            "Đợi: nút tự lấy các khối còn thiếu. Nếu khối không tăng, xem nhật ký (sync_refused).",
            "Wait: it fetches the missing blocks. If its height does not grow, read the log "
            "(sync_refused).",
        ),
    )


def check_round(view: RoundView, missing: Sequence[str]) -> Finding | None:
    """Announce a height that does not end, and say whose proposal or votes it waits for.

    Args:
        view: The present round.
        missing: The names for `view.missing`.
    """
    is_stuck = view.height_ms >= STUCK_WARN_MS or view.round >= STUCK_ROUNDS
    if view.round < 0 or not is_stuck:
        return None
    vi, en = _AWAITED[view.waits_for]
    seconds, names = view.height_ms // 1_000, ", ".join(missing)
    of_vi, of_en = (f" của {names}", f" of {names}") if missing else ("", "")
    has_vi = has_en = ""
    if view.waits_for in {Awaited.PREVOTES, Awaited.PRECOMMITS}:
        has_vi = f" (có {view.weight}, cần {view.weight_needed})"
        has_en = f" ({view.weight} are here, {view.weight_needed} are needed)"
    return Finding(
        code="round_stuck",
        level=Level.BAD if view.height_ms >= STUCK_BAD_MS else Level.WARN,
        cause=(
            f"Độ cao {view.height} đứng ở vòng {view.round} đã {seconds} giây; "
            f"đang đợi {vi}{of_vi}{has_vi}.",
            f"Height {view.height} stands at round {view.round} after {seconds} seconds; "
            f"it waits for {en}{of_en}{has_en}.",
        ),
        cure=(
            "Gọi người vận hành của các nút đó: khởi động lại, kiểm tra mạng và đồng hồ. "
            "Không mất gì; mạng tự chạy tiếp.",
            "Call the operators of these nodes: restart, check network and clock. "
            "Nothing is lost; it goes on by itself.",
        ),
    )


def check_votes(names: Sequence[str], heights: int) -> Finding | None:
    """Name validators whose votes do not come though blocks are made.

    Args:
        names: Who they are.
        heights: For how many heights at least.
    """
    if not names:
        return None
    shown = ", ".join(names)
    return Finding(
        code="votes_missing",
        level=Level.WARN,
        cause=(
            f"Không có phiếu của {shown} trong {heights} độ cao gần đây.",
            f"No vote of {shown} came for the last {heights} heights.",
        ),
        cure=(
            "Hỏi người vận hành của họ: nút tắt, tụt lại, lệch giờ, hay bị chặn. "
            "Thêm một nút nữa ngừng bỏ phiếu thì mạng có thể đứng.",
            "Ask their operator: the node is down, behind, skewed or cut off. "
            "If one more stops voting the network may stand still.",
        ),
    )


def check_lagging(peers: Sequence[tuple[str, int]], height: int) -> Finding | None:
    """Name peers that are behind.

    Args:
        peers: Name and stored height of each.
        height: Ours.
    """
    if not peers:
        return None
    vi = ", ".join(f"{name} ở khối {at}" for name, at in peers)
    en = ", ".join(f"{name} at block {at}" for name, at in peers)
    return Finding(
        code="peer_lagging",
        level=Level.WARN,
        cause=(
            f"Nút tụt lại sau khối {height}: {vi}.",
            f"Behind this node's block {height}: {en}.",
        ),
        cure=(
            "Thường tự lấy lại; nếu không tiến, người vận hành của họ xem đĩa, mạng và nhật ký.",
            "They usually catch up; if not, their operators look at disk, network and log.",
        ),
    )


def check_conduct(name: str, marks: int, cut_off_ms: int, reason: str) -> Finding | None:
    """Name a peer that sent what no honest node sends.

    Args:
        name: Who.
        marks: Held against it and not yet faded.
        cut_off_ms: For how long it is still cut off.
        reason: Code of the last mark.
    """
    if not marks and not cut_off_ms:
        return None
    seconds = -(-cut_off_ms // 1_000)
    cut_vi = f"; bị ngắt thêm {seconds} giây" if cut_off_ms else ""
    cut_en = f"; cut off for {seconds} more seconds" if cut_off_ms else ""
    return Finding(
        code="peer_misbehaves",
        level=Level.WARN,
        cause=(
            f"{name} gửi thứ mà nút trung thực không gửi ({reason}){cut_vi}.",
            f"{name} sends what no honest node sends ({reason}){cut_en}.",
        ),
        cure=(
            "Báo cho cơ quan đó: phần mềm hỏng hoặc khóa bị chiếm. Nút này tự bảo vệ, không cần "
            "làm gì ở đây.",
            "Tell that agency: broken software or a stolen key. This node defends itself; "
            "nothing is to be done here.",
        ),
    )


def check_equivocation(names: Sequence[str]) -> Finding | None:
    """Name validators that signed two contradicting messages."""
    if not names:
        return None
    shown = ", ".join(names)
    return Finding(
        code="equivocation",
        level=Level.BAD,
        cause=(
            f"Đã ký hai điều trái ngược: {shown}. Bằng chứng nằm trong chuỗi hoặc sắp vào chuỗi.",
            f"Signed two contradicting messages: {shown}. The evidence is in the chain or on its "
            "way into it.",
        ),
        cure=(
            "Các cơ quan bàn với nhau: khóa bị sao chép hay bị chiếm; biểu quyết gỡ nút đó.",
            "The agencies talk: a copied or stolen key; a ballot can remove that validator.",
        ),
    )


def check_peer_clock(name: str, offset_ms: int, error_ms: int, precision_ms: int) -> Finding | None:
    """Name a peer whose clock is off while ours agrees with the others.

    Args:
        name: Who.
        offset_ms: Its clock against the median, positive: ahead.
        error_ms: How far the measurement may be off.
        precision_ms: What the network allows.
    """
    if abs(offset_ms) - error_ms < precision_ms:
        return None
    vi, en = ("nhanh", "ahead") if offset_ms > 0 else ("chậm", "behind")
    return Finding(
        code="peer_clock",
        level=Level.WARN,
        cause=(
            f"Đồng hồ của {name} {vi} khoảng {abs(offset_ms)} ms.",
            f"The clock of {name} is about {abs(offset_ms)} ms {en}.",
        ),
        cure=(
            "Báo người vận hành của họ kiểm tra dịch vụ đồng bộ giờ; đề xuất của họ sẽ bị từ chối.",
            "Tell their operator to check the time service; their proposals will be refused.",
        ),
    )


def check_permission(*, is_asking: bool, votes_from: int, height: int) -> Finding | None:
    """Say why this validator does not vote yet.

    Args:
        is_asking: It still asks its peers what its key has signed.
        votes_from: The lowest height in which it may vote.
        height: That is worked on.
    """
    if not is_asking and votes_from <= height:
        return None
    cause = (
        f"Nút này chưa bỏ phiếu trước độ cao {votes_from}: khóa của nó có thể đã ký ở đó.",
        f"This node does not vote before height {votes_from}: its key may have signed there.",
    )
    cure = (
        "Đợi: nó tự bỏ phiếu lại. Nếu bạn không khôi phục gì, có người khác đang dùng khóa này.",
        "Wait: it votes again by itself. If you restored nothing, somebody else uses its key.",
    )
    if is_asking:
        cause = (
            "Nút này chưa bỏ phiếu: nó đợi trên hai phần ba số nút bạn cho biết khóa này đã ký gì.",
            "This node does not vote yet: it waits for more than two thirds of the validators to "
            "say what its key has signed.",
        )
        cure = (
            "Xem các nút bạn có liên lạc được không. Chỉ khi biết chắc khóa này không chạy ở nơi "
            "khác: khởi động với --end-wait.",
            "See whether the peers are in touch. Only if this key certainly runs nowhere else: "
            "start with --end-wait.",
        )
    return Finding(code="not_voting", level=Level.WARN, cause=cause, cure=cure)
