"""One problem written in the layouts of other trainers and data sets: what must come back.

`WRITERS` maps a name to a function from a canonical problem to a row, with the source settings that read it. Each
follows the documentation or the published data of the trainer or set it is named after.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Canonical:
    """A prompt as texts and numbers of images, options, the gold as a verifier takes it, and the image files."""

    pieces: tuple[str | int, ...]
    answer: str
    images: tuple[str, ...] = ()  # paths from the table's folder
    data: tuple[bytes, ...] = ()
    options: tuple[str, ...] = ()

    def text(self, mark: Callable[[int], str]) -> str:
        """The prompt as one text, images by a mark."""
        return "".join(piece if isinstance(piece, str) else mark(piece) for piece in self.pieces)

    @property
    def settings(self) -> dict[str, Any]:
        return {"modality": "real" if self.images else "text", "verifier": "choice" if self.options else "text"}


def parts(problem: Canonical, image: Callable[[int], Any], text: Callable[[str], Any]) -> list[Any]:
    """The prompt as a list of parts."""
    return [text(piece) if isinstance(piece, str) else image(piece) for piece in problem.pieces]


def user(content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}]


def uri(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


Row = dict[str, Any]
WRITERS: dict[str, tuple[Callable[[Canonical], Row], dict[str, Any]]] = {}


def writer(name: str, **settings: Any) -> Callable[[Callable[[Canonical], Row]], Callable[[Canonical], Row]]:
    def add(write: Callable[[Canonical], Row]) -> Callable[[Canonical], Row]:
        WRITERS[name] = (write, settings)
        return write

    return add


def _typed(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


MARKS: dict[str, Callable[[int], str]] = {
    "LLaVA": lambda i: "<image>",
    "MMMU": lambda i: f"<image {i + 1}>",
    "MATH-Vision": lambda i: f"<image{i + 1}>",
    "Phi": lambda i: f"<|image_{i + 1}|>",
    "Llama": lambda i: "<|image|>",
    "Qwen2-VL": lambda i: "<|vision_start|><|image_pad|><|vision_end|>",
    "Pixtral": lambda i: "[IMG]",
    "Gemma": lambda i: "<start_of_image>",
    "MiniCPM": lambda i: "(<image>./</image>)",
    "InternVL": lambda i: "<IMG_CONTEXT>",
    "DeepSeek": lambda i: "<image_placeholder>",
    "XComposer": lambda i: "<ImageHere>",
    "capital": lambda i: "<Image>",
    "template": lambda i: "{image}",
}
for _name, _mark in MARKS.items():

    @writer(f"plain columns, {_name} marks")
    def _plain(problem: Canonical, mark: Callable[[int], str] = _mark) -> Row:
        return {"question": problem.text(mark), "answer": problem.answer, "images": list(problem.images)}


GIVEN: dict[str, Callable[[Canonical, int], Any]] = {
    "path": lambda p, i: p.images[i],
    "file uri": lambda p, i: f"file://{p.images[i]}",
    "data uri": lambda p, i: uri(p.data[i]),
    "base64": lambda p, i: base64.b64encode(p.data[i]).decode(),
    "object with path": lambda p, i: {"path": p.images[i]},
    "datasets' Image": lambda p, i: {"bytes": p.data[i], "path": None},
    "datasets' Image with a lost path": lambda p, i: {"bytes": p.data[i], "path": "gone/somewhere.png"},
    "verl's image": lambda p, i: {"image": p.images[i]},
    "verl's file uri": lambda p, i: {"image": f"file://{p.images[i]}", "min_pixels": 3136},
    "url object": lambda p, i: {"url": uri(p.data[i])},
    "bytes": lambda p, i: p.data[i],
}
for _name, _given in GIVEN.items():

    @writer(f"plain columns, images as {_name}")
    def _as(problem: Canonical, given: Callable[[Canonical, int], Any] = _given) -> Row:
        images = [given(problem, i) for i in range(len(problem.images))]
        return {"question": problem.text(lambda i: "<image>"), "answer": problem.answer, "images": images}


@writer("images as a JSON text")
def _json_images(p: Canonical) -> Row:
    images = json.dumps(list(p.images)) if p.images else ""
    return {"question": p.text(MARKS["LLaVA"]), "answer": p.answer, "images": images}


@writer("image columns by number")
def _numbered(p: Canonical) -> Row:
    numbered = {f"image_{i + 1}": image for i, image in enumerate(p.images)}
    return {"question": p.text(MARKS["MMMU"]), "answer": p.answer, **numbered, "image_3": None}


@writer("Qwen-VL: <img> in the text", layout="qwen-vl")
def _qwen_vl(p: Canonical) -> Row:
    value = p.text(lambda i: f"<img>{p.images[i]}</img>")
    return {
        "id": "identity_0",
        "conversations": [
            {"from": "user", "value": value},
            {"from": "assistant", "value": f"<answer>{p.answer}</answer>"},
        ],
    }


@writer("markdown images in the text")
def _markdown(p: Canonical) -> Row:
    return {"question": p.text(lambda i: f"![figure]({p.images[i]})"), "answer": p.answer}


CHATS: dict[str, Callable[[Canonical], Any]] = {
    "OpenAI image_url object": lambda p: parts(
        p, lambda i: {"type": "image_url", "image_url": {"url": uri(p.data[i]), "detail": "high"}}, _typed
    ),
    "OpenAI image_url text": lambda p: parts(p, lambda i: {"type": "image_url", "image_url": p.images[i]}, _typed),
    "OpenAI responses": lambda p: parts(
        p,
        lambda i: {"type": "input_image", "image_url": uri(p.data[i])},
        lambda text: {"type": "input_text", "text": text},
    ),
    "Qwen typed": lambda p: parts(p, lambda i: {"type": "image", "image": p.images[i], "max_pixels": 10**6}, _typed),
    "Qwen typed file uri": lambda p: parts(p, lambda i: {"type": "image", "image": f"file://{p.images[i]}"}, _typed),
    "Qwen untyped": lambda p: parts(p, lambda i: {"image": p.images[i]}, lambda text: {"text": text}),
    "base64 part": lambda p: parts(
        p, lambda i: {"type": "image", "base64": base64.b64encode(p.data[i]).decode()}, _typed
    ),
    "bytes part": lambda p: parts(p, lambda i: {"type": "image", "image": {"bytes": p.data[i], "path": None}}, _typed),
    "path part": lambda p: parts(p, lambda i: {"type": "image", "path": p.images[i]}, _typed),
    "url part": lambda p: parts(p, lambda i: {"type": "image", "url": p.images[i]}, _typed),
    "Anthropic": lambda p: parts(
        p,
        lambda i: {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": base64.b64encode(p.data[i]).decode()},
        },
        _typed,
    ),
    "null keys of Arrow": lambda p: parts(
        p,
        lambda i: {"type": "image", "text": None, "image": p.images[i]},
        lambda text: {"type": "text", "text": text, "image": None},
    ),
    "strings among parts": lambda p: parts(p, lambda i: {"type": "image", "image": p.images[i]}, str),
}
for _name, _chat in CHATS.items():

    @writer(f"chat, {_name}", layout="chat")
    def _chatted(problem: Canonical, chat: Callable[[Canonical], Any] = _chat) -> Row:
        return {"messages": user(chat(problem)), "solution": problem.answer}

    @writer(f"trl prompt, {_name}", layout="trl")
    def _trl(problem: Canonical, chat: Callable[[Canonical], Any] = _chat) -> Row:
        return {"prompt": user(chat(problem)), "answer": problem.answer}


@writer("chat as a JSON text", layout="openai")
def _json_chat(p: Canonical) -> Row:
    return {"messages": json.dumps(user(CHATS["Qwen typed"](p))), "answer": p.answer}


@writer("lmm-r1: JSON text in `message`", layout="openrlhf")
def _lmm(p: Canonical) -> Row:
    return {
        "id": "0",
        "message": json.dumps(user(CHATS["Qwen typed file uri"](p)), ensure_ascii=False),
        "answer": p.answer,
    }


@writer("content as a JSON text", layout="chat")
def _json_content(p: Canonical) -> Row:
    return {"messages": user(json.dumps(CHATS["Qwen typed"](p))), "answer": p.answer}


@writer("Gemini contents", layout="chat")
def _gemini(p: Canonical) -> Row:
    inline = [
        {"text": piece}
        if isinstance(piece, str)
        else {"inline_data": {"mime_type": "image/png", "data": base64.b64encode(p.data[piece]).decode()}}
        for piece in p.pieces
    ]
    return {"contents": [{"role": "user", "parts": inline}], "answer": p.answer}


@writer("TRL: empty image parts and a column", layout="trl")
def _trl_column(p: Canonical) -> Row:
    content = parts(p, lambda i: {"type": "image"}, _typed)
    return {"prompt": user(content), "images": [{"bytes": d, "path": None} for d in p.data], "answer": p.answer}


@writer("vsft: parts with an index", layout="trl")
def _vsft(p: Canonical) -> Row:
    content = parts(
        p,
        lambda i: {"type": "image", "text": None, "index": i},
        lambda text: {"type": "text", "text": text, "index": None},
    )
    messages = [*user(content), {"role": "assistant", "content": [_typed(f"\\boxed{{{p.answer}}}")]}]
    return {"messages": messages, "images": list(p.images)}


@writer("TRL: prompt and completion", layout="trl")
def _completion(p: Canonical) -> Row:
    return {
        "prompt": user(p.text(MARKS["LLaVA"])),
        "completion": [{"role": "assistant", "content": f"<answer>{p.answer}</answer>"}],
        "images": list(p.images),
    }


@writer("images in a column and in the parts", layout="chat")
def _twice(p: Canonical) -> Row:
    return {"messages": user(CHATS["Qwen typed"](p)), "images": list(p.images), "answer": p.answer}


@writer("EasyR1", layout="easyr1")
def _easyr1(p: Canonical) -> Row:
    return {"problem": p.text(MARKS["LLaVA"]), "answer": p.answer, "images": list(p.images)}


@writer("verl", layout="verl")
def _verl(p: Canonical) -> Row:
    return {
        "data_source": "geo3k",
        "prompt": user(p.text(MARKS["LLaVA"])),
        "images": [{"bytes": d, "path": None} for d in p.data],
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": p.answer},
        "extra_info": {"split": "train", "index": 3, "answer": p.answer, "question": p.text(MARKS["LLaVA"])},
    }


@writer("verl with images by path", layout="verl")
def _verl_paths(p: Canonical) -> Row:
    return {**_verl(p), "images": [{"image": path} for path in p.images]}


@writer("R1-V", layout="r1-v")
def _r1v(p: Canonical) -> Row:
    return {
        "image": list(p.images) or None,
        "problem": p.text(MARKS["LLaVA"]),
        "solution": f"<answer> {p.answer} </answer>",
    }


@writer("Open-R1 multimodal", layout="open-r1")
def _open_r1(p: Canonical) -> Row:
    return {**_r1v(p), "original_question": "?", "original_answer": p.answer}


@writer("VLM-R1", layout="vlm-r1")
def _vlm_r1(p: Canonical) -> Row:
    conversations = [
        {"from": "human", "value": p.text(MARKS["LLaVA"])},
        {"from": "gpt", "value": f"<answer>{p.answer}</answer>"},
    ]
    return {"id": 1, "image": list(p.images), "conversations": conversations, "accu_reward_method": "default"}


@writer("MM-EUREKA", layout="mm-eureka")
def _eureka(p: Canonical) -> Row:
    system = {"role": "system", "content": "Solve the question."}
    return {"id": "0", "conversations": [system, *user(CHATS["Qwen typed file uri"](p))], "answer": p.answer}


@writer("OpenRLHF", layout="openrlhf")
def _openrlhf(p: Canonical) -> Row:
    return {"input": p.text(MARKS["LLaVA"]), "label": p.answer, "images": list(p.images), "datasource": "a"}


@writer("LLaMA-Factory alpaca", layout="llama-factory")
def _alpaca(p: Canonical) -> Row:
    return {
        "instruction": p.text(MARKS["LLaVA"]),
        "input": "",
        "output": f"So \\boxed{{{p.answer}}}",
        "system": "Think.",
        "history": [],
        "images": list(p.images),
        "videos": [],
    }


@writer("LLaMA-Factory sharegpt", layout="llama-factory")
def _sharegpt(p: Canonical) -> Row:
    conversations = [
        {"from": "human", "value": p.text(MARKS["LLaVA"])},
        {"from": "gpt", "value": f"\\boxed{{{p.answer}}}"},
    ]
    return {"conversations": conversations, "images": list(p.images), "system": "S", "tools": ""}


@writer("LLaVA", layout="llava")
def _llava(p: Canonical) -> Row:
    found = _vlm_r1(p)
    return {"id": "000", "image": found["image"], "conversations": found["conversations"]}


@writer("InternVL", layout="internvl")
def _internvl(p: Canonical) -> Row:
    return {**_llava(p), "width": [8], "height": [8]}


@writer("ms-swift messages", layout="ms-swift")
def _swift(p: Canonical) -> Row:
    messages = [{"role": "system", "content": "S"}, *user(p.text(MARKS["LLaVA"]))]
    return {"messages": messages, "images": list(p.images), "solution": p.answer, "rejected_response": "no"}


@writer("ms-swift query", layout="ms-swift")
def _swift_query(p: Canonical) -> Row:
    return {
        "query": p.text(MARKS["LLaVA"]),
        "response": f"<answer>{p.answer}</answer>",
        "history": [],
        "images": [{"bytes": d, "path": None} for d in p.data],
    }


@writer("ms-swift conversation", layout="ms-swift")
def _swift_conversation(p: Canonical) -> Row:
    return {
        "system": "S",
        "conversation": [{"human": p.text(MARKS["LLaVA"]), "assistant": f"<answer>{p.answer}</answer>"}],
        "images": list(p.images),
    }


@writer("Cauldron", layout="chat")
def _cauldron(p: Canonical) -> Row:
    texts = [{"user": p.text(MARKS["LLaVA"]), "assistant": f"<answer>{p.answer}</answer>", "source": "x"}]
    return {"images": [{"bytes": d, "path": None} for d in p.data], "texts": texts}


@writer("Ollama: images beside the content", layout="chat")
def _ollama(p: Canonical) -> Row | None:
    if any(isinstance(piece, int) for piece in p.pieces[len(p.images) :]):
        return None  # it can't place images
    text = "".join(piece for piece in p.pieces if isinstance(piece, str))
    message = {"role": "user", "content": text, "images": [base64.b64encode(d).decode() for d in p.data]}
    return {"messages": [message], "answer": p.answer}
