/// Makes spans of this library out of an ExportTraceServiceRequest in its JSON form.
///
/// Native for the sake of the receiver's throughput. It is lenient as a receiver has to be: a member of another type than it should have
/// counts as missing. Only two things are wrong with a request as a whole: resource spans that are none, and values without a bottom.
///
/// What the protocol knows and this library has no use for is kept all the same, so that an export gives it back: `:schema-url` and
/// `:dropped` of a scope, both in `:resource-notes` for the resource with its `:entity-refs`, and `:otlp-flags` and `:otlp-kind` where the export
/// would make up others. A resource or a scope without spans is left out, because what an import gives is spans.
struct SpanImporter {
  /// Values inside values.
  private static let deepest = 100

  private let machine: Machine
  private let heap: Heap
  private let names: Names
  private let limit: Int
  private var spans: [Value] = []

  /// - Parameter limit: spans; importing throws `TooLarge` when there are more.
  init(limit: Int, _ machine: Machine) {
    self.machine = machine
    self.limit = limit
    heap = machine.heap
    names = Names(machine.heap)
  }

  /// The spans as a list; nil when this is no export.
  mutating func run(_ export: Value) throws -> Value {
    guard export.isDict else { return .nil }
    let groups = member(export, names.resourceSpans)
    guard groups.isListOrNil, ListElements(groups).allSatisfy(\.isDict) else { return .nil }
    for group in ListElements(groups) {
      let resource = Resource(
        attributes: try attributes(member(member(group, names.resource), names.attributes)),
        notes: entities(member(member(group, names.resource), names.wireEntityRefs), on: notes(member(group, names.resource), of: group, on: nil)))
      for scopeSpans in dicts(member(group, names.scopeSpans)) {
        let scope = try scope(member(scopeSpans, names.scope), of: scopeSpans)
        let members = member(scopeSpans, names.spans)
        if members.isListOrNil, spans.count + members.listCount > limit { throw TooLarge() }
        for span in dicts(members) { spans.append(try self.span(span, resource, scope)) }
      }
    }
    return heap.list(spans)
  }

  /// Whether a span has a trace id and a span id as they must be: hex digits, not all zero.
  static func hasIds(_ span: Value, _ heap: Heap) -> Bool {
    guard span.isDict else { return false }
    return isId(heap.get(span, heap.constantString("trace")) ?? .nil, 32) && isId(heap.get(span, heap.constantString("span")) ?? .nil, 16)
  }
  private static func isId(_ v: Value, _ width: Int) -> Bool {
    guard v.isString, v.byteCount == width else { return false }
    var isZero = true
    for byte in v.utf8 {
      guard byte >= 0x30 && byte <= 0x39 || byte >= 0x61 && byte <= 0x66 else { return false }
      if byte != 0x30 { isZero = false }
    }
    return !isZero
  }

  // MARK: Parts of a span

  private struct Resource {
    let attributes: Value
    /// Nil when there is nothing to note.
    let notes: Value
  }

