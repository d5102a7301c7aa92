"""A model folder's processor, and whether it goes with the model: tokens, chat template, end tokens, images.

Each is tried once on a small conversation, so that a template which drops images, or a processor that cuts other
patches than the model reads, is found when a model is opened and not in a run.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import transformers
from PIL import Image as Pillow

from vlrl.errors import ConfigError, VlrlError
from vlrl.model.families.family import family_of
from vlrl.model.folders.bounded_call import UnboundedError, call_bounded
from vlrl.model.folders.processor_compat import allow_processors_without_torchvision
from vlrl.model.folders.weight_files import refuse_pointer

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")
PROCESSOR_FILES = ("processor_config.json", "preprocessor_config.json")
OWN_FILES = "take tokenizer and processor files from the model's own folder"
UNUSED_ROWS = 0.1  # most of the embedding's rows that no token has; models pad them to a round number
TEMPLATE_SECONDS = 5.0  # what a chat template has for two short texts; usual ones take a thousandth
PROBE = ("first-probe-text", "second-probe-text")


def load_processor(folder: Path, config: Any, place: str) -> Any:
    """The processor of a folder, tried on a small conversation with two images.

    Raises ConfigError at `place` where files are missing or damaged, or where it isn't that of the model.
    """
    for file in folder.iterdir():
        if file.suffix in (".json", ".jinja", ".txt", ".model"):
            refuse_pointer(file, place)
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise ConfigError(place, f"{folder}: has no tokenizer ({', '.join(TOKENIZER_FILES)})", OWN_FILES)
    if not any((folder / name).is_file() for name in PROCESSOR_FILES):
        raise ConfigError(place, f"{folder}: has no image processor ({', '.join(PROCESSOR_FILES)})", OWN_FILES)
    allow_processors_without_torchvision()
    try:
        processor: Any = transformers.AutoProcessor.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )  # type: ignore[no-untyped-call]
    except VlrlError:
        raise
    except Exception as error:  # the libraries below raise anything, were it plain Exception, for a damaged file
        raise ConfigError(place, f"{folder}: its processor can't be loaded: {_line(error)}", OWN_FILES) from error
    for part in ("tokenizer", "image_processor"):
        if getattr(processor, part, None) is None:
            raise ConfigError(place, f"{folder}: its processor ({type(processor).__name__}) has no {part}", OWN_FILES)
    check_tokenizer(processor, config, folder, place)
    check_end_tokens(processor.tokenizer, config, folder, place)
    check_images(processor, config, check_template(processor, config, folder, place), folder, place)
    return processor


def check_tokenizer(processor: Any, config: Any, folder: Path, place: str) -> None:
    """Every token has a row in the embedding, few rows have none, and the placeholder is the model's."""
    vocabulary: dict[str, int] = processor.tokenizer.get_vocab()
    rows, largest = int(config.get_text_config().vocab_size), max(vocabulary.values(), default=-1)
    if largest >= rows or len(vocabulary) < (1 - UNUSED_ROWS) * rows:
        raise ConfigError(
            place,
            f"{folder}: the tokenizer has {len(vocabulary)} tokens, the largest id {largest}; "
            f"vocab_size in config.json is {rows}",
            f"it is another model's: {OWN_FILES}",
        )
    token, wanted = getattr(processor, "image_token", None), family_of(config).image_token(config)
    # Gemma 3's `image_token` is the one before them
    ids = {vocabulary.get(token or ""), *(getattr(processor, "image_token_ids", None) or ())}
    if token is None or wanted is None or wanted not in ids:
        raise ConfigError(
            place,
            f"{folder}: the image placeholder {token!r} has id {vocabulary.get(token or '')} in the tokenizer, "
            f"image_token_id in config.json is {wanted}",
            f"one of them is another model's: {OWN_FILES}",
        )


