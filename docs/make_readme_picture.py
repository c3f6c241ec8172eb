"""Make docs/images/readme.jpg from a finished demo: ``python docs/make_readme_picture.py demo``.

Above the atlas of one synthetic patient, below some of its nodes on the CT; nothing else than what the report shows.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image

from axilla.pipeline.pictures import read_pictures

WIDTH_PX = 1000
NODES = 4


def main(demo: Path) -> None:
    """Stack the overview and the first nodes of the patient it shows."""
    study = demo / "study"
    rows = [Image.open(study / "figures" / "overview.jpg")]
    pictures = read_pictures(study / "patients" / "P0001" / "pictures")[:NODES]
    nodes = [Image.open(io.BytesIO(drawing.data)) for drawing in pictures]
    pairs = [nodes[i : i + 2] for i in range(0, len(nodes), 2)]
    rows += [_beside(pair) for pair in pairs]
    scaled = [row.resize((WIDTH_PX, round(row.height * WIDTH_PX / row.width)), Image.Resampling.LANCZOS) for row in rows]
    sheet = Image.new("RGB", (WIDTH_PX, sum(row.height for row in scaled)), "white")
    top = 0
    for row in scaled:
        sheet.paste(row, (0, top))
        top += row.height
    target = Path(__file__).resolve().parent / "images" / "readme.jpg"
    target.parent.mkdir(exist_ok=True)
    sheet.save(target, quality=82, optimize=True)


def _beside(pictures: list[Image.Image]) -> Image.Image:
    sheet = Image.new("RGB", (sum(p.width for p in pictures), max(p.height for p in pictures)), "white")
    left = 0
    for picture in pictures:
        sheet.paste(picture, (left, 0))
        left += picture.width
    return sheet


if __name__ == "__main__":
    main(Path(sys.argv[1]))
