/// W3C trace context, level 2, of which a carrier has `traceparent` and `tracestate`.
enum TraceContextFormat {
  /// The context that a `traceparent` tells of; nil when it is invalid. Versions above 00 may go on after the flags.
  static func parse(traceparent: String, tracestate: String?) -> SpanContext? {
    let parts = traceparent.split(separator: "-", omittingEmptySubsequences: false).map(String.init)
    guard parts.count >= 4, isHex(parts[0], 2), parts[0] != "ff", parts.count == 4 || parts[0] != "00" else { return nil }
    guard isID(parts[1], 32), isID(parts[2], 16), isHex(parts[3], 2), let flags = UInt8(parts[3], radix: 16) else { return nil }
    // Other flags are not ours to pass on.
    return SpanContext(traceID: parts[1], spanID: parts[2], flags: flags & 3, traceState: tracestate.flatMap { $0.isEmpty ? nil : $0 }, isRemote: true)
  }

  static func traceparent(_ context: SpanContext) -> String { "00-\(context.traceID)-\(context.spanID)-\(flags(context.flags))" }

  static func flags(_ flags: UInt8) -> String { "0\(flags & 3)" }

  private static func isHex(_ text: String, _ count: Int) -> Bool {
    text.utf8.count == count && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
  }
  private static func isID(_ text: String, _ count: Int) -> Bool { isHex(text, count) && text.utf8.contains { $0 != 0x30 } }

  /// A new id of so many bytes, never zero.
  static func makeID(bytes: Int) -> String {
    var generator = SystemRandomNumberGenerator()
    while true {
      var text = "", isZero = true
      for _ in 0..<(bytes / 8) {
        let number: UInt64 = generator.next()
        if number != 0 { isZero = false }
        let digits = String(number, radix: 16)
        text += String(repeating: "0", count: 16 - digits.count) + digits
      }
      if !isZero { return text }
    }
  }
}
