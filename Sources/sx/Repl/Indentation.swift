import SX

/// Where the next line of an unfinished input begins.
enum Indentation {
  /// So many blanks; none inside a string, which would get them as text.
  ///
  /// Bodies of forms that have one are indented by two, arguments of a call stand below the first one, data below each other.
  static func ofNextLine(after text: OpenForms) -> Int {
    guard text.openText == nil, let open = text.openings.last else { return 0 }
    guard let head = open.head else { return open.column + 1 }
    if hasBody(head) || open.count < 2 { return open.column + 2 }
    return open.argumentColumn ?? open.column + 2
  }

  private static func hasBody(_ head: String) -> Bool {
    bodies.contains(head) || ["def", "with-", "let-", "call-with-", "when-", "if-"].contains { head.hasPrefix($0) }
  }

  private static let bodies: Set<String> = [
    "fn", "lambda", "λ", "let", "let*", "letrec", "letrec*", "let-values", "when", "unless", "cond", "case", "match", "guard", "parameterize", "handler-bind",
    "begin", "do", "dynamic-wind", "dotimes", "doseq", "for-each", "syntax-rules", "delay", "reset", "shift", "provide", "scope", "test", "test-group",
  ]
}
