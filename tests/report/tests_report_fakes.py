"""A run folder as a run would write it: four modalities, learning, some faults, hostile responses."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw

from vlrl.runlog.run_folder import RunFolder
from vlrl.seeding import stream
from vlrl.types import Group, Image, Modality, Problem, Rollout, ScoredGroup, Segment, Text, Verdict

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
RL_STEPS = 60
SKILL = {"text": (0.55, 0.80), "real": (0.35, 0.75), "synthetic": (0.40, 0.72), "rendered": (0.30, 0.70)}


def png(image: PillowImage.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def dots_image(rng: np.random.Generator, count: int, side: int = 48) -> bytes:
    image = PillowImage.new("RGB", (side, side), "white")
    pen = ImageDraw.Draw(image)
    for cell in rng.permutation(9)[:count]:
        x, y = int(cell % 3) * side // 3, int(cell // 3) * side // 3
        colour = tuple(int(c) for c in rng.integers(0, 200, 3))
        pen.ellipse([x + side // 16, y + side // 16, x + side // 4, y + side // 4], fill=colour)
    return png(image)


def problem_of(rng: np.random.Generator, modality: Modality) -> Problem:
    a, b = (int(n) for n in rng.integers(1, 6, 2))
    if modality == "text":
        return Problem((Text(f"What is {a} + {b}?"),), str(a + b), "number", "text", "arithmetic", difficulty=0.4)
    if modality == "real":
        images = [Image.from_bytes(dots_image(rng, n, side)) for n, side in ((a, 48), (b, 640))]
        prompt = (images[0], Text("and "), images[1], Text("How many dots are there in both?"))
        return Problem(prompt, str(a + b), "number", "real", "two_photographs")
    image = Image.from_bytes(dots_image(rng, a))
    name = "counting" if modality == "synthetic" else "drawn_arithmetic"
    return Problem((image, Text("How many dots?")), str(a), "number", modality, name, difficulty=0.3, twin=None)


def group_of(rng: np.random.Generator, problem: Problem, skill: float, k: int = 8) -> ScoredGroup:
    rollouts, verdicts, rewards, parts = [], [], [], []
    for i in range(k):
        right = bool(rng.random() < skill)
        answer = problem.answer if right else str(int(problem.answer) + 1)
        text = f"<think>{'1 and ' * int(rng.integers(1, 3))}so {answer}</think><answer>{answer}</answer>"
        if i == k - 1 and rng.random() < 0.3:
            text = HOSTILE
        length = len(text) // 4
        tokens = tuple(range(length))
        rollouts.append(Rollout((Segment(tokens, (-0.5,) * length, 3),), text, "stop" if right else "length"))
        if rng.random() < 0.02:
            verdicts.append(Verdict.broken("number: ValueError: <b>broken</b>"))
        else:
            verdicts.append(Verdict.right(answer) if right else Verdict.wrong("not the number", answer))
        parts.append(-0.1 if length > 12 else 0.0)
        rewards.append(verdicts[-1].score + parts[-1])
    used = tuple(v.fault is None for v in verdicts)
    mean = sum(r for r, u in zip(rewards, used, strict=True) if u) / max(sum(used), 1)
    advantages = tuple(r - mean if u else 0.0 for r, u in zip(rewards, used, strict=True))
    scores = tuple(v.score for v in verdicts)
    return replace(
        ScoredGroup.of(Group(problem, tuple(rollouts)), verdicts),
        rewards=tuple(rewards),
        advantages=advantages,
        reward_parts={"score": scores, "length": tuple(parts)},
    )


def skill_at(modality: str, share: float) -> float:
    low, high = SKILL[modality]
    return low + (high - low) * (1 - math.exp(-3 * share)) / (1 - math.exp(-3))


def figure(value: float, n: int = 400) -> dict[str, object]:
    half = 1.96 * math.sqrt(value * (1 - value) / n)
    greedy = min(value + 0.03, 1.0)
    return {
        "sampled": value,
        "greedy": greedy,
        "n": n,
        "sampled_interval": [value - half, value + half],
        "greedy_interval": [greedy - half, greedy + half],
    }


def write_fake_run(path: Path, finished: bool = True) -> Path:
    """SFT, RL and evaluations with the keys that stages write."""
    settings = {"seed": 7, "model": {"build": "tiny-qwen3-vl"}, "loss": {"name": "kimi", "tau": 0.1}}
    run = RunFolder(path, settings, ["vlrl", "run", "configs/quickstart.yaml"])
    run.note(model={"parameters": 630_000}, data={"recipe": "data_recipes/quickstart.yaml"})
    rng = stream(7, "fake run")
    for step in range(1, 41):
        extra = {f"accuracy/{m}": SKILL[m][0] * step / 40 for m in SKILL} if step % 10 == 0 else {}
        run.metrics("sft", step, {"loss/total": 2 * math.exp(-step / 12), "time/step_seconds": 0.12, **extra})
    held_out = [problem_of(stream(7, "held out", m), m) for m in SKILL]
    for step in range(RL_STEPS + 1):
        share = step / RL_STEPS
        skills = {m: skill_at(m, share) for m in SKILL}
        noisy = {m: float(np.clip(s + rng.normal(0, 0.07), 0, 1)) for m, s in skills.items()}
        if step:
            parts = {"draw": 0.02, "rollout": 0.2 - 0.05 * share, "judge": 0.01, "update": 0.15}
            times = {f"time/{k}_seconds": v * float(rng.uniform(0.9, 1.2)) for k, v in parts.items()}
            mean = float(np.mean(list(noisy.values())))
            values = {
                **{f"accuracy/{m}": v for m, v in noisy.items()},
                "accuracy/mean": mean,
                "reward/mean": mean - 0.03,
                "length/mean": 14 - 4 * share + float(rng.normal(0, 0.3)),
                "length/p95": 22 - 5 * share + float(rng.normal(0, 0.8)),
                "loss/total": 0.02 + float(rng.normal(0, 0.01)),
                "gradient/norm": float(rng.uniform(0.3, 0.9)) if step != 5 else math.nan,
                "groups/informative_rate": 0.6 - 0.25 * share + float(rng.normal(0, 0.05)),
                "entropy/mean": 0.4 - 0.25 * share,
                "kl/old_policy": 0.001 * step,
                "logprob_gap/max": 2e-6,
                **times,
                "time/step_seconds": sum(times.values()) + 0.03,
                "tokens/response": 3200,
                "tokens/text": 400,
                "tokens/image": 240,
                "tokens/rollout_per_second": 16000 + 500 * float(rng.normal()),
                "verdicts/fault_rate": 0.02,
                "finish_reason/stop": 0.9 + 0.08 * share,
                "finish_reason/length": 0.1 - 0.08 * share,
            }
            run.metrics("rl", step, values)
            groups = [group_of(rng, problem_of(rng, m), skills[m]) for m in SKILL for _ in range(3)]
            if step % 5 == 0 or step == 1:
                run.rollouts("rl", step, groups)
        if step % 15 == 0:
            evaluated = {f"accuracy/{m}": s for m, s in skills.items()}
            greedy = {f"greedy/{m}": min(s + 0.03, 1.0) for m, s in skills.items()}
            run.metrics(
                "eval",
                step,
                {
                    **evaluated,
                    **greedy,
                    "accuracy/mean": float(np.mean(list(skills.values()))),
                    "consistency/text_rendered": 0.6 + 0.2 * share,
                },
            )
            run.rollouts("eval", step, [group_of(rng, p, skills[p.modality], k=4) for p in held_out])
    if finished:
        stages: dict[str, dict[str, object]] = {
            stage: {m: figure(s[i]) for m, s in SKILL.items()} for i, stage in enumerate(("sft", "rl"))
        }
        domains = {"counting": SKILL["synthetic"], "arithmetic": SKILL["text"]}
        by_domain = {stage: {d: figure(s[i], 200) for d, s in domains.items()} for i, stage in enumerate(("sft", "rl"))}
        seconds = {"prepare": 3.1, "sft": 41.0, "rl": 152.4, "eval": 12.9}
        for stage, table in stages.items():
            table["domains"] = by_domain[stage]
            table["consistency"] = {"sampled": 0.71, "greedy": None}
            table["protocols"] = {"sampled": "5f3a", "greedy": "77b0"}
            table["average"] = {"sampled": sum(s[stage == "rl"] for s in SKILL.values()) / 4}
        run.results({**stages, "wall_seconds": seconds})
        run.finish("finished")
    return path
