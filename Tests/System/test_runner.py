"""`sx test`, as the people see it who write suites, and the programs that read its reports."""

import re
import signal
import subprocess
import xml.etree.ElementTree as ElementTree

import pexpect
import pytest
import yaml
from tap.parser import Parser

from sx_process import PATIENCE, binary, environment, wait_until

SUITE = """(defsuite "arithmetic"
  (deftest "addition"
    (assert-equal 2 (+ 1 1)))
  (deftest "subtraction"
    (assert-equal 1 (- 3 1)))
  (defsuite "more"
    (deftest "division"
      (assert-equal 2 (/ 6 3)))
    (deftest-skip "powers"
      (assert false))))
"""

GREEN = SUITE.replace("(- 3 1)", "(- 3 2)")

#: The counting style: everything runs while the file loads.
COUNTER = """(define c-pass 0)
(define c-fail 0)
(define c-fails (list))
(define (c-test name actual expected)
  (if (= actual expected)
      (set! c-pass (+ c-pass 1))
      (begin
        (set! c-fail (+ c-fail 1))
        (append! c-fails (str name ": expected " expected ", got " actual)))))
(c-test "one" (+ 0 1) 1)
(define ran (list))
(c-test "two"
        (begin (append! ran 2) {:list (list 1 2 3) :text "a rather long text, so that the whole does not fit"})
        {:list (list 1 5 3) :text "a rather long text, so that the whole does not fit"})
(for-each (fn (n) (c-test (str "made " n) n n)) (list 1 2))
(define c-tests-run!
  (fn () {:passed c-pass :failed c-fail :total (+ c-pass c-fail) :fails c-fails}))
"""

MANIFEST = """({:suite "counting" :style "counter" :runner "c-tests-run!" :file "counting.sx" :modules ()}
 {:suite "sums" :style "deftest" :file "sums.sx"})
"""


def last_line(text: str) -> str:
    return text.splitlines()[-1]


def without_times(text: str) -> str:
    """Durations differ from run to run."""
    return re.sub(r"\d+(\.\d+)? (ms|s)\b", "TIME", text)


def cases(text: str) -> list[str]:
    """The names of the cases, in the order in which -v shows them."""
    return re.findall(r"^ {6}(?:passed|failed|skipped) +(.*?)  \(", text, re.MULTILINE)


# ── Failures ─────────────────────────────────────────────────────────────────────────────────────


def test_a_failed_run_looks_like_this(sx):
    sx.write("sums.sx", SUITE)
    outcome = sx("test", "sums.sx")
    assert outcome.status == 1
    assert without_times(outcome.out) == """FAIL  sums.sx  2 passed, 1 failed, 1 skipped  TIME

1) arithmetic > subtraction
     sums.sx:5

       5 | (assert-equal 1 (- 3 1)))

     expected  1
     got       2

1 suite in TIME
2 passed, 1 failed, 1 skipped
"""


def test_an_error_shows_its_source_and_the_calls_that_led_to_it(sx):
    sx.write(
        "deep.sx",
        """(define (inner list)
  (+ 1 (first list)))
(define (outer n)
  (* 2 (inner n)))
(defsuite "deep"
  (deftest "goes wrong"
    (assert-equal 4 (outer 5))))
""",
    )
    outcome = sx("test", "deep.sx")
    shown = outcome.out[outcome.out.index("1) ") :].splitlines()
    assert shown[:8] == [
        "1) deep > goes wrong",
        "     deep.sx:2",
        "",
        "     error: first: argument 1: expected list or string, got number 5",
        "       at deep.sx:2:15",
        "      2 |   (+ 1 (first list)))",
        "        |               ^^^^",
        "       in inner at deep.sx:2:8",
    ]
    assert shown[8] == "       in outer at deep.sx:4:8"
    assert "test/-" not in outcome.out, "the runner's own calls are of no interest"


def test_a_raised_value_that_is_no_error_is_shown(sx):
    sx.write("raise.sx", '(defsuite "r" (deftest "any" (raise {:code 7})))')
    assert "     raised {:code 7}\n" in sx("test", "raise.sx").out


def test_differences_of_long_structures_are_shown_instead_of_the_whole(sx):
    sx.write(
        "long.sx",
        """(define (people change)
  {:people (map (fn (n) (if (= n 17) (merge {:name "person 17" :age 3} change) {:name (str "person " n) :age n})) (range 0 40))
   :total 40})
(defsuite "long"
  (deftest "a part" (assert-equal (people {}) (people {:age 4 :town "Ulm"}))))
""",
    )
    out = sx("test", "long.sx").out
    assert '     at "people" 17 "age"  expected 3, got 4\n' in out
    assert '     at "people" 17 "town"  expected nothing, got "Ulm"\n' in out
    assert "person 16" not in out


def test_a_line_that_was_left_out_does_not_make_all_others_different(sx):
    sx.write(
        "lines.sx",
        r"""(defsuite "text"
  (deftest "a line is missing" (assert-equal "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight" "one\nthree\nfour\nfive\nsix\nseven\neight"))
  (deftest "an item too many" (assert-equal (range 1000 1012) (append (list 999) (range 1000 1012)))))
""",
    )
    out = sx("test", "lines.sx").out
    assert re.findall(r"^     at .*$", out, re.MULTILINE) == [
        '     at line 2  expected "two", got nothing',
        "     at 0  expected nothing, got 999",
    ]


def test_enormous_values_are_cut(sx):
    sx.write("huge.sx", '(defsuite "huge" (deftest "list" (assert-equal (range 0 100000) nil)))')
    outcome = sx("test", "huge.sx")
    assert len(outcome.out) < 5000
    assert "more characters" in outcome.out


