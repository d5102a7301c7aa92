"""The nouns of the house: frozen dataclasses that flow in one direction.

A later stage makes a *new type*; it never fills in a blank of an earlier one:

    Problem → Group (+ rollouts) → ScoredGroup (+ verdicts) → CreditedGroup (+ rewards, advantages)

Four words are kept apart: **score** (what a verifier says, in [0, 1]) → **reward** (score + shaping)
→ **advantage** (reward − baseline) → **loss**. Lengths are in tokens unless the name says otherwise.
This file imports neither torch nor Pillow, so that reading run files needs neither.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

Modality = Literal["text", "real", "synthetic", "rendered"]
MODALITIES: tuple[Modality, ...] = ("text", "real", "synthetic", "rendered")
FinishReason = Literal["stop", "length", "repeat", "unfinished"]
Author = Literal["policy", "observation", "forced"]
PerToken = tuple[tuple[float, ...], ...]  # per response j of k: (T_j,)


def content_digest(*parts: bytes | memoryview | str) -> str:
    """A 32-character hexadecimal digest of the parts; where one part ends and the next begins matters."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


@dataclass(frozen=True)
class Text:
    """A piece of a prompt that is read as text."""

    text: str


@dataclass(frozen=True)
class Image:
    """A *reference* to an image in a prompt: encoded bytes (PNG, JPEG, …) or a file, never decoded pixels.

    `vlrl.data.images.open_images.open_image` decodes it. Raises ValueError unless exactly one of `data` and `path` is
    set.

    digest       identifies the encoded bytes; two references with one digest are one image and are encoded once
    path, data   where the bytes are: a file, or memory
    source_text  the text that a rendered image was drawn from, for comparing problems, never for a prompt; else None
    """

    digest: str
    path: str | None = None
    data: bytes | None = field(default=None, repr=False, compare=False)
    source_text: str | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if (self.path is None) == (self.data is None):
            raise ValueError(f"Image {self.digest}: give either path or data, not both and not neither")

    @classmethod
    def from_bytes(cls, data: bytes) -> Image:
        """A reference to an encoded image held in memory."""
        return cls(digest=content_digest(data), data=data)

    @classmethod
    def from_file(cls, path: str) -> Image:
        """A reference to an image file. The file is read once for its digest. Raises OSError if it can't be read."""
        with open(path, "rb") as file:
            return cls(digest=content_digest(file.read()), path=path)

    def read_bytes(self) -> bytes:
        """The encoded bytes. Raises OSError if the file is gone."""
        if self.data is not None:
            return self.data
        assert self.path is not None
        with open(self.path, "rb") as file:
            return file.read()


@dataclass(frozen=True)
class Problem:
    """One question with a checkable answer.

    prompt      pieces in reading order, e.g. (Image(…), Text("How many cards?"))
    answer      the gold answer, as text
    verifier    name of the verifier that judges a response, e.g. "number"
    modality    where the question's content comes from
    domain      e.g. "clock", "arithmetic", "gsm8k"
    source      name of the recipe's source that made it
    difficulty  a label in [0, 1] where there is one
    metadata    what the verifier and the reports need besides: choices, tolerance, unit, precision, scene …
    twin        id of the text problem that a rendered one was made from
    system      the system prompt that it is asked with; None: the run's own, "": none
    untemplated_id  id of the same problem without its source's prompt template and system prompt, where it has any
    """

    prompt: tuple[Text | Image, ...]
    answer: str
    verifier: str
    modality: Modality
    domain: str
    source: str = ""
    difficulty: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    twin: str | None = None
    system: str | None = None
    untemplated_id: str | None = None

    @cached_property
    def id(self) -> str:
        """Content digest of what is asked and what is right: prompt, answer, verifier, metadata, own system prompt."""
        pieces = [f"T:{p.text}" if isinstance(p, Text) else f"I:{p.digest}" for p in self.prompt]
        metadata = json.dumps(dict(self.metadata), sort_keys=True, default=str)
        system = [] if self.system is None else [f"S:{self.system}"]
        return content_digest(*system, *pieces, self.answer, self.verifier, metadata)

    @property
    def content_id(self) -> str:
        """The id without prompt template and system prompt, so that held-out problems are known in any wording."""
        return self.untemplated_id or self.id

    @property
    def images(self) -> tuple[Image, ...]:
        """The images of the prompt in reading order."""
        return tuple(p for p in self.prompt if isinstance(p, Image))

    @property
    def question(self) -> str:
        """The prompt as one text; every image appears as `<image>`."""
        return "".join(p.text if isinstance(p, Text) else "<image>" for p in self.prompt)


@dataclass(frozen=True)
class RatedProblem:
    """A problem with the pass rate that a model reached on it (k1.5 §2.1)."""

    problem: Problem
    pass_rate: float
    num_samples: int
    model_hash: str
    temperature: float


