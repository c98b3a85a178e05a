"""The counter against published networks, closed forms and a numerical field."""

from __future__ import annotations

import io
import math
import random

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from course_lib.flops import CountError, compare, count, rules
from course_lib.flops.counter import _plain_attention

# name in torchvision 0.29 (tv) or timm 1.0 (timm), pixels a side, parameters, MACs,
# receptive field in pixels. The parameters are those of the libraries' own model pages.
# The MACs are torch.utils.flop_counter's / 2 on the same module, attention not fused,
# and agree, rounded, with the papers: arXiv:1409.1556 Table 2, 1409.4842, 1512.03385
# Table 1, 1512.00567, 1610.02357, 1704.04861 Table 8 (569M), 1801.04381 Table 4 (300M),
# 1905.11946 Table 2, 2104.00298, 2010.11929 Table 1. Receptive fields: VGG's 212 and
# ResNet-50's 427 as in Araujo et al., doi:10.23915/distill.00021; with
# squeeze-and-excitation and attention the field ends where the first of them starts.
PUBLISHED = [
    ("tv_resnet18", 224, 11_689_512, 1_814_073_344, 435),
    ("tv_vit_b_16", 224, 86_567_656, 17_563_828_224, 16),
    ("timm_vit_base_patch16_224", 224, 86_567_656, 17_563_828_224, 16),
    ("tv_mobilenet_v2_1.0", 224, 3_504_872, 300_774_272, 491),
    ("tv_alexnet", 224, 61_100_840, 714_188_480, 195),
    ("tv_vgg11", 224, 132_863_336, 7_609_090_048, 150),
    ("tv_vgg13", 224, 133_047_848, 11_308_466_176, 156),
    ("tv_vgg16", 224, 138_357_544, 15_470_264_320, 212),
    ("tv_vgg19", 224, 143_667_240, 19_632_062_464, 268),
    ("tv_vgg11_bn", 224, 132_868_840, 7_609_090_048, 150),
    ("tv_vgg13_bn", 224, 133_053_736, 11_308_466_176, 156),
    ("tv_vgg16_bn", 224, 138_365_992, 15_470_264_320, 212),
    ("tv_vgg19_bn", 224, 143_678_248, 19_632_062_464, 268),
    ("tv_googlenet", 224, 6_624_904, 1_498_376_192, 379),
    ("tv_googlenet_aux", 224, 13_004_888, 1_498_376_192, 379),
    ("tv_inception_v3", 299, 23_834_568, 5_713_216_096, 1311),
    ("tv_inception_v3_aux", 299, 27_161_264, 5_713_216_096, 1311),
    ("timm_inception_v3", 299, 23_834_568, 5_713_216_096, 1311),
    ("tv_resnet34", 224, 21_797_672, 3_663_761_408, 899),
    ("tv_resnet50", 224, 25_557_032, 4_089_184_256, 427),
    ("tv_resnet101", 224, 44_549_160, 7_801_405_440, 971),
    ("tv_resnet152", 224, 60_192_808, 11_513_626_624, 1451),
    ("timm_resnetv2_50", 224, 25_549_352, 4_089_184_256, 427),
    ("timm_resnetv2_101", 224, 44_541_480, 7_801_405_440, 971),
    ("timm_resnetv2_152", 224, 60_185_128, 11_513_626_624, 1451),
    ("timm_legacy_xception", 299, 22_855_952, 8_357_403_496, 1083),
    ("timm_xception41", 299, 26_969_560, 9_204_134_312, 1147),
    ("timm_mobilenetv1_100", 224, 4_231_976, 568_740_352, 315),
    ("tv_mobilenet_v2_1.4", 224, 6_108_776, 582_195_824, 491),
    ("tv_mobilenet_v2_1.3", 224, 5_386_792, 509_374_560, 491),
    ("tv_mobilenet_v2_0.75", 224, 2_636_424, 209_069_792, 491),
    ("tv_mobilenet_v2_0.5", 224, 1_968_680, 97_131_840, 491),
    ("tv_mobilenet_v2_0.35", 224, 1_677_128, 59_285_808, 491),
    ("timm_mobilenetv2_100", 224, 3_504_872, 300_774_272, 491),
    ("timm_mobilenetv2_140", 224, 6_108_776, 582_195_824, 491),
    ("tv_efficientnet_b0", 224, 5_288_548, 385_814_752, 7),
    ("tv_efficientnet_b1", 240, 7_794_184, 686_802_832, 7),
    ("tv_efficientnet_b2", 260, 9_109_994, 993_561_872, 7),
    ("tv_efficientnet_b3", 300, 12_233_232, 1_827_141_392, 7),
    ("tv_efficientnet_b4", 380, 19_341_616, 4_393_771_024, 7),
    ("tv_efficientnet_b5", 456, 30_389_784, 10_266_384_752, 7),
    ("tv_efficientnet_b6", 528, 43_040_704, 19_067_593_536, 7),
    ("tv_efficientnet_b7", 600, 66_347_960, 37_745_884_192, 7),
    ("timm_efficientnet_b0", 224, 5_288_548, 385_814_752, 7),
    ("timm_tf_efficientnet_b0", 224, 5_288_548, 385_814_752, 7),
    ("tv_efficientnet_v2_s", 384, 21_458_488, 8_365_617_152, 111),
    ("tv_efficientnet_v2_m", 480, 54_139_356, 24_582_460_384, 139),
    ("tv_efficientnet_v2_l", 480, 118_515_272, 56_079_699_008, 191),
    ("timm_tf_efficientnetv2_s", 384, 21_458_488, 8_365_617_152, 111),
    ("timm_tf_efficientnetv2_m", 480, 54_139_356, 24_582_460_384, 139),
    ("timm_tf_efficientnetv2_l", 480, 118_515_272, 56_079_699_008, 191),
    ("timm_tf_efficientnetv2_xl", 512, 208_119_808, 93_353_451_520, 215),
    ("tv_vit_b_32", 224, 88_224_232, 4_409_186_304, 32),
    ("tv_vit_l_16", 224, 304_326_632, 61_554_712_576, 16),
    ("tv_vit_l_32", 224, 306_535_400, 15_377_539_072, 32),
    ("tv_vit_h_14", 224, 632_045_800, 167_295_109_120, 14),
    ("tv_vit_b_16_384", 384, 86_859_496, 55_484_350_464, 16),
    ("tv_vit_b_32_384", 384, 88_297_192, 13_043_564_544, 32),
    ("tv_vit_l_16_384", 384, 304_715_752, 191_066_300_416, 16),
    ("tv_vit_l_32_384", 384, 306_632_680, 45_275_963_392, 32),
    ("tv_vit_h_14_518", 518, 633_470_440, 1_016_716_764_160, 14),
    ("timm_vit_tiny_patch16_224", 224, 5_717_416, 1_253_683_200, 16),
    ("timm_vit_small_patch16_224", 224, 22_050_664, 4_598_882_304, 16),
    ("timm_vit_base_patch32_224", 224, 88_224_232, 4_409_186_304, 32),
    ("timm_vit_large_patch16_224", 224, 304_326_632, 61_554_712_576, 16),
    ("timm_vit_huge_patch14_224", 224, 632_045_800, 167_295_109_120, 14),
]
QUICK = {
    *("tv_alexnet", "tv_vgg16", "tv_googlenet_aux", "tv_inception_v3", "tv_resnet50"),
    *("timm_legacy_xception", "timm_mobilenetv1_100", "tv_mobilenet_v2_1.0"),
    *("tv_efficientnet_b0", "tv_efficientnet_v2_s", "tv_vit_b_16", "tv_vit_h_14"),
}


