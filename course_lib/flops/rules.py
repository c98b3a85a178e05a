"""How many multiply-accumulates an operation does, and which are known to do none.

What has neither a rule here nor one in PyTorch's own counter is not taken to be free:
`macs_of` answers None, and the operation is named.
"""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch.utils.flop_counter import flop_registry

# Operation: MACs, from its arguments `a` (named as in its schema) and its output `y`.
MACS = {
    "convolution": lambda a, y: (
        (a.input if a.transposed else y).numel() * a.weight[0].numel()
    ),
    "linear": lambda a, y: y.numel() * a.weight.shape[-1],
    "conv_tbc": lambda a, y: y.numel() * a.weight[:, :, 0].numel(),
    "mm": lambda a, y: y.numel() * a.self.shape[-1],
    "_int_mm": lambda a, y: y.numel() * a.self.shape[-1],
    "_grouped_mm": lambda a, y: (
        (y[0] if a.self.ndim == a.mat2.ndim == 2 else y).numel() * a.self.shape[-1]
    ),
    "bmm": lambda a, y: y.numel() * a.self.shape[-1],
    "addmm": lambda a, y: y.numel() * a.mat1.shape[-1],
    "_addmm_activation": lambda a, y: y.numel() * a.mat1.shape[-1],
    "baddbmm": lambda a, y: y.numel() * a.batch1.shape[-1],
    "addbmm": lambda a, y: a.batch1.numel() * a.batch2.shape[-1],
    "addmv": lambda a, y: a.mat.numel(),
    "mv": lambda a, y: a.self.numel(),
    "dot": lambda a, y: a.self.numel(),
    "vdot": lambda a, y: a.self.numel(),
    # nn.Bilinear: weight (K, C1, C2) times x2 for each row of x1, then times x1
    "_trilinear": lambda a, y: y.shape[0] * (a.i2.numel() + a.i2[..., 0].numel()),
}


def _attention_macs(a: SimpleNamespace) -> int:
    """Count q @ k.mT and scores @ v for every pair of tokens, masked or not."""
    pairs = a.query.shape[:-1].numel() * a.key.shape[-2]
    return pairs * (a.query.shape[-1] + a.value.shape[-1])


VIEWS = {  # these make a tensor, but no element is read or written
    "_reshape_alias", "_unsafe_view", "alias", "as_strided", "detach", "empty",
    "empty_like", "empty_strided", "lift_fresh", "new_empty", "new_empty_strided",
    "squeeze", "swapaxes", "swapdims", "t", "transpose", "unsafe_chunk", "unsafe_split",
    "unsafe_split_with_sizes", "unsqueeze",
}  # fmt: skip
PICKS = {"embedding", "gather", "index", "index_select"}  # read only what they return
NONE = PICKS | {  # no multiply-accumulates as the literature counts them
    # normalisation
    "native_batch_norm", "_native_batch_norm_legit", "cudnn_batch_norm",
    "_native_batch_norm_legit_no_training", "_batch_norm_no_update",
    "native_layer_norm", "native_group_norm", "_fused_rms_norm",
    "_softmax", "_log_softmax", "_safe_softmax", "linalg_vector_norm", "norm",
    "_masked_softmax", "renorm",
    # entry by entry, though PyTorch, or an older one (2.11), does not mark them so
    "_add_relu", "_conj_physical", "_prelu_kernel", "abs", "addr",
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "celu", "complex",
    "copysign", "elu", "eq", "floor_divide", "ge", "gelu", "glu", "gt", "hardsigmoid",
    "hardswish", "hardtanh", "heaviside", "huber_loss", "isin", "le", "leaky_relu",
    "log_sigmoid_forward", "lt", "mish", "mse_loss", "ne", "nll_loss2d_forward",
    "nll_loss_forward", "polar", "selu", "smooth_l1_loss", "soft_margin_loss",
    "threshold",
    # reductions, order
    "all", "amax", "amin", "aminmax", "any", "argmax", "argmin", "argsort", "bincount",
    "bucketize", "count_nonzero", "cummax", "cummin", "cumprod", "cumsum", "histc",
    "kthvalue", "logcumsumexp", "logsumexp", "max", "mean", "median", "min", "mode",
    "nanmedian", "nansum", "prod", "searchsorted", "sort", "std", "std_mean", "sum",
    "topk", "trace", "var", "var_mean",
    # constants, copies and their order
    "_embedding_bag", "_embedding_bag_forward_only", "_reshape_copy", "_to_copy",
    "_unsafe_index", "_unsafe_index_put", "arange", "bartlett_window",
    "blackman_window", "block_diag", "cat", "clone", "col2im", "constant_pad_nd",
    "copy", "diag_embed", "diagonal_scatter", "empty_permuted", "eye", "fill", "flip",
    "full", "full_like", "hamming_window", "hann_window", "im2col", "index_add",
    "index_copy", "index_fill", "index_put", "index_reduce", "kaiser_window",
    "lift_fresh_copy", "linspace", "logspace", "masked_fill", "masked_scatter",
    "max_unpool2d", "max_unpool3d", "new_full", "new_ones", "new_zeros", "ones",
    "ones_like", "pixel_shuffle", "pixel_unshuffle", "put", "channel_shuffle",
    "reflection_pad1d", "reflection_pad2d", "reflection_pad3d", "repeat",
    "repeat_interleave", "replication_pad1d", "replication_pad2d", "replication_pad3d",
    "resize", "roll", "rot90", "scalar_tensor", "scatter", "scatter_add",
    "scatter_reduce", "select_scatter", "set", "slice_scatter", "stack", "take", "tril",
    "tril_indices", "triu", "triu_indices", "where", "zero", "zeros", "zeros_like",
    # random numbers
    "bernoulli", "exponential", "multinomial", "native_dropout", "normal", "rand",
    "rand_like", "randint", "randint_like", "randn", "randn_like", "random", "randperm",
    "rrelu_with_noise", "uniform",
}  # fmt: skip
RESIZES = ("max_pool", "avg_pool", "upsample_")  # also adaptive ones, and 1d to 3d


def macs_of(func, name: str, a: SimpleNamespace, args, kwargs, output) -> int | None:
    """Return the MACs of an operation; None if nobody knows.

    name: the operation's, without the underscore of its form in place. a: its arguments
    by name. output: what it returned.
    """
    y = output[0] if isinstance(output, (tuple, list)) else output
    if name.startswith("_scaled_dot_product"):
        return _attention_macs(a)
    if name in MACS:
        return MACS[name](a, y)
    quiet = name in NONE or torch.Tag.pointwise in func.tags
    if quiet or any(word in name for word in RESIZES):
        return 0
    if func.overloadpacket in flop_registry:
        return flop_registry[func.overloadpacket](*args, **kwargs, out_val=output) // 2
    return None
