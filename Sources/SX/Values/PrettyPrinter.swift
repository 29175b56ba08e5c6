/// Lays values out for people: what fits into a line stays in one, everything else is broken and indented by its structure.
///
/// What it writes without limits reads back as the same value. It keeps its own stack, so no depth of data can overflow the native one; the
/// indentation stops growing in the middle of the line, so deep data costs no more than a constant for each element. A value that
/// contains itself shows as `#<cycle>` where it comes round again.
///
/// Cost: O(elements × width), because every collection is first tried on one line, which fails within that line's width.
struct PrettyPrinter {
  struct Style: Sendable {
    /// Columns of a line.
    var width = 80
    /// Elements shown of one collection; a note counts the others.
    var mostElements = Int.max
    /// Elements shown in all.
    var mostInAll = Int.max
    /// Levels of collections; deeper ones show as `…`.
    var mostLevels = Int.max
    /// Scalars shown of one string.
    var mostText = Int.max
    /// Escape codes for a terminal.
    var colors = false
  }

  /// A run of text of one colour.
  private struct Piece {
    let text: String
    let tint: Tint
  }

  private enum Tint: String {
    case plain = "", string = "32", number = "36", constant = "35", key = "34", opaque = "33", note = "2"
  }

  /// How the elements of a broken collection stand.
  private enum Layout {
    /// As many on a line as fit.
    case fill
    /// One a line; the first ones, so many, stay beside the opening bracket or the head of the form.
    case lines(beside: Int)
    /// A dict: one entry a line.
    case entries
  }

  /// A collection that is being written in several lines.
  private struct Open {
    let cell: Value
    var parts: PartIterator
    var at = 0
    /// Elements that are shown, of `count`.
    let shown: Int
    let count: Int
    let indent: Int
    let layout: Layout
    let closing: String
    /// Brackets that will follow its own without a break.
    let trailing: Int
  }

  private let machine: Machine
  private let style: Style
  private var out = ""
  private var column = 0
  private var stack: [Open] = []
  /// Cells of the collections around the current place.
  private var active: Set<UInt64> = []
  private var left: Int

  init(_ machine: Machine, _ style: Style) {
    self.machine = machine
    self.style = style
    left = style.mostInAll
  }

  /// The text of a value, without a line break at its end.
  static func text(_ v: Value, _ machine: Machine, _ style: Style = Style()) -> String {
    var printer = PrettyPrinter(machine, style)
    printer.print(v)
    return printer.out
  }

  private mutating func print(_ v: Value) {
    begin(v, trailing: 0)
    while !stack.isEmpty { step() }
  }

  // MARK: Broken collections

  /// Writes a value at the current place: on the line when it fits, else it opens a collection.
  private mutating func begin(_ v: Value, trailing: Int) {
    if let line = flat(v, style.width - column - trailing) { return put(line) }
    guard let collection = Collection(v, machine), !active.contains(v.bits), stack.count < style.mostLevels else { return put(atom(v)) }
    put(Piece(text: collection.opening, tint: .plain))
    active.insert(v.bits)
    let shown = min(collection.count, style.mostElements)
    let (layout, indent) = layout(of: collection, v, shown)
    stack.append(
      Open(
        cell: v, parts: collection.parts, shown: shown, count: collection.count, indent: min(indent, max(1, style.width / 2)), layout: layout,
        closing: collection.closing, trailing: trailing))
  }

  /// Writes the next element of the innermost open collection, or closes it.
  private mutating func step() {
    let top = stack.count - 1
    let open = stack[top]
    guard open.at < open.shown, left > 0, let part = stack[top].parts.next() else { return close(open) }
    stack[top].at += 1
    left -= 1
    let trailing = open.at == open.count - 1 ? open.trailing + open.closing.utf8.count : 0
    switch open.layout {
    case .lines(let beside):
      if open.at > 0 { if open.at <= beside { space() } else { newLine(open.indent) } }
      begin(part.value, trailing: trailing)
    case .fill:
      if open.at > 0 {
        if let line = flat(part.value, style.width - column - 1 - trailing) {
          space()
          return put(line)
        }
        newLine(open.indent)
      }
      begin(part.value, trailing: trailing)
    case .entries:
      if open.at > 0 { newLine(open.indent) }
      put(part.key.map(key) ?? Piece(text: "", tint: .plain))
      if let line = flat(part.value, style.width - column - 1 - trailing) {
        space()
        put(line)
      } else if Collection(part.value, machine) != nil, column < open.indent + style.width / 2 {
        space()
        begin(part.value, trailing: trailing)
      } else {
        newLine(min(open.indent + 2, max(1, style.width / 2)))
        begin(part.value, trailing: trailing)
      }
    }
  }

