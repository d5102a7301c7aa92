"""What is answered: responses, groups of them, verdicts, and the credit that these earn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, TypeVar

from vlrl.types.episode import Episode
from vlrl.types.problem import Image, Problem

FinishReason = Literal["stop", "length", "repeat", "unfinished"]
Author = Literal["policy", "observation", "forced"]
PerToken = tuple[tuple[float, ...], ...]  # per response j of k: (T_j,)
T = TypeVar("T")


@dataclass(frozen=True)
class Segment:
    """Tokens written without a break by one author under one policy version.

    token_ids, sampler_logprobs   (T,) each; natural logarithm of the probability under the sampling distribution with
                          placeholders masked and temperature applied, before top-p cuts it (greedy: temperature 1);
                          0 for tokens that the policy didn't write
    policy_version        what the engine was given with its weights: in RL the 0-based step that began with them
    author                only `policy` tokens are ever trained: an `observation` is what an environment said, `forced`
                          what stands in the policy's own turn though it didn't write it there
    token_types           (T,) 0 text, 1 image; empty where all is text
    images                of an observation, in reading order
    encoded_images        the same as the vision tower reads them (`vlrl.model.prompts.encode.EncodedImage`)
    text                  decoded, in a response of several authors; else ""
    """

    token_ids: tuple[int, ...]
    sampler_logprobs: tuple[float, ...]
    policy_version: int
    author: Author = "policy"
    token_types: tuple[int, ...] = ()
    images: tuple[Image, ...] = ()
    encoded_images: tuple[Any, ...] = field(default=(), repr=False, compare=False)
    text: str = ""

    def __post_init__(self) -> None:
        if len(self.token_ids) != len(self.sampler_logprobs):
            raise ValueError(
                f"Segment: {len(self.token_ids)} tokens but {len(self.sampler_logprobs)} log-probabilities"
            )
        if self.token_types and len(self.token_types) != len(self.token_ids):
            raise ValueError(f"Segment: {len(self.token_ids)} tokens but {len(self.token_types)} token types")
        if self.images and (self.author != "observation" or len(self.images) != len(self.encoded_images)):
            raise ValueError("Segment: images belong to observations, each as it is and as it was encoded")


@dataclass(frozen=True)
class Routing:
    """The experts that a response's tokens were sent to in a rollout: int16, k in each of L layers with experts.

    prompt    (P, L, k) of the prompt's tokens
    response  (T, L, k); −1 at tokens that nobody has read yet: the last one of a turn, an observation
    """

    prompt: Any
    response: Any


@dataclass(frozen=True)
class Rollout:
    """One response, T tokens long.

    segments       its parts in order: one, unless a rollout went on over several calls or had observations
    text           the decoded response without end token or stop string; of several turns the policy's last
    finish_reason  stop (end token or stop string), length (token budget), repeat (loop), unfinished (goes on later)
    content_hash   of the prompt's tokens and pixels, and of the pixels of all observations, as the engine that wrote it
                   read them; "" where no engine says it
    episode        where an environment took part, what is known besides; None: it did not
    routing        the experts of its tokens, where they were asked for (`rl.replay_routing`)
    """

    segments: tuple[Segment, ...]
    text: str
    finish_reason: FinishReason
    content_hash: str = ""
    episode: Episode | None = None
    routing: Routing | None = field(default=None, repr=False, compare=False)

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
        """All tokens, those of observations included."""
        return sum(len(s.token_ids) for s in self.segments)

    @property
    def num_policy_tokens(self) -> int:
        """Response length in tokens: those that the policy wrote."""
        return sum(len(s.token_ids) for s in self.segments if s.author == "policy")

    @property
    def num_written_tokens(self) -> int:
        """What the policy wrote of it, the tokens included that hooks discarded."""
        return self.num_policy_tokens + (0 if self.episode is None else self.episode.discarded_tokens)

    def written(self, values: Sequence[T]) -> tuple[T, ...]:
        """Of values of all its tokens, (T,), those of the tokens that the policy wrote."""
        own = (segment.author == "policy" for segment in self.segments for _ in segment.token_ids)
        return tuple(value for value, wrote in zip(values, own, strict=True) if wrote)

    @property
    def turn_start(self) -> int:
        """Where the turn begins that the policy wrote last, or writes next: behind the last observation."""
        start = place = 0
        for segment in self.segments:
            place += len(segment.token_ids)
            start = place if segment.author == "observation" else start
        return start

    @property
    def num_observations(self) -> int:
        """How often an environment has answered: the number of the turn that comes next, from 0."""
        return sum(segment.author == "observation" for segment in self.segments)

    @property
    def images(self) -> tuple[Image, ...]:
        """The images of all observations, in reading order."""
        return tuple(image for s in self.segments for image in s.images)

    @property
    def encoded_images(self) -> tuple[Any, ...]:
        """The same as the vision tower reads them."""
        return tuple(image for s in self.segments for image in s.encoded_images)


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
    left_out why the response leaves the baseline and takes no part in the update, though nothing broke; it isn't
             correct
    """

    score: float
    correct: bool
    answer: str | None = None
    note: str = ""
    fault: str | None = None
    parts: Mapping[str, float] = field(default_factory=dict)
    left_out: str | None = None

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


