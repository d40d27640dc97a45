"""What was examined, read back: in the order that is asked for, and only where it was."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from hairline.autoclassify import examine, files
from hairline.stages.errors import HairlineError


def kept(folder: Path, **pictures: tuple[str, float | None]) -> None:
    """A file with pictures: name -> etag, and the number that all of their features are; None: it is unreadable."""
    rows = [
        {"uri": uri, "etag": etag, "features_imagenet": None if value is None else [value] * examine.FEATURES}
        for uri, (etag, value) in pictures.items()
    ]
    files.write_table(folder / f"{'-'.join(pictures)}.parquet", pa.Table.from_pylist(rows, schema=examine.FACTS))


def test_features_come_in_the_order_of_the_pictures_and_of_their_version(tmp_path: Path) -> None:
    kept(tmp_path, a=("old", 1.0), b=("1", None), c=("1", 3.0))
    kept(tmp_path, d=("1", 4.0), a=("new", 5.0))
    asked = pa.table({"uri": ["d", "a", "c"], "etag": ["1", "new", "1"]})
    found = examine.features(tmp_path, "imagenet", asked)
    assert found.dtype == np.float16 and found[:, 0].tolist() == [4.0, 5.0, 3.0] and (found.std(1) == 0).all()


def test_an_encoder_that_was_not_asked_for_before_is_said(tmp_path: Path) -> None:
    kept(tmp_path, a=("1", 1.0), b=("1", 2.0))
    with pytest.raises(HairlineError, match="2 pictures were examined without the encoder builtin"):
        examine.features(tmp_path, "builtin", pa.table({"uri": ["a", "b"], "etag": ["1", "1"]}))
