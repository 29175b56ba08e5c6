/// A place in a source text. Lines and columns count from 1, columns in scalars; the end is not included.
public struct SourceLocation: Sendable, Equatable {
  /// How messages name the text: a path, or a name such as `<eval>`.
  public let file: String
  /// The line where it begins.
  public let line: Int
  /// The column where it begins.
  public let column: Int
  /// The line where it ends.
  public let endLine: Int
  /// The column behind its last scalar.
  public let endColumn: Int
}

/// One call that was active when an error happened.
public struct TraceEntry: Sendable, Equatable {
  /// The name of the function; `anonymous` for one that has none.
  public let function: String
  /// Where in it the error happened, or the next call; nil where that stands in no text.
  public let location: SourceLocation?
  /// A function of the prelude.
  public let isPrelude: Bool
  /// It was called in place of the function that the entry below it called: that one has left no trace. Known only where a call names a global.
  public let isTailCall: Bool
}

/// A macro whose expansion has led to an error, and the form that was expanded.
public struct Expansion: Sendable, Equatable {
  /// The name of the macro.
  public let macro: String
  /// The form that was expanded; nil when it stands in no text.
  public let location: SourceLocation?
}

/// An error with its place, its excerpt and the calls that led to it. A value that may cross threads.
///
/// `rendered(color:)` is the one way in which the command, the session, the test runner and an embedding program show it.
public struct Diagnostic: Error, Sendable, CustomStringConvertible {
  /// What is wrong, in one sentence without its place.
  public var message: String
  /// Where the mistake stands: the innermost place outside the prelude.
  public var location: SourceLocation?
  /// The line of the source at `location`, or the part of a very long one around it.
  public var excerpt: Excerpt?
  /// The calls that were active, innermost first.
  public var trace: [TraceEntry] = []
  /// Number of calls that were left out of `trace` after `omittedAfter` entries, because there were too many.
  public var omitted = 0
  /// After how many entries of `trace` calls were left out.
  public var omittedAfter = 0
  /// How it may be put right, when something is known about that.
  public var hint: String?
  /// The macros in whose expansions it happened, innermost first.
  public var expansions: [Expansion] = []
  /// The errors that this one was given as irritants: what it was raised because of.
  public var causes: [Diagnostic] = []
  /// What ended the script, when it was a limit or a cancellation and no mistake; nil for everything that a script can catch.
  public var interruption: Interruption?
  /// The error that a function of the host threw, whatever handlers of the script it has passed through; nil for errors of SX. One that the script
  /// raised because of it has it among its `causes`.
  public var underlyingError: (any Error)?
  /// Which condition of the interpreter it stands for, while the function of the host runs that may pass it on.
  var nestedFailure: Int?
  /// More source could make it right: the text ended inside a form.
  public var isIncomplete = false

  /// An error that has nothing but a message, as a function of the host may throw it.
  public init(message: String) { self.message = message }
  public var description: String { rendered(color: false) }

  /// Leaves out the innermost call of one of these functions, and those around it.
  public mutating func dropCalls(from functions: Set<String>) {
    guard let first = trace.firstIndex(where: { functions.contains($0.function) }) else { return }
    // What was left out in the middle may be what lies behind it.
    if omittedAfter >= first { omitted = 0 }
    trace.removeSubrange(first...)
  }
}

extension Machine {
  /// Scalars of a message that are shown; a value in it may be of any size.
  private static let longestMessage = 2000
  /// Causes that are followed.
  private static let deepestCause = 8

  /// A condition that nobody handled, as a diagnostic.
  func diagnostic(_ raise: Raise) -> Diagnostic { diagnostic(raise, depth: 0) }

