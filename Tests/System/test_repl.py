"""The session at a terminal, on standard input, and inside a running server."""

import os
import re
import signal
import stat
import time

import pytest

from sx_process import wait_until
from terminal import CONTROL_C, CONTROL_D, ENTER, TAB, UP, Terminal

# ── On standard input ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("arguments", [[], ["repl"]], ids=["sx", "sx repl"])
def test_forms_are_read_from_standard_input(sx, arguments):
    outcome = sx(*arguments, stdin="(define x 40)\n(+ x\n   2)\n*1\n(* *1 2) :last\n")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.splitlines() == ["x", "42", "42", "84", '"last"']


def test_an_error_does_not_end_a_session_on_standard_input(sx):
    outcome = sx("repl", stdin="(+ 1 nowhere)\n(+ 1 2)\n)\n(+ 3 4)\n")
    assert "nowhere" in outcome.err
    assert outcome.out.splitlines() == ["3", "7"]
    assert outcome.status == 1


def test_an_open_form_at_the_end_of_the_input_is_an_error(sx):
    outcome = sx("repl", stdin="(+ 1 2)\n(+ 3")
    assert outcome.out == "3\n"
    assert "^" in outcome.err
    assert outcome.status == 1


@pytest.mark.parametrize("text", ["", "\n\n", "; nothing\n", "   \n;x\n\t\n"], ids=repr)
def test_nothing_in_nothing_out(sx, text):
    outcome = sx(stdin=text)
    assert (outcome.status, outcome.out, outcome.err) == (0, "", "")


def test_standard_input_gets_whole_values_without_colours(sx):
    outcome = sx("repl", stdin="(range 0 1000)\n", NO_COLOR="", TERM="xterm-256color")
    assert outcome.out == "(" + " ".join(str(i) for i in range(1000)) + ")\n"


def test_commands_work_on_standard_input(sx):
    outcome = sx("repl", stdin=",doc first\n(+ 1 2)\n,quit\n(+ 3 4)\n")
    assert outcome.status == 0
    assert outcome.out.startswith("(first list)\n")
    assert outcome.out.endswith("\n3\n")


def test_brackets_in_strings_and_comments_do_not_count(sx):
    outcome = sx(stdin='(str "(" ; )\n ")")\n#|(|\n(str #\\( "x\ny")\n')
    assert outcome.out.splitlines() == ['"()"', '"("', '"(x\\ny"']


# ── Values ───────────────────────────────────────────────────────────────────────────────────────


def test_a_value_is_shown(terminal):
    assert terminal().answer("(+ 1 2)") == ["3"]


def test_sx_alone_is_a_session_too(tmp_path):
    session = Terminal(tmp_path)
    assert session.answer("(+ 1 2)") == ["3"]
    assert session.end() == 0


def test_several_forms_on_a_line_are_shown_one_by_one(terminal):
    session = terminal()
    assert session.answer('1 "two" (quote :three)') == ["1", '"two"', ":three"]
    assert session.answer("(list *1 *2 *3)") == ['(:three "two" 1)']


def test_the_last_values_survive_an_error_which_has_a_name_as_well(terminal):
    session = terminal()
    session.answer("(+ 40 2)")
    assert "oops" in session.answer('(error "oops" 7)')[0]
    assert session.answer("*1") == ["42"]
    assert session.answer("(error-message *e)") == ['"oops"']
    session.answer("(raise {:code 7})")
    assert session.answer("(get *e :code)") == ["7"]


def test_a_definition_answers_with_its_name(terminal):
    session = terminal()
    assert session.answer("(define numbers (range 0 1000))") == ["numbers"]
    assert session.answer("(define (twice a b) (* 2 a))") == ["#<function (twice a b)>"]
    assert session.answer("(defmacro m (x) x)") == ["m"]


def test_a_value_is_broken_at_the_width_of_the_terminal(terminal):
    session = terminal(columns=20)
    assert session.answer("(range 0 20)") == ["(0 1 2 3 4 5 6 7 8 9", " 10 11 12 13 14 15", " 16 17 18 19)"]
    session = terminal()
    assert session.answer("(range 0 20)") == ["(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19)"]


