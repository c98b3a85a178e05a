"""Codebooks against loops over descriptors, other libraries and exact symmetries."""

from __future__ import annotations

import math
import pickle
import warnings
import weakref
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.utils import estimator_checks

from course_lib.classical import (
    BagOfWords,
    CodebookError,
    Features,
    FisherVector,
    Sift,
    SpatialPyramid,
    Vlad,
    fisher,
    kmeans,
    mixture,
    sampling,
)
from course_lib.classical.encoder import softmax_, sums_of_products
from tests.tiers import rest_is_slow

pytestmark = pytest.mark.usefixtures("one_thread")

WIDTH = 6
ENCODERS = {
    "hard": BagOfWords(5, random_state=0),
    "soft": BagOfWords(5, "soft", random_state=0),
    "vlad": Vlad(5, random_state=0),
    "vlad, plain": Vlad(5, power=1, intra=False, random_state=0),
    "fisher": FisherVector(5, pca=4, random_state=0),
    "fisher, plain": FisherVector(5, pca=None, improved=False, random_state=0),
}
every_encoder = pytest.mark.parametrize(
    "encoder", [pytest.param(one, id=name) for name, one in ENCODERS.items()]
)


def some_sets(lengths, width=WIDTH, seed=0) -> list[np.ndarray]:
    """Return sets of descriptors about eight points, off the origin."""
    random = np.random.default_rng(seed)
    points = 3 + random.normal(size=(8, width))
    return [
        points[random.integers(8, size=n)] + 0.4 * random.normal(size=(n, width))
        for n in lengths
    ]


def placed(descriptors: list[np.ndarray], size=(30, 40), seed=0) -> list[Features]:
    random = np.random.default_rng(seed)
    height, width = size
    found = []
    for rows in descriptors:
        keypoints = random.uniform(-0.5, 1, size=(len(rows), 4))
        keypoints[:, :2] = random.uniform(
            -0.5, [width - 0.5, height - 0.5], (len(rows), 2)
        )
        found.append(Features(keypoints, rows))
    return found


def source_of(rows: np.ndarray, part=50) -> sampling.Source:
    rows = torch.from_numpy(rows)
    return sampling.Source(rows.split(part), rows, len(rows))


def in_float64(encoder):
    """Return the fitted encoder with what it has learnt in float64."""
    encoder = pickle.loads(pickle.dumps(encoder))
    for name, value in vars(encoder).items():
        if isinstance(value, np.ndarray):
            setattr(encoder, name, value.astype(np.float64))
    return encoder


RAGGED = [7, 0, 30, 12, 12, 1, 55, 0, 12, 30]


# learning


