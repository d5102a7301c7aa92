"""What a family declares, and what is refused by name: types that no family knows, decoders that read otherwise."""

from __future__ import annotations

import pytest
import torch
import transformers
from small_models import ask, encode, pixels, plain_logprobs

from vlrl.errors import ConfigError
from vlrl.model.batch.example import Example
from vlrl.model.families.decoder_reading import reading_of
from vlrl.model.families.family import Family, families, family_of, known_families, refuse_other_reading
from vlrl.model.optimization.parameter_groups import part_of
from vlrl.model.sizes import count_parameters, published_models
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy

FRAMES = ("<0.5 seconds>", pixels(5), "<1.5 seconds>", pixels(6), "<2.5 seconds>", pixels(7), "Which is red?")
READS = {  # classes of configurations with their defaults, and how their decoders read besides
    "Qwen2VLConfig": set(),
    "Qwen2_5_VLConfig": set(),
    "Qwen3VLConfig": set(),
    "Qwen3VLMoeConfig": set(),
    "Idefics3Config": set(),
    "SmolVLMConfig": set(),
    "LlavaConfig": set(),
    "InternVLConfig": set(),
    "Gemma3Config": {"sliding_attention"},
    "AyaVisionConfig": {"sliding_attention"},
    "MistralConfig": {"sliding_attention"},
    "Llama4Config": {"chunked_attention"},
    "PaliGemmaConfig": {"bidirectional_attention"},
    "JambaConfig": {"recurrent_state"},
}


def test_frames_of_a_video_are_read_as_transformers_reads_them(loaded, model_folders, architecture):
    response = (70, 80, 90)
    (found,) = TorchPolicy(loaded, PolicySettings()).logprobs(
        [Example(encode(loaded, ask(*FRAMES))[0], (response,))], 1.0
    )
    plain = plain_logprobs(model_folders[architecture], "eager", FRAMES, response, loaded.placeholder_ids)
    assert found[0] == pytest.approx(plain, abs=1e-5)


@pytest.mark.parametrize("name", READS)
def test_how_a_decoder_reads_is_read_from_its_configuration(name):
    assert set(reading_of(getattr(transformers, name)())) == READS[name]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ({"layer_types": ["full_attention", "sliding_attention"], "num_hidden_layers": 2}, "sliding attention"),
        ({"layer_types": ["linear_attention", "full_attention"], "num_hidden_layers": 2}, "linear attention"),
        ({"use_bidirectional_attention": True}, "bidirectional attention"),
        ({"is_causal": False}, "bidirectional attention"),
        ({"cross_attention_layers": [3]}, "cross attention"),
    ],
)
def test_a_known_family_with_another_decoder_is_refused_with_kind_field_and_remedy(text, kind):
    config = transformers.Qwen2_5_VLConfig()
    for field, value in text.items():
        setattr(config.text_config, field, value)
    with pytest.raises(ConfigError, match=rf"model\.path: its decoder reads by {kind} \({next(iter(text))}"):
        refuse_other_reading(config, "model.path")


def test_an_unknown_type_is_refused_with_what_to_do():
    said = r"'fuyu'.*isn't known here.*FuyuModel takes more of its tower[\s\S]*write a family[\s\S]*docs/models\.md"
    with pytest.raises(ConfigError, match=said):
        family_of(transformers.FuyuConfig())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("MllamaConfig", "has no get_image_features"),
        ("BlipConfig", "takes no mm_encoder_outputs"),
        ("Florence2Config", "reads a prompt by an encoder"),
        ("Llama4Config", "takes more of its tower than features"),
    ],
)
def test_what_breaks_the_contract_is_refused_by_name_and_reason(name, reason):
    with pytest.raises(ConfigError, match=reason):
        family_of(getattr(transformers, name)())


def test_a_family_without_a_rule_is_refused_by_name():
    with (
        families.temporarily(),
        pytest.raises(ConfigError, match=r"'mine': .*Mine has no cut, encode_images, merge, mi"),
    ):

        @families.register("mine")
        class Mine(Family):
            """Lacks everything."""


def test_small_models_of_all_families_have_all_three_parts(loaded_models):
    for loaded in loaded_models.values():
        parts = {part_of(name) for name, _ in loaded.model.named_parameters()}
        assert parts == {"vision", "projector", "language"}
    names = [name for family in known_families() for name in family.tiny]
    assert sorted(names) == sorted(loaded_models)


@pytest.mark.parametrize(
    ("name", "part"),
    [  # of LightOn-OCR, PaddleOCR-VL, DeepSeek-VL hybrid, Video-LLaVA
        ("model.vision_projection.norm.weight", "projector"),
        ("model.projector.pre_norm.weight", "projector"),
        ("model.high_res_vision_alpha", "projector"),
        ("model.high_res_vision_model.patch_embed.weight", "vision"),
        ("model.video_tower.embeddings.class_embedding", "vision"),
        ("model.language_model.layers.0.self_attn.q_proj.weight", "language"),
    ],
)
def test_parts_of_families_without_a_file_are_known_by_name(name, part):
    assert part_of(name) == part


def test_towers_have_the_sizes_that_their_weights_have():
    config = transformers.Qwen2VLConfig()
    tower = family_of(config).tower(config)
    layer = 4 * tower.width**2 + 2 * tower.width * tower.mlp_width  # attention and feed-forward, without biases
    counted = count_parameters(config).matrices_by_part["vision"]
    assert tower.layers * layer == pytest.approx(counted, rel=0.01)
    assert {family_of(one.config()) for one in published_models().values()} <= set(known_families())


def test_tiles_that_come_as_one_list_of_features_are_those_of_the_images(loaded_models):
    """As transformers 5.24 gives them; before, they come by tile."""
    loaded = loaded_models["tiny-idefics3"]
    core, own = loaded.model.model, type(loaded.model.model).get_image_features
    family = family_of(loaded.config)
    images = [image for one in encode(loaded, ask(pixels(1), pixels(2, 64, 32), "?")) for image in one.images]
    given = [one.pixels for one in images]

    def in_a_list(*arguments, **named):
        output = own(*arguments, **named)
        if isinstance(output.pooler_output, torch.Tensor):
            output.pooler_output = [output.pooler_output.flatten(0, 1)]
        return output

    with torch.no_grad():
        plain, listed = (family.encode_images(core, one, given, torch.device("cpu")) for one in (own, in_a_list))
    assert [a.merged.shape[0] for a in listed] == [one.grid[0] for one in given]
    for a, b in zip(plain, listed, strict=True):
        assert torch.equal(a.merged, b.merged)
