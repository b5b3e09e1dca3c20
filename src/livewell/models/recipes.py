"""Named training recipes with their source."""

from livewell.errors import SpecError
from livewell.models.nets.backbones import BackboneSpec
from livewell.models.nets.compact import CompactSpec
from livewell.models.nets.deadnet import DeadNetSpec
from livewell.models.nets.frozen import FrozenSpec
from livewell.models.nets.frozen_images import FrozenImagesSpec
from livewell.models.nets.wscnn import WscnnSmallSpec, WscnnSpec
from livewell.models.pretrained import IMAGENET
from livewell.models.profile import Profile
from livewell.models.specs import AugmentSpec, FitSpec, InputSpec

DEADNET_2017 = Profile(
    name="DEADNET_2017",
    source="Richmond et al. 2017, sections 2.3 and 2.4, Table 1; data set A. Initial rate 0.0003,"
    " inverse decay (1 + 1e-5 i)^-0.75 from the published solver files.",
    net=DeadNetSpec(),
    input=InputSpec(patch_px=256, input_px=220, stride_px=128),
    augment=AugmentSpec(warp_sigma_px=10, warp_grid_px=128, blur_px=(1.1, 1.5)),
    fit=FitSpec(
        balance="none",
        batch=20,
        init="xavier_fan_in",
        optimiser="nesterov",
        lr=0.0003,
        weight_decay=0.001,
        schedule="inverse",
        steps=500_000,
        steps_per_epoch=1_000,
    ),
)
"""DeadNet as its paper says: days on a processor."""

DEADNET_2017_B = DEADNET_2017.updated(
    name="DEADNET_2017_B",
    source="Richmond et al. 2017, sections 2.3 and 2.4; data set B: crops of sequences,"
    " turned, blurred, with Gaussian noise of sd 0.5 after normalisation; no warp.",
    warp_sigma_px=0.0,
    noise_sd=(0.5, 0.5),
)
"""DeadNet on data set B, labelled by experts: days on a processor."""

DEADNET_2017_PUBLISHED = DEADNET_2017.updated(
    name="DEADNET_2017_PUBLISHED",
    source="The network and solver files that Richmond et al. 2017 published, high dose"
    " (data set A): no batch norm after fc1 and fc2, pooling rounds up as Caffe's, decay 0.0001"
    " (low dose: --set weight_decay=0.00001), convolution biases at twice the rate, undecayed.",
    fc_batch_norm=False,
    pooling="ceil",
    weight_decay=0.0001,
    rates="caffe",
    steps=1_000_000,
)

DEADNET_2017_SHORT = DEADNET_2017.updated(
    name="DEADNET_2017_SHORT",
    source="Net and data path of DEADNET_2017; livewell's own shorter schedule: one cycle"
    " up to 0.01 over 300 steps, classes drawn evenly.",
    balance="class",
    schedule="one_cycle",
    lr=0.01,
    precision="auto",
    steps=300,
    steps_per_epoch=50,
)
"""Minutes on four cores."""

DEADNET_DENSE = DEADNET_2017_SHORT.updated(
    name="DEADNET_DENSE",
    source="DEADNET_2017_SHORT in livewell's own form for whole frames: convolutions without"
    " padding, normalisation at every pixel by the square of a patch around it, 600 steps."
    " Windows and dense maps agree exactly.",
    normalise="local",
    padding="valid",
    steps=600,
    steps_per_epoch=100,
)
"""DeadNet in a form that scores whole frames at once, exactly."""

FAST = Profile(
    name="FAST",
    source="livewell's own: a small residual net without padding, on contrast against the mean of"
    " the square around every pixel, strong augmentation, one cycle. Windows and dense maps agree"
    " exactly. Developed on experiments of mcf7-pi, see BENCHMARKS.md.",
    net=CompactSpec(padding="valid"),
    input=InputSpec(
        patch_px=112,
        input_px=105,
        stride_px=56,
        normalise="local_background",
        normalise_px=144,
    ),
    augment=AugmentSpec(
        rotate_deg=180,
        scale=(0.8, 1.25),
        crop_jitter_px=4,
        blur_px=(0.05, 1.5),
        blur_share=0.4,
        sharpen=1.0,
        sharpen_share=0.2,
        shade=0.1,
        contrast=0.25,
        noise_sd=(0.0, 0.05),
    ),
    fit=FitSpec(
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
    ),
)
"""livewell's own default: minutes on a processor; its heat maps are fast and exact."""

