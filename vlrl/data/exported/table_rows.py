"""A problem as a row of an exported table, and back: exact, the encoded bytes of its images among it.

Every row has every column, so that all files of a data set have one schema. `metadata`, which verifiers
read, is JSON, since its values are of other types from problem to problem.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from vlrl.data.problem_files import SUFFIXES
from vlrl.data.rows.placeholders import PLACEHOLDER, placeholder_in
from vlrl.errors import DataError
from vlrl.types import Demonstration, Image, Problem, Text

METADATA = "metadata"
TEXTS = (
    "id",
    "question",
    "answer",
    "verifier",
    "modality",
    "domain",
    "source",
    METADATA,
    "twin",
    "system",
    "untemplated_id",
)
Item = Problem | Demonstration


def features() -> Any:
    """The columns, as `datasets` types them."""
    from datasets import Features, Image, List, Value  # type: ignore[attr-defined]

    text = Value("string")
    return Features(
        dict.fromkeys(TEXTS, text)
        | {"images": List(Image()), "image_texts": List(text), "difficulty": Value("float64"), "tags": List(text)}
        | {"response": text, "turns": List(text)}
    )


def row_of(item: Item) -> dict[str, Any]:
    """The row of a problem or demonstration. Raises DataError for what a row can't hold."""
    problem = item if isinstance(item, Problem) else item.problem
    place, question = f"problem {problem.id} of source {problem.source!r}", ""
    shown = 0
    for piece in problem.prompt:
        if isinstance(piece, Text) and (mark := placeholder_in(piece.text)):
            raise DataError(place, f"its text holds {mark}, which a row would read as an image", "take the mark out")
        shown += isinstance(piece, Image)
        question += piece.text if isinstance(piece, Text) else f"<image {shown}>"
    try:
        metadata = json.dumps(dict(problem.metadata), ensure_ascii=False)
        images = [_cell(image) for image in problem.images]
    except (TypeError, ValueError) as error:
        raise DataError(f"{place}, metadata", str(error), "metadata holds plain JSON values") from error
    except OSError as error:
        raise DataError(place, f"its image is gone: {error}", "restore the file") from error
    row = {name: getattr(problem, name, None) for name in TEXTS}
    row |= {"question": question, METADATA: metadata, "images": images, "tags": list(problem.tags)}
    row |= {"image_texts": [image.source_text for image in problem.images], "difficulty": problem.difficulty}
    said = item if isinstance(item, Demonstration) else None
    row |= {"response": said and said.response, "turns": list(said.turns) if said else []}
    back = problem_of(row, place)
    if (back if isinstance(back, Problem) else back.problem).id != problem.id:
        raise DataError(place, "doesn't come back as it is from a row", "write its prompt as texts between images")
    return row


def problem_of(row: Mapping[str, Any], place: str) -> Item:
    """Inverse of `row_of`. Raises DataError at `place` for an image that the row hasn't."""
    prompt: list[Text | Image] = []
    end = 0
    for found in PLACEHOLDER.finditer(row["question"]):
        if found.start() > end:
            prompt.append(Text(row["question"][end : found.start()]))
        number, end = int(found[1] or 0), found.end()
        if not 0 < number <= len(row["images"]):
            raise DataError(place, f"{found[0]} is none of its {len(row['images'])} images", "export it again")
        data = bytes(row["images"][number - 1]["bytes"])
        image = Image.from_bytes(data)
        prompt.append(Image(image.digest, data=data, source_text=row["image_texts"][number - 1]))
    if end < len(row["question"]):
        prompt.append(Text(row["question"][end:]))
    problem = Problem(
        prompt=tuple(prompt),
        **{name: row[name] for name in ("answer", "verifier", "modality", "domain", "source", "twin", "system")},
        untemplated_id=row["untemplated_id"],
        difficulty=row["difficulty"],
        metadata=json.loads(row[METADATA]),
        tags=tuple(row["tags"]),
    )
    return problem if row["response"] is None else Demonstration(problem, row["response"], tuple(row["turns"]))


def _cell(image: Image) -> dict[str, Any]:
    data = image.read_bytes()
    suffix = next((suffix for magic, suffix in SUFFIXES.items() if data.startswith(magic)), ".img")
    return {"bytes": data, "path": f"{image.digest}{suffix}"}
