"""The house rules, proved by reading the source: who imports whom, who writes files, what must be there."""

import ast
import functools
import graphlib
import os
import re
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from exposurebench import catalog
from exposurebench.errors import RecipeError
from exposurebench.recipe import dataset_recipe, fill

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "exposurebench"

# Every room, its row, and its half: "numpy" never imports torch, "torch" never imports images, "neither" neither.
ROOMS: dict[str, tuple[int, str]] = {
    "cli": (5, ""),
    "__main__": (5, ""),
    "quickstart": (4, ""),
    **dict.fromkeys(
        (
            "make_dataset",
            "describe",
            "verify",
            "overlap",
            "degradation",
            "feed",
            "stock",
            "train",
            "seeds",
            "method",
            "predict",
            "prediction_record",
            "predictions",
            "evaluate",
            "journal",
            "pipeline",
            "threads",
            "scoring",
            "result",
            "compare",
            "compare_runs",
            "explain_gap",
            "leaderboard",
            "attack",
            "defence",
            "entry",
            "claims",
            "reproduce",
            "track",
            "report",
        ),
        (4, ""),
    ),
    **dict.fromkeys(("dataset", "store", "plan", "shards", "export", "engine", "splits"), (3, "numpy")),
    **dict.fromkeys(("augmentation", "baselines", "attacks"), (3, "numpy")),
    **dict.fromkeys(("checkpoint", "optimisation", "run", "opening", "foreign"), (3, "torch")),
    "onnx_file": (1, "neither"),
    "isolation": (1, "neither"),
    "isolated": (1, "torch"),
    **dict.fromkeys(("sources", "pairing", "registration", "warp_search"), (2, "numpy")),
    **dict.fromkeys(
        (
            "models",
            "losses",
            "layers",
            "pretrained",
            "metrics",
            "alignment",
            "tiling",
            "training_recipe",
            "processes",
            "protocols",
        ),
        (2, "torch"),
    ),
    **dict.fromkeys(("tables", "measures", "statistics", "differences", "histograms"), (2, "neither")),
    **dict.fromkeys(
        ("recipe", "catalog", "scene", "merging", "tonemapping", "camera", "panorama", "synthesis"), (1, "numpy")
    ),
    **dict.fromkeys(("tensors", "phase_congruency", "cost", "reach"), (1, "torch")),
    "images": (0, "numpy"),
    **dict.fromkeys(
        ("errors", "files", "download", "archives", "color", "exposure", "exposure_ratio", "crf", "perception"),
        (0, "neither"),
    ),
}
TORCH = {"torch", "torchvision"}
PIXELS = {"cv2", "rawpy", "OpenEXR", "exposurebench.images"}
FORBIDDEN = {"numpy": TORCH, "torch": PIXELS, "neither": TORCH | PIXELS, "": set()}
HEAVY = ("torch", "torchvision", "pandas", "cv2", "numpy", "matplotlib", "PIL")
VAGUE = {"utils", "helpers", "common", "base"}
KINDS: tuple[catalog.Kind, ...] = ("sources", "pairing", "baselines", "models", "metrics", "attacks")


# ---------------------------------------------------------------------------------------------- imports


class Import(NamedTuple):
    """One import: what is imported, whether it runs when the module is imported, and whether it runs at all."""

    name: str
    at_top: bool
    runs: bool


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@functools.cache
def modules() -> dict[str, ast.Module]:
    return {dotted(path): ast.parse(path.read_text("utf-8"), str(path)) for path in sorted(PACKAGE.rglob("*.py"))}


def room(module: str) -> str:
    """The room of one of our modules; the package's own file is in none."""
    return module.split(".")[1] if "." in module else ""


def imports(tree: ast.AST, known: set[str]) -> Iterator[Import]:
    """Every import of a module, wherever it stands; ``from a import b`` is ``a.b`` where that is a module."""

    def visit(node: ast.AST, at_top: bool, runs: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, at_top, runs) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield Import(whole if whole in known else str(node.module), at_top, runs)
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        unread = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for child in ast.iter_child_nodes(node):
            yield from visit(child, at_top and not inside, runs and not unread)

    yield from visit(tree, True, True)


@functools.cache
def imported(module: str) -> tuple[Import, ...]:
    return tuple(imports(modules()[module], set(modules())))


