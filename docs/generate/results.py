"""The columns of the results table, and the reason codes."""

from __future__ import annotations

from collections.abc import Mapping

from .markdown import code, page, prose, table
from .subjects import FAILED, FILTERED, ROUTE_OF, SCHEMA, Meaning

COLUMNS = {
    "id": "the picture: its path below the input, or the manifest's id",
    "uri": "where it was read from",
    "etag": "what tells another version of the file: that of the storage, or size and time of change",
    "status": "`ok`, `filtered` or `failed`",
    "reason": "a [reason code](reasons.md); empty if `ok`",
    "stage": "the stage in which it ended; empty if `ok`",
    "detail": "the message that belongs to the reason",
    "width": "of the upright picture (EXIF orientation applied), pixels; 0 if it was never opened",
    "height": "likewise",
    "quality": "measurement → value: signals of the filter stage, and the probability of each defect, 0 to 1",
    "category": "the kind of subject, see below; empty if it was not looked at",
    "category_score": "its calibrated probability, 0 to 1; 1 where the manifest names it",
    "boxes": "what was found: corners in pixels of the upright picture, `x1` and `y1` exclusive; `label` is `subject`, "
    "`text` or `logo`; `score` 0 to 1",
    "route": "which matting weights were used",
    "confidence": "1 less the expected error of alpha over the subject's area, 0 to 1; null if nothing was cut out",
    "verdicts": "of products with a [preset](../products.md#presets-with-rules): `pass`, `fail` or `unknown`, with "
    "every rule's measured value and bound",
    "outputs": "product → path or URL of its file",
    "digests": "product → MD5 of its file, hexadecimal; empty where the same bytes or a person's correction lay there "
    "before",
    "kept": "the file in `kept/` with what a later run can start from; empty without `restart_at`",
    "seconds": "stage → wall-clock time, its picture's share of a batch",
    "attempts": "how often a process began on it",
    "fingerprint": "hash of settings, products, limits, weights and version; `settings/` has what it is made of",
    "run_id": "the run that made this row; they sort by time",
}
assert list(COLUMNS) == SCHEMA.names, "results.py describes other columns than the ledger has"


def columns() -> str:
    rows = [(code(field.name), code(field.type), COLUMNS[field.name]) for field in SCHEMA]
    routes = [(code(category), code(route)) for category, route in ROUTE_OF.items()]
    return page(
        "# Results",
        "`results/*.parquet` has one row for each picture of the catalog, whatever became of it. Read all files of the "
        "folder as one table:",
        '```python\n--8<-- "folder_to_report.py:table"\n```',
        "While a run lasts, or after it was killed, several rows may have the same `id`; the one with the largest "
        "`run_id` counts. Above 100,000 pictures the files are partitions by the CRC-32 of the id: "
        "`all-00007-of-00128.parquet` has those whose hash lies in the eighth of 128 equal shares.",
        "## Columns",
        table(("column", "type", "meaning"), rows),
        "## Categories and routes",
        "What `category` may be, and the route that it takes by default (`stages.classify.routes` changes it). Routes "
        "without weights of their own use those of `general`.",
        table(("category", "route"), routes),
    )


def reasons() -> str:
    return page(
        "# Reason codes",
        "`reason` in the results, `code` of the service's errors, and the words that the report uses for them. A stage "
        "of your own may give others, which are shown as they are.",
        "## Filtered",
        "These pictures were judged; their files are sound.",
        _meanings(FILTERED),
        "## Failed",
        "With these, something broke.",
        _meanings(FAILED),
    )


def _meanings(codes: Mapping[str, Meaning]) -> str:
    rows = (
        (f'<a id="{name}"></a>{code(name)}', prose(meaning.means), prose(meaning.remedy))
        for name, meaning in codes.items()
    )
    return table(("code", "what it means", "what to do"), rows)