  private func span(_ span: Value, _ resource: Resource, _ scope: Value) throws -> Value {
    // A missing time is the other one: a duration since 1970 would spoil every view. When both are missing it is now.
    let times = (nanoseconds(member(span, names.startTimeUnixNano)), nanoseconds(member(span, names.endTimeUnixNano)))
    let start = times.0 > 0 ? times.0 : times.1 > 0 ? times.1 : Int(machine.host.nanoseconds())
    let end = times.1 > 0 ? times.1 : start
    let flags = flags(span)
    let parent = id(member(span, names.parentSpanId))
    let status = member(span, names.status)
    let message = string(member(status, names.message))
    let kind = kind(member(span, names.kind))
    let made = heap.dict(capacity: 16)
    heap.set(made, names.trace, id(member(span, names.traceId)))
    heap.set(made, names.span, id(member(span, names.spanId)))
    // Some programs write the id of no span where they should leave it out.
    heap.set(made, names.parent, parent.utf8.allSatisfy { $0 == 0x30 } ? .nil : parent)
    heap.set(made, names.name, text(member(span, names.name)))
    heap.set(made, names.kind, names.kinds[(1...5).contains(kind) ? kind : 1])
    heap.set(made, names.t0, heap.int(start))
    heap.set(made, names.t1, heap.int(max(start, end)))
    heap.set(made, names.status, names.statuses[statusCode(member(status, names.code))])
    heap.set(made, names.attrs, try attributes(member(span, names.attributes)))
    heap.set(made, names.events, try list(member(span, names.events), event))
    heap.set(made, names.links, try list(member(span, names.links), link))
    heap.set(made, names.flags, traceFlags(flags))
    heap.set(made, names.traceState, string(member(span, names.wireTraceState)))
    heap.set(made, names.resource, resource.attributes)
    heap.set(made, names.scope, scope)
    if !resource.notes.isNil { heap.set(made, names.resourceNotes, resource.notes) }
    if !message.isNil { heap.set(made, names.statusMessage, message) }
    // Bits 8 and 9: it is known whether the parent is remote, and it is.
    let isRemote = flags >> 8 & 3 == 3
    if isRemote { heap.set(made, names.remoteParent, .true) }
    if flags >> 8 != (isRemote ? 3 : 1) || flags & 0xFC != 0 { heap.set(made, names.otlpFlags, heap.int(flags)) }
    // Of a kind that is not told, the protocol lets one assume that it is internal.
    if !(1...5).contains(kind) { heap.set(made, names.otlpKind, heap.int(kind)) }
    if let dropped = dropped(span) { heap.set(made, names.dropped, dropped) }
    return made
  }

  private func flags(_ v: Value) -> Int {
    guard let flags = OTLPInteger.signed(member(v, names.flags)), (0...Int(UInt32.max)).contains(flags) else { return 0 }
    return flags
  }
  /// Those that W3C Trace Context knows, as it writes them.
  private func traceFlags(_ flags: Int) -> Value {
    flags & 255 == 1 ? names.sampled : Hexadecimal.encode([UInt8(flags & 255)], 1, heap)
  }

  private func kind(_ v: Value) -> Int {
    guard let code = OTLPInteger.signed(v), Int32(exactly: code) != nil else { return 0 }
    return code
  }
  private func statusCode(_ v: Value) -> Int {
    guard let code = OTLPInteger.signed(v), (0...2).contains(code) else { return 0 }
    return code
  }

  private func dropped(_ span: Value) -> Value? {
    var made: Value?
    for (what, field) in names.droppedFields {
      guard let count = OTLPInteger.signed(member(span, field)), count > 0 else { continue }
      let dict = made ?? heap.dict()
      heap.set(dict, what, heap.int(min(count, Int(UInt32.max))))
      made = dict
    }
    return made
  }

  private func event(_ event: Value) throws -> Value {
    let made = heap.dict()
    heap.set(made, names.name, text(member(event, names.name)))
    heap.set(made, names.t, heap.int(nanoseconds(member(event, names.timeUnixNano))))
    heap.set(made, names.attrs, try attributes(member(event, names.attributes)))
    if let dropped = dropped(event) { heap.set(made, names.dropped, dropped) }
    return made
  }

  private func link(_ link: Value) throws -> Value {
    let made = heap.dict(capacity: 4)
    heap.set(made, names.trace, id(member(link, names.traceId)))
    heap.set(made, names.span, id(member(link, names.spanId)))
    heap.set(made, names.traceState, string(member(link, names.wireTraceState)))
    heap.set(made, names.attrs, try attributes(member(link, names.attributes)))
    let flags = flags(link)
    if flags > 0 { heap.set(made, names.flags, traceFlags(flags)) }
    if flags > 3 { heap.set(made, names.otlpFlags, heap.int(flags)) }
    if let dropped = dropped(link) { heap.set(made, names.dropped, dropped) }
    return made
  }

  private func scope(_ scope: Value, of scopeSpans: Value) throws -> Value {
    let made = heap.dict()
    for name in [names.name, names.version] {
      let value = string(member(scope, name))
      if !value.isNil { heap.set(made, name, value) }
    }
    let attributes = try attributes(member(scope, names.attributes))
    if attributes.length > 0 { heap.set(made, names.attrs, attributes) }
    return notes(scope, of: scopeSpans, on: made)
  }