def published() -> list:
    return [
        pytest.param(*row, id=row[0], marks=[] if row[0] in QUICK else pytest.mark.slow)
        for row in PUBLISHED
    ]


def build(name: str) -> nn.Module:
    """Build a network on the meta device by its name in `PUBLISHED`."""
    library, _, name = name.partition("_")
    options: dict = {}
    with torch.device("meta"):
        if library == "timm":
            timm = pytest.importorskip("timm", reason="pip install timm")
            return timm.create_model(name, num_classes=1000)
        models = pytest.importorskip("torchvision").models
        if name.startswith(("googlenet", "inception")):
            options = {"aux_logits": name.endswith("_aux"), "init_weights": False}
            name = name.removesuffix("_aux")
        if name.startswith("mobilenet_v2_"):
            options, name = {"width_mult": float(name[13:])}, "mobilenet_v2"
        if name.startswith("vit_") and name.count("_") == 3:
            name, _, side = name.rpartition("_")
            options = {"image_size": int(side)}
        return getattr(models, name)(**options)


@pytest.mark.slow
@pytest.mark.by_turns(3)
@pytest.mark.parametrize(("name", "side", "params", "macs", "pixels"), published())
def test_published_figures_are_exact(name, side, params, macs, pixels):
    cost = count(build(name), (1, 3, side, side))
    assert (cost.params, cost.macs, cost.receptive_field) == (params, macs, pixels)
    assert sum(layer.params for layer in cost.layers) == params
    assert sum(layer.macs for layer in cost.layers) == macs
    assert not cost.uncounted


