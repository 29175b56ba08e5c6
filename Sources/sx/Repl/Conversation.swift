import SX
import SXHost

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Where a session's lines come from.
protocol LineSource: AnyObject {
  /// The next line, without its line break; what is pasted may be several.
  ///
  /// - Parameter pending: the lines before it that it goes on with; empty at the beginning of an input.
  func next(after pending: String) -> InputLine
  /// Told about every complete input.
  func accept(_ input: String)
  /// Runs an evaluation, which Ctrl-C may stop.
  func whileEvaluating<Value>(_ body: () -> Value) -> Value
}

enum InputLine {
  case text(String)
  /// Ctrl-C: what was typed so far is void.
  case interrupted
  case end
}

/// The loop of a session: lines are collected until they are whole forms, and evaluated.
struct Conversation {
  /// Reads; it evaluates only when the session is not held elsewhere.
  private let interpreter: Interpreter
  private let host: SystemHost
  private let evaluator: any Evaluator
  private let lines: any LineSource
  private let isInteractive: Bool
  private var failures = 0

  init(_ interpreter: Interpreter, _ host: SystemHost, _ evaluator: any Evaluator, _ lines: any LineSource, isInteractive: Bool) {
    self.interpreter = interpreter
    self.host = host
    self.evaluator = evaluator
    self.lines = lines
    self.isInteractive = isInteractive
  }

  /// - Returns: how many inputs failed.
  consuming func run() -> Int {
    if isInteractive { host.write("SX \(Command.version). ,help shows the commands, Ctrl-D leaves.\n", to: .standardOutput) }
    var pending = ""
    while true {
      beginLine()
      switch lines.next(after: pending) {
      case .interrupted: pending = ""
      case .text(let line):
        pending += pending.isEmpty ? line : "\n" + line
        if pending.allSatisfy(\.isWhitespace) {
          pending = ""
        } else if isComplete(pending) {
          if isQuit(pending) { return failures }
          evaluate(pending)
          pending = ""
        }
      case .end:
        if pending.isEmpty { return failures }
        // At a terminal Ctrl-D drops an open form first. At the end of a file it is an error, and the reader says which.
        if !isInteractive { evaluate(pending) }
        pending = ""
      }
    }
  }

  private func isComplete(_ input: String) -> Bool {
    guard let command = Session.command(in: input) else { return !interpreter.openForms(in: input).isIncomplete }
    // What stands behind a command's name is a form only when it begins like one.
    guard let first = command.text.first, "([{'`\"".contains(first) else { return true }
    return !interpreter.openForms(in: command.text).isIncomplete
  }

  private func isQuit(_ input: String) -> Bool {
    guard let name = Session.command(in: input)?.name, !name.isEmpty else { return false }
    return "quit".hasPrefix(name)
  }

  private mutating func evaluate(_ source: String) {
    lines.accept(source)
    var turn = Session.Turn(source)
    turn.isPlain = !isInteractive
    turn.width = TerminalWidth.columns
    turn.usesColors = isInteractive && Program.colorsOutput
    let outcome = lines.whileEvaluating { [host, evaluator] in
      Result {
        try evaluator.evaluate(
          turn,
          show: { text in
            if !host.isAtLineStart { host.write("\n", to: .standardOutput) }
            host.write(text + "\n", to: .standardOutput)
          },
          print: { text in
            host.write(text, to: .standardOutput)
            // What comes over from elsewhere comes now.
            host.flush()
          })
      }
    }
    if case .failure(let error) = outcome {
      beginLine()
      Program.show(error, on: host)
      failures += 1
    }
    host.flush()
  }

  /// A prompt does not stand behind what a program has printed.
  private func beginLine() {
    if isInteractive && !host.isAtLineStart { host.write("\n", to: .standardOutput) }
    host.flush()
  }
}

/// Lines of standard input that is no terminal. Read one by one, so that another program may hold a conversation.
final class PlainLines: LineSource {
  func next(after pending: String) -> InputLine {
    readLine(strippingNewline: true).map { .text($0) } ?? .end
  }
  func accept(_ input: String) {}
  func whileEvaluating<Value>(_ body: () -> Value) -> Value { body() }
}

/// The width of the terminal at the moment.
enum TerminalWidth {
  static var columns: Int {
    var size = winsize()
    if ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return Int(size.ws_col) }
    return getenv("COLUMNS").flatMap { Int(String(cString: $0)) }.flatMap { $0 > 0 ? $0 : nil } ?? 80
  }
}
