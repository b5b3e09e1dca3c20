"""Named training recipes with their source."""

from livewell.errors import SpecError
from livewell.profiles.profile import Profile

DEADNET_2017 = Profile(
    name="DEADNET_2017",
    source="Richmond et al. 2017, sections 2.3 and 2.4, Table 1; data set A. Initial rate 0.0003,"
    " inverse decay (1 + 1e-5 i)^-0.75 from the published solver files.",
    net="deadnet",
    patch_px=256,
    input_px=220,
    stride_px=128,
    warp_sigma_px=10,
    warp_grid_px=128,
    blur_px=(1.1, 1.5),
    balance="none",
    batch=20,
    init="xavier_fan_in",
    optimiser="nesterov",
    lr=0.0003,
    weight_decay=0.001,
    schedule="inverse",
    steps=500_000,
    steps_per_epoch=1_000,
)
"""DeadNet as its paper says: days on a processor."""

DEADNET_2017_B = DEADNET_2017.model_copy(
    update={
        "name": "DEADNET_2017_B",
        "source": "Richmond et al. 2017, sections 2.3 and 2.4; data set B: crops of sequences,"
        " turned, blurred, with Gaussian noise of sd 0.5 after normalisation; no warp.",
        "warp_sigma_px": 0.0,
        "noise_sd": (0.5, 0.5),
    }
)
"""DeadNet on data set B, labelled by experts: days on a processor."""

DEADNET_2017_PUBLISHED = DEADNET_2017.model_copy(
    update={
        "name": "DEADNET_2017_PUBLISHED",
        "source": "The network and solver files that Richmond et al. 2017 published, high dose"
        " (data set A): no batch norm after fc1 and fc2, pooling rounds up as Caffe's, decay 0.0001"
        " (low dose: --set weight_decay=0.00001), convolution biases at twice the rate, undecayed.",
        "fc_batch_norm": False,
        "pooling": "ceil",
        "weight_decay": 0.0001,
        "rates": "caffe",
        "steps": 1_000_000,
    }
)
"""DeadNet as its published files say, where these differ from the paper."""

DEADNET_2017_SHORT = DEADNET_2017.model_copy(
    update={
        "name": "DEADNET_2017_SHORT",
        "source": "Net and data path of DEADNET_2017; livewell's own shorter schedule: one cycle"
        " up to 0.01 over 300 steps, classes drawn evenly.",
        "balance": "class",
        "schedule": "one_cycle",
        "lr": 0.01,
        "precision": "auto",
        "steps": 300,
        "steps_per_epoch": 50,
    }
)
"""The same net and data path, one cycle of 300 steps: minutes on four cores."""

DEADNET_DENSE = DEADNET_2017_SHORT.model_copy(
    update={
        "name": "DEADNET_DENSE",
        "source": "DEADNET_2017_SHORT in livewell's own form for whole frames: convolutions without"
        " padding, normalisation at every pixel by the square of a patch around it, 600 steps."
        " Windows and dense maps agree exactly.",
        "normalise": "local",
        "padding": "valid",
        "steps": 600,
        "steps_per_epoch": 100,
    }
)
"""DeadNet in a form that scores whole frames at once, exactly."""

FAST = Profile(
    name="FAST",
    source="livewell's own: a small residual net on contrast against the background, strong"
    " augmentation, one cycle. Developed on six experiments of mcf7-pi, see BENCHMARKS.md.",
    net="compact",
    patch_px=112,
    input_px=64,
    stride_px=56,
    dropout=0.2,
    normalise="background",
    rotate_deg=180,
    scale=(0.8, 1.25),
    shift_px=4,
    blur_px=(0.05, 1.5),
    blur_share=0.4,
    sharpen=1.0,
    sharpen_share=0.2,
    shade=0.1,
    contrast=0.25,
    noise_sd=(0.0, 0.05),
    balance="paired",
    batch=32,
    optimiser="adamw",
    lr=0.003,
    weight_decay=0.05,
    schedule="one_cycle",
    label_smoothing=0.05,
    precision="auto",
    steps=1_000,
    steps_per_epoch=100,
    select="last",
)
"""livewell's own default: a minute or two on a processor."""

FAST_DENSE = FAST.model_copy(
    update={
        "name": "FAST_DENSE",
        "source": "FAST in a form for whole frames: convolutions without padding, contrast against"
        " the mean of the square around every pixel. Windows and dense maps agree exactly.",
        "patch_px": 144,
        "input_px": 105,
        "stride_px": 72,
        "normalise": "local_background",
        "padding": "valid",
    }
)
"""`FAST` in a form that scores whole frames at once, exactly."""

TINY = FAST.model_copy(
    update={
        "name": "TINY",
        "source": "Only for testing!",
        "patch_px": 64,
        "input_px": 56,
        "stride_px": 64,
        "batch": 8,
        "steps": 6,
        "steps_per_epoch": 3,
        "precision": "float32",
    }
)
"""Only for testing!"""

PROFILES = {
    profile.name: profile
    for profile in (
        DEADNET_2017,
        DEADNET_2017_B,
        DEADNET_2017_PUBLISHED,
        DEADNET_2017_SHORT,
        DEADNET_DENSE,
        FAST,
        FAST_DENSE,
        TINY,
    )
}
"""Every recipe by name."""


def profile(name: str) -> Profile:
    """The recipe of that name, upper or lower case, ``-`` for ``_``.

    Raises
    ------
    SpecError
        There is none; the text lists what there is.
    """
    found = PROFILES.get(name.upper().replace("-", "_"))
    if found is None:
        raise SpecError(
            "no such profile",
            expected=" or ".join(PROFILES),
            got=name,
            remedy="name one of these with --profile",
        )
    return found
