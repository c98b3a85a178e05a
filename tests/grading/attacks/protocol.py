"""The student's process speaks to the grader in words of its own."""

from __future__ import annotations

from . import Case, right

# Code of a student's: finds the socket, speaks, and can take the conversation over.
SPEAK = """
import json, os, signal, socket, stat, struct
for number in map(int, os.listdir("/proc/self/fd")):
    try:
        if stat.S_ISSOCK(os.fstat(number).st_mode):
            line = socket.socket(fileno=os.dup(number))
    except OSError:
        pass
line.settimeout(None)
HEAD = struct.Struct("<IIQ")

def raw(text, sizes=(), blobs=b"", count=None, total=None):
    count = len(sizes) if count is None else count
    total = len(blobs) if total is None else total
    return HEAD.pack(len(text), count, total) + struct.pack(
        f"<{len(sizes)}Q", *sizes) + text + blobs

def say(message, *blobs):
    text = json.dumps(message).encode()
    line.sendall(raw(text, list(map(len, blobs)), b"".join(blobs)))

def take(size):
    data = b""
    while len(data) < size:
        got = line.recv(size - len(data))
        if not got:
            os._exit(0)
        data += got
    return data

def hear():
    text, count, total = HEAD.unpack(take(HEAD.size))
    sizes = struct.unpack(f"<{count}Q", take(8 * count))
    message = json.loads(take(text))
    data, blobs = take(total), []
    for size in sizes:
        blobs.append(data[:size])
        data = data[size:]
    return message, blobs

NOTHING = {"files": [{}, []], "changed": [], "sync": [], "warnings": [], "out": []}
FUNCTION = {"k": "handle", "h": 7, "t": "callable", "class": "function"}
FUNCTION["can"] = ["call"]

def value(node):
    say(NOTHING | {"value": node})

def tensor(number):
    node = {"k": "tensor", "i": 999, "dtype": "float32", "shape": [], "b": 0}
    say(NOTHING | {"value": node}, struct.pack("<f", number))

def error(name, text="", **more):
    told = {"class": name, "builtin": name, "module": "builtins", "text": text}
    say(NOTHING | {"error": told | more})

def take_over(answer, only=()):
    signal.setitimer(signal.ITIMER_REAL, 0)
    say({"outputs": [], "files": [{}, []], "failed": False})
    while True:
        message, blobs = hear()
        op = message["op"]
        if op == "invoke":
            answer(message, blobs)
        elif op == "names":
            names = [name for name in message["names"] if name in (only or name)]
            say({"values": {name: FUNCTION for name in names}})
        elif op == "run":
            say({"outputs": [], "files": [{}, []], "failed": False})
        else:
            say({})
"""


def speaker(
    name: str, what: str, code: str, *, keeps: tuple[str, ...] = ("stack",), **more
) -> Case:
    """A case whose process says something odd from the cell before `best` on.

    `stack` comes after it and is answered well: it counts if the process still lives,
    or a new one has taken its place.
    """
    answers = right("stack") | more.pop("answers", {})
    return Case(
        name,
        what,
        answers=answers,
        before={"best": SPEAK + code},
        deserves=right(*keeps),
        **more,
    )


def over(name: str, what: str, answer: str, *only: str, **more) -> Case:
    """A case in which the student's own loop answers the tests' calls.

    only: the functions that there are; all that a test asks for if none is named.
    """
    body = "\n".join(f"    {line}" for line in answer.strip().splitlines())
    code = f"def answer(message, blobs):\n{body}\ntake_over(answer, {only})\n"
    return speaker(name, what, code, keeps=more.pop("keeps", ()), **more)


