"""Whatever kind a file is of, its image is right; what cannot be right is named."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from course_lib import data
from course_lib.data.decode import EXTENSIONS, OTHERS, decode

RAMP = np.arange(0, 256, 4, dtype=np.uint8).reshape(8, 8)


def folder_of(root, save, name):
    """Make a folder of two classes, three images each; `save` writes to a path."""
    for label in ("cat", "dog"):
        (root / label).mkdir()
        for i in range(3):
            save(root / label / f"{i}{name}")
    return root


def loaded(root, save, name):
    """Return the pixels (H, W, 3) of an image that `save` writes."""
    images = data.load(folder_of(root, save, name)).images
    return images[0].permute(1, 2, 0).numpy()


def grey_of(values):
    return lambda path: Image.fromarray(values).save(path)


# Bits


def twelve_bits(values):
    """Write a TIFF that packs 12 bits a pixel, as scanners do."""

    def save(path):
        height, width = values.shape
        packed = "".join(f"{value:012b}" for value in values.flat)
        raw = int(packed, 2).to_bytes(len(packed) // 8, "big")
        tags = [(256, width), (257, height), (258, 12), (259, 1), (262, 1)]
        tags += [(273, 8), (277, 1), (278, height), (279, len(raw))]
        rows = (struct.pack("<HHII", tag, 3, 1, value) for tag, value in tags)
        head = b"II*\0" + struct.pack("<I", 8 + len(raw)) + raw
        path.write_bytes(
            head + struct.pack("<H", len(tags)) + b"".join(rows) + b"\0" * 4
        )

    return save


def negative(values):
    """Write a TIFF in which 0 is white."""

    def save(path):
        Image.fromarray(65535 - values).save(path)
        tag = struct.pack("<HHI", 262, 3, 1)  # photometric: 1 is black
        content = path.read_bytes()
        path.write_bytes(content.replace(tag + b"\1", tag + b"\0"))

    return save


def portable(values, white):
    """Write a .pgm with that value for white."""
    head = f"P5 8 8 {white}\n".encode()
    return lambda path: path.write_bytes(head + values.astype(">u2").tobytes())


SIXTEEN = RAMP.astype(np.uint16) * 257
TWELVE = np.rint(RAMP * (4095 / 255)).astype(np.uint16)


@pytest.mark.parametrize(
    ("save", "name"),
    [
        (grey_of(RAMP), ".png"),
        (grey_of(SIXTEEN), ".png"),
        (grey_of(SIXTEEN), ".tif"),
        (grey_of(SIXTEEN.astype(">u2")), ".tif"),
        (portable(SIXTEEN, 65535), ".pgm"),
        (portable(TWELVE, 4095), ".pgm"),
        (twelve_bits(TWELVE), ".tif"),
        (negative(SIXTEEN), ".tif"),
        (grey_of(SIXTEEN), ".jp2"),
    ],
)
def test_16_and_12_bits_become_8_from_black_to_white(tmp_path, save, name):
    found = loaded(tmp_path, save, name)
    assert np.array_equal(found, np.repeat(RAMP[..., None], 3, axis=2))


@pytest.mark.parametrize(
    ("values", "name", "message"),
    [
        (RAMP.astype(np.int32), ".tif", r"32-bit integers \(mode I\)"),
        (RAMP / np.float32(255), ".tif", r"floats \(mode F\)"),
        (TWELVE, ".png", r"values up to 4047 \(mode I;16\) of 65535: of 256"),
        (TWELVE, ".tif", r"values up to 4047 \(mode I;16\) of 65535: of 256"),
    ],
)
def test_an_image_that_does_not_tell_its_white_is_named(
    tmp_path, values, name, message
):
    with pytest.raises(data.DataError, match=rf"\d{name} has {message}.*8 bits"):
        loaded(tmp_path, grey_of(values), name)


def test_a_black_image_of_16_bits_is_black(tmp_path):
    assert not loaded(tmp_path, grey_of(np.zeros((4, 4), np.uint16)), ".png").any()


# Modes


def red(mode, **keys):
    return Image.new("RGB", (8, 8), (200, 30, 40)).convert(mode, **keys)


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("CMYK", ".jpg"),
        ("CMYK", ".tif"),
        ("P", ".png"),
        ("P", ".gif"),
        ("RGB", ".webp"),
    ],
)
def test_cmyk_and_palettes_become_rgb(tmp_path, mode, name):
    keys = {"palette": Image.Palette.ADAPTIVE} if mode == "P" else {}
    found = loaded(tmp_path, lambda path: red(mode, **keys).save(path), name)
    assert np.abs(found.astype(int) - (200, 30, 40)).max() <= 5


def test_one_bit_is_black_or_white(tmp_path):
    found = loaded(tmp_path, grey_of(RAMP > 100), ".png")
    assert np.array_equal(found[..., 0], np.where(RAMP > 100, 255, 0))


def icon(mode):
    """Return an image of a red left half, beside which it is transparent."""
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    image.paste((200, 30, 40, 255), (0, 0, 4, 8))
    if mode == "P":
        return image.quantize(4)
    return image.convert(mode)


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("RGBA", ".png"),
        ("LA", ".png"),
        ("P", ".png"),
        ("RGBA", ".gif"),
        ("RGBA", ".webp"),
    ],
)
def test_what_is_transparent_lies_on_white(tmp_path, mode, name):
    found = loaded(tmp_path, lambda path: icon(mode).save(path, lossless=True), name)
    assert (found[:, 4:] == 255).all()
    expected = (200, 30, 40) if mode != "LA" else [82] * 3
    assert np.abs(found[:, :4].astype(int) - expected).max() <= 1


def test_a_colour_that_stands_for_transparent_lies_on_white(tmp_path):
    image = Image.fromarray(RAMP)
    found = loaded(tmp_path, lambda path: image.save(path, transparency=0), ".png")
    assert found[0, 0].tolist() == [255] * 3
    assert found[0, 1].tolist() == [4] * 3


def test_half_transparent_is_half_white(tmp_path):
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 128))
    found = loaded(tmp_path, lambda path: image.save(path), ".png")
    assert found.min() == found.max() == 127


# Kinds of files


@pytest.mark.parametrize("name", [".gif", ".jfif", ".avif", ".webp", ".bmp", ".JPE"])
def test_no_kind_of_image_is_left_out(tmp_path, name):
    if name == ".avif":
        Image.init()
        if name not in Image.EXTENSION:
            pytest.skip("this Pillow has no AVIF")
    found = loaded(tmp_path, lambda path: red("RGB").save(path), name)
    assert found.shape == (8, 8, 3)
    assert np.abs(found.astype(int) - (200, 30, 40)).max() <= 12


@pytest.mark.parametrize("name", [".gif", ".tif", ".webp", ".png"])
def test_of_many_frames_the_first_is_read(tmp_path, name):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "lime")]
    more = {"save_all": True, "append_images": frames[1:]}
    found = loaded(tmp_path, lambda path: frames[0].save(path, **more), name)
    assert np.abs(found[4, 4].astype(int) - (255, 0, 0)).max() <= 3


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_a_kind_that_pillow_cannot_read_is_named(tmp_path, name):
    folder_of(tmp_path, lambda path: red("RGB").save(path), ".png")
    (tmp_path / "dog" / f"photo{name}").write_bytes(b"what only a plug-in can read")
    message = rf"dog/photo\{name} cannot be read as an image.*convert it to \.png"
    with pytest.raises(data.DataError, match=message):
        data.load(tmp_path)


def test_every_kind_that_is_promised_can_be_opened():
    Image.init()
    assert EXTENSIONS - {".avif"} <= set(Image.EXTENSION)  # .avif: since Pillow 11.3
    assert not OTHERS & EXTENSIONS


# Sizes and orientation


def test_images_of_many_sizes_need_a_size(tmp_path):
    folder_of(tmp_path, grey_of(RAMP), ".png")
    Image.new("L", (30, 20)).save(tmp_path / "dog" / "2.png")
    with pytest.raises(data.DataError, match=r"2\.png has 20 x 30 .*pass size="):
        data.load(tmp_path)
    assert data.load(tmp_path, size=16).images.shape == (2, 3, 16, 16)


def test_sizes_are_compared_before_anything_is_decoded(tmp_path):
    """Or a folder of large photos would fill the memory, for one sentence."""
    folder_of(tmp_path, grey_of(RAMP), ".png")
    damaged = tmp_path / "cat" / "2.png"
    damaged.write_bytes(damaged.read_bytes()[:-30])  # its header is whole
    grey_of(RAMP[:4])(tmp_path / "dog" / "2.png")
    with pytest.raises(data.DataError, match=r"dog/2\.png has 4 x 8 pixels, .*cat/2"):
        data.load(tmp_path)
    with pytest.raises(data.DataError, match=r"cat/2\.png cannot be read as an image"):
        data.load(tmp_path, size=8)


def test_more_than_the_memory_is_said(tmp_path):
    grey_of(RAMP)(tmp_path / "a.png")
    files = np.array([tmp_path / "a.png"], dtype=object)
    with pytest.raises(data.DataError, match=r"need 300000 GB .*pass a smaller size="):
        decode(files, 10**7)  # more than there are addresses


@pytest.mark.parametrize("name", [".png", ".jpg", ".tif", ".webp"])
def test_photos_are_turned_upright_and_then_compared(tmp_path, name):
    """A camera held upright writes the same rows and columns, and a note."""
    upright = Image.new("RGB", (24, 16), "white")
    upright.paste("black", (0, 0, 24, 8))  # the upper half
    noted = upright.transpose(Image.Transpose.ROTATE_90)
    exif = noted.getexif()
    exif[0x0112] = 6  # turn it by 90 degrees clockwise to see it upright

    def save(path):
        if path.parent.name == "cat":
            noted.save(path, exif=exif)
        else:
            upright.save(path)

    images = data.load(folder_of(tmp_path, save, name)).images
    assert images.shape == (2, 3, 16, 24)
    for image in images:
        assert image[:, :6].max() < 40 < 215 < image[:, 10:].min()


def test_16_bits_are_turned_upright_too(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    image = Image.fromarray(SIXTEEN)
    found = loaded(tmp_path, lambda path: image.save(path, exif=exif), ".png")
    assert np.array_equal(found[..., 0], RAMP[::-1, ::-1])


@pytest.mark.parametrize("content", [b"", b"not an image", None])
def test_broken_image_is_named(tmp_path, content):
    folder_of(tmp_path, grey_of(RAMP), ".png")
    bad = tmp_path / "dog" / "2.png"
    bad.write_bytes(bad.read_bytes()[:-30] if content is None else content)
    with pytest.raises(data.DataError, match=r"dog/2\.png cannot be read as an image"):
        data.load(tmp_path)
