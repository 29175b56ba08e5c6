import ArgumentParser
import SX
import SXHost

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// `sx repl`
struct Repl: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "repl",
    abstract: "Evaluate forms as they are typed.",
    discussion: """
      *1 is the last value. Ctrl-C drops the current input or stops the current evaluation, Ctrl-D ends the session.
      Without a terminal, forms are read from standard input; the exit status is 1 when one of them failed.
      """)

  func run() {
    Program.run(arguments: ["sx"], stopsServersOnSignals: false) { interpreter, host in
      let isInteractive = isatty(STDIN_FILENO) == 1
      let input: any LineSource = isInteractive ? TerminalLines(interpreter, host) : PlainLines()
      let failures = ReplSession(interpreter, host, input).run()
      if !isInteractive && failures > 0 {
        host.close()
        SystemHost.endProcess(1)
      }
    }
  }
}

/// Where a session's lines come from.
protocol LineSource: AnyObject {
  /// The next line, without its line break.
  ///
  /// - Parameter isContinuation: a form is open.
  func next(isContinuation: Bool) -> InputLine
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
struct ReplSession {
  private let interpreter: Interpreter
  private let host: SystemHost
  private let lines: any LineSource
  private var failures = 0

  init(_ interpreter: Interpreter, _ host: SystemHost, _ lines: any LineSource) {
    self.interpreter = interpreter
    self.host = host
    self.lines = lines
  }

  /// - Returns: how many inputs failed.
  consuming func run() -> Int {
    var pending = ""
    while true {
      switch lines.next(isContinuation: !pending.isEmpty) {
      case .interrupted: pending = ""
      case .text(let line):
        pending += pending.isEmpty ? line : "\n" + line
        if isBlank(pending) {
          pending = ""
        } else if case .incomplete = interpreter.completeness(of: pending) {
          continue
        } else {
          evaluate(pending)
          pending = ""
        }
      case .end:
        // An open form at the end of the input is an error, and the reader says which.
        if !isBlank(pending) { evaluate(pending) }
        return failures
      }
    }
  }

  private mutating func evaluate(_ source: String) {
    lines.accept(source)
    do {
      let value = try lines.whileEvaluating { Result { try interpreter.evaluate(source, file: "<repl>") } }.get()
      host.write(value.description + "\n", to: .standardOutput)
      interpreter.setGlobal("*1", to: value)
    } catch {
      Program.show(error, on: host)
      failures += 1
    }
    host.flush()
  }

  private func isBlank(_ text: String) -> Bool {
    text.utf8.allSatisfy { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
  }
}

/// Lines of standard input that is no terminal. Read one by one, so that another program may hold a conversation.
final class PlainLines: LineSource {
  func next(isContinuation: Bool) -> InputLine {
    readLine(strippingNewline: true).map { .text($0) } ?? .end
  }
  func accept(_ input: String) {}
  func whileEvaluating<Value>(_ body: () -> Value) -> Value { body() }
}