def test_control_characters_do_not_reach_the_terminal(sx):
    sx.write("escape.sx", '(defsuite "e\u001b[31m" (deftest "\u0007bell" (assert-equal "\u001b[2J" "\u0000")))')
    outcome = sx("test", "-v", "escape.sx")
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", outcome.out)


def test_what_a_failed_suite_printed_is_shown(sx):
    sx.write("talk.sx", '(println "hello there")\n' + SUITE)
    assert "     output of talk.sx:\n       hello there\n" in sx("test", "talk.sx").out
    sx.write("talk.sx", '(println "hello there")\n' + GREEN)
    assert "hello there" not in sx("test", "talk.sx").out
    assert "hello there" in sx("test", "-v", "talk.sx").out


# ── Suites that break off ────────────────────────────────────────────────────────────────────────


def test_exit_names_the_case_that_called_it(sx):
    sx.write("leave.sx", '(defsuite "l" (deftest "stays" (assert true)) (deftest "leaves" (exit 0)) (deftest "never" (assert true)))')
    outcome = sx("test", "leave.sx")
    assert outcome.status == 1
    assert "called (exit 0) in the case l > leaves" in outcome.out
    assert last_line(outcome.out) == "1 passed, 1 failed"


def test_a_load_error_is_shown_with_its_source_line(sx):
    sx.write("broken.sx", '(defsuite "ok" (deftest "fine" (assert true)))\n(println (undefined-thing 1))\n')
    outcome = sx("test", "broken.sx")
    assert outcome.status == 1
    assert "Undefined symbol: undefined-thing" in outcome.out
    assert " 2 | (println (undefined-thing 1))" in outcome.out
    assert last_line(outcome.out) == "1 passed, 1 failed"


def test_a_suite_that_loses_cases_of_a_counter_is_a_failure(sx):
    sx.write("conformance/manifest.sx", MANIFEST.replace("counting", "lost", 1))
    sx.write("conformance/counting.sx", COUNTER.replace(":passed c-pass :failed c-fail :total (+ c-pass c-fail)", ":passed 1 :failed 0 :total 1"))
    outcome = sx("test", "lost")
    assert outcome.status == 1
    assert "4 cases ran, but c-tests-run! counts 1" in outcome.out


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("(let loop ((n 0))\n      (loop (+ n 1)))", 5),
        ("(sleep 1000000)", 4),
        ("(letrec ((again (fn (x) (again (str x)))))\n      (again 1))", 4),
    ],
    ids=["loop", "sleep", "recursion"],
)
def test_a_case_that_takes_too_long_is_a_failure_and_the_others_run(sx, source, place):
    sx.write(
        "slow.sx",
        f"""(defsuite "slow"
  (deftest "before" (assert true))
  (deftest "endless"
    {source})
  (deftest "after" (assert true)))
""",
    )
    outcome = sx("test", "--timeout", "0.7", "-v", "slow.sx")
    assert outcome.status == 1
    assert cases(outcome.out) == ["slow > before", "slow > endless", "slow > after"]
    assert "took longer than 700 ms" in outcome.out
    shown = int(re.search(r"^ +slow\.sx:(\d+)$", outcome.out, re.MULTILINE)[1])
    assert shown in (place, place - 1)
    assert last_line(outcome.out) == "2 passed, 1 failed"


def test_a_file_that_does_not_end_loading_is_a_failure(sx):
    sx.write("slow.sx", SUITE + "(let loop () (loop))\n")
    outcome = sx("test", "--timeout", "0.5", "slow.sx")
    assert outcome.status == 1
    assert "took longer than 500 ms after the case arithmetic > more > powers, at slow.sx:11:" in outcome.out


def test_a_case_that_takes_too_long_in_a_primitive_is_a_failure_and_the_others_run(sx):
    # A search in which every place looks good almost to the end.
    slow = '(string-contains? (repeat "a" 120000) (str (repeat "a" 60000) "b"))'
    sx.write("slow.sx", f'(defsuite "slow" (deftest "primitive" {slow}) (deftest "after" (assert true)) (deftest "wrong" (assert= 1 2)))')
    outcome = sx("test", "--timeout", "0.05", "-v", "slow.sx")
    assert cases(outcome.out) == ["slow > primitive", "slow > after", "slow > wrong"]
    assert "took longer than 50 ms" in outcome.out
    assert last_line(outcome.out) == "1 passed, 2 failed"


def test_a_counting_suite_goes_on_after_a_case_that_takes_too_long_in_a_primitive(sx):
    slow = '(string-contains? (repeat "a" 120000) (str (repeat "a" 60000) "b"))'
    sx.write("counting.sx", COUNTER.replace('(c-test "one" (+ 0 1) 1)', f'(c-test "one" {slow} false)').replace("(list 1 5 3)", "(list 1 2 3)"))
    outcome = sx("test", "--timeout", "0.05", "-v", "counting.sx")
    assert cases(outcome.out) == ["counting.sx > one", "counting.sx > two", "counting.sx > made 1", "counting.sx > made 2"]
    assert last_line(outcome.out) == "3 passed, 1 failed"


def test_a_case_that_takes_too_much_memory_is_a_failure_and_the_others_run(sx):
    sx.write("big.sx", '(defsuite "big" (deftest "grows" (let loop ((l (list))) (loop (cons 1 l)))) (deftest "after" (assert true)))')
    outcome = sx("test", "--max-heap", "40M", "-v", "big.sx")
    assert outcome.status == 1
    assert cases(outcome.out) == ["big > grows", "big > after"]
    assert "out of memory: the heap limit is reached" in outcome.out
    assert last_line(outcome.out) == "1 passed, 1 failed"


