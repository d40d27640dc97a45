"""What was the matter, out of an error that Ray hands on.

The cause may be anywhere in it: an exception along `.cause` and `__cause__`, or a traceback that came as text, with
Ray's advice on its own settings after it. Nothing here knows Ray.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..stages.errors import HairlineError, OutageError

OURS = {kind.__name__: kind for kind in (OutageError, HairlineError)}
COLOURS = re.compile(r"\x1b\[[\d;]*m")
RAISED = re.compile(r"(?:[A-Za-z_]\w*\.)*([A-Z]\w*(?:Error|Exception|Interrupt|Exit|Timeout|Warning|Killed)): (.+)")
EXIT = re.compile(r"Worker exit detail: (.+?)(?: There are some potential root causes| Some common causes|$)")
WRAPS = re.compile(r"Ray\w*Error|UserCodeException|Actor\w*Error|WorkerCrashedError|LocalRayletDiedError")
ADVICE = re.compile(
    r"(To |Set |See |Check |Refer to |Consider |You can |Please |For more |If |The actor is dead because its worker)|"
    r"(class_name|actor_id|pid|name|namespace|ip|node_id|Node Id|repr): ?",
    re.I,
)


def explain(error: BaseException, logs: str) -> HairlineError:
    """One line for the user.

    Args:
        logs: where Ray's logs are, told where the cause is none of ours.

    Returns:
        The HairlineError (or OutageError) that a worker raised, or one that names what it raised instead.
    """
    found = _find(error)
    if isinstance(found, HairlineError):
        return found
    return HairlineError(f"a worker cannot go on: {found} (Ray's logs: {logs})")


def cause(error: BaseException) -> str:
    """The same, without where it was."""
    return str(_find(error))


def _find(error: BaseException) -> HairlineError | str:
    """Our own error, or words for another one."""
    chain = list(_chain(error))
    for each in chain:
        for kind in OURS.values():
            if type(each) is kind:
                return kind(str(each))
    lines = [line for each in chain for line in _lines(each)]
    raised = [match for line in lines if (match := RAISED.fullmatch(line)) and not WRAPS.fullmatch(match[1])]
    for match in reversed(raised):
        if match[1] in OURS:
            return OURS[match[1]](match[2])
    return _first(chain, lines, raised)[:300]


def _first(chain: list[BaseException], lines: list[str], raised: list[re.Match[str]]) -> str:
    for each in reversed(chain):
        if not _of_ray(each):
            return f"{type(each).__name__}: {' '.join(str(each).split())}".rstrip(": ")
    if raised:
        return f"{raised[-1][1]}: {raised[-1][2]}"
    if exits := EXIT.findall(" ".join(lines)):
        return f"its process ended: {exits[-1]}"
    told = [line for line in lines if not ADVICE.match(line) and not line.startswith(("File ", "Traceback", "ray::"))]
    sentences = re.split(r"(?<=\.) ", told[0] if told else type(chain[0]).__name__)
    return " ".join(each for each in sentences if not ADVICE.match(each)).rstrip(".")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and whatever lies behind it, the outermost first, each once."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop(0)
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [getattr(each, "cause", None), each.__cause__, *each.args]


def _lines(error: BaseException) -> list[str]:
    text = COLOURS.sub("", str(error))
    return [line for line in (line.strip() for line in text.splitlines()) if line]


def _of_ray(error: BaseException) -> bool:
    return any(kind.__module__.partition(".")[0] == "ray" for kind in type(error).__mro__)
