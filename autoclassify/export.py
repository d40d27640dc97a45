"""`hairline autoclassify export`: the best trial as a file that the stages load, calibrated, with figures."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor

from .. import __version__
from ..evaluation.labels import calibration_error, confusion, kappa, macro_f1
from ..stages import checkpoints
from ..stages.networks.exported import KEY, ExportedNet, Form, most_probable, probabilities
from . import files
from .calibrate import calibrate
from .card import model_card
from .clean import state
from .prepare import DATASET, Prepared
from .search import load_checkpoint
from .trial import form_of, shortened

MODEL, LABELS, FIGURES, CARD = "model", "labels.json", "figures.json", "README.md"
CALIBRATION = 4000  # pictures learned on whose features tell what is strange, at most


def assemble(row: dict[str, Any], labels: tuple[str, ...], ordered: bool) -> ExportedNet:
    """The network that a trial made, uncalibrated. row: of `search`."""
    form, found = form_of(row["config"], labels, ordered), load_checkpoint(row)
    network = ExportedNet(form)
    if "network" in found:
        network.load_state_dict(found["network"], strict=False)
    else:
        network.encoder.load_state_dict(shortened(row["config"]["start"], form.levels).state_dict())
        network.head.load_state_dict(found["head"])
    return network.eval()


def export(prepared: Prepared, row: dict[str, Any], history: list[dict[str, Any]]) -> dict[str, Any]:
    """Exports a trial into OUT/model, in the Ray session that is there.

    Args:
        row: the trial, of `search`.
        history: what each round was and brought, for the card.

    Returns:
        Figures on the test part, see `figures`.
    """
    network = assemble(row, prepared.labels, prepared.ordered)
    now, parts = state(prepared), prepared.column("split")
    train, val, test = (np.nonzero((parts == part) & now.used)[0] for part in ("train", "val", "test"))
    some = np.random.default_rng(0).permutation(train)[:CALIBRATION]
    if row["config"]["tuned"]:
        inside, outside, held = (pool(network, prepared, rows) for rows in (some, val, test))
    else:  # the encoder is one whose features are kept
        features = prepared.features(row["config"]["start"])[:, : len(network.head.mean)].astype(np.float32)
        inside, outside, held = (torch.from_numpy(features[rows]) for rows in (some, val, test))
    calibrate(network, inside, outside, now.targets[val])
    found = figures(network, held, now.targets[test])
    found["examples"] = _examples(prepared, test, found.pop("predicted"), now.targets[test])
    folder = prepared.output / MODEL
    files.write(folder / checkpoints.EXPORT, packed(network))
    files.write_json(folder / LABELS, list(prepared.labels))
    files.write_json(folder / FIGURES, found)
    about = files.read_json(prepared.output / DATASET)["dataset"]
    files.write(folder / CARD, model_card(about, network.form, row, found, history, __version__))
    return found


def packed(network: ExportedNet) -> bytes:
    """The file of a classifier: half precision where that is enough, its form among the metadata."""
    tensors = {}
    for name, value in network.state_dict().items():
        half = value.is_floating_point() and name.startswith("encoder.") and value.ndim > 1
        tensors[name] = (value.half() if half else value).contiguous()
    return save(tensors, {KEY: network.form.model_dump_json()})


def pool(network: ExportedNet, prepared: Prepared, rows: NDArray[np.int64]) -> Tensor:
    """Features of pictures as the classify stage would have them, float [n, P]: read anew, on Ray."""
    import ray

    if not len(rows):
        return torch.zeros(0, len(network.head.mean))
    uris = [prepared.table["uri"][int(row)].as_py() for row in rows]
    handed = ray.put((network.form.model_dump(), network.state_dict()))
    task = ray.remote(_pool)
    size = max(1, min(128, -(-len(uris) // 8)))
    return torch.cat(ray.get([task.remote(handed, uris[at : at + size]) for at in range(0, len(uris), size)]))


def _pool(handed: tuple[dict[str, Any], dict[str, Tensor]], uris: list[str]) -> Tensor:
    from ..stages.classify import network_input
    from ..stages.decode.picture import Picture
    from ..stages.networks.batch import forward_images
    from ..stages.networks.blocks import fold_bn

    torch.set_num_threads(1)
    network = ExportedNet(Form(**handed[0]))
    network.axes = handed[1]["axes"]
    network.load_state_dict(handed[1])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    checkpoints.inference(fold_bn(network.eval().encoder), device)
    images = np.stack([network_input(Picture(files.read(uri)), network.form.size) for uri in uris])
    return forward_images(network.pool, images, device)


@torch.no_grad()
def figures(network: ExportedNet, features: Tensor, targets: NDArray[np.int64]) -> dict[str, Any]:
    """How well a classifier does: accuracy, macro F1, kappa with quadratic weights, calibration error, how many answers
    are sure and how many of these right, the confusion matrix, and of bins of the probability how many are right."""
    labels, ordered = network.form.labels, network.form.ordered
    if not len(targets):
        return {"pictures": 0, "predicted": np.zeros(0, np.int64)}
    found = probabilities(network.logits(features), ordered)
    predicted = most_probable(found, ordered).numpy()
    judged = [network.judge(row[None])[0] for row in features]
    sure = np.array([not one.unsure for one in judged])
    right, confidence = predicted == targets, found.numpy().max(1)
    place = np.minimum((confidence * 10).astype(int), 9)
    reliability = [
        [float(confidence[place == b].mean()), float(right[place == b].mean()), int((place == b).sum())]
        for b in range(10)
        if (place == b).any()
    ]
    answer = {
        "pictures": len(targets),
        "accuracy": round(float(right.mean()), 4),
        "macro_f1": round(macro_f1(predicted, targets, len(labels)), 4),
        "kappa": round(kappa(predicted, targets, len(labels)), 4) if ordered else None,
        "calibration_error": round(calibration_error(confidence, right), 4),
        "sure": round(float(sure.mean()), 4),
        "accuracy_where_sure": round(float(right[sure].mean()), 4) if sure.any() else None,
        "confusion": confusion(predicted, targets, len(labels)).tolist(),
        "reliability": reliability,
        "predicted": predicted,
    }
    return json.loads(json.dumps(answer, default=lambda value: value.tolist())) | {"predicted": predicted}


def _examples(prepared: Prepared, rows: NDArray, predicted: NDArray, targets: NDArray) -> list[dict[str, Any]]:
    """One picture for each kind of mistake, the most frequent kinds first."""
    kinds: dict[tuple[int, int], list[int]] = {}
    for row, wrong, true in zip(rows.tolist(), predicted.tolist(), targets.tolist(), strict=True):
        if wrong != true:
            kinds.setdefault((true, wrong), []).append(row)
    most = sorted(kinds.items(), key=lambda kind: -len(kind[1]))[:12]
    return [
        {"row": found[0], "true": prepared.labels[true], "predicted": prepared.labels[wrong], "count": len(found)}
        for (true, wrong), found in most
    ]