@pytest.mark.slow
def test_real_weights_count_as_shapes_do():
    """The CPU would choose fused attention and other kernels; the count stays."""
    vit = build("timm_vit_tiny_patch16_224")
    shapes = count(vit, (1, 3, 224, 224))
    assert count(vit.to_empty(device="cpu"), (1, 3, 224, 224)) == shapes


class Hollow(TorchFunctionMode):
    """Give layers parameters without numbers; all else is as ever."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is torch.empty:
            kwargs = kwargs | {"device": "meta"}
        return function(*args, **kwargs)


def classifiers() -> list:
    models = pytest.importorskip("torchvision").models
    quick = {"swin_t", "swin_v2_t", "maxvit_t", "convnext_tiny", "regnet_y_400mf"}
    return [
        pytest.param(name, marks=[] if name in quick else pytest.mark.slow)
        for name in models.list_models(module=models)
    ]


@pytest.mark.slow
@pytest.mark.by_turns(3)
@pytest.mark.parametrize("name", classifiers())
def test_macs_of_torchvisions_classifiers_agree_with_pytorchs_counter(name):
    models = pytest.importorskip("torchvision").models
    weightless = (
        {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    )
    with Hollow():
        net = models.get_model(name, weights=None, **weightless).eval().to("meta")
    side = 299 if name == "inception_v3" else 224
    theirs = FlopCounterMode(display=False)
    with theirs, torch.no_grad(), _plain_attention():
        net(torch.empty(1, 3, side, side, device="meta"))
    cost = count(net, (1, 3, side, side))
    assert cost.macs == theirs.get_total_flops() / 2
    assert cost.uncounted == ()


@pytest.mark.slow
def test_a_video_network_counts_too():
    video = pytest.importorskip("torchvision").models.video
    with torch.device("meta"):
        net = video.mvit_v1_b()
    assert count(net, (1, 3, 16, 224, 224)).params == 36_610_672


@pytest.mark.slow
@pytest.mark.parametrize("name", ["timm_coatnet_0_rw_224", "timm_levit_128s"])
def test_networks_that_index_by_numbers_count(name):
    cost = count(build(name), (1, 3, 224, 224))
    assert cost.macs > 300_000_000
    assert cost.uncounted == ()


# ------------------------------------------------------------- closed forms


class Do(nn.Module):
    """Run a function as the forward pass; no layer is visible from outside."""

    def __init__(self, function, **tensors: Tensor):
        super().__init__()
        self.function = function
        for name, tensor in tensors.items():
            self.register_parameter(name, nn.Parameter(tensor))

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(*inputs, *self.parameters())


def macs(function, *inputs, **tensors) -> int:
    return count(Do(function, **tensors), *inputs).macs


@pytest.mark.parametrize("seed", range(12))
def test_grouped_convolutions_count_by_their_formula(seed):
    draw = random.Random(seed)
    sides = draw.choice([1, 2, 3])
    groups, images = draw.choice([1, 2, 3]), draw.randint(1, 3)
    channels, width = groups * draw.randint(1, 4), groups * draw.randint(1, 4)
    kernel = [draw.randint(1, 3) for _ in range(sides)]
    stride, dilation = draw.randint(1, 2), draw.randint(1, 2)
    convolve = [F.conv1d, F.conv2d, F.conv3d][sides - 1]
    weight = torch.randn(width, channels // groups, *kernel)
    images = torch.randn(images, channels, *[draw.randint(5, 9) for _ in range(sides)])
    options = {"stride": stride, "dilation": dilation, "groups": groups}

    made = convolve(images, weight, **options)
    expected = made.numel() * channels // groups * math.prod(kernel)
    assert (
        macs(lambda x, w: convolve(x, w, **options), images, weight=weight) == expected
    )


@pytest.mark.parametrize("groups", [1, 2])
def test_transposed_convolution_multiplies_each_input_by_its_filter(groups):
    layer = nn.ConvTranspose2d(4, 6, (3, 2), stride=2, groups=groups)
    assert count(layer, (2, 4, 5, 7)).macs == 2 * 4 * 5 * 7 * (6 // groups) * 3 * 2


@pytest.mark.parametrize(
    ("equation", "first", "second", "expected"),
    [
        ("ij,jk->ik", (2, 3), (3, 5), 2 * 3 * 5),
        ("bij,bjk->bik", (4, 2, 3), (4, 3, 5), 4 * 2 * 3 * 5),
        ("nhqd,nhkd->nhqk", (2, 3, 5, 7), (2, 3, 4, 7), 2 * 3 * 5 * 4 * 7),
        ("nchw,dc->ndhw", (2, 3, 4, 5), (6, 3), 2 * 3 * 4 * 5 * 6),
        ("bqhd,bkhd->bhqk", (1, 9, 2, 8), (1, 9, 2, 8), 2 * 9 * 9 * 8),
    ],
)
def test_einsum_counts_the_product_of_its_indices(equation, first, second, expected):
    assert macs(lambda x, y: torch.einsum(equation, x, y), first, second) == expected


@pytest.mark.parametrize(
    ("function", "shapes", "expected"),
    [
        (lambda x, w: F.linear(x, w), [(2, 3, 5), (7, 5)], 2 * 3 * 5 * 7),
        (lambda x, w, b: F.linear(x, w, b), [(4, 5), (7, 5), (7,)], 4 * 5 * 7),
        (lambda x, y: x @ y, [(6, 2, 3, 4), (4, 5)], 6 * 2 * 3 * 4 * 5),
        (lambda x, y: x @ y, [(3, 4), (4,)], 12),
        (lambda x, y: x @ y, [(4,), (4,)], 4),
        (torch.baddbmm, [(2, 3, 5), (2, 3, 4), (2, 4, 5)], 2 * 3 * 4 * 5),
        (torch.addbmm, [(3, 5), (2, 3, 4), (2, 4, 5)], 2 * 3 * 4 * 5),
        (torch.addmv, [(3,), (3, 4), (4,)], 12),
        # F.bilinear: the weight (7, 3, 4) times the second, then times the first
        (F.bilinear, [(2, 3), (2, 4), (7, 3, 4)], 2 * (7 * 3 * 4 + 7 * 3)),
        (lambda x: x.softmax(-1).relu() + x * x, [(3, 4)], 0),
        (lambda x: F.layer_norm(x, (4,)), [(3, 4)], 0),
    ],
)
def test_functional_calls_count_by_their_formula(function, shapes, expected):
    assert macs(function, *shapes) == expected


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_attention_counts_both_matmuls(causal, device):
    n, h, q, k, d, e = 2, 3, 5, 5 if causal else 7, 8, 6

    def attend(*qkv: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(*qkv, is_causal=causal)

    shapes = (n, h, q, d), (n, h, k, d), (n, h, k, e)
    inputs = [torch.empty(shape, device=device) for shape in shapes]
    assert macs(attend, *inputs) == n * h * q * k * (d + e)


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
def test_multi_head_attention_counts_whatever_path_it_would_take(frozen, batch_first):
    """In eval mode without gradients it takes a fused path that hides its matmuls."""
    length, width = 5, 8
    layer = nn.MultiheadAttention(width, 2, batch_first=batch_first).eval()
    layer.requires_grad_(not frozen)
    tokens = (3, length, width) if batch_first else (length, 3, width)
    expected = 3 * (4 * length * width**2 + 2 * length**2 * width)
    assert count(layer, tokens, tokens, tokens).macs == expected


@pytest.mark.parametrize("layers", [1, 2])
def test_transformer_encoder_counts_in_eval_mode(layers):
    length, width, hidden = 5, 8, 20
    one = nn.TransformerEncoderLayer(width, 2, hidden, batch_first=True)
    encoder = nn.TransformerEncoder(one, layers).eval()
    attention = 4 * length * width**2 + 2 * length**2 * width
    expected = 3 * layers * (attention + 2 * length * width * hidden)
    assert count(encoder, (3, length, width)).macs == expected


def test_recurrent_network_multiplies_each_token_by_both_weights():
    layer = nn.LSTM(8, 16, batch_first=True)
    assert count(layer, (2, 5, 8)).macs == 2 * 5 * 4 * 16 * (8 + 16)


def test_embedding_takes_tokens_and_reads_only_their_rows():
    tokens = torch.zeros(2, 5, dtype=torch.long)
    cost = count(nn.Sequential(nn.Embedding(30, 8), nn.Linear(8, 3)), tokens)
    assert (cost.params, cost.macs) == (30 * 8 + 8 * 3 + 3, 2 * 5 * 8 * 3)
    rows = 2 * 5 * 8
    assert cost.layers[0].bytes_moved == tokens.numel() * 8 + 2 * rows * 4


def test_memory_of_a_convolution_and_its_relu_by_hand():
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Dropout())
    cost = count(net, (2, 3, 6, 6))
    image, made, weights = 2 * 3 * 36, 2 * 8 * 16, 8 * 27 + 8
    assert cost.activations == 2 * made  # a flattened view and dropout write nothing
    assert cost.bytes_moved == 4 * (image + weights + made + 2 * made)
    assert count(net.double(), (2, 3, 6, 6)).bytes_moved == 2 * cost.bytes_moved


@pytest.mark.parametrize("options", [{}, {"groups": 2}, {"padding": "same"}])
def test_a_complex_multiplication_counts_once(options):
    """PyTorch does a convolution of complex numbers as three of real ones."""
    layer = nn.Conv2d(4, 6, 3, dtype=torch.complex64, **options)
    real = nn.Conv2d(4, 6, 3, **options)
    cost = count(layer, (2, 4, 8, 8))
    assert cost.macs == count(real, (2, 4, 8, 8)).macs
    assert cost.receptive_field == 3


@pytest.mark.parametrize(
    ("function", "shapes", "named"),
    [
        (lambda x: torch.fft.rfft2(x).abs(), [(2, 3, 4)], "aten._fft_r2c"),
        (torch.cdist, [(2, 3, 4), (2, 3, 4)], "aten._cdist_forward"),
        (torch.linalg.solve, [(3, 3), (3, 3)], "aten._linalg_solve_ex"),
        (torch.linalg.svdvals, [(3, 3)], "aten._linalg_svd"),
        (torch.matrix_exp, [(3, 3)], "aten.linalg_matrix_exp"),
        (lambda x: F.grid_sample(x, x.new_zeros(1, 4, 4, 2), align_corners=False),
         [(1, 3, 4, 4)], "aten.grid_sampler_2d"),
    ],
)  # fmt: skip
def test_what_nobody_can_count_is_named(function, shapes, named):
    cost = count(Do(function), *shapes)
    assert (cost.macs, cost.uncounted) == (0, (named,))
    assert f"not counted: {named}" in str(cost)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x[:, [2, 1, 0]], 0),
        (lambda x: x[torch.arange(2), :, None], 0),
        (lambda x: F.conv1d(x, x.new_ones(4, 3, 1)), 2 * 3 * 4 * 5),
        (lambda x: torch.conv_tbc(x, x.new_ones(2, 5, 7), x.new_ones(7)), 3 * 7 * 10),
        (lambda x: F.gelu(x).abs().sum(1).topk(2)[0].flip(0) == 1, 0),
        (lambda x: F.hardswish(x).cumsum(1).repeat(2, 1, 1).roll(1, 0), 0),
        (lambda x: F.interpolate(x, scale_factor=2) + torch.rand(1), 0),
        (lambda x: F.grouped_mm(*(x.new_ones(2, 8, 8).bfloat16(),) * 2), 2 * 8**3),
    ],
)  # fmt: skip
def test_what_can_be_counted_is_not_named(function, expected):
    cost = count(Do(function), (2, 3, 5))
    assert (cost.macs, cost.uncounted) == (expected, ())


def test_pytorchs_own_counter_knows_no_forward_operation_that_we_do_not():
    forward = [str(op) for op in flop_registry if "backward" not in str(op)]
    ours = [
        *(f"aten.{name}" for name in rules.MACS),
        *("aten._scaled_dot_product", "aten._flash_attention", "aten._efficient"),
        # other forms of a convolution, which the meta device never takes
        *(
            "aten._convolution",
            "aten.cudnn_conv",
            "aten._slow_conv2d",
            "flex_attention",
        ),
        "aten._scaled_mm",  # counted by PyTorch's rule: it needs a GPU
    ]
    assert [op for op in forward if not op.startswith(tuple(ours))] == []


# ------------------------------------------------------------------ modules


class Twice(nn.Module):
    """Use one layer two times, tie a second weight to it, leave a third idle."""

    def __init__(self):
        super().__init__()
        self.shared = nn.Linear(4, 4)
        self.tied = nn.Linear(4, 4)
        self.tied.weight = self.shared.weight
        self.idle = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.tied(self.shared(self.shared(x))) + x.sum()


def test_shared_weights_count_once_and_their_work_each_time():
    cost = count(Twice(), (3, 4))
    assert cost.params == 16 + 4 + 4 + 10
    assert cost.macs == 3 * 3 * 16
    rows = {layer.name: layer for layer in cost.layers}
    assert (rows["shared"].calls, rows["shared"].macs) == (2, 2 * 3 * 16)
    assert (rows["tied"].params, rows["tied"].macs) == (4, 3 * 16)
    assert (rows["idle"].params, rows["idle"].kind) == (10, "Linear: not run")
    assert rows[""].kind == "Twice: sum, add"  # ran outside any leaf module


class Stateful(nn.Module):
    """Write to everything that a forward pass may write to."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.drop = nn.Dropout(0.5).eval()
        self.register_buffer("seen", torch.zeros(1))
        self.scale = torch.ones(3, 1, 1)  # neither parameter nor buffer
        self.maps: list[Tensor] = []
        self.last: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        self.seen += len(x)
        self.last = self.norm(x) * self.scale + torch.rand(x.shape)
        self.maps.append(self.last)
        return self.drop(self.last) * CONSTANT


