/// A place in a source text. Lines and columns count from 1, columns in scalars; the end is not included.
public struct SourceLocation: Sendable, Equatable {
  public let file: String
  public let line: Int
  public let column: Int
  public let endLine: Int
  public let endColumn: Int
}

/// One call that was active when an error happened.
public struct TraceEntry: Sendable, Equatable {
  public let function: String
  public let location: SourceLocation?
  /// A function of the prelude.
  public let isPrelude: Bool
}

/// An error with its place, its excerpt and the calls that led to it. A value that may cross threads.
public struct Diagnostic: Error, Sendable, CustomStringConvertible {
  public var message: String
  /// Where the mistake stands: the innermost place outside the prelude.
  public var location: SourceLocation?
  /// The line of the source at `location`.
  public var excerpt: String?
  /// The calls that were active, innermost first.
  public var trace: [TraceEntry] = []
  /// Number of calls that were left out of `trace` after `omittedAfter` entries, because there were too many.
  public var omitted = 0
  public var omittedAfter = 0
  public var hint: String?
  /// The macro in whose expansion it happened.
  public var expansion: String?
  /// More source could make it right: the text ended inside a form.
  public var isIncomplete = false

  public init(message: String) { self.message = message }
  public var description: String { rendered(color: false) }

  /// Message, place, excerpt with caret, trace and hint, for people. No line break at the end.
  public func rendered(color: Bool) -> String {
    func paint(_ code: String, _ s: String) -> String { color ? "\u{1B}[\(code)m\(s)\u{1B}[0m" : s }
    var out = paint("1;31", "error") + paint("1", ": " + message)
    if let location {
      out += "\n" + paint("2", "  at ") + "\(location.file):\(location.line):\(location.column)"
      if let excerpt, !excerpt.isEmpty {
        let (shown, offset) = Diagnostic.window(excerpt, around: location.column)
        let number = String(location.line)
        let gutter = String(repeating: " ", count: number.count)
        let width = location.endLine == location.line ? max(1, location.endColumn - location.column) : max(1, shown.unicodeScalars.count - (location.column - 1 - offset))
        let padding = String(shown.unicodeScalars.prefix(max(0, location.column - 1 - offset)).map { $0 == "\t" ? "\t" : " " })
        let room = max(1, shown.unicodeScalars.count - padding.unicodeScalars.count)
        out += "\n" + paint("2", " \(number) | ") + shown
        out += "\n" + paint("2", " \(gutter) | ") + padding + paint("1;31", String(repeating: "^", count: min(width, room)))
      }
    }
    if let expansion { out += "\n  in the expansion of `\(expansion)`" }
    let text = traceText
    if trace.count > 1 || trace.first.map({ $0.isPrelude }) ?? false, !text.isEmpty { out += "\n" + text }
    if let hint { out += "\n" + paint("36", "  hint: ") + hint }
    return out
  }

  /// Leaves out the innermost call of one of these functions, and those around it.
  public mutating func dropCalls(from functions: Set<String>) {
    guard let first = trace.firstIndex(where: { functions.contains($0.function) }) else { return }
    // What was left out in the middle may be what lies behind it.
    if omittedAfter >= first { omitted = 0 }
    trace.removeSubrange(first...)
  }

  /// The trace alone, a call a line.
  public var traceText: String {
    var lines: [String] = []
    for (i, entry) in trace.enumerated() {
      if omitted > 0, i == omittedAfter { lines.append("  … \(omitted) more calls …") }
      let place = entry.location.map { " at \($0.file):\($0.line):\($0.column)" } ?? ""
      lines.append("  in \(entry.function)\(place)")
    }
    return lines.joined(separator: "\n")
  }

  /// The part of a very long line around a column, and how many scalars were cut off in front.
  private static func window(_ line: String, around column: Int) -> (String, Int) {
    let scalars = Array(line.unicodeScalars), most = 160
    guard scalars.count > most else { return (line, 0) }
    let start = max(0, min(column - 1 - 60, scalars.count - most))
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars[start..<min(scalars.count, start + most)])
    return (String(view), start)
  }
}

/// What a script cannot catch.
enum LimitError: Error, CustomStringConvertible {
  case heap, cancelled
  var description: String {
    switch self {
    case .heap: "out of memory: the heap limit is reached"
    case .cancelled: "cancelled"
    }
  }
}

extension Machine {
  /// A condition that nobody handled, as a diagnostic.
  func diagnostic(_ raise: Raise) -> Diagnostic {
    guard let error = raise.condition.object(as: ErrorObject.self) else {
      var result = Diagnostic(message: "uncaught condition: \(Printer.text(raise.condition, self))")
      fill(&result, raise.trace ?? StackTrace(), .none)
      return result
    }
    var result = Diagnostic(message: error.fullMessage(self))
    result.hint = error.hint
    fill(&result, error.stackTrace ?? StackTrace(), error.span)
    if let name = error.undefinedName { narrow(&result, to: name) }
    if let (name, span) = error.expansion {
      result.expansion = name
      if error.span.isNone { place(&result, span) }
    }
    return result
  }

  func diagnostic(_ syntax: SyntaxError) -> Diagnostic {
    var result = Diagnostic(message: syntax.message)
    result.hint = syntax.hint
    result.isIncomplete = syntax.isIncomplete
    place(&result, syntax.span)
    return result
  }

  private func fill(_ result: inout Diagnostic, _ trace: StackTrace, _ span: SourceSpan) {
    // The calls that evaluate one form after the other are of no interest to anybody.
    result.trace = trace.entries.filter { !$0.name.hasPrefix("control/-run-") }.map {
      TraceEntry(function: $0.name, location: sources.location($0.span), isPrelude: sources.text(at: $0.span.start)?.isPrelude ?? false)
    }
    result.omitted = trace.omitted
    result.omittedAfter = trace.omittedAfter
    if !span.isNone { return place(&result, span) }
    let users = trace.entries.first { sources.text(at: $0.span.start).map { !$0.isPrelude } ?? false }
    if let entry = users ?? trace.entries.first { place(&result, entry.span) }
  }

  /// The place of a call becomes that of the name it calls.
  private func narrow(_ result: inout Diagnostic, to name: String) {
    guard let at = result.location, let line = result.excerpt?.unicodeScalars.dropFirst(at.column - 1), line.first == "(", String(line.dropFirst()).hasPrefix(name) else { return }
    let column = at.column + 1
    result.location = SourceLocation(file: at.file, line: at.line, column: column, endLine: at.line, endColumn: column + name.unicodeScalars.count)
  }

  private func place(_ result: inout Diagnostic, _ span: SourceSpan) {
    guard let location = sources.location(span), let text = sources.text(at: span.start) else { return }
    result.location = location
    result.excerpt = text.line(location.line)
  }
}