def test_entries_of_a_dict_stand_below_each_other(terminal):
    session = terminal(columns=40)
    session.answer('(define d {:name "a cup of tea" :tags (list 1 2) :price {:amount 12.5}})')
    assert session.answer("d") == ['{:name "a cup of tea"', " :tags (1 2)", " :price {:amount 12.5}}"]


def test_a_very_long_value_is_cut_with_a_note(terminal):
    shown = terminal().answer("(range 0 5000)")
    assert shown[-1] == " … 4,800 more)"
    assert len(shown) < 20


def test_a_long_string_is_cut_with_a_note(terminal):
    assert '… 6,000 more"' in "".join(terminal().answer('(repeat "é" 10000)'))


def test_values_that_are_deep_or_contain_themselves_are_shown(terminal):
    session = terminal()
    session.answer("(define l (list 1)) (append! l l)")
    assert session.answer("l") == ["(1 #<cycle>)"]
    session.answer("(define deep (reduce (fn (inner i) (list i inner)) nil (range 0 1000000)))")
    assert any("…" in line for line in session.answer("deep"))


def test_output_without_a_line_break_does_not_stick_to_what_follows(terminal):
    session = terminal()
    assert session.answer('(display "out")') == ["out", "nil"]
    assert session.answer('(begin (display "out") (error "no"))')[0] == "out"


def test_colours_are_for_terminals_that_want_them(terminal):
    coloured = terminal(NO_COLOR="")
    assert coloured.answer('(list 1 "two")') == ['(1 "two")']
    assert b"\x1b[36m1\x1b[0m" in coloured.received
    plain = terminal(NO_COLOR="1")
    assert plain.answer('(list 1 "two")') == ['(1 "two")']
    assert not re.search(rb"\x1b\[[0-9;]+m", plain.received)


def test_other_alphabets(terminal):
    session = terminal()
    assert session.answer('(define größe "日本語 🫖")') == ["größe"]
    assert session.answer("(str größe größe)") == ['"日本語 🫖日本語 🫖"']
    assert session.answer("(string-length größe)") == ["5"]


# ── Errors ───────────────────────────────────────────────────────────────────────────────────────


def test_an_error_does_not_end_the_session(terminal):
    session = terminal()
    assert "nowhere" in "\n".join(session.answer("(+ 1 nowhere)"))
    assert "error" in session.answer(")")[0]
    assert "error" in session.answer('"\\ud800"')[0]
    assert session.answer("(+ 1 2)") == ["3"]


def test_a_stack_overflow_does_not_end_the_session(terminal):
    session = terminal()
    session.answer("(define (deep n) (+ 1 (deep n)))")
    assert "overflow" in "\n".join(session.answer("(deep 1)"))
    assert session.answer("(+ 1 2)") == ["3"]


# ── Several lines ────────────────────────────────────────────────────────────────────────────────


def test_a_form_may_go_over_several_lines(terminal):
    session = terminal()
    session.enter("(define (double x)")
    assert session.answer("(* 2 x))") == ["#<function (double x)>"]
    assert session.answer("(double 21)") == ["42"]


@pytest.mark.parametrize(
    "lines, column",
    [
        (["(define (f x)"], 2),
        (["(define (f x)", "(let ((a 1)"], 8),
        (["(define (f x)", "(let ((a 1))"], 4),
        (["(foo bar"], 5),
        (["(foo"], 2),
        (["(list (str 1)", "2"], 6),
        (["'(1 2"], 2),
        (["{:a 1"], 1),
        (["(let loop ((i 0))"], 2),
        (['(str "(('], 0),
        (["#|(("], 0),
        (["(f ; (("], 2),
        (["(日本 x"], 6),
    ],
    ids=str,
)
def test_the_next_line_is_indented(terminal, lines, column):
    session = terminal()
    for line in lines:
        session.enter(line)
    prompt = len("... ")
    session.wait_until(lambda: session.column == prompt + column, f"the cursor in column {prompt + column}, not {session.column}")
    session.settle(0.1)
    assert session.column == prompt + column


