"""Where results go: one file, or a folder; nobody's result takes another's place."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from isthmus.errors import UsageError
from isthmus.sources.finding import Found, find_sources
from isthmus.sources.outputs import SKIP, plan_jobs
from isthmus.sources.source import Source

ISTH = {"suffix": ".isth", "file_suffixes": [".isth"]}


@pytest.fixture
def picture(tmp_path):
    """One picture file."""
    path = tmp_path / "p.png"
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
    return path


def _targets(found, output, **options):
    return [str(job.target) for job in plan_jobs(found, output, **ISTH, **options).jobs]


def test_a_slash_or_many_sources_make_a_folder(picture, tmp_path):
    """A dot in its name changes nothing."""
    one, many = find_sources(str(picture)), find_sources(str(tmp_path))
    assert _targets(one, f"{tmp_path}/out.d/") == [f"{tmp_path}/out.d/p.isth"]
    assert _targets(many, f"{tmp_path}/out.2024") == [f"{tmp_path}/out.2024/p.isth"]
    assert _targets(one, f"{tmp_path}/x.isth") == [f"{tmp_path}/x.isth"]
    with pytest.raises(UsageError, match="ends in /"):
        plan_jobs(one, "x.png", **ISTH)
    with pytest.raises(UsageError, match="is one file"):
        plan_jobs(many, "x.isth", **ISTH)


def test_a_target_has_one_source(tmp_path):
    """photo.jpg and photo.png side by side: the second is refused, with what keeps them apart."""
    found = Found((Source("photo.jpg"), Source("photo.png")))
    plan = plan_jobs(found, str(tmp_path), **ISTH)
    assert len(plan.jobs) == 1
    assert "--keep-suffix" in str(plan.errors[0])
    assert _targets(found, "o", keep_suffix=True) == ["o/photo.jpg.isth", "o/photo.png.isth"]


def test_no_name_leads_out_of_the_folder(tmp_path):
    """Names of Parquet rows are anybody's; one that is too long is an error of its own."""
    names = ["/etc/x.png", "../x.png", "a/../../x.png", "", "a\0.png", "n" * 251 + ".png", "good.png"]
    plan = plan_jobs(Found(tuple(Source(name) for name in names)), str(tmp_path), **ISTH)
    assert [job.target.name for job in plan.jobs] == ["good.isth"]
    assert len(plan.errors) == len(names) - 1


def test_existing_targets_may_be_left(picture, tmp_path):
    """As they are."""
    (tmp_path / "p.isth").write_bytes(b"")
    plan = plan_jobs(find_sources(str(picture)), f"{tmp_path}/", **ISTH, existing=SKIP)
    assert (len(plan.jobs), len(plan.skipped)) == (0, 1)
