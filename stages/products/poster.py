"""The subject on a poster: a template with texts and decorations, filled from the row that names the picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, GetJsonSchemaHandler, SkipValidation, ValidationInfo, model_validator
from pydantic.json_schema import JsonSchemaValue, SkipJsonSchema

from ..decode.colours import as_srgb, srgb_profile
from ..errors import HairlineError
from ..item import Output
from ..verdicts import Verdict, judged
from .base import Matte, Product, ProductSettings, from_request
from .encode import Tags, jpeg, png, webp
from .layers import Layer
from .poster_layout import lay_out
from .poster_template import BUILTIN, PosterTemplate, read_template, template_as
from .verify.poster import check_poster

Format = Literal["png", "jpeg", "webp"]


class PosterSettings(ProductSettings):
    """Options of `poster`."""

    not_asked: ClassVar[frozenset[str]] = ProductSettings.not_asked | {"digest"}

    template: str = Field(
        "product_card",
        description="path of a template, which every node must be able to read, or the name of one of Hairline's own",
    )
    digest: SkipJsonSchema[SkipValidation[str]] = Field("", description="of all that the template names; filled in")
    values: dict[str, str] = Field(
        default_factory=dict, description="of columns: what stands in where the row that names the picture says nothing"
    )
    format: Format = Field("png", description="of the file")
    quality: int = Field(92, ge=1, le=100, description="of jpeg and webp")

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The templates that come with Hairline are a choice, and what they take is named: a form can show both."""
        schema = handler.resolve_ref_schema(handler(core))
        schema["properties"]["template"]["enum"] = list(BUILTIN)
        columns = dict.fromkeys(column for name in BUILTIN for column in read_template(name).columns)
        schema["properties"]["values"]["properties"] = {name: {"type": "string"} for name in columns}
        return schema

    @model_validator(mode="before")
    @classmethod
    def _of_another(cls, data: Any, info: ValidationInfo) -> Any:
        """A request that names a template does not mean the service's own."""
        return {**data, "digest": ""} if isinstance(data, dict) and from_request(info, "template") else data

    @model_validator(mode="after")
    def _fits(self, info: ValidationInfo) -> PosterSettings:
        if self.template not in BUILTIN and from_request(info, "template"):
            raise ValueError("template: only those that come with Hairline can be asked for")
        if not self.digest:
            try:
                template = read_template(self.template)
            except HairlineError as error:  # the job's own line is told too
                raise ValueError(f"template: {error}") from error
            places = [each.name for each in template.data.subjects]
            if len(places) != 1:
                raise ValueError(
                    f"template: {self.template} has {len(places) or 'no'} places for subjects, and a job fills one; "
                    "hairline poster fills several from a table"
                )
            object.__setattr__(self, "digest", template.digest)  # frozen; what is in the files counts, not their names
        return self

    @property
    def columns(self) -> dict[str, bool]:
        known = template_as(self.template, self.digest).columns
        return {name: needed and name not in self.values for name, needed in known.items()}

    def most_pixels(self, width: int, height: int, max_pixels: int) -> int:
        canvas = template_as(self.template, self.digest).data.canvas
        return canvas[0] * canvas[1]


class Poster(Product[PosterSettings]):
    """RGB in sRGB, of the template's size. It is judged: texts and subject in their places, contrast, the file."""

    Settings: ClassVar[type[ProductSettings]] = PosterSettings

    def make(self, matte: Matte) -> Output:
        """Raises PictureError `template`: a column has no value, or a file of the template's was changed."""
        s = self.settings
        template = template_as(s.template, s.digest)
        subject = Layer(as_srgb(matte.foreground, matte.picture.icc_profile), matte.alpha)
        values = {**s.values, **{name: value for name, value in matte.item.columns.items() if value}}
        return make_poster(template, {template.data.subjects[0].name: subject}, values, s.format, s.quality)

    def verify(self, made: Output, name: str) -> Verdict | None:
        s = self.settings
        canvas = template_as(s.template, s.digest).data.canvas
        return judged(name, s.template, made.checks or check_poster(made.data, made.ext, canvas))


def make_poster(
    template: PosterTemplate,
    subjects: Mapping[str, Layer],
    values: Mapping[str, str],
    kind: Format = "png",
    quality: int = 92,
) -> Output:
    """A finished poster with its checks.

    Args:
        subjects: cut-outs in sRGB, by the names of their places.
        values: by column.

    Raises:
        PictureError: `template`: a column has no value, or a place no picture.
    """
    layout, tags = lay_out(template, subjects, values), Tags(srgb_profile())
    if kind == "jpeg":
        made = Output(jpeg(layout.pixels, tags, quality), "jpg")
    elif kind == "webp":
        made = Output(webp(layout.pixels, tags, quality, keep_hidden=False), "webp")
    else:
        made = Output(png(layout.pixels, tags), "png")
    made.checks = check_poster(made.data, made.ext, template.data.canvas, layout)
    return made
