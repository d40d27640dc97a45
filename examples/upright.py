"""A stage of your own: it turns away pictures that are wider than high."""

from pydantic import Field

from hairline.stages.base import EachStage, Settings
from hairline.stages.item import Item


class UprightSettings(Settings):
    ratio: float = Field(1.0, gt=0, description="width to height, above which a picture is filtered")


class UprightStage(EachStage[UprightSettings]):
    """Ends wide pictures as `filtered`, with the reason `not_upright`."""

    name = "upright"
    Settings = UprightSettings

    def process_one(self, item: Item) -> None:
        if item.picture.width > self.settings.ratio * item.picture.height:
            item.filter(self.name, "not_upright", f"{item.picture.width}x{item.picture.height}")
