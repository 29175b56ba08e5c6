"""The command in scripts: eval, run, check, test."""

import re
import resource
import signal
import subprocess
import time

import pexpect
import pytest

from sx_process import PATIENCE, binary, environment


def located(text: str, place: str) -> bool:
    """Whether a diagnostic names this file:line:column and points below the line with a caret."""
    return place in text and any(re.fullmatch(r"[\s|]*\^+", line) for line in text.splitlines())


# ── eval ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "source, printed",
    [
        ("(+ 1 2)", "3"),
        ("1.0", "1.0"),
        ("(/ 5 2)", "2.5"),
        ("(/ 6 2)", "3"),
        ("nil", "nil"),
        ("true", "true"),
        ("()", "()"),
        ("(otel/recent)", "()"),
        (":key", '"key"'),
        ("(quote :key)", ":key"),
        ("(quote (a b))", "(a b)"),
        (r'"a\tb\"c\"\\"', r'"a\tb\"c\"\\"'),
        ('"Grüße 🫖"', '"Grüße 🫖"'),
        ('(list 1 "two" (quote :three) {:k nil})', '(1 "two" :three {:k nil})'),
        ('{:plain 1 "two words" 2}', '{:plain 1 "two words" 2}'),
        ("(define x 2) (* x 21)", "42"),
        ("9223372036854775807", "9223372036854775807"),
        ("0x1F", "31"),
    ],
)
def test_eval_prints_a_value_as_the_printer_writes_it(sx, source, printed):
    outcome = sx("eval", source)
    assert (outcome.status, outcome.out, outcome.err) == (0, printed + "\n", "")


def test_recursion_without_end_is_an_error_after_which_deep_recursion_still_works(sx):
    source = """
      (define (forever n) (+ 1 (forever n)))
      (define (sum n) (if (= n 0) 0 (+ n (sum (- n 1)))))
      (list (guard (e (true (error-message e))) (forever 1)) (sum 1000000))"""
    outcome = sx("eval", source)
    assert outcome.out.startswith('("stack overflow: ')
    assert outcome.out.endswith(" 500000500000)\n")


def test_what_the_expression_prints_comes_before_its_value(sx):
    outcome = sx("eval", '(begin (println "first") 3)')
    assert outcome.out == "first\n3\n"


def test_eval_reads_standard_input(sx):
    assert sx("eval", "-", stdin="(define x 40)\n; a comment\n(+ x 2)\n").out == "42\n"


def test_eval_loads_files_in_order(sx):
    sx.write("first.sx", "(define base 40)")
    sx.write("second.sx", "(define (more n) (+ base n))")
    outcome = sx("eval", "--load", "first.sx", "--load", "second.sx", "(more 2)")
    assert (outcome.status, outcome.out) == (0, "42\n"), outcome.err


def test_an_error_in_a_loaded_file_is_located_there(sx):
    sx.write("bad.sx", "(define ok 1)\n(define bad (+ 1 nowhere))\n")
    outcome = sx("eval", "--load", "bad.sx", "(+ 1 2)")
    assert outcome.status == 1
    assert outcome.out == ""
    assert located(outcome.err, "bad.sx:2:18")


def test_load_finds_files_beside_the_loading_file(sx):
    sx.write("parts/one.sx", '(load "two.sx")\n(define answer (+ two 40))')
    sx.write("parts/two.sx", "(define two 2)")
    assert sx("eval", '(load "parts/one.sx") answer').out == "42\n"


#: 0 to 39999: more than 200 KB of text.
RANGE = "(" + " ".join(map(str, range(40_000))) + ")\n"


def test_a_large_value_goes_through_a_pipe_complete(sx):
    assert sx("eval", "(range 40000)").out == RANGE


def test_a_large_value_waits_for_a_slow_reader(sx):
    reader = subprocess.Popen(
        [binary(), "eval", "(range 40000)"], stdout=subprocess.PIPE, cwd=sx.folder, env=environment(sx.folder)
    )
    try:
        time.sleep(1)
        out, _ = reader.communicate(timeout=PATIENCE)
    finally:
        reader.kill()
    assert (reader.returncode, out.decode()) == (0, RANGE)


def test_a_large_value_comes_out_of_a_server_complete(serve):
    outcome = serve().evaluate("(range 40000)")
    assert (outcome.status, outcome.out) == (0, RANGE)


def test_a_large_source_goes_into_a_server_complete(serve, sx):
    server = serve()
    words = "word " * 40_000
    outcome = sx("eval", "--connect", str(server.probe_path), "-", stdin=f'(string-length "{words}")')
    assert (outcome.status, outcome.out) == (0, "200000\n"), outcome.err


def test_a_reader_that_leaves_is_no_crash(sx):
    head = subprocess.run(
        ["bash", "-c", f'"{binary()}" eval "(range 400000)" | head -c 10; echo; echo ${{PIPESTATUS[0]}}'],
        capture_output=True,
        env=environment(sx.folder),
        timeout=PATIENCE,
    )
    text, status = head.stdout.decode().split("\n")[:2]
    assert text == "(0 1 2 3 4"
    # Dying of SIGPIPE is what programs in a pipeline do.
    assert int(status) in (0, 1, 128 + signal.SIGPIPE)


def test_a_syntax_error_ends_with_1_and_is_located(sx):
    sx.write("bad.sx", "(define a 1)\n(define (f x)\n  (list x 1])\n")
    outcome = sx("run", "bad.sx")
    assert outcome.status == 1
    assert outcome.out == ""
    assert located(outcome.err, "bad.sx:3:12")


@pytest.mark.parametrize("source, place", [("(+ 1 2))", "1:8"), ("(+ 1\n  (foo)", "1:1"), ("{:a}", "1:1"), ('(str "open', "1:6"), ("1/0", "1:1")])
def test_a_syntax_error_in_an_expression_is_located(sx, source, place):
    outcome = sx("eval", source)
    assert outcome.status == 1
    assert outcome.out == ""
    assert located(outcome.err, f"<eval>:{place}")


def test_a_syntax_error_in_standard_input_is_located(sx):
    outcome = sx("eval", "-", stdin="(+ 1 2)\n  )")
    assert outcome.status == 1
    assert located(outcome.err, "<stdin>:2:3")


def test_nothing_is_evaluated_before_a_syntax_error(sx):
    outcome = sx("eval", '(println "begun") (+ 1')
    assert outcome.status == 1
    assert "^" in outcome.err


