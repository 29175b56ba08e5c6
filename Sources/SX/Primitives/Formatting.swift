extension NativeTable {
  mutating func installFormatting() {
    add("format", required("destination-or-template"), rest("values"), doc: """
      The template with its directives replaced by the values, as a string. With `true` or a port in front of the template it is printed \
      there; `false` or nil in front changes nothing. ~a shows a value for people, ~s as `write` does, ~d a number, ~x ~o ~b an integer in \
      radix 16, 8 or 2, ~f a number with a point, ~e one with an exponent, ~c a character; ~% is a newline, ~& one unless the line is empty, \
      ~~ a tilde, and a tilde at the end of a line skips the line end and the blanks behind it. Numbers in front of a directive, with commas between them: for ~a and ~s the width, \
      filled up on the right; for the others the width, filled up on the left, and a fill character behind a quote (~5,'0d); for ~f and ~e the \
      width and the digits behind the point (~8,2f). Too few or too many values are an error.
      """, example: "(format \"~a is ~5,2f~~\" \"x\" 3.14159) → \"x is  3.14~\"") { m, args in
      let first = args[0]
      var port: OutputPort?, at = 0
      if !first.isString {
        at = 1
        if first == .true { port = try m.output(args, args.count, "format") }
        if first.object(as: OutputPort.self) != nil { port = try m.output(args, 0, "format") }
        guard port != nil || first.isFalsy else { throw m.wrongType("format", 1, "template, port or boolean", first) }
      }
      guard at < args.count, args[at].isString else { throw m.wrongType("format", at + 1, "string", at < args.count ? args[at] : .nil) }
      var formatter = Formatter(m, args, template: at, isAtLineStart: port?.isAtLineStart ?? true)
      let text = try formatter.run()
      guard let port else { return text }
      try m.emit(text, .display, to: port, "format")
      return .nil
    }
  }
}

/// Works a template of `format` off.
private struct Formatter: ~Copyable {
  private let machine: Machine
  private let args: Arguments
  private let template: [Unicode.Scalar]
  private var next: Int
  private var i = 0
  private var out = ByteWriter()
  private let isAtLineStart: Bool

  init(_ machine: Machine, _ args: Arguments, template at: Int, isAtLineStart: Bool) {
    self.machine = machine
    self.args = args
    template = Array(args[at].text.unicodeScalars)
    next = at + 1
    self.isAtLineStart = isAtLineStart
  }

  mutating func run() throws -> Value {
    while i < template.count {
      let c = template[i]
      i += 1
      if c == "~" { try directive(i - 1) } else { out.append(c) }
    }
    if next < args.count { throw machine.error("format: \(args.count - next) value\(args.count - next == 1 ? "" : "s") too many for the template") }
    return try machine.string("format", out)
  }

  private func wrong(_ message: String, _ start: Int) -> Raise { machine.error("format: \(message), at offset \(start) of the template") }

  private mutating func value(_ directive: Unicode.Scalar, _ start: Int) throws -> Value {
    guard next < args.count else { throw wrong("no value left for ~\(directive)", start) }
    next += 1
    return args[next - 1]
  }

  private mutating func directive(_ start: Int) throws {
    // Parameters: numbers, or a character behind a quote.
    var numbers: [Int?] = [], fill: Unicode.Scalar = " "
    while i < template.count {
      if template[i] == "'", i + 1 < template.count {
        fill = template[i + 1]
        i += 2
      } else {
        let from = i
        if template[i] == "-" { i += 1 }
        while i < template.count, template[i].value &- 0x30 < 10 { i += 1 }
        if i == from { numbers.append(nil) } else {
          guard let number = Int(String(String.UnicodeScalarView(template[from..<i]))), number >= 0, number <= 10_000 else { throw wrong("a width or a number of digits is from 0 to 10000", start) }
          numbers.append(number)
        }
      }
      guard i < template.count, template[i] == "," else { break }
      i += 1
    }
    guard i < template.count else { throw wrong("the template ends within a directive", start) }
    let kind = template[i]
    i += 1
    let width = numbers.first.flatMap { $0 } ?? 0
    switch kind.value < 128 ? Character(kind).lowercased() : "" {
    case "a": pad(Printer.text(try value(kind, start), machine, .display), width, fill, left: false)
    case "s": pad(Printer.text(try value(kind, start), machine), width, fill, left: false)
    case "d":
      let v = try value(kind, start)
      guard Arithmetic.isNumber(v) else { throw machine.wrongType("format", next, .number, v) }
      pad(Printer.text(v, machine, .display), width, fill, left: true)
    case "x": try integer(16, start, kind, width, fill)
    case "o": try integer(8, start, kind, width, fill)
    case "b": try integer(2, start, kind, width, fill)
    case "f", "e":
      let v = try value(kind, start)
      guard let d = Arithmetic.number(v) else { throw machine.wrongType("format", next, .number, v) }
      let digits = numbers.count > 1 ? numbers[1] : nil
      pad(kind == "f" || kind == "F" ? Formatter.fixed(d, digits) : Formatter.exponential(d, digits), width, fill, left: true)
    case "c":
      let v = try value(kind, start)
      guard v.isCharacter else { throw machine.wrongType("format", next, "char", v) }
      out.append(v.scalar)
    case "%": for _ in 0..<max(1, width) { out.append(UInt8(10)) }
    case "&": if out.count == 0 ? !isAtLineStart : out.written.last != 10 { out.append(UInt8(10)) }
    case "~": for _ in 0..<max(1, width) { out.append(UInt8(ascii: "~")) }
    case "\n": while i < template.count, template[i].properties.isWhitespace, template[i] != "\n" { i += 1 }
    default: throw wrong("unknown directive ~\(kind)", start)
    }
  }

