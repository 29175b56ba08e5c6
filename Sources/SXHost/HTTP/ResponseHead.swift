import NIOHTTP1
import SX

/// Status and header fields as a handler in SX gave them, checked: nothing that would split or desynchronise the response gets through.
struct ResponseHead: Sendable {
  let status: HTTPResponseStatus
  let fields: HTTPHeaders
  /// The handler wants the connection to end with the response.
  let closesConnection: Bool

  /// - Parameters:
  ///   - status: from 200 to 599.
  ///   - headers: each value a string, or a list of strings for a field that is sent several times.
  init(status: Int, headers: DatumDictionary, for operation: String) throws(OperationFailure) {
    guard (200...599).contains(status) else {
      throw OperationFailure("\(operation): the status must be from 200 to 599, got \(status)")
    }
    var fields = HTTPHeaders(), closesConnection = false
    for (name, value) in headers {
      guard FieldSyntax.isName(name) else {
        throw OperationFailure("\(operation): not a header name: \(name.debugDescription)")
      }
      for value in value.list ?? [value] {
        guard let text = Self.text(value), FieldSyntax.isValue(text) else {
          throw OperationFailure("\(operation): not a value for the header \(name): \(value)")
        }
        switch name.lowercased() {
        // Length, framing and the like are the server's to say: it knows what it sends.
        case "content-length", "transfer-encoding", "date", "server": break
        case "connection": closesConnection = closesConnection || text.lowercased() == "close"
        default: fields.add(name: name, value: text)
        }
      }
    }
    self.init(HTTPResponseStatus(statusCode: status), fields, closesConnection: closesConnection)
  }

  init(_ status: HTTPResponseStatus, _ fields: HTTPHeaders, closesConnection: Bool = false) {
    self.status = status
    self.fields = fields
    self.closesConnection = closesConnection
  }

  static let internalServerError = ResponseHead(.internalServerError, ["Content-Type": "text/plain; charset=utf-8"])

  /// RFC 9110, sections 15.3.5 and 15.4.5.
  var mayHaveBody: Bool { status.code != 204 && status.code != 304 }

  private static func text(_ value: Datum) -> String? {
    switch value {
    case .string(let text): text
    case .integer(let number): String(number)
    case .null: ""
    default: nil
    }
  }
}