def test_an_undefined_symbol_is_located_and_a_near_name_suggested(sx):
    outcome = sx("eval", "(begin\n  (define distance 7)\n  (+ 1 distence))")
    assert outcome.status == 1
    assert "Undefined symbol: distence" in outcome.err
    assert "distance" in outcome.err.replace("(+ 1 distence)", "")
    assert located(outcome.err, "<eval>:3:8")


def test_a_type_error_names_primitive_position_and_type(sx):
    outcome = sx("eval", '(+ 1 "two")')
    assert outcome.status == 1
    assert "+" in outcome.err and "Expected number, got string" in outcome.err
    assert located(outcome.err, "<eval>:1:6")


def test_too_many_arguments_are_an_error_that_names_the_function(sx):
    outcome = sx("eval", "(define (pair a b) (list a b)) (pair 1 2 3)")
    assert outcome.status == 1
    assert "pair" in outcome.err
    assert located(outcome.err, "<eval>:1:32")


def test_an_uncaught_raise_shows_the_value(sx):
    outcome = sx("eval", "(raise {:code 7})")
    assert outcome.status == 1
    assert "{:code 7}" in outcome.err


@pytest.mark.parametrize("arguments", [["eval"], ["eval", "1", "2"], ["eval", "--bogus", "1"], ["bogus"], ["run"], ["check"], ["test", "--bogus"]], ids=" ".join)
def test_wrong_usage_ends_with_64(sx, arguments):
    outcome = sx(*arguments)
    assert outcome.status == 64
    assert outcome.out == ""
    assert "usage" in outcome.err.lower()


@pytest.mark.parametrize(("source", "value"), [("-5", "-5"), ("-2/3", "-2/3"), ("-.5", "-0.5"), ("-1e3", "-1000.0"), ("-1 (+ 1 2)", "3")])
def test_an_expression_may_begin_with_a_negative_number(sx, source, value):
    assert sx("eval", source).out == value + "\n"
    sx.write("a.sx", "(define a 1)")
    assert sx("eval", source, "--load", "a.sx").out == value + "\n"
    assert sx("eval", "--load", "a.sx", "--", source).out == value + "\n"


@pytest.mark.parametrize(("status", "seen"), [(3, 3), (255, 255), (256, 255), (-1, 255), (512, 255), (4294967296, 255), (0, 0)])
def test_a_failure_never_has_the_status_of_success(sx, status, seen):
    assert sx("eval", f"(exit {status})").status == seen


# ── Limits ───────────────────────────────────────────────────────────────────────────────────────


GROWING = "(let loop ((l (list)))\n  (loop (cons 1 l)))"


def test_an_endless_allocation_ends_in_a_clean_error(sx):
    sx.write("growing.sx", GROWING)
    for arguments in (["eval", "--max-heap", "40M", GROWING], ["run", "--max-heap", "40M", "growing.sx"]):
        outcome = sx(*arguments)
        assert (outcome.status, outcome.out) == (1, "")
        assert "out of memory: the heap limit is reached" in outcome.err
        assert ":2:" in outcome.err or ":1:" in outcome.err


def test_no_script_catches_the_end_of_the_memory(sx):
    outcome = sx("eval", "--max-heap", "40M", f"(guard (e (true 5)) {GROWING})")
    assert outcome.status == 1


def test_what_fits_into_the_limit_runs(sx):
    # A list of 100,000 elements of a few words each.
    assert sx("eval", "--max-heap", "40M", "(len (map inc (range 0 100000)))").out == "100000\n"


@pytest.mark.parametrize("size", ["0", "-1", "x", "5X", "", "99999999999999999999G"])
def test_a_senseless_size_is_wrong_usage(sx, size):
    assert sx("eval", f"--max-heap={size}", "1").status == 64


@pytest.mark.parametrize("source", ["(let loop () (loop))", "(sleep 100000)", "(guard (e (true 5)) (let loop () (loop)))"])
def test_a_program_that_takes_too_long_ends_with_124(sx, source):
    sx.write("slow.sx", f'(println "before")\n{source}\n')
    outcome = sx("run", "--timeout", "0.4", "slow.sx")
    assert (outcome.status, outcome.out) == (124, "before\n")
    assert "took longer than 400 ms" in outcome.err
    assert located(outcome.err, "slow.sx:2:1") or "slow.sx:2:" in outcome.err
    assert sx("eval", "--timeout", "0.4", source).status == 124


def test_a_program_that_is_quick_enough_ends_as_usual(sx):
    assert sx("eval", "--timeout", "50", "(+ 1 2)").out == "3\n"
    assert sx("eval", "--timeout", "0", "1").status == 64


def test_help_names_every_subcommand(sx):
    outcome = sx("--help")
    assert outcome.status == 0
    for name in ("eval", "run", "test", "repl", "check", "serve"):
        assert re.search(rf"^\s+{name}\b", outcome.out, re.MULTILINE)


def test_exit_ends_with_its_status_and_loses_no_output(sx):
    outcome = sx("eval", '(begin (println "kept") (exit 3))')
    assert (outcome.status, outcome.out) == (3, "kept\n")


def test_exit_leaves_dynamic_winds_and_then_does_what_at_exit_was_given_the_latest_first(sx):
    outcome = sx(
        "eval",
        """
        (at-exit (fn () (println "first")))
        (at-exit (fn () (error "dropped")))
        (at-exit (fn () (println "last")))
        (dynamic-wind (fn () nil) (fn () (exit 4)) (fn () (println "out")))
        """,
    )
    assert (outcome.status, outcome.out) == (4, "out\nlast\nfirst\n")


def test_an_exit_in_what_at_exit_was_given_goes_on_with_the_rest_and_has_the_last_word(sx):
    outcome = sx("eval", '(at-exit (fn () (println "first"))) (at-exit (fn () (println "last") (exit 9))) (exit 1)')
    assert (outcome.status, outcome.out) == (9, "last\nfirst\n")


def test_exit_in_a_coroutine_leaves_the_dynamic_winds_of_those_that_resumed_it_too(sx):
    outcome = sx(
        "eval",
        """
        (define (around name thunk) (dynamic-wind (fn () nil) thunk (fn () (println name))))
        (at-exit (fn () (println "at exit")))
        (around "first" (fn ()
          (coroutine-resume (make-coroutine (fn ()
            (around "second" (fn ()
              (coroutine-resume (make-coroutine (fn () (around "third" (fn () (exit 4)))))))))))
          (println "went on")))
        """,
    )
    assert (outcome.status, outcome.out, outcome.err) == (4, "third\nsecond\nfirst\nat exit\n", "")


