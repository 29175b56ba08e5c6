"""A session at a pseudo-terminal, seen as a person sees it: what stands on the screen, and where the cursor is."""

import time
from pathlib import Path

import pexpect
import pyte

from sx_process import PATIENCE, binary, environment

CONTROL_C, CONTROL_D, TAB, ENTER, UP = "\x03", "\x04", "\t", "\r", "\x1b[A"


class Terminal:
    """`sx repl`, or another command, on a screen that is high enough never to scroll."""

    PROMPT = "sx> "
    ROWS = 300

    def __init__(self, folder: Path, *arguments: str, columns: int = 80, **extra: str):
        settings = {"TERM": "xterm-256color", "XDG_STATE_HOME": str(folder / "state"), **extra}
        self.child = pexpect.spawn(
            binary(),
            list(arguments),
            cwd=str(folder),
            env=environment(folder, **settings),
            timeout=PATIENCE,
            dimensions=(self.ROWS, columns),
        )
        self.screen = pyte.Screen(columns, self.ROWS)
        self._stream = pyte.ByteStream(self.screen)
        #: Everything that was received, with its escape codes.
        self.received = b""
        self.wait_for_prompt()

    # What is seen

    def _receive(self, seconds: float):
        try:
            new = self.child.read_nonblocking(65536, timeout=seconds)
        except (pexpect.TIMEOUT, pexpect.EOF):
            return
        self.received += new
        self._stream.feed(new)

    @property
    def lines(self) -> list[str]:
        """The lines of the screen down to the cursor, without blanks at their ends."""
        return [line.rstrip() for line in self.screen.display[: self.screen.cursor.y + 1]]

    @property
    def line(self) -> str:
        """The line that the cursor is in."""
        return self.lines[-1]

    @property
    def column(self) -> int:
        return self.screen.cursor.x

    def wait_until(self, condition, what: str):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited in vain for: {what}\n" + "\n".join(self.lines))
            self._receive(0.05)

    def wait_for_prompt(self, below: int = -1):
        """Until an empty prompt stands below that row."""
        self.wait_until(
            lambda: self.screen.cursor.y > below and self.line == self.PROMPT.rstrip() and self.column == len(self.PROMPT),
            "an empty prompt",
        )

    def wait_for_line(self, text: str):
        self.wait_until(lambda: self.line == text, f"the line {text!r}")

    def wait_for_text(self, text: str):
        self.wait_until(lambda: any(text in line for line in self.lines), f"the text {text!r}")

    def settle(self, seconds: float = 0.4):
        """Takes what arrives within a short time: to see that something does not happen."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._receive(0.05)

    # What is done

    def send(self, keys: str):
        self.child.send(keys.encode())

    def enter(self, text: str) -> None:
        """Types a line that leaves a form open, and waits for the next one to begin."""
        row = self.screen.cursor.y
        self.send(text + ENTER)
        self.wait_until(lambda: self.screen.cursor.y > row and self.line.startswith("..."), "a continuation prompt")
        self.settle(0.1)

    def answer(self, text: str) -> list[str]:
        """Types a line and gives what stands between it and the next prompt."""
        row = self.screen.cursor.y
        self.send(text + ENTER)
        self.wait_for_prompt(below=row)
        typed = row + 1 + (len(self.PROMPT) + len(text)) // self.screen.columns
        return self.lines[typed:-1]

    def end(self) -> int:
        """Types Ctrl-D and gives the exit status."""
        self.send(CONTROL_D)
        return self.wait_for_end()

    def wait_for_end(self) -> int:
        self.child.expect(pexpect.EOF)
        self.child.close()
        return self.child.exitstatus

    def close(self):
        self.child.close(force=True)
