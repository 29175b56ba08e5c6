import Dispatch
import SX
import SXHost
import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The loop of `sx server`: a command, its answer, the next one. Confined to the interpreter's thread.
final class LineServer {
  private var host: SystemHost
  private var interpreter: Interpreter
  private let input = LineInput()
  private let stop = StopSignal()
  private var epoch = 0
  /// What `(exit)` in the running program asked for.
  private var exitStatus: Int32?
  /// Answers and what programs print go to one place, as on a terminal.
  private let sharesOutput = Descriptor.isSameFile(STDOUT_FILENO, STDERR_FILENO)

  init() { (host, interpreter) = Self.fresh() }

  private static func fresh() -> (SystemHost, Interpreter) {
    let host = SystemHost(SystemHost.Configuration(arguments: ["sx"], output: .standardError))
    return (host, Interpreter(host: host, capabilities: .all))
  }

  /// - Returns: the exit status.
  func run() -> Int32 {
    var parser: LineParser
    do {
      parser = try LineParser()
      try input.start { [stop] in stop.wake() }
    } catch {
      Program.complain(Program.describe(error))
      return 1
    }
    adopt()
    answer(.ready)
    while true {
      switch nextEvent() {
      case nil: return finish(stop.number.map { 128 + $0 } ?? 0)
      case .end: return finish(0)
      case .piece(.tooLong): fail("the line is longer than \(LineInput.longestLine) bytes")
      case .piece(.line(let line)):
        do {
          if let command = try parser.command(in: line) { perform(command) }
        } catch {
          fail(error.message)
        }
      }
    }
  }

  /// The next line, or nil when a signal asks for the end. Fibers that earlier commands have left go on meanwhile.
  private func nextEvent() -> LineInput.Event? {
    // Only here: an evaluation in which every fiber waits for another is to be told, not to wait for the next line.
    host.mailbox.expect()
    defer { host.mailbox.expectNoMore() }
    while true {
      if stop.number != nil { return nil }
      // A fiber of an earlier command has got what it asked for: it has ended.
      exitStatus = nil
      if let event = input.next() { return event }
      interpreter.runReady()
      // Runs until the input, a timer or a signal has something.
      _ = host.waitForEvents(interpreter)
    }
  }

  /// Makes the present interpreter the one that signals and lines reach.
  private func adopt() {
    stop.watch(interpreter.cancellation, host.mailbox)
    host.onExit = { [unowned self] status in
      exitStatus = status
      interpreter.cancellation.cancel()
    }
  }

  private func finish(_ status: Int32) -> Int32 {
    host.close()
    return status
  }

  // MARK: Commands

  private func perform(_ command: LineCommand) {
    do {
      switch command {
      case .epoch(let number): epoch = number
      case .ping: answer(.done)
      case .load(let path):
        try evaluate { try interpreter.evaluate(bytes: Files.contents(of: path), file: path) }
        answer(.done)
      case .loadSource(let source):
        try evaluate { try interpreter.evaluate(source, file: "<load-source>") }
        answer(.done)
      case .evaluate(let source):
        answer(.value(text(try evaluate { try interpreter.evaluate(source, file: "<eval>") })))
      case .reset:
        endLine()
        host.close()
        (host, interpreter) = Self.fresh()
        adopt()
        answer(.done)
      }
    } catch {
      fail(Self.message(error))
    }
  }

  /// A program that calls `(exit)` gets no further; the server belongs to whoever started it, and goes on.
  @discardableResult
  private func evaluate(_ body: () throws -> Handle) throws -> Handle {
    exitStatus = nil
    let result = Result { try body() }
    if let exitStatus {
      // Nobody may have obeyed it yet; it must not hit the next command. A signal has to.
      if stop.number == nil { interpreter.cancellation.withdraw() }
      throw HostError("the program called (exit \(exitStatus))")
    }
    return try result.get()
  }

  /// An answer has room for one value: several are the call that gives them.
  private func text(_ value: Handle) -> String {
    value.values.map { "(" + (["values"] + $0.map(\.description)).joined(separator: " ") + ")" } ?? value.description
  }

  private static func message(_ error: any Error) -> String {
    switch error {
    // The first line says it all, and the place helps where the source has several.
    case let diagnostic as Diagnostic: diagnostic.message + (diagnostic.location.map { " at \($0.file):\($0.line):\($0.column)" } ?? "")
    case let failure as HostError: failure.message
    default: "\(error)"
    }
  }

  // MARK: Answers

  private func fail(_ message: String) { answer(.failure(message)) }

  /// In one piece, and at once: somebody waits for it. What the program has printed goes first.
  private func answer(_ answer: LineAnswer) {
    endLine()
    host.flush()
    Program.say(answer.text(epoch: epoch))
  }

  /// An answer has a line of its own. What a program has printed is left as it is where it goes elsewhere.
  private func endLine() {
    if sharesOutput && !host.isAtLineStart { host.write("\n", to: .standardOutput) }
  }
}

/// SIGINT and SIGTERM: they stop what runs, and then the server. Thread-safe.
final class StopSignal: Sendable {
  private let state = Mutex<(number: Int32?, target: (cancellation: Cancellation, mailbox: Mailbox)?)>((nil, nil))

  init() {
    for number in [SIGINT, SIGTERM] {
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: DispatchQueue(label: "sx.server.stop"))
      source.setEventHandler { [self] in
        state.withLock { state in
          state.number = state.number ?? number
          state.target?.cancellation.cancel()
        }
        wake()
      }
      source.resume()
      // For the rest of the process.
      _ = Unmanaged.passRetained(source as AnyObject)
    }
  }

  /// The signal that came first.
  var number: Int32? { state.withLock { $0.number } }

  func watch(_ cancellation: Cancellation, _ mailbox: Mailbox) {
    state.withLock { $0.target = (cancellation, mailbox) }
  }

  /// Lets the interpreter's thread look up from its waiting.
  func wake() {
    let mailbox = state.withLock { $0.target?.mailbox }
    mailbox?.post { _ in }
  }
}
