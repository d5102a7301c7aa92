"""Small tasks in the two harnesses' own format, with images and rows made on the spot."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image as Pillow
from PIL import ImageDraw

WORDS = ("red", "green", "blue", "left", "right", "cards")


def write_lmms_tasks(folder: Path, rows: int = 6) -> list[str]:
    """A task with an image a row, one with two images, and one of text alone. Returns their names."""
    data = folder / "lmms_data"
    data.mkdir(parents=True)
    lines = []
    for i in range(rows):
        for name in ("a", "b"):
            image = Pillow.new("RGB", (40 + 8 * i, 48), (40 * i, 90, 200 if name == "a" else 20))
            ImageDraw.Draw(image).rectangle((4, 4, 12 + 3 * i, 20), fill=(255, 255 - 30 * i, 0))
            image.save(data / f"{i}{name}.png")
        line = {"question": f"How many {WORDS[i % 6]} cards?", "answer": str(i), "first": f"{i}a.png"}
        lines.append(json.dumps({**line, "second": f"{i}b.png"}))
    (data / "rows.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "utils.py").write_text(
        "from pathlib import Path\n"
        "from PIL import Image\n"
        "DATA = Path(__file__).parent / 'lmms_data'\n"
        "def one(doc):\n    return [Image.open(DATA / doc['first'])]\n"
        "def two(doc):\n    return [Image.open(DATA / doc[k]) for k in ('first', 'second')]\n"
        "def none(doc):\n    return []\n"
        "def ask(doc, lmms_eval_specific_kwargs=None):\n    return doc['question'] + ' Say a number.'\n"
        "def exact(doc, results):\n    return {'exact_match': float(results[0].strip() == doc['answer'])}\n"
        "def length(doc, results):\n"
        "    return {'exact_match': float(len(results[0]) % 2), 'letters': float(len(results[0]))}\n"
        "def mean(values):\n    return sum(values) / len(values)\n"
    )
    tasks = {"vlrl_one": ("one", "length"), "vlrl_two": ("two", "length"), "vlrl_words": ("none", "exact")}
    for name, (visual, process) in tasks.items():
        metrics = ["exact_match", *(["letters"] if process == "length" else [])]
        listed = "".join(
            f"  - metric: {metric}\n    aggregation: !function utils.mean\n    higher_is_better: true\n"
            for metric in metrics
        )
        (folder / f"{name}.yaml").write_text(
            f"task: {name}\ndataset_path: json\ntest_split: test\noutput_type: generate_until\n"
            f"dataset_kwargs: {{data_files: {{test: {data / 'rows.jsonl'}}}}}\n"
            f"doc_to_visual: !function utils.{visual}\ndoc_to_text: !function utils.ask\ndoc_to_target: answer\n"
            f"process_results: !function utils.{process}\ngeneration_kwargs: {{max_new_tokens: 8, temperature: 0}}\n"
            f"metric_list:\n{listed}"
        )
    return list(tasks)


def write_lm_tasks(folder: Path, rows: int = 6) -> list[str]:
    """Multiple choice in the form of MMLU with examples before, generation with a stop string, and perplexity."""
    data = folder / "lm_data"
    data.mkdir(parents=True)
    for split in ("dev", "test"):
        lines = []
        for i in range(rows):
            choices = [str(i), f"{i} and {i}", "red green", "left"]
            lines.append(json.dumps({"question": f"What is {i} + 0?", "choices": choices, "answer": i % 4}))
        (data / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    held = f"{{dev: {data / 'dev.jsonl'}, test: {data / 'test.jsonl'}}}"
    files = f"dataset_path: json\ndataset_kwargs: {{data_files: {held}}}\n"
    (folder / "choice.yaml").write_text(
        f"task: vlrl_choice\n{files}test_split: test\nfewshot_split: dev\nnum_fewshot: 2\n"
        "fewshot_config: {sampler: first_n}\noutput_type: multiple_choice\n"
        'doc_to_text: "{{question}}\\nA. {{choices[0]}}\\nB. {{choices[1]}}\\nAnswer:"\n'
        "doc_to_choice: choices\ndoc_to_target: answer\n"
        "metric_list:\n  - {metric: acc}\n  - {metric: acc_norm}\n"
    )
    (folder / "write.yaml").write_text(
        f"task: vlrl_write\n{files}test_split: test\nnum_fewshot: 0\noutput_type: generate_until\n"
        'doc_to_text: "Q: {{question}} A:"\ndoc_to_target: "{{choices[0]}}"\n'
        'generation_kwargs: {until: [";", "Q:"], max_gen_toks: 8, do_sample: false}\n'
        "metric_list:\n  - {metric: exact_match, aggregation: mean, higher_is_better: true}\n"
    )
    (folder / "perplexity.yaml").write_text(
        f"task: vlrl_perplexity\n{files}test_split: test\noutput_type: loglikelihood_rolling\n"
        'doc_to_text: ""\ndoc_to_target: "{{question}} {{choices[1]}}"\n'
        "metric_list:\n  - {metric: word_perplexity}\n"
    )
    return ["vlrl_choice", "vlrl_write", "vlrl_perplexity"]
