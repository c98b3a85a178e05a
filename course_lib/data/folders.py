"""Read a folder of images: a folder for each class, with or without splits above it.

    flowers/train/daisy/001.jpg      or     flowers/daisy/001.jpg
    flowers/test/daisy/002.jpg              flowers/rose/002.jpg

Splits may be called train or training; val, valid, validation or dev; test or testing;
in any case, and followed by set, data or images. A lone folder around all of it is
stepped into. Images of a class may lie in folders of its folder; those beside the
folders of classes are not read. What a system leaves (.thumbs, __MACOSX, Thumbs.db, …)
and empty folders count as nothing. Where a layout can be read in two ways, a DataError
names the folders: nothing is guessed.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from course_lib.data.decode import EXTENSIONS, OTHERS
from course_lib.data.download import DataError

SPLITS = ("train", "val", "test")
SPELLINGS = re.compile(
    r"((?P<train>train(ing)?)|(?P<val>val|valid|validation|dev)|(?P<test>test(ing)?))"
    r"([ _-]?(set|data|images))?",
    re.IGNORECASE,
)
JUNK = {"__macosx", "__pycache__", "@eadir", "@tmp", "#recycle", "$recycle.bin"}
JUNK |= {"system volume information", "lost+found", "thumbs.db", "desktop.ini"}
OWN = "put the images of each class in a folder of their own, named after the class"


class Tree(NamedTuple):
    """What a folder holds, without hidden names, in order of names."""

    path: Path
    images: list[Path]  # right in it
    others: list[Path]  # files right in it that are no images
    folders: list[Tree]

    def every(self) -> list[Path]:
        """Return all images in it and below, in order of paths."""
        below = chain.from_iterable(folder.every() for folder in self.folders)
        return sorted([*self.images, *below])

    def holds(self, kind: str) -> bool:
        """Say whether there are "images", or "others", in it or below."""
        return bool(getattr(self, kind)) or any(f.holds(kind) for f in self.folders)

    def full(self) -> list[Tree]:
        return [folder for folder in self.folders if folder.holds("images")]


def read_folder(path: Path):
    """List the images of a folder: (path, {split: (paths, labels)}, classes)."""
    given = splits(unwrapped(scan(path)))
    classes, parts = [], {}
    for split in given:  # train first
        found = class_folders(given[split], split, classes)
        classes = classes or list(found)
        if strange := set(found) - set(classes):
            raise DataError(
                f"{found[min(strange)].path} is a class that {given['train'].path} "
                "lacks: remove it, or add training images"
            )
        files = [found[name].every() if name in found else [] for name in classes]
        labels = torch.arange(len(classes)).repeat_interleave(
            torch.tensor([len(of_class) for of_class in files])
        )
        parts[split] = np.array([*chain.from_iterable(files)], dtype=object), labels
    return path, parts, tuple(classes)


def scan(path: Path, above: tuple[str, ...] = ()) -> Tree:
    """Go through a folder, and its folders, once."""
    tree, real = Tree(path, [], [], []), os.path.realpath(path)
    if real in above:
        raise DataError(f"{path} is a link to a folder that it lies in: remove it")
    try:
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error}): allow it, or move it away"
        ) from error
    for entry in entries:
        file = path / entry.name
        if hidden(entry.name):
            continue
        if entry.is_dir():
            tree.folders.append(scan(file, (*above, real)))
        elif file.suffix.lower() in EXTENSIONS | OTHERS:
            tree.images.append(file)
        else:
            tree.others.append(file)
    return tree


def hidden(name: str) -> bool:
    """Say whether a system or an editor made this, for itself."""
    return name.startswith(".") or name.casefold() in JUNK


def split_of(folder: Tree) -> str | None:
    """Return the split that a folder is called after."""
    found = SPELLINGS.fullmatch(folder.path.name)
    return found and next(split for split in SPLITS if found[split])


def unwrapped(tree: Tree, split: str | None = None, classes=()) -> Tree:
    """Step into lone folders that hold folders, and are no class and no other split."""
    while len(inside := tree.full()) == 1:
        (lone,) = inside
        if lone.images or lone.path.name in classes:
            break
        if split_of(lone) not in (None, split):
            break
        tree = lone
    return tree


def splits(tree: Tree) -> dict[str, Tree]:
    """Return the folder of each split; a folder without splits is all "train"."""
    called = [folder for folder in tree.folders if split_of(folder)]
    others = [folder for folder in tree.full() if folder not in called]
    if not called:
        return {"train": tree}
    for folder in called:
        if not folder.holds("images"):
            raise DataError(f"no images in {folder.path}: add some, or remove it")
    if not any(folder.full() for folder in called):  # images lie right in them
        if others and [split_of(folder) for folder in called] == ["train"]:
            return {"train": tree}  # a class of trains, beside cars and buses
        if not others:
            raise DataError(f"no folders of images in {named(called)}: {OWN}")
    if others:
        raise DataError(
            f"{tree.path} has {shown(called)} and, beside that, {shown(others)}: are "
            "these classes or splits? Put the classes of each split into its folder, "
            "or give a class another name"
        )
    given = {split: [f for f in called if split_of(f) == split] for split in SPLITS}
    for split, folders in given.items():
        if len(folders) > 1:
            raise DataError(f"{named(folders)} are all for {split}: keep one of them")
    if not given["train"]:
        raise DataError(f"{tree.path} has {shown(called)} but no folder train: add it")
    return {split: folders[0] for split, folders in given.items() if folders}


def class_folders(tree: Tree, split: str, known: list[str]) -> dict[str, Tree]:
    """Return the folder of each class, in order of their names.

    known: the classes of the training images, where there are some already.
    """
    tree = unwrapped(tree, split, known)
    for folder in tree.folders:
        if folder.holds("others") and not folder.holds("images"):
            raise DataError(
                f"{folder.path} holds files but no images ({kinds()}): convert them, "
                "or move it away"
            )
    classes = tree.full()
    if not classes:
        raise DataError(f"no folders of images in {tree.path}: {OWN} ({kinds()})")
    if len(classes) == 1 and not known:
        raise DataError(
            f"{classes[0].path} is the only folder of images in {tree.path}: {OWN}, "
            "and have 2 classes or more"
        )
    refuse_unclear(classes, bool(known))
    return {folder.path.name: folder for folder in classes}


def refuse_unclear(classes: list[Tree], known: bool) -> None:
    """Refuse folders of classes in which splits, or other classes, seem to be."""
    for folder in classes:
        if inner := [inside for inside in folder.full() if split_of(inside)]:
            raise DataError(
                f"{named(inner)} is a split in the folder of a class: put the folders "
                f"of classes into those of splits, {split_of(inner[0])}/CLASS"
            )
    inner = {f.path: {i.path.name for i in unwrapped(f).full()} for f in classes}
    twice = Counter(chain.from_iterable(inner.values()))
    twice = sorted(name for name, times in twice.items() if times > 1)
    if len(twice) > 1 and not known:
        alike = [folder for folder in classes if twice[0] in inner[folder.path]]
        raise DataError(
            f"{shown(alike)} in {alike[0].path.parent} hold folders of the same names, "
            f"{', '.join(twice[:3])}: which are the classes? {OWN}"
        )


def shown(folders: list[Tree]) -> str:
    names = ", ".join(folder.path.name for folder in folders[:3])
    return names + (" and more" if len(folders) > 3 else "")


def named(folders: list[Tree]) -> str:
    return " and ".join(str(folder.path) for folder in folders[:3])


def kinds() -> str:
    return " ".join(sorted(EXTENSIONS))