def loaded_by(module: str) -> dict[str, str]:
    """Everything that importing a module loads, as far as our source says, with who asked for it."""
    loaded: dict[str, str] = {}
    queue = [(module, "itself")]
    while queue:
        name, asker = queue.pop()
        if name in loaded:
            continue
        loaded[name] = asker
        if name in modules():
            queue.extend((i.name, name) for i in imported(name) if i.at_top and i.runs)
        if "." in name:
            queue.append((name.rpartition(".")[0], name))
    return loaded


def touches(name: str, forbidden: set[str]) -> bool:
    return any(name == root or name.startswith(f"{root}.") for root in forbidden)


def test_every_module_has_a_room() -> None:
    assert {room(module) for module in modules()} - {""} <= set(ROOMS)


def test_the_import_reader_sees_what_there_is() -> None:
    code = """
import torch.nn as nn
from exposurebench import files
from exposurebench.files import write_bytes
if TYPE_CHECKING:
    import pandas
class A:
    import re
    def f(self):
        from cv2 import resize
"""
    assert set(imports(ast.parse(code), {"exposurebench.files"})) == {
        Import("torch.nn", True, True),
        Import("exposurebench.files", True, True),
        Import("pandas", True, False),
        Import("re", True, True),
        Import("cv2", False, True),
    }
    assert "cv2" in loaded_by("exposurebench.scene"), "scene loads images, which loads cv2"
    assert "cv2" not in loaded_by("exposurebench.color")


def test_lower_rows_never_import_higher_ones() -> None:
    wrong = [
        f"{module} (row {ROOMS[room(module)][0]}) imports {name} (row {ROOMS[room(name)][0]})"
        for module in modules()
        for name, _, _ in imported(module)
        if room(module) and name in modules() and room(name) and ROOMS[room(name)][0] > ROOMS[room(module)][0]
    ]
    assert not wrong, "\n".join(wrong)


def test_no_module_imports_in_a_circle() -> None:
    graph = {m: {i.name for i in imported(m) if i.name in modules()} - {m} for m in modules()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"circle: {' <- '.join(error.args[1])}")


