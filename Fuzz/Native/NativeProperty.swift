/// A property of code in Swift, beside those in SX of `Fuzz/Targets`: it holds for any bytes.
struct NativeProperty: Sendable {
  /// Makes what is needed once, and gives the function that throws where the property does not hold. For one thread.
  let prepare: @Sendable () throws -> ([UInt8]) throws -> Void

  init(_ prepare: @escaping @Sendable () throws -> ([UInt8]) throws -> Void) { self.prepare = prepare }

  /// By the names of their folders in `Fuzz/Corpus`.
  static let all: [String: NativeProperty] = [
    "gzip": .gzip,
    "line-protocol": .lineProtocol,
    "otlp-parts": .otlpParts,
    "probe": .probe,
    "request-head": .requestHead,
  ]
}

/// How a property does not hold.
struct Violation: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
