/// Writes values as text. Keeps its own stack, so no depth of data can overflow the native one; a value that contains itself
/// shows as `#<cycle>` where it comes round again.
///
/// Watching for cycles costs more than printing, and harmless data is rarely deep: the first attempt watches only below
/// `cycleCheckDepth`, which every cycle reaches. When it finds one, the value is printed anew and watched from the top.
struct Printer {
  enum Style {
    /// What the reader reads back.
    case write
    /// For people: strings and characters bare, at any depth.
    case display
  }

  private enum Open {
    case list(Value, ListIterator, first: Bool)
    case dict(Value, entries: [(key: Value, value: Value)], at: Int)
    case object(Value, PrintedForm, at: Int)
    case record(Value, RecordType, at: Int)
    var cell: Value {
      switch self {
      case .list(let v, _, _), .dict(let v, _, _), .object(let v, _, _), .record(let v, _, _): v
      }
    }
  }

  private let machine: Machine
  private let style: Style
  private(set) var out: [UInt8] = []
  private var stack: [Open] = []
  /// Cells being printed, from the depth on from which they are watched.
  private var active: Set<UInt64> = []
  private var watchedDepth = Printer.cycleCheckDepth
  private var hasCycle = false
  private static let cycleCheckDepth = 64

  init(_ machine: Machine, _ style: Style) {
    self.machine = machine
    self.style = style
  }

  static func text(_ v: Value, _ machine: Machine, _ style: Style = .write) -> String {
    var printer = Printer(machine, style)
    printer.print(v)
    machine.heap.countSteps(printer.out.count)
    return String(decoding: printer.out, as: UTF8.self)
  }

  mutating func print(_ v: Value) {
    let start = out.count
    run(v)
    guard hasCycle, watchedDepth > 0 else { return }
    out.removeSubrange(start...)
    stack = []
    active = []
    watchedDepth = 0
    run(v)
  }

  private mutating func run(_ v: Value) {
    begin(v)
    while let top = stack.popLast() {
      if machine.hasToStop(after: 8, holding: out.count) { return }
      switch top {
      case .list(let cell, var iterator, let first):
        guard let next = iterator.next() else {
          out.append(UInt8(ascii: ")"))
          left(cell)
          continue
        }
        if !first { out.append(UInt8(ascii: " ")) }
        stack.append(.list(cell, iterator, first: false))
        begin(next)
      case .dict(let cell, let entries, let at):
        guard at < entries.count else {
          out.append(UInt8(ascii: "}"))
          left(cell)
          continue
        }
        if at > 0 { out.append(UInt8(ascii: " ")) }
        key(entries[at].key)
        out.append(UInt8(ascii: " "))
        stack.append(.dict(cell, entries: entries, at: at + 1))
        begin(entries[at].value)
      case .object(let cell, let form, let at):
        guard at < form.parts.count else {
          put(form.close)
          left(cell)
          continue
        }
        if at > 0 || !form.open.hasSuffix("(") { out.append(UInt8(ascii: " ")) }
        stack.append(.object(cell, form, at: at + 1))
        begin(form.parts[at])
      case .record(let cell, let type, let at):
        guard at < cell.length else {
          put(type.isVariant ? ")" : ">")
          left(cell)
          continue
        }
        put(type.isVariant ? " " : " :\(type.fields[at]) ")
        stack.append(.record(cell, type, at: at + 1))
        begin(cell.field(at))
      }
      if hasCycle, watchedDepth > 0 { return }
    }
  }

  private mutating func left(_ v: Value) {
    if !active.isEmpty { active.remove(v.bits) }
  }
  /// True when the value is being printed already.
  private mutating func enters(_ v: Value) -> Bool {
    guard stack.count >= watchedDepth, !active.insert(v.bits).inserted else { return false }
    hasCycle = true
    return true
  }

  private mutating func begin(_ v: Value) {
    if v.isListCell || v == .end {
      if enters(v) { return put("#<cycle>") }
      out.append(UInt8(ascii: "("))
      stack.append(.list(v, ListIterator(v), first: true))
    } else if v.isDict {
      if enters(v) { return put("#<cycle>") }
      out.append(UInt8(ascii: "{"))
      if v.length > 1 << 12, machine.lacks(v.length * 64) { return }
      stack.append(.dict(v, entries: machine.heap.entries(of: v), at: 0))
    } else if v.isKind(.object), let form = v.object.printedForm {
      if enters(v) { return put("#<cycle>") }
      put(form.open)
      stack.append(.object(v, form, at: 0))
    } else if v.isKind(.record) {
      if enters(v) { return put("#<cycle>") }
      let type = machine.recordType(of: v)
      put((type.isVariant ? "(" : "#<") + type.name)
      stack.append(.record(v, type, at: 0))
    } else {
      atom(v)
    }
  }

  /// Adds a text as it is.
  mutating func put(_ s: String) { out.append(contentsOf: s.utf8) }

  /// A key of a dict, alone.
  mutating func printKey(_ k: Value) { key(k) }

  private mutating func key(_ k: Value) {
    let utf8 = k.utf8
    if let first = utf8.first, Reader.startsIdentifier(first), utf8.allSatisfy(Reader.continuesIdentifier),
      k.isASCII || !k.text.unicodeScalars.contains(where: Reader.isInvisible) {
      out.append(UInt8(ascii: ":"))
      out.append(contentsOf: utf8)
    } else {
      quoted(k)
    }
  }

  private mutating func atom(_ v: Value) {
    if v.isCell, v.isText, v.byteCount > 1 << 16, machine.lacks(2 * out.count + 6 * v.byteCount) { return }
    if v.isFix { return Numbers.append(v.fixValue, to: &out) }
    if v.isFlo { return put(Numbers.format(v.floValue, point: true)) }
    switch v {
    case .nil: return put("nil")
    case .true: return put("true")
    case .false: return put("false")
    case .unbound: return put("#<unbound>")
    case .endOfFile: return put("#<eof>")
    default: break
    }
    if v.isCharacter { return put(style == .display ? String(Character(v.scalar)) : Characters.written(v.scalar)) }
    switch v.kind {
    case .int: Numbers.append(Int(Int64(bitPattern: v.cell[1])), to: &out)
    case .double: put(Numbers.format(Double(bitPattern: v.cell[1]), point: true))
    case .rational:
      Numbers.append(Int(Int64(bitPattern: v.cell[1])), to: &out)
      out.append(UInt8(ascii: "/"))
      Numbers.append(Int(Int64(bitPattern: v.cell[2])), to: &out)
    case .string: if style == .display { out.append(contentsOf: v.utf8) } else { quoted(v) }
    case .symbol: out.append(contentsOf: v.utf8)
    case .keyword:
      out.append(UInt8(ascii: ":"))
      out.append(contentsOf: v.utf8)
    case .closure: put("#<lambda \(Code.of(closure: v).displayName)>")
    case .native: put("#<native \(v.native.name)>")
    case .object: put(v.object.describe(machine))
    default: put("#<\(v.kind)>")
    }
  }

  private mutating func quoted(_ v: Value) {
    out.append(UInt8(ascii: "\""))
    StringLiteral.append(v.utf8, to: &out)
    out.append(UInt8(ascii: "\""))
  }
}