def test_a_slow_suite_of_quick_cases_is_not_stopped(sx):
    sx.write("many.sx", '(defsuite "many" ' + '(deftest "s" (sleep 300)) ' * 5 + ")")
    assert sx("test", "--timeout", "1", "many.sx").status == 0


# ── What must not look green ─────────────────────────────────────────────────────────────────────


def test_a_spawned_fiber_that_fails_is_a_failure_of_its_case(sx):
    sx.write(
        "fibers.sx",
        """(defsuite "fibers"
  (deftest "starts one"
    (spawn (fn ()
      (error "boom"))))
  (deftest "waits for one"
    (spawn (fn () (error "bang")))
    (sleep 5))
  (deftest "quick" (assert true)))
""",
    )
    outcome = sx("test", "fibers.sx")
    assert outcome.status == 1
    assert "1) fibers > starts one" in outcome.out and "2) fibers > waits for one" in outcome.out
    assert "a spawned fiber has failed: boom" in outcome.out and "a spawned fiber has failed: bang" in outcome.out
    assert last_line(outcome.out) == "1 passed, 2 failed"


def test_a_spawned_fiber_that_fails_outside_of_cases_is_a_failure_of_the_suite(sx):
    sx.write("fibers.sx", '(defsuite "fibers" (deftest "quick" (assert true)))\n(spawn (fn () (error "boom")))\n')
    outcome = sx("test", "fibers.sx")
    assert outcome.status == 1
    assert "a spawned fiber has failed: error: boom" in outcome.out
    assert last_line(outcome.out) == "1 passed, 1 failed"


def test_a_fiber_whose_error_is_handled_is_no_failure(sx):
    sx.write("fibers.sx", '(defsuite "fibers" (deftest "c" (spawn (fn () (guard (e (true nil)) (error "boom"))))))')
    assert sx("test", "fibers.sx").status == 0


FAILING = '(defsuite "s" (deftest "wrong" (assert= 1 2)) (deftest "right" (assert= 1 1)))'


@pytest.mark.parametrize(
    ("definition", "told"),
    [
        ("(define (assert= a b) nil)", "assert=, as the suite defines it, passes whatever it is given"),
        ("(define (assert a) true) (define (assert-nil a) true)", "assert, assert-nil, as the suite defines them, passes whatever it is given"),
        ("(define (try-call f) {:ok true})", "try-call did not run the case to its end, as the suite defines it"),
        ("(define (try-call f) (guard (e (true nil)) (f)) {:ok true})", "s > wrong"),
        ("(define (try-call f) nil)", "try-call gave nil"),
        ("(define (report-fail name message) nil)", "s > wrong"),
        ("(define (report-fail name message) (report-pass name))", "s > wrong"),
        ("(define (report-pass name) nil)", "report-pass does not report that the case has passed, as the suite defines it"),
    ],
)
def test_a_suite_cannot_make_passes_of_its_failures(sx, definition, told):
    sx.write("shadow.sx", definition + "\n" + FAILING)
    outcome = sx("test", "shadow.sx")
    assert outcome.status == 1
    assert told in outcome.out


@pytest.mark.parametrize(
    "definition",
    [
        "(defmacro deftest (name &rest body) `(do (guard (e (true nil)) ,@body) (report-pass ,name)))",
        "(defmacro deftest (name &rest body) `(guard (e (true nil)) ,@body (report-pass ,name)))",
        "(defmacro deftest (name &rest body) `(report-pass ,name))",
        "(defmacro deftest (name &rest body) `(begin (try-call (fn () ,@body)) (report-pass ,name)))",
        "(define (test name thunk) (try-call thunk) (report-pass name)) (defmacro deftest (name &rest body) `(test ,name (fn () ,@body)))",
        "(defmacro own-test (name &rest body) `(begin (guard (e (true nil)) ,@body) (report-pass ,name))) (defmacro deftest (&rest all) `(own-test ,@all))",
    ],
)
def test_a_suite_whose_own_cases_pass_whatever_happens_in_them_is_a_failure(sx, definition):
    sx.write("swallow.sx", definition + "\n" + FAILING)
    outcome = sx("test", "swallow.sx")
    assert outcome.status == 1
    assert re.search("deftest(, .*)?, as the suite defines (it|them), passes whatever it is given", outcome.out)


@pytest.mark.parametrize(
    "definition",
    [
        "(defmacro it (name &rest body) `(begin (try-call (fn () ,@body)) (report-pass ,name)))",
        "(define (run-it name thunk) (try-call thunk) (report-pass name)) (defmacro it (name &rest body) `(run-it ,name (fn () ,@body)))",
    ],
)
def test_so_is_one_whose_own_cases_are_not_called_like_tests_and_the_places_are_told(sx, definition):
    sx.write("swallow.sx", definition + '\n(defsuite "s"\n  (it "right" (assert= 1 1))\n  (it "wrong"\n    (error "swallowed")))\n')
    outcome = sx("test", "swallow.sx")
    assert outcome.status == 1
    assert "it, as the suite defines it, passes whatever it is given; caught outside of a case:\n" in outcome.out
    assert "swallowed at swallow.sx:5\n" in outcome.out


def test_a_suite_form_that_goes_on_as_if_nothing_had_happened_is_a_failure(sx):
    sx.write(
        "swallow.sx",
        """(defmacro describe (name &rest items) `(begin (push-suite ,name) (try-call (fn () ,@items)) (pop-suite)))
(describe "s"
  (deftest "right" (assert= 1 1))
  (define (helper) (error "the helper broke"))
  (helper)
  (deftest "never" (assert= 1 2)))
""",
    )
    outcome = sx("test", "swallow.sx")
    assert outcome.status == 1
    assert "describe, as the suite defines it, passes whatever it is given" in outcome.out
    assert "the helper broke at swallow.sx:4\n" in outcome.out


