"""`sx server`: the line protocol on standard input and output."""

import signal
import subprocess
from pathlib import Path

import pytest

from sx_process import PATIENCE, binary, environment

READY = "(ready)\n"


@pytest.fixture
def serve_lines(sx):
    """Runs a server over a whole input, and gives its outcome."""

    def run(data: str | bytes, **extra: str):
        finished = subprocess.run(
            [binary(), "server"],
            input=data.encode() if isinstance(data, str) else data,
            capture_output=True,
            cwd=sx.folder,
            env=environment(sx.folder, **extra),
            timeout=PATIENCE,
        )
        return finished.returncode, finished.stdout.decode(), finished.stderr.decode()

    return run


class Conversation:
    """A server that is asked one thing after the other."""

    def __init__(self, folder: Path):
        self.process = subprocess.Popen(
            [binary(), "server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder, env=environment(folder), text=True
        )
        assert self.receive() == "(ready)"

    def receive(self) -> str:
        return self.process.stdout.readline().rstrip("\n")

    def send(self, line: str):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, line: str) -> str:
        self.send(line)
        return self.receive()


@pytest.fixture
def conversation(sx):
    conversation = Conversation(sx.folder)
    yield conversation
    conversation.process.kill()
    conversation.process.wait()


def test_a_script_written_from_the_protocol_drives_it(sx):
    script = Path(__file__).with_name("drive_server.sh")
    finished = subprocess.run(
        ["bash", str(script), str(sx.folder)],
        capture_output=True,
        cwd=sx.folder,
        env=environment(sx.folder, SX_SERVER=f"{binary()} server", LC_ALL="C.UTF-8"),
        timeout=PATIENCE * 2,
        text=True,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "FAIL" not in finished.stdout
    assert finished.stdout.count("ok: ") > 30


def test_a_batch_of_commands_is_answered_in_order(serve_lines):
    status, out, _ = serve_lines('(ping)\n(epoch 7)\n(ping)\n(eval "(+ 1 2)")\n(epoch 8)\n(eval "nil")\n')
    assert (status, out) == (0, READY + "(ok 0)\n(ok 7)\n(ok 7 3)\n(ok 8 nil)\n")


def test_the_end_of_the_input_ends_it(serve_lines):
    assert serve_lines("") == (0, READY, "")


def test_a_last_line_without_a_line_break_is_a_command(serve_lines):
    assert serve_lines("(ping)")[1] == READY + "(ok 0)\n"


def test_the_end_in_the_middle_of_a_command_is_an_error(serve_lines):
    status, out, _ = serve_lines('(epoch 1)\n(eval "(+ 1')
    assert status == 0
    assert out.startswith(READY + "(error 1 ")


def test_blank_lines_and_comments_are_passed_over(serve_lines):
    assert serve_lines("\n  \r\n; a comment\n(ping) ; why\r\n")[1] == READY + "(ok 0)\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("(ping) (ping)", "expected one command a line, got 2"),
        ("ping", "expected a command"),
        ("42", "expected a command"),
        ("()", "expected a command"),
        ("(dance 1)", "unknown command: dance"),
        ("(ping 1)", "ping: expected no argument, got 1"),
        ("(eval)", "eval: expected one string"),
        ("(eval (+ 1 2))", "eval: expected one string"),
        ('(eval "1" "2")', "eval: expected one string"),
        ("(epoch 1.5)", "epoch: expected one integer"),
        ("(eval \"1\"", "malformed line"),
        (")", "malformed line"),
        ("(eval \"1\")]", "malformed line"),
    ],
)
def test_a_line_that_is_no_command_is_an_error_and_the_server_goes_on(serve_lines, line, message):
    status, out, _ = serve_lines(f"(epoch 5)\n{line}\n(ping)\n")
    lines = out.splitlines()
    assert (status, lines[0], lines[2:]) == (0, "(ready)", ["(ok 5)"])
    assert lines[1].startswith('(error 5 "')
    assert message in lines[1]


