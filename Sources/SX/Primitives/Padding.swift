extension NativeTable {
  mutating func installPadding() {
    add("pad-left", required("string", .string), required("width", .integer), optional("padding", .string), doc: "The string with padding (default: a space) in front, up to a width in scalars. A longer string stays as it is.", example: "(pad-left \"5\" 3 \"0\") → \"005\"") { m, args in
      guard let padding = try Padding.make("pad-left", args, m) else { return args[0] }
      return try m.string("pad-left", padding, args[0])
    }
    add("pad-right", required("string", .string), required("width", .integer), optional("padding", .string), doc: "The string with padding (default: a space) behind, up to a width in scalars. A longer string stays as it is.", example: "(pad-right \"5\" 3 \".\") → \"5..\"") { m, args in
      guard let padding = try Padding.make("pad-right", args, m) else { return args[0] }
      return try m.string("pad-right", args[0], padding)
    }
    add("text-columns", required("string", .string), walks: true, doc: "How many columns of a terminal the string takes: two for a wide character, none for a mark on the one before it.", example: "(text-columns \"日本\") → 4") { _, args in
      .fix(args[0].isASCII ? args[0].byteCount : DisplayWidth.of(args[0].text))
    }
    add("repeat", required("string", .string), required("count", .integer), doc: "The string `count` times in a row.", example: "(repeat \"ab\" 3) → \"ababab\"") { m, args in
      guard args.integer(1) >= 0 else { throw m.error("repeat: argument 2: the count must not be negative, got \(args.integer(1))") }
      return try m.repeated("repeat", args[0], args.integer(1))
    }
    add("pluralize", required("count", .number), optional("singular", .string), optional("plural", .string), doc: "The singular when the count is 1, else the plural, which is the singular and an s unless it is given. Without words: the ending alone.", example: "(pluralize 2 \"item\") → \"items\"") { m, args in
      let one = args.number(0) == 1
      guard let singular = args.optional(1), !singular.isNil else { return m.heap.string(one ? "" : "s") }
      if one { return singular }
      if let plural = args.optional(2), !plural.isNil { return plural }
      return try m.string("pluralize", singular, m.heap.string("s"))
    }
  }
}

enum Padding {
  /// What is missing to the width, or nil.
  static func make(_ name: StaticString, _ args: Arguments, _ machine: Machine) throws -> Value? {
    let (missing, overflow) = args.integer(1).subtractingReportingOverflow(args[0].length)
    if missing <= 0 || overflow { return nil }
    let padding = args.optional(2).flatMap { $0.isNil ? nil : $0 } ?? machine.heap.string(" ")
    guard padding.length > 0 else { throw machine.error("\(name): argument 3: the padding is empty") }
    return machine.stringSlice(try machine.repeated(name, padding, (missing - 1) / padding.length + 1), 0, missing)
  }
}

extension Machine {
  func string(_ name: StaticString, _ a: Value, _ b: Value) throws -> Value {
    let result = try string(name, uninitialized: a.byteCount + b.byteCount, scalars: a.length + b.length)
    result.bytes.update(from: a.bytes, count: a.byteCount)
    (result.bytes + a.byteCount).update(from: b.bytes, count: b.byteCount)
    return result
  }

  func repeated(_ name: StaticString, _ s: Value, _ times: Int) throws -> Value {
    if times == 1 || s.byteCount == 0 { return s }
    let (count, overflow) = s.byteCount.multipliedReportingOverflow(by: times)
    if overflow { try checkLength(name, .max) }
    let result = try string(name, uninitialized: count, scalars: s.length &* times)
    if count == 0 { return result }
    let out = result.bytes
    out.update(from: s.bytes, count: s.byteCount)
    var done = s.byteCount
    while done < count {                                     // what is there already, doubled
      let n = min(done, count - done)
      (out + done).update(from: out, count: n)
      done += n
    }
    return result
  }
}