@dataclass(frozen=True)
class Demonstration:
    """A problem and one whole response to it, for supervised fine-tuning."""

    problem: Problem
    response: str


@dataclass(frozen=True)
class Preference:
    """A problem with a better and a worse response, for preference learning (DPO).

    chosen_ended, rejected_ended  whether the response ended by itself: one that was cut or looped has no end token
    """

    problem: Problem
    chosen: str
    rejected: str
    chosen_ended: bool = True
    rejected_ended: bool = True


@dataclass(frozen=True)
class Segment:
    """Tokens written without a break by one author under one policy version.

    token_ids, sampler_logprobs   (T,) each; natural logarithm of the probability under the sampling distribution with
                          placeholders masked and temperature applied, before top-p cuts it (greedy: temperature 1)
    policy_version        number of weight updates of the engine when this was written
    author                only `policy` tokens are ever trained
    """

    token_ids: tuple[int, ...]
    sampler_logprobs: tuple[float, ...]
    policy_version: int
    author: Author = "policy"

    def __post_init__(self) -> None:
        if len(self.token_ids) != len(self.sampler_logprobs):
            raise ValueError(
                f"Segment: {len(self.token_ids)} tokens but {len(self.sampler_logprobs)} log-probabilities"
            )


@dataclass(frozen=True)
class Rollout:
    """One response, T tokens long.

    segments       its parts in order: one, unless a rollout went on over several calls or had observations
    text           the decoded response without end token or stop string
    finish_reason  stop (end token or stop string), length (token budget), repeat (loop), unfinished (goes on later)
    """

    segments: tuple[Segment, ...]
    text: str
    finish_reason: FinishReason

    @property
    def token_ids(self) -> tuple[int, ...]:
        """(T,) all tokens in order, the end token included where there is one."""
        return tuple(t for s in self.segments for t in s.token_ids)

    @property
    def sampler_logprobs(self) -> tuple[float, ...]:
        """(T,) natural logarithms, by the engine; see `Segment`."""
        return tuple(p for s in self.segments for p in s.sampler_logprobs)

    @property
    def num_tokens(self) -> int:
        """Response length in tokens."""
        return sum(len(s.token_ids) for s in self.segments)


@dataclass(frozen=True)
class Group:
    """The k responses of one problem.

    rollouts  (k,)
    encoded   the prompt as tokens and pixels (`vlrl.model.prompts.encode.Encoded`): training reads the very object that
              the engine read. None where the responses came from elsewhere
    """

    problem: Problem
    rollouts: tuple[Rollout, ...]
    encoded: Any = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Verdict:
    """What a verifier says of one response.

    score    in [0, 1]; graded verifiers use the whole range
    correct  kept apart from the score, so that graded rewards work everywhere
    answer   what was read as the response's answer; None where none was found
    note     why, in a few words
    parts    sub-scores by name where the verifier gives them, in its own ranges: they are logged, and reward nothing
    fault    set when the *verifier* broke. That is never the same as zero: the response leaves the baseline
             and takes no part in the update.
    """

    score: float
    correct: bool
    answer: str | None = None
    note: str = ""
    fault: str | None = None
    parts: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0.0 <= self.score <= 1.0:
            raise ValueError(f"Verdict: score {self.score!r} is outside [0, 1]")

    @classmethod
    def right(cls, answer: str | None = None, note: str = "") -> Verdict:
        """Full score."""
        return cls(1.0, True, answer, note)

    @classmethod
    def wrong(cls, note: str, answer: str | None = None) -> Verdict:
        """No score, with the reason."""
        return cls(0.0, False, answer, note)

    @classmethod
    def broken(cls, fault: str) -> Verdict:
        """The verifier itself failed."""
        return cls(0.0, False, None, "", fault)