def test_pasted_lines_stay_as_they_are(terminal):
    session = terminal()
    session.answer("1")
    row = session.screen.cursor.y
    session.send("\x1b[200~(define (f x)\n  (* x\n     2)) ; )\n(f 4)\x1b[201~")
    session.settle()
    session.send(ENTER)
    session.wait_for_prompt(below=row + 3)
    assert session.lines[-3:-1] == ["#<function (f x)>", "8"]


def test_control_d_drops_an_open_form_and_then_leaves(terminal):
    session = terminal()
    session.enter("(+ 1")
    row = session.screen.cursor.y
    session.send(CONTROL_D if session.column == 4 else "\x15" + CONTROL_D)
    session.wait_for_prompt(below=row)
    assert session.answer("(+ 1 2)") == ["3"]
    assert session.end() == 0


def test_control_d_on_a_line_that_was_only_indented_drops_the_form(terminal):
    session = terminal()
    session.enter("(let ((x 1))")
    session.wait_until(lambda: session.column > 4, "the indentation")
    row = session.screen.cursor.y
    session.send(CONTROL_D)
    session.wait_for_prompt(below=row)
    assert session.answer("(+ 1 2)") == ["3"]
    # In a line with text it deletes what stands behind the cursor.
    session.send("(+ 1 23)\x01" + CONTROL_D)
    session.wait_for_line("sx> + 1 23)")
    session.send("(" + ENTER)
    session.wait_for_text("24")
    assert session.end() == 0


def test_the_end_of_the_terminal_ends_the_session(terminal):
    session = terminal()
    session.enter("(+ 1")
    os.close(session.child.child_fd)
    session.child.ptyproc.closed = True
    wait_until(lambda: not session.child.isalive() or None, "the session to end", seconds=60)


# ── Ctrl-C ───────────────────────────────────────────────────────────────────────────────────────


def test_control_c_drops_what_was_typed(terminal):
    session = terminal()
    session.enter("(+ 1")
    session.send("(* 2")
    session.wait_until(lambda: session.line.endswith("(* 2"), "the echo")
    row = session.screen.cursor.y
    session.send(CONTROL_C)
    session.wait_for_prompt(below=row)
    assert session.answer("(+ 1 2)") == ["3"]


@pytest.mark.parametrize(
    "form",
    [
        "(let loop () (loop))",
        "(let loop ((i 0)) (guard (e (true 1)) (loop (+ i 1))))",
        "(sleep 600000)",
        "(coroutine-resume (make-coroutine (fn () (let loop () (loop)))))",
        "(coroutine-resume (make-coroutine (fn () (sleep 600000))))",
        "(begin (defmacro endless () (let loop () (loop))) (endless))",
        "(begin (spawn (fn () (let loop () (loop)))) (sleep 600000))",
        "(let loop ((l nil)) (loop (cons 1 (take l 1000))))",
    ],
    ids=str,
)
def test_control_c_stops_an_evaluation(terminal, form):
    session = terminal()
    session.answer("(define kept 42)")
    row = session.screen.cursor.y
    session.send(form + ENTER)
    session.settle(0.7)
    session.send(CONTROL_C)
    session.wait_for_prompt(below=row)
    assert any("cancelled" in line for line in session.lines[row:])
    assert session.answer("kept") == ["42"]


def test_what_was_stopped_does_not_go_on_later(terminal):
    session = terminal()
    row = session.screen.cursor.y
    session.send('(begin (sleep 1000) (println "late"))' + ENTER)
    session.settle(0.3)
    session.send(CONTROL_C)
    session.wait_for_prompt(below=row)
    session.settle(1.5)
    assert "late" not in session.lines
    assert session.answer("(+ 1 2)") == ["3"]


