"""What the codebooks' notebook exports: closed forms, slow loops, other libraries."""

from __future__ import annotations

import csv
import itertools
import math

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture
from torch import Tensor

from course_lib import notebook, results
from course_lib.classical import BagOfWords, FisherVector, Vlad

CODEBOOKS = notebook.load("03_codebooks")
pytestmark = pytest.mark.usefixtures("one_thread")


def cloud(n: int, width: int = 4, seed: int = 0) -> Tensor:
    """Return n descriptors about five points, off the origin, float64."""
    generator = torch.Generator().manual_seed(seed)
    points = 2 + torch.randn(5, width, generator=generator, dtype=torch.float64)
    which = torch.randint(5, (n,), generator=generator)
    noise = torch.randn(n, width, generator=generator, dtype=torch.float64)
    return points[which] + 0.4 * noise


def some_mixture(words: int = 3, width: int = 4, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    weights = torch.rand(words, generator=generator).double() + 0.2
    means = 2 + torch.randn(words, width, generator=generator).double()
    variances = torch.rand(words, width, generator=generator).double() + 0.3
    return CODEBOOKS.Mixture(weights / weights.sum(), means, variances)


# words


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (40, 9)])
def test_distances_and_nearest_words_are_those_of_loops(shape):
    x, c = cloud(23, shape[1]), cloud(shape[0], shape[1], seed=1)
    squared = CODEBOOKS.squared_distances(x, c)
    slow = [[sum((a - b) ** 2) for b in c.numpy()] for a in x.numpy()]
    np.testing.assert_allclose(squared, slow, atol=1e-10)
    assert CODEBOOKS.nearest_word(x, c).tolist() == np.argmin(slow, axis=1).tolist()


def test_no_distance_is_negative():
    x = 100 + torch.rand(50, 20)  # float32: |x|² - 2 x·x + |x|² loses its digits
    assert CODEBOOKS.squared_distances(x, x).min() >= 0


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("iterations", [1, 3, 100])
def test_kmeans_is_scikit_learn_s(iterations):
    x = cloud(300)
    start = CODEBOOKS.first_words(x, 7, seed=iterations)
    options = {"n_init": 1, "tol": 0, "algorithm": "lloyd"}
    peer = KMeans(7, init=start.numpy(), max_iter=iterations, **options)
    peer.fit(x.numpy())
    found = CODEBOOKS.kmeans(x, start, iterations)
    np.testing.assert_allclose(found, peer.cluster_centers_, rtol=1e-8)


def test_kmeans_never_raises_the_sum_it_lowers():
    x = cloud(200)
    words, sums = CODEBOOKS.first_words(x, 6), []
    for _ in range(15):
        sums.append(CODEBOOKS.squared_distances(x, words).amin(dim=1).sum().item())
        words = CODEBOOKS.kmeans(x, words, 1)
    assert all(b <= a + 1e-9 for a, b in itertools.pairwise(sums))
    assert sums[-1] < sums[0]


def test_a_word_that_nothing_is_near_to_stays():
    x, far = cloud(50), torch.full((1, 4), 1e3, dtype=torch.float64)
    found = CODEBOOKS.kmeans(x, torch.cat([x[:2], far]))
    assert torch.equal(found[2:], far)
    assert found.isfinite().all()


def test_first_words_are_descriptors_and_a_function_of_the_seed():
    x = cloud(60)
    words = CODEBOOKS.first_words(x, 8, seed=3)
    assert (words[:, None] == x).all(dim=2).any(dim=1).all()
    assert len(words.unique(dim=0)) == 8
    assert torch.equal(words, CODEBOOKS.first_words(x, 8, seed=3))
    assert not torch.equal(words, CODEBOOKS.first_words(x, 8, seed=4))


def test_first_words_are_farther_apart_than_chance():
    """Five tight clusters, five words: k-means++ finds them all nearly always."""
    centres = 100 * torch.eye(5)
    x = centres.repeat_interleave(40, dim=0) + 0.01 * torch.randn(200, 5)
    for seed in range(20):
        words = CODEBOOKS.first_words(x, 5, seed)
        assert CODEBOOKS.nearest_word(words, centres).unique().numel() == 5
    # drawn uniformly, all five happen in 5! / 5⁵ = 4 % of the cases