def test_bytes_that_are_no_text_are_an_error(serve_lines):
    status, out, _ = serve_lines(b'(eval "\xff")\n(eval "\xc3\xa9")\n\x00\x01\n(ping)\n')
    lines = out.splitlines()
    assert status == 0
    assert lines[1] == '(error 0 "the line is not valid UTF-8")'
    assert lines[2].startswith("(error 0 ") and "\u00e9" in lines[2]
    assert lines[-1] == "(ok 0)"


def test_errors_are_escaped_and_on_one_line(serve_lines):
    out = serve_lines('(eval "(error \\"a \\\\\\"b\\\\\\" \\\\\\\\ \\\\n c\\")")\n')[1]
    lines = out.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith('(error 0 "a \\"b\\" \\\\ \\n c')


def test_a_huge_line_is_evaluated(serve_lines):
    status, out, _ = serve_lines('(eval "(string-length \\"' + "x" * 20_000_000 + '\\")")\n(ping)\n')
    assert (status, out) == (0, READY + "(ok 0 20000000)\n(ok 0)\n")


def test_long_values_and_values_of_several_lines_have_their_length_in_front(serve_lines):
    out = serve_lines('(eval "(join \\"\\" (map (fn (i) \\"é\\") (range 0 600)))")\n(eval "(string->symbol \\"a\\\\nb\\")")\n(eval "\\"a\\\\nb\\"")\n')[1]
    assert out == READY + '(ok-len 0 1202)\n"' + "é" * 600 + '"\n(ok-len 0 3)\na\nb\n(ok 0 "a\\nb")\n'


def test_deep_and_odd_values_are_answered(serve_lines):
    status, out, _ = serve_lines('(eval "(reduce (fn (a i) (list a)) nil (range 0 100000))")\n(eval "car")\n(eval "first")\n(ping)\n')
    lines = out.splitlines()
    assert status == 0
    assert lines[1] == "(ok-len 0 200003)" and lines[2].startswith("((((")
    assert lines[-1] == "(ok 0)"


def test_a_line_nested_deeply_is_an_answer_and_no_crash(serve_lines):
    status, out, _ = serve_lines("(" * 200_000 + ")" * 200_000 + "\n(ping)\n")
    assert status == 0
    assert out.splitlines()[1].startswith("(error 0 ")
    assert out.splitlines()[-1] == "(ok 0)"


def test_what_a_program_prints_goes_to_standard_error(serve_lines):
    status, out, err = serve_lines('(eval "(println \\"(ok 1)\\") (display \\"x\\") 5")\n')
    assert (status, out, err) == (0, READY + "(ok 0 5)\n", "(ok 1)\nx")


def test_an_answer_has_a_line_of_its_own_where_output_goes_to_the_same_place(sx):
    lines = [
        '(eval "(display \\"no line break\\") 5")',
        '(eval "(println \\"one\\") 6")',
        '(eval "(display \\"lost\\" (current-error-port)) (error \\"boom\\")")',
        '(load-source "(display \\"before the reset\\")")',
        "(reset)",
    ]
    finished = subprocess.run(
        [binary(), "server"],
        input="\n".join(lines).encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=sx.folder,
        env=environment(sx.folder),
        timeout=PATIENCE,
    )
    assert finished.returncode == 0
    answers = ["no line break", "(ok 0 5)", "one", "(ok 0 6)", "lost", '(error 0 "boom at <eval>:1:39")', "before the reset", "(ok 0)", "(ok 0)"]
    assert finished.stdout.decode().splitlines() == ["(ready)", *answers]


def test_a_load_is_relative_to_the_working_directory_and_to_the_loading_file(serve_lines, sx):
    sx.write("sub/inner.sx", "(define inner 1)")
    sx.write("sub/outer.sx", '(load "inner.sx") (define outer (+ inner 1))')
    out = serve_lines('(load "sub/outer.sx")\n(eval "outer")\n(load "sub/nowhere.sx")\n(load-source "(load \\"sub/inner.sx\\")")\n')[1]
    lines = out.splitlines()[1:]
    assert lines[:2] == ["(ok 0)", "(ok 0 2)"]
    assert "sub/nowhere.sx" in lines[2] and lines[2].startswith("(error 0 ")
    assert lines[3] == "(ok 0)"


