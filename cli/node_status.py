"""How a running node shows itself to its operator: one screen that is read in ten seconds.

First who and how it is in one word, then where the chain stands and what it waits for, then the
machine, then a row for each peer, then what is wrong with the next action. Everything that the node
says is in `--json` as it came.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from cli.node_evidence import piece_lines
from cli.output import Context

BEHIND: Final = 5
"""Blocks that a peer may be behind before its row says so."""
SILENT_MS: Final = 15_000
_MIB: Final = 1024 * 1024
_GIB: Final = 1024 * _MIB
_PERCENT: Final = 100
_GAP: Final = "  "

Said = Mapping[str, Any]
"""What `/status` of the private listener answers."""


def status_lines(said: Said, context: Context) -> list[str]:
    """Return the lines that a person reads."""
    return [
        _who(said, context),
        _chain(said, context),
        _machine(said, context),
        "",
        *_table(list(_rows(said, context))),
        *_findings(said, context),
        *_evidence(said, context),
    ]


def _who(said: Said, context: Context) -> str:
    name = said.get("agency_name") or context.say("node.status.observer")
    word = context.say(f"node.word.{said['health']}")
    return context.say(
        "node.status.who", node=said["node"], agency=name, network=said["name"], word=word
    )


def _chain(said: Said, context: Context) -> str:
    lines = context.say("node.status.block", height=said["height"], age=_age(said["block_age_ms"]))
    view = said.get("consensus")
    if said["sync"]["active"]:
        return f"{lines} · {context.say('node.status.syncing', goal=said['sync']['goal'])}"
    if view is None:
        return f"{lines} · {context.say('node.status.not_begun')}"
    if view["round"] < 0:
        return f"{lines} · {context.say('node.status.idle')}"
    awaited = context.say(f"node.awaited.{view['waits_for']}")
    if view["missing"]:
        awaited = f"{awaited} ({', '.join(view['missing'])})"
    return lines + " · " + context.say(
        "node.status.working",
        height=view["height"],
        round=view["round"],
        age=_age(view["height_ms"]),
        awaited=awaited,
    )  # fmt: skip


def _machine(said: Said, context: Context) -> str:
    pool = said["pool"]
    used = max(pool["entries"] / pool["entries_max"], pool["bytes"] / pool["bytes_max"])
    skew = said["clock_skew_ms"]
    return context.say(
        "node.status.machine",
        entries=pool["entries"],
        percent=int(used * _PERCENT),
        disk=f"{said['disk_free_bytes'] / _GIB:.1f}",
        clock="-" if skew is None else f"{skew:+d} ms ±{said['clock_error_ms']}",
        log=f"{said['consensus_log_bytes'] / _MIB:.1f}",
        memory=said["resident_memory_bytes"] // _MIB,
    )


def _rows(said: Said, context: Context) -> Iterator[tuple[str, ...]]:
    yield tuple(
        context.say(f"node.column.{name}") for name in ("peer", "state", "block", "vote", "clock")
    )
    for peer in said["peers"]:
        offset = peer["clock_offset_ms"]
        yield (
            peer["name"],
            _state(peer, said["height"], context),
            _number(peer["height"]),
            _number(peer["voted_height"]),
            "-" if offset is None else f"{offset:+d} ms",
        )


def _state(peer: Said, height: int, context: Context) -> str:
    heard_ms = peer["heard_ms"]
    if peer["cut_off_ms"]:
        return context.say("node.state.cut_off", seconds=-(-peer["cut_off_ms"] // 1_000))
    if peer["failures"]:
        return context.say("node.state.gone")
    if peer["marks"]:
        return context.say("node.state.misbehaves", reason=peer["reason"])
    if heard_ms is None or heard_ms >= SILENT_MS:
        return context.say("node.state.silent")
    if peer["height"] is not None and peer["height"] + BEHIND <= height:
        return context.say("node.state.behind", blocks=height - peer["height"])
    return context.say("node.state.ok")


def _findings(said: Said, context: Context) -> Iterator[str]:
    if not said["findings"]:
        yield ""
        yield context.say("node.status.nothing_wrong")
    for found in said["findings"]:
        yield ""
        yield context.say(f"node.{found['level']}", what=found["cause"][context.lang])
        yield f"  {context.say('frame.next')} {found['cure'][context.lang]}"


def _evidence(said: Said, context: Context) -> Iterator[str]:
    """Say who contradicted himself, as far as the chain holds it."""
    if said.get("evidence"):
        yield ""
    for piece in said.get("evidence", ()):
        yield from piece_lines(piece, context)


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield _GAP.join(cells).rstrip()


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def _age(age_ms: int) -> str:
    """Return an age in the unit that a person would choose."""
    seconds = age_ms // 1_000
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
