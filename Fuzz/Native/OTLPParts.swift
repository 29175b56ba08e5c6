import SX

@testable import SXHost

extension NativeProperty {
  /// An export that is cut into parts says the same as the whole, and takes little more than twice its bytes; what is none does not become one.
  /// The first byte says which encoding the rest has and how long the parts are.
  static let otlpParts = NativeProperty {
    let interpreter = Interpreter()
    let spans = try interpreter.evaluate(
      """
      (fn (bytes type)
        (guard (problem (true 'malformed))
          (let ((part (otlp/import-part (if (= type "application/json") (utf8->string bytes) bytes) type 100000 10000)))
            (if part (map write-to-string (get part :spans)) 'malformed))))
      """)
    let spansOf: ([UInt8], Datum) throws -> [Datum]? = { try interpreter.call(spans, [.bytes($0), $1]).datum().list }
    return { input in
      let first = input.first ?? 0, whole = Array(input.dropFirst())
      let type: Datum = first & 1 == 0 ? "application/json" : "application/x-protobuf"
      guard let parts = TraceExportParts.of(whole, first & 1 == 0 ? .json : .protobuf, size: Int(first >> 1) + 1) else { return }
      let expected = try spansOf(whole, type)
      let single = try parts.map { try spansOf($0, type) }
      guard (expected == nil) == single.contains(nil) else { throw Violation("a malformed export and its parts are not taken alike") }
      guard expected == nil || expected == single.flatMap({ $0 ?? [] }) else { throw Violation("the parts have other spans than the whole") }
      let size = parts.reduce(0) { $0 + $1.count }
      guard size <= 2 * whole.count + 100 * parts.count else { throw Violation("\(whole.count) bytes are \(size) bytes in parts") }
    }
  }
}