@pytest.mark.parametrize("iterations", [1, 2, 7, 60])
def test_kmeans_is_scikit_learn_s(iterations):
    rows = np.concatenate(some_sets([400]))
    first = rows[:9].copy()
    options = {"n_clusters": 9, "n_init": 1, "tol": 0, "algorithm": "lloyd"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        peer = KMeans(init=first, max_iter=iterations, **options).fit(rows)
    found, _ = kmeans.kmeans(source_of(rows), torch.tensor(first), iterations, tol=0)
    np.testing.assert_allclose(found, peer.cluster_centers_, rtol=1e-10)
    passed = kmeans.sums(source_of(rows), found)
    assert passed.inertia == pytest.approx(-peer.score(rows))


def test_words_that_nothing_is_near_to_move_to_what_is_far():
    rows = np.concatenate(some_sets([200]))
    first = np.concatenate([rows[:2], np.full((3, WIDTH), 1e3)])
    found, _ = kmeans.kmeans(source_of(rows), torch.tensor(first), 30, tol=0)
    passed = kmeans.sums(source_of(rows), found)
    assert (passed.counts > 0).all()
    assert passed.counts.sum() == 200
    two, _ = kmeans.kmeans(source_of(rows), torch.tensor(first[:2]), 30, tol=0)
    assert passed.inertia < kmeans.sums(source_of(rows), two).inertia


def test_the_descriptor_that_a_word_moves_to_leaves_its_own():
    rows = np.array([[0.0, 0], [0, 1], [0, 2], [9, 0]])
    first = torch.tensor([[1.0, 1], [500, 500]]).double()
    found, _ = kmeans.kmeans(source_of(rows, part=2), first, 1, tol=0)
    np.testing.assert_allclose(found, [[0, 1], [9, 0]], atol=1e-12)


def test_fewer_different_descriptors_than_words_are_all_words():
    rows = np.repeat(np.eye(3, WIDTH), 10, axis=0)
    for encoder in ENCODERS.values():
        encoded = clone(encoder).fit_transform([rows, rows[:10]])
        assert np.isfinite(encoded).all()
    codebook = BagOfWords(5, random_state=0).fit([rows]).codebook_
    for row in np.eye(3, WIDTH):
        assert np.abs(codebook - row).max(axis=1).min() < 1e-6


@pytest.mark.parametrize("iterations", [1, 2, 15])
def test_em_is_scikit_learn_s(iterations):
    rows = np.concatenate(some_sets([500]))
    random = np.random.default_rng(1)
    weights = random.dirichlet(np.full(4, 5.0))
    means, variances = rows[:4].copy(), random.uniform(0.3, 1, (4, WIDTH))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        peer = GaussianMixture(
            4,
            covariance_type="diag",
            weights_init=weights,
            means_init=means,
            precisions_init=1 / variances,
            reg_covar=0,
            max_iter=iterations,
            tol=0,
        ).fit(rows)
    first = mixture.Mixture(*map(torch.tensor, (weights, means, variances)))
    floor = torch.full((WIDTH,), 1e-9, dtype=torch.float64)
    found, history = mixture.em(source_of(rows), first, floor, iterations, tol=0)
    np.testing.assert_allclose(found.weights, peer.weights_, rtol=1e-9)
    np.testing.assert_allclose(found.means, peer.means_, rtol=1e-9)
    np.testing.assert_allclose(found.variances, peer.covariances_, rtol=1e-8)
    assert len(history) == iterations
    assert history[-1] == pytest.approx(peer.lower_bound_, abs=1e-10)


def test_em_never_loses_likelihood():
    fitted = FisherVector(12, pca=None, tol=0, max_iter=40, random_state=0)
    fitted.fit(some_sets([600, 300]))
    assert len(fitted.log_likelihoods_) == fitted.n_iter_ == 40
    assert np.diff(fitted.log_likelihoods_).min() > -1e-6
    assert fitted.log_likelihoods_[-1] > fitted.log_likelihoods_[0]
    assert fitted.weights_.sum() == pytest.approx(1, abs=1e-6)


def test_no_variance_falls_below_the_floor():
    rows = np.concatenate(some_sets([300]))
    rows[:, 2] = 7  # an entry that never changes
    rows = np.concatenate([rows, np.repeat(rows[:1], 100, axis=0)])
    fitted = FisherVector(8, pca=None, variance_floor=0.05, random_state=0).fit([rows])
    assert (fitted.variances_ >= 0.05 * rows.var(axis=0) * (1 - 1e-5)).all()
    assert fitted.variances_.min() > 0
    assert np.isfinite(fitted.transform([rows])).all()


@pytest.mark.parametrize("entries", [1, 3, WIDTH])
def test_pca_is_scikit_learn_s(entries):
    rows = np.concatenate(some_sets([300])) @ np.diag([5, 3, 1, 0.5, 4, 2])
    source = source_of(rows)
    source.seeds = source.seeds[:20]  # whose mean is not that of all
    found = fisher.principal_components(source, entries)
    peer = PCA(entries).fit(rows)
    signs = np.sign((found.components.numpy() * peer.components_.T).sum(axis=0))
    np.testing.assert_allclose(
        found(torch.tensor(rows)).numpy() * signs, peer.transform(rows)
    )
    largest = found.components.abs().argmax(dim=0)
    assert (found.components[largest, range(entries)] > 0).all()


# a stream of sets


class Lazy(Sequence):
    """Sets that are made when they are asked for; counts how many are alive at once."""

    def __init__(self, made: list[np.ndarray]):
        self.made, self.passes, self.alive, self.most = made, 0, 0, 0

    def __len__(self):
        return len(self.made)

    def __getitem__(self, place):
        rows = self.made[place].copy()
        self.alive += 1
        self.most = max(self.most, self.alive)
        weakref.finalize(rows, self.gone)
        return rows

    def gone(self):
        self.alive -= 1

    def __iter__(self):
        self.passes += 1
        return map(self.__getitem__, range(len(self)))


@every_encoder
@pytest.mark.parametrize("samples", rest_is_slow([None, 10_000]))
def test_only_a_batch_of_a_lazy_sequence_is_ever_held(encoder, samples):
    lazy = Lazy(some_sets([20] * 60))
    encoder = clone(encoder).set_params(samples=samples, batch_size=100)
    encoded = encoder.fit(lazy).transform(lazy)
    np.testing.assert_allclose(
        encoded, clone(encoder).fit_transform(lazy.made), atol=1e-6
    )
    assert lazy.most <= 2 * 100 / 20
    if samples:
        assert lazy.passes == 2
    else:
        assert lazy.passes > 3


@pytest.mark.slow
@every_encoder
def test_learning_from_a_stream_is_learning_from_the_concatenation(encoder):
    """However the descriptors are split: into images, into batches, or in memory."""
    ragged = some_sets(RAGGED * 10)
    ways = [
        (ragged, {"samples": None, "batch_size": 64}),
        (ragged, {"samples": None, "batch_size": 5}),
        ([np.concatenate(ragged)], {"samples": None}),
        (ragged, {"samples": 10**6, "batch_size": 300}),
    ]
    first, *others = [clone(encoder).set_params(**way).fit(x) for x, way in ways]
    for other in others:
        for name, value in vars(first).items():
            if isinstance(value, np.ndarray):
                np.testing.assert_allclose(value, vars(other)[name], atol=2e-3)


@pytest.mark.slow
def test_drawing_is_uniform_and_does_not_see_the_split():
    rows = np.arange(300.0)[:, None]
    split = [rows[:100], rows[100:101], rows[101:101], rows[101:]]
    times, drawn = np.zeros(300), 20
    for seed in range(600):
        options = {"rows": 40, "device": "cpu", "title": None}
        found = [
            sampling.draw(x, drawn, 10, np.random.RandomState(seed), **options)
            for x in ([rows], split)
        ]
        first, second = (torch.cat(list(one)) for one in found)
        assert first.equal(second)
        assert found[0].seeds.equal(found[1].seeds)
        assert len(found[0].seeds) == 10
        times[first.flatten().long()] += 1
    assert times.sum() == 600 * drawn  # no descriptor twice
    expected = 600 * drawn / 300
    chi_squared = ((times - expected) ** 2 / expected).sum()
    assert chi_squared < 299 + 5 * math.sqrt(2 * 299)


# encoding


def slow_histogram(rows, codebook, sigma=None) -> np.ndarray:
    frequencies = np.zeros(len(codebook))
    for row in rows:
        squared = np.array([((row - word) ** 2).sum() for word in codebook])
        if sigma is None:
            frequencies[squared.argmin()] += 1 / len(rows)
        else:
            weights = np.exp(-squared / (2 * sigma**2))
            frequencies += weights / weights.sum() / len(rows)
    return frequencies


@pytest.mark.parametrize("assignment", ["hard", "soft"])
def test_frequencies_are_those_of_a_loop_over_descriptors(assignment):
    ragged = some_sets(RAGGED)
    encoder = in_float64(BagOfWords(7, assignment, random_state=0).fit(ragged))
    if assignment == "soft":
        nearest = [
            ((row - encoder.codebook_) ** 2).sum(axis=1).min()
            for row in np.concatenate(ragged)
        ]
        assert encoder.sigma_ == pytest.approx(np.sqrt(np.mean(nearest)) / 4, rel=1e-5)
    for rows, encoded in zip(ragged, encoder.transform(ragged), strict=True):
        sigma = None if assignment == "hard" else encoder.sigma_
        expected = slow_histogram(rows, encoder.codebook_, sigma)
        np.testing.assert_allclose(encoded, expected, atol=1e-12)
        assert encoded.sum() == pytest.approx(1 if len(rows) else 0)


@pytest.mark.parametrize("sigma", [0, 1e-6, 1e-2])
def test_soft_becomes_hard_as_sigma_falls(sigma):
    ragged = some_sets(RAGGED)
    hard, soft = (
        BagOfWords(6, way, sigma, random_state=0).fit_transform(ragged)
        for way in ("hard", "soft")
    )
    np.testing.assert_allclose(soft, hard, atol=1e-3)


def slow_vlad(rows, codebook, power, intra) -> np.ndarray:
    sums = np.zeros(codebook.shape)
    for row in rows:
        word = ((row - codebook) ** 2).sum(axis=1).argmin()
        sums[word] += row - codebook[word]
    sums = np.sign(sums) * np.abs(sums) ** power
    if intra:
        sums = np.stack([part / (np.linalg.norm(part) or 1) for part in sums])
    return sums.flatten() / (np.linalg.norm(sums) or 1)


@pytest.mark.parametrize("power", [1, 0.5, 0.3, 0])
@pytest.mark.parametrize("intra", [True, False])
def test_vlad_is_that_of_a_loop_over_descriptors(power, intra):
    ragged = some_sets(RAGGED)
    encoder = in_float64(Vlad(4, power, intra, random_state=0).fit(ragged))
    expected = [slow_vlad(rows, encoder.codebook_, power, intra) for rows in ragged]
    np.testing.assert_allclose(encoder.transform(ragged), expected, atol=1e-12)


def test_the_vlad_of_words_is_zero():
    encoder = Vlad(5, random_state=0).fit(some_sets(RAGGED))
    thrice = np.repeat(encoder.codebook_, 3, axis=0)
    assert not encoder.transform([thrice, encoder.codebook_[:2]]).any()


def slow_fisher(rows, weights, means, variances, improved, power=0.5) -> np.ndarray:
    """Equations 16 to 18 of Sánchez et al. 2013, over n, the last one negated."""
    by_weights = np.zeros(len(weights))
    by_means, by_deviations = np.zeros((2, *means.shape))
    for row in rows:
        apart = (row - means) / np.sqrt(variances)
        density = np.exp(-(apart**2).sum(axis=1) / 2)
        density /= np.sqrt((2 * np.pi * variances).prod(axis=1))
        shares = weights * density / (weights @ density)
        by_weights += (shares - weights) / np.sqrt(weights)
        shares = (shares / np.sqrt(weights))[:, None]
        by_means += shares * apart
        by_deviations -= shares * (apart**2 - 1) / np.sqrt(2)
    parts = by_weights, by_means.flatten(), by_deviations.flatten()
    vector = np.concatenate(parts) / max(len(rows), 1)
    if not improved:
        return vector
    vector = np.sign(vector) * np.abs(vector) ** power
    return vector / (np.linalg.norm(vector) or 1)


@pytest.mark.parametrize("power", [0.5, 0.7, 1])
@pytest.mark.parametrize("improved", [True, False])
def test_fisher_vectors_are_those_of_a_loop_over_descriptors(improved, power):
    ragged = some_sets(RAGGED)
    encoder = FisherVector(4, None, improved, power, random_state=0).fit(ragged)
    encoder = in_float64(encoder)
    learnt = encoder.weights_, encoder.means_, encoder.variances_
    expected = [slow_fisher(rows, *learnt, improved, power) for rows in ragged]
    np.testing.assert_allclose(encoder.transform(ragged), expected, atol=1e-10)


@pytest.mark.parametrize("improved", [True, False])
def test_fisher_vectors_are_scikit_image_s(improved):
    skimage = pytest.importorskip("skimage.feature")
    ragged = some_sets([40, 7, 90, 7])
    encoder = FisherVector(5, pca=None, improved=improved, random_state=0)
    encoder = in_float64(encoder.fit(ragged))
    peer = GaussianMixture(5, covariance_type="diag")
    encoder.weights_ /= encoder.weights_.sum()
    peer.weights_, peer.means_ = encoder.weights_, encoder.means_
    peer.covariances_ = encoder.variances_
    peer.precisions_cholesky_ = encoder.variances_**-0.5
    expected = [skimage.fisher_vector(x, peer, improved=improved) for x in ragged]
    np.testing.assert_allclose(encoder.transform(ragged), expected, atol=1e-12)
    for name in ("weights_", "means_", "variances_"):
        setattr(encoder, name, getattr(encoder, name).astype(np.float32))
    np.testing.assert_allclose(encoder.transform(ragged), expected, atol=1e-3)


def test_the_gradient_is_that_of_the_likelihood():
    """Automatic differentiation, and the Fisher information's analytic diagonal."""
    (rows,) = some_sets([50])
    encoder = FisherVector(3, pca=None, improved=False, random_state=0).fit([rows])
    encoder = in_float64(encoder)
    learnt = encoder.weights_, encoder.means_, np.sqrt(encoder.variances_)
    log_weights, means, deviations = map(torch.tensor, learnt)
    log_weights = log_weights.log()
    leaves = [part.requires_grad_() for part in (log_weights, means, deviations)]
    parts = torch.distributions.Normal(means, deviations)
    joint = parts.log_prob(torch.tensor(rows)[:, None]).sum(2) + leaves[0].log_softmax(
        0
    )
    grads = torch.autograd.grad(joint.logsumexp(1).mean(), leaves)
    weights = torch.tensor(encoder.weights_)
    scale = deviations.detach() / weights.sqrt()[:, None]
    expected = grads[0] / weights.sqrt(), grads[1] * scale, -grads[2] * scale / 2**0.5
    expected = np.concatenate([part.flatten() for part in expected])
    np.testing.assert_allclose(encoder.transform([rows])[0], expected, atol=1e-7)


def test_float32_holds_where_descriptors_are_far_from_zero():
    ragged = some_sets(RAGGED)
    shifted = [rows + 1000 for rows in ragged]
    for encoder in ENCODERS.values():
        near = clone(encoder).fit_transform(ragged)
        far = clone(encoder).fit_transform(shifted)
        np.testing.assert_allclose(far, near, atol=0.05)
        assert np.median(np.abs(far - near)) < 1e-3


def test_sums_of_products_are_those_of_a_loop():
    for lengths in ([3, 3, 3], RAGGED, [0, 0], [0, 5], [4], []):
        lengths = torch.tensor(lengths, dtype=torch.int64)
        left, right = torch.randn(int(lengths.sum()), 4), torch.randn(lengths.sum(), 3)
        parts = zip(*(x.split(lengths.tolist()) for x in (left, right)), strict=True)
        expected = [a.T @ b for a, b in parts] or [torch.zeros(0, 4, 3)]
        found = sums_of_products(left, right, lengths)
        torch.testing.assert_close(found, torch.stack(expected).view(found.shape))


@every_encoder
def test_a_batch_is_its_images(encoder):
    ragged = some_sets(RAGGED + [9] * 30)
    encoder = clone(encoder).fit(ragged)
    together = encoder.transform(ragged)
    alone = np.concatenate([encoder.transform([rows]) for rows in ragged])
    np.testing.assert_allclose(together, alone, atol=2e-4)
    for batch_size in (1, 13, 40):
        split = clone(encoder).set_params(batch_size=batch_size)
        vars(split).update({k: v for k, v in vars(encoder).items() if k[-1] == "_"})
        np.testing.assert_allclose(split.transform(ragged), together, atol=2e-4)
    assert not together[[1, 7]].any()
    assert together.dtype == np.float32
    assert encoder.transform([]).shape == (0, together.shape[1])


@every_encoder
def test_neither_order_nor_copies_of_descriptors_matter(encoder):
    random = np.random.default_rng(0)
    ragged = some_sets([40, 9, 70])
    encoder = clone(encoder).fit(ragged)
    expected = encoder.transform(ragged)
    permuted = [random.permutation(rows) for rows in ragged]
    np.testing.assert_allclose(encoder.transform(permuted), expected, atol=3e-4)
    doubled = [np.repeat(rows, 2, axis=0) for rows in ragged]
    np.testing.assert_allclose(encoder.transform(doubled), expected, atol=3e-4)


@every_encoder
def test_every_form_of_the_sets_gives_the_same(encoder):
    array = np.stack(some_sets([12] * 5)).astype(np.float32)
    encoder = clone(encoder).fit(array)
    expected = encoder.transform(array)
    read_only = array.copy()
    read_only.flags.writeable = False
    keypoints = np.zeros((12, 4), np.float32)
    forms = [
        list(array),
        list(map(torch.tensor, array)),
        torch.tensor(array),
        read_only,
        [rows.tolist() for rows in array],
        [(keypoints, rows) for rows in array],
        [Features(keypoints, rows) for rows in array],
        [array[0], torch.tensor(array[1]), *array[2:].astype(np.float64)],
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for form in forms:
            np.testing.assert_array_equal(encoder.transform(form), expected)


def test_whole_numbers_are_descriptors():
    rows = np.random.default_rng(0).integers(0, 256, (60, WIDTH)).astype(np.uint8)
    for encoder in ENCODERS.values():
        found = [clone(encoder).fit_transform([kind]) for kind in (rows, rows / 1.0)]
        np.testing.assert_array_equal(*found)


@every_encoder
def test_the_order_of_bytes_does_not_matter(encoder):
    fitted = clone(encoder).fit(GOOD)
    expected = fitted.transform(GOOD)
    swapped = [rows.astype(">f4") for rows in GOOD]
    np.testing.assert_array_equal(fitted.transform(swapped), expected)
    mixed = [torch.tensor(GOOD[0]), swapped[1]]
    np.testing.assert_array_equal(fitted.transform(mixed), expected)


@pytest.mark.parametrize("far", [1e3, 1e6, 1e8])
@pytest.mark.parametrize("near", [1e-6, 1, 1e6])
@pytest.mark.parametrize(
    "encoder",
    [
        BagOfWords(3, assignment="soft", random_state=0),
        BagOfWords(3, assignment="soft", sigma=0, random_state=0),
        Vlad(3, power=1, intra=False, random_state=0),
        FisherVector(3, pca=None, power=1, random_state=0),
        FisherVector(3, pca=None, improved=False, random_state=0),
    ],
    ids=str,
)
def test_large_descriptors_give_finite_rows_that_are_not_0(encoder, near, far):
    sets = some_sets([20, 20])
    fitted = encoder.fit([near * rows for rows in sets])
    found = fitted.transform([far * rows for rows in sets])
    assert np.isfinite(found).all()
    assert (np.linalg.norm(found.astype(np.float64), axis=1) > 0.1).all()


def test_sift_s_features_can_be_encoded():
    random = np.random.default_rng(0)
    images = [
        random.uniform(size=(40, 50)),
        np.zeros((20, 20)),
        random.uniform(size=(64, 64)),
    ]
    chain = make_pipeline(Sift(), FisherVector(4, pca=8, random_state=0))
    encoded = chain.fit_transform(images)
    assert encoded.shape == (3, 4 + 2 * 4 * 8)
    np.testing.assert_allclose(np.linalg.norm(encoded, axis=1), [1, 0, 1], atol=1e-6)


# pyramids


def slow_pyramid(features, encoder, levels, size) -> np.ndarray:
    x, y = features.keypoints[:, :2].T
    if size is None and len(x):
        right = (x - x.min()) / (np.ptp(x) or 1)
        down = (y - y.min()) / (np.ptp(y) or 1)
    elif size:
        right, down = (x + 0.5) / size[1], (y + 0.5) / size[0]
    parts = []
    for level in levels:
        for row in range(level):
            for column in range(level):
                inside = np.zeros(len(x), bool)
                for i in range(len(x)):
                    inside[i] = (
                        min(int(right[i] * level), level - 1) == column
                        and min(int(down[i] * level), level - 1) == row
                    )
                parts.append(encoder.transform([features.descriptors[inside]])[0])
    return np.concatenate(parts)


@pytest.mark.slow
@every_encoder
@pytest.mark.parametrize("levels", [(1, 2, 4), (1, 3), (2, 3)])
@pytest.mark.parametrize("size", [None, (30, 40)])
def test_a_pyramid_is_the_encoding_of_each_cell(encoder, levels, size):
    features = placed(some_sets(RAGGED))
    pyramid = SpatialPyramid(encoder, levels, size).fit(features)
    found = pyramid.transform(features)
    for one, row in zip(features, found, strict=True):
        expected = slow_pyramid(one, pyramid.encoder_, levels, size)
        np.testing.assert_allclose(row, expected, atol=1e-3)


@pytest.mark.slow
def test_a_pyramid_over_dense_grids_is_the_encoding_of_each_cell():
    rows, columns = np.mgrid[4:36:5, 4:46:5]
    keypoints = np.stack([columns, rows, rows, rows], axis=-1).reshape(-1, 4) * 1.0
    features = [(keypoints, x) for x in some_sets([len(keypoints)] * 9)]
    pyramid = SpatialPyramid(FisherVector(4, None, random_state=0)).fit(features)
    found = pyramid.transform(features)
    for one, row in zip(features, found, strict=True):
        expected = slow_pyramid(Features(*one), pyramid.encoder_, (1, 2, 4), None)
        np.testing.assert_allclose(row, expected, atol=1e-3)


@every_encoder
def test_a_pyramid_of_one_cell_is_its_encoder(encoder):
    features = placed(some_sets(RAGGED))
    pyramid = SpatialPyramid(encoder, levels=(1,)).fit(features)
    expected = clone(encoder).fit_transform(features)
    np.testing.assert_array_equal(pyramid.transform(features), expected)


def match_kernel(first, second, codebook, levels, size) -> float:
    """Equations 2 and 3 of Lazebnik et al., with histograms of sum 1 at each level."""
    finest, kernel, below = len(levels) - 1, 0.0, 0.0
    for level in range(finest, -1, -1):
        cells = 2**level
        histograms = []
        for keypoints, rows in (first, second):
            counts = {}
            for (x, y, *_), row in zip(keypoints, rows, strict=True):
                column = int((x + 0.5) / size[1] * cells)
                down = int((y + 0.5) / size[0] * cells)
                word = ((row - codebook) ** 2).sum(axis=1).argmin()
                key = (down, column, word)
                counts[key] = counts.get(key, 0) + 1 / len(rows)
            histograms.append(counts)
        matches = sum(min(n, histograms[1].get(k, 0)) for k, n in histograms[0].items())
        kernel += (matches - below) / 2 ** (finest - level)
        below = matches
    return kernel


def test_the_intersection_of_weighted_rows_is_the_pyramid_match_kernel():
    features, size = placed(some_sets([40, 60, 25])), (30, 40)
    pyramid = SpatialPyramid(
        BagOfWords(4, random_state=0), size=size, weights="pyramid"
    ).fit(features)
    encoded, codebook = pyramid.transform(features), pyramid.encoder_.codebook_
    for i, j in ((0, 1), (1, 2), (0, 0)):
        expected = match_kernel(features[i], features[j], codebook, (1, 2, 4), size)
        assert np.minimum(encoded[i], encoded[j]).sum() == pytest.approx(expected)
        assert expected == pytest.approx(1) or i != j


def test_keypoints_in_one_place_are_in_one_cell():
    keypoints = np.full((6, 4), 3.0)
    features = [(keypoints, rows) for rows in some_sets([6, 6])]
    found = SpatialPyramid(BagOfWords(3), levels=(2,)).fit_transform(features)
    np.testing.assert_allclose(found.reshape(2, 4, 3).sum(2), [[1, 0, 0, 0]] * 2)


# hostile input


class SizeOnly:
    """What has a length, as a split of a data set has, but no items."""

    def __len__(self):
        return 3


GOOD = some_sets([20, 20])
NAN = [*GOOD, np.where(np.eye(20, WIDTH) > 0, np.nan, 0)]


@every_encoder
@pytest.mark.parametrize(
    ("given", "words"),
    [
        (NAN, "image 2 hold NaN"),
        ([GOOD[0], np.full((2, WIDTH), np.inf)], "image 1 hold NaN"),
        ([GOOD[0], np.zeros((3, 4))], "image 1 have 4 entries: expected 6"),
        ([GOOD[0], np.zeros(WIDTH)], r"image 1 have the shape \(6,\)"),
        ([np.zeros((2, 3, WIDTH))], r"image 0 have the shape \(2, 3, 6\)"),
        ([GOOD[0], None], "image 1 are no array of numbers"),
        ([["a", "b"]], "image 0 are no array of numbers"),
        ([[[1, 2], [3]]], "image 0 are no array of numbers"),
        ([(GOOD[0], GOOD[0], GOOD[0])], "image 0 is a tuple of 3"),
        (GOOD[0], r"one array \(20, 6\).*\[descriptors\]"),
        (iter(GOOD), "gone through again; make it a list"),
        ((rows for rows in GOOD), "a generator: expected a sequence"),
        ("photo.jpg", "expected a sequence"),
        (7, "expected a sequence"),
        (Features(np.zeros((20, 4)), GOOD[0]), r"one image.*pass \[features\]"),
        (
            [GOOD[0], np.full((2, WIDTH), 1e20)],
            "image 1 reach 1e\\+20: expected at most",
        ),
        ([GOOD[0], np.full((2, WIDTH), -1e10)], "image 1 reach 1e\\+10"),
        (np.zeros((427, 640, 3), np.uint8), r"\(427, 640, 3\), as a photo has"),
        (torch.zeros(427, 640, 1), r"\(427, 640, 1\), as a photo has"),
        ([torch.zeros(4, WIDTH, dtype=torch.complex64)], "are no array of numbers"),
        ([torch.zeros(4, WIDTH).bool()], "image 0 are no array of numbers"),
        (SizeOnly(), "a SizeOnly: expected a sequence"),
    ],
)
def test_what_is_no_list_of_sets_is_named(encoder, given, words):
    fitted = clone(encoder).fit(GOOD)
    for call in (clone(encoder).fit, fitted.transform):
        with pytest.raises(CodebookError, match=words):
            call(given)


@pytest.mark.parametrize(
    ("encoder", "words"),
    [
        (BagOfWords(0), "words is 0: expected an integer of at least 1"),
        (Vlad(2.5), "words is 2.5"),
        (FisherVector("many"), "words is 'many'"),
        (BagOfWords(True), "words is True"),
        (BagOfWords(41), "41 words cannot be learnt of 40 descriptors"),
        (BagOfWords(4, samples=3), "4 words cannot be learnt of 3 descriptors"),
        (BagOfWords(4, "fuzzy"), "'fuzzy': expected one of 'hard', 'soft'"),
        (BagOfWords(4, "soft", sigma=-1), "sigma is -1"),
        (BagOfWords(4, samples=0), "samples is 0"),
        (BagOfWords(4, batch_size=0), "batch_size is 0"),
        (BagOfWords(4, max_iter=0), "max_iter is 0"),
        (BagOfWords(4, tol=math.nan), "tol is nan"),
        (BagOfWords(4, verbose="yes"), "verbose is 'yes'"),
        (Vlad(4, power=2), "power is 2: expected a number from 0 to 1"),
        (Vlad(4, intra="no"), "intra is 'no'"),
        (FisherVector(4), "pca is 64, but the descriptors have 6 entries"),
        (FisherVector(4, pca=0), "pca is 0"),
        (FisherVector(4, None, variance_floor=-1), "variance_floor is -1"),
        (SpatialPyramid(Sift()), "encoder is Sift.*: expected a BagOfWords"),
        (SpatialPyramid(BagOfWords(4), levels=()), "levels is ()"),
        (SpatialPyramid(BagOfWords(4), levels=(2, 1)), "rising"),
        (SpatialPyramid(BagOfWords(4), levels=4), "levels is 4"),
        (SpatialPyramid(BagOfWords(4), levels=(0, 1)), "a level is 0"),
        (SpatialPyramid(BagOfWords(4), size=32), "size is 32"),
        (SpatialPyramid(BagOfWords(4), size=(0, 3)), "a side of size is 0"),
        (SpatialPyramid(BagOfWords(4), weights="kernel"), "weights is 'kernel'"),
    ],
)
def test_parameters_that_mean_nothing_are_named(encoder, words):
    with pytest.raises(CodebookError, match=words):
        encoder.fit(placed(GOOD))


def test_nothing_to_learn_from_is_said():
    for nothing in ([], [np.zeros((0, WIDTH))] * 3, [[], []]):
        with pytest.raises(CodebookError, match="nothing to learn from"):
            BagOfWords(4).fit(nothing)


def test_what_is_not_fitted_says_so():
    for encoder in [*ENCODERS.values(), SpatialPyramid(BagOfWords(4))]:
        with pytest.raises(NotFittedError):
            clone(encoder).transform(placed(GOOD))


def test_a_sequence_that_is_not_as_long_as_it_says_is_named():
    class Short(list):
        def __iter__(self):
            return iter(self[:-1])

    class Endless(Sequence):  # an IndexError would end it
        def __len__(self):
            return 2

        def __getitem__(self, place):
            return GOOD[0]

    for sets_, gave in ((Short(GOOD), "1"), (Endless(), "more")):
        with pytest.raises(CodebookError, match=f"has 2 images, but gave {gave}"):
            BagOfWords(4).fit(sets_)


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (GOOD, "image 0 has descriptors alone"),
        (np.stack(GOOD), "image 0 has descriptors alone"),
        ([(np.zeros((19, 4)), GOOD[0])], r"keypoints \(19, 4\) for 20 descriptors"),
        ([(np.zeros((20, 1)), GOOD[0])], "x and y first"),
        ([(np.full((20, 4), np.nan), GOOD[0])], "keypoints of image 0 hold NaN"),
    ],
)
def test_a_pyramid_asks_for_keypoints(features, words):
    pyramid = SpatialPyramid(BagOfWords(4))
    fitted = clone(pyramid).fit(placed(GOOD))
    for call in (pyramid.fit, fitted.transform):
        with pytest.raises(CodebookError, match=words):
            call(features)


