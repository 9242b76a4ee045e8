"""A picture is read as a viewer shows it, whatever its file holds."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from experiments.errors import UsageError
from experiments.inputs.pictures import read

GREY = np.random.default_rng(0).integers(0, 256, (6, 9), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def saved(tmp_path, image: Image.Image, kind: str = "PNG", **options):
    path = tmp_path / f"picture.{kind.lower()}"
    image.save(path, kind, **options)
    return path


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_the_eight_that_they_are_worth(tmp_path, kind):
    image = Image.fromarray(GREY.astype(np.uint16) * 257)
    np.testing.assert_array_equal(read(saved(tmp_path, image, kind)).pixels[..., 0], GREY)


def test_floats_are_scaled_and_those_without_a_known_white_refused(tmp_path):
    unit = GREY.astype(np.float32) / 255
    path = saved(tmp_path, Image.fromarray(unit), "TIFF")
    np.testing.assert_array_equal(read(path).pixels[..., 1], GREY)
    for wrong in (unit * 255, unit - 0.5, unit * np.nan):
        path = saved(tmp_path, Image.fromarray(wrong), "TIFF")
        with pytest.raises(UsageError, match="white is unknown"):
            read(path)


def test_integers_of_32_bits_are_refused(tmp_path):
    path = saved(tmp_path, Image.fromarray(GREY.astype(np.int32)), "TIFF")
    with pytest.raises(UsageError, match="no agreed white"):
        read(path)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "CMYK"])
def test_every_mode_is_the_colour_that_pillow_makes_of_it(tmp_path, mode):
    image = Image.fromarray(COLOUR).convert(mode)
    kind = "TIFF" if mode == "CMYK" else "PNG"
    found = read(saved(tmp_path, image, kind))
    np.testing.assert_array_equal(found.pixels, np.asarray(image.convert("RGB")))
    assert not found.composed


@pytest.mark.parametrize("hidden", [0, 255])
def test_transparency_is_composed_on_white_and_told_once(tmp_path, hidden, capsys):
    rgba = np.dstack([COLOUR, np.full((6, 9), 255, np.uint8)])
    rgba[:3, ..., :3], rgba[:2, ..., 3], rgba[2, ..., 3] = hidden, 0, 128
    path = saved(tmp_path, Image.fromarray(rgba))
    for _ in range(2):
        found = read(path, of=str(tmp_path))
    assert found.composed and (found.pixels[:2] == 255).all()
    half = round(hidden * 128 / 255 + 255 * 127 / 255)
    assert abs(found.pixels[2].astype(int) - half).max() <= 1
    np.testing.assert_array_equal(found.pixels[3:], COLOUR[3:])
    assert capsys.readouterr().err.count("composed on white") == 1


def test_a_clear_colour_is_transparent_in_16_bits_too(tmp_path):
    path = saved(tmp_path, Image.fromarray(GREY.astype(np.uint16) * 257), transparency=257 * 7)
    (path.parent / "a.png").write_bytes(path.read_bytes())
    expected = np.where(GREY == 7, 255, GREY)
    np.testing.assert_array_equal(read(path).pixels[..., 2], expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_a_picture_as_a_viewer_does(tmp_path, orientation):
    turned = {
        1: COLOUR, 2: COLOUR[:, ::-1], 3: COLOUR[::-1, ::-1], 4: COLOUR[::-1],
        5: COLOUR.swapaxes(0, 1), 6: np.rot90(COLOUR, -1),
        7: COLOUR[::-1, ::-1].swapaxes(0, 1), 8: np.rot90(COLOUR),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, Image.fromarray(COLOUR), exif=exif)
    np.testing.assert_array_equal(read(path).pixels, turned)


def bomb(side: int) -> bytes:
    """The header and the beginning of a PNG of side x side pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(side + 1) * 2)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def png(*frames: np.ndarray) -> bytes:
    first, *others = map(Image.fromarray, frames)
    buffer = io.BytesIO()
    first.save(buffer, "PNG", **({"save_all": True, "append_images": others} if others else {}))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (bomb(20_000), "decompression bomb"),
        (bomb(11_000), "11000 x 11000 pixels are more than"),
        (png(COLOUR)[:-40], "truncated"),
        (png(GREY, 255 - GREY), "it has several frames"),
        (b"GIF89a", "it is none of PNG, JPEG"),
        (b"", "it is none of"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path, data, why):
    (tmp_path / "x.png").write_bytes(data)
    with pytest.raises(
        UsageError, match=rf"x\.png is no image that can be read: .*{why}"
    ) as refused:
        read(tmp_path / "x.png")
    assert "\n" not in str(refused.value)
