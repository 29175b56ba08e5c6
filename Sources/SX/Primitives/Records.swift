/// Records: what the macros `define-record-type`, `define-type` and `match` are made of.
extension NativeTable {
  mutating func installRecords() {
    add("record?", required("value"), doc: "Is it a record of `define-record-type` or `define-type`?") { _, args in .bool(args[0].isKind(.record)) }
    add("record/-define", required("name", .text), required("fields", .list), required("constructor"), required("arguments"), required("predicate"), required("accessors", .list), required("modifiers", .list),
      doc: "The functions of a record type, as a list: the constructor, which fills the named fields, the predicate, then a function for each (name index) of the accessors and the modifiers. nil for the constructor or the predicate leaves it out."
    ) { m, args in
      var name = args[0].text
      if name.hasPrefix("<"), name.hasSuffix(">"), name.utf8.count > 2 { name = String(name.dropFirst().dropLast()) }
      let type = try m.makeRecordType(name: name, family: name, fields: try ListElements(args[1]).map { try m.name($0) }, isVariant: false)
      var out: [Value] = []
      if !args[2].isNil {
        let indices = try ListElements(args[3]).map { try m.fieldIndex($0, type) }
        out.append(m.recordConstructor(type, try m.name(args[2]), indices, variant: false))
      }
      if !args[4].isNil { out.append(m.recordPredicate(try m.name(args[4])) { m, v in v.recordTypeNumber == type.number }) }
      for entry in ListElements(args[5]) { out.append(m.recordAccessor(type, try m.fieldIndex(m.heap.element(entry, 1), type), try m.name(m.heap.element(entry, 0)))) }
      for entry in ListElements(args[6]) { out.append(m.recordModifier(type, try m.fieldIndex(m.heap.element(entry, 1), type), try m.name(m.heap.element(entry, 0)))) }
      return m.heap.list(out)
    }
    add("record/-define-variants", required("name", .text), required("constructors", .list),
      doc: "The functions of a `define-type`, as a list: its predicate, then for each (constructor field …) the constructor, its predicate and its accessors. Where the only constructor is called like the type, one predicate is that of both."
    ) { m, args in
      let family = m.recordTypes.count
      var types: [RecordType] = []
      for constructor in ListElements(args[1]) {
        let parts = try ListElements(constructor).map { try m.name($0) }
        types.append(try m.makeRecordType(name: parts[0], family: args[0].text, familyNumber: family, fields: Array(parts.dropFirst()), isVariant: true))
      }
      var out: [Value] = []
      if types.count != 1 || types[0].name != args[0].text { out.append(m.recordPredicate(args[0].text + "?") { m, v in m.recordType(of: v).familyNumber == family }) }
      for type in types {
        out.append(m.recordConstructor(type, type.name, Array(type.fields.indices), variant: true))
        out.append(m.recordPredicate(type.name + "?") { m, v in v.recordTypeNumber == type.number })
        for (i, field) in type.fields.enumerated() { out.append(m.recordAccessor(type, i, "\(type.name)-\(field)")) }
      }
      return m.heap.list(out)
    }
    add("record/-is?", required("value"), required("constructor", .symbol), required("count", .integer), doc: "Was it made by a constructor of that name with so many fields?") { m, args in
      let v = args[0]
      guard v.isKind(.record), v.length == args.integer(2) else { return .false }
      let type = m.recordType(of: v)
      return .bool(type.isVariant && type.symbol == args[1])
    }
    add("record/-field", required("record"), required("index", .integer), doc: "A field of a record that is known to have it.") { m, args in
      guard args[0].isKind(.record), args.integer(1) >= 0, args.integer(1) < args[0].length else { return .nil }
      return args[0].field(args.integer(1))
    }
  }
}

extension Machine {
  /// The text of a symbol, keyword or string.
  func name(_ v: Value) throws -> String {
    guard v.isText else { throw error("expected a name, got \(shown(v))") }
    return v.text
  }

  fileprivate func fieldIndex(_ v: Value, _ type: RecordType) throws -> Int {
    guard let i = Arithmetic.integer(v), type.fields.indices.contains(i) else { throw error("\(type.name) has no such field") }
    return i
  }

  private func native(_ name: String, _ parameters: [NativeParameter], _ doc: String, _ access: FieldAccess? = nil, _ body: @escaping Native.Body) -> Value {
    makeNative(Native(name: name, group: "records", parameters: parameters, doc: doc, example: "", fieldAccess: access, file: #fileID, line: #line, body: body, control: nil))
  }

  fileprivate func recordConstructor(_ type: RecordType, _ name: String, _ indices: [Int], variant: Bool) -> Value {
    native(name, [rest("fields")], "Makes a \(type.family): (\(([name] + indices.map { type.fields[$0] }).joined(separator: " "))).") { m, args in
      guard args.count == indices.count else {
        throw m.error(RecordType.arityMessage(name, indices.count, args.count, isVariant: variant), hint: "usage: (\(([name] + indices.map { type.fields[$0] }).joined(separator: " ")))")
      }
      let record = m.heap.record(type)
      for (i, index) in indices.enumerated() { record.setField(index, args[i]) }
      return record
    }
  }
  fileprivate func recordPredicate(_ name: String, _ test: @escaping @Sendable (Machine, Value) -> Bool) -> Value {
    native(name, [required("value")], "Is it such a record?") { m, args in .bool(args[0].isKind(.record) && test(m, args[0])) }
  }
  /// What a function of one type says of another value. Of the same `define-type` it is the constructor that tells the difference.
  private func otherRecord(_ name: String, _ type: RecordType, _ got: Value) -> Raise {
    if got.isKind(.record), recordType(of: got).familyNumber == type.familyNumber { return error("\(name): argument 1: expected \(type.name), got \(recordType(of: got).name)") }
    return wrongType(name, 1, type.name, got)
  }
  fileprivate func recordAccessor(_ type: RecordType, _ index: Int, _ name: String) -> Value {
    native(name, [required("record")], "The field `\(type.fields[index])` of a \(type.name).", FieldAccess(type: type.number, field: index, isModifier: false)) { m, args in
      guard args[0].isKind(.record), args[0].recordTypeNumber == type.number else { throw m.otherRecord(name, type, args[0]) }
      return args[0].field(index)
    }
  }
  fileprivate func recordModifier(_ type: RecordType, _ index: Int, _ name: String) -> Value {
    native(name, [required("record"), required("value")], "Gives the field `\(type.fields[index])` of a \(type.name) another value, and returns it.", FieldAccess(type: type.number, field: index, isModifier: true)) { m, args in
      guard args[0].isKind(.record), args[0].recordTypeNumber == type.number else { throw m.otherRecord(name, type, args[0]) }
      args[0].setField(index, args[1])
      return args[1]
    }
  }
}