  private func diagnostic(_ raise: Raise, depth: Int) -> Diagnostic {
    guard let error = raise.condition.object(as: ErrorObject.self) else {
      var result = Diagnostic(message: shortened("uncaught condition: \(Printer.text(raise.condition, self))"))
      fill(&result, raise.trace ?? StackTrace(), .none)
      return result
    }
    let causes = error.irritants.filter { $0.object(as: ErrorObject.self) != nil }
    var result = Diagnostic(message: shortened(([error.message] + error.irritants.filter { $0.object(as: ErrorObject.self) == nil }.map { Printer.text($0, self) }).joined(separator: " ")))
    result.interruption = error.interruption
    result.underlyingError = error.underlyingError
    // Who is given a value to call is not written as a call.
    let isCalledForUser = error.stackTrace?.entries.first.map { sources.text(at: $0.span.start)?.isPrelude ?? false } ?? false
    result.hint = error.hint ?? Hint.text(for: result.message, error.kind.hasPrefix("call of ") && isCalledForUser ? "call for the user" : error.kind)
    fill(&result, error.stackTrace ?? StackTrace(), error.span)
    if let name = error.undefinedName {
      narrow(&result, to: name)
      let span = error.stackTrace?.entries.first?.span ?? error.span
      if result.hint == nil, let message = nearerMessage(name, span) { result.message = message }
      if result.hint == nil { result.hint = foreignForm(around: span) }
    }
    if let (_, use) = error.expansions.first {
      result.expansions = error.expansions.map { Expansion(macro: $0.macro, location: sources.location($0.span)) }
      // A macro of the prelude has nothing to show to its user but the use, and how it is written.
      if result.trace.first?.isPrelude ?? true {
        if error.span.isNone { place(&result, use) }
        if result.trace.allSatisfy(\.isPrelude) { result.trace = [] }
      }
      if result.hint == nil { result.hint = usage(of: result.expansions, named: result.message) }
    }
    narrowToArgument(&result, error)
    if depth < Machine.deepestCause { result.causes = causes.map { diagnostic(Raise(condition: $0), depth: depth + 1) } }
    return result
  }

  func diagnostic(_ syntax: SyntaxError) -> Diagnostic {
    var result = Diagnostic(message: shortened(syntax.message))
    result.hint = syntax.hint ?? Hint.text(for: syntax.message)
    result.isIncomplete = syntax.isIncomplete
    result.expansions = syntax.expansions.map { Expansion(macro: $0.macro, location: sources.location($0.span)) }
    place(&result, syntax.span)
    return result
  }

  private func shortened(_ message: String) -> String {
    let scalars = message.unicodeScalars
    guard let end = scalars.index(scalars.startIndex, offsetBy: Machine.longestMessage, limitedBy: scalars.endIndex), end != scalars.endIndex else { return message }
    return String(scalars[..<end]) + "…"
  }

  private func fill(_ result: inout Diagnostic, _ trace: StackTrace, _ span: SourceSpan) {
    var omittedAfter = trace.omittedAfter
    for (i, entry) in trace.entries.enumerated() {
      // The calls that evaluate one form after the other are of no interest to anybody.
      guard !entry.name.hasPrefix("control/-run-") else {
        if i < trace.omittedAfter { omittedAfter -= 1 }
        continue
      }
      result.trace.append(
        TraceEntry(function: entry.name, location: sources.location(entry.span), isPrelude: sources.text(at: entry.span.start)?.isPrelude ?? false, isTailCall: entry.isTailCall))
    }
    result.omitted = trace.omitted
    result.omittedAfter = omittedAfter
    if !span.isNone { return place(&result, span) }
    let users = trace.entries.first { sources.text(at: $0.span.start).map { !$0.isPrelude } ?? false }
    guard let entry = users ?? trace.entries.first else { return }
    place(&result, entry.span)
    noteExpansion(&result, entry.span)
  }

  /// A form whose head is a macro is no call: what failed there is code that the macro made.
  private func noteExpansion(_ result: inout Diagnostic, _ span: SourceSpan) {
    guard let form = sourceForm(span), form.isListCell, form.length > 0 else { return }
    let head = heap.element(form, 0)
    guard head.isKind(.symbol), head.length != 0, globals[globalIndex(head)].object(as: Macro.self) != nil else { return }
    result.expansions.append(Expansion(macro: head.text, location: sources.location(span)))
  }

  /// The place of a call becomes that of the name it calls.
  private func narrow(_ result: inout Diagnostic, to name: String) {
    guard let at = result.location, let excerpt = result.excerpt else { return }
    let line = excerpt.text.unicodeScalars.dropFirst(at.column - excerpt.column)
    guard line.first == "(" || line.first == "[", String(line.dropFirst()).hasPrefix(name) else { return }
    let column = at.column + 1
    result.location = SourceLocation(file: at.file, line: at.line, column: column, endLine: at.line, endColumn: column + name.unicodeScalars.count)
  }

  /// How a macro is written whose expansion complains of its form in the way of special forms: "`name` takes …".
  private func usage(of expansions: [Expansion], named message: String) -> String? {
    guard let macro = expansions.first?.macro, message.hasPrefix("`\(macro)` takes ") else { return nil }
    return interpreter.documentation(of: macro).flatMap { $0.usage.isEmpty ? nil : "usage: " + $0.usage.joined(separator: " or ") }
  }

