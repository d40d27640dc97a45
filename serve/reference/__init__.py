"""The API's description as a page to read: one HTML file without scripts, made from the OpenAPI document."""

from .page import STYLE, base_of, render

__all__ = ["STYLE", "base_of", "render"]
