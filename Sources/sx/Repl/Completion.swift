import SX

/// What could stand where the cursor is.
struct Completion {
  enum Candidates {
    case names([String])
    case files
  }

  /// Characters that end a word. `-`, `/`, `?` and the like are parts of names.
  static let wordBreaks = " \t\n()[]{}'`,\"@;"

  private let interpreter: Interpreter
  private let evaluator: any Evaluator

  init(_ interpreter: Interpreter, _ evaluator: any Evaluator) {
    self.interpreter = interpreter
    self.evaluator = evaluator
  }

  /// - Parameters:
  ///   - text: all lines of the input up to the word.
  ///   - word: what was typed of it.
  func candidates(after text: String, word: String) -> Candidates {
    if let command = Session.command(in: text) {
      if command.name.isEmpty && command.text.isEmpty { return .names(evaluator.commandNames.filter { $0.hasPrefix(word) }) }
      if command.name == "load" { return .files }
    }
    let open = interpreter.openForms(in: Session.command(in: text)?.text ?? text)
    if open.openText != nil { return .files }
    if open.endsInComment { return .names([]) }
    // What is bound around here comes first, then what everybody sees.
    let locals = open.locals.filter { $0.hasPrefix(word) }
    let globals = evaluator.completions(of: word).filter { !locals.contains($0) }
    return .names(locals + globals)
  }
}