  private mutating func close(_ open: Open) {
    if open.at < open.count {
      if open.at > 0 { newLine(open.indent) }
      put(Piece(text: "… \(grouped(open.count - open.at)) more", tint: .note))
    }
    put(Piece(text: open.closing, tint: .plain))
    stack.removeLast()
    active.remove(open.cell.bits)
  }

  /// Code keeps the look of code: bodies are indented by two, arguments stand below each other.
  private func layout(of collection: Collection, _ v: Value, _ shown: Int) -> (Layout, indent: Int) {
    if collection.isDict { return (.entries, column) }
    var elements = collection.parts
    var hasCollections = false
    for _ in 0..<shown {
      guard let part = elements.next() else { break }
      if Collection(part.value, machine) != nil {
        hasCollections = true
        break
      }
    }
    guard hasCollections else { return (.fill, column) }
    guard v.isListCell, collection.count > 1 else { return (.lines(beside: 0), column) }
    let head = machine.heap.element(v, 0)
    guard head.isKind(.symbol) else { return (.lines(beside: 0), column) }
    let name = head.text
    if let headForms = FormShape.formsBesideHead(of: name) {
      let isNamedLet = name == "let" && machine.heap.element(v, 1).isKind(.symbol)
      return (.lines(beside: headForms + (isNamedLet ? 1 : 0)), column + 1)
    }
    let width = DisplayWidth.of(name)
    return width <= style.width / 4 ? (.lines(beside: 1), column + width + 1) : (.lines(beside: 0), column + 1)
  }

  // MARK: On one line

  /// A value within so many columns; nil when it does not fit.
  private mutating func flat(_ v: Value, _ budget: Int) -> [Piece]? {
    guard budget > 0 else { return nil }
    var pieces: [Piece] = [], used = 0
    var inner: [(cell: Value, parts: PartIterator, at: Int, shown: Int, count: Int, closing: String)] = []
    var entered: [UInt64] = []
    var remaining = left
    defer { for cell in entered { active.remove(cell) } }

    func add(_ piece: Piece) -> Bool {
      used += DisplayWidth.of(piece.text)
      pieces.append(piece)
      return used <= budget
    }
    func enter(_ v: Value) -> Bool {
      guard let collection = Collection(v, machine) else { return add(atom(v)) }
      if active.contains(v.bits) || stack.count + inner.count >= style.mostLevels { return add(atom(v)) }
      let shown = min(collection.count, style.mostElements)
      // Every element takes a column and the blank after it; most long collections are out of the question at once.
      guard 2 * shown < budget - used + 2, shown <= remaining else { return false }
      active.insert(v.bits)
      entered.append(v.bits)
      inner.append((v, collection.parts, 0, shown, collection.count, collection.closing))
      return add(Piece(text: collection.opening, tint: .plain))
    }

    guard enter(v) else { return nil }
    while let top = inner.indices.last {
      let open = inner[top]
      guard open.at < open.shown, let part = inner[top].parts.next() else {
        if open.at < open.count, !add(Piece(text: (open.at > 0 ? " " : "") + "… \(grouped(open.count - open.at)) more", tint: .note)) { return nil }
        guard add(Piece(text: open.closing, tint: .plain)) else { return nil }
        inner.removeLast()
        active.remove(open.cell.bits)
        continue
      }
      inner[top].at += 1
      remaining -= 1
      if open.at > 0, !add(Piece(text: " ", tint: .plain)) { return nil }
      if let key = part.key, !add(self.key(key)) || !add(Piece(text: " ", tint: .plain)) { return nil }
      guard remaining >= 0, enter(part.value) else { return nil }
    }
    left = remaining
    return pieces
  }

