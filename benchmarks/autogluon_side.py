"""AutoGluon's side of `beside_autogluon.py`: runs where autogluon.multimodal is installed and Hairline is not.

    python benchmarks/autogluon_side.py PICTURES.csv START.pth FOLDER MINUTES

PICTURES.csv has uri, label and split; START.pth are the weights that Hairline starts from, of EfficientNet-Lite0: so
both know the same beforehand. Ends with one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pandas as pd
import timm
import torch
from autogluon.multimodal import MultiModalPredictor

NETWORK = "tf_efficientnet_lite0"  # timm's name of it


def checkpoint(start: Path, folder: Path) -> Path:
    """The weights under timm's names, in a folder as AutoGluon takes it."""
    model = timm.create_model(NETWORK, num_classes=0)
    given = [v for name, v in torch.load(start, map_location="cpu", weights_only=True).items() if name[:3] != "_fc"]
    renamed = dict(zip(model.state_dict(), given, strict=True))  # both list the same layers in the same order
    model.load_state_dict(renamed)
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(renamed, folder / "pytorch_model.bin")
    config = {"architecture": NETWORK, "num_features": model.num_features, "pretrained_cfg": model.pretrained_cfg}
    (folder / "config.json").write_text(json.dumps(config, default=str))
    return folder


def main() -> None:
    pictures, start, folder, minutes = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4])
    table = pd.read_csv(pictures).rename(columns={"uri": "image"})
    parts = {name: part[["image", "label"]].reset_index(drop=True) for name, part in table.groupby("split")}
    predictor = MultiModalPredictor(
        label="label", problem_type="multiclass", eval_metric="accuracy", path=str(folder / "predictor"), verbosity=1
    )
    started = time.monotonic()
    predictor.fit(
        parts["train"],
        tuning_data=parts["val"],
        time_limit=60 * minutes,
        seed=0,
        hyperparameters={
            "model.names": ["timm_image"],
            "model.timm_image.checkpoint_name": str(checkpoint(start, folder / "start")),
            "env.accelerator": "cpu",
            "env.num_gpus": 0,
            "env.num_workers": 0,
            "env.num_workers_inference": 0,
        },
    )
    seconds = time.monotonic() - started
    right = predictor.predict(parts["test"]).to_numpy() == parts["test"]["label"].to_numpy()
    print(json.dumps({"accuracy": round(float(right.mean()), 4), "seconds": round(seconds)}))


if __name__ == "__main__":
    main()
