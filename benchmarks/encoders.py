"""The small CNN through which benchmarks read images."""

from torch import nn

__all__ = ["SmallCNN"]


class SmallCNN(nn.Sequential):
    """Blocks of convolution, batch normalisation, ReLU and pooling."""

    def __init__(self, input_shape, widths=(16, 32, 64, 128)):
        n_channels, layers = input_shape[0], []
        for width in widths:
            layers += [
                nn.Conv2d(n_channels, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
            n_channels = width
        super().__init__(*layers)
