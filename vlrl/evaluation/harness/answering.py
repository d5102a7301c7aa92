"""What an evaluation harness asks a model for, answered by an engine that is awake and the model behind it."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image as Pillow

from vlrl.data.images.image_budget import ImageBudget
from vlrl.data.images.open_images import MAX_DECODED_PIXELS
from vlrl.errors import ConfigError, DataError
from vlrl.model.batch.example import Example
from vlrl.model.cost import CHUNK_LOGITS
from vlrl.model.load import LoadedModel
from vlrl.model.prompts.encode import Encoded, Encoder, content_hash_of
from vlrl.model.training.forward import PackedForward
from vlrl.model.training.logprobs import head_logits
from vlrl.rollout.engine import Generates, Request, Sampling
from vlrl.seeding import derive_seed
from vlrl.types import Image, Problem, Text

AS_THE_PROCESSOR = ImageBudget(min_pixels=1, max_pixels=MAX_DECODED_PIXELS)  # its own bounds alone
MICRO_BATCH_TOKENS = 8192


@dataclass(frozen=True)
class Ask:
    """One prompt and how its response is drawn.

    max_tokens  at most; fewer where the context holds no more
    stop        strings that end the response, and aren't part of it
    """

    encoded: Encoded
    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()


class Answering:
    """Prompts in the harness's forms → texts and log-likelihoods.

    image   pixel budget of images; default: whatever the model's processor does
    batch   prompts that are encoded and asked at a time
    seed    of sampled responses; the same prompts get the same responses at every asking
    """

    def __init__(
        self,
        loaded: LoadedModel,
        engine: Generates,
        image: ImageBudget = AS_THE_PROCESSOR,
        batch: int = 64,
        seed: int = 0,
    ) -> None:
        self.loaded, self.batch = loaded, batch
        self._engine, self._seed = engine, seed
        self._encoder = Encoder(loaded, image)
        self._forward = PackedForward(loaded, MICRO_BATCH_TOKENS, vision_trains=False)

    def read_chat(self, messages: Sequence[Mapping[str, Any]], place: str) -> Encoded:
        """A system message, if any, and one of the user with texts and images, as training would encode it.

        Raises ConfigError at `place` for other roles and other media.
        """
        system, prompt = "", list[Text | Image]()
        for message in messages:
            pieces = _pieces(message["content"], place)
            if message["role"] == "system":
                system = "".join(piece.text for piece in pieces if isinstance(piece, Text))
            elif message["role"] == "user" and not prompt:
                prompt = pieces
            else:
                raise ConfigError(
                    place,
                    f"asks in several turns (a further message of role {message['role']!r})",
                    "name tasks that ask in one message; vlrl answers those",
                )
        problem = Problem(tuple(prompt), "", "", "real", place, system=system)
        return self._encoder.encode([problem])[0]

    def read_text(self, text: str) -> Encoded:
        """A text as it is; what it spells of the chat template counts as such."""
        return self.read_tokens(self.loaded.tokenizer.encode(text, add_special_tokens=False))

    def read_tokens(self, ids: Sequence[int]) -> Encoded:
        """Token ids without images."""
        return Encoded(content_hash_of(ids, ())[:16], tuple(ids), (0,) * len(ids), (), content_hash_of(ids, ()))

    def write(self, asked: Iterable[Ask]) -> list[str]:
        """The responses, in order, decoded without control tokens and cut before the first stop string.

        Raises DataError for a prompt that leaves no room for a response.
        """
        found: list[str] = []
        asks = list(asked)
        for start in range(0, len(asks), self.batch):
            chosen = asks[start : start + self.batch]
            answers = self._engine.generate([self._request(one, start + i) for i, one in enumerate(chosen)])
            found += [self._text(one, rollouts[0]) for one, rollouts in zip(chosen, answers, strict=True)]
        return found

    def _request(self, ask: Ask, number: int) -> Request:
        room = self.loaded.context - ask.encoded.num_tokens
        if room < 1:
            raise DataError(
                f"prompt {number}",
                f"takes {ask.encoded.num_tokens} tokens, the context holds {self.loaded.context}",
                "raise the context (model_args context=…), or lower max_pixels or the number of shots",
            )
        budget = min(ask.max_tokens, room)
        sampling = Sampling(temperature=ask.temperature, top_p=ask.top_p, max_tokens=budget, stop=ask.stop)
        return Request(ask.encoded, 1, sampling, derive_seed(self._seed, "harness", ask.encoded.problem_id, number))

    def _text(self, ask: Ask, rollout: Any) -> str:
        text: str = self.loaded.tokenizer.decode(
            rollout.token_ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        for stop in ask.stop:
            text = text.split(stop)[0]
        return text

    @torch.no_grad()
    def loglikelihoods(self, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list[tuple[float, bool]]:
        """Of (context, continuation) token ids: the continuation's log-likelihood, over the whole vocabulary, and
        whether greedy decoding would write it. Continuations of one context share its pass.
        """
        kept = [_within(context, continuation, self.loaded.context) for context, continuation in pairs]
        together: dict[tuple[int, ...], list[int]] = {}
        for i, (context, _) in enumerate(kept):
            together.setdefault(context, []).append(i)
        parts, owners = [], []
        for context, members in together.items():
            whole = Example(self.read_tokens(context), tuple(kept[i][1] for i in members))
            for chosen in self._forward.split(whole):
                parts.append(whole.take(chosen))
                owners.append([members[j] for j in chosen])
        found: list[tuple[float, bool]] = [(0.0, True)] * len(pairs)
        with self.loaded.reading():
            for batch in self._forward.batches(parts):
                read = iter(self._read([parts[p] for p in batch]))
                for i in (i for p in batch for i in owners[p]):
                    found[i] = next(read)
        return found

    def _read(self, examples: Sequence[Example]) -> list[tuple[float, bool]]:
        """Of each response of one micro-batch, in order."""
        hidden, targets = self._forward.hidden(examples)
        logprobs, greedy = [], []
        size = max(1, CHUNK_LOGITS // self._forward.vocabulary)
        for start in range(0, len(hidden), size):
            wanted = targets[start : start + size]
            logits = head_logits(self.loaded.model, hidden[start : start + size]).float()  # (m, V)
            logprobs.append(torch.log_softmax(logits, -1).gather(1, wanted[:, None])[:, 0])
            greedy.append(logits.argmax(-1) == wanted)
        lengths = [len(response) for example in examples for response in example.responses]
        values, same = torch.cat(logprobs).split(lengths), torch.cat(greedy).split(lengths)
        return [(float(v.sum()), bool(s.all())) for v, s in zip(values, same, strict=True)]


def _within(context: Sequence[int], continuation: Sequence[int], most: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The pair with a context shortened from the left, so that all but the last token fit, as the harness does it."""
    room = max(1, most + 1 - len(continuation))
    return tuple(context[-room:]), tuple(continuation)


def _pieces(content: Any, place: str) -> list[Text | Image]:
    if isinstance(content, str):
        return [Text(content)]
    found: list[Text | Image] = []
    for part in content:
        kind = part["type"]
        if kind == "text":
            found.append(Text(part["text"]))
        elif kind == "image":
            found.append(_image(part.get("url", part.get("image")), place))
        else:
            raise ConfigError(place, f"shows {kind}", "name tasks of text and images; vlrl reads those")
    return found


def _image(given: Any, place: str) -> Image:
    if isinstance(given, str):
        return Image.from_file(given)
    if not isinstance(given, Pillow.Image):
        raise ConfigError(place, f"shows an image as {type(given).__name__}", "give Pillow images or paths")
    file = io.BytesIO()
    given.convert("RGB").save(file, "PNG", compress_level=1)
    return Image.from_bytes(file.getvalue())
