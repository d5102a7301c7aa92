"""What tools returned is written behind a turn as the chat template itself writes it, published templates included."""

from __future__ import annotations

import copy
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest
from small_models import BUDGET, as_image, ask, pixels

from vlrl.data.images.open_images import open_image
from vlrl.errors import ConfigError
from vlrl.model.prompts.encode import Encoder
from vlrl.model.prompts.observation_text import Observation
from vlrl.types import Image, Text

TURN = "left right"
RESULTS = ((Text("red"), as_image(pixels(2)), Text(" green")), (Text("blue 3"),))


def with_template(loaded: Any, template: str) -> Any:
    """The model with another chat template and room for what it writes."""
    processor = copy.copy(loaded.processor)
    processor.chat_template = template
    return replace(loaded, processor=processor, context=4000)


def read_whole(loaded: Any, messages: list[dict[str, Any]], images: list[Any]) -> list[int]:
    """A conversation by the template and the processor at once."""
    text = loaded.processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    return [int(i) for i in loaded.processor(text=[text], images=[images])["input_ids"][0]]


def messages_of(role: str) -> list[dict[str, Any]]:
    found = []
    for result in RESULTS:
        content = [{"type": "text", "text": p.text} if isinstance(p, Text) else {"type": "image"} for p in result]
        if role == "user":
            first, last = ({"type": "text", "text": text} for text in ("<tool_response>\n", "\n</tool_response>"))
            content = [first, *content, last]
        found.append({"role": role, "content": content})
    return found


@pytest.mark.parametrize(
    ("small", "published", "role"),
    [
        ("tiny-qwen3-vl", None, "user"),
        ("tiny-qwen3-vl", "qwen3_vl", "tool"),
        ("tiny-qwen2.5-vl", "qwen2_5_vl", "user"),
        ("tiny-idefics3", "smolvlm", "user"),
        ("tiny-idefics3", "idefics3", "user"),
    ],
)
def test_prompt_turn_and_observation_are_the_tokens_of_the_whole_conversation(
    loaded_models, library, small, published, role
):
    loaded = replace(loaded_models[small], context=4000)
    if published is not None:
        library("trl")
        loaded = with_template(loaded, (files("trl") / "chat_templates" / f"{published}.jinja").read_text())
    encoder, problem = Encoder(loaded, BUDGET), ask(pixels(1), "red?")
    (prompt,) = encoder([problem])
    (segment,) = encoder.observe([Observation(RESULTS, "tests", ended=False)])
    turn = loaded.tokenizer(TURN, add_special_tokens=False)["input_ids"]
    user = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "red?"}]}
    assistant = {"role": "assistant", "content": [{"type": "text", "text": TURN}]}
    images = [
        open_image(p, BUDGET) for p in (*problem.images, *(i for r in RESULTS for i in r if isinstance(i, Image)))
    ]
    whole = read_whole(loaded, [user, assistant, *messages_of(role)], images)
    appended = [*prompt.token_ids, *turn, *segment.token_ids]
    if small == "tiny-idefics3" and published is not None:  # it begins the assistant's text with a space
        assert loaded.tokenizer.decode(appended).replace(" ", "") == loaded.tokenizer.decode(whole).replace(" ", "")
    else:
        assert appended == whole
    (ended,) = encoder.observe([Observation(RESULTS, "tests", ended=True)])
    assert ended.token_ids == segment.token_ids[1:], "the policy wrote its end token itself"
    assert sum(segment.token_types) == sum(i == loaded.config.image_token_id for i in segment.token_ids)


def test_a_template_that_thinks_goes_on_thinking_behind_what_a_tool_said(loaded_models, library):
    library("trl")
    template = (files("trl") / "chat_templates" / "qwen3_5_think.jinja").read_text()
    loaded = with_template(loaded_models["tiny-qwen3-vl"], template)
    (segment,) = Encoder(loaded, BUDGET).observe([Observation(((Text("red"),),), "tests")])
    assert loaded.tokenizer.decode(segment.token_ids) == (
        "\n<|im_start|>user\n<tool_response>\nred\n</tool_response><|im_end|>\n<|im_start|>assistant\n<think>\n"
    )


def test_tools_are_described_by_the_template_or_in_the_system_prompt(loaded_models, library):
    library("trl")
    tool = {"type": "function", "function": {"name": "zoom_in", "description": "Look.", "parameters": {}}}
    plain = replace(loaded_models["tiny-qwen3-vl"], context=4000)
    published = with_template(plain, (files("trl") / "chat_templates" / "qwen3_vl.jinja").read_text())
    for loaded in (plain, published):
        (prompt,) = Encoder(loaded, BUDGET, "Be brief.", tools=[tool])([ask("red?")])
        written = loaded.tokenizer.decode(prompt.token_ids)
        assert written.count('"zoom_in"') == 1
        assert "Be brief." in written
        assert "<tool_call>" in written


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}", "doesn't write the texts|isn't in it"),
        ("{% for m in messages %}{% if m.role != 'assistant' %}{{ m.role }}{% endif %}{% endfor %}", "isn't in it"),
        ("{{ raise_exception('one turn') }}", "one turn"),
    ],
)
def test_a_template_that_cannot_write_results_is_refused_by_name(loaded_models, template, said):
    loaded = with_template(loaded_models["tiny-qwen3-vl"], template)
    with pytest.raises(ConfigError, match=rf"chat template[\s\S]*({said})"):
        Encoder(loaded, BUDGET).observe([Observation(RESULTS, "tests")])