def test_fewer_different_descriptors_than_words_give_words():
    words = CODEBOOKS.first_words(torch.ones(10, 3), 4)
    assert torch.equal(words, torch.ones(4, 3))


# histogram and VLAD


@pytest.mark.parametrize("n", [0, 1, 50])
def test_histogram_and_residuals_are_those_of_loops(n):
    x, c = cloud(n), cloud(6, seed=1)
    counts, sums = np.zeros(6), np.zeros((6, 4))
    for row in x.numpy():
        nearest = ((row - c.numpy()) ** 2).sum(axis=1).argmin()
        counts[nearest] += 1 / n
        sums[nearest] += row - c[nearest].numpy()
    np.testing.assert_allclose(CODEBOOKS.histogram(x, c), counts, atol=1e-12)
    np.testing.assert_allclose(CODEBOOKS.residuals(x, c), sums, atol=1e-12)
    row = CODEBOOKS.vlad(x, c)
    assert row.norm().item() == pytest.approx(1 if n else 0)
    np.testing.assert_allclose(row, sums.ravel() / (np.linalg.norm(sums) or 1))


def test_residuals_of_two_sets_add_up_and_of_converged_words_vanish():
    x = cloud(100)
    words = CODEBOOKS.kmeans(x, x[:5], 200)
    apart = [CODEBOOKS.residuals(part, words) for part in (x[:30], x[30:])]
    torch.testing.assert_close(sum(apart), CODEBOOKS.residuals(x, words))
    assert sum(apart).abs().max() < 1e-9  # each word is the mean of its own


@pytest.mark.parametrize("seed", range(3))
def test_encodings_are_the_library_s(seed):
    sets = [cloud(n, seed=seed + 1).float() for n in (5, 30, 80)]
    options = {"random_state": seed, "device": "cpu"}
    hard, vlad = BagOfWords(6, **options), Vlad(6, power=1, intra=False, **options)
    for encoder, ours in ((hard, CODEBOOKS.histogram), (vlad, CODEBOOKS.vlad)):
        theirs = encoder.fit_transform(sets)
        words = torch.tensor(encoder.codebook_)
        found = torch.stack([ours(rows, words) for rows in sets])
        np.testing.assert_allclose(found, theirs, atol=1e-5)


# the mixture


def peer_of(mixture) -> GaussianMixture:
    peer = GaussianMixture(len(mixture.weights), covariance_type="diag")
    peer.weights_, peer.means_, peer.covariances_ = (p.numpy() for p in mixture)
    peer.precisions_cholesky_ = peer.covariances_**-0.5
    return peer


def test_likelihood_and_posteriors_are_scikit_learn_s():
    x, mixture = cloud(80), some_mixture()
    joint = CODEBOOKS.log_joint(x, mixture)
    np.testing.assert_allclose(joint.softmax(1), peer_of(mixture).predict_proba(x))
    found = CODEBOOKS.log_likelihood(x, mixture).item()
    assert found == pytest.approx(peer_of(mixture).score(x))


def test_density_of_one_gaussian_in_closed_form():
    mixture = CODEBOOKS.Mixture(
        torch.ones(1), torch.zeros(1, 2), torch.tensor([[1.0, 4]])
    )
    at = torch.tensor([[0.0, 0], [1, 2]])
    expected = -math.log(2 * math.pi) - math.log(2) - torch.tensor([[0.0], [1]])
    torch.testing.assert_close(CODEBOOKS.log_joint(at, mixture), expected)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("iterations", [1, 2, 10])
