import SX

/// gunzip, otlp-parts.
extension SystemHost {
  static let compressionOperations: [String: OperationHandler] = [
    // On another thread: a long body takes as long as many requests.
    "gunzip": { (host, call) throws(OperationFailure) in
      guard let bytes = try call.datum(0).bytes else { throw OperationFailure("gunzip: argument 1 must be a bytevector") }
      let limit = try call.integer(1)
      guard limit >= 0, limit <= 1 << 31, bytes.count <= 1 << 31 else { throw OperationFailure("gunzip: more than 2 GB") }
      let reply = Reply(to: call.fiber, through: host.mailbox)
      Task {
        do throws(Gzip.Problem) {
          reply.succeed(.bytes(try Gzip.unpacked(bytes, limit: limit)))
        } catch {
          switch error {
          case .tooLong: reply.succeed(.null)
          case .truncated: reply.fail("gunzip: the stream ends too early")
          case .corrupt: reply.fail("gunzip: this is no gzip stream")
          }
        }
      }
    },

    // The parts of a long export, see `TraceExportParts`; nil when it is to be taken as a whole.
    "otlp-parts": { (host, call) throws(OperationFailure) in
      guard let bytes = try call.datum(0).bytes else { throw OperationFailure("otlp-parts: argument 1 must be a bytevector") }
      let encoding: TraceExportParts.Encoding = try call.string(1) == "application/json" ? .json : .protobuf
      let size = max(1, try call.integer(2))
      let reply = Reply(to: call.fiber, through: host.mailbox)
      Task { reply.succeed(TraceExportParts.of(bytes, encoding, size: size).map { .list($0.map { .bytes($0) }) } ?? .null) }
    },
  ]
}