QUEUED = """
for _ in range(60):
    say(NOTHING | {"outputs": [], "failed": False, "values": {}, "value": True})
"""
NODES = {
    "a list of the wrong size": '{"k": "tensor", "i": 1, "dtype": "float32", '
    '"shape": [2, 3], "b": 0}',
    "a negative shape": '{"k": "tensor", "i": 1, "dtype": "float32", '
    '"shape": [-1], "b": 0}',
    "a shape beyond memory": '{"k": "tensor", "i": 1, "dtype": "int8", '
    '"shape": [1099511627775, 1099511627775], "b": 0}',
    "a type that is none": '{"k": "tensor", "i": 1, "dtype": "load", '
    '"shape": [1], "b": 0}',
    "an array of objects": '{"k": "array", "i": 1, "dtype": "O", "shape": [1], "b": 0}',
    "a blob that is not there": '{"k": "tensor", "i": 1, "dtype": "float32", '
    '"shape": [1], "b": 77}',
    "a reference to nothing": '{"k": "ref", "i": 123456}',
    "a shape of text": '{"k": "size", "v": ["__import__"]}',
    "a pickle": '{"k": "pickle", "b": 0}',
    "a kind of no one's": '{"k": "__class__"}',
    "no kind": '{"v": 1}',
    "a named tuple of keywords": '{"k": "named", "name": "class", "fields": '
    '["import"], "v": [1]}',
    "a named tuple of code": '{"k": "named", "name": "x", "fields": '
    '["a=__import__(\'os\').abort()"], "v": [1]}',
    "a named tuple with hidden fields": '{"k": "named", "name": "x", "fields": '
    '["_fields", "__eq__"], "v": [1, 2]}',
    "an endless range": '{"k": "range", "v": [0, 1000000000000000000, 1]}',
    "a device": '{"k": "device", "v": "cuda:0"}',
    "an argument that was not passed": '{"k": "yours", "i": 4711}',
    "a list for a number": '{"k": "yours", "i": [1]}',
    "a handle that was freed": '{"k": "own", "h": 4711}',
    "an infinite handle": '{"k": "handle", "h": 1e999, "class": "x"}',
    "a class of the grader's": '{"k": "module", "h": 9, "class": '
    '["course_grader.engine.judging.modules", "RemoteModule"], "odd": False, '
    '"attributes": {"_course_link": 1}, "children": {}, "parameters": {}, '
    '"buffers": {}, "unsaved": [], "training": True}',
    "a class that runs code": '{"k": "module", "h": 9, "class": '
    '["torch.nn.modules.module", "os"], "odd": False, "attributes": {"forward": 1, '
    '"__class__": "x", "_forward_hooks": 3}, "children": {}, "parameters": {}, '
    '"buffers": {}, "unsaved": [], "training": True}',
}
ODD_NODES = f"""
nodes = [{", ".join(NODES.values())}]
value(nodes[message["call"] % len(nodes)])
"""
BOMB = """
node = {"k": "list", "i": 0, "v": [[1, 1]]}
for depth in range(1, 40):
    inner = {"k": "ref", "i": depth - 1}
    node = {"k": "list", "i": depth, "v": [node, *[inner] * 9]}
value(node)
"""
COLLIDING = """
import itertools
pairs = itertools.islice(itertools.product([-1, -2], repeat=18), 100_000)
value({"k": "set", "i": 1, "v": [{"k": "tuple", "v": list(p)} for p in pairs]})
"""
CHANGES = """
numbers = [node["i"] for node in message["tensors"]]
zero = [{"i": n, "v": {"data": {"k": "raw", "dtype": "float32", "shape": [], "b": 0},
    "grad": None, "requires": True}} for n in numbers]
yours = {"k": "yours", "i": numbers[0] if numbers else 0}
say(NOTHING | {"changed": zero, "value": yours}, bytes(4))
"""
CLAIMS = """
names = ["SystemExit", "GeneratorExit", "StopIteration", "KeyboardInterrupt",
    "BaseException", "ExceptionGroup", "UnicodeDecodeError", "object", "print", "x\\0y"]
grader = "course_grader.engine"
told = [{"class": name} for name in names] + [
    {"module": f"{grader}.judging.raised", "class": "Stopped", "late": False},
    {"module": f"{grader}.common.shell", "class": "TimeIsUp", "late": 0},
    {"module": "course_lib.check.forbidden", "class": "Broken"},
    {"module": "course_lib.check.same.matching", "class": "Match"},
    {"module": "torch", "class": "load", "h": 3},
]
claim = told[message["call"] % len(told)]
error(claim["class"], "it was right", **claim)
"""
CALLBACKS = """
import time
while True:
    time.sleep(0.02)
    numbers = [node["i"] for node in message["tensors"]] or [0]
    say({"callback": numbers[0], "grad": 1.0, "keep": False, "others": True})
    hear()
"""
DRIP = """
import time
for byte in raw(json.dumps(NOTHING | {"value": True}).encode()):
    line.sendall(bytes([byte]))
    time.sleep(0.5)
"""
FIELDS = """
odd = [
    {"value": 1}, {"files": 3, "changed": 1, "value": 1}, {"error": 1}, {"error": {}},
    NOTHING | {"value": 1, "changed": [{"i": 0}]},
    NOTHING | {"value": 1, "changed": 7},
    NOTHING | {"value": 1, "sync": [{"h": {}}]},
    NOTHING | {"value": 1, "warnings": [[1, 2, 3]]},
    NOTHING | {"value": 1, "warnings": [["BaseException", "x"]]},
    NOTHING | {"value": 1, "inputs": [[99], []]},
    NOTHING | {"value": 1, "inputs": 4},
    NOTHING | {"value": 1, "files": [{"../../x": 0}, []]},
    NOTHING | {"value": 1, "files": [{"/etc/x": 9}, ["/etc/passwd"]]},
    NOTHING | {"value": 1, "rule": "\\x1b[2J<script>alert(1)</script>" * 1000},
    {"error": {"class": [], "builtin": {}, "module": 0, "text": None, "lines": 5}},
]
for question in ({"callback": 99}, {"callback": []}, {"callback": None, "grad": {}},
        {"callback": 0, "grad": {"k": "ref", "i": 3}, "keep": {}, "others": 1}):
    say(question)
    hear()
say(odd[message["call"] % len(odd)])
"""
GRADIENTS = """
graph = {"k": "tensor", "i": 999, "dtype": "float32", "shape": [], "b": 0,
    "grad": True, "out": 0, "h": 3}
numbers = [node["i"] for node in message["tensors"] if node.get("grad")]
say(NOTHING | {"value": graph, "inputs": [numbers, []]}, struct.pack("<f", 1.0))
"""
OBJECTS = """
import gc
for thing in gc.get_objects():
    if type(thing).__name__ == "Student":
        thing.answer = lambda message, blobs: (
            NOTHING | {"value": True, "values": {}, "outputs": []}, [])
"""
CHANNEL = """
import gc
for thing in gc.get_objects():
    if type(thing).__name__ == "Channel":
        thing.send({"outputs": [], "files": [{}, []]})
        for _ in range(200):
            thing.send(NOTHING | {"value": [[3, 3]], "values": {}})
"""

