"""API keys: what is kept, what is found, what is held back."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request

from hairline.cli import main
from hairline.configs.service import load_service
from hairline.serve.context import ServiceContext
from hairline.serve.errors import ApiError
from hairline.serve.keys import Key, Keys, Limited, Limiter, add_key, demand_keys, is_loopback, read_keys, remove_key
from hairline.stages.errors import HairlineError

NOBODY: Any = SimpleNamespace(room=1, processes=1, retries=0)  # pools that nothing is sent to


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_a_key_is_shown_once_and_kept_as_a_hash(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "add", "shop", "--file", str(file), "--per-minute", "30", "--concurrent", "2"]) == 0
    said = capsys.readouterr()
    secret = said.out.strip()
    assert len(secret) == 46 and secret.startswith("hl_") and "not shown again" in said.err
    assert secret not in file.read_text() and secret[3:] not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    found = Keys(file).find(secret)
    assert found is not None and (found.name, found.per_minute, found.concurrent) == ("shop", 30, 2)
    assert main(["keys", "list", "--file", str(file)]) == 0
    assert "shop  30 a minute, 2 at once" in capsys.readouterr().out


def test_only_whole_keys_are_found(file: Path) -> None:
    first, second = add_key(file, "a", 10, 1), add_key(file, "b", 10, 1)
    keys = Keys(file)
    assert first != second and len(keys) == 2
    assert [key.name for s in (first, second) if (key := keys.find(s))] == ["a", "b"]
    digest = read_keys(file)[0].sha256
    for wrong in (
        None,
        "",
        first[:-1],
        first + "x",
        first.swapcase(),
        " " + first,
        digest,
        "\udcff",
        "ключ",
        "x" * 10_000,
    ):
        assert keys.find(wrong) is None


def test_changes_count_without_a_restart(file: Path) -> None:
    first = add_key(file, "a", 10, 1)
    keys = Keys(file)
    second = add_key(file, "b", 10, 1)
    assert keys.find(second)
    remove_key(file, "a")
    assert not keys.find(first) and keys.find(second)
    file.write_text("[{")
    assert not keys.find(second)  # rather nobody than somebody who was taken out


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["add"], "whose"),
        (["add", "a"], "there is a key called a"),
        (["add", "../x"], "../x"),
        (["add", "b", "--per-minute", "0"], "per_minute 0"),
        (["add", "b", "--concurrent", "-1"], "concurrent -1"),
        (["remove", "b"], "no key called b; there is a"),
        (["frob", "b"], "frob"),
    ],
)
def test_mistakes_are_one_line(file: Path, arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]) -> None:
    add_key(file, "a", 10, 1)
    assert main(["keys", *arguments, "--file", str(file)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and part in said


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"name": "a"}]', '"x"', "null", "\0"])
def test_another_file_is_no_file_of_keys(file: Path, text: str) -> None:
    if text == "{}":
        file.write_text('{"a": 1}')
    else:
        file.write_text(text)
    with pytest.raises(HairlineError, match="not a file of keys"):
        Keys(file)


def test_a_file_that_is_not_there_says_how_to_make_one(file: Path) -> None:
    with pytest.raises(HairlineError, match="hairline keys add NAME"):
        Keys(file)


def test_nothing_is_left_of_a_write_that_fails(tmp_path: Path) -> None:
    folder = tmp_path / "keys.json"
    folder.mkdir()
    with pytest.raises(HairlineError, match="cannot be"):
        add_key(folder, "a", 10, 1)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def key(**limits: int) -> Key:
    return Key(name="a", sha256="0" * 64, **{"per_minute": 3, "concurrent": 2, **limits})


def test_so_many_a_minute_and_then_a_time_to_wait() -> None:
    clock = Clock()
    limiter = Limiter(clock)
    for _ in range(3):
        with limiter.admit(key()):
            clock.now += 10
    with pytest.raises(Limited) as caught, limiter.admit(key()):
        pass
    assert caught.value.retry_after in (30, 31)
    clock.now += caught.value.retry_after
    with limiter.admit(key()):  # after that time there is room
        pass
    with pytest.raises(Limited), limiter.admit(key()):  # for one
        pass


def test_what_is_left_of_a_minute() -> None:
    clock = Clock()
    limiter = Limiter(clock)
    assert limiter.left(key()) == (3, 3, 0.0)
    for _ in range(2):
        with limiter.admit(key()):
            clock.now += 10
    assert limiter.left(key()) == (3, 1, 50.0)  # the second one began 10 s ago
    clock.now += 45
    assert limiter.left(key()) == (3, 2, 5.0)
    clock.now += 5
    assert limiter.left(key()) == (3, 3, 0.0)


def test_so_many_at_once_also_after_errors() -> None:
    limiter = Limiter(Clock())
    many = key(per_minute=100)
    with limiter.admit(many), limiter.admit(many):
        with pytest.raises(Limited) as caught, limiter.admit(many):
            pass
        assert caught.value.retry_after >= 1
        with limiter.admit(Key(name="b", sha256="1" * 64)):  # each key has its own
            pass
    for _ in range(5):
        with pytest.raises(ZeroDivisionError), limiter.admit(many):
            raise ZeroDivisionError
    with limiter.admit(many):
        pass


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_on_loopback_no_key_is_needed(host: str) -> None:
    assert is_loopback(host)
    demand_keys(host, None)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.0.4", "example.com", "", "localhost.example.com", "10.0.0.1"]
)
def test_anywhere_else_one_is(host: str, file: Path) -> None:
    with pytest.raises(HairlineError, match="hairline keys add"):
        demand_keys(host, None)
    file.write_text("[]")
    with pytest.raises(HairlineError):
        demand_keys(host, Keys(file))
    add_key(file, "a", 10, 1)
    demand_keys(host, Keys(file))


def test_the_file_is_a_list_that_others_can_read(file: Path) -> None:
    add_key(file, "a", 10, 1)
    assert [sorted(entry) for entry in json.loads(file.read_text())] == [
        ["concurrent", "created", "name", "per_minute", "sha256"]
    ]
    assert list(file.parent.iterdir()) == [file]


def request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw})


def test_a_key_comes_in_either_header(file: Path) -> None:
    secret = add_key(file, "shop", 3, 2)
    context = ServiceContext(load_service("service-laptop.yaml", [f"keys={file}", "access_log=''"]), NOBODY, Keys(file))
    for given in (
        {"x_api_key": secret},
        {"authorization": f"Bearer {secret}"},
        {"authorization": f"bearer  {secret}"},
        {"x_api_key": secret, "authorization": "Basic Og=="},  # a proxy's own
    ):
        found = context.authorize(request(**given))
        assert found is not None and found.name == "shop"
    for given, title in (
        ({}, "Missing API Key"),
        ({"authorization": f"Basic {secret}"}, "Missing API Key"),
        ({"authorization": secret}, "Missing API Key"),
        ({"authorization": "Bearer"}, "Missing API Key"),
        ({"authorization": "Bearer x"}, "Invalid API Key"),
        ({"x_api_key": "x", "authorization": f"Bearer {secret}"}, "Invalid API Key"),
    ):
        with pytest.raises(ApiError) as caught:
            context.authorize(request(**given))
        assert (caught.value.status, caught.value.title) == (403, title)


def test_limits_are_told_by_key_and_without_one_by_the_queue(file: Path) -> None:
    secret = add_key(file, "shop", 3, 2)
    service = load_service("service-laptop.yaml", ["access_log=''"])
    context = ServiceContext(service, NOBODY, Keys(file))
    asked = request(authorization=f"Bearer {secret}")
    assert context.limit(asked) == (3, 3, 0.0)
    with context.slot(asked):
        limit, left, seconds = context.limit(asked)
    assert (limit, left) == (3, 2) and 59 < seconds <= 60
    everybody = ServiceContext(service, NOBODY, None)
    assert everybody.limit(request()) == (service.queue.requests, service.queue.requests, 0.0)
    with everybody.slot(request()) as slot:
        slot.enter()
        assert everybody.limit(request())[1] == service.queue.requests - 1
