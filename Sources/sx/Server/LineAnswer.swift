import SX

/// What the protocol answers with, as it is written; `epoch` is the number that the client gave last.
enum LineAnswer: Equatable {
  case ready
  case done
  case value(String)
  case failure(String)

  /// The longest value that an answer has on its own line, in bytes.
  private static let longestInline = 1000

  /// One line, or two for a value that needs one of its own. Without the last line break.
  func text(epoch: Int) -> String {
    switch self {
    case .ready: return "(ready)"
    case .done: return "(ok \(epoch))"
    case .failure(let message): return "(error \(epoch) \(StringLiteral.of(message)))"
    case .value(let value):
      let count = value.utf8.count
      let isInline = count <= Self.longestInline && !value.utf8.contains { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
      return isInline ? "(ok \(epoch) \(value))" : "(ok-len \(epoch) \(count))\n\(value)"
    }
  }
}
