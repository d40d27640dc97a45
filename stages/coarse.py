"""The coarse stage: roughly which pixels are the subject's, crop by crop, and how uncertain that is."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import nn

from .imaging.crops import CropSettings, crop_pixels, crops_for, grow_cut_off, is_strip, overview_wins
from .imaging.graphics import is_graphic
from .imaging.resolve_by_colour import resolve_by_colour
from .item import U8, CoarseCrop, Item, Rect
from .networks.batch import forward_images
from .networks.coarse import SIZE, CoarseNet
from .networks.stage import NetworkStage, RoutedSettings
from .networks.user_model import UserModel, UserModelSettings

F32 = NDArray[np.float32]
CONTEXT_SIDE = 224  # the network runs on a picture at this side, pixels, for context, and at SIZE for its outlines
SECOND_CONTEXT_SIDE = 192  # and at this one: the mean of two contexts errs less than either
BLEND_SIGMA = 4.0  # Gaussian, pixels of the output: coarser structure comes from the context, finer from the other
DESIGN_MIN_SCORE = 0.4  # a picture with a text or logo of this score or more counts as a design
SCENE_PRIOR = 0.7  # probability of a scene where no classify stage has run
# Logistic regression of "there is no subject" on `empty_features`, fitted on training pictures:
# `python -m hairline.training.thresholds no_subject`
EMPTY_COEFFICIENTS, EMPTY_INTERCEPT = (1.07, -0.13, 0.92), 0.16


class CoarseSettings(RoutedSettings):
    """Settings of the coarse stage."""

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
        wanted: list[tuple[Item, list[Rect]]] = []
        for item in items:
            subjects = [box for box in item.boxes if box.label == "subject"]
            item.crops = []
            wanted.append((item, crops_for(subjects, item.width, item.height, options)))
            self._use_own_matte(item, wanted[-1][1])
        wanted = [(item, boxes) for item, boxes in wanted if not item.crops]
        items = [item for item, _ in wanted]
        self._predict_crops(wanted)
        for left in reversed(range(options.regrow)):
            grown = [(item, boxes) for item, old in wanted if (boxes := self._grown(item, old, last=not left)) != old]
            if not grown:
                break
            self._predict_crops(grown)
            wanted = grown
        self._try_whole_picture(items)
        for item in items:
            self._reject_if_empty(item)

    def _grown(self, item: Item, boxes: list[Rect], last: bool) -> list[Rect]:
        return grow_cut_off(boxes, [c.alpha for c in item.crops], item.width, item.height, self.settings.crops, last)

    def _use_own_matte(self, item: Item, boxes: Sequence[Rect]) -> None:
        """Fills `item.crops` with the matte that the file brings, if it brings one; its uncertainty is 0."""
        matte = item.picture.own_matte
        if matte is None:
            return
        for x0, y0, x1, y1 in boxes if len(boxes) > 1 else [(0, 0, item.width, item.height)]:
            alpha = cv2.resize(matte[y0:y1, x0:x1], (SIZE, SIZE), interpolation=cv2.INTER_AREA)
            item.crops.append(CoarseCrop((x0, y0, x1, y1), alpha.astype(np.uint8, copy=False), np.zeros_like(alpha)))

    def _try_whole_picture(self, items: Sequence[Item]) -> None:
        """Runs the network on plain photographs as a whole, too: what was detected may be a part of the subject only.

        Not on designs, where text and logos would come along, nor on strips, which show nothing as a whole.
        """
        candidates = [
            item
            for item in items
            if any(box.label == "subject" for box in item.boxes)
            and not any(box.label != "subject" and box.score >= DESIGN_MIN_SCORE for box in item.boxes)
            and [crop.box for crop in item.crops] != [(0, 0, item.width, item.height)]
            and not is_strip(item.width, item.height)
        ]
        self._predict_crops(
            [(item, [*(c.box for c in item.crops), (0, 0, item.width, item.height)]) for item in candidates]
        )
        for item in candidates:
            *parts, whole = item.crops
            item.crops = [whole] if overview_wins(parts, whole, self.settings.crops) else parts

    def _predict_crops(self, wanted: Sequence[tuple[Item, list[Rect]]]) -> None:
        """Fills `item.crops`, in the order of the boxes; crops that it holds already are not computed again."""
        by_route: dict[str, list[tuple[Item, Rect, U8]]] = {}
        for item, boxes in wanted:
            known = {crop.box: crop for crop in item.crops}
            item.crops = [known[box] for box in boxes if box in known]
            route = item.route if item.route in self.networks else "general"
            new = [(item, box, crop_pixels(item, box, SIZE)) for box in boxes if box not in known]
            by_route.setdefault(route, []).extend(new)
        for route, crops in by_route.items():
            if not crops:
                continue
            pictures = [picture for _, _, picture in crops]
            for (item, box, _), output in zip(crops, self._predict(route, pictures), strict=True):
                item.crops.append(CoarseCrop(box, output[0], output[1]))
        for item, boxes in wanted:
            item.crops.sort(key=lambda crop: boxes.index(crop.box))

    def _predict(self, route: str, pictures: list[U8]) -> list[U8]:
        """Alpha and its expected error, uint8 [2, h, w], for each picture, uint8 [H, W, 3]."""
        if self.user_model:
            return [_with_uncertainty(self.user_model.predict(picture)) for picture in pictures]
        return predict_alpha(self.networks[route], pictures, self.device)

    def _reject_if_empty(self, item: Item) -> None:
        if is_graphic(item):
            return  # there is ink, whatever the network makes of it
        if item.request and item.request.correction:
            return  # somebody has seen one
        empty, area = empty_probability(item)
        if area < self.settings.min_area:
            item.filter(self.name, "no_subject", "nothing in the picture stands out as a subject")
        elif empty > self.settings.no_subject:
            item.filter(self.name, "no_subject", f"a scene without a clear subject (probability {empty:.2f})")


def empty_probability(item: Item) -> tuple[float, float]:
    """The probability that a picture holds no subject, 0..1, and the share of the picture that its masks cover, 0..1.

    A picture that the classifier takes for a scene, and in which little was found with much uncertainty, is probably
    empty; a large and certain mask is a subject even there.
    """
    features, area = empty_features(item)
    return float(1 / (1 + np.exp(-np.dot(EMPTY_COEFFICIENTS, features) - EMPTY_INTERCEPT))), area


def empty_features(item: Item) -> tuple[F32, float]:
    """What tells an empty picture from one with a subject, and the share of the picture that its masks cover, 0..1.

    float32 [3]: log-odds of a scene; log of the masks' share; log of their expected error divided by their area.
    """
    solid = partial = error = 0.0
    for crop in item.crops:
        x0, y0, x1, y1 = crop.box
        share = (x1 - x0) * (y1 - y0) / (item.width * item.height)
        solid += share * float((crop.alpha > 127).mean())
        partial += share * float(crop.alpha.mean()) / 255
        error += share * float(crop.uncertainty.mean()) / 255
    scene = SCENE_PRIOR
    if item.category and not is_strip(item.width, item.height):  # squeezed to a square, a strip looks like anything
        scene = item.category_score if item.category == "scene" else (1 - item.category_score) / 2
    odds = np.log((scene + 0.01) / (1.01 - scene))
    relative_error = np.log(np.clip(error / max(partial, 1e-3), 0.02, 5))
    return np.array([odds, np.log(max(solid, 1e-3)), relative_error], np.float32), solid


def predict_alpha(
    network: nn.Module,
    pictures: Sequence[U8],
    device: torch.device,
    sides: Sequence[int] = (SIZE, CONTEXT_SIDE, SECOND_CONTEXT_SIDE),
) -> list[U8]:
    """Alpha of pictures and its expected error by the coarse network.

    The network runs at several sizes: at the smaller ones more of the picture lies in its field of view, which tells
    what belongs together; at the largest one it sees where that ends. The mean of the smaller sizes' logits and the
    largest one's are joined as two bands of frequencies (Burt and Adelson 1983, "A Multiresolution Spline"). What is
    still uncertain then follows colour, see `resolve_by_colour`.

    Args:
        network: a CoarseNet, ready for inference on the device, see `checkpoints.inference`.
        pictures: uint8 [H, W, 3] each, 0..255.
        sides: the largest side, pixels, at which the network runs, and the smaller one or ones.

    Returns:
        For each picture uint8 [2, h, w], 0..255: alpha and its expected absolute error, at half the larger side.
    """
    outlines, *contexts = (_forward(network, pictures, side, device) for side in sides)
    found = []
    for picture, fine, *roughs in zip(pictures, outlines, *contexts, strict=True):
        size = fine.shape[1::-1]
        larger = [cv2.resize(rough, size, interpolation=cv2.INTER_LINEAR) for rough in roughs]
        coarse = np.mean(larger, axis=0, dtype=np.float32)
        logits = fine + cv2.GaussianBlur(coarse - fine, (0, 0), BLEND_SIGMA)
        alpha, error = np.moveaxis((255 / (1 + np.exp(-logits)) + 0.5).astype(np.uint8), 2, 0)
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        found.append(np.stack([resolve_by_colour(small, alpha), error]))
    return found


def _forward(network: nn.Module, pictures: Sequence[U8], side: int, device: torch.device) -> F32:
    """Logits of alpha and of its expected error, float32 [N, h, w, 2], of pictures stretched to `side` by `side`."""
    stretched = np.stack([cv2.resize(p, (side, side), interpolation=cv2.INTER_AREA) for p in pictures])
    return forward_images(network, stretched, device).permute(0, 2, 3, 1).contiguous().numpy()


def _with_uncertainty(alpha: F32) -> U8:
    """Alpha of a user's model, 0..1, with the expected error that it does not give: twice the distance to 0 or 1."""
    uncertainty = 2 * np.minimum(alpha, 1 - alpha)
    return (np.stack([alpha, uncertainty]) * 255 + 0.5).astype(np.uint8)
