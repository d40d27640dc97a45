"""Detections: by hand, and against COCO's own evaluation."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from hairline.evaluation.boxes import (
    Answer,
    average_precision,
    mean_average_precision,
    recall_by_ratio,
    recall_by_size,
)


def test_average_precision_by_hand() -> None:
    truth = np.array([[0, 0, 10, 10], [20, 20, 30, 30.0]])
    found = np.array([[0, 0, 10, 10], [50, 50, 60, 60], [20, 20, 30, 31], [0, 0, 10, 11.0]])
    answer = Answer(found, np.array([0.9, 0.8, 0.7, 0.6]), truth)
    assert average_precision([answer]) == pytest.approx((51 + 50 * 2 / 3) / 101)  # recalls up to 0.5, and above
    assert average_precision([Answer(truth, np.ones(2), truth)]) == 1
    assert average_precision([Answer(np.zeros((0, 4)), np.zeros(0), truth)]) == 0
    assert np.isnan(average_precision([Answer(found, np.ones(4), np.zeros((0, 4)))]))


def test_recall_by_ratio_and_size() -> None:
    truth = np.array([[0, 0, 10, 50], [0, 0, 50, 10], [0, 0, 20, 20], [0, 0, 100, 100.0]])
    answer = Answer(truth[1:3], np.ones(2), truth)
    assert recall_by_ratio([answer]) == {"1:6..1:3": 0.0, "1:1.5..1.5:1": 0.5, "3:1..6:1": 1.0}
    assert recall_by_size([answer]) == {"small": pytest.approx(2 / 3), "large": 0.0}


def test_as_coco_has_it() -> None:
    rng = np.random.default_rng(8)
    answers = []
    for _ in range(30):
        corner, size = rng.uniform(0, 200, (4, 2)), rng.uniform(10, 150, (4, 2))
        truth = np.hstack([corner, corner + size])
        near = truth[rng.random(4) < 0.8]
        near = near + rng.normal(0, 6, near.shape)
        found = np.vstack([near, rng.uniform(0, 100, (2, 4)).cumsum(1)])
        found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 2)
        answers.append(Answer(found, rng.random(len(found)), truth))
    with contextlib.redirect_stdout(io.StringIO()):
        judge = _coco(answers)
    assert average_precision(answers) == pytest.approx(judge.stats[1], abs=1e-6)
    assert average_precision(answers, 0.75) == pytest.approx(judge.stats[2], abs=1e-6)
    assert mean_average_precision(answers) == pytest.approx(judge.stats[0], abs=1e-6)
    assert 0.1 < judge.stats[0] < 0.9


def _coco(answers: list[Answer]) -> COCOeval:
    def xywh(box: np.ndarray) -> list[float]:
        return [float(box[0]), float(box[1]), float(box[2] - box[0]), float(box[3] - box[1])]

    truth, found = [], []
    for image, answer in enumerate(answers, 1):
        for box in answer.truth:
            x, y, w, h = xywh(box)
            row = {"id": len(truth) + 1, "image_id": image, "category_id": 1, "bbox": [x, y, w, h]}
            truth.append(row | {"area": w * h, "iscrowd": 0})
        for box, score in zip(answer.found, answer.scores, strict=True):
            found.append({"image_id": image, "category_id": 1, "bbox": xywh(box), "score": float(score)})
    coco = COCO()
    coco.dataset = {
        "images": [{"id": k} for k in range(1, len(answers) + 1)],
        "annotations": truth,
        "categories": [{"id": 1, "name": "subject"}],
    }
    coco.createIndex()
    judge = COCOeval(coco, coco.loadRes(found), "bbox")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    return judge
