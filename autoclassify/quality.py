"""Quality issues of pictures: cleanvision's scores against its limits."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from .examine import MEASURES


def issues(facts: pa.Table) -> list[list[str]]:
    """The issues of each picture, of `examine.MEASURES`. facts: with a column for each of them."""
    from cleanvision.issue_managers.image_property_issue_manager import ImagePropertyIssueManager

    limits = ImagePropertyIssueManager().get_default_params()
    found: list[list[str]] = [[] for _ in range(len(facts))]
    for measure in MEASURES:
        values = facts[measure].to_numpy()
        if measure == "odd_size":  # as cleanvision has it: far outside of the middle half
            low, high = np.percentile(values, [25, 75])
            reach = limits[measure]["iqr_factor"] * (high - low)
            hit = (values < low - reach) | (values > high + reach)
        else:
            hit = values < limits[measure]["threshold"]
        for row in np.nonzero(hit)[0].tolist():
            found[row].append(measure)
    return found