CONSTANT = torch.full((1, 3, 1, 1), 2.0)


def test_nothing_of_the_network_is_touched():
    net = Stateful().train()
    net.drop.eval()
    net(torch.randn(2, 3, 4, 4))  # `last` is now part of a graph: it cannot be copied
    heard: list = []
    net.norm.register_forward_hook(lambda *_: heard.append(1))
    state = {key: value.clone() for key, value in net.state_dict().items()}
    parameters, last, random_state = (
        dict(net.named_parameters()),
        net.last,
        torch.get_rng_state(),
    )
    fast = torch.backends.mha.get_fastpath_enabled()

    count(net, (5, 3, 7, 7))

    assert [net.training, net.norm.training, net.drop.training] == [True, True, False]
    assert all(
        torch.equal(value, state[key]) for key, value in net.state_dict().items()
    )
    assert all(net.get_parameter(key) is value for key, value in parameters.items())
    assert net.last is last
    assert (len(net.maps), len(heard)) == (1, 0)
    assert not any(module._forward_pre_hooks for module in net.modules())
    assert torch.equal(torch.get_rng_state(), random_state)
    assert torch.backends.mha.get_fastpath_enabled() == fast


def test_the_network_counts_in_eval_mode():
    """In train mode BatchNorm refuses a single value a channel."""
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).train()
    assert count(net, (1, 3, 1, 1)).macs == 12


