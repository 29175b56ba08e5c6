import Testing

@testable import SXHost

/// What parts say is tested where they are decoded, in `conformance/otel/receiver.sx`.
struct TraceExportPartsTests {
  static let long = String(repeating: "[,", count: 50)
  static let json = Array(
    """
    {"x": [{"a": "]}\\"\\\\"}], "resourceSpans" : [ {"resource": {}, "scopeSpans": [{"scope": {"name": "é,"}, "spans": [{"n": "\(long)"}, {"n": ["\(long)", {}]} , null]}]},
      {"scopeSpans": []}, {} ], "y": 1e3}
    """.utf8)

  /// One resource and one scope, of four bytes each, and two spans with a name.
  static let protobuf: [UInt8] = [0x0A, 0x26] + resource + [0x12, 0x20] + scope + span(0x30) + span(0x31)
  static let resource: [UInt8] = [0x0A, 0x02, 0x10, 0x01]
  static let scope: [UInt8] = [0x0A, 0x02, 0x0A, 0x00]
  static func span(_ letter: UInt8) -> [UInt8] { [0x12, 0x0C, 0x2A, 0x0A] + [UInt8](repeating: letter, count: 10) }

  @Test func eachSpanCanBeAPartOfItsOwnWithWhatIsSaidOfAll() throws {
    let parts = try #require(TraceExportParts.of(Self.json, .json, size: 1)).map { String(decoding: $0, as: UTF8.self) }
    #expect(parts[0] == #"{"x": [{"a": "]}\"\\"}],"y": 1e3,"resourceSpans":[{"resource": {},"scopeSpans":[{"scope": {"name": "é,"},"spans":[{"n": ""# + Self.long + #""}]}]}]}"#)
    #expect(parts[1].hasSuffix(#""spans":[{"n": [""# + Self.long + #"", {}]}]}]}]}"#))
    #expect(parts[2].contains(#""spans":[null]"#))
    #expect(TraceExportParts.of(Self.protobuf, .protobuf, size: 1) == [0x30, 0x31].map { letter in
      [0x0A, 0x18] + Self.resource + [0x12, 0x12] + Self.scope + Self.span(letter)
    })
  }

  @Test func whatFitsIntoOnePartIsTakenAsAWhole() {
    #expect(TraceExportParts.of(Self.json, .json, size: 10_000) == nil)
    #expect(TraceExportParts.of(Self.protobuf, .protobuf, size: 10_000) == nil)
    #expect(TraceExportParts.of([], .json, size: 1) == nil)
    #expect(TraceExportParts.of([], .protobuf, size: 1) == nil)
  }

  @Test func whatIsMalformedIsLeftToTheDecoder() {
    for text in [#"{"resourceSpans":[{}"#, #"{"resourceSpans":[{}]} x"#, #"{"resourceSpans":[1]}"#, #"{"resourceSpans":[{},]}"#, #"{"resourceSpans":5}"#,
                 #"{"resource\u0053pans":[{}]}"#, #"{"resourceSpans":[{}],"resourceSpans":[{}]}"#, "[]", "{"] {
      #expect(TraceExportParts.of(Array(text.utf8), .json, size: 1) == nil, "\(text)")
    }
    for end in 1..<Self.protobuf.count { #expect(TraceExportParts.of(Array(Self.protobuf[..<end]), .protobuf, size: 1) == nil) }
  }

  /// Nothing that comes from outside may end the process.
  @Test func noByteAndNoCutMakesItStumble() {
    for (bytes, encoding) in [(Self.json, TraceExportParts.Encoding.json), (Self.protobuf, .protobuf)] {
      for i in bytes.indices {
        _ = TraceExportParts.of(Array(bytes[..<i]), encoding, size: 1)
        for byte in [0, 0x22, 0x2C, 0x5B, 0x5C, 0x5D, 0x7B, 0x7D, 0x7F, 0x80, 0xFF] as [UInt8] {
          var damaged = bytes
          damaged[i] = byte
          _ = TraceExportParts.of(damaged, encoding, size: 1)
        }
      }
    }
  }
}