@dataclass(frozen=True, kw_only=True)
class ScoredGroup(Group):
    """A group with a verdict for every response, and the credit that follows from the verdicts.

    `of` makes it of a group and its verdicts, without credit: the rewards are the scores, the advantages 0.

    verdicts          (k,)
    rewards           (k,) score + shaping; 0 where a response could not be judged
    advantages        (k,) reward − baseline; 0 where a response could not be judged
    reward_parts      by name (k,), what the rewards are sums of: the score, and the parts that shape it
    reward_weights    of the parts in the reward; the score's is 1
    token_advantages  per response (T_j,), added to its advantage at each token; None: nothing is added
    token_weights     per response (T_j,) ≥ 0, what each token counts in the loss; None: every token counts once
    statistics        by name, numbers that a part of credit declared as `needs`: per response (T_j,)
    contrast_rate     share of right responses, in [0, 1], to the problem with perturbed images; None where it wasn't
                      asked
    """

    verdicts: tuple[Verdict, ...]
    rewards: tuple[float, ...]
    advantages: tuple[float, ...]
    reward_parts: Mapping[str, tuple[float, ...]]
    reward_weights: Mapping[str, float]
    token_advantages: PerToken | None = None
    token_weights: PerToken | None = None
    statistics: Mapping[str, PerToken] = field(default_factory=dict)
    contrast_rate: float | None = None

    @classmethod
    def of(
        cls,
        group: Group,
        verdicts: Sequence[Verdict],
        statistics: Mapping[str, PerToken] | None = None,
        contrast_rate: float | None = None,
    ) -> ScoredGroup:
        """A group with its verdicts, (k,), and no credit yet."""
        scores = tuple(verdict.score for verdict in verdicts)
        return cls(
            group.problem,
            group.rollouts,
            group.encoded,
            verdicts=tuple(verdicts),
            rewards=scores,
            advantages=(0.0,) * len(scores),
            reward_parts={"score": scores},
            reward_weights={"score": 1.0},
            statistics=statistics or {},
            contrast_rate=contrast_rate,
        )

    def take(self, chosen: Sequence[int]) -> ScoredGroup:
        """The same problem with these of its responses only."""

        def some(values: Sequence[T]) -> tuple[T, ...]:
            return tuple(values[j] for j in chosen)

        return replace(
            self,
            rollouts=some(self.rollouts),
            verdicts=some(self.verdicts),
            rewards=some(self.rewards),
            advantages=some(self.advantages),
            reward_parts={name: some(values) for name, values in self.reward_parts.items()},
            token_advantages=None if self.token_advantages is None else some(self.token_advantages),
            token_weights=None if self.token_weights is None else some(self.token_weights),
            statistics={name: some(values) for name, values in self.statistics.items()},
        )

    def usable(self) -> ScoredGroup:
        """The group with only those responses that could be judged."""
        return self.take([j for j, judged in enumerate(self.judged) if judged])

    @property
    def judged(self) -> tuple[bool, ...]:
        """(k,) whether a response counts: it could be judged and isn't left out. No other is ever trained on."""
        return tuple(verdict.fault is None and verdict.left_out is None for verdict in self.verdicts)

    @property
    def lengths(self) -> tuple[int, ...]:
        """(k,) in tokens that the policy wrote."""
        return tuple(rollout.num_policy_tokens for rollout in self.rollouts)

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
        """Share of correct responses among those without a fault; 0 if there is none."""
        judged = [verdict.correct for verdict in self.verdicts if verdict.fault is None]
        return sum(judged) / len(judged) if judged else 0.0

    @cached_property
    def teacher_token_ids(self) -> tuple[tuple[int, ...], ...] | None:
        """Per response (T_j,) ids of the tokens that a teacher would have written; None: no teacher was asked."""
        numbers = self.statistics.get("teacher_token")  # statistics are floats
        return None if numbers is None else tuple(tuple(int(token) for token in response) for response in numbers)

    @property
    def mixed(self) -> bool:
        """Whether some of the responses that count are right and some wrong: 0 < right < k (DAPO, §3.2)."""
        return len({verdict.correct for verdict, counts in zip(self.verdicts, self.judged, strict=True) if counts}) == 2

    @property
    def informative(self) -> bool:
        """Whether there is anything to learn: an advantage other than 0 of a response or a token, or a teacher."""
        taught = self.teacher_token_ids is not None and any(self.judged)
        return taught or any(a != 0.0 for a in self.advantages) or any(any(t) for t in self.token_advantages or ())
