@preconcurrency import CReadline
import SX
import SXHost

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

  /// The one that reads, for the library's callbacks, which are C functions without a context. They run inside calls of the library, so on
  /// the thread that made them.
  nonisolated(unsafe) private static weak var current: TerminalLines?

  private let interpreter: Interpreter
  private let host: SystemHost
  private let evaluator: any Evaluator
  private let interruption: Interruption
  private let history = HistoryFile()
  /// The lines before the one that is typed.
  private var pending = ""
  private var typed: InputLine?
  /// Ctrl-D on a line that has nothing but the blanks it was given.
  private var isGivenUp = false
  /// What the library asks for one by one.
  private var matches: ArraySlice<String> = []

  init(_ interpreter: Interpreter, _ host: SystemHost, _ evaluator: any Evaluator) {
    self.interpreter = interpreter
    self.host = host
    self.evaluator = evaluator
    interruption = Interruption(evaluator.stop)
    Self.current = self
    rl_catch_signals = 0
    Self.keep("sx") { rl_readline_name = $0 }
    // A terminal that cannot move its cursor would get the whole line again for every bracket.
    if getenv("TERM").map({ strcmp($0, "dumb") != 0 }) ?? false { rl_variable_bind("blink-matching-paren", "on") }
    Self.keep(Completion.wordBreaks) { rl_completer_word_break_characters = $0 }
    Self.keep("\"") { rl_completer_quote_characters = $0 }
    rl_attempted_completion_function = { word, start, _ in TerminalLines.current?.complete(word, from: start) }
    rl_startup_hook = {
      TerminalLines.current?.indent()
      return 0
    }
    // On a line with text Ctrl-D deletes. One that was indented for the user is as empty as it looks.
    rl_bind_key(Int32(UInt8(ascii: "d") & 0x1F)) { count, key in
      guard let lines = TerminalLines.current, lines.isBlank else { return rl_delete(count, key) }
      lines.isGivenUp = true
      return 0
    }
    using_history()
    stifle_history(Int32(HistoryFile.limit))
    for entry in history.load() { add_history(entry) }
  }

  /// The library keeps the pointer.
  private static func keep(_ text: String, _ assign: (UnsafePointer<CChar>?) -> Void) {
    assign(strdup(text).map { UnsafePointer($0) })
  }

  // MARK: Lines

  func next(after pending: String) -> InputLine {
    self.pending = pending
    typed = nil
    rl_callback_handler_install(pending.isEmpty ? Self.prompt : Self.continuationPrompt) { line in
      // Removing the handler here restores the terminal before the line is evaluated.
      rl_callback_handler_remove()
      TerminalLines.current?.typed = line.map { .text(String(cString: $0)) } ?? .end
      free(line)
    }
    var isBusy = false
    while true {
      if interruption.wasRequested {
        interruption.forget()
        // First the echo, behind what was typed or searched for.
        rl_point = rl_end
        rl_redisplay()
        host.write("^C\n", to: .standardOutput)
        host.flush()
        withoutDisplay {
          rl_callback_sigcleanup()
          rl_replace_line("", 0)
          rl_callback_handler_remove()
        }
        return .interrupted
      }
      if Self.hasInput(within: isBusy ? 0 : Self.pulse) {
        rl_callback_read_char()
        if isGivenUp {
          isGivenUp = false
          rl_replace_line("", 0)
          rl_callback_handler_remove()
          host.write("\n", to: .standardOutput)
          return .end
        }
        guard let line = typed else { continue }
        if case .end = line { endLine() }
        return line
      } else {
        // Ctrl-C also stops what in the background never gives way.
        isBusy = interruption.whileEvaluating { evaluator.goOn { !interruption.wasRequested && !Self.hasInput(within: 0) } }
      }
    }
  }

  /// Leaving a search, the library shows the line that it has found, which by then stands above.
  private func withoutDisplay(_ body: () -> Void) {
    let display = rl_redisplay_function
    rl_redisplay_function = {}
    defer { rl_redisplay_function = display }
    body()
  }

  private var isBlank: Bool {
    guard !pending.isEmpty, let buffer = rl_line_buffer else { return false }
    return String(cString: buffer).allSatisfy { $0 == " " || $0 == "\t" }
  }

  /// Ends the line of the prompt after Ctrl-D, which the library does itself on terminals that announce pasted text. It also keeps in mind that
  /// it met the end, and would end every further line twice.
  private func endLine() {
    let isEnded = rl_eof_found != 0 && rl_variable_value("enable-bracketed-paste").map { strcmp($0, "on") == 0 } ?? false
    if !isEnded { host.write("\n", to: .standardOutput) }
    rl_eof_found = 0
  }

  private static func hasInput(within milliseconds: Int32) -> Bool {
    var input = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
    return poll(&input, 1, milliseconds) > 0
  }

  func whileEvaluating<Value>(_ body: () -> Value) -> Value {
    let value = interruption.whileEvaluating(body)
    if interruption.wasRequested {
      // Behind the echo of Ctrl-C.
      host.write("\n", to: .standardOutput)
      interruption.forget()
    }
    return value
  }

  /// Puts the cursor where the next line of the form begins.
  private func indent() {
    // Lines that arrive all at once were pasted and have their own indentation.
    guard !pending.isEmpty, !Self.hasInput(within: 0) else { return }
    let blanks = Indentation.ofNextLine(after: interpreter.openForms(in: Session.command(in: pending)?.text ?? pending))
    // Beyond the middle of a narrow terminal indentation only costs room.
    rl_insert_text(String(repeating: " ", count: min(blanks, TerminalWidth.columns / 2)))
  }

  // MARK: History

  func accept(_ input: String) {
    let trimmed = input.drop { $0.isWhitespace }
    guard !trimmed.isEmpty else { return }
    forget(input)
    add_history(input)
    history.add(input)
  }

  /// An input that is typed again moves to the end.
  private func forget(_ input: String) {
    var index = history_length - 1
    while index >= 0 {
      if let entry = history_get(history_base + index), let line = entry.pointee.line, String(cString: line) == input {
        free_history_entry(remove_history(index))
      }
      index -= 1
    }
  }

  // MARK: Completion

  /// - Returns: the words that fit, as the library wants them: the common beginning first; nil when there are none.
  private func complete(_ word: UnsafePointer<CChar>?, from start: Int32) -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? {
    // No file names when nothing else fits.
    rl_attempted_completion_over = 1
    guard let word, let buffer = rl_line_buffer else { return nil }
    let before = String(decoding: String(cString: buffer).utf8.prefix(Int(start)), as: UTF8.self)
    let text = pending.isEmpty ? before : pending + "\n" + before
    switch Completion(interpreter, evaluator).candidates(after: text, word: String(cString: word)) {
    case .files:
      rl_filename_completion_desired = 1
      return rl_completion_matches(word) { rl_filename_completion_function($0, $1) }
    case .names(let names):
      matches = names[...]
      // Names are followed by brackets as often as by blanks.
      rl_completion_append_character = 0
      return rl_completion_matches(word) { _, _ in
        // The library frees it.
        TerminalLines.current?.matches.popFirst().flatMap { strdup($0) }
      }
    }
  }
}