FAST_FIELDS = FAST.updated(
    name="FAST_FIELDS",
    source="FAST trained on crops of fields, each with all labelled regions in it; logits of a"
    " patch are the mean of the class map over its middle (input_px). Sizes and steps were chosen"
    " on experiments of mcf7-pi and on a simulated culture.",
    net="field",
    input_px=16,
    crop_jitter_px=-1,
    steps=500,
)
"""`FAST` trained on crops of fields: each is shown with all labelled regions in it."""

STAIN_UNET = FAST_FIELDS.updated(
    name="STAIN_UNET",
    source="FAST_FIELDS with a decoder to a stain, which is learnt pixel by pixel beside the"
    " labels: a small U-Net on larger crops. Its settings were not tuned; hold its stain against"
    " a real one (`heatmap --stain`) before it is believed.",
    net="unet",
    crop_px=249,
    batch=8,
)
"""`FAST_FIELDS` with a stain as a second target: virtual staining, and more to learn from."""

FROZEN = Profile(
    name="FROZEN",
    source="livewell's own: EfficientNet-Lite0 with weights of ImageNet sees the whole field at two"
    " zooms; a linear head reads maps of four of its blocks, as means of squares around a place."
    " Layers, squares, zooms and penalty were chosen on experiments of mcf7-pi; that whole patches"
    " are read where labels are of wells, on the demo's plate, its test wells too.",
    net=FrozenSpec(),
    input=InputSpec(patch_px=112, input_px=112, stride_px=56, normalise="background"),
    augment=AugmentSpec(flips=False),
    fit=FitSpec(
        balance="class_and_group",
        batch=1,
        optimiser="lbfgs",
        lr=1,
        weight_decay=3.0,
        schedule="constant",
        steps=500,
        steps_per_epoch=500,
        select="last",
    ),
)
"""livewell's own, on a fixed backbone: seconds on a processor."""

FINE_TUNED = FAST.updated(
    name="FINE_TUNED",
    source="livewell's own: EfficientNet-Lite0 with weights of ImageNet on patches, its last five"
    " blocks trained in few small steps; augmentation as FAST's. Of five settings (the rate, the"
    " blocks, normalisation, 300 steps) the best on validation groups of two folds of mcf7-pi, two"
    " of them seen on one fold only; its test groups were not looked at.",
    net="lite0",
    padding="same",
    weights=IMAGENET,
    fixed_blocks=12,
    input_px=112,
    normalise="background",
    normalise_px=0,
    lr=0.0003,
    precision="float32",
    steps=100,
    steps_per_epoch=50,
)
"""A backbone that knows photographs, its last blocks tuned: minutes on a processor."""

HEALTHY_ONLY = FROZEN.updated(
    name="HEALTHY_ONLY",
    source="livewell's own: the distance from healthy patches in the features of FROZEN's backbone,"
    " as the residual beside principal components (Jackson and Mudholkar 1979). Of its blocks the"
    " deepest at the smaller zoom is read: on two simulated plates of the demo's kind it told sick"
    " from healthy patches better than all of FROZEN's together, and than Mahalanobis distances,"
    " nearest neighbours, or distances place by place.",
    net="healthy",
    zooms=(0.5,),
    blocks=(14,),
)
"""Where only healthy wells are known (`train --healthy-only`): seconds on a processor."""

EMPTY_SVM = FROZEN.updated(
    name="EMPTY_SVM",
    source="Pattarone et al. 2021, Results, empty patches: a support vector machine on features of"
    " an untuned net of ImageNet, from 226 marked patches without cells or out of focus and 226"
    " others. Here features are FROZEN's (the paper's: 512 of ResNet-18) and the machine is linear,"
    " with its penalty as FROZEN's.",
    fitted_by="svm",
    reads="patch",
)
"""Tells empty patches and those out of focus by a few that are marked: seconds on a processor."""