def test_control_c_leaves_a_search_through_the_history(terminal):
    session = terminal()
    session.answer("(define found 1)")
    row = session.screen.cursor.y
    session.send("\x12found")
    session.wait_for_text("i-search)`found': (define found 1)")
    session.send(CONTROL_C)
    session.wait_for_prompt(below=row)
    assert session.lines[row:] == ["(reverse-i-search)`found': (define found 1)^C", "sx>"]
    assert session.answer("(+ found 1)") == ["2"]


def test_control_c_at_an_empty_prompt_spares_the_next_evaluation(terminal):
    session = terminal()
    for _ in range(5):
        row = session.screen.cursor.y
        session.send(CONTROL_C)
        session.wait_for_prompt(below=row)
    assert session.answer("(reduce + 0 (range 0 300000))") == ["44999850000"]


def test_work_in_the_background_goes_on_while_nothing_is_typed(terminal):
    session = terminal()
    session.answer("(define ticks 0)")
    session.answer("(spawn (fn () (let loop () (sleep 10) (set! ticks (+ ticks 1)) (loop))))")
    session.settle(1)
    assert int(session.answer("ticks")[0]) > 5


# ── Completion ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "typed, completed",
    [
        ("(string-buffer->str", "(string-buffer->string"),
        ("(handler-b", "(handler-bind"),
        ("(define (f longish-name) (+ 1 longi", "(define (f longish-name) (+ 1 longish-name"),
        ("(fn (longish-name) (list (lon", "(fn (longish-name) (list (longish-name"),
        ("(let ((longish-name 1) (b lon", "(let ((longish-name 1) (b longish-name"),
        ("(let (longish-name 1) (+ lon", "(let (longish-name 1) (+ longish-name"),
        ("(let walk-about ((i 0)) (walk", "(let walk-about ((i 0)) (walk-about"),
        ("(define (f) (define longish-name 1) lon", "(define (f) (define longish-name 1) longish-name"),
        ("(guard (mishap (true mis", "(guard (mishap (true mishap"),
        (",apr", ",apropos"),
        (",doc string-buffer->str", ",doc string-buffer->string"),
        ('(str "fold', '(str "folder/'),
        (",load one", ",load one-file.sx"),
        ("(otel/with-sp", "(otel/with-span"),
        ("(repl/-keep", "(repl/-keep!"),
    ],
)
def test_tab_completes(terminal, tmp_path, typed, completed):
    (tmp_path / "folder").mkdir()
    (tmp_path / "one-file.sx").write_text("1")
    session = terminal(columns=100)
    session.send(typed)
    session.wait_for_line("sx> " + typed)
    session.send(TAB)
    session.wait_for_line("sx> " + completed)


def test_tab_knows_the_lines_before(terminal):
    session = terminal()
    session.enter("(define (f longish-name)")
    session.send("(lon" + TAB)
    session.wait_for_line("...   (longish-name")


def test_tab_knows_what_the_user_has_defined(terminal):
    session = terminal()
    session.answer("(define my-own-thing 1)")
    session.send("my-o" + TAB)
    session.wait_for_line("sx> my-own-thing")


def test_tab_lists_several_names_but_no_private_ones(terminal):
    session = terminal()
    session.send("(otel/wa" + TAB + TAB)
    session.wait_for_text("otel/waterfall-text")
    assert not any("otel/-" in line for line in session.lines)


# ── History ──────────────────────────────────────────────────────────────────────────────────────


def test_the_history_is_kept_for_the_next_session(terminal):
    first = terminal()
    first.answer("(+ 40 2)")
    assert first.end() == 0
    second = terminal()
    second.send(UP)
    second.wait_for_line("sx> (+ 40 2)")


def test_an_input_over_several_lines_is_one_entry(terminal):
    first = terminal()
    first.enter("(define (f x)")
    first.enter('(str x "a\\nb") ; (')
    first.answer(")")
    assert first.end() == 0
    second = terminal()
    second.send(UP)
    second.wait_for_text('(str x "a\\nb") ; (')
    row = second.screen.cursor.y
    second.send(ENTER)
    second.wait_for_prompt(below=row)
    assert second.answer('(f 1)') == ['"1a\\nb"']


