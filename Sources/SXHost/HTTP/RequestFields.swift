import SX

/// The header fields of a request as a handler sees them.
struct RequestFields {
  /// One value for each name: those that came several times are joined with commas.
  private(set) var joined = DatumDictionary()
  /// The single values of those that came several times.
  private(set) var repeated = DatumDictionary()

  /// - Parameter name: in lower case.
  mutating func add(_ name: String, _ value: String) {
    guard let before = joined[name]?.string else { return joined[name] = .string(value) }
    joined[name] = .string("\(before), \(value)")
    repeated[name] = .list((repeated[name]?.list ?? [.string(before)]) + [.string(value)])
  }
}