  /// The place of a call becomes that of the argument that the called function does not take.
  private func narrowToArgument(_ result: inout Diagnostic, _ error: ErrorObject) {
    guard error.span.isNone, let call = result.location, let captures = Hint.match("*: argument *: *", error.message), let number = Int(captures[1]), number > 0,
      // The innermost call outside the prelude, which is what has been placed.
      let span = error.stackTrace?.entries.first(where: { sources.text(at: $0.span.start).map { !$0.isPrelude } ?? false })?.span, sources.location(span) == call,
      let text = sources.text(at: span.start), let form = sourceForm(span), form.isListCell, form.length > number
    else { return }
    let head = heap.element(form, 0)
    guard head.isKind(.symbol), head.text == captures[0], !isThreaded(span, text) else { return }
    var rest = form
    for _ in 0..<number {
      guard rest.isPair else { return }
      rest = rest.tail
    }
    if rest.isPair { place(&result, rest.elementSpan) }
  }

  /// Whether the form stands in a `->` or its like, which gives it one more argument.
  private func isThreaded(_ span: SourceSpan, _ text: SourceText) -> Bool {
    var current = topLevelForm(text, Int(span.start - text.base))
    while let list = current, list.isListCell, list.length > 0, list.listSpan != span {
      let inner = ListElements(list).first { !$0.listSpan.isNone && $0.listSpan.start <= span.start && span.end <= $0.listSpan.end }
      let head = heap.element(list, 0)
      if inner?.listSpan == span, head.isKind(.symbol), let form = SpecialForm(head, self), form == .thread || form == .threadLast { return true }
      current = inner
    }
    return false
  }

  /// The message for an undefined symbol, when a name that stands in the same form of the source, a parameter or a local variable, is at least as
  /// near as all globals.
  func nearerMessage(_ name: String, _ span: SourceSpan) -> String? {
    guard let text = sources.text(at: span.start), !span.isNone, let form = topLevelForm(text, Int(span.start - text.base)) else { return nil }
    var names: Set<String> = [], pending = [form]
    while let v = pending.popLast(), names.count < 10_000 {
      if v.isListCell { pending.append(contentsOf: ListElements(v)) }
      if v.isDict { pending.append(contentsOf: heap.entries(of: v).map(\.value)) }
      if v.isKind(.symbol) { names.insert(v.text) }
    }
    names.remove(name)
    guard let local = Suggestion.nearest(name, among: Array(names)).first else { return nil }
    func distance(_ other: String) -> Int { Suggestion.distance(Array(name.utf8), Array(other.utf8), most: 9) }
    if let global = Suggestion.nearest(name, among: definedNames).first, distance(global) < distance(local) { return nil }
    return "Undefined symbol: \(name), did you mean `\(local)`?"
  }

  /// Advice for a form of another language around a place, `(defn f …)`: its parts are undefined as well, and are evaluated first.
  private func foreignForm(around span: SourceSpan) -> String? {
    guard let text = sources.text(at: span.start), !span.isNone, let form = topLevelForm(text, Int(span.start - text.base)) else { return nil }
    var current: Value? = form, found: String?
    while let list = current, list.isListCell, list.length > 0 {
      let head = heap.element(list, 0)
      if head.isKind(.symbol), head.length == 0 || globals[globalIndex(head)] == .unbound, let advice = Hint.text(for: "Undefined symbol: \(head.text)") {
        found = "`\(head.text)` is not known here: \(advice)"
      }
      current = ListElements(list).first { $0.listSpan.start <= span.start && span.end <= $0.listSpan.end && !$0.listSpan.isNone }
    }
    return found
  }

  /// The form of a text that an offset lies in.
  private func topLevelForm(_ text: SourceText, _ offset: Int) -> Value? {
    text.bytes.withUnsafeBufferPointer { bytes in
      var reader = Reader(self, text, bytes)
      while let form = try? reader.next() {
        if Int(form.span.end - text.base) > offset { return form.value }
      }
      return nil
    }
  }

  /// What stands at a place, read again.
  private func sourceForm(_ span: SourceSpan) -> Value? {
    guard !span.isNone, let text = sources.text(at: span.start) else { return nil }
    return text.bytes.withUnsafeBufferPointer { bytes in
      var reader = Reader(self, text, bytes, from: Int(span.start - text.base), to: min(bytes.count, Int(span.end - text.base)))
      do {
        return try reader.next()?.value
      } catch {
        // Nothing can be thrown here.
        askAgain(for: error)
        return nil
      }
    }
  }

  private func place(_ result: inout Diagnostic, _ span: SourceSpan) {
    guard let location = sources.location(span), let text = sources.text(at: span.start) else { return }
    result.location = location
    result.excerpt = Excerpt(line: text.line(location.line), around: location)
  }
}