@dataclass(frozen=True)
class ScoredGroup:
    """A group with a verdict for every response.

    verdicts       (k,)
    statistics     by name, numbers that a part of credit declared as `needs`: per response (T_j,)
    contrast_rate  share of right responses, in [0, 1], to the problem with perturbed images; None where it wasn't asked
    """

    group: Group
    verdicts: tuple[Verdict, ...]
    statistics: Mapping[str, PerToken] = field(default_factory=dict)
    contrast_rate: float | None = None

    @property
    def problem(self) -> Problem:
        """What was asked."""
        return self.group.problem

    @property
    def rollouts(self) -> tuple[Rollout, ...]:
        """(k,)"""
        return self.group.rollouts

    @property
    def judged(self) -> tuple[bool, ...]:
        """(k,) whether a response could be judged."""
        return tuple(verdict.fault is None for verdict in self.verdicts)

    @property
    def lengths(self) -> tuple[int, ...]:
        """(k,) in tokens."""
        return tuple(rollout.num_tokens for rollout in self.rollouts)

    @property
    def correct(self) -> tuple[bool, ...]:
        """(k,)"""
        return tuple(verdict.correct for verdict in self.verdicts)

    @property
    def finished(self) -> tuple[bool, ...]:
        """(k,) whether a response ended by itself, rather than at its limit of tokens (k1.5 §2.3.3)."""
        return tuple(rollout.finish_reason == "stop" for rollout in self.rollouts)

    @property
    def pass_rate(self) -> float:
        """Share of correct responses among those that could be judged; 0 if none could."""
        judged = [verdict.correct for verdict in self.verdicts if verdict.fault is None]
        return sum(judged) / len(judged) if judged else 0.0

    def usable(self) -> ScoredGroup:
        """The group with only those responses that could be judged."""
        kept = [i for i, judged in enumerate(self.judged) if judged]
        return ScoredGroup(
            replace(self.group, rollouts=tuple(self.rollouts[i] for i in kept)),
            tuple(self.verdicts[i] for i in kept),
            {name: tuple(values[i] for i in kept) for name, values in self.statistics.items()},
            self.contrast_rate,
        )


@dataclass(frozen=True)
class Rewards:
    """Named reward parts of one group, each (k,), and their weighted total (k,).

    weights  of the parts in the total; the score's is 1
    """

    parts: Mapping[str, tuple[float, ...]]
    total: tuple[float, ...]
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class CreditedGroup:
    """A scored group with its credit: what an update learns from.

    advantages        (k,) reward minus baseline; while credit is being assigned, the rewards themselves
    used              (k,) whether a response is trained on; one that isn't has advantage 0
    token_advantages  per rollout (T_j,), added to its advantage at each token; None: nothing is added
    token_weights     per rollout (T_j,) ≥ 0, what each token counts in the loss; None: every token counts once
    """

    scored: ScoredGroup
    rewards: Rewards
    advantages: tuple[float, ...]
    used: tuple[bool, ...]
    token_advantages: PerToken | None = None
    token_weights: PerToken | None = None

    @property
    def problem(self) -> Problem:
        """What was asked."""
        return self.scored.problem

    @property
    def rollouts(self) -> tuple[Rollout, ...]:
        """(k,)"""
        return self.scored.rollouts

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """(k,)"""
        return self.scored.verdicts

    @property
    def encoded(self) -> Any:
        """The prompt as tokens and pixels (`Group.encoded`)."""
        return self.scored.group.encoded

    @property
    def pass_rate(self) -> float:
        """Share of correct responses among those that could be judged; 0 if none could."""
        return self.scored.pass_rate

    @property
    def old_logprobs(self) -> PerToken | None:
        """Per rollout (T_j,) by the policy at the step's start; None unless a part of credit asked for them."""
        return self.scored.statistics.get("logprobs")

    @cached_property
    def teacher_token_ids(self) -> tuple[tuple[int, ...], ...] | None:
        """Per rollout (T_j,) ids of the tokens that a teacher would have written; None: no teacher was asked."""
        numbers = self.scored.statistics.get("teacher_token")  # statistics are floats
        return None if numbers is None else tuple(tuple(int(token) for token in response) for response in numbers)

    @property
    def mixed(self) -> bool:
        """Whether some of the responses that could be judged are right and some wrong: 0 < right < k (DAPO, §3.2)."""
        return 0.0 < self.pass_rate < 1.0

    @property
    def informative(self) -> bool:
        """Whether there is anything to learn: an advantage other than 0 of a rollout or a token, or a teacher."""
        taught = self.teacher_token_ids is not None and any(self.used)
        return taught or any(a != 0.0 for a in self.advantages) or any(any(t) for t in self.token_advantages or ())


@dataclass(frozen=True)
class Draft:
    """What a generated domain draws: a problem before it has a source, a digest and a place in a recipe.

    images   Pillow images in reading order (empty for text domains); they come before the question unless `layout`
             places them: a tuple of texts and image indices in reading order
    thought  a short chain of thought that leads to the answer, for warm-up demonstrations (k1.5 §2.2); may be empty
    metadata  what the verifier needs: choices, tolerance, …
    guess_rate  probability that a blind guess is right, where the domain knows it (choices); else None
    tags     labels of this draft alone, e.g. the kind of question, for mixtures with caps and for reports
    scene    the drawn content as data, in which the domain's `answers` finds every answer that the question admits;
             never part of a problem
    """

    question: str
    answer: str
    images: tuple[Any, ...] = ()
    thought: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    layout: tuple[str | int, ...] = ()
    guess_rate: float | None = None
    tags: tuple[str, ...] = ()
    scene: Any = None