@pytest.mark.parametrize("command", ["eval", "run"])
@pytest.mark.parametrize(
    "source, status, says",
    [
        ('(println "end")', 0, ""),
        ('(println "end") (error "uncaught")', 1, "error: uncaught\n"),
        ('(println "end") (raise 1)', 1, "error: "),
    ],
)
def test_what_at_exit_was_given_is_done_at_the_end_of_the_program_too(sx, command, source, status, says):
    source = '(at-exit (fn () (println "first"))) (at-exit (fn () (error "dropped"))) (at-exit (fn () (println "last"))) ' + source + " nil"
    sx.write("ending.sx", source)
    outcome = sx(command, source if command == "eval" else "ending.sx")
    assert outcome.status == status
    assert outcome.out.replace("nil\n", "") == "end\nlast\nfirst\n"
    assert outcome.err.startswith(says)
    assert bool(outcome.err) == bool(says)


def test_what_at_exit_was_given_may_wait_and_has_the_last_word_at_the_end_too(sx):
    outcome = sx("eval", '(at-exit (fn () (sleep 1) (println "waited"))) (at-exit (fn () (exit 9))) (error "uncaught")')
    assert (outcome.status, outcome.out) == (9, "waited\n")
    assert outcome.err.startswith("error: uncaught\n")


