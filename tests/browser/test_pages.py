"""Each page's main path, in a browser, with real pictures and a real small training."""

from __future__ import annotations

import json
import os
import signal
import time
import zipfile
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

import isthmus
from tests.browser.conftest import Studio, until
from tests.studio.conftest import photograph

pytestmark = pytest.mark.slow
FIRST_BYTES = "Number(document.querySelector('#numbers td').textContent.replace(',', ''))"

NUMBERS = "[...document.querySelectorAll('#numbers tr')]"
ALL_TOLD = f"{NUMBERS}.length === 3 && !{NUMBERS}.some((row) => row.textContent.includes('…'))"
CODED = f"{NUMBERS}.length > 1 && document.querySelector('#get-file').href"
FIRST_IS_NEVER_ANSWERED = """() => {
  const Real = window.EventSource;
  window.EventSource = class {
    constructor(address) {
      if (document.body.dataset.asked) return new Real(address);
      document.body.dataset.asked = address;
    }
    addEventListener() {}
    close() {}
  };
}"""
PLACES = ["", "train", "code", "packs", "models"]


def has_no_sideways_scroll(page):
    """Whether all of the page fits into its width."""
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def empty_tray(page):
    """As the next test expects it."""
    while before := page.locator("#tray li").count():
        page.click("#tray li:first-child button.bare")
        until(page, f"document.querySelectorAll('#tray li').length < {before}")


def test_photographs_are_compared_at_equal_bytes_and_saved(page, studio, tmp_path):
    """Dropped, coded, beside another codec; the file that is saved is the command line's; all as one zip."""
    pictures = sorted(studio.data.glob("*.png"))
    page.set_input_files("#files", [str(path) for path in pictures])
    until(page, ALL_TOLD)
    mine, theirs = (int(page.inner_text(f"#numbers tr:nth-child({row}) td").replace(",", "")) for row in (1, 2))
    assert theirs <= mine
    with page.expect_download() as download:
        page.click("#get-file")
    saved = tmp_path / "saved.isth"
    download.value.save_as(saved)
    assert download.value.suggested_filename == "holiday 0.isth"
    assert saved.read_bytes() == isthmus.encode(Image.open(pictures[0]), quality=60)
    page.focus("#quality")
    page.keyboard.press("Home")
    until(page, f"{FIRST_BYTES} < {mine}")
    with page.expect_download() as download:
        page.click("#get-all")
    download.value.save_as(tmp_path / "all.zip")
    assert zipfile.ZipFile(tmp_path / "all.zip").namelist() == ["holiday 0.isth", "holiday 1.isth"]
    empty_tray(page)


def test_the_next_picture_is_coded_where_one_is_chosen_amid_another(page, studio):
    """A question that is overtaken ends; the page does not wait for its answer."""
    page.set_input_files("#files", [str(path) for path in sorted(studio.data.glob("*.png"))])
    until(page, "document.querySelectorAll('#tray li').length === 2")
    until(page, ALL_TOLD)
    page.evaluate(FIRST_IS_NEVER_ANSWERED)
    page.click("#tray li:nth-child(2) .pick")
    until(page, "document.body.dataset.asked")
    page.click("#tray li:nth-child(1) .pick")
    until(page, CODED)
    assert "holiday 0" in page.inner_text("#numbers tr:last-child")
    empty_tray(page)


def test_the_view_zooms_moves_and_splits_from_the_keyboard(page, studio):
    """And what it draws changes with each key; the map of the error is another picture."""
    page.set_input_files("#files", str(next(studio.data.glob("*.png"))))
    until(page, CODED)
    page.focus("#view")
    seen = []
    for key in ("1", "+", "+", "+", "ArrowLeft", "ArrowUp", "[", "]", "]", "-"):
        page.keyboard.press(key)
        seen.append(page.evaluate("document.querySelector('#view').toDataURL()"))
    assert all(one != two for one, two in pairwise(seen))
    assert page.inner_text("#zoom") == "156 %"
    page.check("#error")
    until(page, f"document.querySelector('#view').toDataURL() !== {json.dumps(seen[-1])}")
    page.click("#tray button.bare")