def test_suite_and_case_forms_that_do_their_work_are_let_be(sx):
    sx.write(
        "own.sx",
        """(defmacro describe (name &rest items) `(begin (push-suite ,name) ,@items (pop-suite)))
(defmacro it (name &rest body)
  `(let ((result (try-call (fn () ,@body)))) (if (get result :ok) (report-pass ,name) (report-fail ,name (get result :error)))))
(defmacro holds (name form) `(if ,form (report-pass ,name) (report-fail ,name "no")))
(describe "s"
  (define caught (try-call (fn () (error "expected"))))
  (it "right" (assert= "expected" (get caught :error)))
  (holds "one" (= 1 1)))
""",
    )
    outcome = sx("test", "own.sx")
    assert (outcome.status, last_line(outcome.out)) == (0, "2 passed, 0 failed")


def test_a_form_of_a_suite_that_raises_makes_the_run_red_and_its_place_is_told(sx):
    sx.write("helper.sx", '(defsuite "s"\n  (define (helper) (error "the helper broke"))\n  (deftest "right" (assert= 1 1))\n  (helper))\n')
    outcome = sx("test", "helper.sx")
    assert outcome.status == 1
    assert "the helper broke\n       at helper.sx:2:20\n" in outcome.out and "in top level at helper.sx:4:3" in outcome.out


def test_forms_of_cases_that_report_later_are_let_be(sx):
    sx.write(
        "later.sx",
        """(define results (mutable-list))
(defmacro deftest (name &rest body) `(append! results (list ,name (try-call (fn () ,@body)))))
(defsuite "s"
  (deftest "right" (assert= 1 1))
  (for-each (fn (result) (if (get (nth result 1) :ok) (report-pass (first result)) (report-fail (first result) "no"))) results))
""",
    )
    outcome = sx("test", "later.sx")
    assert (outcome.status, last_line(outcome.out)) == (0, "1 passed, 0 failed")


def test_a_suite_may_bring_assertions_and_a_try_call_that_do_their_work(sx):
    sx.write(
        "own.sx",
        """(define (try-call f) (guard (e (true {:ok false :error "mine"})) (f) {:ok true}))
(define (assert= a b) (unless (= a b) (error "not the same")))
(define (assert-type value type) (unless (= type (type-of value)) (error "of another type")))
"""
        + FAILING,
    )
    outcome = sx("test", "own.sx")
    assert last_line(outcome.out) == "1 passed, 1 failed"
    assert "passes whatever" not in outcome.out


# ── Choosing ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (2, ["arithmetic > addition"]),
        (5, ["arithmetic > subtraction"]),
        (8, ["arithmetic > more > division"]),
        (10, ["arithmetic > more > powers"]),
        (6, ["arithmetic > more > division", "arithmetic > more > powers"]),
        (1, ["arithmetic > addition", "arithmetic > subtraction", "arithmetic > more > division", "arithmetic > more > powers"]),
    ],
)
def test_a_line_chooses_the_case_or_the_suite_around_it(sx, line, expected):
    sx.write("sums.sx", SUITE)
    assert cases(sx("test", "-v", f"sums.sx:{line}").out) == expected


def test_a_place_copied_from_a_message_has_a_column(sx):
    sx.write("sums.sx", SUITE)
    assert cases(sx("test", "-v", "./sums.sx:5:5").out) == ["arithmetic > subtraction"]


def test_two_lines_of_a_file_choose_both_cases(sx):
    sx.write("sums.sx", SUITE)
    assert cases(sx("test", "-v", "sums.sx:2", "sums.sx:8").out) == ["arithmetic > addition", "arithmetic > more > division"]
    assert len(cases(sx("test", "-v", "sums.sx:2", "sums.sx").out)) == 4


def test_a_line_where_no_case_stands_is_an_error(sx):
    sx.write("sums.sx", SUITE + "\n\n; nothing\n")
    outcome = sx("test", "sums.sx:13")
    assert outcome.status == 1
    assert "sums.sx:13: no test case stands at this line" in outcome.err


def test_a_line_of_a_form_that_makes_cases_chooses_them(sx):
    sx.write("made.sx", '(defmacro twice (name body) `(begin (deftest ,name ,body) (deftest (str ,name "'"!"'") ,body)))\n(twice "a" (assert true))\n(twice "b" (assert true))\n')
    assert cases(sx("test", "-v", "made.sx:3").out) == ["made.sx > b", "made.sx > b!"]


def test_a_line_chooses_a_case_of_a_counting_suite(sx):
    sx.write("conformance/manifest.sx", MANIFEST)
    sx.write("conformance/counting.sx", COUNTER)
    outcome = sx("test", "-v", "conformance/counting.sx:13")
    assert cases(outcome.out) == ["counting > two"]
    assert last_line(outcome.out) == "0 passed, 1 failed"
    # The others do not even run.
    outcome = sx("test", "-v", "conformance/counting.sx:10")
    assert cases(outcome.out) == ["counting > one"]
    assert outcome.status == 0


def test_the_filter_chooses_cases_of_a_counting_suite(sx):
    sx.write("conformance/manifest.sx", MANIFEST)
    sx.write("conformance/counting.sx", COUNTER)
    sx.write("conformance/sums.sx", GREEN)
    outcome = sx("test", "-v", "--filter", "counting > made")
    assert cases(outcome.out) == ["counting > made 1", "counting > made 2"]
    assert last_line(outcome.out) == "2 passed, 0 failed"


