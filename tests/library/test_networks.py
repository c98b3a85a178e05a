"""Which networks `course train` and `course cost` find in a notebook."""

from __future__ import annotations

import types

import pytest

from course_lib import networks, notebook, results
from course_lib.errors import CourseError

RESNET = notebook.load("08_resnet")


def test_variants_are_networks_of_their_own():
    found = networks.networks(RESNET)
    assert {"resnet(18)", "resnet(152)", "plain_small(56)"} <= found.keys()
    assert "resnet" not in found
    assert found["plain_small(56)"].keywords == {"depth": 56}


def test_a_function_without_defaults_is_no_network():
    module = types.ModuleType("a unit")

    def net_small(depth=1, num_classes=10):
        return depth

    def block(width, num_classes=10):
        return width

    module.net_small, module.block, module.VARIANTS = net_small, block, {}
    assert list(networks.networks(module)) == ["net_small"]
    assert networks.small_network(module) == "net_small"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("08_resnet.resnet(18)", {"resnet(18) at 224x224": 11_689_512}),
        ("05_vgg.vgg(A)", {"vgg(A) at 224x224": 132_863_336}),
    ],
)
def test_one_variant_is_counted_alone(name, expected):
    assert {
        label: cost.params for label, cost in networks.costs(name).items()
    } == expected


def test_a_network_s_name_means_all_its_variants_or_the_default():
    found = networks.chosen("08_resnet", RESNET, "resnet")
    assert list(found) == ["resnet", *(f"resnet({d})" for d in (18, 34, 50, 101, 152))]
    assert found["resnet"].keywords == {}
    with pytest.raises(CourseError, match=r"no network 'resnet\(20\)'; it has resnet"):
        networks.chosen("08_resnet", RESNET, "resnet(20)")


@pytest.mark.slow
def test_a_variant_trains_and_its_record_verifies(tmp_path):
    changes = {"epochs": 1, "batch_size": 64}
    chosen = {
        "size": 32,
        "out": tmp_path,
        "changes": changes,
        "say": lambda words: None,
    }
    path, record = networks.train_unit("08_resnet", network="plain_small(20)", **chosen)
    assert path.name == "08_resnet-plain_small-20-digits-seed0.json"
    assert (record.network, record.arguments) == (
        "plain_small",
        {"depth": 20, "num_classes": 10},
    )
    assert results.verify(path).ok


def test_a_unit_without_a_network_says_so():
    with pytest.raises(CourseError, match="02_sift builds no network"):
        networks.costs("02_sift")
    with pytest.raises(CourseError, match=r"02_sift\.py builds no network"):
        networks.train_unit("02_sift")
