import SX

/// The header fields of a request as a handler sees them.
struct RequestFields {
  private var values: [String: [String]] = [:]
  private var order: [String] = []

  /// - Parameter name: in lower case.
  mutating func add(_ name: String, _ value: String) {
    if values[name] == nil { order.append(name) }
    values[name, default: []].append(value)
  }

  /// One value for each name: those that came several times are joined with commas.
  var joined: DatumDictionary {
    var joined = DatumDictionary()
    for name in order { joined[name] = .string((values[name] ?? []).joined(separator: ", ")) }
    return joined
  }

  /// The single values of those that came several times.
  var repeated: DatumDictionary {
    var repeated = DatumDictionary()
    for name in order {
      if let all = values[name], all.count > 1 { repeated[name] = .list(all.map { .string($0) }) }
    }
    return repeated
  }
}
