"""The fine stage: exactly how much of each pixel is the subject's, only where the coarse alpha is uncertain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from .correct import correct, within
from .correction import Correction
from .imaging.graphics import is_graphic, key_by_colour
from .imaging.guided import upsample
from .imaging.specks import remove_specks
from .item import U8, CoarseCrop, Item, Subject
from .networks.batch import forward_images
from .networks.fine import FineNet
from .networks.stage import NetworkStage, RoutedSettings

F32 = NDArray[np.float32]
TILE = 256  # side of a tile, pixels
OVERLAP = 32  # neighbouring tiles share this many pixels and fade into each other there
EXCUSED_MAX_CONFIDENCE = 0.49  # of a picture whose defect was excused, see `FilterStage`


class FineSettings(RoutedSettings):
    """Settings of the fine stage."""

    max_side: int = Field(
        2048, ge=256, description="a longer crop is refined at this size, then upsampled by its edges"
    )
    sure: float = Field(0.04, gt=0, lt=0.5, description="a coarse alpha this close to 0 or 1 is taken as it is")
    max_error: float = Field(0.06, gt=0, le=1, description="unless its expected error is larger than this")
    reach: float = Field(
        0.12, gt=0, le=1, description="how far around its edge an uncertain alpha is refined, share of the crop"
    )
    min_area: float = Field(0.001, ge=0, le=1, description="smallest mean alpha; below it the picture holds no subject")


class FineCrop(NamedTuple):
    """What the fine network found in one crop: float32 [h, w] each, 0..1.

    Attributes:
        alpha: the matte of the whole crop.
        apart: by how much the network's two branches differ, see `FineNet.maps`; 0 outside the band.
        band: where the network ran, with soft edges.
    """

    alpha: F32
    apart: F32
    band: F32


class FineStage(NetworkStage[FineSettings, FineNet]):
    """Fills `item.alpha`, `item.subjects` (where there are several crops) and `item.confidence`, 0..1.

    The confidence is 1 minus the expected error of alpha, summed, against the subject's area. Ends pictures of which
    nothing is left at full resolution as `no_subject`.
    """

    name = "fine"
    Settings = FineSettings
    network = "fine"
    Network = FineNet

    def setup(self, device: torch.device) -> None:
        super().setup(device)
        ramp = np.minimum(np.arange(TILE) + 0.5, TILE - 0.5 - np.arange(TILE)) / OVERLAP
        self.blend_window = np.outer(np.minimum(ramp, 1), np.minimum(ramp, 1)).astype(np.float32)

    def process(self, items: Sequence[Item]) -> None:
        for item in items:
            correction = item.request.correction if item.request else None
            if correction:
                correction.check(item.picture.width, item.picture.height)
            matte = item.picture.own_matte
            if correction and correction.matte:
                item.alpha, item.confidence = correction.matte_so_far(), None
            elif matte is not None:
                _use_own_matte(item, matte)
            else:
                self._cut_out(item)
            if correction and item.alpha is not None:
                self._correct(item, item.alpha, correction)
            if item.confidence is not None and "excused" in item.quality:
                item.confidence = min(item.confidence, EXCUSED_MAX_CONFIDENCE)

    def _cut_out(self, item: Item) -> None:
        clear = np.ones((item.height, item.width), np.float32)
        item.subjects, errors = [], 0.0
        for crop in item.crops:
            x0, y0, x1, y1 = crop.box
            region = item.picture.rgb()[y0:y1, x0:x1]
            fine, error = self._matte_crop(region, crop, item.route)
            clear[y0:y1, x0:x1] *= 1 - fine
            errors += error
            if len(item.crops) > 1:
                item.subjects.append(Subject(crop.box, _to8(fine)))
        keyed = key_by_colour(item.picture.rgb(), 1 - clear) if is_graphic(item) else None
        alpha = _to8(keyed.alpha if keyed else 1 - clear)
        area = float(alpha.mean()) / 255
        if area < self.settings.min_area and not (item.request and item.request.correction):
            item.filter(self.name, "no_subject", "at full resolution nothing is left of the subject")
            return
        item.alpha = alpha
        if keyed:
            item.subjects, item.confidence = [], keyed.confidence
            return
        # expected matte error, summed, against the subject's area
        item.confidence = float(np.clip(1 - errors / max(area * alpha.size, 1e-9), 0, 1))

    def _correct(self, item: Item, alpha: U8, correction: Correction) -> None:
        """What a person says goes before what the networks found."""

        def predict(rgb: U8, crop: CoarseCrop) -> F32:
            return self._matte_crop(rgb, crop, item.route)[0]

        if correction.boxes:
            alpha = within(alpha, correction.boxes)
        if correction.marks:
            item.subjects = []  # whose parts these are, nobody said
            alpha = correct(item.picture.rgb(), alpha, correction, predict)
        item.alpha = alpha

    def _matte_crop(self, region: U8, crop: CoarseCrop, route: str) -> tuple[F32, float]:
        """Alpha of one crop at full size, float32 [H, W], 0..1, and its expected absolute error, summed over pixels."""
        height, width = region.shape[:2]
        scale = self.settings.max_side / max(height, width)
        if scale >= 1:
            fine = self.predict_crop(region, crop, route)
            return fine.alpha, _expected_error(fine, crop)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        fine = self.predict_crop(
            cv2.resize(region, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False), crop, route
        )
        large = upsample(fine.alpha, region)
        # far from any edge the local model only adds noise: keep the exact 0 and 1
        plain = cv2.resize(fine.alpha, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32, copy=False)
        np.copyto(plain, large, where=(plain > 0) & (plain < 1))
        return plain, _expected_error(fine, crop) / scale**2

    def predict_crop(self, region: U8, crop: CoarseCrop, route: str) -> FineCrop:
        """Runs the network on the tiles that the uncertain band of a crop touches.

        Args:
            region: uint8 [H, W, 3], the crop's pixels, at full size or smaller.
            crop: its coarse alpha and the expected error of that, at any size.
            route: whose weights are taken; `general` where there are none.

        Returns:
            Maps of the region's size.
        """
        height, width = region.shape[:2]
        low_band = self._band(crop)
        band = cv2.resize(low_band, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32, copy=False)
        coarse = cv2.resize(crop.alpha, (width, height), interpolation=cv2.INTER_LINEAR)
        error = cv2.resize(crop.uncertainty, (width, height), interpolation=cv2.INTER_LINEAR)
        pad = (0, max(0, TILE - height), 0, max(0, TILE - width))
        padded_band = cv2.copyMakeBorder(band, *pad, cv2.BORDER_CONSTANT, value=0)
        corners = tile_corners(np.asarray(padded_band > 0))
        alpha = (coarse > 127).astype(np.float32)  # where it is not refined
        apart = np.zeros_like(alpha)
        if corners:
            weight = np.zeros(padded_band.shape, np.float32)
            for y, x in corners:
                weight[y : y + TILE, x : x + TILE] += self.blend_window
            stack = [
                cv2.copyMakeBorder(x, *pad, cv2.BORDER_REFLECT_101 if min(x.shape[:2]) > 1 else cv2.BORDER_REPLICATE)
                for x in (region, coarse, error)
            ]
            tiles = np.stack([np.dstack([part[y : y + TILE, x : x + TILE] for part in stack]) for y, x in corners])
            network = self.networks.get(route, self.networks["general"])
            found = forward_images(network.maps, tiles, self.device).numpy()
            sure = alpha.copy()
            for (y, x), answer in zip(corners, found, strict=True):
                here = np.s_[y : min(y + TILE, height), x : min(x + TILE, width)]
                inside = np.s_[: here[0].stop - y, : here[1].stop - x]
                share = (self.blend_window / weight[y : y + TILE, x : x + TILE])[inside]
                alpha[here] += band[here] * share * (answer[0][inside] - sure[here])
                apart[here] += share * answer[1][inside]
        return FineCrop(remove_specks(alpha), apart, band)

    def _band(self, crop: CoarseCrop) -> F32:
        """Where the coarse alpha is to be refined: float32 [h, w], 0..1, at the coarse size; 1 in the band.

        Near the mask's edge that is where alpha is uncertain; elsewhere, where a pixel is certainly covered in part
        (smoke, veils, fur). The two differ in the expected error: it is 2a(1 - a) where the network cannot decide
        between 0 and 1, the latter with probability a, and nearly 0 where it sees half an alpha. Uncertainty far from
        any edge is about what a thing is, not about where it ends: the fine network sees mere texture there, and the
        likelier of 0 and 1 is taken.
        """
        alpha, error = crop.alpha.astype(np.float32) / 255, crop.uncertainty.astype(np.float32) / 255
        uncertain = (np.minimum(alpha, 1 - alpha) > self.settings.sure) | (error > self.settings.max_error)
        partial = (np.minimum(alpha, 1 - alpha) > 0.1) & (error < alpha * (1 - alpha))
        edge = cv2.morphologyEx((alpha > 0.5).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
        reach = max(3, round(self.settings.reach * max(alpha.shape))) // 2 * 2 + 1
        near = cv2.dilate(edge, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))) > 0
        wide = cv2.dilate((partial | (uncertain & near) | (edge > 0)).astype(np.uint8), np.ones((3, 3), np.uint8))
        # a soft rim: the refined alpha fades into the copied one instead of meeting it in a seam
        return np.maximum(cv2.blur(wide.astype(np.float32), (3, 3)) * 2 - 1, 0).astype(np.float32)


def _use_own_matte(item: Item, matte: U8) -> None:
    """Takes the matte that the file brings, uint8 [H, W], as it is."""
    item.alpha, item.confidence = matte.copy(), 1.0
    boxes = [crop.box for crop in item.crops] if len(item.crops) > 1 else []
    item.subjects = [Subject(box, matte[box[1] : box[3], box[0] : box[2]].copy()) for box in boxes]


def tile_corners(band: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Top left corners (y, x) of the few tiles that cover a band [H, W], H and W at least TILE.

    The band is covered by strips of tiles; a strip begins where the band does, and a tile where the band does within
    its strip. Strips lie across or upright, whichever takes fewer tiles. Each pixel of the band that is not near the
    picture's border is at least half an overlap inside its tile, and tiles that meet in the band overlap there.
    """
    across = [(y, x) for y, first, end in _cover_rows(band) for x, _, _ in _cover_rows(band[first:end].T)]
    upright = [(y, x) for x, first, end in _cover_rows(band.T) for y, _, _ in _cover_rows(band[:, first:end])]
    return min(across, upright, key=len)


