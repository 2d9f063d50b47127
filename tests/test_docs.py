"""The pages and pictures of docs/: nothing on them is older than the code."""

from pathlib import Path

import pytest

from bench.upkeep import docs, pictures

DOCS = Path(__file__).parents[1] / "docs"


def test_the_page_of_objectives_is_what_the_code_computes() -> None:
    """Made anew, docs/objectives.md is what it is: `make docs` writes it."""
    assert (DOCS / "objectives.md").read_text(encoding="utf-8") == docs.page()


@pytest.mark.parametrize("seed", [1, 2, 7])
def test_the_listing_run_on_ends_in_nan(seed: int) -> None:
    """A collapsing policy of the listing puts out NaN right after r/o has left float32, as the page says; one that rises does not."""
    end = docs.listing_end(seed)
    assert end is not None
    step, last = end
    assert 400 < step < 450
    assert last < docs.overflow() < last + 0.3  # a step moves the logit by some 0.2
    assert docs.listing_end(0) is None


def test_pictures_show_what_the_code_computes() -> None:
    """Each picture carries the digest of what it would show today: `make docs` draws it."""
    for name, specification in pictures.specifications().items():
        assert pictures.stamp(specification) in (DOCS / name).read_text(encoding="utf-8"), name


def test_the_picture_of_a_sweep_shows_what_the_code_computes() -> None:
    """It carries the digest of what the sweep finds today, and of what draws it."""
    assert pictures.basin_stamp(pictures.swept()).encode() in (DOCS / pictures.BASIN).read_bytes()


def test_a_stale_picture_would_be_noticed() -> None:
    """One other value is another digest."""
    specification = {"data": {"values": [{"step": 0, "share": 0.5}]}}
    changed = {"data": {"values": [{"step": 0, "share": 0.5001}]}}
    assert pictures.stamp(specification) != pictures.stamp(changed)


@pytest.mark.parametrize("name", [pictures.BASIN, "courses.svg", "shares.svg"])
def test_the_page_links_what_is_there(name: str) -> None:
    """Every picture that the page shows exists."""
    assert (DOCS / name).exists()
    assert f"({name})" in (DOCS / "objectives.md").read_text(encoding="utf-8")
