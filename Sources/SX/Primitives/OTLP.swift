extension NativeTable {
  mutating func installOTLP() {
    @Sendable func message(_ m: Machine, _ v: Value, _ name: String) throws -> ProtobufMessage {
      if let message = ProtobufMessage.named(v.text) { return message }
      throw m.error("\(name): there is no message \(m.shown(v))", hint: "known are Export(Trace|Metrics)Service(Request|Response) and google.rpc.Status")
    }
    @Sendable func tooLarge(_ m: Machine) -> Value { m.heap.symbol("too-large") }
    add("otlp/decode-protobuf", required("bytes"), required("message", .string), optional("limit", .integer), doc: "A message of OTLP, given in protobuf as a bytevector (or a string of which the bytes are taken): the dict that json-decode gives for its JSON encoding. `message` is ExportTraceServiceRequest or …Response, ExportMetricsServiceRequest or …Response, or google.rpc.Status. Unknown fields are skipped; whatever is malformed is an error that names the byte. The symbol too-large when there are more than `limit` messages in it.", example: "(otlp/decode-protobuf (bytevector 10 2 8 3) \"ExportTraceServiceResponse\") → {:partialSuccess {:rejectedSpans \"3\"}}") { m, args in
      let message = try message(m, args[1], "otlp/decode-protobuf")
      func decode(_ bytes: UnsafeBufferPointer<UInt8>) throws -> Value {
        var reader = ProtobufReader(bytes, limit: args.integer(2, default: .max), m)
        do { return try reader.decode(message) } catch is TooLarge { return tooLarge(m) }
      }
      if args[0].isString { return try decode(args[0].utf8) }
      guard let bytevector = args[0].object(as: Bytevector.self) else { throw m.wrongType("otlp/decode-protobuf", 1, "bytevector or string", args[0]) }
      return try bytevector.bytes.withUnsafeBufferPointer { try decode($0) }
    }
    add("otlp/encode-protobuf", required("dict", .dict), required("message", .string), doc: "A message of OTLP, given as a dict that has the shape of its JSON encoding, in protobuf: a bytevector. See otlp/decode-protobuf. A member that the message does not have, or of a wrong type, is an error.", example: "(otlp/encode-protobuf {:partialSuccess {:rejectedSpans \"3\"}} \"ExportTraceServiceResponse\") → #u8(10 2 8 3)") { m, args in
      var writer = ProtobufWriter(m)
      return m.heap.allocate(object: Bytevector(try writer.encode(args[0], try message(m, args[1], "otlp/encode-protobuf"))))
    }
    add("otlp/decode-json", required("text", .string), required("limit", .integer), doc: "What json-decode makes of the text; the symbol too-large when there are more than about `limit` values in it, so that a small text from outside cannot fill the memory.", example: "(otlp/decode-json \"[1,2]\" 100) → (1 2)\n(otlp/decode-json \"[1,2]\" 2) → too-large") { m, args in
      // Every value is followed by a comma, or is the last one of what an open bracket began.
      var values = 1
      for byte in args[0].utf8 where byte == UInt8(ascii: ",") || byte | 0x20 == UInt8(ascii: "{") { values &+= 1 }
      guard values <= args.integer(1) else { return tooLarge(m) }
      var reader = JSONReader(args[0], m)
      return try reader.decode()
    }
    add("otlp/import-spans", required("export"), optional("limit", .integer), doc: "The spans in an ExportTraceServiceRequest, given as json-decode gives it: otel/import-otlp. nil when it is none, the symbol too-large when there are more than `limit` spans in it.", example: "(otlp/import-spans {:resourceSpans 5}) → nil") { m, args in
      var importer = SpanImporter(limit: args.integer(1, default: .max), m)
      do { return try importer.run(args[0]) } catch is TooLarge { return tooLarge(m) }
    }
    add("otlp/with-valid-ids", required("spans", .list), doc: "Those of the spans that have a trace id of 32 and a span id of 16 lower-case hex digits, not all zero.", example: "(otlp/with-valid-ids (list {:trace \"7\" :span \"8\"})) → ()") { m, args in
      m.heap.list(ListElements(args[0]).filter { SpanImporter.hasIds($0, m.heap) })
    }
  }
}
