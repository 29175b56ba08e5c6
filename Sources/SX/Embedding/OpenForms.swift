/// What a text that is still being typed looks like to the reader: what is open, and which names are known where it ends.
public struct OpenForms: Sendable {
  /// A bracket that was not closed.
  public struct Opening: Sendable {
    /// Column of the bracket in its line, from 0, in columns of a terminal.
    public let column: Int
    /// The symbol behind the bracket of a list that is no quoted data.
    public let head: String?
    /// How many data stand in it so far, the head included.
    public let count: Int
    /// Column of the second one, when it stands in the line of the bracket.
    public let argumentColumn: Int?
  }

  /// The text ended inside a form, a string, or behind a quote.
  public let isIncomplete: Bool
  /// Outermost first.
  public let openings: [Opening]
  /// The content so far of the string in which the text ended, as it was typed.
  public let openText: String?
  /// The text ended in a comment.
  public let endsInComment: Bool
  /// Names that the enclosing forms bind, innermost first.
  public let locals: [String]
}

extension Interpreter {
  /// Reads a text without evaluating it or keeping it. O(length).
  public func openForms(in source: String) -> OpenForms {
    // Outside the source map: thousands of half-typed lines must not stay there. Positions are used here only.
    let text = SourceText(file: "<input>", bytes: Array(source.utf8), base: 1, isPrelude: false)
    return text.bytes.withUnsafeBufferPointer { bytes in
      var reader = Reader(machine, text, bytes)
      do {
        while try reader.next() != nil {}
        return OpenForms(isIncomplete: false, openings: [], openText: nil, endsInComment: reader.endsInComment, locals: [])
      } catch {
        let syntax = error as? SyntaxError, levels = reader.unfinished
        let start = syntax.map { Int($0.span.start) - 1 } ?? 0
        return OpenForms(
          isIncomplete: syntax?.isIncomplete ?? false,
          openings: levels.map { opening(text, $0) },
          openText: Self.openText(bytes, start),
          endsInComment: reader.endsInComment,
          locals: LocalNames(machine).names(in: levels.map { ($0.isQuoted, $0.items.map(\.value)) }))
      }
    }
  }

  /// The content of a string that begins at `start`, up to the end of the text; nil when something else begins there.
  private static func openText(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) -> String? {
    guard start < bytes.count else { return nil }
    if bytes[start] == UInt8(ascii: "\"") { return String(decoding: bytes[(start + 1)...], as: UTF8.self) }
    guard bytes[start] == UInt8(ascii: "#"), start + 1 < bytes.count, bytes[start + 1] == UInt8(ascii: "|") else { return nil }
    return String(decoding: bytes[(start + 2)...], as: UTF8.self)
  }

  private func opening(_ text: SourceText, _ level: (start: Int, isQuoted: Bool, items: [(value: Value, span: SourceSpan)])) -> OpenForms.Opening {
    func column(_ offset: Int) -> Int {
      let lineStart = (text.bytes[..<offset].lastIndex(of: 10) ?? -1) + 1
      return DisplayWidth.of(String(decoding: text.bytes[lineStart..<offset], as: UTF8.self))
    }
    // `#(` and its like hold data; their elements stand behind the bracket.
    let isList = text.bytes[level.start] != UInt8(ascii: "#") && text.bytes[level.start] != UInt8(ascii: "{")
    let bracket = isList ? level.start : text.bytes[level.start...].firstIndex { $0 == UInt8(ascii: "(") || $0 == UInt8(ascii: "{") } ?? level.start
    let head = level.items.first.flatMap { isList && !level.isQuoted && $0.value.isKind(.symbol) ? $0.value.text : nil }
    let argument = level.items.count > 1 ? Int(level.items[1].span.start) - 1 : nil
    let isBeside = argument.map { !text.bytes[level.start..<$0].contains(10) } ?? false
    return OpenForms.Opening(column: column(bracket), head: head, count: level.items.count, argumentColumn: isBeside ? argument.map(column) : nil)
  }
}

/// The names that unfinished forms bind for what will be typed next.
private struct LocalNames {
  private let machine: Machine