def test_the_two_halves_stay_apart() -> None:
    wrong = []
    for module in modules():
        forbidden = FORBIDDEN[ROOMS[room(module)][1]] if room(module) else TORCH | PIXELS
        for name, at_top, runs in imported(module):
            excused = room(module) == "dataset" and not (at_top and runs) and touches(name, TORCH)
            if touches(name, forbidden) and not touches(module, forbidden) and not excused:
                wrong.append(f"{module} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_the_two_halves_stay_apart_through_others() -> None:
    wrong = []
    for module in modules():
        forbidden = FORBIDDEN[ROOMS[room(module)][1]] if room(module) else TORCH | PIXELS
        for name, asker in loaded_by(module).items():
            if touches(name, forbidden) and not touches(module, forbidden) and asker in modules():
                wrong.append(f"importing {module} loads {name}, which {asker} asks for")
    assert not wrong, "\n".join(wrong)


def test_the_command_line_imports_click_and_little_else() -> None:
    commands = [module for module in modules() if room(module) == "cli"]
    assert any(touches(i.name, {"click"}) and i.at_top for module in commands for i in imported(module))
    wrong = [
        f"importing {module} loads {name}, which {asker} asks for"
        for module in commands
        for name, asker in loaded_by(module).items()
        if touches(name, set(HEAVY)) or (name in modules() and ROOMS.get(room(name), (0, ""))[0] in (3, 4))
    ]
    assert not wrong, "\n".join(wrong)


def test_nothing_has_a_vague_name() -> None:
    assert not [module for module in modules() if set(module.split(".")) & VAGUE]


# ------------------------------------------------------------------------------- what nobody may write


STREAMS = {"BytesIO", "StringIO", "writing", "appending"}
"""Calls that give a stream which is no file, or a file of the one atomic writer."""
SAVERS = {
    *("save", "savez", "savez_compressed", "savetxt", "savefig", "imsave", "save_file", "save_image", "dump", "tofile"),
    *("to_csv", "to_json", "to_parquet", "to_feather", "to_pickle", "to_html", "to_markdown", "to_excel"),
}
"""Methods and functions that take a path or a stream."""
PATH_WRITERS = {"imwrite", "write_text", "write_bytes"}
"""Methods that take a path alone."""
MODE = re.compile(r"(?=.*[wax+])[rwaxbt+]{1,4}([:|]\w*)?")
OPENERS = {"open", "fdopen", "ZipFile", "TarFile", "GzipFile", "memmap"}


def last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


@dataclass(frozen=True)
class Scope:
    """What a module's names stand for, as far as writing goes."""

    streams: frozenset[str]
    ours: frozenset[str]

    @classmethod
    def of(cls, tree: ast.AST) -> "Scope":
        streams, ours = set(), set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                if last_name(node.value.func) in STREAMS:
                    streams |= {t.id for t in node.targets if isinstance(t, ast.Name)}
            elif isinstance(node, ast.withitem) and isinstance(node.context_expr, ast.Call):
                if last_name(node.context_expr.func) in STREAMS and isinstance(node.optional_vars, ast.Name):
                    streams.add(node.optional_vars.id)
            elif isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "exposurebench":
                ours |= {alias.asname or alias.name for alias in node.names}
        return cls(frozenset(streams), frozenset(ours))


def file_writes(tree: ast.AST) -> Iterator[str]:
    """Every call that writes a file by a way of its own."""
    scope = Scope.of(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = last_name(node.func)
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        into_stream = any(isinstance(a, ast.Name) and a.id in scope.streams for a in arguments)
        if any(ast.unparse(a) == "os.devnull" for a in arguments):
            continue
        if isinstance(node.func, ast.Name) and name in scope.ours:
            continue  # our own function of that name
        if isinstance(node.func, ast.Attribute) and last_name(node.func.value) in scope.ours:
            continue
        gives_text = name.startswith("to_") and not node.args and "path_or_buf" not in {k.arg for k in node.keywords}
        modes = [a.value for a in arguments if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        if (
            (name in PATH_WRITERS and isinstance(node.func, ast.Attribute))
            or (name in SAVERS and not into_stream and not gives_text)
            or (name in OPENERS and not into_stream and any(MODE.fullmatch(mode) for mode in modes))
            or (name == "open" and any("O_" in ast.unparse(a) and "O_RDONLY" not in ast.unparse(a) for a in arguments))
        ):
            yield f"line {node.lineno}: {ast.unparse(node)[:80]}"


@pytest.mark.parametrize(
    "code",
    [
        "cv2.imwrite('a.png', x)",
        "PIL.Image.fromarray(x).save('a.png')",
        "picture.save(path, format='PNG')",
        "torch.save(state, path)",
        "np.save(path, x)",
        "table.to_csv(path)",
        "table.to_csv(folder / 'a.csv', index=False)",
        "table.to_csv(path_or_buf=path)",
        "open('a', 'w')",
        "open(path, mode='ab')",
        "path.open('wb')",
        "tarfile.open(path, 'w:gz')",
        "zipfile.ZipFile(path, 'x')",
        "os.open(path, os.O_WRONLY | os.O_CREAT)",
        "Path('a').write_text('b')",
        "path.write_bytes(data)",
        "json.dump(document, stream)",
        "figure.savefig(path)",
    ],
)
def test_the_write_reader_catches(code: str) -> None:
    assert list(file_writes(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "open(path, 'rb')",
        "open(path)",
        "PIL.Image.open(path)",
        "path.open('r')",
        "stream = io.BytesIO()\npicture.save(stream, format='PNG')",
        "with io.BytesIO() as stream:\n    torch.save(state, stream)",
        "from exposurebench.files import writing\nwith writing(path) as stream:\n    np.save(stream, x)",
        "text = table.to_csv()",
        "text = table.to_csv(index=False)",
        "os.open(os.devnull, os.O_WRONLY)",
        "from exposurebench.files import write_bytes\nwrite_bytes(path, data)",
        "from exposurebench import files\nfiles.write_text(path, text)",
        "json.dumps(document)",
        "stream = io.BytesIO()\ntarfile.open(fileobj=stream, mode='w')",
    ],
)
def test_the_write_reader_lets_pass(code: str) -> None:
    assert not list(file_writes(ast.parse(code)))


def test_files_are_written_by_the_one_atomic_writer() -> None:
    # A download is resumed, so it grows in place; an isolated process writes its user into /proc, no file.
    excused = {"exposurebench.files", "exposurebench.download", "exposurebench.isolated"}
    found = [f"{m}, {w}" for m, tree in modules().items() if m not in excused for w in file_writes(tree)]
    wrong = [write for write in found if "'lock'" not in write]  # a lock is held, nothing is written into it
    assert not wrong, "\n".join(wrong)


def lapses(tree: ast.AST) -> Iterator[str]:
    """Statements that have no place in the package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            yield f"line {node.lineno}: assert"
        elif isinstance(node, ast.ExceptHandler) and node.type is None:
            yield f"line {node.lineno}: bare except"
        elif isinstance(node, ast.Call) and last_name(node.func) == "print":
            yield f"line {node.lineno}: print"
        elif isinstance(node, ast.Name) and node.id in ("NotImplementedError", "NotImplemented"):
            yield f"line {node.lineno}: {node.id}"


def test_no_lapses() -> None:
    sample = "assert x\ntry:\n    print(1)\nexcept:\n    raise NotImplementedError"
    assert len(list(lapses(ast.parse(sample)))) == 4
    wrong = [f"{module}, {lapse}" for module, tree in modules().items() for lapse in lapses(tree)]
    assert not wrong, "\n".join(wrong)


# ---------------------------------------------------------------------------------- one name, four places


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in KINDS for name in catalog.names(kind, False)])
def test_one_name_is_file_function_and_test(kind: catalog.Kind, name: str) -> None:
    path = PACKAGE / kind / f"{name}.py"
    functions = {n.name for n in ast.parse(path.read_text("utf-8")).body if isinstance(n, ast.FunctionDef)}
    assert {"network", "loss"} <= functions if kind == "models" else name in functions
    contract = ROOT / "tests" / kind / "test_contract.py"
    covered = contract.is_file() and f'names("{kind}"' in contract.read_text("utf-8")
    assert covered or (contract.parent / f"test_{name}.py").is_file(), f"no test of {kind}/{name}"


def test_names_are_plain() -> None:
    listed = [name for kind in KINDS for name in catalog.names(kind)]
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*(/[a-z0-9_.]+)?", name) for name in listed)


# ------------------------------------------------------------------------ what travels with the package


def check_data_set_recipe(document: dict[str, Any]) -> None:
    from exposurebench.plan import check

    recipe = dataset_recipe(document)
    assert dataset_recipe(recipe.document()) == recipe, "the resolved recipe is the recipe"
    check(recipe)


def check_training_recipe(document: dict[str, Any]) -> None:
    from exposurebench.training_recipe import training_recipe

    recipe = training_recipe(document)
    settings = {name: value for name, value in recipe.network.items() if name in recipe.entry.parameters()}
    network = recipe.entry.function()(**settings)
    assert list(network.parameters()), "its settings make a network"


def check_track(document: dict[str, Any]) -> None:
    from exposurebench.track import Track

    track = fill(Track, document)
    assert set(track.metrics) <= set(catalog.names("metrics"))
    assert (ROOT / "recipes" / "datasets" / f"{track.dataset}.toml").is_file()


RECIPES = {"datasets": check_data_set_recipe, "training": check_training_recipe, "tracks": check_track}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "recipes").rglob("*.*")), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_shipped_recipes_load_and_their_settings_exist(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.startswith("# "), "a recipe begins with a comment that says what it makes"
    document = tomllib.loads(text)
    assert document["schema"] == 1
    RECIPES[path.parent.name](document)
    with pytest.raises(RecipeError, match=r"unknown .* 'tua'"):
        RECIPES[path.parent.name]({**document, "tua": 1})


@pytest.mark.parametrize("folder", ["datasets", "training"])
def test_a_recipe_says_how_it_is_run(folder: str) -> None:
    words = {"datasets": "make-dataset --recipe ", "training": "train "}
    for path in (ROOT / "recipes" / folder).glob("*.toml"):
        comments = [line for line in path.read_text("utf-8").splitlines() if line.startswith("#")]
        assert f"exposurebench {words[folder]}{path.stem}" in "\n".join(comments)


def test_recipes_and_leaderboards_travel_in_the_wheel() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"] == {
        "recipes": "exposurebench/recipes",
        "leaderboards": "exposurebench/leaderboards",
    }


def test_versions_agree() -> None:
    from exposurebench import __version__

    assert f"version: {__version__}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


# ---------------------------------------------------------------------------------- README and workflow


@functools.cache
def readme() -> str:
    return (ROOT / "README.md").read_text("utf-8")


def test_the_readme_has_exactly_the_two_commands() -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", readme(), re.MULTILINE | re.DOTALL)
    assert [block.splitlines()[0] for block in blocks] == ["# install and try", "# test"]
    for block in blocks:
        command = block.partition("\n")[2].replace("\\\n", " ")
        assert len(command.splitlines()) == 1, "each block holds one logical line"
    steps = (ROOT / ".ci" / "run").read_text("utf-8")
    assert 'block "install and try"' in steps
    assert 'block "test"' in steps


def test_everything_the_readme_names_exists() -> None:
    text = re.sub(r"^```.*?^```$", "", readme(), flags=re.MULTILINE | re.DOTALL)
    links = {link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link}
    tops = {path.name for path in ROOT.iterdir()}
    named = {code for code in re.findall(r"`([\w./-]+)`", text) if "/" in code and code.partition("/")[0] in tops}
    missing = [name for name in sorted((links | named) - {""}) if not (ROOT / name).exists()]
    assert not missing, missing
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([^)\s]+)\)", text)) <= anchors


def test_the_readme_lists_every_source_with_its_facts() -> None:
    """Written by `exposurebench sources --markdown`."""
    table = readme().partition("sources --markdown` -->\n")[2].partition("<!-- /sources -->")[0]
    assert table == catalog.sources_table()
    assert [row.split("`")[1] for row in table.splitlines()[2:]] == catalog.names("sources")
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 6 for row in table.splitlines())


def test_the_readme_lists_every_model_with_its_facts() -> None:
    """Written by `exposurebench models --markdown`."""
    from exposurebench.cost import models_table

    assert readme().partition("models --markdown` -->\n")[2].partition("<!-- /models -->")[0] == models_table()


def test_workflows_read_only_and_pinned() -> None:
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        text = path.read_text("utf-8")
        assert "pull_request_target" not in text
        assert re.search(r"^permissions:\n  contents: read\n\n", text, re.MULTILINE)
        assert "write" not in text
        for use in re.findall(r"uses: (.+)", text):
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+", use), use


def test_workflows_are_yaml_whose_jobs_do_something() -> None:
    import yaml

    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        document = yaml.safe_load(path.read_text("utf-8"))
        # YAML 1.1 reads the key `on` as true.
        assert set(document) >= {"name", True, "permissions", "jobs"}
        assert document["permissions"] == {"contents": "read"}
        for job in document["jobs"].values():
            assert job["timeout-minutes"] <= 60
            assert all("run" in step or "uses" in step for step in job["steps"])
            checkouts = [step["with"] for step in job["steps"] if "actions/checkout@" in step.get("uses", "")]
            assert checkouts and all(with_["persist-credentials"] is False for with_ in checkouts)


def test_the_boards_of_a_proposal_are_shown_by_the_base_branchs_program() -> None:
    import yaml

    path = ROOT / ".github" / "workflows" / "leaderboards.yml"
    (job,) = yaml.safe_load(path.read_text("utf-8"))["jobs"].values()
    base, proposal = (step["with"] for step in job["steps"] if "actions/checkout@" in step.get("uses", ""))
    assert base["ref"] == "${{ github.event.pull_request.base.sha }}"
    assert "ref" not in proposal and proposal["sparse-checkout"] == "leaderboards"
    scripts = "\n".join(step["run"] for step in job["steps"] if "run" in step)
    assert "pip install -q ./base" in scripts
    assert "secrets" not in path.read_text("utf-8").replace("There are no secrets", "")
    assert "--rerun" not in scripts, "nothing that was submitted is run"
    assert "${{" not in scripts, "nothing from outside is pasted into a shell"


# -------------------------------------------------------------------------------------------- --help


def commands() -> list[tuple[str, ...]]:
    """Every command of the command line, groups included, as its words."""
    import click

    import exposurebench.cli

    def walk(command: click.Command, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield words
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                child = command.get_command(context, name)
                assert child is not None, name
                yield from walk(child, (*words, name))

    listed = list(walk(exposurebench.cli.group, ()))
    assert ("make-dataset",) in listed
    return listed


def python(code: str, *arguments: str) -> tuple[float, str]:
    """Run a line of Python and give its processor time (other tests share the machine) and its output."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    with process.stdout:
        output = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, output
    return usage.ru_utime + usage.ru_stime, output


@pytest.mark.slow
def test_help_is_light() -> None:
    run = "from exposurebench.cli import main; main()"
    look = (
        "import sys\nfrom exposurebench.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"sys.exit(', '.join(name for name in {HEAVY} if name in sys.modules) or 0)"
    )
    for words in commands():
        _, text = python(look, *words, "--help")
        assert text.startswith("Usage:"), text
        rounds = [(python("import click")[0], python(run, *words, "--help")[0]) for _ in range(5)]
        cost = statistics.median(ours for _, ours in rounds) - statistics.median(click for click, _ in rounds)
        assert cost < 0.15, f"{' '.join(words)} --help costs {cost:.3f} s more than importing click"