def test_outer_modes_change_nothing():
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Flatten(), nn.Linear(64, 2))
    plain = count(net, (2, 3, 4, 4))
    with torch.inference_mode():
        assert count(net, (2, 3, 4, 4)) == plain
    with torch.device("meta"):
        assert count(net, (2, 3, 4, 4)) == plain


def test_a_network_may_have_no_parameters_and_uneven_images():
    cost = count(nn.MaxPool2d(2, ceil_mode=True), (1, 3, 7, 10))
    assert (cost.params, cost.macs, cost.activations) == (0, 0, 3 * 4 * 5)
    assert count(nn.Conv2d(3, 2, (3, 1)), (3, 7, 10)).macs == 2 * 5 * 10 * 9


@pytest.mark.parametrize("inputs", [((2, 3), (2, 4)), (((2, 3), (2, 4)),)])
def test_several_inputs_are_shapes_or_tensors(inputs):
    assert count(nn.Bilinear(3, 4, 5), *inputs).params == 5 * 3 * 4 + 5


# ---------------------------------------------------------- receptive field


def numerical_field(net: nn.Module, side: int) -> int:
    """Count the rows and columns of the image that one output position depends on."""
    image = torch.rand(1, 2, side, side, dtype=torch.float64, requires_grad=True)
    features = net.double()(image)
    features[0, :, features.shape[2] // 2, features.shape[3] // 2].sum().backward()
    rows = image.grad[0].abs().sum(dim=(0, 2)).nonzero().flatten()
    columns = image.grad[0].abs().sum(dim=(0, 1)).nonzero().flatten()
    return max(int(x.max() - x.min()) + 1 for x in (rows, columns))


class Branches(nn.Module):
    """Add or concatenate two paths, which may be shifted against each other."""

    def __init__(self, one: nn.Module, other: nn.Module, how: str):
        super().__init__()
        self.one, self.other, self.how = one, other, how

    def forward(self, x: Tensor) -> Tensor:
        one, other = self.one(x), self.other(x)
        if self.how == "cat":
            return torch.cat([one, other], dim=1)
        one += other  # in place
        return one


def random_block(draw: random.Random, channels: int) -> nn.Module:
    """Return a block that keeps the channels, and halves the side or keeps it."""
    kernel = draw.choice([(1, 1), (3, 3), (5, 3), (1, 7), (2, 2)])
    dilation, stride = draw.choice([1, 1, 2]), draw.choice([1, 1, 2])
    span = [dilation * (k - 1) for k in kernel]
    left = [s // 2 for s in span]
    pads = (left[1], span[1] - left[1], left[0], span[0] - left[0])  # uneven for 2x2
    convolution = nn.Conv2d(channels, channels, kernel, stride, 0, dilation)
    nn.init.uniform_(convolution.weight, 0.1, 1)  # positive: no gradients cancel
    nn.init.uniform_(convolution.bias, 0.1, 1)
    padded = nn.Sequential(nn.ZeroPad2d(pads), convolution)
    kind = draw.choice(["plain", "add", "cat", "pool", "norm"])
    if kind == "pool":
        return nn.AvgPool2d(draw.choice([2, 3]), 2, ceil_mode=True)
    if kind == "norm":
        return nn.Sequential(padded, nn.LocalResponseNorm(3))
    if kind == "plain":
        return padded
    shortcut = nn.AvgPool2d(1, stride)
    block = Branches(padded, shortcut, kind)
    if kind == "add":
        return block
    merge = nn.Conv2d(2 * channels, channels, 1)
    nn.init.uniform_(merge.weight, 0.1, 1)
    return nn.Sequential(block, merge)


@pytest.mark.parametrize("seed", range(25))
def test_receptive_field_is_the_numerical_one(seed):
    torch.manual_seed(seed)
    draw = random.Random(seed)
    net = nn.Sequential(*[random_block(draw, 2) for _ in range(draw.randint(1, 4))])
    cost = count(net, (1, 2, 160, 160))
    assert cost.receptive_field == numerical_field(net, 160)


def test_receptive_field_follows_slices():
    net = nn.Sequential(nn.Conv2d(2, 2, 3, 2), Do(lambda x, *_: x[:, :, 1:, ::2]))
    net.append(nn.Conv2d(2, 2, 3))
    nn.init.constant_(net[0].weight, 1)
    nn.init.constant_(net[2].weight, 1)
    assert count(net, (1, 2, 64, 64)).receptive_field == numerical_field(net, 64) == 11


@pytest.mark.parametrize(
    "step",
    [nn.AdaptiveAvgPool2d(1), nn.AvgPool2d(8), nn.Softmax(-1), nn.Flatten()],
)
def test_what_is_global_sees_all_and_ends_the_field(step):
    cost = count(nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), step), (1, 3, 8, 8))
    assert cost.receptive_field == 3
    assert [layer.receptive_field for layer in cost.layers[:2]] in (
        [3, math.inf],
        [3, None],
    )