def test_reset_forgets_definitions_and_brings_back_what_was_redefined(serve_lines):
    out = serve_lines('(eval "(define (first x) 99)")\n(eval "(define mine 1)")\n(eval "(first (list 1))")\n(reset)\n(eval "(first (list 1))")\n(eval "mine")\n')[1]
    lines = out.splitlines()
    assert lines[3:6] == ["(ok 0 99)", "(ok 0)", "(ok 0 1)"]
    assert lines[6].startswith('(error 0 "Undefined symbol: mine')


def test_a_program_cannot_change_what_commands_mean(serve_lines):
    out = serve_lines('(eval "(define (sx-parse s) nil)")\n(eval "(+ 1 1)")\n')[1]
    assert out.splitlines()[-1] == "(ok 0 2)"


def test_a_program_that_calls_exit_is_answered_and_the_server_goes_on(serve_lines):
    status, out, err = serve_lines(
        '(eval "(begin (exit 3) (println \\"never\\"))")\n(eval "(define kept 1)")\n(load-source "(exit)")\n(eval "kept")\n(ping)\n')
    assert (status, err) == (0, "")
    assert out.splitlines()[1:] == ['(error 0 "the program called (exit 3)")', "(ok 0 1)", '(error 0 "the program called (exit 0)")', "(ok 0 1)", "(ok 0)"]


def test_a_fiber_that_calls_exit_between_commands_ends_alone(conversation):
    conversation.ask('(eval "(spawn (fn () (sleep 20) (exit 3)))")')
    subprocess.run(["sleep", "0.3"], check=True)
    assert conversation.ask('(eval "(+ 1 2)")') == "(ok 0 3)"


@pytest.mark.parametrize(("source", "value"), [("(values 1 2)", "(values 1 2)"), ("(values)", "(values)"), ("(values 1)", "1"), ("(values nil (list 1))", "(values nil (1))")])
def test_an_answer_holds_one_value(serve_lines, source, value):
    assert serve_lines(f'(eval "{source}")\n')[1] == f"{READY}(ok 0 {value})\n"


def test_every_answer_arrives_at_once(conversation):
    assert conversation.ask("(ping)") == "(ok 0)"
    assert conversation.ask('(eval "(+ 1 2)")') == "(ok 0 3)"


def test_fibers_go_on_between_commands(conversation):
    assert conversation.ask('(eval "(define ticks 0)")') == "(ok 0 0)"
    conversation.ask('(eval "(spawn (fn () (sleep 50) (set! ticks 1)))")')
    # A pipe is waited on for a moment, without a command.
    subprocess.run(["sleep", "0.5"], check=True)
    assert conversation.ask('(eval "ticks")') == "(ok 0 1)"


def test_fibers_that_wait_for_each_other_are_an_error(serve_lines):
    out = serve_lines('(eval "(perform {:op \\"no-such-op\\" :args ()})")\n(ping)\n')[1]
    assert out.splitlines()[1].startswith("(error 0 ")
    assert out.splitlines()[-1] == "(ok 0)"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("command", [None, '(eval "(let loop () (loop))")', '(eval "(sleep 1000000)")'], ids=["idle", "busy", "waiting"])
def test_a_signal_ends_it(conversation, number, command):
    if command:
        assert conversation.ask('(eval "1")') == "(ok 0 1)"
        conversation.send(command)
        subprocess.run(["sleep", "0.3"], check=True)
    conversation.process.send_signal(number)
    assert conversation.process.wait(timeout=PATIENCE) == 128 + number
    rest = conversation.process.stdout.read()
    assert rest == "" or (rest.startswith("(error 0 ") and rest.endswith(")\n")), "no half answer"


def test_a_reader_that_leaves_is_no_crash(sx):
    process = subprocess.Popen([binary(), "server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=sx.folder, env=environment(sx.folder))
    process.stdout.readline()
    process.stdout.close()
    try:
        process.stdin.write(b"(ping)\n" * 100)
        process.stdin.close()
    except BrokenPipeError:
        pass
    assert process.wait(timeout=PATIENCE) in (0, -signal.SIGPIPE)
