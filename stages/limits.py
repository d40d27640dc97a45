"""What is refused before it is decoded, so that no file can take the machine's memory."""

from pydantic import BaseModel, ConfigDict, Field


class Limits(BaseModel):
    """Limits on one source file. Over a limit a picture ends as `failed` and is never decoded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_bytes: int = Field(200 << 20, gt=0, description="largest file that is fetched, bytes")
    max_pixels: int = Field(100_000_000, gt=0, description="largest width x height that is decoded")
    max_side: int = Field(30_000, gt=0, description="longest side that is decoded, pixels")


DEFAULT_LIMITS = Limits()
