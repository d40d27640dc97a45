"""Presets: YAML files that say what a shop or an authority asks for, and how a product is made to meet it.

A file has `title`, `product`, `sources`, `make` (options of the product) and `rules`, each with its source and whether
that was read in the authority's own words (`verified`) or somewhere else (`unverified`). Those that come with Hairline
lie in `presets/<product>/<name>.yaml`; one of your own is named by its path. No code knows any of them by name.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, ValidationInfo, model_validator
from pydantic.json_schema import JsonSchemaValue, SkipJsonSchema

from ..documents import Document, did_you_mean, read_text, validate
from ..errors import HairlineError
from .base import ProductSettings, from_request

FOLDER = Path(__file__).parent / "presets"
BUILTIN: dict[str, Path] = {path.stem: path for path in sorted(FOLDER.glob("*/*.yaml"))}
ABOUT = "(title, product, sources, make, rules), as a preset"
OWN = "own"  # what presets call the source of Hairline's own rules
Status = Literal["verified", "unverified"]


class Data(BaseModel):
    """Part of a preset."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Data):
    """Where rules stand."""

    what: str = Field(description="the document, and whose it is")
    url: str = ""
    date: datetime.date = Field(description="when it was read")


class Rule(Data):
    """What every rule says of itself."""

    source: str = Field(description="one of the preset's sources, by its name")
    status: Status = Field(
        description="verified: read in the authority's own words; unverified: elsewhere, or not sure"
    )
    note: str = ""


class Between(Rule):
    """A number; bounds are inclusive."""

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _bounded(self) -> Between:
        if self.min is None and self.max is None:
            raise ValueError("needs min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is larger than max {self.max:g}")
        return self


class OneOf(Rule):
    """A word out of some."""

    one_of: tuple[str, ...] = Field(min_length=1)


class PresetFile(Data):
    """A preset as it stands in its file; `make` and `rules` are checked by the product's own models."""

    title: str
    product: str
    note: str = ""
    sources: dict[str, Source] = Field(min_length=1)
    make: dict[str, Any] = Field(default_factory=dict)
    rules: dict[str, Any] = Field(min_length=1)


@dataclass(frozen=True)
class Preset:
    """A checked preset.

    Attributes:
        name: as it is asked for: the name of one that comes with Hairline, or the path of a file.
        make: options of its product.
        rules: the product's own model of rules.
    """

    name: str
    title: str
    product: str
    note: str
    sources: Mapping[str, Source]
    make: Mapping[str, Any]
    rules: Any

    def as_data(self) -> dict[str, Any]:
        """All of it as plain data, each rule with its source spelt out."""
        rules = {}
        for name, rule in self.rules:
            if rule is not None:
                source = self.sources[rule.source]
                known = rule.model_dump(mode="json", exclude_none=True)
                told = {"source": source.what, "url": source.url, "date": source.date.isoformat()}
                rules[name] = {**known, **told, "own": rule.source == OWN}
        return {
            "name": self.name,
            "title": self.title,
            "product": self.product,
            "note": self.note,
            "status": "verified" if all(rule["status"] == "verified" for rule in rules.values()) else "unverified",
            "make": dict(self.make),
            "rules": rules,
        }


def is_file(name: str) -> bool:
    """Whether a preset is named by the path of its file."""
    return "/" in name or name.endswith((".yaml", ".yml"))


@lru_cache(maxsize=256)
def read_preset(name: str) -> Preset:
    """A preset by its name or path, checked.

    Raises:
        ValueError: there is none of that name.
        HairlineError: its file cannot be read, or something in it is wrong: file, line and why.
    """
    if is_file(name):
        path = Path(name).expanduser()
    elif name in BUILTIN:
        path = BUILTIN[name]
    else:
        raise ValueError(f"unknown preset {name!r}{did_you_mean(name, BUILTIN)}; one of your own is a path to a .yaml")
    document = Document(str(path), read_text(path), ABOUT)
    file = validate(PresetFile, document.data, document, ())
    settings, rules = _models(file.product, document)
    checked = validate(rules, file.rules, document, ("rules",))
    for rule, value in checked:
        if value is not None and value.source not in file.sources:
            where = document.location(("rules", rule, "source"))
            raise HairlineError(f"{where}: rules.{rule}.source: {value.source!r} is none of the preset's sources")
    if "preset" in file.make:
        raise HairlineError(f"{document.location(('make', 'preset'))}: make.preset: a preset cannot build on another")
    validate(settings, file.make, document, ("make",))
    return Preset(name, file.title, file.product, file.note, file.sources, file.make, checked)


def _models(product: str, document: Document) -> tuple[type[PresetSettings], type[BaseModel]]:
    from .registry import PRODUCTS

    made = {name: each.Settings for name, each in PRODUCTS.items() if issubclass(each.Settings, PresetSettings)}
    if product not in made:
        where = document.location(("product",))
        raise HairlineError(f"{where}: product: {product!r} has no presets{did_you_mean(product, made)}")
    return made[product], made[product].Rules


class PresetSettings(ProductSettings):
    """Settings of a product that has presets.

    `rules` holds what the preset says when the settings are made, so that the fingerprint changes with it and no other
    node needs its file. Options that are given beside a preset go before what it makes of them.
    """

    Rules: ClassVar[type[BaseModel]]
    product: ClassVar[str]

    preset: str = Field(
        "",
        description="whose rules it is made for and judged by: a name that `hairline presets` lists, or a YAML file",
    )
    rules: SkipJsonSchema[Any] = Field(None, description="what the preset asks for; filled in from it")

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The presets that come with Hairline are a choice: a form can show them."""
        schema = handler.resolve_ref_schema(handler(core))
        names = [name for name, path in BUILTIN.items() if path.parent.name == cls.product]
        schema["properties"]["preset"]["enum"] = ["", *names]
        return schema

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, Mapping) or not data.get("preset"):
            return {**data, "rules": None} if isinstance(data, Mapping) else data
        if data.get("rules") is not None:  # as dumped
            return {**data, "rules": cls.Rules.model_validate(data["rules"])}
        name = str(data["preset"])
        if is_file(name) and from_request(info, "preset"):
            raise ValueError("preset: only those that come with Hairline can be asked for")
        preset = read_preset(name)
        if preset.product != cls.product:
            raise ValueError(f"preset: {name} is one of {preset.product}, not of {cls.product}")
        return {**preset.make, **data, "rules": preset.rules}