def test_keypoints_outside_of_the_image_are_refused():
    pyramid = SpatialPyramid(BagOfWords(4), size=(40, 30)).fit(placed(GOOD))
    with pytest.raises(
        CodebookError, match="outside of images of height 40 and width 30"
    ):
        pyramid.transform(placed(GOOD))


# scikit-learn


@every_encoder
@pytest.mark.parametrize("in_pyramid", [False, True])
def test_it_is_a_transformer(encoder, in_pyramid):
    features = placed(some_sets(RAGGED))
    if in_pyramid:
        encoder = SpatialPyramid(encoder, levels=(1, 2))
    encoder = clone(encoder)
    expected = encoder.fit_transform(features)
    copied = pickle.loads(pickle.dumps(encoder))
    np.testing.assert_array_equal(copied.transform(features), expected)
    assert repr(copied) == repr(encoder)
    np.testing.assert_array_equal(
        clone(encoder).fit(features).transform(features), expected
    )
    learnt = vars(encoder.encoder_ if in_pyramid else encoder)
    kinds = {type(v) for k, v in learnt.items() if k.endswith("_")}
    assert not any(issubclass(kind, torch.Tensor) for kind in kinds)
    names = encoder.get_feature_names_out()
    assert len(names) == expected.shape[1]
    assert names[-1] == f"{type(encoder).__name__.lower()}{len(names) - 1}"


