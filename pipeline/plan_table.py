"""The tables of `hairline plan`: pools as planned, pools as measured, and what it all takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from ..cluster.nodes import Node
from ..cluster.placement import Placement
from .cost import Estimate
from .measure import PoolSample
from .progress import clock
from .tuning import Proposal

WORDS = ("pool", "stages", "nodes", "why")  # columns of text; numbers stand on the right


def pool_rows(placements: Sequence[Placement], nodes: Sequence[Node], batches: int | None) -> list[dict[str, Any]]:
    """One row for each pool: what runs where, how much of a card it takes, how many, and why so many.

    Args:
        nodes: all that there may be.
        batches: how many there are to do, None where that is not known.
    """
    return [
        {
            "pool": each.pool.name,
            "stages": list(each.pool.stages),
            "nodes": _groups(each, nodes),
            "cpus": each.pool.cpus,
            "cards": [{"card": c.card, "gib": c.gib, "gpu": c.gpu, "workers": c.most} for c in each.cards],
            "workers_min": each.smallest,
            "workers_max": each.largest,
            "workers_first": each.first,
            "workers_fit": each.planned,
            "batch": each.pool.batch,
            "why": "; ".join(_why(each, batches)),
        }
        for each in placements
    ]


def _groups(placement: Placement, nodes: Sequence[Node]) -> list[str]:
    """The node types that a pool's processes come to: those with its cards, or those without any."""
    if placement.cards:
        cards = {card.card for card in placement.cards if card.most}
        return sorted({node.group or node.card or "with GPU" for node in nodes if node.gpus and node.card in cards})
    plain = [node for node in nodes if not node.gpus] or nodes
    return sorted({node.group for node in plain if node.group}) or ["any"]


def _why(placement: Placement, batches: int | None) -> list[str]:
    pool = placement.pool
    why = [
        f"{pool.gpu_memory_gib:g} of {card.gib:.3g} GiB" for card in placement.cards if pool.gpu_memory_gib and card.gib
    ]
    if batches is not None and placement.largest == max(batches, 1):
        why.append(f"{batches:,} {'batch' if batches == 1 else 'batches'} to do")
    elif pool.workers == "auto":
        why.append("as many as fit" if placement.smallest == placement.largest else "one at least, as many as fit")
    if placement.planned < placement.largest:
        why.append(f"{placement.planned} find room")
    return why


def pools_table(rows: Sequence[dict[str, Any]]) -> Table:
    table = _table("pool", "stages", "nodes", "CPUs", "GPU", "workers", "batch", "why")
    for row in rows:
        shares = " / ".join(dict.fromkeys(f"{card['gpu']:.3g}" for card in row["cards"] if card["workers"])) or "–"
        low, high = row["workers_min"], row["workers_max"]
        table.add_row(
            row["pool"],
            " ".join(row["stages"]),
            " ".join(row["nodes"]),
            f"{row['cpus']:g}",
            shares,
            str(low) if low == high else f"{low}–{high}",
            str(row["batch"]),
            row["why"],
        )
    return table


def sample_rows(samples: Sequence[PoolSample], pictures: int) -> list[dict[str, Any]]:
    """One row for each pool of a sample of so many pictures."""
    return [
        {
            "pool": each.pool,
            "pictures": each.pictures,
            "stages": {
                stage: {"seconds": round(spent, 4), "pictures_per_s": round(pictures / spent, 3) if spent else None}
                for stage, spent in each.seconds.items()
            },
            "peak_mib": round(each.peak_mib),
            "gpu_mib": round(each.gpu_mib),
            "bytes_in": each.bytes_in,
            "bytes_out": each.bytes_out,
            "setup_s": round(each.setup_s, 2),
            "ended": dict(each.counts),
        }
        for each in samples
    ]


def sample_table(rows: Sequence[dict[str, Any]], pictures: int) -> Table:
    table = _table("pool", "stage", "ms/picture", "pictures/s", "memory MiB", "GPU MiB", "KiB in", "KiB out")
    for row in rows:
        first = True
        for stage, facts in row["stages"].items():
            once = [row["pool"], str(row["peak_mib"]), str(row["gpu_mib"] or "–")] if first else ["", "", ""]
            sizes = [f"{row[way] / pictures / 1024:,.1f}" if first else "" for way in ("bytes_in", "bytes_out")]
            speed = facts["pictures_per_s"]
            each = f"{facts['seconds'] / pictures * 1000:,.1f}"
            table.add_row(once[0], stage, each, f"{speed:,.3g}" if speed else "–", *once[1:], *sizes)
            first = False
    return table


def proposal_rows(proposals: Sequence[Proposal]) -> list[dict[str, Any]]:
    return [
        {
            "pool": each.pool,
            "workers": each.range,
            "batch": each.batch,
            "pictures_per_s": _rounded(each),
            "why": each.why,
        }
        for each in proposals
    ]


def _rounded(proposal: Proposal) -> float | None:
    return round(proposal.rate, 3) if proposal.seconds else None


def proposal_table(rows: Sequence[dict[str, Any]]) -> Table:
    table = _table("pool", "workers", "batch", "pictures/s", "why")
    for row in rows:
        speed = row["pictures_per_s"]
        table.add_row(
            row["pool"], str(row["workers"]), str(row["batch"]), f"{speed:,.3g}" if speed else "–", row["why"]
        )
    return table


def estimate_lines(estimate: Estimate) -> list[str]:
    """What it takes, for people."""
    cards = "".join(f", {hours:,.3g} hours of {card}" for card, hours in estimate.card_hours.items())
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in estimate.requests.items() if number)
    lines = [
        f"{estimate.pictures:,} pictures take {clock(estimate.hours * 3600)}: "
        f"{estimate.core_hours:,.3g} core-hours{cards}",
        f"read {estimate.gib_in:,.3g} GiB, written {estimate.gib_out:,.3g} GiB"
        + (f"; requests of the object store: {kinds}" if kinds else ""),
    ]
    if estimate.cost:
        parts = ", ".join(f"{what.replace('_', ' ')} {sum_:,.2f}" for what, sum_ in estimate.cost.items() if sum_)
        total = sum(estimate.cost.values())
        per = total / estimate.pictures * 1000 if estimate.pictures else 0.0
        lines.append(f"cost {total:,.2f} {estimate.currency} ({parts or 'nothing'}), {per:,.3g} for 1,000 pictures")
    return lines


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="left" if column in (*WORDS, "stage") else "right", overflow="fold")
    return table
