import SX

/// The target of a request as a handler sees it: the path decoded, and the query like a form.
struct RequestTarget {
  let path: String
  /// A parameter that comes several times has its first value.
  let query: DatumDictionary

  /// nil when an escape is broken or stands for what is not UTF-8.
  init?(_ text: String) {
    // Bytes and not characters: a combining mark behind a separator makes no other separator of it.
    let bytes = text.utf8[...], mark = bytes.firstIndex(of: UInt8(ascii: "?"))
    guard let path = PercentCoding.decode(bytes[..<(mark ?? bytes.endIndex)]) else { return nil }
    guard let query = mark.map({ Self.decodeQuery(bytes[$0...].dropFirst()) }) ?? [:] else { return nil }
    (self.path, self.query) = (path, query)
  }

  private static func decodeQuery(_ text: Substring.UTF8View) -> DatumDictionary? {
    var query = DatumDictionary()
    for pair in text.split(separator: UInt8(ascii: "&")) {
      let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = PercentCoding.decode(parts[0], plusIsSpace: true),
        let value = PercentCoding.decode(parts.count > 1 ? parts[1] : Substring().utf8, plusIsSpace: true)
      else { return nil }
      if query[name] == nil { query[name] = .string(value) }
    }
    return query
  }
}