@pytest.mark.parametrize("kind", [BagOfWords, Vlad, FisherVector])
def test_it_keeps_scikit_learn_s_rules_of_parameters(kind):
    name = kind.__name__
    estimator_checks.check_parameters_default_constructible(name, kind())
    estimator_checks.check_no_attributes_set_in_init(name, kind())
    estimator_checks.check_get_params_invariance(name, kind())
    estimator_checks.check_set_params(name, kind())
    estimator_checks.check_estimator_cloneable(name, kind())
    estimator_checks.check_estimator_repr(name, kind())


def test_rows_can_be_a_table():
    pandas = pytest.importorskip("pandas")
    encoder = FisherVector(3, pca=None).set_output(transform="pandas")
    table = encoder.fit_transform(GOOD)
    assert isinstance(table, pandas.DataFrame)
    assert list(table.columns[:2]) == ["fishervector0", "fishervector1"]


def two_kinds(images=40) -> tuple[list[Features], list[int]]:
    """Return sets about two different clouds of points, and which."""
    first, second = (some_sets([15] * (images // 2), seed=seed) for seed in (0, 1))
    return placed([*first, *second]), [0] * len(first) + [1] * len(second)


def test_a_pipeline_learns_and_is_searched():
    features, labels = two_kinds()
    chain = make_pipeline(FisherVector(4, pca=None, random_state=0), LinearSVC())
    assert cross_val_score(chain, features, labels, cv=3).min() > 0.9
    search = GridSearchCV(chain, {"fishervector__words": [1, 4]}, cv=2)
    search.fit(features, labels)
    assert search.best_estimator_.score(features, labels) == 1
    pyramid = make_pipeline(SpatialPyramid(BagOfWords(4, random_state=0)), LinearSVC())
    pyramid.set_params(spatialpyramid__encoder__words=6).fit(features, labels)
    assert pyramid.score(features, labels) > 0.9
    loaded = pickle.loads(pickle.dumps(pyramid))
    assert loaded.score(features, labels) == pyramid.score(features, labels)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_softmax_has_no_subnormal_numbers_and_the_same_sum(dtype):
    scores = torch.linspace(-120, 40, 161, dtype=dtype).flip(0).repeat(3, 1)
    expected = scores.softmax(dim=1)
    given = softmax_(scores.clone())
    assert (given > torch.finfo(torch.float32).tiny).all()
    torch.testing.assert_close(given, expected, rtol=0, atol=1e-25)
    torch.testing.assert_close(given.sum(1), torch.ones(3, dtype=dtype))


@pytest.mark.slow
def test_a_pipeline_is_cross_validated_in_processes():
    features, labels = two_kinds()
    chain = make_pipeline(FisherVector(4, pca=None, random_state=0), LinearSVC())
    alone, together = (
        cross_val_score(chain, features, labels, cv=4, n_jobs=jobs) for jobs in (1, 2)
    )
    np.testing.assert_array_equal(alone, together)


@every_encoder
def test_progress_goes_to_stdout_or_nowhere(encoder, capfd):
    clone(encoder).fit_transform(GOOD)
    assert capfd.readouterr() == ("", "")
    clone(encoder).set_params(verbose=True).fit_transform(GOOD)
    out, err = capfd.readouterr()
    assert err == ""
    assert f"{type(encoder).__name__}: draw descriptors" in out
    assert f"{type(encoder).__name__}: encode" in out
