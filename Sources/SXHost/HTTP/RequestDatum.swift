import HTTPTypes
import NIOCore
import SX

/// The dict that a handler in SX gets for a request.
enum RequestDatum {
  /// Everything known before the body is read; nil when the target cannot be decoded.
  static func make(_ head: HTTPRequest, local: SocketAddress?, remote: SocketAddress?) -> DatumDictionary? {
    let target = head.path ?? "/"
    let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    guard let path = PercentCoding.decode(parts[0]), let query = decodeQuery(parts.count > 1 ? parts[1] : "") else {
      return nil
    }
    let (headers, repeated) = fields(of: head)
    var request: DatumDictionary = [
      "method": .string(head.method.rawValue),
      "path": .string(path),
      "target": .string(target),
      "headers": .dict(headers),
      "query": .dict(query),
      "params": .dict([:]),
      "body": "",
      "scheme": "http",
      "version": "1.1",
      "server-address": .string(local?.ipAddress ?? ""),
      "server-port": .integer(local?.port ?? 0),
      "client-address": .string(remote?.ipAddress ?? ""),
    ]
    if repeated.count > 0 { request["header-lists"] = .dict(repeated) }
    return request
  }

  /// Names in lower case, and the values of those that came several times.
  private static func fields(of head: HTTPRequest) -> (joined: DatumDictionary, repeated: DatumDictionary) {
    var values: [String: [String]] = [:]
    var order: [String] = []
    // The library keeps Host apart from the other fields.
    if let authority = head.authority {
      values["host"] = [authority]
      order.append("host")
    }
    for field in head.headerFields {
      let name = field.name.canonicalName
      if values[name] == nil { order.append(name) }
      values[name, default: []].append(field.value)
    }
    var joined = DatumDictionary()
    var repeated = DatumDictionary()
    for name in order {
      let all = values[name] ?? []
      joined[name] = .string(all.joined(separator: ", "))
      if all.count > 1 { repeated[name] = .list(all.map { .string($0) }) }
    }
    return (joined, repeated)
  }

  /// A parameter that comes several times keeps its first value.
  private static func decodeQuery(_ text: Substring) -> DatumDictionary? {
    var query = DatumDictionary()
    for pair in text.split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = PercentCoding.decode(parts[0], plusIsSpace: true),
        let value = PercentCoding.decode(parts.count > 1 ? parts[1] : "", plusIsSpace: true)
      else { return nil }
      if query[name] == nil { query[name] = .string(value) }
    }
    return query
  }
}