def test_list_with_v_shows_the_cases_and_where_they_stand(sx):
    sx.write("sums.sx", SUITE + '(error "never runs")')
    assert sx("test", "--list", "-v", "sums.sx").out.splitlines() == [
        "sums.sx  sums.sx",
        "      sums.sx:2  arithmetic > addition",
        "      sums.sx:4  arithmetic > subtraction",
        "      sums.sx:7  arithmetic > more > division",
        "      sums.sx:9  arithmetic > more > powers",
    ]


def test_fail_fast_stops_at_the_first_failure(sx):
    sx.write("a.sx", SUITE)
    sx.write("b.sx", GREEN)
    outcome = sx("test", "--fail-fast", "--jobs", "1", "-v", "a.sx", "b.sx")
    assert outcome.status == 1
    assert cases(outcome.out) == ["arithmetic > addition", "arithmetic > subtraction"]
    assert "1 suite not run" in outcome.out
    assert last_line(outcome.out) == "1 passed, 1 failed"


def test_fail_fast_stops_a_counting_suite(sx):
    sx.write("conformance/manifest.sx", MANIFEST)
    sx.write("conformance/counting.sx", COUNTER)
    outcome = sx("test", "--fail-fast", "-v", "counting")
    assert cases(outcome.out) == ["counting > one", "counting > two"]
    assert last_line(outcome.out) == "1 passed, 1 failed"


# ── Order and time ───────────────────────────────────────────────────────────────────────────────

MANY = '(defsuite "many"\n' + "\n".join(f'  (deftest "{n}" (assert true))' for n in range(30)) + ")\n"


def test_cases_run_as_written_unless_told_otherwise(sx):
    sx.write("many.sx", MANY)
    assert cases(sx("test", "-v", "many.sx").out) == [f"many > {n}" for n in range(30)]


def test_a_seed_decides_the_order(sx):
    sx.write("many.sx", MANY)
    first, again, other = (sx("test", "-v", "--seed", seed, "many.sx") for seed in ("7", "7", "8"))
    assert cases(first.out) == cases(again.out) != cases(other.out)
    assert sorted(cases(first.out)) == sorted(cases(other.out)) == sorted(f"many > {n}" for n in range(30))
    assert cases(first.out) != [f"many > {n}" for n in range(30)]


def test_the_seed_of_a_random_order_is_printed_and_repeats_it(sx):
    sx.write("many.sx", MANY)
    shuffled = sx("test", "-v", "--shuffle", "many.sx")
    seed = re.search(r"--seed (\d+)", shuffled.out)[1]
    assert cases(sx("test", "-v", "--seed", seed, "many.sx").out) == cases(shuffled.out)


def test_suites_stay_together_in_a_random_order(sx):
    sx.write("two.sx", '(define n 1)\n(defsuite "a" (deftest "1" (assert= n 1)) (defsuite "b" (deftest "2" (assert= n 1)) (deftest "3" (assert= n 1))) (deftest "4" (assert= n 1)))\n(define n 2)\n(defsuite "c" (deftest "5" (assert= n 2)))')
    for seed in range(8):
        outcome = sx("test", "-v", "--seed", str(seed), "two.sx")
        assert outcome.status == 0, outcome.out
        names = cases(outcome.out)
        assert names[-1] == "c > 5"
        assert abs(names.index("a > b > 2") - names.index("a > b > 3")) == 1


def test_a_random_order_finds_cases_that_need_each_other(sx):
    sx.write("needy.sx", '(define n 0)\n(defsuite "needy" (deftest "first" (set! n 1) (assert true)) (deftest "second" (assert= 1 n)))')
    assert sx("test", "needy.sx").status == 0
    assert {sx("test", "--seed", str(seed), "needy.sx").status for seed in range(10)} == {0, 1}


def test_suites_are_put_in_a_random_order_too(sx):
    for n in range(8):
        sx.write(f"s{n}.sx", f'(defsuite "{n}" (deftest "x" (assert true)))')
    written = [f"s{n}.sx" for n in range(8)]
    shown = re.findall(r"^ok +(\S+)", sx("test", "--seed", "1", *written).out, re.MULTILINE)
    assert sorted(shown) == written != shown


def test_the_slowest_cases_are_shown(sx):
    sx.write("slow.sx", '(defsuite "s" (deftest "quick" (assert true)) (deftest "slow" (sleep 200)) (deftest "slower" (sleep 400)))')
    out = sx("test", "--slowest", "2", "slow.sx").out
    slowest = out[out.index("Slowest\n") :].splitlines()[1:3]
    assert ["s > slower" in slowest[0], "s > slow " in slowest[1]] == [True, True]
    assert re.match(r" +[45]\d\d ms", slowest[0])
    assert "quick" not in out


# ── The two styles, and forms that a suite brings along ──────────────────────────────────────────


def test_a_counting_suite_shows_cases_values_and_places(sx):
    sx.write("conformance/manifest.sx", MANIFEST)
    sx.write("conformance/counting.sx", COUNTER)
    outcome = sx("test", "-v", "counting")
    assert cases(outcome.out) == ["counting > one", "counting > two", "counting > made 1", "counting > made 2"]
    assert "1) counting > two\n     conformance/counting.sx:12\n" in outcome.out
    assert '     at "list" 1  expected 5, got 2\n' in outcome.out
    assert last_line(outcome.out) == "3 passed, 1 failed"


