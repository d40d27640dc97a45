"""Where a picture's products go: `<product>/<id>.<ext>`, for every id whatsoever.

The way of a source is kept as it is wherever that is possible. What a file system or an object store
cannot take, or what would leave the folder, is percent-encoded; what is too long is shortened with a hash.
Two ids never get the same name, and no name is a folder of another.
"""

from __future__ import annotations

import hashlib
import re

MAX_NAME = 255  # bytes of one name on the usual file systems
MAX_WAY = 900  # bytes of the whole relative path: S3 keys end at 1024, with the output's prefix
ENDINGS = (  # of products
    *("png", "webp", "jpg", "jpeg", "tif", "tiff", "avif", "psd", "ora", "zip", "svg", "json", "npy"),
)
CODED = re.compile(r"%(?=[0-9A-Fa-f]{2}|~)")


STEERING = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\udc80-\udcff]"
)  # controls, and marks of direction


def visible(text: str) -> str:
    """Text on one line that steers no terminal: a newline as \\n, an escape as \\x1b; names of files hold anything."""
    return STEERING.sub(_spelt, text)


def _spelt(found: re.Match[str]) -> str:
    if found[0] >= "\udc80":  # a byte that is no UTF-8, as Python's paths hold it
        return f"\\x{ord(found[0]) - 0xDC00:02x}"
    return found[0].encode("unicode_escape").decode()


def output_name(product: str, id: str, ext: str) -> str:
    """The path of a product below the output folder, with /.

    Args:
        product: the product's name.
        id: the picture's id, any text.
        ext: the ending, without the dot.
    """
    *folders, name = id.split("/")
    way = [
        _segment(product).replace("/", "%2F"),
        *(_folder(segment) for segment in folders),
        f"{_segment(name, len(ext) + 1)}.{ext}",
    ]
    path = "/".join(way)
    if len(path.encode()) > MAX_WAY:
        return f"{way[0]}/{_shorten(id.replace('/', '_'), id, 120)}.{ext}"
    return path


def _segment(segment: str, reserve: int = 0) -> str:
    """One name between slashes; `reserve` bytes are kept free for an ending."""
    coded = CODED.sub("%25", segment).replace("\0", "%00")
    if coded in ("", ".", ".."):
        coded = coded.replace(".", "%2E") or "%2F"  # no segment holds a slash, so %2F can mean none at all
    return coded if len(coded.encode()) + reserve <= MAX_NAME else _shorten(coded, segment, MAX_NAME - reserve)


def _folder(segment: str) -> str:
    """A folder `a.png` must not stand in the way of the file made from `a`."""
    coded = _segment(segment, reserve=2)
    stem, dot, ending = coded.rpartition(".")
    return f"{stem}%2E{ending}" if dot and ending.lower() in ENDINGS else coded


def _shorten(text: str, whole: str, size: int) -> str:
    """At most `size` bytes: the beginning, and a hash of the whole."""
    mark = f"%~{hashlib.sha256(whole.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"
    head = text.encode("utf-8", "replace")[: size - len(mark)].decode("utf-8", "ignore")
    return CODED.sub("_", head).replace("\0", "_") + mark