  private mutating func integer(_ radix: Int, _ start: Int, _ kind: Unicode.Scalar, _ width: Int, _ fill: Unicode.Scalar) throws {
    let v = try value(kind, start)
    guard let i = Arithmetic.integer(v) else { throw machine.wrongType("format", next, "integer", v) }
    pad(String(i, radix: radix), width, fill, left: true)
  }

  private mutating func pad(_ text: String, _ width: Int, _ fill: Unicode.Scalar, left: Bool) {
    let missing = width - text.unicodeScalars.count
    if left, missing > 0, fill == "0", text.hasPrefix("-") {            // zeros stand behind the sign
      out.append(UInt8(ascii: "-"))
      for _ in 0..<missing { out.append(fill) }
      out.append(String(text.dropFirst()))
      return
    }
    if left, missing > 0 { for _ in 0..<missing { out.append(fill) } }
    out.append(text)
    if !left, missing > 0 { for _ in 0..<missing { out.append(fill) } }
  }

  private static func fixed(_ d: Double, _ digits: Int?) -> String {
    guard d.isFinite else { return Numbers.format(d, point: true) }
    if let digits { return FixedPoint.format(d, digits: min(digits, 1000)) }
    let shortest = Numbers.format(d, point: true)
    guard let e = shortest.firstIndex(of: "e") else { return shortest }
    // The digits of the shortest form, without its exponent.
    let exponent = Int(shortest[shortest.index(after: e)...]) ?? 0, mantissa = shortest[..<e]
    let point = mantissa.firstIndex(of: ".")
    let decimals = max(0, (point.map { mantissa.distance(from: $0, to: mantissa.endIndex) - 1 } ?? 0) - exponent)
    return decimals == 0 ? FixedPoint.format(d, digits: 0) + ".0" : FixedPoint.format(d, digits: min(decimals, 1000))
  }

  /// One digit in front of the point; without a number of digits, as many as read back the same.
  private static func exponential(_ d: Double, _ digits: Int?) -> String {
    guard d.isFinite else { return Numbers.format(d, point: true) }
    if d == 0 { return (d.sign == .minus ? "-0" : "0") + (digits.map { $0 == 0 ? "" : "." + String(repeating: "0", count: $0) } ?? ".0") + "e+0" }
    var exponent = 0, all: [UInt8] = []
    for b in "\(d.magnitude)".utf8.prefix(while: { $0 != UInt8(ascii: "e") }) where b != UInt8(ascii: ".") { all.append(b) }
    let text = "\(d.magnitude)", mantissa = text.prefix { $0 != "e" }
    let written = text.firstIndex(of: "e").flatMap { Int(text[text.index(after: $0)...]) } ?? 0
    let whole = mantissa.prefix { $0 != "." }.count
    let zeros = all.prefix { $0 == UInt8(ascii: "0") }.count
    all.removeFirst(zeros)
    exponent = whole - zeros - 1 + written
    while all.count > 1, all.last == UInt8(ascii: "0") { all.removeLast() }
    if let digits {
      if all.count > digits + 1 {
        let up = all[digits + 1] > UInt8(ascii: "5") || all[digits + 1] == UInt8(ascii: "5") && (all.count > digits + 2 || all[digits] & 1 == 1)
        all.removeSubrange((digits + 1)...)
        var k = digits
        while up {
          if all[k] < UInt8(ascii: "9") {
            all[k] += 1
            break
          }
          all[k] = UInt8(ascii: "0")
          if k == 0 {
            all.insert(UInt8(ascii: "1"), at: 0)
            all.removeLast()
            exponent += 1
            break
          }
          k -= 1
        }
      }
      while all.count < digits + 1 { all.append(UInt8(ascii: "0")) }
    } else if all.count == 1 {
      all.append(UInt8(ascii: "0"))
    }
    let shown = String(decoding: all, as: UTF8.self)
    return (d < 0 ? "-" : "") + shown.prefix(1) + (shown.utf8.count > 1 ? "." + shown.dropFirst() : "") + "e" + (exponent < 0 ? "-" : "+") + "\(abs(exponent))"
  }
}
