"""scikit-learn's conventions over a recipe: fit pictures, transform them to codes, and codes back to pictures."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from isthmus.codec.model import Model, load_model
from isthmus.container.atomic import write_file
from isthmus.container.model_file import write_model
from isthmus.errors import InputError, UsageError
from isthmus.learn.data.pictures import split
from isthmus.learn.experiment import build_model, finish
from isthmus.learn.loop.schedule import Budget
from isthmus.learn.loop.training import train
from isthmus.learn.recipes.loading import change_recipe, load_recipe
from isthmus.learn.recipes.settings import Recipe
from isthmus.metrics.distortion import mse, psnr_of_mse
from isthmus.sources.picture_set import PictureSet, as_uint8


class Autoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """An autoencoder with scikit-learn's methods; works in a `Pipeline`.

    Args:
        recipe: a name that `isthmus recipes` lists, or the path of a .toml file.
        code: how many numbers the code has; None is the recipe's.
        epochs: passes over the pictures; None is the recipe's.
        seed: the same seed and pictures give the same codes on one machine.
        device: "auto", "cpu" or "cuda".
        settings: further settings by key, such as {"training.batch_size": 64}.

    Attributes:
        model_: the fitted model, an `isthmus.Model`; its `encode` and `decode` make and read .isth bytes.
        experiment_: the run's figures.
        history_: an `EpochResult` for each epoch, with train_loss, test_loss, test_mse, learning_rate and seconds.
        n_features_in_: values of one picture.
    """

    def __init__(
        self,
        recipe: str = "digits-dense",
        *,
        code: int | None = None,
        epochs: int | None = None,
        seed: int = 0,
        device: str = "auto",
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.recipe = recipe
        self.code = code
        self.epochs = epochs
        self.seed = seed
        self.device = device
        self.settings = settings

    def fit(self, X: ArrayLike, y: object = None) -> Self:  # noqa: N803 - scikit-learn's names
        """Train on pictures.

        Args:
            X: (count, rows, columns), (count, rows, columns, 3) or flattened (count, values); whole numbers from 0 to
                255, or floats in [0, 1]. An array, or what becomes one: a list of arrays or of Pillow images, a
                tensor, a data frame.
            y: ignored.

        Raises:
            InputError: another type, shape or range, or pictures of different sizes; nothing was trained.
            ModelMismatchError: pictures of another mode than the recipe's.
        """
        recipe = self._recipe()
        values = _as_array(X)
        pictures = self._pictures(values, recipe)
        recipe = change_recipe(
            recipe,
            {"model.height": pictures.shape[1], "model.width": pictures.shape[2], "model.channels": pictures.shape[3]},
        )
        data = split(PictureSet(pictures), held_out=recipe.data.held_out, seed=self.seed, source="array")
        # training draws from torch's own random state, which is the caller's and stays as it was
        with tempfile.TemporaryDirectory(prefix="isthmus-") as name, torch.random.fork_rng():
            folder = Path(name)
            run = train(
                recipe,
                data,
                build_model(recipe, self.seed),
                folder,
                budget=Budget(recipe.training.epochs),
                seed=self.seed,
                device=self.device,
            )
            self.experiment_ = finish(recipe, data, run.model, folder, history=run.history, seconds=run.seconds)
            self.model_: Model = load_model(self.experiment_.model)
            self.history_ = run.history
        self._layout = values.shape[1:]
        self.n_features_in_ = int(np.prod(self._layout))
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:  # noqa: N803
        """Codes (count, code) float32 of pictures in the layout of `fit`."""
        return self._codes(X)

    def _codes(self, X: ArrayLike) -> NDArray[np.float32]:  # noqa: N803
        check_is_fitted(self, "model_")
        values = _as_array(X)
        if values.shape[1:] != self._layout:
            raise InputError(f"fitted on pictures of shape {self._layout}, these have {values.shape[1:]}")
        pictures = self._pictures(values, self._recipe())
        codes = self.model_.latents(pictures)
        return codes.reshape(len(codes), -1)

    def inverse_transform(self, X: ArrayLike) -> NDArray[np.float32]:  # noqa: N803
        """Pictures of codes (count, code): float32 in [0, 1], in the layout of `fit`."""
        check_is_fitted(self, "model_")
        spec = self.model_.file.latents
        codes = _as_array(X)
        if codes.ndim != 2 or codes.shape[1] != spec.channels or codes.dtype.kind not in "fiu":
            raise InputError(f"codes are numbers of shape (count, {spec.channels}), not {codes.dtype} of {codes.shape}")
        pictures = self.model_.pictures_of(codes.astype(np.float32).reshape(len(codes), spec.channels, 1, 1))
        return pictures.reshape(len(pictures), *self._layout)

    def score(self, X: ArrayLike, y: object = None) -> float:  # noqa: N803
        """How alike pictures are to what comes back of their codes: PSNR in dB of the mean squared error over all.

        Higher is better, as scikit-learn's searches want it. Codes are not quantised.
        """
        back = self.inverse_transform(self._codes(X)).clip(0, 1)
        pictures = self._pictures(_as_array(X), self._recipe()).reshape(back.shape)
        return psnr_of_mse(mse(back, pictures / 255), peak=1.0)

    @property
    def _n_features_out(self) -> int:
        """What scikit-learn names: autoencoder0, autoencoder1, ..."""
        return int(self.model_.file.latents.channels)

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the fitted model to a .isthmus file.

        Raises:
            OutputError: the path exists and `force` is false, or cannot be written.
        """
        check_is_fitted(self, "model_")
        write_file(Path(path), write_model(self.model_.file), force=force)

    def _recipe(self) -> Recipe:
        changes = dict(self.settings or {})
        changes |= {"model.code": self.code} if self.code is not None else {}
        changes |= {"training.epochs": self.epochs} if self.epochs is not None else {}
        return change_recipe(load_recipe(self.recipe), changes)

    def _pictures(self, values: NDArray[Any], recipe: Recipe) -> NDArray[np.uint8]:
        """(count, rows, columns, channels) uint8."""
        if values.ndim == 2:
            shape = (recipe.model.height, recipe.model.width, recipe.model.channels)
            if hasattr(self, "model_"):
                spec = self.model_.file.picture
                shape = (*(spec.size or shape[:2]), spec.channels)
            if values.shape[1] != np.prod(shape):
                raise UsageError(
                    f"flattened pictures of {values.shape[1]} values do not fit the recipe's {shape[1]}×{shape[0]}: "
                    "set model.height and model.width, or pass (count, rows, columns)"
                )
            values = values.reshape(len(values), *shape)
        return as_uint8(values, name="X")


def _as_array(values: ArrayLike) -> NDArray[Any]:
    """Whatever becomes an array, as one.

    Raises:
        InputError: it does not, such as a list of pictures of different sizes.
    """
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:  # the last: torch's, of tensors that need gradients
        raise InputError(f"X is no array, and does not become one: {error}") from error
    if array.dtype == object:
        raise InputError(f"X has values of type object, not numbers: an array of shape {array.shape}")
    return array
