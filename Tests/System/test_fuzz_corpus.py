"""What the fuzz targets of Fuzz/ have found, or begin with, once more: every property holds for every file of the corpus."""

import pytest

from sx_process import ROOT

# Properties in Swift are replayed by the Swift tests beside them.
FILES = sorted(path for path in (ROOT / "Fuzz/Corpus").glob("*/*") if path.is_file() and (ROOT / "Fuzz/Targets" / f"{path.parent.name}.sx").exists())


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_property_holds(sx, path):
    target = ROOT / "Fuzz/Targets" / f"{path.parent.name}.sx"
    numbers = " ".join(map(str, path.read_bytes()))
    outcome = sx("eval", "--load", str(target), f"(begin (fuzz (bytevector {numbers})) 'held)")
    assert (outcome.status, outcome.out) == (0, "held\n"), outcome.err


def test_a_property_that_fails_is_seen(sx):
    sx.write("broken.sx", '(define (fuzz bytes) (error "does not hold"))')
    assert sx("eval", "--load", "broken.sx", "(begin (fuzz (bytevector 1)) 'held)").status == 1