  /// The schema that a resource or a scope follows, which stands in the group of its spans, and what was dropped of it: set in `dict`, or
  /// in a new one, which is nil when there is nothing to set.
  private func notes(_ described: Value, of group: Value, on dict: Value?) -> Value {
    let schema = string(member(group, names.wireSchemaUrl)), dropped = dropped(described)
    guard !schema.isNil || dropped != nil else { return dict ?? .nil }
    let made = dict ?? heap.dict()
    if !schema.isNil { heap.set(made, names.schemaUrl, schema) }
    if let dropped { heap.set(made, names.dropped, dropped) }
    return made
  }

  /// The entities that a resource stands for, each `{:type :schema-url :id-keys :description-keys}` as far as it says so: set in `notes`, which is nil or a dict.
  private func entities(_ references: Value, on notes: Value) -> Value {
    let references = dicts(references)
    guard !references.isEmpty else { return notes }
    let made = notes.isNil ? heap.dict() : notes
    heap.set(made, names.entityRefs, heap.list(references.map(entity)))
    return made
  }

  private func entity(_ reference: Value) -> Value {
    let made = heap.dict(capacity: 4)
    for (name, wireName) in [(names.type, names.type), (names.schemaUrl, names.wireSchemaUrl)] {
      let text = string(member(reference, wireName))
      if !text.isNil { heap.set(made, name, text) }
    }
    for (name, wireName) in [(names.idKeys, names.wireIdKeys), (names.descriptionKeys, names.wireDescriptionKeys)] {
      let keys = member(reference, wireName)
      if keys.isListOrNil, keys.listCount > 0 { heap.set(made, name, heap.list(ListElements(keys).filter(\.isString))) }
    }
    return made
  }

  // MARK: Values

  private func attributes(_ list: Value, _ depth: Int = 0) throws -> Value {
    let made = heap.dict(capacity: list.isListOrNil ? min(list.listCount, 1 << 16) : 0)
    for pair in dicts(list) { heap.set(made, text(member(pair, names.key)), try value(member(pair, names.value), depth)) }
    return made
  }

  /// An AnyValue has one member, named after its type.
  private func value(_ v: Value, _ depth: Int) throws -> Value {
    guard v.isDict, v.length > 0 else { return .nil }
    guard depth < SpanImporter.deepest else { throw machine.error("otlp/import-spans: values are nested deeper than \(SpanImporter.deepest) levels") }
    let (kind, content) = DictRepresentation.of(v.cell) == .flat ? (v.word(1).word(1), v.word(1).word(2)) : heap.entries(of: v)[0]
    if kind.textEquals(names.stringValue) { return content }
    if kind.textEquals(names.intValue) { return OTLPInteger.signed(content).map { heap.int($0) } ?? .nil }
    if kind.textEquals(names.doubleValue) { return OTLPDouble.number(content).map { heap.double($0) } ?? content }
    if kind.textEquals(names.arrayValue) { return try self.list(member(content, names.values)) { try value($0, depth + 1) } }
    if kind.textEquals(names.kvlistValue) { return try attributes(member(content, names.values), depth + 1) }
    if kind.textEquals(names.bytesValue), content.isString, let bytes = Base64.decode(content.utf8) { return heap.allocate(object: Bytevector(bytes)) }
    return content
  }

  /// What `make` makes of each dict in a list, as a list.
  private func list(_ list: Value, _ make: (Value) throws -> Value) throws -> Value {
    guard list.isListOrNil, list.listCount > 0 else { return heap.emptyList() }
    return heap.list(try dicts(list).map(make))
  }

  private func nanoseconds(_ v: Value) -> Int { max(0, OTLPInteger.signed(v) ?? 0) }

  /// Nil for the empty text as well: some programs write the default value where it goes without saying.
  private func string(_ v: Value) -> Value { v.isString && v.byteCount > 0 ? v : .nil }

