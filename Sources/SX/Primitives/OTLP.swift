extension NativeTable {
  mutating func installOTLP() {
    @Sendable func message(_ m: Machine, _ v: Value, _ name: String) throws -> ProtobufMessage {
      if let message = ProtobufMessage.named(v.text) { return message }
      throw m.error("\(name): there is no message \(m.shown(v))", hint: "known are Export(Trace|Metrics)Service(Request|Response) and google.rpc.Status")
    }
    /// What decoding gives, and how many values there are; more than are allowed when it was not decoded for that.
    @Sendable func exported(_ m: Machine, _ args: Arguments) throws -> (Value, Int) {
      let most = args.integer(2)
      if args[1].text == "application/json" {
        guard args[0].isString else { throw m.wrongType("otlp/import-part", 1, "string", args[0]) }
        let values = countOfValues(args[0])
        if values > most { return (.nil, values) }
        var reader = JSONReader(args[0], m)
        return (try reader.decode(), values)
      }
      return try withBytes(m, args, "otlp/import-part") { bytes in
        var reader = ProtobufReader(bytes, limit: most, m)
        do { return (try reader.decode(.traceRequest), reader.messages) } catch is TooLarge { return (.nil, most + 1) }
      }
    }
    /// The bytes of a bytevector, or of a string.
    @Sendable func withBytes<Result>(_ m: Machine, _ args: Arguments, _ name: String, _ body: (UnsafeBufferPointer<UInt8>) throws -> Result) throws -> Result {
      if args[0].isString { return try body(args[0].utf8) }
      guard let bytevector = args[0].object(as: Bytevector.self) else { throw m.wrongType(name, 1, "bytevector or string", args[0]) }
      return try bytevector.bytes.withUnsafeBufferPointer { try body($0) }
    }
    /// Every value is followed by a comma, or is the last one of what an open bracket began.
    @Sendable func countOfValues(_ text: Value) -> Int {
      var values = 1
      for byte in text.utf8 where byte == UInt8(ascii: ",") || byte | 0x20 == UInt8(ascii: "{") { values &+= 1 }
      return values
    }
    @Sendable func tooLarge(_ m: Machine) -> Value { m.heap.symbol("too-large") }
    add("otlp/decode-protobuf", required("bytes"), required("message", .string), optional("limit", .integer), walks: true, doc: "A message of OTLP, given in protobuf as a bytevector (or a string of which the bytes are taken): the dict that json-decode gives for its JSON encoding. `message` is ExportTraceServiceRequest or …Response, ExportMetricsServiceRequest or …Response, or google.rpc.Status. Unknown fields are skipped; whatever is malformed is an error that names the byte. The symbol too-large when there are more than `limit` messages in it.", example: "(otlp/decode-protobuf (bytevector 10 2 8 3) \"ExportTraceServiceResponse\") → {:partialSuccess {:rejectedSpans \"3\"}}") { m, args in
      let message = try message(m, args[1], "otlp/decode-protobuf")
      return try withBytes(m, args, "otlp/decode-protobuf") { bytes in
        var reader = ProtobufReader(bytes, limit: args.integer(2, default: .max), m)
        do { return try reader.decode(message) } catch is TooLarge { return tooLarge(m) }
      }
    }
    add("otlp/encode-protobuf", required("dict", .dict), required("message", .string), doc: "A message of OTLP, given as a dict that has the shape of its JSON encoding, in protobuf: a bytevector. See otlp/decode-protobuf. A member that the message does not have, or of a wrong type, is an error.", example: "(otlp/encode-protobuf {:partialSuccess {:rejectedSpans \"3\"}} \"ExportTraceServiceResponse\") → #u8(10 2 8 3)") { m, args in
      var writer = ProtobufWriter(m)
      return m.heap.allocate(object: Bytevector(try writer.encode(args[0], try message(m, args[1], "otlp/encode-protobuf"))))
    }
    add("otlp/import-spans", required("export"), optional("limit", .integer), doc: "The spans in an ExportTraceServiceRequest, given as json-decode gives it: otel/import-otlp. nil when it is none, the symbol too-large when there are more than `limit` spans in it.", example: "(otlp/import-spans {:resourceSpans 5}) → nil") { m, args in
      var importer = SpanImporter(limit: args.integer(1, default: .max), m)
      do { return try importer.run(args[0]) } catch is TooLarge { return tooLarge(m) }
    }
    add("otlp/import-part", required("body"), required("type", .string), required("values", .integer), required("spans", .integer), doc: "The spans in the body of a request, application/json or else protobuf, as {:spans :values} with how many values or messages were read; nil when it is no export. The symbol too-many-values or too-many-spans when there are more than so many of them in it.", example: "(otlp/import-part \"{\\\"resourceSpans\\\":[]}\" \"application/json\" 10 10) → {:spans () :values 3}") { m, args in
      let (export, values) = try exported(m, args)
      guard values <= args.integer(2) else { return m.heap.symbol("too-many-values") }
      var importer = SpanImporter(limit: args.integer(3), m)
      do {
        let spans = try importer.run(export)
        if spans.isNil { return .nil }
        let made = m.heap.dict(capacity: 2)
        m.heap.set(made, m.heap.constantString("spans"), spans)
        m.heap.set(made, m.heap.constantString("values"), .fix(values))
        return made
      } catch is TooLarge { return m.heap.symbol("too-many-spans") }
    }
    add("otlp/with-valid-ids", required("spans", .list), doc: "Those of the spans that have a trace id of 32 and a span id of 16 lower-case hex digits, not all zero.", example: "(otlp/with-valid-ids (list {:trace \"7\" :span \"8\"})) → ()") { m, args in
      m.heap.list(ListElements(args[0]).filter { SpanImporter.hasIds($0, m.heap) })
    }
  }
}
