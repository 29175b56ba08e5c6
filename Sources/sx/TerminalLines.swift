@preconcurrency import CReadline
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

/// Lines typed at a terminal, edited with libreadline.
///
/// The library keeps its state in globals, so there is one of these per process, on the interpreter's thread. Its callback
/// interface is used: between keystrokes the interpreter goes on with fibers in the background.
final class TerminalLines: LineSource {
  private static let prompt = "sx> "
  private static let continuationPrompt = "... "
  /// How often background work gets its turn while nothing is typed, in milliseconds.
  private static let pulse: Int32 = 50

  private let interpreter: Interpreter
  private let host: SystemHost
  private let interruption: Interruption
  private let history = HistoryFile()

  init(_ interpreter: Interpreter, _ host: SystemHost) {
    self.interpreter = interpreter
    self.host = host
    interruption = Interruption(interpreter.cancellation, host.mailbox)
    rl_catch_signals = 0
    // Symbols of SX end at these; `-`, `/`, `?` and the like are parts of names.
    Self.setWordBreaks(" \t\n()[]{}'`,\"@;")
    rl_attempted_completion_function = { text, _, _ in
      // No file names when no global fits.
      rl_attempted_completion_over = 1
      guard let text else { return nil }
      return rl_completion_matches(text) { _, state in Completions.next(isFirst: state == 0) }
    }
    history.load()
  }

  private static func setWordBreaks(_ characters: String) {
    // The library keeps the pointer.
    let text = strdup(characters)
    rl_completer_word_break_characters = UnsafePointer(text)
  }

  func next(isContinuation: Bool) -> InputLine {
    Completions.names.withLock { $0 = interpreter.globalNames.sorted() }
    interruption.forget()
    let prompt = isContinuation ? Self.continuationPrompt : Self.prompt
    rl_callback_handler_install(prompt) { line in
      // Removing the handler here restores the terminal before the line is evaluated.
      rl_callback_handler_remove()
      TypedLine.shared.withLock { $0 = line.map { .text(String(cString: $0)) } ?? .end }
      free(line)
    }
    TypedLine.shared.withLock { $0 = nil }
    while true {
      var input = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
      if poll(&input, 1, Self.pulse) > 0 {
        rl_callback_read_char()
        if let line = TypedLine.shared.withLock({ $0 }) {
          if case .end = line { host.write("\n", to: .standardOutput) }
          return line
        }
      } else if interruption.wasRequested {
        // First the echo, while the cursor still stands behind what was typed.
        host.write("^C\n", to: .standardOutput)
        host.flush()
        rl_callback_sigcleanup()
        rl_replace_line("", 0)
        rl_callback_handler_remove()
        return .interrupted
      } else {
        host.runPosted(interpreter)
      }
    }
  }

  func accept(_ input: String) {
    history.add(input)
  }

  func whileEvaluating<Value>(_ body: () -> Value) -> Value {
    interruption.whileEvaluating(body)
  }
}

/// What the library's callback, a C function without a context, hands over.
private enum TypedLine {
  static let shared = Mutex<InputLine?>(nil)
}

/// Global names that begin with what was typed, for the library's callback.
private enum Completions {
  static let names = Mutex<[String]>([])
  private static let matches = Mutex<ArraySlice<String>>([])

  /// The next match as memory that the library frees; nil after the last one.
  static func next(isFirst: Bool) -> UnsafeMutablePointer<CChar>? {
    if isFirst {
      let prefix = Completions.typedWord()
      let found = names.withLock { names in names.filter { $0.hasPrefix(prefix) && (!isPrivate($0) || isPrivate(prefix)) } }
      matches.withLock { $0 = found[...] }
    }
    return matches.withLock { $0.popFirst() }.flatMap { strdup($0) }
  }

  private static func typedWord() -> String {
    guard let buffer = rl_line_buffer else { return "" }
    let breaks = Set(" \t\n()[]{}'`,\"@;".utf8)
    let line = String(cString: buffer).utf8.prefix(Int(rl_point))
    return String(decoding: line.reversed().prefix { !breaks.contains($0) }.reversed(), as: UTF8.self)
  }

  /// Names of the prelude's inner workings would drown the others.
  private static func isPrivate(_ name: String) -> Bool { name.contains("/-") || name.contains("--") }
}

/// Ctrl-C: stops an evaluation, or is noticed by whoever reads the next line.
private final class Interruption {
  private final class State: Sendable {
    let isRequested = Atomic(false)
    let isEvaluating = Atomic(false)
  }

  private let state = State()
  private let source: any DispatchSourceSignal

  init(_ cancellation: Cancellation, _ mailbox: Mailbox) {
    signal(SIGINT, SIG_IGN)
    source = DispatchSource.makeSignalSource(signal: SIGINT, queue: DispatchQueue(label: "sx.interrupt"))
    source.setEventHandler { [state] in
      state.isRequested.store(true, ordering: .relaxed)
      guard state.isEvaluating.load(ordering: .acquiring) else { return }
      cancellation.cancel()
      // It may wait for events; an empty one lets it look up.
      mailbox.post { _ in }
    }
    source.resume()
  }

  var wasRequested: Bool { state.isRequested.load(ordering: .relaxed) }

  func forget() { state.isRequested.store(false, ordering: .relaxed) }

  func whileEvaluating<Value>(_ body: () -> Value) -> Value {
    state.isEvaluating.store(true, ordering: .releasing)
    defer { state.isEvaluating.store(false, ordering: .releasing) }
    return body()
  }
}
