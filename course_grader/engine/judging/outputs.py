"""A cell's outputs as they may be kept, and errors of the judge's own."""

from __future__ import annotations

from course_grader.engine.common.shell import Outputs

UNREAD = (
    "(an answer is an object of a class of your own: a test reads numbers, texts, "
    "lists, dicts, arrays, tensors, networks, and objects of given classes)"
)


def checked(outputs) -> Outputs:
    """Return those of the outputs that are what outputs are; all may be made up."""
    good = Outputs()
    for output in outputs if isinstance(outputs, list) else []:
        kind = output.get("output_type") if isinstance(output, dict) else None
        if kind == "stream" and isinstance(output.get("text"), str):
            name = "stderr" if output.get("name") == "stderr" else "stdout"
            good.add({"output_type": kind, "name": name, "text": output["text"]})
        elif kind in ("display_data", "execute_result"):
            data = output.get("data")
            data = data if isinstance(data, dict) else {}
            texts = {k: v for k, v in data.items() if isinstance(v, str)}
            made = {"output_type": kind, "data": texts, "metadata": {}}
            good.add(made | ({"execution_count": None} if kind[0] == "e" else {}))
        elif kind == "error":
            trace = output.get("traceback")
            lines = [str(line) for line in trace] if isinstance(trace, list) else []
            words = str(output.get("ename")), str(output.get("evalue"))
            good.add(error(*words) | {"traceback": lines})
    return good


def failed(outputs: list[dict]) -> bool:
    return any(output["output_type"] == "error" for output in outputs)


def error(name: str, text: str) -> dict:
    """Return the output of an error that has no traceback to show."""
    line = f"{name}: {text}"
    return {"output_type": "error", "ename": name, "evalue": text, "traceback": [line]}


def stopped(text: str) -> dict:
    """Return the output of a cell that the grader has stopped."""
    return error("Stopped", text)


def explain(outputs: list[dict]) -> None:
    """Add to a failed assertion that the answer is nothing that a test can read.

    The class's name is not told: its author could have written a question into it.
    """
    for output in outputs:
        if output.get("ename") in ("AssertionError", "CheckFailed"):
            head, blank, rest = output["evalue"].partition("\n\n")
            output["evalue"] = f"{head} {UNREAD}".strip() + blank + rest
            output["traceback"] = [*output["traceback"], UNREAD]


def as_stdout(outputs: list[dict]) -> list[dict]:
    """Let text on stderr be text: nbgrader takes it for an error."""
    for output in outputs:
        if output["output_type"] == "stream":
            output["name"] = "stdout"
    return outputs
