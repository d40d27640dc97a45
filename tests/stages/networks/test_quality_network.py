"""The quality network and the classifier: shapes, order, and what training starts from."""

import numpy as np
import torch

from hairline.stages.imaging import signals
from hairline.stages.networks import classifier, quality
from hairline.stages.networks.blocks import fold_bn


def pictures(count: int, side: int) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(1))


def test_quality_answers_are_ordered_whatever_the_weights() -> None:
    torch.manual_seed(0)
    network = quality.QualityNet().eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0, 0.2)
    with torch.no_grad():
        defects, classes = network(pictures(3, quality.SIZE), torch.rand(3, len(signals.NAMES)))
    assert defects.shape == (3, len(quality.DEFECTS), quality.SEVERITIES - 1)
    assert classes.shape == (3, len(quality.CLASSES) - 1)
    assert (defects.diff(dim=2) < 0).all() and (classes.diff(dim=1) < 0).all()


def test_quality_uses_the_signals_and_the_picture() -> None:
    torch.manual_seed(0)
    network = quality.QualityNet().eval()
    image, measured = pictures(1, quality.SIZE), torch.rand(1, len(signals.NAMES))
    with torch.no_grad():
        first, _ = network(image, measured)
        assert not torch.equal(first, network(image, measured + 1)[0])
        assert not torch.equal(first, network(image.flip(3), measured)[0])


def test_folding_normalisation_changes_nothing() -> None:
    torch.manual_seed(0)
    network = classifier.ClassifierNet()
    with torch.no_grad():
        for _ in range(3):  # so that the running statistics are not 0 and 1
            network.train()(pictures(4, 64))
        plain = network.eval()(pictures(2, classifier.SIZE))
        folded = fold_bn(network)(pictures(2, classifier.SIZE))
    assert plain.shape == (2, len(classifier.CATEGORIES))
    assert torch.allclose(plain, folded, atol=1e-3)


def test_temperature_softens() -> None:
    network = classifier.ClassifierNet().eval()
    with torch.no_grad():
        sharp = network(pictures(1, 64)).softmax(1).max()
        network.temperature.fill_(5.0)
        assert network(pictures(1, 64)).softmax(1).max() < sharp
    assert np.isfinite(float(sharp))
