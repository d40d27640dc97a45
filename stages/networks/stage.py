"""What the stages around networks of ours share: which weight files, on which device, in which precision."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Generic, TypeVar, cast

import torch
from pydantic import Field
from torch import nn

from .. import checkpoints
from ..base import Settings, Stage
from . import compiled
from .blocks import fold_bn


class NetworkSettings(Settings):
    """Settings of a stage around one network."""

    weights: str = Field("builtin", description="builtin, or the path or URL of other weights")
    sha256: str = Field("", description="hash that a weights file of yours must have; needed behind a URL")

    def weight_files(self, network: str) -> dict[str, Path]:
        """The weight files that the settings name, as {role: path}, their hashes checked.

        Args:
            network: what the network is called; its weights in the tree are `stages/weights/<network>.safetensors`.

        Raises:
            HairlineError: a file is missing, or its hash is another one.
        """
        return {network: checkpoints.find(self.weights, f"{network}.safetensors", self.sha256)}


class RoutedSettings(NetworkSettings):
    """Settings of a stage that has a set of weights for each route; the roles are the routes."""

    weights: str = Field("builtin", description="builtin, or the path or URL of other weights for every route")
    route_weights: dict[str, str] = Field(
        {}, description="{route: path, or URL#sha256=…}: other weights for single routes"
    )

    def weight_files(self, network: str) -> dict[str, Path]:
        return checkpoints.by_route(network, self.weights, self.route_weights, self.sha256)


S = TypeVar("S", bound=NetworkSettings)
N = TypeVar("N", bound=nn.Module)


class NetworkStage(Stage[S], Generic[S, N]):
    """A stage around one network, with one or several sets of weights.

    Attributes:
        network: what the network is called, see `NetworkSettings.weight_files`.
        Network: its class, made without arguments.
        networks: after `setup`: {role: network with its weights, ready for inference}.
        device: after `setup`: where they compute; the precision follows from it, see `checkpoints.precision`.
    """

    network: ClassVar[str]
    Network: ClassVar[type[nn.Module]]

    @classmethod
    def weight_hashes(cls, settings: S) -> dict[str, str]:
        return {role: checkpoints.digest(path) for role, path in settings.weight_files(cls.network).items()}

    def setup(self, device: torch.device) -> None:
        self.device = device
        self.networks = {role: self.load(path) for role, path in self.settings.weight_files(self.network).items()}

    def load(self, path: Path) -> N:
        """The network with the weights of a file, on the device, ready for inference.

        Raises:
            HairlineError: the file is no safetensors, or belongs to another network.
        """
        network = checkpoints.load(self.Network(), path)
        return cast(N, compiled.ready(fold_bn(network), self.device))