def test_output_that_cannot_be_written_is_a_failure(sx):
    for command in (["eval", '(println "lost")'], ["eval", "1"]):
        with open("/dev/full", "wb") as full:
            outcome = subprocess.run([binary(), *command], stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
        assert (outcome.returncode, outcome.stderr) == (1, "sx: cannot write the output: No space left on device\n")


def test_exit_takes_an_integer_and_stays_where_it_is_given_something_else(sx):
    outcome = sx("eval", '(guard (e (true (error-message e))) (exit "x"))')
    assert (outcome.status, outcome.out) == (0, '"exit: argument 1: expected integer, got string \\"x\\""\n')



# ── A system without memory ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "source",
    [
        "(let ((d {})) (let loop ((i 0)) (dict-set! d (str i) i) (loop (+ i 1))))",
        "(let ((t (make-hash-table))) (let loop ((i 0)) (hash-table-set! t i i) (loop (+ i 1))))",
        "(let ((s (make-set))) (let loop ((i 0)) (set-add! s i) (loop (+ i 1))))",
        "(let loop ((v (make-vector 1000000 0))) (loop (vector-append v v)))",
        "(let loop ((v (make-bytevector 10000000 0))) (loop (bytevector-append v v)))",
        '(let ((b (make-string-buffer)) (s (repeat "x" 1000000))) (let loop () (string-buffer-append! b s) (loop)))',
        '(let loop ((s (repeat "x" 10000000))) (loop (str s s)))',
        "(let loop ((s (repeat \"x\" 10000000))) (loop (str s 'and s)))",
        "(let loop ((l (range 0 1000000))) (loop (append l l)))",
        "(let loop ((l (range 0 1000000))) (loop (concat l (reverse l))))",
        # Objects of Swift, small and without end.
        "(let loop ((all nil)) (loop (cons (make-hash-table) all)))",
        "(let loop ((all nil)) (loop (cons (make-string-buffer) all)))",
        "(let loop ((all nil)) (loop (cons (eval '(fn (x) (list x x))) all)))",
        "(let loop ((all nil)) (loop (cons (call/cc (fn (k) k)) all)))",
        "(let loop ((all nil)) (loop (cons (reset (shift k k)) all)))",
        "(let loop ((all nil)) (loop (cons (make-bytevector 100 0) all)))",
        "(let loop ((all nil)) (loop (cons (make-parameter 1) all)))",
        "(let loop ((all nil)) (loop (cons (make-ring 10) all)))",
        '(let loop ((all nil)) (loop (cons (regexp "a+b") all)))',
        '(let loop ((all nil)) (loop (cons (guard (e (true e)) (error "x")) all)))',
        "(let loop () (spawn (fn () (sleep 1000000))) (loop))",
        "(let loop ((all nil)) (loop (cons (make-coroutine (fn () 1)) all)))",
        "(define (nest) (coroutine-resume (make-coroutine (fn () (nest))))) (nest)",
        "(let ((r (make-ring 1000000000))) (let loop () (ring-push! r 1) (loop)))",
        '(let loop ((i 0)) (string->symbol (str "symbol " i)) (loop (+ i 1)))',
        # Primitives that make much of one long text or one large dict.
        '(string->list (repeat "ab c" 10000000))',
        '(split (repeat "ab c" 10000000) "")',
        '(upper (str (repeat "ab c" 40000000) "é"))',
        '(sx-parse (repeat "ab c" 20000000))',
        '(replace (repeat "ab c" 20000000) "b" "1234567890")',
        '(regexp-match-all #"." (repeat "ab c" 2000000))',
        '(regexp-split #" " (repeat "ab c" 10000000))',
        '(str (list (repeat "ab c" 50000000)))',
        '(json-encode (list (repeat "ab c" 50000000)))',
        '(json-decode (str "[" (repeat "0," 30000000) "0]"))',
        "(let ((d {})) (for-each (fn (i) (dict-set! d (str i) i)) (range 0 500000)) (let loop ((all nil)) (loop (cons (entries d) (cons (assoc d :a 1) all)))))",
    ],
)
def test_a_structure_for_which_the_system_has_no_memory_is_an_error(sx, source):
    limit = 700_000_000
    outcome = subprocess.run(
        [binary(), "eval", f'(guard (e (true "caught")) {source})'],
        capture_output=True,
        cwd=sx.folder,
        env=environment(sx.folder, SWIFT_BACKTRACE="enable=no"),
        timeout=PATIENCE * 2,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert outcome.returncode == 1
    assert outcome.stderr.startswith("error: out of memory: the system has none left\n  at <eval>:1:")


# ── Signals ──────────────────────────────────────────────────────────────────────────────────────

LEAVING = """(at-exit (fn () (println "at exit")))
(define (spin) (spin))
(define (around thunk after) (dynamic-wind (fn () (println "ready")) thunk after))
(define (wait) (sleep 1000000))
(define (say text) (fn () (println text) (display "")))
"""


class Ending:
    """A program that says "ready" and is then sent signals."""

    def __init__(self, sx, source: str, *arguments: str, **extra: str):
        sx.write("leaving.sx", LEAVING + source)
        self.process = subprocess.Popen(
            [binary(), "run", *arguments, "leaving.sx"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=sx.folder, env=environment(sx.folder, **extra), text=True,
        )
        assert self.process.stdout.readline() == "ready\n"

    def end(self, number: int = signal.SIGINT):
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize(
    "source, printed",
    [
        ('(around spin (say "after"))', "after\nat exit\n"),
        ('(around wait (say "after"))', "after\nat exit\n"),
        ('(around (fn () (around wait (say "inner"))) (say "outer"))', "ready\ninner\nouter\nat exit\n"),
        # No handler takes it for a condition of its own.
        ('(guard (e (true (println "caught"))) (handler-bind (((fn (c) true) println)) (around wait (say "after"))))', "after\nat exit\n"),
        # Way out and thunks may wait themselves.
        ('(around wait (fn () (sleep 1) (println "slept")))', "slept\nat exit\n"),
        # The program is what the command waits for, whatever else runs or waits.
        ('(spawn spin) (around wait (say "after"))', "after\nat exit\n"),
        ('(spawn wait) (around spin (say "after"))', "after\nat exit\n"),
        ('(around (fn () (coroutine-resume (make-coroutine (fn () (around spin (say "inner")))))) (say "outer"))', "ready\ninner\nouter\nat exit\n"),
        ('(around (fn () (coroutine-resume (make-coroutine (fn () (around wait (say "inner")))))) (say "outer"))', "ready\ninner\nouter\nat exit\n"),
        # Inside primitives, where the program cannot be left in the middle.
        ('(around (fn () (sleep 1) (make-parameter 1 (fn (x) (spin)))) (say "after"))', "after\nat exit\n"),
    ],
)
def test_a_signal_lets_a_program_leave_in_order(sx, number, source, printed):
    program = Ending(sx, source)
    status, out, err = program.end(number)
    assert (status, err) == (-number, ""), "it ends by the signal, as it would without any of this"
    assert out.removeprefix("ready\n") == printed.removeprefix("ready\n")


def test_a_program_that_does_not_leave_is_ended(sx):
    program = Ending(sx, '(around wait (fn () (println "after") (spin)))')
    assert program.end() == (-signal.SIGINT, "after\n", "")


def test_a_second_signal_ends_at_once(sx):
    program = Ending(sx, '(around wait (fn () (println "after") (sleep 1) (println "leaving") (sleep 1000000)))')
    program.process.send_signal(signal.SIGTERM)
    assert program.process.stdout.readline() == "after\n"
    status, out, _ = program.end(signal.SIGTERM)
    assert status == -signal.SIGTERM
    assert "at exit" not in out


def test_a_signal_needs_no_capability_to_end_a_sandboxed_program(sx):
    program = Ending(sx, '(around (fn () (perform {:op "sleep" :args (list 1000000)})) (say "after"))', "--sandbox")
    assert program.end() == (-signal.SIGINT, "after\nat exit\n", "")


# ── Deep input on a small native stack ───────────────────────────────────────────────────────────

SMALL_STACK = 1024


def assert_value_or_clear_error(outcome, *values: str):
    """The value, or an error in words. Never a signal, never silence."""
    assert outcome.status in (0, 1), (outcome.status, outcome.err[-500:])
    if outcome.status == 0:
        assert outcome.out in {value + "\n" for value in values}
    else:
        assert re.search(r"(error|sx): \S+ \S+", outcome.err), outcome.err[:500]
        # An error that repeats megabytes of source is not clear.
        assert len(outcome.err) < 10_000


def test_a_million_deep_recursion_works(sx):
    source = "(define (count n) (if (= n 0) 0 (+ 1 (count (- n 1))))) (count 1000000)"
    outcome = sx("eval", source, stack_kib=SMALL_STACK)
    assert (outcome.status, outcome.out) == (0, "1000000\n"), outcome.err


def test_a_million_deep_recursion_through_a_higher_order_function_works(sx):
    source = "(define (nest n) (if (= n 0) 0 (+ 1 (first (map nest (list (- n 1))))))) (nest 1000000)"
    outcome = sx("eval", source, stack_kib=SMALL_STACK)
    assert (outcome.status, outcome.out) == (0, "1000000\n"), outcome.err


def test_endless_recursion_is_an_error_that_can_be_caught(sx):
    source = '(define (dive n) (+ 1 (dive (+ n 1)))) (guard (e (true "caught")) (dive 0))'
    outcome = sx("eval", source, stack_kib=SMALL_STACK)
    assert (outcome.status, outcome.out) == (0, '"caught"\n'), outcome.err


def test_uncaught_endless_recursion_ends_with_1(sx):
    outcome = sx("eval", "(define (dive n) (+ 1 (dive (+ n 1)))) (dive 0)", stack_kib=SMALL_STACK)
    assert outcome.status == 1
    assert "dive" in outcome.err
    assert len(outcome.err) < 10_000


def test_100000_deep_nested_source_is_a_value_or_a_clear_error(sx):
    depth = 100_000
    outcome = sx("eval", "-", stdin="(+ 1 " * depth + "0" + ")" * depth, stack_kib=SMALL_STACK)
    assert_value_or_clear_error(outcome, "100000")


@pytest.mark.parametrize(
    "opening, closing, value",
    [
        ("(if true ", ")", "7"),
        ("(let ((x 1)) ", ")", "7"),
        ("((fn () ", "))", "7"),
        ("(begin ", ")", "7"),
        ("(-> ", " (+ 0))", "7"),
        ("(when true ", ")", "7"),
        ("(first (list ", "))", "7"),
        ("(guard (e (true 0)) ", ")", "7"),
        ("(cond (else ", "))", "7"),
        ("(get {:k ", "} :k)", "7"),
    ],
    ids=lambda text: text.strip(),
)
def test_deep_nesting_of_every_form_is_a_value_or_a_clear_error(sx, opening, closing, value):
    depth = 100_000
    outcome = sx("eval", "-", stdin=opening * depth + "7" + closing * depth, stack_kib=SMALL_STACK)
    assert_value_or_clear_error(outcome, value)


def test_a_million_deep_quoted_list_is_read_and_printed(sx):
    depth = 1_000_000
    nested = "(" * depth + ")" * depth
    outcome = sx("eval", "-", stdin=f"(quote {nested})", stack_kib=SMALL_STACK)
    assert outcome.status == 0, outcome.err[:500]
    # Not compared by ==, which would explain the difference of two million brackets.
    assert (outcome.out == nested + "\n") is True


@pytest.mark.parametrize(
    "use, value",
    [
        ("(equal? (make 1000000) (make 1000000))", "true"),
        ("(string-length (str (make 1000000)))", "2000000"),
        ("(string-length (json-encode (make 1000000)))", "2000000"),
        ("(len (flatten (make 1000000)))", "0"),
        ("(len (json-decode (json-encode (make 1000000))))", "1"),
        ("(len (sx-parse (str (make 1000000))))", "1"),
        ("(len (eval (list (quote quote) (make 1000000))))", "1"),
        ("(begin (guard (e (true (string-length (str e)))) (raise (make 1000000))) 7)", "7"),
        ("(string-length (render-html (reduce (fn (inner n) (list (quote b) inner)) (quote (b)) (range 1000000))))", "7000007"),
    ],
)
def test_a_million_deep_list_can_be_worked_with(sx, use, value):
    make = "(define (make n) (let loop ((n (- n 1)) (out (list))) (if (= n 0) out (loop (- n 1) (list out)))))"
    outcome = sx("eval", f"{make} {use}", stack_kib=SMALL_STACK)
    assert (outcome.status, outcome.out) == (0, value + "\n"), outcome.err[:500]


@pytest.mark.parametrize("opening", ["(", "[", "{", "'", "`(", "#;", "(quote "])
def test_a_million_brackets_that_never_close_are_a_clear_error(sx, opening):
    outcome = sx("eval", "-", stdin=opening * 1_000_000, stack_kib=SMALL_STACK)
    assert outcome.status == 1
    assert_value_or_clear_error(outcome)


def test_check_reads_deep_source(sx):
    depth = 100_000
    sx.write("deep.sx", "(+ 1 " * depth + "0" + ")" * depth)
    assert_value_or_clear_error(sx("check", "deep.sx", stack_kib=SMALL_STACK), "")
    sx.write("open.sx", "(" * depth)
    assert sx("check", "open.sx", stack_kib=SMALL_STACK).status == 1


@pytest.mark.parametrize(
    "use, value",
    [
        # Each goes down a million levels, in a way of its own.
        ("(get (make-dicts 3) :k)", "{:k {:k {}}}"),
        ("(len (keys (make-dicts 1000000)))", "1"),
        ("(equal? (make-dicts 1000000) (make-dicts 1000000))", "true"),
        ("(string-length (json-encode (make-dicts 1000000)))", "6000002"),
        ("(len (keys (json-decode (json-encode (make-dicts 1000000)))))", "1"),
        ("(string-length (json-pretty (make-dicts 1000)))", None),
        ("(string-length (str (make-dicts 1000000)))", "5000002"),
        ("(len (make-appended 1000000))", "1000000"),
        ("(begin (define l (list)) (for-each (fn (i) (append! l i)) (range 1000000)) (apply + l))", "499999500000"),
        ("(len (reduce (fn (l i) (cons i l)) (list) (range 1000000)))", "1000000"),
        ("(= (make-dicts 1000000) (assoc (make-dicts 999999) :k 1))", "false"),
        ("(len (distinct (list (make-dicts 1000000) (make-dicts 1000000))))", "1"),
    ],
)
def test_a_million_deep_dict_and_append_chain_can_be_worked_with(sx, use, value):
    make = (
        "(define (make-dicts n) (let loop ((n n) (out {})) (if (= n 0) out (loop (- n 1) {:k out}))))"
        "(define (make-appended n) (let ((out (list))) (let loop ((i 0)) (if (= i n) out (begin (append! out i) (loop (+ i 1)))))))"
    )
    outcome = sx("eval", f"{make} {use}", stack_kib=SMALL_STACK)
    assert outcome.status == 0, outcome.err[:500]
    if value is not None:
        assert outcome.out == value + "\n"


def test_a_chain_of_appended_lists_is_no_recursion(sx):
    source = "(let loop ((i 0) (l (list))) (if (= i 2000) (len l) (loop (+ i 1) (append l (list i)))))"
    assert sx("eval", source, stack_kib=SMALL_STACK).out == "2000\n"


def test_a_deep_error_is_shown_short(sx):
    source = "(define (f n) (if (= n 0) (first 5) (+ 1 (f (- n 1))))) (f 1000000)"
    outcome = sx("eval", source, stack_kib=SMALL_STACK)
    assert outcome.status == 1
    assert "more calls" in outcome.err
    assert len(outcome.err.splitlines()) < 15


# ── errors ───────────────────────────────────────────────────────────────────────────────────────


def test_the_line_of_a_huge_source_is_shown_around_the_mistake(sx):
    outcome = sx("eval", "-", stdin="(list " + "1 " * 500_000 + "(first 5) " + "1 " * 500_000 + ")")
    assert outcome.status == 1
    lines = outcome.err.splitlines()
    assert max(map(len, lines)) < 200
    assert "first 5" in outcome.err
    caret = next(line for line in lines if set(line) <= set(" |^"))
    shown = lines[lines.index(caret) - 1]
    # Under the argument.
    assert shown[caret.index("^") - len("(first "):].startswith("(first 5)") and caret.count("^") == 1


def test_errors_are_coloured_on_a_terminal_only(sx):
    def shown(**extra):
        child = pexpect.spawn(binary(), ["eval", "(first 5)"], env={**environment(sx.folder), "TERM": "xterm-256color", **extra}, encoding="utf-8", timeout=PATIENCE)
        text = child.read()
        child.close()
        return text

    assert "\x1b[" in shown(NO_COLOR="")
    assert "\x1b[" not in shown(NO_COLOR="1")
    assert "\x1b[" not in shown(NO_COLOR="", TERM="dumb")
    assert "\x1b[" not in sx("eval", "(first 5)", NO_COLOR="").err


def test_control_characters_of_a_source_do_not_reach_the_terminal(sx):
    outcome = sx("eval", "-", stdin='(str "\x1b[31m" (first 5))')
    assert "\x1b" not in outcome.err
    assert "first 5" in outcome.err


def test_check_reports_every_mistake_of_a_file(sx):
    sx.write("many.sx", "(define (f a)\n  (if)\n  (let ((x 1 2)) x)\n  (first 1 2)\n  oops)\n(define (g b) [b)\n(define (h) (f 1 2) (g 1))\n")
    outcome = sx("check", "many.sx")
    assert outcome.status == 1
    assert re.findall(r"many\.sx:(\d+):", outcome.err) == ["2", "3", "4", "5", "6", "7"]
    assert outcome.err.rstrip().endswith("6 problems")


def test_check_knows_the_names_of_loaded_files(sx):
    sx.write("lib.sx", "(define (helper a) a)\n(defmacro unless-zero (n body) `(if (= ,n 0) nil ,body))\n")
    sx.write("main.sx", '(load "lib.sx")\n(unless-zero 1 (helper 2))\n(helper 1 2)\n')
    outcome = sx("check", "main.sx")
    assert outcome.status == 1
    assert re.findall(r"main\.sx:(\d+):", outcome.err) == ["3"]


def test_a_program_may_name_its_interpreter_in_the_first_line(sx):
    sx.write("program.sx", '#!/usr/bin/env sx run\n(println "hello")\n')
    assert sx("run", "program.sx").out == "hello\n"


def test_an_integer_beyond_64_bits_is_read_as_a_float(sx):
    outcome = sx("eval", "9223372036854775808")
    assert float(outcome.out) == 2.0**63
    assert re.search(r"[.e]", outcome.out)


def test_a_number_of_100000_digits_is_read_or_refused(sx):
    outcome = sx("eval", "-", stdin="9" * 100_000)
    assert_value_or_clear_error(outcome, "inf", "+inf.0", "Infinity")


@pytest.mark.parametrize("content", [b"\xff\xfe(+ 1 2)", b"(str \"\xc3\")", b"\x00", b"(+ 1 \x00 2)"], ids=repr)
def test_bytes_that_are_no_text_are_a_clear_error(sx, content):
    (sx.folder / "bytes.sx").write_bytes(content)
    outcome = sx("run", "bytes.sx")
    assert outcome.status == 1
    assert "bytes.sx" in outcome.err


def test_an_empty_file_is_a_program(sx):
    sx.write("empty.sx", "")
    outcome = sx("run", "empty.sx")
    assert (outcome.status, outcome.out, outcome.err) == (0, "", "")


# ── run ──────────────────────────────────────────────────────────────────────────────────────────


def test_run_hands_over_its_arguments(sx):
    sx.write("arguments.sx", "(println (inspect (command-line)))")
    outcome = sx("run", "arguments.sx", "one", "--two", "-3", "four five", "--help")
    assert (outcome.status, outcome.out) == (0, '("arguments.sx" "one" "--two" "-3" "four five" "--help")\n'), outcome.err


def test_run_prints_no_value(sx):
    sx.write("quiet.sx", "(+ 1 2)")
    assert sx("run", "quiet.sx").out == ""


def test_run_reads_standard_input(sx):
    assert sx("run", "-", stdin='(println "from the pipe")').out == "from the pipe\n"


def test_output_before_an_error_is_not_lost(sx):
    sx.write("half.sx", '(println "one")\n(display "two")\n(error "stopped" 3)\n')
    outcome = sx("run", "half.sx")
    assert outcome.status == 1
    assert outcome.out == "one\ntwo"
    assert "stopped" in outcome.err
    assert located(outcome.err, "half.sx:3:1")


def test_an_error_shows_the_way_to_it(sx):
    sx.write("trail.sx", "(define (inner x)\n  (+ 1 (error \"no way\")))\n(define (outer x)\n  (+ 1 (inner x)))\n(println (outer 1))\n")
    outcome = sx("run", "trail.sx")
    assert outcome.status == 1
    assert located(outcome.err, "trail.sx:2:8")
    assert re.search(r"inner.*trail\.sx:2", outcome.err)
    assert re.search(r"outer.*trail\.sx:4", outcome.err)


def test_a_missing_program_ends_with_1(sx):
    outcome = sx("run", "nowhere.sx")
    assert outcome.status == 1
    assert "nowhere.sx" in outcome.err


def test_a_folder_is_no_program(sx):
    outcome = sx("run", ".")
    assert outcome.status == 1
    assert outcome.err


# ── check ────────────────────────────────────────────────────────────────────────────────────────


def test_check_is_silent_about_a_good_file_and_does_not_run_it(sx):
    sx.write("good.sx", '(println "ran")\n(define (later) (earlier 1))\n(define (earlier x) (str x))\n(defmacro twice (form) `(begin ,form ,form))\n(twice (later))\n')
    outcome = sx("check", "good.sx")
    assert (outcome.status, outcome.out, outcome.err) == (0, "", "")


def test_check_accepts_the_prelude_s_own_words(sx):
    sx.write("application.sx", "(define (hello request)\n  (otel/with-span \"greet\" {:a 1}\n    (fn () (host/ok (dream-param request :name)))))\n(define app\n  (host/make-app (list (list (dream-get \"/hello/:name\" hello)))))\n")
    outcome = sx("check", "application.sx")
    assert (outcome.status, outcome.err) == (0, "")


def test_check_shows_where_a_bracket_was_opened_and_where_it_is_missed(sx):
    sx.write("open.sx", "(define a 1)\n(define (f x)\n  (+ x 1)\n")
    outcome = sx("check", "open.sx")
    assert outcome.status == 1
    report = outcome.out + outcome.err
    # Opened at 2:1, and the text ends with line 3.
    assert "open.sx:2:1" in report or "line 2 column 1" in report
    assert re.search(r"open\.sx:(3:10|4:1)|line (3 column 10|4 column 1)", report), report


def test_check_shows_both_positions_of_brackets_that_do_not_match(sx):
    sx.write("mixed.sx", "(define a\n  (list 1 2])\n")
    outcome = sx("check", "mixed.sx")
    assert outcome.status == 1
    report = outcome.out + outcome.err
    assert "mixed.sx:2:12" in report or "line 2 column 12" in report
    assert "mixed.sx:2:3" in report or "line 2 column 3" in report


def test_check_finds_a_bracket_too_many(sx):
    sx.write("extra.sx", "(define a 1)\n(define b 2))\n")
    outcome = sx("check", "extra.sx")
    assert outcome.status == 1
    assert "extra.sx:2:13" in outcome.out + outcome.err


def test_check_finds_undefined_symbols_even_where_nothing_runs(sx):
    sx.write("undefined.sx", "(define (f x)\n  (if false\n    (no-such-function x)\n    no-such-value))\n")
    outcome = sx("check", "undefined.sx")
    assert outcome.status == 1
    report = outcome.out + outcome.err
    assert "undefined.sx:3:6" in report and "no-such-function" in report
    assert "undefined.sx:4:5" in report and "no-such-value" in report


@pytest.mark.parametrize(
    "call, name",
    [("(pair x 1 2)", "pair"), ("(string-length x x)", "string-length"), ("(host/ok x 2 3)", "host/ok")],
    ids=["own function", "primitive", "prelude"],
)
def test_check_finds_a_wrong_number_of_arguments(sx, call, name):
    sx.write("arity.sx", f"(define (pair a b) (list a b))\n(define (f x)\n  {call})\n")
    outcome = sx("check", "arity.sx")
    assert outcome.status == 1
    report = outcome.out + outcome.err
    assert "arity.sx:3:3" in report
    assert name in report


CONSTRUCTORS = """(define (early) (Circle 1 2))
(define-type Shape (Circle radius) (Square side) (Empty))
(define-record-type point (make-point x y) point? (x point-x) (y point-y))
"""


@pytest.mark.parametrize(
    "source, problem",
    [
        ("(Circle)", ":4:1\n"),
        ("(list (Empty 1))", "Empty: expected 0 args, got 1"),
        ("(make-point 1)", "make-point: expected 2 arguments, got 1"),
        ("(define (f s)\n  (match s\n    ((Sqaure a) a)))", "match: no constructor is called Sqaure, did you mean `Square`?\n  at shapes.sx:6:6\n"),
        ("(match {:in (Circle 1)}\n  ({:in (Circel r)} r))", ":5:9\n"),
        ("(match (Circle 1)\n  ((Circle a b) a))", "match: Circle has 1 field, and this pattern has 2\n  at shapes.sx:5:4\n"),
    ],
)
def test_check_knows_what_constructors_take_and_which_there_are(sx, source, problem):
    sx.write("shapes.sx", CONSTRUCTORS + source)
    outcome = sx("check", "shapes.sx")
    assert outcome.status == 1
    assert "Circle: expected 1 args, got 2\n  at shapes.sx:1:17\n" in outcome.err
    assert problem in outcome.err
    assert outcome.err.endswith("sx: 2 problems\n")


def test_check_is_silent_about_constructors_it_does_not_know_and_local_ones(sx):
    sx.write("lib.sx", "(define-type Tree (Leaf) (Branch left right))")
    sx.write(
        "main.sx",
        """(load "lib.sx")
(define (size tree) (match tree ((Leaf) 0) ((Branch l r) (+ 1 (size l) (size r))) ((Elsewhere x) x)))
(define (local) (define-type L (Branch a)) (Branch 1))
(define-type Two (Pair a b))
(define (Pair &rest all) all)
(Pair 1 2 3)
""",
    )
    outcome = sx("check", "main.sx")
    assert (outcome.status, outcome.err) == (0, "")


def test_check_reports_on_several_files(sx):
    sx.write("good.sx", "(+ 1 2)")
    sx.write("bad.sx", "(+ 1 nowhere)")
    sx.write("worse.sx", "(+ 1")
    outcome = sx("check", "bad.sx", "good.sx", "worse.sx", "missing.sx")
    assert outcome.status == 1
    report = outcome.out + outcome.err
    assert "bad.sx:1:6" in report
    assert "worse.sx:1:" in report
    assert "missing.sx" in report
    assert "good.sx" not in report


def test_check_respects_local_names(sx):
    sx.write("local.sx", "(define (f if-any &rest more)\n  (let ((list more) (x 1))\n    (letrec ((even (fn (n) (odd n))) (odd (fn (n) (even n))))\n      (guard (e ((string? e) e)) (do ((i 0 (+ i 1))) ((= i 3) (even i)) (f list x e-less)))))\n  (define e-less 1))\n(define e-less 2)\n")
    outcome = sx("check", "local.sx")
    assert (outcome.status, outcome.err) == (0, "")


# ── test ─────────────────────────────────────────────────────────────────────────────────────────

SUITE = """(defsuite "arithmetic"
  (deftest "addition"
    (assert-equal 4 (+ 2 2)))
  (deftest "subtraction"
    (assert-equal 1 (- 3 1)))
  (deftest "division"
    (assert-equal 2 (/ 6 3))))
"""

COUNTER = """(define c-pass 0)
(define c-fail 0)
(define c-fails (list))
(define (c-test name actual expected)
  (if (= actual expected)
      (set! c-pass (+ c-pass 1))
      (begin
        (set! c-fail (+ c-fail 1))
        (append! c-fails (list {:name name :actual actual :expected expected})))))
(c-test "one" (+ 0 1) 1)
(c-test "two" (+ 1 1) RESULT)
(define c-tests-run!
  (fn () {:passed c-pass :failed c-fail :total (+ c-pass c-fail) :fails c-fails}))
"""

MANIFEST = """({:suite "counting" :style "counter" :runner "c-tests-run!" :file "counting.sx" :modules ()}
 {:suite "sums" :style "deftest" :file "sums.sx"})
"""


def last_line(text: str) -> str:
    return text.splitlines()[-1]


def test_a_failure_shows_suite_case_place_expected_and_got(sx):
    sx.write("sums.sx", SUITE)
    outcome = sx("test", "sums.sx")
    assert outcome.status == 1
    assert re.search(r"arithmetic > subtraction\b", outcome.out)
    assert "addition" not in outcome.out
    assert "sums.sx:5" in outcome.out
    assert re.search(r"expected\W+1\b", outcome.out)
    assert re.search(r"got\W+2\b", outcome.out)
    assert last_line(outcome.out) == "2 passed, 1 failed"


def test_a_green_suite_ends_with_0(sx):
    sx.write("sums.sx", SUITE.replace("(- 3 1)", "(- 3 2)"))
    outcome = sx("test", "sums.sx")
    assert (outcome.status, last_line(outcome.out)) == (0, "3 passed, 0 failed")


def test_an_error_in_a_case_fails_that_case_only(sx):
    sx.write("sums.sx", SUITE.replace("(- 3 1)", "(- 3 nowhere)"))
    outcome = sx("test", "sums.sx")
    assert outcome.status == 1
    assert "nowhere" in outcome.out
    assert "sums.sx:5" in outcome.out
    assert last_line(outcome.out) == "2 passed, 1 failed"


def test_a_suite_that_does_not_load_is_a_failure(sx):
    sx.write("broken.sx", SUITE.replace("(- 3 1)", "(- 3 2)") + "(defsuite \"open\"")
    outcome = sx("test", "broken.sx")
    assert outcome.status == 1
    assert "broken.sx" in outcome.out
    assert re.fullmatch(r"\d+ passed, [1-9]\d* failed", last_line(outcome.out))


def test_a_suite_that_stops_half_way_is_a_failure(sx):
    sx.write("half.sx", SUITE.replace("(- 3 1)", "(- 3 2)") + '(error "the lights went out")\n(defsuite "more" (deftest "never" (assert true)))')
    outcome = sx("test", "half.sx")
    assert outcome.status == 1
    assert "the lights went out" in outcome.out
    assert "half.sx:8" in outcome.out
    assert last_line(outcome.out) == "3 passed, 1 failed"


@pytest.mark.parametrize("text", ["", "; nothing here\n", '(defsuite "empty")', "(define x 1)"], ids=repr)
def test_a_suite_without_a_case_is_a_failure(sx, text):
    sx.write("empty.sx", text)
    outcome = sx("test", "empty.sx")
    assert outcome.status == 1
    assert "empty.sx" in outcome.out + outcome.err
    assert re.fullmatch(r"0 passed, [1-9]\d* failed", last_line(outcome.out))


def test_a_suite_that_exits_is_a_failure(sx):
    sx.write("leaver.sx", SUITE.replace("(- 3 1)", "(- 3 2)") + "(exit 0)")
    outcome = sx("test", "leaver.sx")
    assert outcome.status == 1
    assert re.search(r"[1-9]\d* failed$", last_line(outcome.out))


@pytest.mark.parametrize(
    "leaving",
    [
        '(let/ec k (deftest "left" (k 1) (assert= 1 2)))',
        '(reset (begin (deftest "left" (shift k 1) (assert= 1 2)) 2))',
        '(coroutine-resume (make-coroutine (fn () (deftest "left" (coroutine-yield 1) (assert= 1 2)))))',
    ],
)
def test_a_case_that_begins_and_does_not_end_has_failed(sx, leaving):
    sx.write("left.sx", f'(defsuite "s" (deftest "good" (assert= 1 1)) {leaving})')
    outcome = sx("test", "left.sx")
    assert outcome.status == 1
    assert last_line(outcome.out) == "1 passed, 1 failed"
    assert "s > left" in outcome.out and "has not come to its end" in outcome.out


def test_a_suite_that_nobody_knows_ends_with_1(sx):
    outcome = sx("test", "nowhere")
    assert outcome.status == 1
    assert "nowhere" in outcome.out + outcome.err


def test_without_arguments_the_manifest_decides(sx):
    sx.write("conformance/manifest.sx", MANIFEST)
    sx.write("conformance/counting.sx", COUNTER.replace("RESULT", "2"))
    sx.write("conformance/sums.sx", SUITE.replace("(- 3 1)", "(- 3 2)"))
    sx.write("conformance/unlisted.sx", '(defsuite "unlisted" (deftest "x" (assert false)))')
    outcome = sx("test")
    assert (outcome.status, last_line(outcome.out)) == (0, "5 passed, 0 failed")


@pytest.fixture
def failed_counter_suite(sx):
    sx.write("conformance/manifest.sx", MANIFEST)
    sx.write("conformance/counting.sx", COUNTER.replace("RESULT", "3"))
    outcome = sx("test", "counting")
    assert outcome.status == 1
    assert last_line(outcome.out) == "1 passed, 1 failed"
    return outcome.out


def test_a_failure_in_counter_style_shows_suite_case_expected_and_got(failed_counter_suite):
    assert re.search(r"counting > two\b", failed_counter_suite)
    assert re.search(r"expected\W+3\b", failed_counter_suite)
    assert re.search(r"got\W+2\b", failed_counter_suite)


def test_a_failure_in_counter_style_shows_its_place(failed_counter_suite):
    assert "counting.sx:11" in failed_counter_suite


def test_a_counter_suite_that_stops_half_way_is_a_failure(sx):
    sx.write("conformance/manifest.sx", MANIFEST)
    sx.write("conformance/counting.sx", COUNTER.replace("RESULT", "nowhere"))
    outcome = sx("test", "counting")
    assert outcome.status == 1
    assert "nowhere" in outcome.out
    assert re.search(r"[1-9]\d* failed$", last_line(outcome.out))


def test_a_listed_suite_whose_file_is_missing_is_a_failure(sx):
    sx.write("conformance/manifest.sx", MANIFEST)
    sx.write("conformance/counting.sx", COUNTER.replace("RESULT", "2"))
    outcome = sx("test")
    assert outcome.status == 1
    assert "sums" in outcome.out
    assert last_line(outcome.out) == "2 passed, 1 failed"


def test_list_names_the_suites_and_runs_nothing(sx):
    sx.write("conformance/manifest.sx", MANIFEST)
    outcome = sx("test", "--list")
    assert outcome.status == 0
    assert [line.split()[0] for line in outcome.out.splitlines()] == ["counting", "sums"]


def test_filter_chooses_cases_by_name(sx):
    sx.write("sums.sx", SUITE)
    outcome = sx("test", "--filter", "addition", "sums.sx")
    assert outcome.status == 0
    assert last_line(outcome.out).startswith("1 passed, 0 failed")


def test_a_filter_that_fits_nothing_is_a_failure(sx):
    sx.write("sums.sx", SUITE)
    assert sx("test", "--filter", "multiplication", "sums.sx").status == 1


def test_verbose_names_the_cases_that_passed(sx):
    sx.write("sums.sx", SUITE)
    assert "addition" not in sx("test", "sums.sx").out
    assert "addition" in sx("test", "-v", "sums.sx").out


def test_a_folder_means_the_suites_in_it(sx):
    sx.write("suites/a.sx", '(defsuite "a" (deftest "one" (assert true)))')
    sx.write("suites/deep/b.sx", '(defsuite "b" (deftest "two" (assert true)))')
    outcome = sx("test", "suites")
    assert (outcome.status, last_line(outcome.out)) == (0, "2 passed, 0 failed")


# ── sandbox ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "source, flags",
    [
        ("(now-ns)", ["--allow-clock"]),
        ("(random-int 5)", ["--allow-random"]),
        ("(exit 0)", ["--allow-exit"]),
        ('(open-input-file "inside/data.txt")', ["--allow-read", "inside"]),
        ('(load "inside/code.sx")', ["--allow-load", "inside"]),
    ],
)
def test_a_sandbox_allows_what_is_named(sx, tmp_path, source, flags):
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "data.txt").write_text("x")
    (tmp_path / "inside" / "code.sx").write_text("(+ 1 2)")
    (tmp_path / "main.sx").write_text(source)
    for command in (["eval"], ["run"]):
        what = [source] if command == ["eval"] else ["main.sx"]
        assert sx(*command, *what).status == 0
        assert sx(*command, "--sandbox", *flags, *what).status == 0
        denied = sx(*command, "--sandbox", *what)
        assert denied.status == 1
        assert "not allowed: it needs the capability" in denied.err


def test_a_link_does_not_lead_out_of_a_sandbox(sx, tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "secret.txt").write_text("x")
    (tmp_path / "inside" / "link.txt").symlink_to(tmp_path / "secret.txt")
    outcome = sx("eval", "--sandbox", "--allow-read", "inside", '(open-input-file "inside/link.txt")')
    assert outcome.status == 1
    assert "not allowed" in outcome.err


def test_a_sandbox_has_an_empty_environment(sx):
    assert sx("eval", "--sandbox", '(env "PATH")').out == "nil\n"


def test_allowing_makes_sense_in_a_sandbox_only(sx):
    assert sx("eval", "--allow-clock", "1").status == 64
