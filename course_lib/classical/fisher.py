"""The Fisher vector: how a mixture would have to change to fit an image better."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from course_lib.classical.encoder import (
    Encoder,
    signed_power,
    sums_of_products,
    sums_of_rows,
)
from course_lib.classical.kmeans import kmeans, seed
from course_lib.classical.mixture import Mixture, Posterior, em, start
from course_lib.classical.sampling import Source
from course_lib.classical.sets import CodebookError, one_of, real, whole


class FisherVector(Encoder):
    """The gradient of an image's log-likelihood under a mixture of Gaussians.

    Perronnin and Dance, CVPR 2007; Sánchez, Perronnin, Mensink and Verbeek, IJCV 2013.
    words: K, the components of the mixture, whose covariances are diagonal.
    pca: entries that the descriptors are first reduced to, or None to leave them.
    improved: sign(z) |z|^power, then length 1 (Perronnin et al., ECCV 2010).
    variance_floor: least variance of a component, times that of all descriptors.
    max_iter, tol: of EM, which starts from k-means; it ends when the mean
        log-likelihood rises by less than tol (nats a descriptor).
    The rest: see Encoder. Learnt: weights_ (K,), means_ and variances_ (K, D),
    pca_mean_, pca_components_ (D, entries), log_likelihoods_ (an iteration each).

    A row is K + 2KD: gradients by the weights, by the means (the first component's
    entries, the second's, …), by the standard deviations. Layout and signs are those of
    skimage.feature.fisher_vector: the last part is minus that of the papers, which no
    linear classifier notices.
    """

    def __init__(
        self,
        words=256,
        pca=64,
        improved=True,
        power=0.5,
        variance_floor=1e-3,
        samples=100_000,
        max_iter=100,
        tol=1e-3,
        random_state=None,
        batch_size=4096,
        device=None,
        verbose=False,
    ):
        self.words = words
        self.pca = pca
        self.improved = improved
        self.power = power
        self.variance_floor = variance_floor
        self.samples = samples
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.batch_size = batch_size
        self.device = device
        self.verbose = verbose

    def _check(self) -> None:
        super()._check()
        if self.pca is not None:
            whole("pca", self.pca)
        one_of("improved", self.improved, (True, False))
        real("power", self.power, 0, 1)
        real("variance_floor", self.variance_floor)

    def _learn(self, source: Source, random) -> None:
        pca = None
        if self.pca is not None:
            pca = principal_components(source, self.pca)
            source = source.mapped(pca)
        first = seed(source, self.words, random)
        words, _ = kmeans(source, first, self.max_iter, 1e-4, self._title("k-means"))
        mixture, floor = start(source, words, self.variance_floor)
        mixture, self.log_likelihoods_ = em(
            source, mixture, floor, self.max_iter, self.tol, self._title("EM")
        )
        self.n_iter_ = len(self.log_likelihoods_)
        self.weights_, self.means_, self.variances_ = (
            part.cpu().numpy() for part in mixture
        )
        self.pca_mean_, self.pca_components_ = (
            part.cpu().numpy() if pca else None for part in pca or (None, None)
        )

    @property
    def _n_features_out(self) -> int:
        return len(self.weights_) + 2 * self.means_.size

    def _coder(self) -> Gradients:
        device = self._device()
        learnt = self.weights_, self.means_, self.variances_
        mixture = Mixture(*(torch.from_numpy(part).to(device) for part in learnt))
        pca = None
        if self.pca_components_ is not None:
            learnt = self.pca_mean_, self.pca_components_
            pca = PCA(*(torch.from_numpy(part).to(mixture.means) for part in learnt))
        return Gradients(mixture, pca, self.power if self.improved else None)


class Gradients:
    """The steps of a Fisher vector; see Coder.

    power: of the improved normalisation, or None for the gradient as it is.

    Equations 16 to 18 of Sánchez et al., the last one negated, with x and μ from the
    mixture's mean: a component's gradients are, with S = Σ γ [1, x, x²],

        by its weight:     (S₀ - n w) / √w
        by its means:      (S₁ - S₀ μ) a                            a = 1 / (√w σ)
        by its deviations: (S₀ (σ² - μ²) + 2 μ S₁ - S₂) b           b = 1 / (√(2w) σ²)

    all divided by n. S₁ and S₂ are scaled and shifted together, in place, and what that
    leaves to do in the last line is to add the second line's result times 2 μ b / a:
    rows are long, and each pass through them costs as much as a product of matrices.
    """

    def __init__(self, mixture: Mixture, pca: PCA | None, power: float | None):
        self.dtype, self.pca, self.power = mixture.means.dtype, pca, power
        self.posterior = Posterior(mixture)
        weights, means, variances = (part.double() for part in mixture)
        means, root = means - self.posterior.centre, weights.sqrt()[:, None]
        by_mean = 1 / (root * variances.sqrt())
        by_deviation = 1 / (2**0.5 * root * variances)
        scale = torch.cat([by_mean, -by_deviation], dim=1)
        shift = [-means * by_mean, (variances + means.square()) * by_deviation]
        self.weights, self.scale = mixture.weights, scale.to(mixture.means)
        self.shift = torch.cat(shift, dim=1).to(mixture.means)
        self.cross = (2 * means * by_deviation / by_mean).to(mixture.means)

    def assign(self, descriptors: Tensor) -> tuple[Tensor, Tensor]:
        """Return posteriors γ (m, K) and [x, x²] (m, 2D)."""
        reduced = self.pca(descriptors) if self.pca else descriptors
        powers = self.posterior.powers(reduced)
        return self.posterior(powers), powers

    def pool(self, assigned: tuple[Tensor, Tensor], lengths: Tensor):
        """Return of each segment: n (S,), Σ γ (S, K) and Σ γ [x, x²] (S, K, 2D)."""
        shares, powers = assigned
        sums = sums_of_products(shares, powers, lengths)
        return lengths.to(shares), sums_of_rows(shares, lengths), sums

    def encode(self, sums: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        counts, shares, products = sums
        segments, words, twice = products.shape
        by_weights = (shares - counts[:, None] * self.weights) / self.weights.sqrt()
        both = products.mul_(self.scale).addcmul_(shares[:, :, None], self.shift)
        by_means, by_deviations = both.chunk(2, dim=2)  # (S, K, D)
        by_deviations.addcmul_(by_means, self.cross)
        if self.power is None:
            factor = 1 / counts.clamp(min=1)
        else:  # the length is made 1: nothing is divided by n
            by_weights = signed_power(by_weights, self.power)
            both = signed_power(both, self.power)
            by_means, by_deviations = both.chunk(2, dim=2)
            length = length_of(by_weights, both.flatten(1))
            factor = 1 / torch.where(length > 0, length, 1)
        rows = products.new_empty(segments, words + words * twice)
        parts = rows.split([words, words * twice // 2, words * twice // 2], dim=1)
        for part, values in zip(
            parts, (by_weights, by_means, by_deviations), strict=True
        ):
            shape = values.shape
            scaled = factor.view(-1, *[1] * (len(shape) - 1))
            torch.mul(values, scaled, out=part.view(shape))
        return rows


def length_of(*parts: Tensor) -> Tensor:
    """Return the length (S,) of rows in parts, where float32 holds no squares, too."""
    norm = torch.linalg.vector_norm
    for dtype in (None, torch.float64):
        length = torch.hypot(*(norm(part, dim=1, dtype=dtype) for part in parts))
        if length.isfinite().all():
            break
    return length.to(parts[0])


class PCA(NamedTuple):
    """Turns descriptors (m, D) into (m, entries), the largest variance first."""

    mean: Tensor  # (D,)
    components: Tensor  # (D, entries), columns of length 1

    def __call__(self, descriptors: Tensor) -> Tensor:
        return (descriptors - self.mean) @ self.components


def principal_components(source: Source, entries: int) -> PCA:
    """Learn a PCA in one pass; of each component the largest entry is positive."""
    width = source.seeds.shape[1]
    if entries > width:
        raise CodebookError(
            f"pca is {entries}, but the descriptors have {width} entries: expected at "
            "most as many, or None to leave them as they are"
        )
    centre = source.seeds.double().mean(dim=0)
    total, products = torch.zeros_like(centre), centre.new_zeros(width, width)
    for descriptors in source:
        x = descriptors.double() - centre
        total += x.sum(dim=0)
        products += x.T @ x
    mean = total / source.count
    covariance = products / source.count - mean.outer(mean)
    _, vectors = torch.linalg.eigh(covariance)
    vectors = vectors.flip(1)[:, :entries]
    largest = vectors.gather(0, vectors.abs().argmax(dim=0, keepdim=True))
    components = (vectors * largest.sign()).to(source.seeds).contiguous()
    return PCA((mean + centre).to(source.seeds), components)