def test_a_digit_is_drawn_and_its_code_moved(page, studio):
    """The picture, the bars and the bytes follow; so do the map and the walk."""
    page.goto(f"{studio.home}code")
    until(page, "document.querySelector('#map-note').textContent.includes('600 samples')")
    until(page, "document.querySelector('#to').width === 28")
    decoded = "document.querySelector('#decoded').toDataURL()"
    page.click("#clear")
    box = page.locator("#drawing").bounding_box()
    before = page.evaluate(decoded)
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.25 * box["height"], steps=6)
    page.mouse.move(box["x"] + 0.45 * box["width"], box["y"] + 0.85 * box["height"], steps=6)
    page.mouse.up()
    until(page, f"{decoded} !== {json.dumps(before)}")
    assert page.inner_text("#bytes").endswith("B")
    assert page.locator("#sliders input").count() == 12
    time.sleep(0.3)
    before = page.evaluate(decoded)
    page.focus("#sliders input")
    page.keyboard.press("End")
    until(page, f"{decoded} !== {json.dumps(before)}")
    before = page.evaluate(decoded)
    page.focus("#map")
    page.keyboard.press("ArrowLeft")
    until(page, f"{decoded} !== {json.dumps(before)}")
    page.click("#set-to")
    before = page.evaluate(decoded)
    page.focus("#way")
    page.keyboard.press("ArrowRight")
    until(page, f"{decoded} !== {json.dumps(before)}")


def test_a_run_is_started_watched_and_its_code_touched(page, studio):
    """Its curve grows, its pictures appear, and it is there when the page comes back."""
    page.goto(f"{studio.home}train")
    page.fill("#epochs", "2")
    page.click("summary:has-text('Settings')")
    page.fill("[name='model.code']", "6")
    page.fill("#more", "data.count=500\nmodel.hidden=16")
    page.click("#start")
    row = "document.querySelector('[data-run=\"glyphs-dense\"]')"
    until(page, f"{row}?.textContent.includes('finished')", 400)
    until(page, "document.querySelectorAll('#chart polyline').length >= 2")
    until(page, "document.querySelector('#epoch-of').textContent === 'glyphs-dense, epoch 2 of 2'")
    assert page.evaluate("document.querySelector('#pictures').naturalWidth") > 300
    page.reload()
    until(page, f"{row}?.textContent.includes('2 of 2')")
    page.click("[data-run='glyphs-dense'] a")
    until(page, "document.querySelector('#model').textContent.includes('glyphs-dense')")


def test_a_pack_scrolls_is_searched_and_saved_from(page, studio, tmp_path):
    """From its first picture to its last."""
    page.goto(f"{studio.home}packs")
    page.click("#folder")
    page.click("dialog button:has-text('small.isthpack')")
    whole = "document.querySelector('#gallery').dataset.whole === 'true'"
    until(page, whole)
    page.focus("#gallery")
    page.keyboard.press("End")
    until(page, "document.querySelector('#facts').textContent.includes('20,000 of 20,000')")
    until(page, whole)
    page.fill("#name", "00042")
    until(page, "document.querySelector('#found button')")
    page.click("#found button")
    until(page, "document.querySelector('#facts').textContent.includes('00042')")
    page.check("#pick")
    with page.expect_download() as download:
        page.click("#get-png")
    download.value.save_as(tmp_path / "chosen.zip")
    with zipfile.ZipFile(tmp_path / "chosen.zip") as archive:
        assert archive.namelist() == ["00042.png"]
        assert np.asarray(Image.open(archive.open("00042.png"))).shape == (8, 8)


def test_a_model_is_added_and_removed(page, studio):
    """The second press removes."""
    page.goto(f"{studio.home}models")
    until(page, "document.querySelectorAll('article').length > 0")
    shipped = page.locator("article").count()
    page.set_input_files("#file", str(studio.data / "golden.isthmus"))
    until(page, f"document.querySelectorAll('article').length === {shipped + 1}")
    remove = page.locator("article button")
    remove.click()
    remove.click()
    until(page, f"document.querySelectorAll('article').length === {shipped}")


@pytest.mark.parametrize("width", [375, 1280, 2560])
def test_pages_fit_every_width_and_have_a_name_for_everything(page, studio, width, tmp_path):
    """No sideways scrolling, no control without a label, no text that is too faint, light and dark."""
    page.set_viewport_size({"width": width, "height": 800})
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for place in PLACES:
            page.goto(f"{studio.home}{place}")
            page.wait_for_load_state("networkidle") if place not in ("train",) else time.sleep(0.3)
            assert has_no_sideways_scroll(page), (place, width)
            assert page.evaluate(NAMELESS) == [], (place, width)
            assert page.evaluate(FAINT) == [], (place, scheme)
            if folder := os.environ.get("ISTHMUS_SCREENSHOTS"):
                page.screenshot(path=f"{folder}/{place or 'compress'}-{width}-{scheme}.png", full_page=True)


