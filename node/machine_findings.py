"""What may be wrong with this machine: disk, clock, pool, log, files. Pure; see `node.health`.

Each function takes numbers and returns a finding in both languages, or None where all is well.
"""

from collections.abc import Sequence
from typing import Final

from node.health import Finding, Level

GIBIBYTE: Final = 1024**3
MEBIBYTE: Final = 1024**2
DISK_WARN_BYTES: Final = 5 * GIBIBYTE
DISK_BAD_BYTES: Final = GIBIBYTE // 2
DISK_WARN_S: Final = 7 * 86_400
"""A disk that will be full within a week at its present rate is announced."""
POOL_WARN_PERCENT: Final = 80
LOG_WARN_BYTES: Final = 64 * MEBIBYTE
"""The consensus log begins anew with every height; so large it is only where one never ends."""
CERTIFICATE_WARN_MS: Final = 30 * 86_400_000
CERTIFICATE_BAD_MS: Final = 3 * 86_400_000
_PERCENT: Final = 100
_DAY_S: Final = 86_400
_DAY_MS: Final = 86_400_000


def check_disk(free_bytes: int, full_in_s: int | None = None) -> Finding | None:
    """Announce a disk that fills up before it hurts.

    Args:
        free_bytes: Of the data folder.
        full_in_s: When nothing would be left at the present rate; None if it does not fill.
    """
    soon = full_in_s is not None and full_in_s < DISK_WARN_S
    if free_bytes >= DISK_WARN_BYTES and not soon:
        return None
    bad = free_bytes < DISK_BAD_BYTES
    free = free_bytes // MEBIBYTE
    vi, en = "", ""
    if soon and full_in_s is not None:
        days = full_in_s / _DAY_S
        vi = f" Với tốc độ hiện nay, đĩa sẽ đầy sau {days:.1f} ngày."
        en = f" At the present rate it is full in {days:.1f} days."
    return Finding(
        code="disk_low",
        level=Level.BAD if bad else Level.WARN,
        cause=(
            f"Thư mục dữ liệu còn {free} MiB trống.{vi}",
            f"The data folder has {free} MiB left.{en}",
        ),
        cure=(
            "Giải phóng hoặc thêm dung lượng; không xóa tệp nào trong thư mục dữ liệu.",
            "Free or add space; delete nothing inside the data folder.",
        ),
    )


def check_skew(skew_ms: int | None, error_ms: int, precision_ms: int) -> Finding | None:
    """Announce a clock that goes wrong before votes are lost by it.

    Args:
        skew_ms: How far the own clock is ahead of the peers' median; None if none has answered.
        error_ms: How far the measurement may be off.
        precision_ms: What the network allows.
    """
    if skew_ms is None:
        return None
    certain_ms = max(0, abs(skew_ms) - error_ms)
    if certain_ms < precision_ms // 2:
        return None
    vi, en = ("nhanh", "ahead of") if skew_ms > 0 else ("chậm", "behind")
    return Finding(
        code="clock_skew",
        level=Level.BAD if certain_ms >= precision_ms else Level.WARN,
        cause=(
            f"Đồng hồ máy này {vi} khoảng {abs(skew_ms)} ms so với các nút khác "
            f"(mạng cho phép {precision_ms} ms).",
            f"This machine's clock is about {abs(skew_ms)} ms {en} the other nodes "
            f"(the network allows {precision_ms} ms).",
        ),
        cure=(
            "Kiểm tra dịch vụ đồng bộ giờ (NTP, chrony) của máy này.",
            "Check this machine's time service (NTP, chrony).",
        ),
    )


def check_pool(
    entries: tuple[int, int], size_bytes: tuple[int, int], largest: tuple[int, int] = (0, 0)
) -> Finding | None:
    """Announce a pool that fills up, or one signer who sends as much as a signer may.

    Args:
        entries: That wait, and how many may.
        size_bytes: Of them, and how many may wait.
        largest: Entries of the signer who has most, and how many one signer may have.
    """
    percent = max(
        entries[0] * _PERCENT // entries[1],
        size_bytes[0] * _PERCENT // size_bytes[1],
    )
    if percent >= POOL_WARN_PERCENT:
        cause = (
            f"Hàng chờ đã đầy {percent} %: {entries[0]} hồ sơ (tối đa {entries[1]}), "
            f"{size_bytes[0] // MEBIBYTE} MiB (tối đa {size_bytes[1] // MEBIBYTE}).",
            f"The pool is {percent} % full: {entries[0]} entries of {entries[1]}, "
            f"{size_bytes[0] // MEBIBYTE} MiB of {size_bytes[1] // MEBIBYTE}.",
        )
    elif largest[1] and largest[0] >= largest[1]:
        cause = (
            f"Một người ký có {largest[0]} hồ sơ đang chờ, bằng mức tối đa cho một người ký.",
            f"One signer has {largest[0]} entries waiting, as many as one signer may.",
        )
    else:
        return None
    return Finding(
        code="pool_filling",
        level=Level.WARN,
        cause=cause,
        cure=(
            "Xem mạng có tạo khối không; bảo người gửi nhiều nhất chậm lại.",
            "See whether the network makes blocks; ask who sends most to slow down.",
        ),
    )


