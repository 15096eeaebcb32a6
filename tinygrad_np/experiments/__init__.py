"""The course's experiments: circles, and digits; what they depend on, how they train, and their pictures."""

from tinygrad_np.experiments.circles import Circles, CirclesOptions
from tinygrad_np.experiments.images import Classifier, DigitsOptions, MnistOptions, data

__all__ = ["Circles", "CirclesOptions", "Classifier", "DigitsOptions", "MnistOptions", "data"]
