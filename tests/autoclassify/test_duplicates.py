"""Near duplicates: copies in other sizes, qualities and cuts are found, other pictures are not."""

from collections import Counter

import cv2
import numpy as np
import pyarrow as pa
from skimage import data

from hairline.autoclassify import duplicates, examine
from hairline.autoclassify.duplicates import Looks, first_of_each, groups


def encoded(rgb: np.ndarray, ending: str = ".png", quality: int = 95) -> bytes:
    return bytes(cv2.imencode(ending, np.ascontiguousarray(rgb[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def test_copies_of_photographs_are_one_group_and_others_their_own(tmp_path) -> None:
    originals = [data.astronaut(), data.coffee(), data.chelsea(), data.rocket()]
    pictures = {}
    for number, rgb in enumerate(originals):
        height, width = rgb.shape[:2]
        pictures |= {
            f"{number}-whole": encoded(rgb),
            f"{number}-half": encoded(cv2.resize(rgb, (width // 2, height // 2), interpolation=cv2.INTER_AREA), ".jpg"),
            f"{number}-low": encoded(rgb, ".jpg", 40),
            f"{number}-bright": encoded(np.clip(rgb * 1.15, 0, 255).astype(np.uint8)),
        }
    examiner = examine.Examine(str(tmp_path), ["builtin"], read=pictures.__getitem__)
    examiner(pa.table({"uri": list(pictures), "etag": [""] * len(pictures)}))
    facts = examine.known(tmp_path, ["uri", "phash", "features_builtin"])
    rng = np.random.default_rng(0)  # other pictures, as a data set has them: what is alike is alike compared to these
    features = np.stack([np.array(row, np.float32) for row in facts["features_builtin"].to_pylist()])
    others = features.mean(0) + features.std(0) * rng.standard_normal((60, features.shape[1]))
    hashes = np.concatenate([facts["phash"].to_numpy(), rng.integers(0, 1 << 63, 60).astype(np.uint64)])
    found = groups(Looks(hashes, np.concatenate([features, others]).astype(np.float16)))
    named = {uri.split("-")[0]: set() for uri in facts["uri"].to_pylist()}
    for uri, group in zip(facts["uri"].to_pylist(), found.tolist(), strict=False):
        named[uri.split("-")[0]].add(group)
    assert all(len(numbers) == 1 for numbers in named.values()), named
    assert len(set.union(*named.values())) == len(originals)
    assert max(Counter(found[len(facts) :].tolist()).values()) == 1


def test_many_with_the_same_hash_stay_few_comparisons(monkeypatch) -> None:
    count = 3000
    looks = Looks(np.zeros(count, np.uint64), np.random.default_rng(0).standard_normal((count, 8)).astype(np.float16))
    compared = []
    confirmed = duplicates._confirmed
    monkeypatch.setattr(duplicates, "_confirmed", lambda *a: compared.append(len(a[1])) or confirmed(*a))
    assert len(set(groups(looks).tolist())) == 1
    assert sum(compared) <= (6 + duplicates.TABLES) * duplicates.NEIGHBOURS * count


def test_exact_copies_name_the_first() -> None:
    assert first_of_each(np.array(["b", "a", "b", "c", "a"])).tolist() == [0, 1, 0, 3, 1]


def test_one_picture_and_none() -> None:
    assert groups(Looks(np.zeros(1, np.uint64), np.zeros((1, 4), np.float16))).tolist() == [0]