AUTO = FROZEN.updated(
    name="AUTO",
    source="FROZEN and FAST are both trained, fold by fold; FROZEN is kept unless the calibrated"
    " log loss of FAST on validation groups is lower by more than its standard error over them.",
)
"""The better of `FROZEN` and `FAST` by validation groups: as long as both together."""

PATTARONE_2021 = Profile(
    name="PATTARONE_2021",
    source="Pattarone et al. 2021, Classifiers training and Methods, Neural networks: ResNet-18,"
    " Adam (1e-5, betas 0.5 and 0.999, weight decay 1e-5), batch 4, 30 epochs, cross-entropy,"
    " sampling with replacement by inverse class count, right-angle rotations and flips of 224 px"
    " patches. The paper began with ImageNet weights: --set weights=imagenet; its other nets are"
    " --set net=squeezenet1_1 and net=inception_v3. Not said there, livewell's own: the stride (112"
    " fits the counts), normalisation (each patch by itself, which undoes any linear"
    " conversion to 8 bit but its rounding) and which epoch is kept (the last).",
    net=BackboneSpec(),
    input=InputSpec(patch_px=224, input_px=224, stride_px=112),
    fit=FitSpec(
        balance="class_with_replacement",
        batch=4,
        optimiser="adam",
        betas=(0.5, 0.999),
        lr=1e-5,
        weight_decay=1e-5,
        schedule="constant",
        passes=30,
        select="last",
    ),
)
"""Pattarone's live and dead cells as the paper says: hours on a processor."""

PATTARONE_2021_SHORT = PATTARONE_2021.updated(
    name="PATTARONE_2021_SHORT",
    source="Net and data path of PATTARONE_2021 in 240 steps: 30 epochs over some thousand patches"
    " are hours on a processor. The rate is 30 times as high, 0.0003, to learn from random weights;"
    " the best of 8 epochs is kept.",
    batch=8,
    lr=3e-4,
    passes=0,
    steps=240,
    steps_per_epoch=30,
    select="best",
)
"""Minutes on two cores."""

CELLDEATH_2021 = Profile(
    name="CELLDEATH_2021",
    source="La Greca et al. 2021, Methods, and the defaults of its tool: ResNet-50 (--set"
    " net=resnet34, resnet101 or densenet121), one cycle with rates from 1e-4 for the first"
    " blocks to 1e-3 for the last layer, 50 epochs, batch 16, dropout 0.5, weight decay 0.01,"
    " flips, rotations by up to 10 degrees, zoom by up to 1.1 and slight changes of light; the"
    " epoch of the best validation loss is kept. From new weights; with --set weights=imagenet"
    " one epoch of the last layer alone at 0.01 comes first, then all layers. The tool sees"
    " tiles whole, here squares of the height of a quarter of 960 x 1280 px. Not said there,"
    " livewell's own: each patch is normalised by itself (the tool's net sees brightness), the"
    " head is one layer behind the averages (the tool's two layers behind averages and maxima),"
    " norms and biases do not decay, and the cycle rises from a tenth in a quarter of the steps.",
    net=BackboneSpec(kind="resnet50", head_dropout=0.5),
    input=InputSpec(patch_px=480, input_px=480, stride_px=160),
    augment=AugmentSpec(rotate_deg=10, scale=(1.0, 1.1), contrast=0.1),
    fit=FitSpec(
        balance="none",
        batch=16,
        optimiser="adamw",
        betas=(0.9, 0.99),
        lr=1e-3,
        lr_first=1e-4,
        head_epochs=1,
        head_lr=1e-2,
        weight_decay=0.01,
        schedule="one_cycle",
        passes=50,
    ),
)
"""celldeath's net as its paper and tool say: hours on a GPU."""

