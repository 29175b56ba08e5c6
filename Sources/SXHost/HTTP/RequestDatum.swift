import HTTPTypes
import NIOCore
import SX

/// The dict that a handler in SX gets for a request.
enum RequestDatum {
  /// Everything known before the body is read; nil when the target cannot be decoded.
  static func make(_ head: HTTPRequest, local: SocketAddress?, remote: SocketAddress?) -> DatumDictionary? {
    let text = head.path ?? "/"
    guard let target = RequestTarget(text) else { return nil }
    let fields = fields(of: head)
    var request: DatumDictionary = [
      "method": .string(head.method.rawValue),
      "path": .string(target.path),
      "target": .string(text),
      "headers": .dict(fields.joined),
      "query": .dict(target.query),
      "params": .dict([:]),
      "body": "",
      "scheme": "http",
      "version": "1.1",
      "server-address": .string(local?.ipAddress ?? ""),
      "server-port": .integer(local?.port ?? 0),
      "client-address": .string(remote?.ipAddress ?? ""),
    ]
    let repeated = fields.repeated
    if repeated.count > 0 { request["header-lists"] = .dict(repeated) }
    return request
  }

  private static func fields(of head: HTTPRequest) -> RequestFields {
    var fields = RequestFields()
    // The library keeps Host apart from the other fields.
    if let authority = head.authority { fields.add("host", authority) }
    for field in head.headerFields { fields.add(field.name.canonicalName, field.value) }
    return fields
  }
}
