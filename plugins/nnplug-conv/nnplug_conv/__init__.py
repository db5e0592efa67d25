"""Convolution, pooling and batch normalisation for nnplug. Images are (N, C, H, W): rows, channels, height, width."""