class ChannelsLast(nn.Module):
    """ConvNeXt's block: a depthwise convolution, then linear layers, channels last."""

    def __init__(self, width, how):
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 5, padding=2, groups=width)
        self.norm, self.linear = nn.LayerNorm(width), nn.Linear(width, width)
        self.how = how
        for weight in (self.depthwise.weight, self.linear.weight):
            nn.init.uniform_(weight, 0.1, 1)

    def forward(self, x):
        y = self.depthwise(x)
        if self.how == "permute":
            y = self.linear(self.norm(y.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
        if self.how == "tokens":
            y = y.flatten(2).transpose(1, 2)
            y = self.linear(self.norm(y)).transpose(1, 2).unflatten(2, x.shape[2:])
        if self.how == "einsum":
            y = torch.einsum("nchw,dc->ndhw", y, self.linear.weight)
        return x + y


@pytest.mark.parametrize("how", ["permute", "tokens", "einsum"])
def test_receptive_field_survives_channels_last(how):
    torch.manual_seed(0)
    stem = nn.Conv2d(2, 2, 4, 4)
    nn.init.uniform_(stem.weight, 0.1, 1)
    net = nn.Sequential(stem, ChannelsLast(2, how), ChannelsLast(2, how))
    cost = count(net, (1, 2, 64, 64))
    assert cost.receptive_field == numerical_field(net, 64) == 4 + 2 * 4 * 4
    assert count(net, (3, 2, 64, 64)).receptive_field == cost.receptive_field


def test_receptive_field_of_convnext():
    """Stem 4x4; then 7x7 at strides 4, 8, 16 and 32, with 2x2 between: 1,688 pixels."""
    strides, depths = (4, 8, 16, 32), (3, 3, 9, 3)
    blocks = sum(6 * s * n for s, n in zip(strides, depths, strict=True))
    field = count(build("tv_convnext_tiny"), (1, 3, 224, 224)).receptive_field
    assert field == 4 + blocks + sum(strides[:3]) == 1688


@pytest.mark.parametrize(
    "step",
    [
        lambda x: x.flatten(1),
        lambda x: x[:, :, [1, 0] * 4],
        lambda x: x.unflatten(3, (2, 4)),
        lambda x: x.roll(1, 2),
        lambda x: x @ x.mT,
        lambda x: x.mean(2),
        lambda x: x.cumsum(-1),
        lambda x: torch.fft.fft(x).real,
        lambda x: F.interpolate(x, scale_factor=2),
    ],
)
def test_what_mixes_positions_ends_the_field(step):
    net = nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), Do(lambda x, *_: step(x)))
    cost = count(net, (2, 3, 8, 8))
    assert cost.receptive_field == 3
    assert cost.layers[-1].receptive_field in (math.inf, None)


