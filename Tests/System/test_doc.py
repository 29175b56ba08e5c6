"""`sx doc`: what a name means, searching, and the reference manual."""

import re

from sx_process import ROOT


def test_the_reference_manual_is_up_to_date(sx):
    outcome = sx("doc", "--markdown")
    assert outcome.status == 0, outcome.err
    committed = (ROOT / "docs" / "reference.md").read_text()
    assert outcome.out == committed, "docs/reference.md is stale: run `make reference` and commit it"


def test_doc_shows_usage_text_example_and_place(sx):
    outcome = sx("doc", "first")
    assert outcome.status == 0
    assert outcome.out.splitlines()[0] == "(first list)"
    assert "Sources/SX/Primitives/Lists.swift:" in outcome.out
    assert "(first (list 1 2)) ; => 1" in outcome.out


def test_doc_knows_special_forms_and_the_prelude(sx):
    assert "(if test then else)" in sx("doc", "if").out
    assert "prelude/core.sx:" in sx("doc", "map").out


def test_doc_knows_the_definitions_of_a_loaded_file(sx):
    sx.write("own.sx", ";;; Twice as much.\n(define (double n) (* 2 n))\n")
    outcome = sx("doc", "--load", "own.sx", "double")
    assert outcome.out == "(double n)\n  function, own.sx:2\n  Twice as much.\n"


def test_an_unknown_name_shows_near_ones(sx):
    outcome = sx("doc", "lenght")
    assert outcome.status == 0
    assert "length" in outcome.out


def test_other_text_is_searched_for(sx):
    names = [line.split()[0] for line in sx("doc", "json encode").out.splitlines()]
    assert "json-encode" in names


def test_nothing_found_ends_with_1(sx):
    outcome = sx("doc", "qqqqqqqqqqqqqqq")
    assert (outcome.status, outcome.out) == (1, "")
    assert "qqqqqqqqqqqqqqq" in outcome.err


def test_doc_alone_lists_every_group(sx):
    out = sx("doc").out
    for group in ("special forms", "lists", "core", "otel/span"):
        assert f"\n{group}\n" in "\n" + out


def test_a_name_and_the_manual_do_not_go_together(sx):
    assert sx("doc", "--markdown", "first").status == 64


def test_every_link_of_the_contents_leads_somewhere():
    text = (ROOT / "docs" / "reference.md").read_text()
    targets = set(re.findall(r'<a id="([^"]+)"></a>', text))
    links = re.findall(r"\]\(#([^)]+)\)", text)
    assert len(links) > 300
    assert [link for link in links if link not in targets] == []
    assert len(targets) == len(re.findall(r'<a id="', text))
