"""One row of a table as a problem: read whole, or refused by name with its place.

Columns are mapped, images are put where the question names them (`vlrl.data.rows.placeholders`), options are listed,
and what the row holds besides must not be content that would be lost (`vlrl.data.rows.row_view`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vlrl.data.benchmarks.benchmark_definition import benchmarks
from vlrl.data.benchmarks.benchmark_images import row_images
from vlrl.data.benchmarks.benchmark_rows import read_benchmark
from vlrl.data.choices.gold_choice import gold_of
from vlrl.data.choices.option_columns import refuse_empty, refuse_stray, row_options
from vlrl.data.choices.option_forms import options_in
from vlrl.data.choices.options import Options
from vlrl.data.images.image_refs import image_of
from vlrl.data.images.video_in_prompt import keys_of, reference_of, video_file, with_video, without_mark
from vlrl.data.rows.code_rows import CODE_LAYOUTS, question_of, read_code_row, refuse_no_tests
from vlrl.data.rows.gold_columns import golds_in, refuse_second_golds, unwrapped
from vlrl.data.rows.grounding import refuse_marks
from vlrl.data.rows.layouts import (
    LAYOUTS_OF_TRAINERS,
    LEFT_OUT,
    AskedRow,
    column_images,
    read_trainer_row,
    suggested_layout,
)
from vlrl.data.rows.placeholders import Shown, pieces_of, refuse_other_media
from vlrl.data.rows.row_metadata import metadata_in
from vlrl.data.rows.row_prompt import images_in_text, prompt_pieces, refuse_image_options
from vlrl.data.rows.row_view import RowView, is_empty
from vlrl.data.source_settings import FileSourceSettings, VerifierByColumn, check_verifier
from vlrl.data.tables.cell_text import shortened, written
from vlrl.errors import BadRowError, DataError, did_you_mean
from vlrl.scenes.domain import worked_response
from vlrl.types import Demonstration, Problem, Text

Row = Mapping[str, Any]


@dataclass(frozen=True)
class RowReader:
    """Reads rows of one source. `folder` is where relative image paths start.

    unread  columns that held something in rows read so far and were of no use; for reports

    Raises BadRowError with the row's place for whatever is missing, doesn't fit together or would be lost.
    """

    settings: FileSourceSettings
    folder: Path
    unread: set[str] = field(default_factory=set, compare=False)

    def problem(self, row: Row, place: str, one_gold: bool = True) -> tuple[Problem, Demonstration | None]:
        """The problem of a row, its images read for their digests, and its demonstration where a column has one.

        one_gold  whether a second column with another gold is an error
        """
        settings, columns = self.settings, self.settings.columns
        if settings.layout in CODE_LAYOUTS:
            return self._code_problem(row, place), None
        if settings.layout in benchmarks:
            return self._benchmark_problem(row, place), None
        view = RowView(row)
        asked = self._asked(view, place)
        verifier = self._verifier(view, place)
        options = row_options(view, columns.choices, place)
        pieces = prompt_pieces(asked, options, settings.modality, place)
        shown = [Text(p) if isinstance(p, str) else image_of(p.given, self._folder, place) for p in pieces]
        prompt = with_video(shown, video_file(settings, view, self._folder, place), settings.video, place)
        if settings.modality != "text":
            refuse_image_options(options, self._folder, place)
        if not options and verifier == "choice":
            options = self._options_in_question(view, pieces, place)
        golds = golds_in(asked.answer, verifier, f"{place}, {asked.answer_column}")
        answers = self._answers(golds, options if verifier == "choice" else Options(), place)
        if verifier == "code":
            refuse_no_tests(answers[0], {**settings.metadata}, place)
        problem = Problem(
            prompt=prompt,
            answer=answers[0],
            verifier=verifier,
            modality=settings.modality,
            domain=settings.domain or settings.name,
            source=settings.name,
            metadata={**self._facts(view, place, options, answers), **self._declared(asked.metadata, place)},
            difficulty=self.difficulty(view, place),
            tags=settings.tags,
            system=asked.system if settings.system_messages == "keep" else None,
        )
        if asked.system is not None and problem.system is None:
            self.unread.add("system message")
        response = self._response(view, asked, answers[0], place)
        if columns.group:
            _cell(view, columns.group, place)  # so that the column counts as read
        if not problem.images and settings.modality != "text":
            problem = self._without_image(problem, place)
        if one_gold:
            layout = LAYOUTS_OF_TRAINERS.get(settings.layout or "")
            others = layout.answers if layout else ()
            refuse_second_golds(view, problem, options, asked.answer_column, place, columns.ignored, others)
        self._refuse_unread(view, pieces, place)
        return problem, None if response is None else Demonstration(problem, response)

    def _options_in_question(self, view: RowView, pieces: Sequence[str | Shown], place: str) -> Options:
        """The options that the question lists itself. Raises BadRowError where columns of options go unread."""
        text = "".join(piece for piece in pieces if isinstance(piece, str))
        options = options_in(text)
        if not options:
            refuse_stray(view, place)
            refuse_empty(view, self.settings.columns.choices, text, place)
        return options

    def _response(self, view: RowView, asked: AskedRow, answer: str, place: str) -> str | None:
        """The worked response: of its column (null: none), of a thought with the answer, or of a layout's messages."""
        columns = self.settings.columns
        if columns.response:
            if view.get(columns.response, "") is None:  # null: a row to ask, which demonstrates nothing
                return None
            return written(_cell(view, columns.response, place), f"{place}, {columns.response}")
        if columns.thought:
            thought = written(_cell(view, columns.thought, place), f"{place}, {columns.thought}")
            return worked_response(thought, answer)
        return asked.response

    def _refuse_unread(self, view: RowView, pieces: Sequence[str | Shown], place: str) -> None:
        """Raises BadRowError for content of the row that no part of the problem has taken up."""
        shown = [piece.given for piece in pieces if isinstance(piece, Shown)]
        texts = LEFT_OUT if self.settings.layout else frozenset()
        view.refuse_unread(place, frozenset(self.settings.columns.ignored), shown, texts)
        self.unread.update(view.unread())

    def difficulty(self, row: Row, place: str) -> float | None:
        """The label of a row, None where no column is named. Raises DataError for one that is no number in [0, 1]."""
        column = self.settings.columns.difficulty
        if column is None:
            return None
        label = _cell(row, column, place)
        if isinstance(label, bool) or not isinstance(label, int | float) or not 0 <= label <= 1:
            raise BadRowError(f"{place}, {column}", f"is {label!r}", "give a number in [0, 1]; 1 is the hardest")
        return float(label)

    def gold_and_options(self, row: Row, place: str) -> tuple[Any, Options]:
        """The gold as the row gives it, and its options. Raises BadRowError."""
        view = RowView(row)
        return self._asked(view, place).answer, row_options(view, self.settings.columns.choices, place)

    def keys(self, row: Row, place: str) -> list[str]:
        """What a row shares with others that must fall into its split: the named column, its images, or its question.

        Images count by their content: the same one under another path is the same. Raises BadRowError.
        """
        if self.settings.columns.group:
            return [str(_cell(row, self.settings.columns.group, place))]
        images, question = self._shown(row, place)
        video = video_file(self.settings, row, self._folder, place)
        return keys_of(images, video, self._folder, place) or [question]

    def key_by_path(self, row: Row, place: str) -> str:
        """As `keys`, without reading files: the first image as the row refers to it. Raises BadRowError."""
        if self.settings.columns.group:
            return str(_cell(row, self.settings.columns.group, place))
        images, question = self._shown(row, place)
        video = video_file(self.settings, row, self._folder, place)
        return reference_of(images, video, self._folder, place) if images or video else question

    def _shown(self, row: Row, place: str) -> tuple[list[Any], str]:
        """The row's images as it refers to them, and its question."""
        if self.settings.layout in CODE_LAYOUTS:
            images, question = [], question_of(row)
        elif self.settings.layout in benchmarks:
            images = list(row_images(row).values())
            question = str(row.get("question") or row.get("problem") or "")
        else:
            asked = self._asked(RowView(row), place)
            pieces = prompt_pieces(asked, Options(), self.settings.modality, place, is_whole=False)
            images = [piece.given for piece in pieces if isinstance(piece, Shown)]
            question = "".join(piece for piece in pieces if isinstance(piece, str))
        return images, question

    def _asked(self, row: RowView, place: str) -> AskedRow:
        """Question, images of columns, gold as given, and response."""
        columns = self.settings.columns
        asked = self._question(row, place)
        if columns.context is None:
            return asked
        if columns.context not in row:
            raise _no_column(row, columns.context, place)
        cell = row[columns.context]
        context = "" if is_empty(cell) else f"{written(cell, f'{place}, {columns.context}')}\n"
        return replace(asked, pieces=[*pieces_of(context), *asked.pieces])

    def _question(self, row: RowView, place: str) -> AskedRow:
        columns = self.settings.columns
        if self.settings.layout is not None:
            asked = read_trainer_row(self.settings.layout, row, place)
            if columns.images is not None:
                asked = replace(asked, images=self._column_images(row, place))
            return asked
        if columns.question not in row and (remedy := suggested_layout(row)):
            raise BadRowError(place, f"has no column {columns.question!r}", remedy)
        question = _cell(row, columns.question, place)
        if not isinstance(question, str | int | float):
            raise BadRowError(
                f"{place}, {columns.question}", f"holds {shortened(question)}", "`layout: chat` reads messages"
            )
        text = written(question, f"{place}, {columns.question}")
        if self.settings.modality != "text":
            refuse_other_media(without_mark(text, self.settings), place)
            refuse_marks(text, place)
        images = self._column_images(row, place)
        answer = _cell(row, columns.answer, place)
        return AskedRow(pieces_of(text), images, answer, None, answer_column=columns.answer)

    def _column_images(self, row: RowView, place: str) -> list[Any]:
        columns = self.settings.columns.images
        if columns is None or columns == "":
            return column_images(row, columns, place)
        names = (columns,) if isinstance(columns, str) else columns
        for name in names:
            if name not in row:
                raise _no_column(row, name, place)
        return [image for name in names for image in column_images(row, name, place)]

    def _benchmark_problem(self, row: Row, place: str) -> Problem:
        settings = self.settings
        assert settings.layout is not None
        problem = read_benchmark(settings.layout, [(place, dict(row))], self._folder)[0].problem
        if problem.images and settings.modality == "text":
            raise images_in_text(place, len(problem.images))
        problem = replace(
            problem,
            verifier=problem.verifier if settings.verifier is None else self._verifier(row, place),
            modality=settings.modality,
            domain=settings.domain or settings.name,
            source=settings.name,
            metadata={**problem.metadata, **settings.metadata},
            difficulty=problem.difficulty if settings.columns.difficulty is None else self.difficulty(row, place),
            tags=settings.tags,
        )
        return problem if problem.images or settings.modality == "text" else self._without_image(problem, place)

    def _code_problem(self, row: Row, place: str) -> Problem:
        settings = self.settings
        assert settings.layout is not None
        question, gold, metadata = read_code_row(settings.layout, row, place, settings.metadata)
        return Problem(
            prompt=(Text(question),),
            answer=gold,
            verifier="code" if settings.verifier is None else self._verifier(row, place),
            modality="text",
            domain=settings.domain or settings.name,
            source=settings.name,
            metadata=metadata,
            difficulty=self.difficulty(row, place),
            tags=settings.tags,
        )

    def _without_image(self, problem: Problem, place: str) -> Problem:
        """A row of text in a source of images. Raises BadRowError unless the source says that it has such rows."""
        if self.settings.rows_without_image == "read":
            return replace(problem, modality="text")
        raise BadRowError(
            place,
            f"has no image, and the modality of source {self.settings.name!r} is {self.settings.modality!r}",
            "name the column of images in `columns: {images: …}`, set `layout:`, or say `modality: text`; a table with "
            "questions of text among the others needs `rows_without_image: read`",
        )

    def _answers(self, golds: list[Any], options: Options, place: str) -> list[str]:
        if not golds or any(is_empty(answer) for answer in golds):
            raise BadRowError(place, f"the answer is empty: {shortened(golds)}", "leave the row out or mend it")
        answers = [unwrapped(answer) if isinstance(answer, str) else answer for answer in golds]
        texts = [gold_of(answer, options, self.settings.choice_answers, f"{place}, answer") for answer in answers]
        if not texts[0].strip():
            raise BadRowError(place, f"the answer is empty: {golds[0]!r}", "leave the row out or mend it")
        if options and len(set(texts)) > 1:
            raise BadRowError(place, f"has {len(texts)} right options: {shortened(answers)}", "one option is right")
        return texts

    def _facts(self, row: Row, place: str, options: Options, answers: Sequence[str]) -> dict[str, Any]:
        metadata, columns = dict(self.settings.metadata), self.settings.columns
        if columns.metadata_json is not None:
            metadata |= metadata_in(_cell(row, columns.metadata_json, place), f"{place}, {columns.metadata_json}")
        for fact, column in columns.metadata.items():
            if column not in row:
                raise _no_column(row, column, place)
            if row[column] is not None:
                metadata[fact] = row[column]
        if options:
            metadata["choices"] = list(options.texts)
        if len(answers) > 1:
            metadata["accepted"] = list(answers[1:])
        return metadata

    def _declared(self, metadata: Mapping[str, Any], place: str) -> Mapping[str, Any]:
        """What the row itself declares to the verifier. Raises BadRowError where the source says otherwise."""
        for fact, value in metadata.items():
            if self.settings.metadata.get(fact, value) != value:
                raise BadRowError(
                    place,
                    f"declares {fact} {value!r}, the source's metadata {self.settings.metadata[fact]!r}",
                    "leave it out of the source's `metadata`, or mend the row",
                )
        return metadata

    def _verifier(self, row: Row, place: str) -> str:
        setting = self.settings.verifier
        if isinstance(setting, str):
            return setting
        if isinstance(setting, VerifierByColumn):
            value = str(_cell(row, setting.column, place))
            name = setting.values.get(value, setting.otherwise)
            if name is None:
                raise BadRowError(
                    f"{place}, {setting.column}",
                    f"no verifier is named for {value!r}",
                    f"add it to `values`, or `otherwise:`, in the source {self.settings.name!r}",
                )
            return name
        name = str(_cell(row, self.settings.columns.verifier or "", place))
        check_verifier(name, place)
        return name

    @property
    def _folder(self) -> Path:
        named = self.settings.image_folder
        return self.folder if named is None else Path(named).expanduser()


def _cell(row: Row, column: str, place: str) -> Any:
    if column not in row:
        raise _no_column(row, column, place)
    value = row[column]
    if value is None or (isinstance(value, float) and value != value):  # NaN: how pandas writes an empty cell
        raise BadRowError(f"{place}, {column}", "is empty", "leave the row out or mend it")
    return value


def _no_column(row: Row, column: str, place: str) -> DataError:
    return BadRowError(place, f"has no column {column!r}", f"{did_you_mean(column, row)} Set `columns:` in the source.")
