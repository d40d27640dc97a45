from hypothesis import example, given
from hypothesis import strategies as st

from hairline.pipeline.names import output_name, visible

PIECES = [
    "a",
    "b",
    ".",
    "..",
    "/",
    "%",
    "%2E",
    "%2F",
    "%25",
    "%~",
    "\0",
    "~",
    " ",
    "é",
    "猫",
    ".png",
    ".jpg",
    "\\",
    "x" * 200,
]
IDS = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
)


def is_inside(path: str) -> bool:
    names = path.split("/")
    return all(name not in ("", ".", "..") and "\0" not in name and len(name.encode()) <= 255 for name in names)


def test_keeps_the_tree() -> None:
    assert output_name("cutout", "shoes/a.jpg", "png") == "cutout/shoes/a.jpg.png"
    assert output_name("mask", "Schöne Bilder/猫 50%.jpg", "webp") == "mask/Schöne Bilder/猫 50%.jpg.webp"


@given(IDS)
@example("/etc/passwd")
@example("../../x")
@example("a//b/")
@example("")
@example("x" * 5000)
@example("x/" * 2000)
def test_never_leaves_the_folder(id: str) -> None:
    path = output_name("cutout", id, "png")
    assert path.startswith("cutout/") and path.endswith(".png")
    assert is_inside(path)
    assert len(path.encode()) <= 1000


@given(IDS, IDS)
@example("a//b", "a/%2F/b")
@example("..", "%2E%2E")
@example("%2E%2E", "%252E%252E")
@example("x" * 300, "x" * 301)
def test_is_injective(first: str, second: str) -> None:
    if first != second:
        assert output_name("cutout", first, "png") != output_name("cutout", second, "png")


@given(IDS, IDS)
@example("a", "a.png/b")
@example("a", "a.PNG/b")
def test_no_file_is_a_folder_of_another(first: str, second: str) -> None:
    assert not output_name("cutout", second, "png").startswith(output_name("cutout", first, "png") + "/")


def test_a_long_name_is_cut_between_letters() -> None:
    name = output_name("cutout", "猫" * 200 + ".jpg", "png").rpartition("/")[2]
    assert 200 < len(name.encode()) <= 255
    assert name.startswith("猫" * 50)


def test_what_steers_a_terminal_is_spelt() -> None:
    assert visible("a\nb\x1b[2J\x9b\u202egpj.exe") == r"a\nb\x1b[2J\x9b\u202egpj.exe"
    assert visible(b"l\xe4.jpg".decode("utf-8", "surrogateescape")) == r"l\xe4.jpg"
    assert visible("猫 é [1] \\n.jpg") == "猫 é [1] \\n.jpg"