  init(_ machine: Machine) { self.machine = machine }

  /// `levels`: the data in each open bracket so far, outermost first.
  func names(in levels: [(isQuoted: Bool, items: [Value])]) -> [String] {
    var found: [[String]] = []
    for (i, level) in levels.enumerated() where !level.isQuoted {
      found.append(bound(by: level.items))
      guard i > 0 else { continue }
      // Inside the bindings of a `let`, the clauses of a `guard`, a clause of a `match`.
      let outer = levels[i - 1].items
      guard let head = symbol(outer.first) else { continue }
      let position = outer.count
      if Self.binders.contains(head), position == 1 || position == 2 && symbol(outer[1]) != nil { found.append(names(ofBindings: level.items)) }
      if head == "guard", position == 1, let condition = symbol(level.items.first) { found.append([condition]) }
      if head == "match", position > 1, let pattern = level.items.first { found.append(symbols(in: pattern)) }
    }
    var seen: Set<String> = []
    return found.reversed().joined().filter { !$0.hasPrefix("&") && seen.insert($0).inserted }
  }

  private static let binders: Set<String> = [
    "let", "let*", "letrec", "letrec*", "let-values", "let*-values", "let-match", "do", "if-let", "when-let", "dotimes", "doseq",
  ]

  /// The names that a form binds in its body, going by what is there of it.
  private func bound(by items: [Value]) -> [String] {
    guard let head = symbol(items.first) else { return [] }
    var names = items.dropFirst().flatMap(definedName)
    guard items.count > 1 else { return names }
    let second = items[1]
    switch head {
    case "fn", "lambda", "λ": names += parameters(second)
    case "define", "defmacro", "defcomp", "defisland":
      names += symbol(second).map { [$0] } ?? parameters(second)
      if head != "define", items.count > 2 { names += parameters(items[2]) }
    case "guard": if second.isPair, let condition = symbol(second.head) { names.append(condition) }
    case "as->": if items.count > 2, let name = symbol(items[2]) { names.append(name) }
    case _ where Self.binders.contains(head):
      // A named let has its own name in front of the bindings.
      let bindings = symbol(second) != nil ? (items.count > 2 ? items[2] : .nil) : second
      if let name = symbol(second) { names.append(name) }
      if bindings.isListCell { names += self.names(ofBindings: Array(ListElements(bindings))) }
    default: break
    }
    return names
  }

  /// `(a 1) (b 2)`, or flat `a 1 b 2`.
  private func names(ofBindings items: [Value]) -> [String] {
    if items.first.map({ $0.isListCell }) ?? false { return items.flatMap { $0.isPair ? symbols(in: $0.head) : [] } }
    return items.enumerated().flatMap { $0.offset % 2 == 0 ? symbols(in: $0.element) : [] }
  }

  /// A parameter is a symbol, or a list that begins with one: `(x :as number)`.
  private func parameters(_ list: Value) -> [String] {
    guard list.isListCell else { return [] }
    return ListElements(list).compactMap { symbol($0) ?? ($0.isPair ? symbol($0.head) : nil) }
  }

  /// `(define x …)` or `(define (x …) …)` among the forms of a body.
  private func definedName(_ form: Value) -> [String] {
    guard form.isPair, form.length > 1, symbol(form.head) == "define" else { return [] }
    let second = machine.heap.element(form, 1)
    return (symbol(second) ?? (second.isPair ? symbol(second.head) : nil)).map { [$0] } ?? []
  }

  /// All symbols of a pattern. Patterns are small; what is nested deeper than any of them is left out.
  private func symbols(in pattern: Value, depth: Int = 0) -> [String] {
    if let name = symbol(pattern) { return name == "_" ? [] : [name] }
    guard depth < 8 else { return [] }
    if pattern.isListCell { return ListElements(pattern).flatMap { symbols(in: $0, depth: depth + 1) } }
    if pattern.isDict { return machine.heap.entries(of: pattern).flatMap { symbols(in: $0.value, depth: depth + 1) } }
    return []
  }

  private func symbol(_ v: Value?) -> String? {
    guard let v, v.isKind(.symbol) else { return nil }
    return v.text
  }
}