def _cover_rows(band: NDArray[np.bool_]) -> Iterator[tuple[int, int, int]]:
    """Pieces of TILE rows that cover a band: (start of the piece, first row of the band in it, end of its rows)."""
    touched = np.asarray(band.any(1))
    length, margin, end = len(touched), OVERLAP // 2, 0
    while touched[end:].any():
        first = end + int(touched[end:].argmax())
        start = min(max(0, first - margin), length - TILE)
        end = length if start + TILE >= length else start + TILE - margin
        yield start, first, end


def _expected_error(fine: FineCrop, crop: CoarseCrop) -> float:
    """The expected absolute error of a crop's alpha, summed over its pixels.

    Where the two branches of the network disagree, alpha is wrong by about half of the difference. Where both are wrong
    in the same way they cannot know it, so the coarse network's expected error is added: all of it where its alpha is
    copied, half in the band, where it was refined. The sum matches the real error in size and in order
    (docs/accuracy.md).
    """
    own = float((fine.band * np.abs(fine.apart)).sum()) / 2
    band = cv2.resize(fine.band, crop.uncertainty.shape[::-1], interpolation=cv2.INTER_AREA)
    return own + float((crop.uncertainty * (1 - band / 2)).mean()) / 255 * fine.band.size


def _to8(alpha: F32) -> U8:
    scaled = np.clip(alpha, 0, 1)
    scaled *= 255  # in place: for a large picture each array takes much memory
    scaled += 0.5
    return scaled.astype(np.uint8)