CASES = [
    speaker(
        "queued",
        "Answers are queued ahead of the questions, 60 of them",
        QUEUED,
        keeps=(),
    ),
    speaker("closed", "The socket is closed under the process", "line.shutdown(2)"),
    speaker("half", "Half a frame, then silence", "line.sendall(b'\\x05\\0\\0')"),
    speaker(
        "header",
        "A header that announces more than may be sent",
        "line.sendall(HEAD.pack(2**32 - 1, 2**32 - 1, 2**63))",
    ),
    speaker("objects", "The Student object is told to say True", OBJECTS, keeps=()),
    speaker("channel", "The grader's own channel is spoken into", CHANNEL, keeps=()),
    over("odd_nodes", "Data of every malformed kind", ODD_NODES),
    over("laughs", "Ten lists of ten lists of ten lists, forty times", BOMB),
    over(
        "colliding",
        "A set whose items all have one hash, which takes minutes to read",
        COLLIDING,
        refused="look at what they return",
    ),
    over("changes", "Arguments are said to have become the answer", CHANGES),
    over(
        "claims",
        "Exceptions that claim to end a program, or to be the grader's own",
        CLAIMS,
    ),
    over("callbacks", "Questions without end", CALLBACKS, "gradient_norms"),
    over("drip", "A byte each half a second", DRIP, "best_logits"),
    over("fields", "Answers whose fields are of the wrong kind", FIELDS),
    over("gradients", "A graph that is not there", GRADIENTS, answers=right("norms")),
]
