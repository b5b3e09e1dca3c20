"""Recipes: frozen, checked, and changed one setting at a time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from livewell.errors import SpecError
from livewell.models.profile import Profile, described, override
from livewell.models.recipes import (
    CELLDEATH_2021,
    DEADNET_2017,
    DEADNET_2017_B,
    DEADNET_2017_PUBLISHED,
    DEADNET_2017_SHORT,
    FAST,
    FROZEN,
    HEALTHY_ONLY,
    PATTARONE_2021,
    PATTARONE_2021_SHORT,
    PROFILES,
    TINY,
    profile,
)
from livewell.models.specs import AugmentSpec

each = pytest.mark.parametrize("recipe", PROFILES.values(), ids=lambda recipe: recipe.name)


@each
def test_profiles_are_frozen(recipe: Profile) -> None:
    """No setting of a named recipe can be changed in place."""
    for name in Profile.model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(recipe, name, getattr(recipe, name))


@each
def test_profiles_hold_against_their_own_rules(recipe: Profile) -> None:
    """Every named recipe passes the checks that overridden ones must pass, also through JSON."""
    assert Profile.model_validate(recipe.model_dump(mode="json")) == recipe
    assert Profile.model_validate_json(recipe.model_dump_json()) == recipe


@each
def test_profiles_are_found_by_name(recipe: Profile) -> None:
    """Case and dashes do not matter."""
    assert profile(recipe.name) is recipe
    assert profile(recipe.name.lower().replace("_", "-")) is recipe


def test_an_unknown_profile_is_refused() -> None:
    """The text lists what there is."""
    with pytest.raises(SpecError, match=r"DEADNET_2017 or .*FAST.*fastest"):
        profile("fastest")


def test_deadnet_is_as_in_the_paper() -> None:
    """The numbers of FACTS.md, section 1: what the net sees, augmentation and optimiser."""
    it = DEADNET_2017
    assert (it.input.patch_px, it.input.input_px, it.input.stride_px) == (256, 220, 128)
    assert (
        it.augment.warp_sigma_px,
        it.augment.warp_grid_px,
        it.augment.blur_px,
        it.augment.flips,
    ) == (10, 128, (1.1, 1.5), True)
    assert (it.augment.rotate_deg, it.augment.scale, it.augment.gamma) == (0, (1, 1), (1, 1))
    assert (it.augment.noise_sd, it.augment.shade, it.augment.erase, it.augment.mixup) == (
        (0, 0),
        0,
        0,
        0,
    )
    assert (it.fit.batch, it.fit.lr, it.fit.momentum, it.fit.weight_decay) == (
        20,
        0.0003,
        0.9,
        0.001,
    )
    assert (it.fit.optimiser, it.fit.schedule, it.fit.init, it.net.dropout) == (
        "nesterov",
        "inverse",
        "xavier_fan_in",
        0.5,
    )
    assert (it.fit.steps, it.fit.balance, it.fit.label_smoothing, it.fit.ema) == (
        500_000,
        "none",
        0,
        0,
    )


def test_data_set_b_has_noise_and_no_warp() -> None:
    """DEADNET_2017_B differs in the warp, which it lacks, and in noise of 0.5."""
    assert differing(DEADNET_2017_B) == {"name", "source", "warp_sigma_px", "noise_sd"}
    assert (DEADNET_2017_B.augment.warp_sigma_px, DEADNET_2017_B.augment.noise_sd) == (
        0,
        (0.5, 0.5),
    )


def test_the_published_files_differ_where_facts_say() -> None:
    """Batch norm, pooling, decay, rates and the highest number of iterations."""
    settings = {"fc_batch_norm", "pooling", "weight_decay", "rates", "steps"}
    assert differing(DEADNET_2017_PUBLISHED) == {"name", "source"} | settings
    assert DEADNET_2017_PUBLISHED.fit.weight_decay == 0.0001


def differing(recipe: Profile) -> set[str]:
    """Settings in which a recipe is not DEADNET_2017."""
    mine, paper = (
        {"name": each.name, "source": each.source} | each.settings()
        for each in (recipe, DEADNET_2017)
    )
    return {name for name in paper if paper[name] != mine[name]}


def test_pattarone_is_as_in_the_paper() -> None:
    """The numbers of FACTS.md, section 2: patches, optimiser, draws, epochs over the set."""
    it = PATTARONE_2021
    assert it.net.kind == "resnet18"
    assert (it.input.patch_px, it.input.input_px, it.input.stride_px) == (224, 224, 112)
    assert (it.fit.optimiser, it.fit.lr, it.fit.betas) == ("adam", 1e-5, (0.5, 0.999))
    assert (it.fit.weight_decay, it.fit.batch, it.fit.passes) == (1e-5, 4, 30)
    assert (it.fit.balance, it.fit.schedule) == ("class_with_replacement", "constant")
    assert it.augment == AugmentSpec(flips=True)
    steps = it.over(21_848).fit
    assert (steps.steps, steps.steps_per_epoch) == (30 * 5_462, 5_462)
    assert it.over(21_849).fit.steps_per_epoch == 5_463
    assert FAST.over(21_848) == FAST
    assert PATTARONE_2021_SHORT.net == it.net
    assert PATTARONE_2021_SHORT.input == it.input
    assert PATTARONE_2021_SHORT.augment == it.augment


def test_the_short_schedule_keeps_net_and_data_path() -> None:
    """DEADNET_2017_SHORT differs in name, source, balance, precision and schedule only."""
    assert differing(DEADNET_2017_SHORT) == {
        *("name", "source", "balance", "precision"),
        *("schedule", "lr", "steps", "steps_per_epoch"),
    }


def test_overriding_reads_text() -> None:
    """Settings as typed become numbers, pairs, truth values and words."""
    typed = {"lr": "0.001", "batch": "4", "blur_px": "0,1.5", "flips": "false", "balance": "class"}
    got = override(TINY, typed)
    assert (got.fit.lr, got.fit.batch, got.augment.blur_px, got.augment.flips) == (
        0.001,
        4,
        (0.0, 1.5),
        False,
    )
    assert got.fit.balance == "class"
    assert "Changed: balance=class, batch=4, blur_px=0,1.5" in got.source
    before, after = TINY.settings(), got.settings()
    same = {"lr", "batch", "blur_px", "flips", "balance"}
    assert {name for name in before if before[name] != after[name]} <= same


def test_a_comma_in_a_path_stays() -> None:
    """Only pairs are taken apart at the comma."""
    got = override(TINY, {"net": "resnet18", "weights": "/data/a,b.safetensors"})
    assert got.net.weights == "/data/a,b.safetensors"


def test_nothing_overridden_is_the_recipe_itself() -> None:
    """No settings, no change."""
    assert override(FAST, {}) is FAST


def test_all_faults_at_once_with_the_near_match() -> None:
    """Unknown settings and bad values are told together, with the likely name."""
    wrong = {"learning_rate": "1", "drop_out": "0.1", "batch": "many", "lr": "-1", "source": "me"}
    with pytest.raises(SpecError) as caught:
        override(TINY, wrong)
    text = str(caught.value)
    for part in ("learning_rate", "drop_out", "did you mean dropout?", "batch", "lr", "source"):
        assert part in text
    assert "did you mean source?" not in text
    assert "steps_per_epoch" in caught.value.expected


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"blur_px": "2,1"}, "blur_px=2,1: has low > high"),
        ({"scale": "0,1"}, "scale=0,1: must be greater than 0"),
        ({"gamma": "-1,1"}, "gamma=-1,1: must be greater than 0"),
        ({"noise_sd": "-1,1"}, "noise_sd=-1,1: must be greater than or equal to 0"),
        ({"input_px": TINY.input.patch_px + 1}, "input_px is larger than patch_px"),
        ({"net": "deadnet"}, "needs input_px 220"),
        ({"weights": "a.safetensors"}, "resnet18"),
        ({"pooling": "ceil"}, "for net 'deadnet' only"),
        ({"rates": "caffe"}, "for optimiser 'nesterov' only"),
        ({"steps": "4", "steps_per_epoch": "5"}, "larger than steps"),
        ({"steps": "7", "steps_per_epoch": "3"}, "multiple of steps_per_epoch"),
        ({"steps": "2", "steps_per_epoch": "1"}, "steps must be 3 or more"),
        ({"steps_per_epoch": "0"}, "steps_per_epoch must be above 0"),
        ({"passes": "3"}, "steps and steps_per_epoch must be 0"),
        ({"betas": "0.5,1"}, "betas=0.5,1: must be less than 1"),
        ({"blur_px": "1"}, "blur_px"),
        ({"mixup": "a,b"}, "mixup"),
        ({"net": "inception"}, "deadnet"),
    ],
)
def test_values_that_cannot_be(settings: dict[str, object], says: str) -> None:
    """Values out of range, and values that do not go together, are refused by name."""
    with pytest.raises(SpecError, match=says):
        override(TINY, settings)


def test_bad_values_are_told_in_plain_words() -> None:
    """Bad values stand with what was given and what must be, without a list of all settings."""
    with pytest.raises(SpecError) as caught:
        override(TINY, {"lr": "-5", "steps": "many", "blur_px": "1"})
    assert caught.value.got.split("; ") == [
        "[bad-value] blur_px=1: must be two numbers, LOW,HIGH",
        "[bad-value] lr=-5: must be greater than 0",
        "[bad-value] steps=many: must be a valid integer",
    ]
    assert caught.value.expected == ""
    assert "--settings-of TINY" in caught.value.remedy
    with pytest.raises(SpecError) as caught:
        override(TINY, {"blur_px": "2,1"})
    assert caught.value.got == "[bad-value] blur_px=2,1: has low > high"


@each
def test_every_setting_is_described(recipe: Profile) -> None:
    """Every setting has a line with its value, as `override` reads it."""
    heading, *lines = described(recipe).splitlines()
    assert heading == f"{recipe.name}: {recipe.source}"
    said = dict(line.split("  (")[0].split("=", 1) for line in lines)
    assert list(said) == list(recipe.settings())
    again = override(recipe, {name: text for name, text in said.items() if text})
    assert again == recipe.model_copy(update={"source": again.source})


@given(st.floats(1e-6, 1), st.integers(1, 500), st.booleans())
def test_values_and_their_text_mean_the_same(lr: float, batch: int, turns: bool) -> None:
    """A setting as a value and as its text give the same recipe but for the words in `source`."""
    settings = {"lr": lr, "batch": batch, "turns": turns}
    by_value = override(TINY, settings)
    by_text = override(TINY, {name: str(value) for name, value in settings.items()})
    assert by_value == by_text


@pytest.mark.parametrize(
    "settings",
    [
        {"optimiser": "adamw"},
        {"rotate_deg": 10},
        {"weight_decay": 0},
        {"passes": 3, "steps": 0, "steps_per_epoch": 0},
    ],
)
def test_a_head_that_is_fitted_in_one_step_takes_no_settings_of_training(
    settings: dict[str, object],
) -> None:
    """What FROZEN would ignore, or cannot do, is refused."""
    with pytest.raises(SpecError, match="frozen"):
        override(FROZEN, settings)


def test_one_step_fits_are_for_fixed_backbones() -> None:
    """A net that is trained cannot be fitted at once."""
    with pytest.raises(SpecError, match=r"lbfgs.*is for nets that see fields"):
        override(FAST, {"optimiser": "lbfgs"})


def test_refusals_name_the_net_that_they_are_about() -> None:
    """Of nets of fields it is not always 'frozen'."""
    text = "(?s)net 'healthy' sees fields.*net 'healthy' is fitted.*net 'healthy' sees whole fields"
    with pytest.raises(SpecError, match=text):
        override(HEALTHY_ONLY, {"flips": True, "weight_decay": 0, "normalise": "mean_image"})


def test_celldeath_is_as_in_the_paper_and_its_tool() -> None:
    """The numbers of FACTS.md, section 3: net, optimiser, rates, length and augmentation."""
    it = CELLDEATH_2021
    assert (it.net.kind, it.net.weights, it.net.head_dropout) == ("resnet50", "", 0.5)
    assert (it.fit.schedule, it.fit.lr_first, it.fit.lr, it.fit.head_lr, it.fit.head_epochs) == (
        "one_cycle",
        1e-4,
        1e-3,
        1e-2,
        1,
    )
    assert (it.fit.passes, it.fit.batch, it.fit.weight_decay, it.fit.select) == (
        50,
        16,
        0.01,
        "best",
    )
    assert it.augment.flips
    assert it.augment.rotate_deg > 0 < it.augment.contrast
    for net in ("resnet34", "resnet101", "densenet121"):
        assert override(it, {"net": net, "weights": "imagenet"}).net.head_dropout == 0.5


def test_the_last_layer_learns_alone_only_where_weights_are_given() -> None:
    """From new weights all layers learn from the first step on."""
    assert CELLDEATH_2021.over(160).fit.head_epochs == 0
    begun = override(CELLDEATH_2021, {"weights": "imagenet"}).over(160)
    assert (begun.fit.steps, begun.fit.head_steps) == (500, 10)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"lr_first": 0.1}, "lr_first is above lr"),
        ({"head_epochs": 1, "schedule": "constant"}, "head_epochs are for schedule 'one_cycle'"),
    ],
)
def test_rates_of_layers_that_cannot_be(settings: dict[str, object], text: str) -> None:
    """Rates fall towards the pixels, and the last layer alone has a cycle of its own."""
    with pytest.raises(SpecError, match=text):
        override(CELLDEATH_2021, settings)


def test_rates_of_layers_are_for_known_backbones() -> None:
    """A net whose blocks nobody counts is refused."""
    with pytest.raises(SpecError, match="lr_first and head_epochs are for nets with blocks"):
        override(FAST, {"lr_first": 1e-4})