NAMELESS = """[...document.querySelectorAll('button, a, input, select, textarea, canvas[tabindex], img')]
  .filter((one) => one.checkVisibility() && !one.textContent.trim() && !one.labels?.length &&
    !one.getAttribute('aria-label') && !one.hasAttribute('alt')).map((one) => one.outerHTML)"""
FAINT = """(() => {
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((one) => one / 255)
    .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    .reduce((sum, one, index) => sum + one * [0.2126, 0.7152, 0.0722][index], 0);
  const ground = (one) => {
    for (; one; one = one.parentElement) {
      const found = numbers(getComputedStyle(one).backgroundColor);
      if (found.length < 4 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll('body *')].filter((one) => one.checkVisibility() &&
    !one.closest('.tag, :disabled, [aria-disabled=true], option') &&
    [...one.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim())).filter((one) => {
      const [first, second] = [light(numbers(getComputedStyle(one).color)), light(ground(one))].sort((a, b) => b - a);
      return (first + 0.05) / (second + 0.05) < 4.5;
    }).map((one) => one.outerHTML.slice(0, 120));
})()"""


def test_everything_is_reached_by_the_tab_key_and_seen_there(page, studio):
    """Each stop has an outline."""
    for place in PLACES:
        page.goto(f"{studio.home}{place}")
        page.wait_for_load_state("domcontentloaded")
        time.sleep(0.3)
        reached = set()
        for _ in range(40):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.id || document.activeElement.textContent.slice(0, 20)"))
            outline = page.evaluate(
                "(() => { const one = document.activeElement; if (one === document.body) return 'none left';"
                "const shown = (each) => getComputedStyle(each).outlineStyle !== 'none';"
                "const drop = one.closest('.drop');"
                "return shown(one) || drop && shown(drop) || one.classList.contains('unseen') })()"
            )
            assert outline, (place, page.evaluate("document.activeElement.outerHTML"))
        assert len(reached) >= 7, (place, reached)


def test_a_hostile_name_stays_text(page, studio, tmp_path):
    """A file's name is never markup."""
    picture = tmp_path / "<img src=x onerror=alert(1)>.png"
    Image.fromarray(photograph(40, 40)).save(picture)
    page.on("dialog", lambda dialog: pytest.fail("a name was run"))
    page.set_input_files("#files", str(picture))
    until(page, CODED)
    assert page.inner_text("#tray .name") == picture.name
    page.click("#tray button.bare")


def test_two_browsers_work_side_by_side(chromium, studio, page):
    """A thousand messages of one leave the other its own code."""
    other = chromium.new_context().new_page()
    other.goto(studio.address)
    for one in (page, other):
        one.goto(f"{studio.home}code")
        until(one, "document.querySelector('#to').width === 28")
    key = page.input_value("#model")
    flood = (
        "async ([key, sign]) => { const seen = new Set();"
        "for (let round = 0; round < 50; round++) await Promise.all(Array.from({ length: 10 },"
        "async () => { const body = JSON.stringify({ code: new Array(12).fill(sign) });"
        "const answer = await fetch(`/code/${key}/decode`, { method: 'POST', body });"
        "seen.add((await answer.json()).pixels); })); return [...seen]; }"
    )
    first, second = page.evaluate(flood, [key, 2]), other.evaluate(flood, [key, -2])
    assert len(first) == len(second) == 1
    assert first != second
    other.context.close()


def test_a_studio_that_was_killed_is_started_again_and_finds_the_run(chromium, tmp_path, studio):
    """The run went on meanwhile, and the page that comes back sees it."""
    first = Studio(tmp_path, studio.data)
    page = chromium.new_context().new_page()
    page.goto(first.address)
    page.goto(f"{first.home}train")
    page.fill("#epochs", "5000")
    page.fill("#more", "data.count=300\nmodel.hidden=8") if page.locator("#more").is_visible() else page.click(
        "summary:has-text('Settings')"
    )
    page.fill("#more", "data.count=300\nmodel.hidden=8")
    page.click("#start")
    row = "document.querySelector('[data-run=\"glyphs-dense\"]')"
    until(page, f"{row}?.textContent.includes('running')", 90)
    first.process.kill()
    first.process.wait(10)
    first.process.stdout.close()
    second = Studio(tmp_path, studio.data)
    page.goto(second.address)
    page.goto(f"{second.home}train")
    until(page, f"{row}?.textContent.includes('running')", 30)
    os.kill(json.loads((tmp_path / "runs" / "glyphs-dense" / "studio.json").read_text())["process"], signal.SIGKILL)
    until(page, f"{row}?.textContent.includes('stopped')", 30)
    page.context.close()
    second.end()
