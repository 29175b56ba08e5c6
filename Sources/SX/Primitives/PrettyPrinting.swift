extension NativeTable {
  mutating func installPrettyPrinting() {
    add(
      "pretty", required("value"), optional("options"),
      doc: """
        The text of a value as `write` prints it, broken into lines and indented. The options are the width in columns (80), or a dict of
        :width, :elements (shown of one collection), :total (elements shown in all), :levels (of nested collections), :text (characters \
        shown of a string) and :colors (escape codes for a terminal). What is left out is counted in a note.
        """, example: "(pretty '(1 2 3 4) {:elements 2}) → \"(1 2 … 2 more)\""
    ) { m, args in
      m.heap.string(PrettyPrinter.text(args[0], m, try m.prettyStyle(args.optional(1) ?? .nil)))
    }
  }
}

extension Machine {
  /// Nobody has a terminal this wide, and sums of widths stay far from overflowing.
  private static let widestLine = 1_000_000

  fileprivate func prettyStyle(_ options: Value) throws -> PrettyPrinter.Style {
    var style = PrettyPrinter.Style()
    func limit(_ width: Int) -> Int { max(1, min(width, Machine.widestLine)) }
    if let width = Arithmetic.integer(options) {
      style.width = limit(width)
      return style
    }
    if options.isNil { return style }
    guard options.isDict else { throw wrongType("pretty", 2, "integer or dict", options) }
    func number(_ name: StaticString) throws -> Int? {
      guard let v = heap.get(options, heap.constantString(name)), !v.isNil else { return nil }
      guard let n = Arithmetic.integer(v), n >= 0 else { throw error("pretty: :\(name) must be a natural number, got \(shown(v))") }
      return n
    }
    if let width = try number("width") { style.width = limit(width) }
    style.mostElements = try number("elements") ?? .max
    style.mostInAll = try number("total") ?? .max
    style.mostLevels = try number("levels") ?? .max
    style.mostText = try number("text") ?? .max
    style.colors = heap.get(options, heap.constantString("colors")).map { !$0.isFalsy } ?? false
    return style
  }
}