  private func text(_ v: Value) -> Value {
    v.isString ? v : v.isNil ? names.empty : heap.string(Printer.text(v, machine, .display))
  }

  /// Ids are compared as text, so all of them are in lower case.
  private func id(_ v: Value) -> Value {
    let id = text(v)
    return id.utf8.contains { $0 >= 0x41 && $0 <= 0x5A } ? heap.string(id.text.lowercased()) : id
  }

  /// A member of what should be an object, and may be anything.
  @inline(__always) private func member(_ v: Value, _ name: Value) -> Value { v.isDict ? heap.get(v, name) ?? .nil : .nil }

  /// The members of a list that are dicts; none for whatever is no list.
  private func dicts(_ v: Value) -> [Value] { v.isListOrNil ? ListElements(v).filter(\.isDict) : [] }
}

/// The keys of both shapes.
private struct Names {
  let resourceSpans, resource, scopeSpans, scope, spans, attributes, key, value, values: Value
  let traceId, spanId, parentSpanId, wireTraceState, startTimeUnixNano, endTimeUnixNano, timeUnixNano, code, message: Value
  let stringValue, intValue, doubleValue, arrayValue, kvlistValue, bytesValue: Value
  let wireSchemaUrl, schemaUrl, resourceNotes, otlpFlags, otlpKind: Value
  let wireEntityRefs, entityRefs, type, wireIdKeys, idKeys, wireDescriptionKeys, descriptionKeys: Value
  let trace, span, parent, name, version, kind, t, t0, t1, status, attrs, events, links, flags, traceState, statusMessage, remoteParent, dropped: Value
  let kinds, statuses: [Value]
  let droppedFields: [(Value, Value)]
  let empty, sampled: Value

  init(_ heap: Heap) {
    func name(_ s: StaticString) -> Value { heap.constantString(s) }
    resourceSpans = name("resourceSpans")
    resource = name("resource")
    scopeSpans = name("scopeSpans")
    scope = name("scope")
    spans = name("spans")
    attributes = name("attributes")
    key = name("key")
    value = name("value")
    values = name("values")
    traceId = name("traceId")
    spanId = name("spanId")
    parentSpanId = name("parentSpanId")
    wireTraceState = name("traceState")
    startTimeUnixNano = name("startTimeUnixNano")
    endTimeUnixNano = name("endTimeUnixNano")
    timeUnixNano = name("timeUnixNano")
    code = name("code")
    message = name("message")
    stringValue = name("stringValue")
    intValue = name("intValue")
    doubleValue = name("doubleValue")
    arrayValue = name("arrayValue")
    kvlistValue = name("kvlistValue")
    bytesValue = name("bytesValue")
    wireSchemaUrl = name("schemaUrl")
    schemaUrl = name("schema-url")
    resourceNotes = name("resource-notes")
    otlpFlags = name("otlp-flags")
    otlpKind = name("otlp-kind")
    wireEntityRefs = name("entityRefs")
    entityRefs = name("entity-refs")
    type = name("type")
    wireIdKeys = name("idKeys")
    idKeys = name("id-keys")
    wireDescriptionKeys = name("descriptionKeys")
    descriptionKeys = name("description-keys")
    trace = name("trace")
    span = name("span")
    parent = name("parent")
    self.name = name("name")
    version = name("version")
    kind = name("kind")
    t = name("t")
    t0 = name("t0")
    t1 = name("t1")
    status = name("status")
    attrs = name("attrs")
    events = name("events")
    links = name("links")
    flags = name("flags")
    traceState = name("trace-state")
    statusMessage = name("status-message")
    remoteParent = name("remote-parent")
    dropped = name("dropped")
    // By the numbers that the protocol gives them.
    kinds = [name("internal"), name("internal"), name("server"), name("client"), name("producer"), name("consumer")]
    statuses = [name("unset"), name("ok"), name("error")]
    droppedFields = [
      (attributes, name("droppedAttributesCount")), (events, name("droppedEventsCount")), (links, name("droppedLinksCount")),
    ]
    empty = name("")
    sampled = name("01")
  }
}