FOREIGN = """; Forms of its own, on what the host supplies.
(defmacro deftest (name &rest body)
  `(let ((result (try-call (fn () ,@body))))
     (if (get result "ok")
         (report-pass ,name)
         (report-fail ,name (get result "error")))))
(defmacro defsuite (name &rest items)
  `(do (push-suite ,name) ,@items (pop-suite)))
(define (assert-equal expected actual)
  (assert (equal? expected actual)
          (str "Expected " (inspect expected) " but got " (inspect actual))))
(defsuite "foreign"
  (deftest "good" (assert-equal 1 1))
  (deftest "bad" (assert-equal 1 2))
  (defsuite "deep"
    (deftest "boom" (error "the boiler burst"))))
"""


def test_a_counting_file_is_known_by_its_looks(sx):
    sx.write("alone.sx", COUNTER)
    outcome = sx("test", "alone.sx")
    assert outcome.status == 1
    assert "1) alone.sx > two" in outcome.out
    assert last_line(outcome.out) == "3 passed, 1 failed"
    assert last_line(sx("test", "alone.sx:10").out) == "1 passed, 0 failed"
    # The runner may be defined as a function, too.
    sx.write("alone.sx", COUNTER.replace("(define c-tests-run!\n  (fn () ", "(define (c-tests-run!)\n  (begin "))
    assert last_line(sx("test", "alone.sx").out) == "3 passed, 1 failed"


def test_a_suite_with_forms_of_its_own_runs(sx):
    sx.write("foreign.sx", FOREIGN)
    outcome = sx("test", "-v", "foreign.sx")
    assert cases(outcome.out) == ["foreign > good", "foreign > bad", "foreign > deep > boom"]
    assert "Expected 1 but got 2" in outcome.out
    assert "the boiler burst" in outcome.out
    assert "foreign.sx:14\n" in outcome.out
    assert last_line(outcome.out) == "1 passed, 2 failed"
    assert cases(sx("test", "-v", "--filter", "boom", "foreign.sx").out) == ["foreign > deep > boom"]
    assert cases(sx("test", "-v", "foreign.sx:14").out) == ["foreign > bad"]


def test_skipped_cases_are_counted_and_say_why(sx):
    sx.write("skip.sx", '(defsuite "s" (deftest-skip "later" (undefined)) (deftest "now" (guard (e (true nil)) (skip-case "no network")) (assert false)) (deftest "ok" (assert true)))')
    outcome = sx("test", "-v", "skip.sx")
    assert outcome.status == 0
    assert "s > now: no network" in outcome.out
    assert last_line(outcome.out) == "1 passed, 0 failed, 2 skipped"


# ── Reports for programs ─────────────────────────────────────────────────────────────────────────

NASTY = """(defsuite "a <b> & \\"c\\""
  (deftest "ctrl \u0001\u001b[31m ]]> &amp; 😀 \ufffe" (println "out \u0002 ]]> <x>") (assert-equal "<a>\u0000\\t\\r\\n" "]]>\u001f"))
  (deftest "hash # and \\\\ back" (error "line one\\nline two: yes\\n---\\n..."))
  (deftest-skip "# SKIP me" (assert true))
  (deftest "passes" (assert true)))
"""


