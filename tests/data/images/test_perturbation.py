"""Perturbed images: question and answer stay, the image says less, the same numbers give the same image."""

from __future__ import annotations

import numpy as np
import pytest
from small_models import ask, pixels

from vlrl.data.images.open_images import open_image
from vlrl.data.images.perturbation import mismatched, perturbations, perturbed


def change(problem, name, seed=0):
    return perturbed(problem, name, np.random.default_rng(seed))


@pytest.mark.parametrize("name", perturbations)
def test_only_the_images_change(name):
    problem = ask("left", pixels(1, 64, 48), "or", pixels(2), "?")
    found = change(problem, name)
    assert found.question == problem.question
    assert (found.answer, found.verifier) == (problem.answer, problem.verifier)
    assert found.id != problem.id
    for before, after in zip(problem.images, found.images, strict=True):
        assert open_image(after).size == open_image(before).size
        assert after.digest != before.digest
    assert change(problem, name).id == found.id
    assert change(ask("3+4=?"), name).id == ask("3+4=?").id


def test_a_blank_image_is_one_colour_and_tiles_keep_every_pixel():
    problem = ask(pixels(3, 64, 64), "?")
    blank = np.asarray(open_image(change(problem, "blank").images[0]))
    assert len(np.unique(blank.reshape(-1, 3), axis=0)) == 1
    before, after = (np.asarray(open_image(p.images[0])).reshape(-1, 3) for p in (problem, change(problem, "tiles")))
    assert sorted(map(tuple, after.tolist())) == sorted(map(tuple, before.tolist()))


def test_mismatched_images_are_those_of_the_next_problem_that_has_others_in_the_same_size():
    first, second = ask(pixels(1), "a", pixels(2)), ask(pixels(3, 48, 16), "b")
    one, two = mismatched([first, second])
    assert [open_image(i).size for i in one.images] == [(32, 32)] * 2
    assert [open_image(i).size for i in two.images] == [(48, 16)]
    assert not {i.digest for i in one.images} & {i.digest for i in first.images}
    assert open_image(two.images[0]).tobytes() == pixels(1).resize((48, 16)).tobytes()
    assert one.question == first.question
    assert one.answer == first.answer


def test_where_no_problem_has_other_images_nothing_is_mismatched():
    assert mismatched([ask(pixels(1), "a"), ask("no image"), ask(pixels(1), "b")]) == [None] * 3
    assert mismatched([ask(pixels(1), "a")]) == [None]