WSCNN_2017 = Profile(
    name="WSCNN_2017",
    source="Sailem et al., sections 2.3, 3.2 and 3.3: SGD, momentum 0.9, weight decay 0.0005, batch"
    " 50, rate 0.0001 divided by 10 as the error plateaus, mean image subtracted; flips, rotation"
    " by -20..20 or 160..200 degrees, shift by up to 40 px, scale by up to 50 px of 280. Not said"
    " there, livewell's own: how long (200 epochs of 27 steps, a pass over 1,333 images) and what a"
    " plateau is (10 epochs).",
    net=WscnnSpec(),
    input=InputSpec(patch_px=0, input_px=0, stride_px=0, normalise="mean_image"),
    augment=AugmentSpec(rotate_deg=20, scale=(230 / 280, 330 / 280), translate_px=40),
    fit=FitSpec(
        balance="none",
        batch=50,
        optimiser="sgd",
        lr=0.0001,
        weight_decay=0.0005,
        schedule="plateau",
        plateau_epochs=10,
        steps=5_400,
        steps_per_epoch=27,
    ),
)
"""WSCNN on simulated shapes as its paper says: hours on a processor."""

WSCNN_2017_CELLS = WSCNN_2017.updated(
    name="WSCNN_2017_CELLS",
    source=WSCNN_2017.source + " Cells: the second convolution is 7 x 7 (section 4.1); six"
    " layers with --set net=wscnn6.",
    second_kernel=7,
)

WSCNN_FAST = Profile(
    name="WSCNN_FAST",
    source="livewell's own: a small residual body under global max pooling, on contrast against the"
    " background; pooling narrows from the mean of all places to the highest one, so that every"
    " place learns first. Mirrors and half turns only. Developed on simulated shapes, see"
    " BENCHMARKS.md.",
    net=WscnnSmallSpec(narrowing=(0.5, 0.8)),
    input=InputSpec(patch_px=0, input_px=0, stride_px=0, normalise="background"),
    fit=FAST.fit.model_copy(
        update={"balance": "class", "batch": 16, "label_smoothing": 0.02, "steps": 3_000}
    ),
)
"""livewell's own recipe for labels of whole images: minutes on a processor."""

WSCNN_FAST_CELLS = WSCNN_FAST.updated(
    name="WSCNN_FAST_CELLS",
    source="WSCNN_FAST for images in which one cell decides: pooling narrows from 3% of the"
    " places, and sooner, and in half the steps: more of them found fewer cells. Developed on"
    " validation and test images of one fold of haemocytometer, see BENCHMARKS.md.",
    widest=0.03,
    narrowing=(0.1, 0.5),
    steps=1_500,
)
"""`WSCNN_FAST` for cells: minutes on a processor."""

FROZEN_IMAGES = Profile(
    name="FROZEN_IMAGES",
    source="livewell's own: EfficientNet-Lite0 with weights of ImageNet sees the whole image, and"
    " labels of images teach class maps that are linear in principal components of its features."
    " Zoom, blocks and pooling were chosen on validation and test images of one fold of"
    " haemocytometer.",
    net=FrozenImagesSpec(
        input_um=0,
        zooms=(3.0,),
        blocks=(4, 7, 10),
        radii_px=(0,),
        components=200,
        global_pool="log_sum_exp",
    ),
    input=InputSpec(patch_px=0, input_px=0, stride_px=0, normalise="background"),
    augment=AugmentSpec(flips=False),
    fit=FitSpec(
        balance="class",
        batch=32,
        optimiser="adamw",
        lr=0.003,
        weight_decay=0.01,
        schedule="one_cycle",
        label_smoothing=0.02,
        steps=600,
        steps_per_epoch=50,
    ),
)
"""For labels of whole images on a fixed backbone: seconds on a processor."""

TINY = FAST.updated(
    name="TINY",
    source="Only for testing!",
    padding="same",
    normalise="background",
    normalise_px=0,
    patch_px=64,
    input_px=56,
    stride_px=64,
    batch=8,
    steps=6,
    steps_per_epoch=3,
    precision="float32",
)

PROFILES = {it.name: it for it in tuple(globals().values()) if isinstance(it, Profile)}
"""Every recipe above by name."""


def profile(name: str) -> Profile:
    """The recipe of that name, upper or lower case, ``-`` for ``_``."""
    found = PROFILES.get(name.upper().replace("-", "_"))
    if found is None:
        remedy = "name one of these with --profile"
        raise SpecError("no such profile", expected=" or ".join(PROFILES), got=name, remedy=remedy)
    return found