def check_log(size_bytes: int) -> Finding | None:
    """Announce a consensus log that grows because its height does not end."""
    if size_bytes < LOG_WARN_BYTES:
        return None
    return Finding(
        code="log_large",
        level=Level.WARN,
        cause=(
            f"Nhật ký đồng thuận đã lớn tới {size_bytes // MEBIBYTE} MiB trong một độ cao.",
            f"The consensus log has grown to {size_bytes // MEBIBYTE} MiB within one height.",
        ),
        cure=(
            "Xem vì sao độ cao này không kết thúc (round_stuck, peers_gone); đừng xóa nhật ký.",
            "See why this height does not end (round_stuck, peers_gone); do not delete the log.",
        ),
    )


def check_log_made(guard_height: int | None) -> Finding | None:
    """Announce a validator that was started without its consensus log, until the next start.

    Args:
        guard_height: The highest height at which its key had signed then; None where nothing was
            missing.
    """
    if guard_height is None:
        return None
    return Finding(
        code="log_missing",
        level=Level.WARN,
        cause=(
            f"Khi khởi động không có nhật ký đồng thuận, dù khóa đã ký tới độ cao {guard_height}: "
            "nút không còn nhớ mình đã khóa gì, nên im lặng tới hết độ cao đó.",
            "There was no consensus log at the start, though the key has signed up to height "
            f"{guard_height}: the node forgot what it had locked and is silent up to that height.",
        ),
        cure=(
            "Tìm xem ai hoặc chương trình nào đã xóa data/wal; không dùng --end-wait. Lần khởi "
            "động sau sẽ không còn cảnh báo này.",
            "Find out who or what deleted data/wal; do not use --end-wait. It is not said any more "
            "after the next start.",
        ),
    )


def check_vault_made(made_at: int, held_to: int) -> Finding | None:
    """Announce a vault that was lost and made anew, until it holds again what others hold.

    Args:
        made_at: The height of the chain at which it was made; 0 with the chain.
        held_to: The height up to which all bodies are here.
    """
    if held_to >= made_at:
        return None
    return Finding(
        code="vault_made",
        level=Level.WARN,
        cause=(
            f"Kho niêm phong được tạo lại từ đầu ở khối {made_at}: nội dung niêm phong trước đó "
            "đang được lấy về, khóa đã bọc thì chỉ bản sao lưu mới có.",
            f"The vault was made anew at block {made_at}: the sealed bodies before it are being "
            "fetched, the wraps are nowhere but in a backup.",
        ),
        cure=(
            "Nếu có bản sao lưu kho: dừng nút, đặt bản đó vào chỗ data/vault, chạy lại. Nút bắt "
            "đầu từ ảnh chụp thì đợi.",
            "If there is a backup of the vault: stop the node, put it in the place of data/vault, "
            "start again. A node that began with a snapshot waits.",
        ),
    )


def check_key(missing: str | None) -> Finding | None:
    """Announce a validator that cannot vote because its key is not here.

    Args:
        missing: Id of the key that the next height wants of this node, in hexadecimal; None if it
            is here, or none is wanted.
    """
    if missing is None:
        return None
    return Finding(
        code="consensus_key_missing",
        level=Level.BAD,
        cause=(
            f"Nút này không bỏ phiếu được: mạng biết nó qua khóa đồng thuận {missing}, mà khóa đó "
            "không có ở đây.",
            f"This node cannot vote: the network knows it by the consensus key {missing}, which is "
            "not here.",
        ),
        cure=(
            "Đặt lại đúng tệp keys/consensus.pem (hoặc consensus.next.pem) rồi chạy lại; mất khóa "
            "thì người quản trị đổi khóa.",
            "Put the right keys/consensus.pem (or consensus.next.pem) back and restart; if it is "
            "lost, the governors replace the key.",
        ),
    )


def check_exposed(names: Sequence[str]) -> Finding | None:
    """Announce key files that others on this machine can read.

    Args:
        names: Of such files, relative to the node's home.
    """
    if not names:
        return None
    shown = ", ".join(names)
    return Finding(
        code="key_exposed",
        level=Level.BAD,
        cause=(
            f"Người khác trên máy này đọc được tệp khóa: {shown}.",
            f"Others on this machine can read key files: {shown}.",
        ),
        cure=(
            "chmod 600 các tệp đó; nếu có người đã có thể đọc, hãy tạo khóa mới và đổi sang khóa "
            "đó.",
            "chmod 600 these files; if somebody could have read one, make a new key and change "
            "to it.",
        ),
    )


def check_certificate(name: str, left_ms: int | None) -> Finding | None:
    """Announce a certificate before it ends.

    Args:
        name: Of the file, or whose certificate it is.
        left_ms: Until it ends, negative when it has ended; None if it cannot be read.
    """
    if left_ms is not None and left_ms >= CERTIFICATE_WARN_MS:
        return None
    if left_ms is None:
        level = Level.WARN
        cause = (f"Không đọc được chứng thư {name}.", f"The certificate {name} cannot be read.")
    elif left_ms < 0:
        level = Level.BAD
        cause = (f"Chứng thư {name} đã hết hạn.", f"The certificate {name} has expired.")
    else:
        days = left_ms // _DAY_MS
        level = Level.BAD if left_ms < CERTIFICATE_BAD_MS else Level.WARN
        cause = (
            f"Chứng thư {name} hết hạn sau {days} ngày.",
            f"The certificate {name} expires in {days} days.",
        )
    return Finding(
        code="certificate_expiry",
        level=level,
        cause=cause,
        cure=(
            "Gia hạn chứng thư ở nơi cấp, thay tệp, rồi nạp lại máy chủ web đứng trước nút.",
            "Renew it where it was issued, replace the file, and reload the web server before "
            "the node.",
        ),
    )
