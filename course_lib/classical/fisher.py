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
    unit,
)
from course_lib.classical.kmeans import kmeans, seed
from course_lib.classical.mixture import Mixture, Posterior, em, start
from course_lib.classical.sets import CodebookError, Source, one_of, real, whole


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
    """

    def __init__(self, mixture: Mixture, pca: PCA | None, power: float | None):
        self.dtype, self.mixture = mixture.means.dtype, mixture
        self.pca, self.power = pca, power
        self.posterior = Posterior(mixture)
        self.means = mixture.means - self.posterior.centre

    def assign(self, descriptors: Tensor) -> tuple[Tensor, Tensor]:
        powers = self.posterior.powers(
            self.pca(descriptors) if self.pca else descriptors
        )
        return self.posterior(powers), powers

    def pool(self, assigned: tuple[Tensor, Tensor], lengths: Tensor):
        """Return of each segment: n, Σ γ (S, K) and Σ γ [x, x²] (S, K, 2D)."""
        shares, powers = assigned
        counts = lengths.to(shares)
        sums = sums_of_products(shares, powers, lengths)
        return counts, sums_of_rows(shares, lengths), sums

    def encode(self, sums: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """Equations 16 to 18 of Sánchez et al., divided by n, the last one negated."""
        counts, shares, products = sums
        weights, _, variances = self.mixture
        means, root = self.means, weights.sqrt()
        count = counts.clamp(min=1)[:, None]
        shares = (shares / count)[:, :, None]  # (S, K, 1)
        x, squares = (products / count[:, :, None]).chunk(2, dim=2)  # (S, K, D)
        by_weights = (shares[:, :, 0] - weights) / root
        by_means = (x - shares * means) / (root[:, None] * variances.sqrt())
        spread = shares * (variances - means.square()) + 2 * x * means - squares
        by_deviations = spread / (2**0.5 * root[:, None] * variances)
        parts = by_weights, by_means.flatten(1), by_deviations.flatten(1)
        rows = torch.cat(parts, dim=1) * (counts > 0)[:, None]
        return rows if self.power is None else unit(signed_power(rows, self.power))


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