def test_an_input_that_is_repeated_is_one_entry(terminal):
    session = terminal()
    for text in ["1", "2", "1", "1"]:
        session.answer(text)
    session.send(UP)
    session.wait_for_line("sx> 1")
    session.send(UP)
    session.wait_for_line("sx> 2")


def test_the_history_can_be_searched_backwards(terminal):
    session = terminal()
    session.answer("(+ 40 2)")
    session.answer("(* 3 3)")
    session.send("\x12+ 4")
    session.wait_for_text("(+ 40 2)")
    row = session.screen.cursor.y
    session.send(ENTER)
    session.wait_for_prompt(below=row)
    assert session.lines[-2] == "42"


def test_the_history_file_is_private_and_does_not_grow_for_ever(terminal, tmp_path):
    file = tmp_path / "state" / "sx" / "history"
    session = terminal()
    session.answer("(+ 1 2)")
    session.end()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_text("".join(f"(entry {i})\n" for i in range(10000)))
    session = terminal()
    session.send(UP)
    session.wait_for_line("sx> (entry 9999)")
    assert len(file.read_text().splitlines()) == 2000


@pytest.mark.parametrize("state", ["/proc/nowhere", "/dev/null/x"])
def test_a_session_goes_on_without_history(terminal, state):
    session = terminal(XDG_STATE_HOME=state)
    assert session.answer("(+ 40 2)") == ["42"]
    session.send(UP)
    session.wait_for_line("sx> (+ 40 2)")


# ── Commands ─────────────────────────────────────────────────────────────────────────────────────


def test_help_shows_every_command_with_its_line(terminal):
    shown = terminal(columns=120).answer(",help")
    for command in "help doc apropos source expand time load reload trace untrace spans quit".split():
        assert any(re.match(rf"\s+,{command}\b.*\s\s[A-Z].*\.$", line) for line in shown), command


def test_quit_leaves(terminal):
    session = terminal()
    session.send(",quit" + ENTER)
    assert session.wait_for_end() == 0


def test_an_unknown_command_is_an_error_of_one_line(terminal):
    session = terminal()
    assert session.answer(",bogus") == ["error: there is no command ,bogus; ,help lists them"]
    assert session.answer(",") == ["error: there is no command ,; ,help lists them"]
    assert "may mean" in session.answer(",t")[0]


def test_a_command_may_be_shortened(terminal):
    assert terminal().answer(",ex (unless 1 2)") == terminal().answer(",expand (unless 1 2)")


def test_doc_apropos_and_source_of_ones_own_definitions(terminal):
    session = terminal()
    session.answer("(define (double x) (* 2 x))")
    assert session.answer(",doc double")[0] == "(double x)"
    assert "(define (double x) (* 2 x))" in session.answer(",source double")
    assert any(line.strip().startswith("double") for line in session.answer(",apropos double"))


def test_doc_and_source_of_what_comes_along(terminal):
    session = terminal(columns=120)
    assert session.answer(",doc first")[0] == "(first list)"
    assert any("special form" in line for line in session.answer(",doc let"))
    assert "(define (mapcat f items &rest more)" in session.answer(",source mapcat")
    assert "primitive" in session.answer(",source first")[0]
    assert "did you mean" in session.answer(",doc mapcatt")[0]


def test_expand_shows_what_a_macro_makes(terminal):
    session = terminal()
    session.answer("(defmacro swap (a b) `(list ,b ,a))")
    assert session.answer(",expand (swap 1 2)") == ["(list 2 1)"]


def test_time_tells_the_cost_of_a_form(terminal):
    session = terminal()
    value, cost = session.answer(",time (len (range 0 1000))")
    assert value == "1000"
    assert re.fullmatch(r"[\d.]+ (ns|µs|ms|s), \d+ collections?, about [\d.]+ (bytes|KB|MB|GB) allocated", cost)
    assert session.answer("*1") == ["1000"]
    session.enter(",time (+ 1")
    assert session.answer("2)")[0] == "3"