def test_junit_xml_says_what_happened(sx):
    sx.write("sums.sx", SUITE)
    sx.write("broken.sx", '(defsuite "b" (deftest "x" (assert true)))\n(error "half way")')
    outcome = sx("test", "--junit", "report.xml", "sums.sx", "broken.sx")
    assert outcome.status == 1
    root = ElementTree.parse(sx.folder / "report.xml").getroot()
    assert root.tag == "testsuites"
    assert {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")} == {"tests": "6", "failures": "1", "errors": "1", "skipped": "1"}
    sums, broken = root
    assert (sums.tag, sums.get("name"), sums.get("tests"), sums.get("failures"), sums.get("skipped")) == ("testsuite", "sums.sx", "4", "1", "1")
    assert [(case.get("classname"), case.get("name"), case.get("file"), case.get("line")) for case in sums.iter("testcase")] == [
        ("arithmetic", "addition", "sums.sx", "2"),
        ("arithmetic", "subtraction", "sums.sx", "5"),
        ("arithmetic > more", "division", "sums.sx", "7"),
        ("arithmetic > more", "powers", "sums.sx", "9"),
    ]
    failure = sums.find(".//failure")
    assert failure.get("message") == "assert-equal: expected 1, got 2"
    assert "sums.sx:5" in failure.text
    assert sums.find(".//skipped") is not None
    assert all(float(element.get("time")) >= 0 for element in root.iter() if element.get("time"))
    assert "half way" in broken.find(".//error").text


def test_junit_xml_can_hold_every_text(sx):
    sx.write("nasty.sx", NASTY)
    sx("test", "--junit", "report.xml", "nasty.sx")
    root = ElementTree.parse(sx.folder / "report.xml").getroot()
    case = root.find(".//testcase")
    assert case.get("classname") == 'a <b> & "c"'
    assert case.get("name") == "ctrl \\u0001\\u001b[31m ]]> &amp; 😀 \\ufffe"
    assert "]]>" in case.find("failure").text
    assert root.find(".//system-out").text == "out \\u0002 ]]> <x>\n"


def test_junit_xml_counts_the_cases_of_a_counting_suite(sx):
    sx.write("conformance/manifest.sx", MANIFEST)
    sx.write("conformance/counting.sx", COUNTER)
    sx("test", "--junit", "report.xml", "counting")
    root = ElementTree.parse(sx.folder / "report.xml").getroot()
    assert [case.get("name") for case in root.iter("testcase")] == ["one", "two", "made 1", "made 2"]
    assert root.get("failures") == "1"


def test_a_report_that_cannot_be_written_is_an_error(sx):
    sx.write("sums.sx", GREEN)
    outcome = sx("test", "--junit", "no/such/folder/report.xml", "sums.sx")
    assert outcome.status == 1
    assert "no/such/folder/report.xml" in outcome.err


def tap_lines(text: str):
    return list(Parser().parse_text(text))


@pytest.mark.parametrize("source", [SUITE, NASTY, '(error "nothing runs")'], ids=["plain", "nasty", "broken"])
def test_tap_can_be_parsed(sx, source):
    sx.write("suite.sx", source)
    outcome = sx("test", "--tap", "suite.sx")
    assert outcome.status == 1
    assert outcome.out.startswith("TAP version 14\n1..")
    lines = tap_lines(outcome.out)
    assert not [line for line in lines if line.category == "unknown"]
    points = [line for line in lines if line.category == "test"]
    plan = next(line for line in lines if line.category == "plan")
    assert len(points) == plan.expected_tests
    assert [point.number for point in points] == list(range(1, len(points) + 1))
    assert not all(point.ok for point in points)


def test_tap_tells_failures_as_yaml_and_skips_as_directives(sx):
    sx.write("suite.sx", NASTY)
    out = sx("test", "--tap", "suite.sx").out
    blocks = [yaml.safe_load(block) for block in re.findall(r"^  ---\n(.*?)^  \.\.\.$", out, re.MULTILINE | re.DOTALL)]
    assert blocks[0]["expected"] == '"<a>\\u0000\\t\\r\\n"' or blocks[0]["expected"].startswith('"<a>')
    assert blocks[0]["at"] == "suite.sx:2"
    assert blocks[1]["message"] == "line one\nline two: yes\n---\n..."
    skipped = [line for line in tap_lines(out) if line.category == "test" and line.skip]
    assert len(skipped) == 1
    assert "ok 3 - a <b> & \"c\" > \\# SKIP me # SKIP\n" in out
    assert last_line(out) == "# 1 passed, 2 failed, 1 skipped"


# ── Snapshots ────────────────────────────────────────────────────────────────────────────────────

SNAPSHOTS = """; é ünï, and a line end of another kind\r
(defsuite "snaps" ; 😀
  (deftest "new"   (assert-snapshot (list 1 "é" {:a 1})))
  (deftest "lines" (assert-snapshot (str "<p>\\n \\"q\\" \\\\ é😀" "</p>") ; why
      ))
  (deftest "atoms" (let ((x 'sym)) (assert-snapshot x) [assert-snapshot "a"]))
  (deftest "old"   (assert-snapshot (+ 1 2) "4") (assert-snapshot (+ 1 2) ; )
      #;(x) "5" ))
  (deftest "loop"  (for-each (fn (x) (assert-snapshot (* x 0))) (list 1 2 3)))
  (deftest "right" (assert-snapshot 7 "7")))"""

ACCEPTED = """; é ünï, and a line end of another kind\r
(defsuite "snaps" ; 😀
  (deftest "new"   (assert-snapshot (list 1 "é" {:a 1}) "(1 \\"é\\" {:a 1})"))
  (deftest "lines" (assert-snapshot (str "<p>\\n \\"q\\" \\\\ é😀" "</p>") "<p>
 \\"q\\" \\\\ é😀</p>" ; why
      ))
  (deftest "atoms" (let ((x 'sym)) (assert-snapshot x "sym") [assert-snapshot "a" "a"]))
  (deftest "old"   (assert-snapshot (+ 1 2) "3") (assert-snapshot (+ 1 2) ; )
      #;(x) "3" ))
  (deftest "loop"  (for-each (fn (x) (assert-snapshot (* x 0) "0")) (list 1 2 3)))
  (deftest "right" (assert-snapshot 7 "7")))"""


def test_a_missing_snapshot_is_a_failure_that_says_what_to_do(sx):
    path = sx.folder / "snap.sx"
    path.write_bytes(SNAPSHOTS.encode())
    outcome = sx("test", "snap.sx")
    assert outcome.status == 1
    assert "`sx test --accept` writes it" in outcome.out
    assert path.read_bytes() == SNAPSHOTS.encode()


def test_accept_writes_snapshots_and_nothing_else(sx):
    path = sx.folder / "snap.sx"
    path.write_bytes(SNAPSHOTS.encode())
    path.chmod(0o640)
    outcome = sx("test", "--accept", "snap.sx")
    assert outcome.status == 0, outcome.out
    assert "7 snapshots written to snap.sx" in outcome.out
    assert path.read_bytes().decode() == ACCEPTED
    assert path.stat().st_mode & 0o777 == 0o640
    assert sx("test", "snap.sx").status == 0
    again = sx("test", "--accept", "snap.sx")
    assert again.status == 0
    assert "written" not in again.out
    assert [file.name for file in sx.folder.iterdir()] == ["snap.sx"], "no file is left beside it"


def test_a_snapshot_that_differs_shows_the_lines_that_do(sx):
    sx.write("snap.sx", '(defsuite "s" (deftest "d" (assert-snapshot (join "\\n" (map str (range 100 130))) "' + "\n".join(str(n if n != 117 else 7) for n in range(100, 130)) + '")))')
    out = sx("test", "snap.sx").out
    assert '     at line 18  expected "7", got "117"\n' in out


def test_a_snapshot_with_different_values_is_not_written(sx):
    source = '(defsuite "s" (deftest "d" (for-each (fn (x) (assert-snapshot x)) (list 1 2 3))))'
    path = sx.write("snap.sx", source)
    outcome = sx("test", "--accept", "snap.sx")
    assert outcome.status == 1
    assert "different values" in outcome.out
    assert path.read_text() == source


def test_snapshots_of_loaded_files_are_written_there(sx):
    helper = sx.write("helper.sx", "(define (check x) (assert-snapshot (* x 2)))\n")
    sx.write("suite.sx", '(load "helper.sx")\n(defsuite "s" (deftest "d" (check 21)))\n')
    assert sx("test", "--accept", "suite.sx").status == 0
    assert helper.read_text() == '(define (check x) (assert-snapshot (* x 2) "42"))\n'


# ── Terminals ────────────────────────────────────────────────────────────────────────────────────


def on_terminal(folder, *arguments, **extra):
    child = pexpect.spawn(
        binary(), list(arguments), cwd=str(folder), env={**environment(folder), "TERM": "xterm-256color", **extra}, encoding="utf-8", timeout=PATIENCE, dimensions=(40, 120)
    )
    child.expect(pexpect.EOF)
    child.close()
    return child.before


def test_there_is_colour_and_progress_on_a_terminal_only(sx):
    sx.write("sums.sx", SUITE)
    shown = on_terminal(sx.folder, "test", "sums.sx", NO_COLOR="")
    assert "\x1b[1;31mFAIL\x1b[0m" in shown
    assert "1 of 1 suites" in shown
    plain = on_terminal(sx.folder, "test", "sums.sx", NO_COLOR="1")
    assert "\x1b[1;31m" not in plain
    assert "\x1b" not in on_terminal(sx.folder, "test", "sums.sx", TERM="dumb", NO_COLOR="")
    piped = sx("test", "sums.sx", NO_COLOR="")
    assert "\x1b" not in piped.out
    assert "of 1 suites" not in piped.out


# ── Watching ─────────────────────────────────────────────────────────────────────────────────────


class Watching:
    def __init__(self, sx, *arguments):
        self.output = sx.folder / "watch.out"
        with open(self.output, "wb") as out:
            self.process = subprocess.Popen([binary(), "test", "--watch", *arguments], stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=sx.folder, env=environment(sx.folder))
        self.seen = 0

    def round(self) -> str:
        """What the next run prints, once it is over."""

        def finished():
            text = self.output.read_text()[self.seen :]
            return text if "Ctrl-C leaves\n" in text else None

        text = wait_until(finished, "the run to end")
        text = text[: text.index("Ctrl-C leaves\n") + len("Ctrl-C leaves\n")]
        self.seen += len(text)
        return text

    def end(self, number=signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE)


@pytest.fixture
def watch(sx):
    started = []

    def start(*arguments):
        started.append(Watching(sx, *arguments))
        return started[-1]

    yield start
    for watching in started:
        watching.process.kill()
        watching.process.wait()


def test_watch_runs_again_what_a_changed_file_can_affect(sx, watch):
    sx.write("helper.sx", "(define answer 42)")
    sx.write("a.sx", '(load "helper.sx")\n(defsuite "a" (deftest "x" (assert= 42 answer)))')
    sx.write("b.sx", '(defsuite "b" (deftest "y" (assert true)))')
    watching = watch("a.sx", "b.sx")
    first = watching.round()
    assert "2 passed, 0 failed" in first
    sx.write("helper.sx", "(define answer 4711)")
    second = watching.round()
    assert "a.sx" in second and "b.sx" not in second
    assert "0 passed, 1 failed" in second
    sx.write("b.sx", '(defsuite "b" (deftest "y" (assert true)) (deftest "z" (assert true)))')
    third = watching.round()
    assert "2 passed, 0 failed" in third
    assert "failed before, and not run again: a.sx" in third
    assert watching.end() == 0


def test_watch_survives_files_that_go_and_come_back(sx, watch):
    path = sx.write("a.sx", '(defsuite "a" (deftest "x" (assert true)))')
    watching = watch("a.sx")
    assert "1 passed, 0 failed" in watching.round()
    path.unlink()
    assert "a.sx" in watching.round()
    sx.write("a.sx", '(defsuite "a" (deftest "x" (assert true)) (deftest "y" (assert true)))')
    assert "2 passed, 0 failed" in watching.round()
    assert watching.end(signal.SIGTERM) == 143


def test_watch_runs_everything_when_the_manifest_changes(sx, watch):
    sx.write("conformance/manifest.sx", MANIFEST)
    sx.write("conformance/counting.sx", COUNTER)
    sx.write("conformance/sums.sx", GREEN)
    watching = watch()
    assert "6 passed, 1 failed, 1 skipped" in watching.round()
    sx.write("conformance/manifest.sx", "\n" + MANIFEST)
    assert "6 passed, 1 failed, 1 skipped" in watching.round()
    watching.end()


def test_watch_leaves_a_terminal_cleanly(sx):
    sx.write("sums.sx", GREEN)
    child = pexpect.spawn(binary(), ["test", "--watch", "sums.sx"], cwd=str(sx.folder), env={**environment(sx.folder), "TERM": "xterm"}, encoding="utf-8", timeout=PATIENCE)
    child.expect("Ctrl-C leaves")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


# ── Usage ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("arguments", [["--timeout", "0"], ["--jobs", "0"], ["--slowest", "0"], ["--seed", "x"], ["--list", "--watch"]], ids=" ".join)
def test_senseless_options_are_wrong_usage(sx, arguments):
    assert sx("test", *arguments).status == 64


def test_several_formats_at_once(sx):
    sx.write("sums.sx", GREEN)
    outcome = sx("test", "--tap", "--junit", "j.xml", "--seed", "3", "--timeout", "5", "--jobs", "2", "sums.sx")
    assert outcome.status == 0
    assert outcome.out.startswith("TAP version 14\n1..4\n")
    assert (sx.folder / "j.xml").exists()