def test_em_is_scikit_learn_s(iterations):
    x, start = cloud(200), some_mixture()
    peer = GaussianMixture(
        3,
        covariance_type="diag",
        weights_init=start.weights.numpy(),
        means_init=start.means.numpy(),
        precisions_init=1 / start.variances.numpy(),
        reg_covar=0,
        tol=0,
        max_iter=iterations,
    )
    peer.fit(x)
    found = CODEBOOKS.em(x, start, iterations, floor=1e-12)
    np.testing.assert_allclose(found.weights, peer.weights_, rtol=1e-7)
    np.testing.assert_allclose(found.means, peer.means_, rtol=1e-7)
    np.testing.assert_allclose(found.variances, peer.covariances_, rtol=1e-6)


def test_no_variance_falls_below_the_floor_and_the_likelihood_rises():
    x = torch.cat([cloud(60), torch.ones(40, 4, dtype=torch.float64)])
    found = CODEBOOKS.em(x, some_mixture(), 40, floor=0.01)
    assert found.variances.min() >= 0.01
    before, after = (
        CODEBOOKS.log_likelihood(x, mixture) for mixture in (some_mixture(), found)
    )
    assert after > before
    assert found.weights.sum().item() == pytest.approx(1)


def test_a_learnt_mixture_finds_the_clusters():
    centres = torch.tensor([[0.0, 0], [10, 0], [0, 10]])
    x = centres.repeat_interleave(torch.tensor([100, 200, 300]), dim=0)
    x = x + torch.randn(600, 2)
    found = CODEBOOKS.learn_mixture(x, 3)
    order = CODEBOOKS.nearest_word(centres, found.means)
    torch.testing.assert_close(found.means[order], centres, atol=0.3, rtol=0)
    expected = torch.tensor([1 / 6, 1 / 3, 1 / 2])
    torch.testing.assert_close(found.weights[order], expected, atol=0.01, rtol=0)
    assert (found.variances - 1).abs().max() < 0.4


# the Fisher vector


def slow_fisher(x, weights, means, variances) -> np.ndarray:
    """Equations 16 to 18 of Sánchez et al. 2013, over n."""
    by_weights, by_means = np.zeros(len(weights)), np.zeros(means.shape)
    by_deviations = np.zeros(means.shape)
    for row in x:
        apart = (row - means) / np.sqrt(variances)
        density = np.exp(-(apart**2).sum(axis=1) / 2)
        density = weights * density / np.sqrt((2 * np.pi * variances).prod(axis=1))
        share = density / density.sum()
        by_weights += (share - weights) / np.sqrt(weights)
        by_means += (share / np.sqrt(weights))[:, None] * apart
        scaled = (share / np.sqrt(2 * weights))[:, None]
        by_deviations += scaled * (apart**2 - 1)
    parts = by_weights, by_means.ravel(), by_deviations.ravel()
    return np.concatenate(parts) / max(len(x), 1)