  // MARK: Atoms

  private func atom(_ v: Value) -> Piece {
    if Collection(v, machine) != nil { return active.contains(v.bits) ? Piece(text: "#<cycle>", tint: .opaque) : Piece(text: "…", tint: .note) }
    if v.isFix || v.isFlo { return Piece(text: Printer.text(v, machine), tint: .number) }
    if v.isNil || v.isBool { return Piece(text: Printer.text(v, machine), tint: .constant) }
    if v.isCharacter { return Piece(text: Printer.text(v, machine), tint: .string) }
    guard v.isCell else { return Piece(text: Printer.text(v, machine), tint: .opaque) }
    switch v.kind {
    case .string: return Piece(text: string(v), tint: .string)
    case .int, .double, .rational: return Piece(text: Printer.text(v, machine), tint: .number)
    case .symbol: return Piece(text: v.text, tint: .plain)
    case .keyword: return Piece(text: Printer.text(v, machine), tint: .key)
    default: return Piece(text: Printer.text(v, machine), tint: .opaque)
    }
  }

  private func string(_ v: Value) -> String {
    // In UTF-8 no scalar is longer than four bytes, so most strings need no counting.
    guard v.byteCount > style.mostText, v.length > style.mostText else { return Printer.text(v, machine) }
    let start = machine.heap.string(String(String.UnicodeScalarView(v.text.unicodeScalars.prefix(style.mostText))))
    return Printer.text(start, machine).dropLast() + "… \(grouped(v.length - style.mostText)) more\""
  }

  private func key(_ k: Value) -> Piece {
    var printer = Printer(machine, .write)
    printer.printKey(k)
    return Piece(text: String(decoding: printer.out, as: UTF8.self), tint: .key)
  }

  /// `4990` as `4,990`.
  private func grouped(_ number: Int) -> String {
    var digits = String(number), i = digits.count - 3
    while i > 0 {
      digits.insert(",", at: digits.index(digits.startIndex, offsetBy: i))
      i -= 3
    }
    return digits
  }

  // MARK: Writing

  private mutating func put(_ pieces: [Piece]) { for piece in pieces { put(piece) } }

  private mutating func put(_ piece: Piece) {
    let isPainted = style.colors && piece.tint != .plain
    if isPainted { out += "\u{1B}[\(piece.tint.rawValue)m" }
    out += piece.text
    if isPainted { out += "\u{1B}[0m" }
    column += DisplayWidth.of(piece.text)
  }

  private mutating func space() {
    out += " "
    column += 1
  }

  private mutating func newLine(_ indent: Int) {
    if machine.hasToStop(after: 8 + indent, holding: out.utf8.count) { return stack.removeAll() }
    out += "\n" + String(repeating: " ", count: indent)
    column = indent
  }
}

/// The forms whose bodies are indented by two instead of standing below the first argument.
enum FormShape {
  /// How many forms stay beside the head; nil for a call.
  static func formsBesideHead(of name: String) -> Int? {
    if let known = known[name] { return known }
    return name.hasPrefix("def") || name.hasPrefix("with-") || name.hasPrefix("let-") || name.hasPrefix("call-with-") ? 1 : nil
  }

  private static let known: [String: Int] = [
    "fn": 1, "lambda": 1, "λ": 1, "let": 1, "let*": 1, "letrec": 1, "letrec*": 1, "when": 1, "unless": 1, "case": 1, "match": 1, "guard": 1, "parameterize": 1,
    "handler-bind": 1, "begin": 0, "do": 1, "dynamic-wind": 0, "defmacro": 2, "define-record-type": 2, "syntax-rules": 1, "delay": 0, "reset": 0, "shift": 1,
    "provide": 2, "scope": 1, "cond": 0, "test-group": 1, "test": 1,
  ]
}
