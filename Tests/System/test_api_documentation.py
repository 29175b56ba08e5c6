"""The documentation of the Swift API: every public symbol has some, and DocC has nothing to complain about.

Both read what the compiler has left beside the program under test, so nothing is built. Where a tool of Swift is missing the tests say so and are skipped.
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from sx_process import PATIENCE, ROOT, binary

LIBRARIES = ("SX", "SXHost", "SXTracing", "SXLifecycle")


def tool(*names: str) -> list[str]:
    path = shutil.which(names[0])
    if path is None:
        pytest.skip(f"{names[0]} is not installed")
    return [path, *names[1:]]


def module_maps(products: Path) -> list[Path]:
    """Those of the C targets, which a module of Swift needs in order to be read."""
    built = sorted(products.glob("*.build/module.modulemap"))
    kept = sorted(path for path in (ROOT / ".build/checkouts").glob("*/Sources/**/include/module.modulemap"))
    return built + kept


@pytest.fixture(scope="module")
def symbol_graphs(tmp_path_factory) -> Path:
    """A folder with a symbol graph of the public symbols of each library."""
    products = Path(binary()).resolve().parent
    modules = products / "Modules"
    if not (modules / "SXTracing.swiftmodule").exists():
        pytest.skip(f"{modules} has no module of SXTracing: only a build of everything, as `swift build --build-tests`, makes it")
    target = json.loads(subprocess.run([*tool("swift"), "-print-target-info"], capture_output=True, check=True, timeout=PATIENCE).stdout)["target"]["triple"]
    folder = tmp_path_factory.mktemp("symbols")
    maps = [argument for path in module_maps(products) for argument in ("-Xcc", f"-fmodule-map-file={path}")]
    for library in LIBRARIES:
        extraction = subprocess.run(
            [*tool("swift-symbolgraph-extract"), "-module-name", library, "-I", str(modules), "-target", target, "-minimum-access-level", "public",
             "-skip-synthesized-members", "-output-dir", str(folder), *maps],
            capture_output=True, text=True, timeout=PATIENCE,
        )
        assert extraction.returncode == 0, extraction.stderr
    return folder


def test_every_public_symbol_has_a_documentation_comment(symbol_graphs):
    symbols = [(path, symbol) for path in sorted(symbol_graphs.glob("*.symbols.json")) for symbol in json.loads(path.read_text())["symbols"]]
    assert {path.name.partition("@")[0].partition(".")[0] for path, _ in symbols} == set(LIBRARIES)
    assert len(symbols) > 300
    missing = [
        f"{symbol['location']['uri'].rpartition('/Sources/')[2]}:{symbol['location']['position']['line'] + 1}: {'.'.join(symbol['pathComponents'])}"
        for _, symbol in symbols
        if "docComment" not in symbol
    ]
    assert not missing, "\n".join(missing)


def test_the_documentation_is_rendered_without_a_warning(symbol_graphs, tmp_path):
    rendering = subprocess.run(
        [*tool("docc"), "convert", str(ROOT / "Sources/SX/SX.docc"), "--fallback-display-name", "SX", "--fallback-bundle-identifier", "sx",
         "--additional-symbol-graph-dir", str(symbol_graphs), "--output-path", str(tmp_path / "SX.doccarchive"), "--analyze"],
        capture_output=True, text=True, timeout=PATIENCE,
    )
    said = rendering.stdout + rendering.stderr
    assert rendering.returncode == 0, said
    assert "warning:" not in said, said
    # The page, and something out of each library.
    pages = tmp_path / "SX.doccarchive" / "data" / "documentation"
    for page in ("sx/embedding", "sx/interpreter", "sxhost/systemhost", "sxtracing/sxtracer"):
        assert (pages / f"{page}.json").exists(), page
