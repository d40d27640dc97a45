"""Products made again from another matte, by the products' own code; what a run had made stays beside them.

    1. the corrected matte                        review/mattes/
    2. what lies where the products go            review/originals/, once, and only what the run made
    3. a sign that products are being replaced    review/unfinished/
    4. the decision, with the products' digests   review/decisions/
    5. the products, each only as it was found    <product>/

A kill before 4 has changed nothing that counts; after it, `finish` does the rest from the matte and the decision.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from ..pipeline.atomic import Found, md5
from ..pipeline.decisions import MATTES, ORIGINALS, UNFINISHED, Conflict, Decision, Decisions, Standing, mark, standing
from ..pipeline.fetch import fetch
from ..pipeline.made import made_in
from ..pipeline.names import output_name
from ..pipeline.outcome import Row
from ..pipeline.storage import SETTINGS, Folder
from ..stages.errors import HairlineError, PictureError
from ..stages.item import U8, Box, Item, decode_alpha, encode_alpha
from ..stages.limits import DEFAULT_LIMITS, Limits

RowOf = Callable[[str], Row | None]  # id -> row; None where the ledger has none


@dataclass
class Made:
    """The products of a matte: name in the output -> bytes; and the names of those that could not be made again."""

    files: dict[str, bytes]
    left: list[str]


class Products:
    """Makes and replaces the products of single pictures as the run that made them would.

    Args:
        row_of: gives a picture's row.
    """

    def __init__(self, output: Folder, decisions: Decisions, row_of: RowOf) -> None:
        self._output, self._decisions, self._row_of = output, decisions, row_of
        self._parts: dict[str, dict[str, Any]] = {}

    def settings(self, row: Row) -> dict[str, Any]:
        """What the picture was made with: the ingredients of its fingerprint.

        Raises:
            HairlineError: they are not kept any more.
        """
        print_of = row["fingerprint"]
        if print_of not in self._parts:
            name = f"{SETTINGS}/{print_of}.json"
            try:
                self._parts[print_of] = json.loads(self._output.read(name))
            except (FileNotFoundError, ValueError) as error:
                told = f"{self._output.uri(name)}: not there, or damaged: with what settings this was made is not known"
                raise HairlineError(f"{told}; run the job again with --retry ok") from error
        return self._parts[print_of]

    def limits(self, row: Row) -> Limits:
        """What is refused before it is decoded; the usual limits where the run's are not known."""
        try:
            return Limits.model_validate(self.settings(row)["limits"])
        except (HairlineError, KeyError, ValueError):
            return DEFAULT_LIMITS

    def make(self, row: Row, alpha: U8) -> Made:
        """The whole picture's products from a matte; those of single subjects, and those with texts, are left.

        Args:
            alpha: uint8 [H, W], 0..255, of the upright picture.

        Raises:
            PictureError: the source is gone, or the matte does not allow a product.
            HairlineError: see `settings`.
        """
        from ..stages.products.stage import ProductsSettings, ProductsStage  # takes seconds

        stages = self.settings(row)["stages"]
        given = stages.get("products")
        if given is None:
            raise HairlineError(f"{row['id']}: the run made its products by a stage of its own; they stay")
        wanted = ProductsSettings.model_validate(given)
        specs = [spec for spec in wanted.products if not spec.settings.columns]
        left = [spec.name for spec in wanted.products if spec.settings.columns]
        left += [name for name in row["outputs"] if name not in {spec.name for spec in wanted.products}]
        if not specs:
            return Made({}, left)
        item = self._item(row, alpha)
        plain = [spec.model_copy(update={"settings": _whole(spec.settings)}) for spec in specs]
        ProductsStage(wanted.model_copy(update={"products": tuple(plain)})).process_one(item)
        if item.status != "pending":
            raise PictureError(item.reason, item.detail)
        files = {output_name(name, row["id"], made.ext): made.data for name, made in item.outputs.items()}
        return Made(files, left)

    def correct(self, decision: Decision, alpha: U8) -> tuple[Decision, list[str]]:
        """Puts a correction down, and its products in place.

        Args:
            decision: `corrected`, without matte and products.
            alpha: uint8 [H, W], 0..255: the new matte.

        Returns:
            The decision as it was put down, and the products that were left as they are.

        Raises:
            Conflict: somebody has decided meanwhile; nothing was replaced.
            PictureError, HairlineError: see `make`; also where a product was changed by somebody else.
        """
        matte = encode_alpha(alpha)
        decision = replace(decision, matte=f"{MATTES}/{mark(decision.id)}-{md5(matte)}.png")
        self._decisions.look()
        there = self._decisions.find(decision)
        row = self._row(decision.id)
        made = self.make(row, alpha)
        if there:  # the same try again: what was to follow on it may not have worked
            self._settle(row, there)
            return there, made.left
        with self._output.writing():
            self._keep(row, made)
            self._output.write(decision.matte, matte)
        decision = self._sign(replace(decision, products={name: md5(data) for name, data in made.files.items()}))
        self._put(row, made.files)
        self._output.delete(_sign(decision))
        return decision, made.left

    def undo(self, decision: Decision) -> Decision:
        """Puts down that the newest decision on a picture is undone; a correction's products go back to what was.

        Raises:
            Conflict: somebody has decided meanwhile.
        """
        made = self._decisions.of(decision.id)
        before, after = standing(made), standing([*made, decision])
        if before.corrected == after.corrected:
            return self._decisions.add(decision)
        row = self._row(decision.id)
        files = self._files(row, after, made)
        decision = self._sign(replace(decision, products={name: md5(data) for name, data in files.items()}))
        self._put(row, files)
        self._output.delete(_sign(decision))
        return decision

    def again(self, undone: Decision) -> None:
        """An undoing was asked for once more: what was to follow on it may not have worked."""
        if undone.products:
            self._settle(self._row(undone.id), undone)

    def finish(self) -> list[tuple[str, str]]:
        """Does what a killed review left undone: pictures, each with why its products cannot be put in place, or "".

        What cannot be done now is done by the next review: a source may come back.
        """
        done = []
        for name in self._output.names(UNFINISHED):
            id = self._output.read(name).decode("utf-8", "replace")
            made, row = self._decisions.of(id), self._row_of(id)
            signed = next((each for each in made if name == _sign(each)), None)
            if row is not None and signed:
                try:
                    self._settle(row, signed)
                    done.append((id, ""))
                except (PictureError, HairlineError) as error:
                    done.append((id, str(error)))
            else:
                self._output.delete(name)
        return done

    def _sign(self, decision: Decision) -> Decision:
        """Puts a decision down after the sign that its products are about to be replaced."""
        with self._output.writing():
            self._output.write(_sign(decision), decision.id.encode())
        try:
            return self._decisions.add(decision)
        except Conflict:  # otherwise it may be there all the same
            self._output.delete(_sign(decision))
            raise

    def _settle(self, row: Row, decision: Decision) -> None:
        """Puts products in place as they are to be by now; others may have decided after that decision."""
        made = self._decisions.of(row["id"])
        self._put(row, self._files(row, standing(made), made))
        self._output.delete(_sign(decision))

    def _row(self, id: str) -> Row:
        row = self._row_of(id)
        if row is None:
            raise HairlineError(f"{id}: no such picture in {self._output.root}")
        return row

    def _item(self, row: Row, alpha: U8) -> Item:
        limits = self.limits(row)
        item = Item(row["id"], row["uri"], data=fetch(row["uri"], limits)[0], limits=limits)
        picture = item.picture
        if alpha.shape != (picture.height, picture.width):
            raise PictureError("changed", f"the source is {picture.width}x{picture.height} pixels by now")
        item.width, item.height = picture.width, picture.height
        for name in ("category", "category_score", "route", "confidence", "quality"):
            setattr(item, name, row[name])
        item.boxes = [Box(**box) for box in row["boxes"]]
        item.alpha = alpha
        return item

    def _files(self, row: Row, held: Standing, made: list[Decision]) -> dict[str, bytes]:
        """What a picture's products are to be: those of the correction that holds, or the run's own."""
        if held.corrected is not None:
            name = held.corrected.matte
            try:
                alpha = decode_alpha(self._output.read(name))
            except (FileNotFoundError, ValueError) as error:
                raise HairlineError(f"{self._output.uri(name)}: gone, or damaged; put it back") from error
            return self.make(row, alpha).files
        files = {}
        for name in {name for each in made for name in each.products}:
            with suppress(FileNotFoundError):  # the run had made no such product
                files[name] = self._output.read(f"{ORIGINALS}/{name}")
        return files

    def _keep(self, row: Row, made: Made) -> None:
        """Keeps what the run made, before a correction replaces it.

        Raises:
            HairlineError: what lies there is neither the run's nor a correction's.
        """
        digests, ours = _digests(row), self._ours(row["id"])
        for name in made.files:
            found = self._output.look(name, {*ours, digests.get(name) or "-"})
            if found is None or found.digest in ours:
                continue
            if digests.get(name) not in (None, found.digest):
                told = f"{self._output.uri(name)}: was changed by somebody since the run made it; move it away first"
                raise HairlineError(f"{told}, or start the review again where a later run was it")
            self._output.write(f"{ORIGINALS}/{name}", self._output.read(name))

    def _ours(self, id: str) -> set[str]:
        """Digests of what decisions on a picture have put anywhere: corrections, and what came back after one."""
        return {digest for each in self._decisions.of(id) for digest in each.products.values()}

    def _put(self, row: Row, files: dict[str, bytes]) -> None:
        """Replaces products; what was changed by somebody else meanwhile stays."""
        digests, ours = _digests(row), self._ours(row["id"])
        with self._output.writing():
            for name, data in files.items():
                known = {*ours, md5(data), digests.get(name) or "-"}
                found: Found | None = self._output.look(name, known)
                if found is None:
                    self._output.create(name, data)
                elif found.digest != md5(data) and (found.digest in known or digests.get(name) is None):
                    self._output.swap(name, data, found)


def _digests(row: Row) -> dict[str, str | None]:
    """Name in the output -> digest of what the run made there, as `made_in` has them."""
    return dict(made_in({**row, "outputs": row["outputs"].items()}))


def _whole(settings: Any) -> Any:
    """Settings of a product of the whole picture alone: its single subjects are not known any more."""
    return settings.model_copy(update={"per_subject": False})


def _sign(decision: Decision) -> str:
    return f"{UNFINISHED}/{mark(decision.id)}-{mark(decision.key)}"