def check_end_tokens(tokenizer: Any, config: Any, folder: Path, place: str) -> None:
    """generation_config.json can be read and saved again, and a response has an end that the tokenizer knows."""
    named = f"{folder / 'config.json'}"
    given = config.get_text_config().eos_token_id
    if (folder / "generation_config.json").is_file():
        named = f"{folder / 'generation_config.json'}"
        try:
            generation = transformers.GenerationConfig.from_pretrained(folder, local_files_only=True)
            generation.validate(strict=True)  # saving the trained model would refuse it
        except Exception as error:  # see load_processor
            raise ConfigError(place, f"{named}: {_line(error)}", "correct it, or take the published one") from error
        given = given if generation.eos_token_id is None else generation.eos_token_id
    known = set(tokenizer.get_vocab().values())
    ids = given if isinstance(given, list | tuple) else [given]
    wrong = [one for one in ids if isinstance(one, bool) or not isinstance(one, int) or one not in known]
    if wrong or not ids:
        raise ConfigError(
            place,
            f"{named}: eos_token_id is {given!r}, "
            + ("and the tokenizer has no such token" if wrong and wrong != [None] else "so no response would end"),
            f"give the id of its end token, e.g. {tokenizer.eos_token_id} ({tokenizer.eos_token!r})",
        )


def check_template(processor: Any, config: Any, folder: Path, place: str) -> str:
    """The probe conversation by the chat template: both texts once and in order, both images, and it ends."""
    template = getattr(processor, "chat_template", None)
    if not template:
        raise ConfigError(
            place,
            f"{folder}: has no chat template (chat_template.jinja)",
            "take an instruction-tuned model, or add the template of its family",
        )
    try:
        written: str = call_bounded(lambda: render_probe(processor), TEMPLATE_SECONDS)
    except UnboundedError as error:
        raise ConfigError(place, f"{folder}: its chat template {error}", "correct chat_template.jinja") from error
    except Exception as error:  # a template is a program: it raises what it likes
        raise ConfigError(
            place, f"{folder}: its chat template fails: {type(error).__name__}: {_line(error)}", "correct it"
        ) from error
    images = {mark: written.count(mark) for mark in family_of(config).image_markers(processor)}
    if len(PROBE) not in images.values():
        said = ", ".join(f"{count} × {mark}" for mark, count in images.items())
        raise ConfigError(
            place,
            f"{folder}: its chat template writes {said} for {len(PROBE)} images",
            "take the template of a vision-language model",
        )
    if [written.count(text) for text in PROBE] != [1] * len(PROBE) or written.index(PROBE[0]) > written.index(PROBE[1]):
        raise ConfigError(place, f"{folder}: its chat template changes or drops a question's text", "correct it")
    return written


def render_probe(processor: Any) -> str:
    """A question of two texts, each behind an image, as the chat template writes it."""
    pieces = [piece for text in PROBE for piece in ({"type": "image"}, {"type": "text", "text": text})]
    written: str = processor.apply_chat_template(
        [{"role": "user", "content": pieces}], add_generation_prompt=True, tokenize=False
    )
    return written


def check_images(processor: Any, config: Any, written: str, folder: Path, place: str) -> None:
    """Two images become as many placeholders as the vision tower gives features, in patches of its size."""
    family = family_of(config)
    images = [Pillow.linear_gradient("L").convert("RGB").resize(size) for size in ((96, 64), (64, 96))]
    try:
        output = processor(text=[written], images=[images], add_special_tokens=False)
        ids = tuple(np.asarray(output["input_ids"][0]).tolist())
        known = SimpleNamespace(tokenizer=processor.tokenizer, processor=processor, config=config)
        pixels = family.cut_images(output, [ids], [images], known)
    except VlrlError:
        raise
    except Exception as error:  # see load_processor
        raise ConfigError(place, f"{folder}: its processor fails on an image: {_line(error)}", OWN_FILES) from error
    for one in pixels:
        if (wrong := family.misfit(config, one)) is not None:
            raise ConfigError(place, f"{folder}: its image processor {wrong} by config.json", OWN_FILES)
    expected, found = family.placeholders_of(config, pixels), ids.count(family.image_token(config))
    if found == 0 or expected not in (None, found):
        raise ConfigError(
            place,
            f"{folder}: its processor writes {found} placeholders for two images, the model has "
            f"{'more' if expected is None else expected} features",
            OWN_FILES,
        )


def _line(error: object) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
