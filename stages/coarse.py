"""The coarse stage: roughly which pixels are the subject's, crop by crop, and where that is unsure."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import nn

from .imaging.crops import Crop as Part
from .imaging.crops import CropSettings, crops_for, cut, is_strip, overview_wins, regrown
from .imaging.graphics import is_graphic
from .imaging.resolve_by_colour import settle
from .item import U8, Crop, Item
from .networks.batch import forward_images
from .networks.coarse import SIZE, CoarseNet
from .networks.stage import NetworkStage, RoutedSettings
from .networks.user_model import UserModel, UserModelSettings

F32 = NDArray[np.float32]
UNTOLD = 0.7  # probability of a scene where no classify stage has run
# log-odds of there being no subject: what each part of `evidence` counts, and a constant; fitted on training pictures,
# see `python -m hairline.training.thresholds no_subject`
COUNTS, CONSTANT = (1.07, -0.13, 0.92), 0.16
FAR = 224  # side of the picture, pixels, at which the network sees what belongs together; near it sees it at SIZE
APART = 4.0  # pixels of the answer (sigma) above which the far look is believed, and below which the near one
DECORATED = 0.4  # score of a text or logo from which a picture counts as a design


class CoarseSettings(RoutedSettings):
    model: UserModelSettings | None = Field(None, description="a model of yours instead of ours")
    crops: CropSettings = CropSettings()
    min_area: float = Field(0.0015, ge=0, le=1, description="smallest share of the picture that counts as a subject")
    no_subject: float = Field(
        0.7, ge=0, le=1, description="probability that there is no subject from which on a picture ends so; 1: never"
    )


class CoarseStage(NetworkStage[CoarseSettings, CoarseNet]):
    """Fills `item.crops`; ends pictures in which there is nothing to cut out as `no_subject`."""

    name = "coarse"
    Settings = CoarseSettings
    network = "coarse"
    Network = CoarseNet

    @classmethod
    def weight_hashes(cls, settings: CoarseSettings) -> dict[str, str]:
        return {"model": settings.model.check()} if settings.model else super().weight_hashes(settings)

    def setup(self, device: torch.device) -> None:
        self.user_model = UserModel(self.settings.model) if self.settings.model else None
        if self.user_model:
            self.networks = {}
            self.user_model.setup(device)
        else:
            super().setup(device)

    def process(self, items: Sequence[Item]) -> None:
        options = self.settings.crops
        wanted: list[tuple[Item, list[Part]]] = []
        for item in items:
            subjects = [box for box in item.boxes if box.label == "subject"]
            item.crops = []
            wanted.append((item, crops_for(subjects, item.width, item.height, options)))
            self._take_over(item, wanted[-1][1])
        wanted = [(item, boxes) for item, boxes in wanted if not item.crops]
        items = [item for item, _ in wanted]
        for _ in range(options.regrow + 1):
            self._look(wanted)
            again = [
                (item, boxes)
                for item, old in wanted
                if (boxes := regrown(old, [c.alpha for c in item.crops], item.width, item.height, options)) != old
            ]
            if not again:
                break
            wanted = again
        self._overview(items)
        for item in items:
            self._judge(item)

    def _take_over(self, item: Item, boxes: Sequence[Part]) -> None:
        """Fills `item.crops` with the matte that a picture brings itself, if it does: nothing is unsure about it."""
        matte = item.picture.own_matte
        if matte is None:
            return
        for x0, y0, x1, y1 in boxes if len(boxes) > 1 else [(0, 0, item.width, item.height)]:
            part = cv2.resize(matte[y0:y1, x0:x1], (SIZE, SIZE), interpolation=cv2.INTER_AREA)
            item.crops.append(Crop((x0, y0, x1, y1), part.astype(np.uint8, copy=False), np.zeros_like(part)))

    def _overview(self, items: Sequence[Item]) -> None:
        """Looks at plain photographs as a whole, too: what was detected may be a part of the subject only.

        Not at designs: there, text and logos would come along. Nor at strips, which show nothing as a whole.
        """
        doubtful = [
            item
            for item in items
            if any(box.label == "subject" for box in item.boxes)
            and not any(box.label != "subject" and box.score >= DECORATED for box in item.boxes)
            and [crop.box for crop in item.crops] != [(0, 0, item.width, item.height)]
            and not is_strip(item.width, item.height)
        ]
        self._look([(item, [*(c.box for c in item.crops), (0, 0, item.width, item.height)]) for item in doubtful])
        for item in doubtful:
            *parts, whole = item.crops
            item.crops = [whole] if overview_wins(parts, whole, self.settings.crops) else parts

    def _look(self, wanted: Sequence[tuple[Item, list[Part]]]) -> None:
        """Fills `item.crops` with the answers on these parts of each picture."""
        jobs: dict[str, list[tuple[Item, Part, U8]]] = {}
        for item, boxes in wanted:
            known = {crop.box: crop for crop in item.crops}
            item.crops = [known[box] for box in boxes if box in known]
            route = item.route if item.route in self.networks else "general"
            jobs.setdefault(route, []).extend((item, box, cut(item, box, SIZE)) for box in boxes if box not in known)
        for route, found in jobs.items():
            if not found:
                continue
            pictures = [picture for _, _, picture in found]
            for (item, box, _), answer in zip(found, self._predict(route, pictures), strict=True):
                item.crops.append(Crop(box, answer[0], answer[1]))
        for item, boxes in wanted:
            item.crops.sort(key=lambda crop: boxes.index(crop.box))

    def _predict(self, route: str, pictures: list[U8]) -> list[U8]:
        """uint8 [2, h, w] for each picture: alpha and its expected error."""
        if self.user_model:
            return [_with_error(self.user_model.predict(picture)) for picture in pictures]
        return ask(self.networks[route], pictures, self.device)

    def _judge(self, item: Item) -> None:
        if is_graphic(item):
            return  # there is ink, whatever the network makes of it
        empty, area = emptiness(item)
        if area < self.settings.min_area:
            item.filter(self.name, "no_subject", "nothing in the picture stands out as a subject")
        elif empty > self.settings.no_subject:
            item.filter(self.name, "no_subject", f"a scene without a clear subject (probability {empty:.2f})")


def emptiness(item: Item) -> tuple[float, float]:
    """The probability that a picture holds no subject, 0..1, and the masks' share of it, 0..1.

    Scenes in which little was found, with much doubt, are probably empty; a large and sure mask is a subject even
    there. The classifier tells how sure the picture is of a scene.
    """
    found, area = evidence(item)
    return float(1 / (1 + np.exp(-np.dot(COUNTS, found) - CONSTANT))), area


def evidence(item: Item) -> tuple[F32, float]:
    """What speaks for an empty picture, and the masks' share of it, 0..1.

    float32 [3]: log-odds of a scene, log of the masks' share, log of their expected error against their area.
    """
    solid = partial = doubt = 0.0
    for crop in item.crops:
        x0, y0, x1, y1 = crop.box
        share = (x1 - x0) * (y1 - y0) / (item.width * item.height)
        solid += share * float((crop.alpha > 127).mean())
        partial += share * float(crop.alpha.mean()) / 255
        doubt += share * float(crop.unsure.mean()) / 255
    scene = UNTOLD
    if item.category and not is_strip(item.width, item.height):  # squeezed to a square, a strip looks like anything
        scene = item.category_score if item.category == "scene" else (1 - item.category_score) / 2
    odds = np.log((scene + 0.01) / (1.01 - scene))
    error = np.log(np.clip(doubt / max(partial, 1e-3), 0.02, 5))
    return np.array([odds, np.log(max(solid, 1e-3)), error], np.float32), solid


def ask(
    network: nn.Module, pictures: Sequence[U8], device: torch.device, looks: tuple[int, int] = (SIZE, FAR)
) -> list[U8]:
    """What the coarse network says of pictures, uint8 [H, W, 3]: for each uint8 [2, h, w], alpha and expected error.

    It looks twice: from afar, where more of the picture lies within what a pixel's answer depends on, for what belongs
    together, and near for where that ends. The logits are joined as two bands of frequencies (Burt and Adelson 1983, "A
    Multiresolution Spline"). Then alpha's doubt is settled by colour, see `settle`.

    Args:
        network: ready for inference on the device, see `checkpoints.inference`.
        looks: sides, in pixels, of the picture as it is seen near and from afar.
    """
    near, far = (_look(network, pictures, side, device) for side in looks)
    found = []
    for picture, fine, rough in zip(pictures, near, far, strict=True):
        size = fine.shape[1::-1]
        coarse = cv2.resize(rough, size, interpolation=cv2.INTER_LINEAR)
        logits = fine + cv2.GaussianBlur(coarse - fine, (0, 0), APART)
        answer = (255 / (1 + np.exp(-logits)) + 0.5).astype(np.uint8)
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        found.append(np.stack([settle(small, answer[..., 0]), answer[..., 1]]))
    return found


def _look(network: nn.Module, pictures: Sequence[U8], side: int, device: torch.device) -> F32:
    """Logits of alpha and of its expected error for pictures seen at `side` by `side` pixels: float32 [N, h, w, 2]."""
    stretched = np.stack([cv2.resize(p, (side, side), interpolation=cv2.INTER_AREA) for p in pictures])
    logits = forward_images(network, stretched, device)
    return logits.permute(0, 2, 3, 1).contiguous().numpy()


def _with_error(alpha: np.ndarray) -> U8:
    """A user's model tells no error: the distance from a clear yes or no stands in for it."""
    unsure = 2 * np.minimum(alpha, 1 - alpha)
    return (np.stack([alpha, unsure]) * 255 + 0.5).astype(np.uint8)
