"""(h) How the coarse network tells its parts from one another: pyramid pooling, as shipped, against self-attention
over the last map, both going on from the weights in the tree with the same samples."""

from __future__ import annotations

from functools import lru_cache

import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from ...stages import weights
from ...stages.networks.blocks import WIDTHS
from ...stages.networks.coarse import SIZE, CoarseNet
from .. import coarse
from .run import Figures, Run, Variant, gmacs


class Attention(nn.Module):
    """One layer of a transformer over all places of a map (Vaswani et al., "Attention is all you need", NeurIPS 2017).

    Input and output: float [N, C, H, W]. Where a place lies comes from a depthwise convolution (Chu et al.,
    "Conditional positional encodings", ICLR 2023), so any size will do. It begins as the identity.
    """

    def __init__(self, channels: int, heads: int = 8, grow: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.place = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(2))
        self.ask = nn.Linear(channels, 3 * channels)
        self.answer = nn.Linear(channels, channels)
        self.mlp = nn.Sequential(nn.Linear(channels, grow * channels), nn.GELU(), nn.Linear(grow * channels, channels))
        for last in (self.place, self.answer, self.mlp[2]):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        tokens = (x + self.place(x)).flatten(2).transpose(1, 2)
        asked = self.ask(self.norms[0](tokens)).view(n, h * w, 3, self.heads, c // self.heads)
        query, key, value = asked.permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.answer(seen.transpose(1, 2).reshape(n, h * w, c))
        tokens = tokens + self.mlp(self.norms[1](tokens))
        return tokens.transpose(1, 2).reshape(n, c, h, w)


def _attentive(layers: int) -> CoarseNet:
    """The coarse network with attention behind its pyramid pooling."""
    net = _shipped()
    net.encoder.context = nn.Sequential(net.encoder.context, *(Attention(WIDTHS[-1]) for _ in range(layers)))
    return net


def _shipped() -> CoarseNet:
    net = CoarseNet()
    state = load_file(weights.FOLDER / "coarse-general.safetensors")
    net.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    return net


@lru_cache(maxsize=1)
def _fixed() -> tuple[coarse.Sampler, coarse.Validation]:
    return coarse.Sampler("train"), coarse.Validation()


def _variant(layers: int) -> Variant:
    def run(run: Run) -> Figures:
        sampler, judge = _fixed()
        model, figures = run.learn(lambda: _attentive(layers), sampler, coarse.loss, judge, "iou")
        run.cost["gmacs"] = gmacs(model, (1, 3, SIZE, SIZE))
        return figures

    return run


VARIANTS = {"pooling": _variant(0), "attention_1": _variant(1), "attention_2": _variant(2)}
