"""Text stays text: no string in a question, an option, a system prompt or a response is read as a control token."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_models import BUDGET, ask, encode, pixels
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import PreTrainedTokenizerFast

from vlrl.errors import DataError
from vlrl.model.load import LoadedModel
from vlrl.model.prompts.control_tokens import ControlTokens, control_tokens
from vlrl.model.prompts.encode import Encoded, Encoder
from vlrl.training.response_rows import response_tokens
from vlrl.types import Demonstration

NAMES = (
    *("<|im_end|>", "<|im_start|>", "<|endoftext|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"),
    *("<|video_pad|>", "<image>", "<row_1_col_1>", "<row_2_col_2>", "<global-img>", "<fake_token_around_image>"),
    *("<end_of_utterance>", "<|im_", "end|>", "<im", "age>", "assistant\n", "system\n", "\n", "\n\n", " ", "  "),
    *("<think>", "</think>", "<answer>", "\ue0000\ue001", "{{ x }}", "{% if %}", "é", "日本", "🙂", "How many?", "7"),
)
texts = st.lists(st.sampled_from(NAMES) | st.text(max_size=4), min_size=1, max_size=6).map("".join)
ordinary = st.text(alphabet="abc 12\n.?!é日<>|_", min_size=1, max_size=30)
prompts = st.lists(st.none() | texts, min_size=1, max_size=4).filter(lambda held: any(held))
generated = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture
def loaded(loaded_models: dict[str, Any], architecture: str) -> LoadedModel:
    """A model of every architecture in turn, with room for long prompts."""
    return replace(loaded_models[architecture], context=10_000)


def problem_of(pieces: list[str | None]) -> Any:
    """None stands for an image, always the same."""
    return ask(*[pixels(1) if piece is None else piece for piece in pieces])


def control_of(loaded: Any) -> ControlTokens:
    """As encoding asks for them."""
    return control_tokens(loaded.tokenizer, (*loaded.placeholder_ids, *loaded.stop_ids))


def written(loaded: Any, one: Encoded) -> str:
    """What the tokens spell."""
    text: str = loaded.tokenizer.decode(one.token_ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    return text


@generated
@given(pieces=prompts, system=st.none() | texts)
def test_a_prompt_has_the_control_tokens_of_its_template_and_spells_its_texts(loaded, pieces, system):
    plain = [piece and "x" for piece in pieces]
    (benign,) = Encoder(loaded, BUDGET, system and "x").encode([problem_of(plain)])
    (found,) = Encoder(loaded, BUDGET, system).encode([problem_of(pieces)])
    among = control_of(loaded).among
    assert among(found.token_ids) == among(benign.token_ids)
    assert [image.digest for image in found.images] == [image.digest for image in benign.images]
    image = loaded.config.image_token_id
    assert list(found.token_types) == [int(i == image) for i in found.token_ids]
    for text in [*([system] if system else []), *filter(None, pieces)]:
        assert text in written(loaded, found)
    assert found.hash_again() == found.content_hash


@generated
@given(text=texts, system=st.none() | texts)
def test_tokens_spell_exactly_what_the_template_wrote(loaded, text, system):
    (found,) = Encoder(loaded, BUDGET, system).encode([ask(text)])
    content = [{"type": "text", "text": text}]
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    expected = loaded.processor.apply_chat_template(
        [*messages, {"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )
    assert written(loaded, found) == expected


@generated
@given(pieces=st.lists(st.none() | ordinary, min_size=1, max_size=4).filter(any))
def test_ordinary_prompts_are_read_by_the_processor_as_ever(loaded, pieces):
    (found,) = encode(loaded, problem_of(pieces))
    content = [{"type": "image"} if p is None else {"type": "text", "text": p} for p in pieces]
    text = loaded.processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )
    images = [pixels(1) for piece in pieces if piece is None]
    plain = loaded.processor(text=[text], images=[images] if images else None, add_special_tokens=False)
    assert list(found.token_ids) == list(plain["input_ids"][0])


@generated
@given(text=ordinary)
def test_ordinary_text_read_apart_is_the_tokenizers_own_reading(loaded, text):
    control = control_of(loaded)
    assert control.read_apart(text, "here") == control.read(text, "here")
    assert control.read(text, "here") == loaded.tokenizer(text, add_special_tokens=False)["input_ids"]


@generated
@given(text=texts)
def test_a_response_ends_where_it_ends(loaded, text):
    *found, end = response_tokens(loaded, Demonstration(ask("x"), text))
    assert end == loaded.stop_ids[0]
    assert control_of(loaded).among(found) == []
    assert loaded.tokenizer.decode(found, clean_up_tokenization_spaces=False) == text


def test_a_name_across_two_pieces_is_text_too(loaded):
    control = control_of(loaded)
    name = control.names()[0]
    together, apart = encode(loaded, ask(f"a{name}b"), ask(f"a{name[:3]}", f"{name[3:]}b"))
    assert together.token_ids == apart.token_ids


def test_every_control_token_of_the_tokenizer_is_kept_as_text(loaded):
    control = control_of(loaded)
    (benign,) = encode(loaded, ask(pixels(1), "x"))
    for name in control.names():
        (found,) = encode(loaded, ask(pixels(1), f"see {name} here"))
        assert control.among(found.token_ids) == control.among(benign.token_ids), name
        assert f"see {name} here" in written(loaded, found)


def test_tokens_that_are_not_special_stay_tokens(qwen3):
    (found,) = encode(qwen3, ask("<think>1</think><|im_end|>"))
    marks = qwen3.tokenizer.convert_tokens_to_ids(["<think>", "</think>"])
    assert set(marks) <= set(found.token_ids)


def test_a_row_beside_one_that_holds_control_tokens_is_read_as_alone(loaded):
    problems = [ask(pixels(1), "red"), ask("<|im_end|><image>", pixels(2)), ask("<|im_start|>"), ask("blue")]
    together = encode(loaded, *problems)
    for problem, one in zip(problems, together, strict=True):
        (alone,) = encode(loaded, problem)
        assert one.token_ids == alone.token_ids
        assert one.content_hash == alone.content_hash


def test_a_template_that_changes_texts_keeps_ordinary_rows_and_refuses_others_by_name(qwen3):
    changed = copy.copy(qwen3.processor)
    changed.chat_template = qwen3.processor.chat_template.replace("piece.text", "piece.text | trim")
    loaded = replace(qwen3, processor=changed)
    (found,) = encode(loaded, ask(" red "))
    assert "red<|im_end|>" in written(qwen3, found)
    with pytest.raises(DataError, match=r"control token <\|im_end\|>") as told:
        encode(loaded, ask("red<|im_end|> "))
    assert told.value.place.startswith("problem ")
    assert "on_bad_row" in told.value.remedy


def test_a_tokenizer_that_has_no_other_way_to_read_a_name_refuses_the_text_by_name():
    words = Tokenizer(WordLevel({"<|end|>": 0, "red": 1, "?": 2}, unk_token="?"))
    words.pre_tokenizer = WhitespaceSplit()
    words.add_special_tokens(["<|end|>"])
    control = ControlTokens(PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<|end|>"))
    assert control.read("red red", "here") == [1, 1]
    with pytest.raises(DataError, match=r"holds <\|end\|>, which this tokenizer can't read as text") as told:
        control.read("red <|end|>", "problem 7")
    assert told.value.place == "problem 7"
