import HTTPTypes
import SX

/// Status and header fields as a handler in SX gave them, checked: nothing that would split or desynchronise the response gets through.
struct ResponseHead: Sendable {
  let status: HTTPResponse.Status
  let fields: HTTPFields

  /// - Parameters:
  ///   - status: from 200 to 599.
  ///   - headers: each value a string, or a list of strings for a field that is sent several times.
  init(status: Int, headers: DatumDictionary, for operation: String) throws(OperationFailure) {
    guard (200...599).contains(status) else {
      throw OperationFailure("\(operation): the status must be from 200 to 599, got \(status)")
    }
    var fields = HTTPFields()
    for (name, value) in headers {
      guard let fieldName = HTTPField.Name(name) else {
        throw OperationFailure("\(operation): not a header name: \(name.debugDescription)")
      }
      // The length and the framing are the server's to say: it knows what it sends.
      if fieldName == .contentLength || fieldName == .transferEncoding { continue }
      for value in value.list ?? [value] {
        guard let text = Self.text(value), HTTPField.isValidValue(text) else {
          throw OperationFailure("\(operation): not a value for the header \(name): \(value)")
        }
        fields.append(HTTPField(name: fieldName, value: text))
      }
    }
    self.status = HTTPResponse.Status(integerLiteral: status)
    self.fields = fields
  }

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

extension ResponseHead {
  private init(_ status: HTTPResponse.Status, _ fields: HTTPFields) {
    self.status = status
    self.fields = fields
  }

  static let internalServerError = ResponseHead(.internalServerError, [.contentType: "text/plain; charset=utf-8"])
}