@pytest.mark.parametrize("n", [0, 1, 40])
@pytest.mark.parametrize("words", [1, 3])
def test_fisher_vectors_are_those_of_a_loop(n, words):
    x, mixture = cloud(n), some_mixture(words)
    expected = slow_fisher(x.numpy(), *(part.numpy() for part in mixture))
    np.testing.assert_allclose(CODEBOOKS.fisher(x, mixture), expected, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_gradient_over_the_root_of_the_fisher_information(seed):
    x, mixture = cloud(30, seed=seed), some_mixture(seed=seed)
    logits, means = mixture.weights.log(), mixture.means.clone()
    sigma = mixture.variances.sqrt()
    leaves = [leaf.requires_grad_(True) for leaf in (logits, means, sigma)]
    changed = CODEBOOKS.Mixture(logits.softmax(0), means, sigma.square())
    by = torch.autograd.grad(CODEBOOKS.log_likelihood(x, changed), leaves)
    root, wide = mixture.weights.sqrt()[:, None], sigma.detach()
    parts = by[0] / root[:, 0], by[1] * wide / root, by[2] * wide / root / 2**0.5
    expected = torch.cat([part.flatten() for part in parts])
    torch.testing.assert_close(CODEBOOKS.fisher(x, mixture), expected)


def test_it_is_the_library_s_but_for_the_sign_of_the_last_part():
    sets = [cloud(n, seed=n).float() for n in (5, 30, 80)]
    encoder = FisherVector(3, None, improved=False, random_state=0, device="cpu")
    theirs = encoder.fit_transform(sets)
    learnt = encoder.weights_, encoder.means_, encoder.variances_
    mixture = CODEBOOKS.Mixture(*map(torch.tensor, learnt))
    found = torch.stack([CODEBOOKS.fisher(rows, mixture) for rows in sets])
    found[:, 3 + 12 :] *= -1
    np.testing.assert_allclose(found, theirs, rtol=1e-3, atol=1e-4)


def test_an_image_like_all_others_has_none_and_sums_add_up():
    x = cloud(400)
    mixture = CODEBOOKS.em(x, some_mixture(), 500, floor=1e-9)
    assert CODEBOOKS.fisher(x, mixture).norm() < 1e-4  # EM stands still
    parts = [CODEBOOKS.fisher(part, mixture) for part in (x[:100], x[100:])]
    together = 0.25 * parts[0] + 0.75 * parts[1]
    torch.testing.assert_close(CODEBOOKS.fisher(x, mixture), together)
    assert parts[0].norm() > 0.01


@pytest.mark.slow
def test_its_entries_have_variance_one_over_descriptors_of_the_mixture():
    """What the division by the Fisher information is for; 30,000 single descriptors."""
    generator = torch.Generator().manual_seed(0)
    means = torch.tensor([[0.0, 0], [30, 0]])  # posteriors are 0 or 1: exact
    mixture = CODEBOOKS.Mixture(
        torch.tensor([0.3, 0.7]), means, torch.tensor([[1.0, 9], [4, 0.25]])
    )
    which = torch.multinomial(mixture.weights, 30_000, True, generator=generator)
    noise = torch.randn(30_000, 2, generator=generator)
    x = means[which] + mixture.variances[which].sqrt() * noise
    rows = torch.stack([CODEBOOKS.fisher(row[None], mixture) for row in x[:5000]])
    expected = torch.tensor([0.7, 0.3, *[1] * 8])  # weights: 1 - w, as they sum to 1
    torch.testing.assert_close(rows.var(dim=0), expected, atol=0.12, rtol=0)


# what the notebook reads


def rows(name: str) -> list[dict[str, str]]:
    with open(results.RESULTS / f"03_codebooks-{name}.csv", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_table_of_scenes_has_three_seeds_a_setting_and_no_row_twice():
    keys = "encoder", "words", "levels", "train_per_class"
    seeds: dict = {}
    for row in rows("scene15"):
        seeds.setdefault(tuple(row[key] for key in keys), []).append(row["seed"])
        assert 1 / 15 < float(row["top1"]) < 1
        assert round(float(row["top1"]) * 450) == pytest.approx(
            float(row["top1"]) * 450, abs=0.03
        )
    assert all(sorted(found) == ["0", "1", "2"] for found in seeds.values())


def test_the_confusion_between_scenes_is_that_of_the_table_s_best_setting():
    table = rows("scene15-confusion")
    counts = np.array([[int(row[other["class"]]) for other in table] for row in table])
    assert (counts.sum(axis=1) == 3 * 30).all()  # seeds, test images a class
    best, scores = table[0], {}
    for row in rows("scene15"):
        if row["train_per_class"] == "50":
            key = row["encoder"], row["words"], row["levels"]
            scores.setdefault(key, []).append((row["cv_top1"], row["top1"]))
    means = {k: np.mean(np.array(v, float), axis=0) for k, v in scores.items()}
    chosen = best["encoder"], best["words"], best["levels"]
    assert means[chosen][0] == max(cv for cv, _ in means.values())
    assert counts.trace() / counts.sum() == pytest.approx(means[chosen][1], abs=1e-3)


@pytest.mark.slow
def test_cells_that_check_run_without_data(monkeypatch):
    monkeypatch.delenv("COURSE_DATA", raising=False)
    names: dict = {}
    for cell in notebook.cells(notebook.source("03_codebooks").read_text("utf-8")):
        if {"export", "check"} & set(cell.tags):
            exec(cell.source, names)
    assert names["fisher"]