def test_load_and_reload(terminal, tmp_path):
    file = tmp_path / "my file.sx"
    file.write_text("(define answer 41)")
    session = terminal()
    assert session.answer(",load my file.sx") == ["loaded my file.sx"]
    assert session.answer("answer") == ["41"]
    file.write_text("(define answer 42)")
    assert session.answer(",reload") == ["loaded my file.sx"]
    assert session.answer("answer") == ["42"]
    assert "cannot read" in session.answer(",load nowhere.sx")[0]


def test_trace_prints_calls_and_values(terminal):
    session = terminal()
    session.answer("(define (fact n) (if (< n 2) 1 (* n (fact (- n 1)))))")
    assert session.answer(",trace fact") == ["tracing fact"]
    assert session.answer("(fact 3)") == ["(fact 3)", "  (fact 2)", "    (fact 1)", "    → 1", "  → 2", "→ 6", "6"]
    assert session.answer(",trace") == ["traced: fact"]
    assert session.answer(",untrace fact") == ["fact is not traced any more"]
    assert session.answer("(fact 3)") == ["6"]
    assert "no global" in session.answer(",trace nowhere")[0]


def test_a_trace_of_an_endless_recursion_is_bounded(sx):
    outcome = sx("repl", stdin="(define (down n) (+ 1 (down (+ n 1))))\n,trace down\n(down 0)\n")
    lines = [line.strip() for line in outcome.out.splitlines()]
    # 41 calls and one note.
    assert lines[2:] == [f"(down {n})" for n in range(41)] + ["… calls deeper than this one are not shown"]
    assert "stack overflow" in outcome.err


def test_a_trace_of_many_calls_is_cut_with_a_note(sx):
    outcome = sx("repl", stdin="(define (one n) n)\n,trace one\n(let () (for-each one (range 0 1000)) 7)\n(one 5)\n")
    lines = outcome.out.splitlines()
    assert lines[2:4] == ["(one 0)", "→ 0"]
    # 500 lines are 250 calls; the next turn begins anew.
    assert lines[500:] == ["(one 249)", "→ 249", "… more calls are not shown", "7", "(one 5)", "→ 5", "5"]


def test_tracing_what_tracing_is_made_of_does_no_harm(terminal):
    session = terminal()
    for name in ["map", "str", "pretty", "println", "apply", "reverse"]:
        assert session.answer(f",trace {name}") == [f"tracing {name}"]
    assert session.answer("(map inc (list 1 2))")[-1] == "(2 3)"
    session.answer(",untrace")
    assert session.answer("(map inc (list 1 2))") == ["(2 3)"]


def test_spans_draws_the_last_trace_as_a_tree(terminal):
    session = terminal()
    assert "no span" in session.answer(",spans")[0]
    session.answer('(otel/with-span "outer" {} (fn () (otel/with-span "inner" {} (fn () (sleep 20)))))')
    head, outer, inner = session.answer(",spans")
    assert re.fullmatch(r"trace [0-9a-f]{32}, 2 spans", head)
    assert re.fullmatch(r"outer +[█·]+ +[\d.]+ ms", outer)
    assert re.fullmatch(r"  inner +[█·]+ +[\d.]+ ms", inner)


def test_a_program_may_add_commands(terminal):
    session = terminal(columns=120)
    session.answer('(append! repl/commands {:name "hi" :usage ",hi WHO" :doc "Greets." :run (fn (text options show) (show (str "hi " text)))})')
    assert session.answer(",hi there") == ["hi there"]
    assert any("Greets." in line for line in session.answer(",help"))


# ── Odd terminals ────────────────────────────────────────────────────────────────────────────────


def test_a_dumb_terminal_will_do(terminal):
    session = terminal(TERM="dumb")
    assert session.answer('(list 1 "two")') == ['(1 "two")']
    assert b"\x1b" not in session.received
    session.enter("(+ 1")
    assert session.answer("2)") == ["3"]


def test_a_narrow_terminal_will_do(terminal):
    session = terminal(columns=20)
    assert session.answer("(str 1 2)") == ['"12"']
    assert session.answer('(list "a long string that does not fit" 2)')[0].startswith('("a long')


