import SX

/// A turn of a session as the payload of a frame: a line of `name=value` fields, the directory last because it may hold blanks, then the source.
enum ProbeTurn {
  static func encode(_ turn: Session.Turn) -> String {
    // A line break in the name of a directory would end the line; such a directory is left out.
    let directory = turn.directory.map { $0.utf8.contains(UInt8(ascii: "\n")) ? "" : $0 } ?? ""
    return "width=\(turn.width) colors=\(turn.usesColors) plain=\(turn.isPlain) directory=\(directory)\n\(turn.source)"
  }

  /// Nil when it is none. Unknown fields are passed over, missing ones have their defaults.
  static func decode(_ payload: String) -> Session.Turn? {
    // Bytes and not characters: a name that begins with a combining mark makes no other sign of the one before it.
    guard let end = payload.utf8.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
    var turn = Session.Turn(String(payload[payload.utf8.index(after: end)...]))
    var fields = payload.utf8[..<end]
    while !fields.isEmpty {
      guard let equals = fields.firstIndex(of: UInt8(ascii: "=")) else { return nil }
      let name = String(Substring(fields[..<equals])), rest = fields[fields.index(after: equals)...]
      let field = name == "directory" ? rest : rest.prefix { $0 != UInt8(ascii: " ") }
      let value = String(Substring(field))
      switch name {
      case "width": turn.width = Int(value).map { max(1, min($0, 10_000)) } ?? turn.width
      case "colors": turn.usesColors = value == "true"
      case "plain": turn.isPlain = value == "true"
      case "directory": turn.directory = value.isEmpty ? nil : value
      default: break
      }
      fields = rest.dropFirst(field.count)
      if fields.first == UInt8(ascii: " ") { fields = fields.dropFirst() }
    }
    return turn
  }
}
