"""What a count found: costs by layer and in sum, and how they are shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple

from course_lib.flops.receptive import EVERYTHING


@dataclass
class Layer:
    """What one module did itself, summed over its calls; its children have their own.

    name: as in `model.get_submodule`. params: those first used here.
    receptive_field: pixels along the longer side; inf: the whole image; None: no image.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...] = ()
    params: int = 0
    macs: int = 0
    activations: int = 0
    bytes_moved: int = 0
    receptive_field: float | None = None
    calls: int = 0
    ops: dict[str, int] = field(default_factory=dict)  # MACs of each; views left out


@dataclass(frozen=True)
class Cost:
    """What one forward pass in eval mode costs.

    params: elements of all parameters, those of parts that do not run included.
    macs: multiply-accumulates of convolutions, linear layers and attention; no bias,
        normalisation, pooling or activation function. 1 MAC = 2 FLOPs. A complex number
        times a complex number is one.
    activations: elements that all operations write; views write none.
    bytes_moved: bytes that all operations read (weights included) and write, each
        operation on its own, nothing kept in a cache or fused.
    receptive_field: pixels along the longer side that a position of the last feature
        map sees before anything global (global pooling, squeeze-and-excitation,
        flattening, attention, windows of tokens); borders are not cut off; None
        without convolution.
    layers: a row for each module that does something itself, in the order they start.
    uncounted: operations that no rule covers and that are not known to be free (an FFT,
        a solver, kernels from outside PyTorch); they count 0 MACs.
    """

    name: str
    params: int
    macs: int
    activations: int
    bytes_moved: int
    receptive_field: int | None
    layers: list[Layer]
    uncounted: tuple[str, ...] = ()

    def table(self) -> Table:
        rows = [
            (
                r.name or "(itself)",
                r.kind,
                "x".join(map(str, r.output_shape)),
                *_cells(r),
            )
            for r in self.layers
        ]
        rows.append(("sum", "", "", *_cells(self)))
        title = f"{self.name}: {self.params:,} parameters, {self.macs:,} MACs"
        if self.uncounted:
            title += f"; not counted: {', '.join(self.uncounted)}"
        return Table(title, ("layer", "kind", "output", *NUMBERS), rows, 3, summed=True)

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def __rich__(self) -> Table:
        return self.table()


NUMBERS = ("params", "MACs", "activations", "bytes moved", "field")


def _cells(x: Layer | Cost) -> tuple[str, ...]:
    seen = {None: "", EVERYTHING: "all"}
    pixels = seen.get(x.receptive_field) or f"{x.receptive_field or 0} px"
    numbers = x.params, x.macs, x.activations, x.bytes_moved
    return (*(f"{n:,}" for n in numbers), pixels if x.receptive_field else "")


def compare(costs: dict[str, Cost]) -> Table:
    """Set networks side by side, a row each, with the MACs for each parameter."""
    rows = [
        (name, *_cells(cost), f"{cost.macs / max(cost.params, 1):,.1f}")
        for name, cost in costs.items()
    ]
    return Table("Cost of one forward pass", ("network", *NUMBERS, "MACs/param"), rows)


class Table(NamedTuple):
    """Rows of text: plain by str, HTML in a notebook, a rich table in a terminal."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]  # the last one is the sum, if `summed`
    texts: int = 1  # the columns from the left that are words; the others are numbers
    summed: bool = False

    def __str__(self) -> str:
        columns = zip(self.columns, *self.rows, strict=True)
        widths = [max(map(len, column)) for column in columns]
        line = "-" * (sum(widths) + 2 * len(widths) - 2)
        lines = [self._line(row, widths) for row in (self.columns, *self.rows)]
        lines.insert(1, line)
        if self.summed:
            lines.insert(-1, line)
        return "\n".join([self.title, *lines])

    def _line(self, row: tuple[str, ...], widths: list[int]) -> str:
        cells = enumerate(zip(row, widths, strict=True))
        return "  ".join(
            cell.ljust(width) if i < self.texts else cell.rjust(width)
            for i, (cell, width) in cells
        ).rstrip()

    def _repr_html_(self) -> str:
        def line(row: tuple[str, ...], tag: str) -> str:
            sides = ["left"] * self.texts + ["right"] * (len(row) - self.texts)
            return "".join(
                f'<{tag} style="text-align: {side}">{escape(cell)}</{tag}>'
                for cell, side in zip(row, sides, strict=True)
            )

        rows = "".join(f"<tr>{line(row, 'td')}</tr>" for row in self.rows)
        return (
            f"<table><caption>{escape(self.title)}</caption>"
            f"<thead><tr>{line(self.columns, 'th')}</tr></thead>"
            f"<tbody>{rows}</tbody></table>"
        )

    def __rich_console__(self, console, options):
        """Draw for a terminal; where it is narrow, columns go rather than digits."""
        from rich.box import SIMPLE_HEAD
        from rich.table import Table as RichTable

        columns = zip(self.columns, *self.rows, strict=True)
        widths = {column[0]: max(map(len, column)) + 2 for column in columns}
        for name in ("bytes moved", "activations", "field", "output"):
            if sum(widths.values()) + 2 > options.max_width:
                widths.pop(name, None)
        table = RichTable(title=self.title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        shown = [i for i, name in enumerate(self.columns) if name in widths]
        for i in shown:
            side = "left" if i < self.texts else "right"
            table.add_column(self.columns[i], justify=side, no_wrap=True)
        for row in self.rows:
            last = self.summed and row is self.rows[-1]
            table.add_row(*(row[i] for i in shown), style="bold" if last else None)
        yield table