# ── Inside a running server ──────────────────────────────────────────────────────────────────────


@pytest.fixture
def probed(serve):
    return serve().probe_path


def test_a_session_inside_a_server_is_the_same(terminal, probed, tmp_path):
    session = terminal("repl", "--connect", str(probed))
    assert session.answer("(define (twice x) (* 2 x))") == ["#<function (twice x)>"]
    assert session.answer("(twice 21) *1") == ["42", "42"]
    session.enter("(define (f longish-name)")
    session.send("lon" + TAB)
    session.wait_for_line("...   longish-name")
    session.send(")" + ENTER)
    session.wait_for_prompt()
    assert "nowhere" in "\n".join(session.answer("(+ 1 nowhere)"))
    session.answer("(define (fact n) (if (< n 2) 1 (* n (fact (- n 1)))))")
    session.answer(",trace fact")
    assert session.answer("(fact 2)") == ["(fact 2)", "  (fact 1)", "  → 1", "→ 2", "2"]
    (tmp_path / "here.sx").write_text("(define loaded 7)")
    assert session.answer(",load here.sx") == ["loaded here.sx"]
    assert session.answer("loaded") == ["7"]
    session.send("twi" + TAB)
    session.wait_for_line("sx> twice")


def test_what_a_session_prints_comes_to_it_and_not_to_the_server(terminal, serve):
    server = serve()
    session = terminal("repl", "--connect", str(server.probe_path))
    assert session.answer('(let () (println "mine") (print "and" 1 "") (eprintln "too") 7)') == ["mine", "and 1 too", "7"]
    assert session.answer('(print "no line break")') == ["no line break", "nil"]
    assert len(session.answer('(for-each println (range 0 100))')) == 101
    # A fiber that is still there when the turn is over prints where the server does.
    session.answer('(spawn (fn () (sleep 300) (println "left behind")))')
    wait_until(lambda: "left behind" in server.out, "the output of the fiber", seconds=60)
    assert "mine" not in server.out + server.err and "too" not in server.out + server.err


def test_other_fibers_of_a_server_print_to_the_server(terminal, serve):
    server = serve()
    server.evaluate('(spawn (fn () (let loop ((n 0)) (sleep 50) (println "tick") (loop (+ n 1)))))')
    session = terminal("repl", "--connect", str(server.probe_path))
    assert session.answer("(let () (sleep 400) 5)") == ["5"]
    wait_until(lambda: server.out.count("tick") > 3, "the ticks", seconds=60)


@pytest.mark.parametrize("form", ["(let loop () (loop))", "(sleep 600000)"])
def test_control_c_stops_an_evaluation_inside_a_server(terminal, probed, form):
    session = terminal("repl", "--connect", str(probed))
    row = session.screen.cursor.y
    session.send(form + ENTER)
    session.settle(0.7)
    session.send(CONTROL_C)
    session.wait_for_prompt(below=row)
    assert any("cancelled" in line for line in session.lines[row:])
    assert session.answer("(+ 1 2)") == ["3"]


def test_a_client_that_leaves_takes_its_evaluation_along(serve, terminal):
    server = serve()
    session = terminal("repl", "--connect", str(server.probe_path))
    session.answer("(define ticks 0)")
    session.send("(let loop () (set! ticks (+ ticks 1)) (loop))" + ENTER)
    session.settle(0.7)
    session.child.kill(signal.SIGKILL)

    def stands_still():
        before = server.value("ticks")
        time.sleep(0.3)
        return server.value("ticks") == before

    wait_until(stands_still, "the loop to end", seconds=60)


def test_a_server_that_is_gone_is_a_clear_error(sx, terminal, serve):
    outcome = sx("repl", "--connect", "/nowhere/probe", stdin="1\n")
    assert (outcome.status, outcome.out) == (1, "")
    assert "cannot connect" in outcome.err
    server = serve()
    session = terminal("repl", "--connect", str(server.probe_path))
    server.kill()
    assert "cannot connect" in session.answer("(+ 1 2)")[0]