@pytest.mark.parametrize(
    "step",
    [
        lambda x: x[:, [1, 0]],
        lambda x: x.chunk(2, 1)[0],
        lambda x: x.mean(1, keepdim=True),
        lambda x: x.softmax(1).flip(1),
        lambda x: torch.stack([x, x], 1).flatten(1, 2),
        lambda x: x[:, :, None].squeeze(2).select(1, 0),
        lambda x: x.unflatten(1, (1, 2)).transpose(1, 2).flatten(1, 2),
    ],
)
def test_what_moves_channels_keeps_the_field(step):
    net = nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), Do(lambda x, *_: step(x) * 2))
    cost = count(net, (2, 3, 8, 8))
    assert cost.receptive_field == cost.layers[-1].receptive_field == 3


def test_no_image_no_field():
    assert count(nn.Linear(3, 4), (2, 3)).receptive_field is None


# ------------------------------------------------------------ errors, tables


class Decides(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


class Selects(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[x > 0]


class Packs(nn.Module):
    """Pack its sequences itself."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(8, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, [5, 3], batch_first=True)
        return self.lstm(packed)[0].data


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_networks_compiled_by_torchscript_are_refused_with_their_name():
    scripted = torch.jit.script(nn.Linear(3, 4))
    for net, where in ((scripted, "the network"), (nn.Sequential(scripted), "layer 0")):
        with pytest.raises(CountError, match=f"^{where} is compiled by TorchScript"):
            count(net, (2, 3))


def test_packed_sequences_are_refused_with_the_reason():
    packed = pack_padded_sequence(torch.randn(2, 5, 8), [5, 3], batch_first=True)
    with pytest.raises(CountError, match="depends on its lengths: count the padded"):
        count(nn.LSTM(8, 4, batch_first=True), packed)


@pytest.mark.parametrize("image", [(2, 3), torch.ones(2, 3)])
def test_a_dictionary_is_one_input(image):
    net = Do(lambda batch: batch["image"] @ batch["image"].mT)
    assert count(net, {"image": image}).macs == 12


@pytest.mark.parametrize(
    ("net", "inputs", "said"),
    [
        (
            nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(10, 2)),
            [(1, 3, 6, 6)],
            r"layer 2 \(Linear\) refused its input, \(1, 64\); .* in_features = 10: ",
        ),
        (
            nn.Sequential(nn.Conv2d(3, 4, 3)),
            [(1, 1, 6, 6)],
            r"layer 0 \(Conv2d\) .* \(1, 1, 6, 6\); it expects in_channels = 3",
        ),
        (nn.Sequential(nn.MaxPool2d(9)), [(1, 3, 6, 6)], r"layer 0 \(MaxPool2d\)"),
        pytest.param(
            *(nn.Embedding(9, 4), [(2, 3)], r"the network \(Embedding\) .*Long"),
            marks=pytest.mark.skipif(
                torch.__version__.startswith("2.11."),
                reason="without computing, it takes floats for indices",
            ),
        ),
        (nn.Linear(3, 4), [(2, 3), (2, 3)], r"the network \(Linear\) .*arguments"),
        (nn.Linear(3, 4), ["2x3"], r"'2x3' is no input: give a shape"),
        (nn.LazyLinear(4), [(2, 3)], "run it on one batch"),
        (Decides(), [(2, 3)], r"\(Decides\) looks at a value"),
        (Selects(), [(2, 3)], r"\(Selects\) looks at a value"),
        (Packs(), [(2, 5, 8)], r"\(Packs\) needs the numbers themselves"),
        (Do(lambda x: x.numpy()), [(2, 3)], r"\(Do\) needs the numbers themselves"),
    ],
)
def test_what_cannot_be_counted_says_why_in_a_line(net, inputs, said):
    with pytest.raises(CountError, match=said) as caught:
        count(net, *inputs)
    assert "\n" not in str(caught.value)


def test_a_bug_in_the_network_stays_a_bug():
    with pytest.raises(AttributeError, match="no_such"):
        count(Do(lambda x: x.no_such), (2, 3))


def test_tables_show_each_layer_and_the_sum():
    rich = pytest.importorskip("rich.console")
    net = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.ReLU(), nn.Flatten())
    cost = count(net, (1, 3, 34, 34))
    lines = str(cost).splitlines()
    assert lines[0] == "Sequential: 216 parameters, 221,184 MACs"
    assert lines[3].split()[:5] == ["0", "Conv2d", "1x8x32x32", "216", "221,184"]
    assert lines[-1].split() == [
        "sum",
        "216",
        "221,184",
        "16,384",
        "113,040",
        "3",
        "px",
    ]
    assert cost._repr_html_().count("<tr>") == 5
    console = rich.Console(width=120, record=True, file=io.StringIO())
    console.print(cost)
    assert "221,184" in console.export_text()


def test_networks_stand_side_by_side():
    costs = {"a<b": count(nn.Linear(3, 4), (2, 3)), "none": count(nn.ReLU(), (2, 3))}
    table = compare(costs)
    assert [row[0] for row in table.rows] == ["a<b", "none"]
    assert table.rows[0][1:3] == ("16", "24")
    assert table.rows[0][-1] == "1.5"
    assert "a&lt;b" in table._repr_html_()
