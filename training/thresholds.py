"""`python -m hairline.training.thresholds filter|no_subject`: what each threshold would do, on training pictures.

Thresholds are chosen on pictures of the training split, so that the figures of the validation split are not flattered
by them. `filter`: for each defect the share of strongly spoilt pictures (severity 3 and more) that a probability
catches, and the false alarms. `no_subject`: the share of empty pictures that `stages.coarse.no_subject` ends, and of
pictures with a subject that it ends wrongly; and the regression's coefficients if they were fitted anew.
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.linear_model import LogisticRegression

from ..stages.base import run_stages
from ..stages.coarse import EMPTY_COEFFICIENTS, EMPTY_INTERCEPT, CoarseSettings, empty_features
from ..stages.filter import REASONS
from ..stages.networks.quality import DEFECTS
from . import coarse, data, detect, quality
from .command import run
from .parallel import parallel_map, stage
from .validation import Picture, composites

PROBABILITIES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
SCORES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def filter_table(count: int) -> list[str]:
    """A line for each defect and probability; `count` pictures of each kind."""
    sampler, rng = quality.Sampler("train"), np.random.default_rng(31)
    spoiled, truths = [], []
    for _ in range(3 * count):
        rgb, severities = sampler.spoiled(rng)
        spoiled.append(Picture(rgb, "spoiled"))
        truths.append(dict(zip(DEFECTS, quality.labels(severities)[0].tolist(), strict=True)))
    photos = [Picture(p.rgb, "photo") for group in sampler.photos.values() for p in group[:count]]
    white = [Picture(quality.on_white(sampler, rng, int(rng.integers(250, 256))), "white") for _ in range(count)]
    posters = detect.Sampler("train")
    designs = [Picture(posters.design(rng, 512)[0], "design") for _ in range(count)]  # text over a product is no fault
    sets = {"spoiled": spoiled, "photographs": photos, "white": white, "designs": designs}
    found = {name: parallel_map(_qualities, pictures) for name, pictures in sets.items()}
    lines = ["| | probability | caught | alarms, no defect | photographs | white | designs |"]
    for defect, reason in REASONS.items():
        strong = [k for k, truth in enumerate(truths) if truth[defect] >= 3]
        clean = [k for k, truth in enumerate(truths) if max(truth.values()) == 0]
        for least in PROBABILITIES:
            over = {name: np.array([q[defect] > least for q in answers]) for name, answers in found.items()}
            judged = over.pop("spoiled")
            shares = (judged[strong], judged[clean], *over.values())
            lines.append(f"| {reason} | {least} | " + " | ".join(f"{share.mean():.3f}" for share in shares) + " |")
    return lines


def no_subject_table(count: int) -> list[str]:
    """A line for each score."""
    rng = np.random.default_rng(32)
    groups = data.backgrounds("train", 512)
    sets = {"empty": [Picture(rgb, name) for name, group in groups.items() if name != "bg_shelf" for rgb in group]}
    sets["photographs"] = [Picture(p.rgb, name) for name, g in data.photos("train", 512).items() for p in g]
    sets = {name: [group[i] for i in rng.permutation(len(group))[:count]] for name, group in sets.items()}
    plain = coarse.Sampler("train")
    plain.varied = False  # as in validation
    sets["composites"] = composites(max(1, count // len(plain.foregrounds)), seed=32, sampler=plain)
    found = {name: parallel_map(_empty_features, pictures) for name, pictures in sets.items()}
    parts = np.array([part for group in found.values() for part, _ in group])
    empty = np.repeat(list(found), [len(group) for group in found.values()]) == "empty"
    fitted = LogisticRegression(C=10, max_iter=1000).fit(parts, empty)
    counts = ", ".join(f"{x:.2f}" for x in fitted.coef_[0])
    rules = {"as it is": (EMPTY_COEFFICIENTS, EMPTY_INTERCEPT), "fitted": (fitted.coef_[0], fitted.intercept_[0])}
    lines = [f"fitted: EMPTY_COEFFICIENTS, EMPTY_INTERCEPT = ({counts}), {fitted.intercept_[0]:.2f}", ""]
    lines.append("| rule | no_subject | " + " | ".join(sets) + " |")
    smallest = CoarseSettings().min_area
    for name, (weights, constant) in rules.items():
        for least in SCORES:
            odds = np.log(least / (1 - least)) - constant
            ended = (
                [np.dot(weights, part) > odds or area < smallest for part, area in group] for group in found.values()
            )
            lines.append(f"| {name} | {least} | " + " | ".join(f"{np.mean(each):.3f}" for each in ended) + " |")
    return lines


def _qualities(picture: Picture) -> dict[str, float]:
    item = picture.item()
    stage("filter").process([item])
    return {defect: item.quality[defect] for defect in REASONS}


def _empty_features(picture: Picture) -> tuple[np.ndarray, float]:
    item = picture.item()
    run_stages([stage("classify"), stage("detect"), stage("coarse", min_area=0, no_subject=1)], [item])
    return empty_features(item)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m hairline.training.thresholds", description=__doc__)
    parser.add_argument("of", choices=("filter", "no_subject"))
    parser.add_argument("--pictures", type=int, default=200, help="of each kind (default: %(default)s)")
    args = parser.parse_args(argv)
    print("\n".join((filter_table if args.of == "filter" else no_subject_table)(args.pictures)))
    return 0


if __name__ == "__main__":
    run(main)
