/// Entries under keys of any kind, in the order in which they were added.
final class HashTableObject: TableObject {
  override var typeName: String { "hash-table" }
  override var printedForm: PrintedForm? { PrintedForm(open: "#<hash-table", parts: table.entries.flatMap { [$0.key, $0.value] }, close: ">") }
}

extension Machine {
  fileprivate func table(_ v: Value, _ name: String, _ position: Int = 1) throws -> ValueTable {
    guard let object = v.object(as: HashTableObject.self) else { throw wrongType(name, position, "hash-table", v) }
    return object.table
  }

  /// What an equality function means for the keys; nil for none that is known.
  fileprivate func identity(_ test: Value) -> ValueTable.Identity? {
    if test.isNil || Arithmetic.integer(test) != nil { return .deep }
    guard test.isKind(.native) else { return nil }
    switch test.native.name {
    case "eq?", "eqv?", "identical?": return .eqv
    case "equal?", "=", "string=?": return .deep
    default: return nil
    }
  }
}

extension NativeTable {
  /// Hash tables, by their names in SRFI 69. Functions that call back are in `tables.sx`.
  mutating func installHashTables() {
    add("make-hash-table", optional("test"), rest("ignored"), doc: "An empty hash table. Keys are the same when they are `equal?`, so 1 and 1.0 are one key; with `eq?` or `eqv?` as its test when they are `eqv?`. A key must not be changed while it is in the table.", example: "(hash-table-size (make-hash-table)) → 0") { m, args in
      guard let identity = m.identity(args.optional(0) ?? .nil) else { throw m.error("make-hash-table: argument 1: expected one of eq?, eqv?, equal?, = and string=?, got \(m.shown(args[0]))") }
      return m.heap.allocate(object: HashTableObject(ValueTable(identity)))
    }
    add("hash-table", rest("keys-and-values"), doc: "A hash table from keys and values in turn.", example: "(hash-table-ref/default (hash-table 1 \"a\" 2 \"b\") 2 nil) → \"b\"") { m, args in
      guard args.count % 2 == 0 else { throw m.error("hash-table: expected a value for every key, got \(args.count) arguments") }
      let table = ValueTable(capacity: args.count / 2)
      for i in stride(from: 0, to: args.count, by: 2) { table.set(args[i], args[i + 1], m.heap) }
      return m.heap.allocate(object: HashTableObject(table))
    }
    add("hash-table?", required("value"), doc: "Is it a hash table?", example: "(hash-table? (make-hash-table)) → true") { _, args in .bool(args[0].object(as: HashTableObject.self) != nil) }
    add("hash-table-set!", required("table", .hashTable), required("key"), required("value"), doc: "Adds or changes an entry. Answers nil. O(1).", example: "(let ((t (make-hash-table))) (hash-table-set! t (list 1) 2) (hash-table-ref t (list 1))) → 2") { m, args in
      try m.set(m.table(args[0], "hash-table-set!"), args[1], args[2])
      return .nil
    }
    alias("hash-table-put!")
    add("hash-table-ref/default", required("table", .hashTable), required("key"), required("default"), doc: "The value under a key, or the default. O(1).", example: "(hash-table-ref/default (hash-table) 1 0) → 0") { m, args in
      try m.table(args[0], "hash-table-ref/default").get(args[1], m.heap) ?? args[2]
    }
    add("hash-table-get", required("table", .hashTable), required("key"), optional("default"), doc: "The value under a key, or the default (nil). O(1).", example: "(hash-table-get (hash-table 1 2) 1) → 2") { m, args in
      try m.table(args[0], "hash-table-get").get(args[1], m.heap) ?? args.optional(2) ?? .nil
    }
    add("hash-table-delete!", required("table", .hashTable), rest("keys"), doc: "Removes entries. Answers how many were there. O(1).", example: "(hash-table-delete! (hash-table 1 2) 1) → 1") { m, args in
      let table = try m.table(args[0], "hash-table-delete!")
      return .fix((1..<max(1, args.count)).reduce(0) { $0 + (table.delete(args[$1], m.heap) ? 1 : 0) })
    }
    alias("hash-table-remove!")
    add("hash-table-contains?", required("table", .hashTable), required("key"), doc: "Is there an entry under the key? O(1).", example: "(hash-table-contains? (hash-table 1 nil) 1) → true") { m, args in
      .bool(try m.table(args[0], "hash-table-contains?").get(args[1], m.heap) != nil)
    }
    alias("hash-table-exists?")
    alias("hash-table-has-key?")
    add("hash-table-size", required("table", .hashTable), doc: "How many entries it has.", example: "(hash-table-size (hash-table 1 2)) → 1") { m, args in .fix(try m.table(args[0], "hash-table-size").count) }
    alias("hash-table-count")
    alias("hash-table-length")
    add("hash-table-empty?", required("table", .hashTable), doc: "Has it no entry?", example: "(hash-table-empty? (hash-table)) → true") { m, args in .bool(try m.table(args[0], "hash-table-empty?").count == 0) }
    add("hash-table-keys", required("table", .hashTable), growth: 24, doc: "The keys in order of insertion.", example: "(hash-table-keys (hash-table 1 2 3 4)) → (1 3)") { m, args in m.heap.list(try m.table(args[0], "hash-table-keys").entries.map(\.key)) }
    add("hash-table-values", required("table", .hashTable), growth: 24, doc: "The values in order of insertion.", example: "(hash-table-values (hash-table 1 2 3 4)) → (2 4)") { m, args in m.heap.list(try m.table(args[0], "hash-table-values").entries.map(\.value)) }
    add("hash-table->alist", required("table", .hashTable), growth: 48, doc: "Lists of key and value in order of insertion.", example: "(hash-table->alist (hash-table 1 2)) → ((1 2))") { m, args in
      m.heap.list(try m.table(args[0], "hash-table->alist").entries.map { m.heap.list([$0.key, $0.value]) })
    }
    alias("hash-table-entries")
    add("alist->hash-table", required("alist", .list), optional("test"), rest("ignored"), walks: true, doc: "A hash table from lists of key and value. The first entry of a key counts.", example: "(hash-table-ref/default (alist->hash-table '((1 2) (1 3))) 1 nil) → 2") { m, args in
      guard let identity = m.identity(args.optional(1) ?? .nil) else { throw m.error("alist->hash-table: argument 2: expected one of eq?, eqv?, equal?, = and string=?, got \(m.shown(args[1]))") }
      try m.reserve(bytes: args[0].listCount * 40)
      let table = ValueTable(identity, capacity: args[0].listCount)
      for pair in ListElements(args[0]) {
        guard pair.isListCell, pair.length == 2 else { throw m.error("alist->hash-table: expected lists of key and value, got \(m.shown(pair))") }
        let key = m.heap.element(pair, 0)
        if table.get(key, m.heap) == nil { try m.set(table, key, m.heap.element(pair, 1)) }
      }
      return m.heap.allocate(object: HashTableObject(table))
    }
    add("hash-table-copy", required("table", .hashTable), rest("ignored"), doc: "A hash table of its own with the same entries.", example: "(hash-table->alist (hash-table-copy (hash-table 1 2))) → ((1 2))") { m, args in
      m.heap.allocate(object: HashTableObject(try m.copy(m.table(args[0], "hash-table-copy"))))
    }
    add("hash-table-clear!", required("table", .hashTable), doc: "Removes every entry. Answers nil.", example: "(let ((t (hash-table 1 2))) (hash-table-clear! t) (hash-table-size t)) → 0") { m, args in
      try m.table(args[0], "hash-table-clear!").clear()
      return .nil
    }
    add("hash-table-merge!", required("table", .hashTable), rest("tables", .hashTable), doc: "Adds the entries of the others to the first table; a later one wins. Answers the first.", example: "(hash-table->alist (hash-table-merge! (hash-table 1 2) (hash-table 1 3 4 5))) → ((1 3) (4 5))") { m, args in
      let table = try m.table(args[0], "hash-table-merge!")
      for i in 1..<max(1, args.count) {
        let other = try m.table(args[i], "hash-table-merge!", i + 1)
        try m.reserve(bytes: other.bytes)
        for (k, v) in other.entries { try m.set(table, k, v) }
      }
      return args[0]
    }
    add("hash", required("value"), doc: "A hash of a value: equal for values that are `equal?`, and different in every process.", example: "(= (hash (list 1 2.0)) (hash (list 1.0 2))) → true") { m, args in
      .fix(Int(truncatingIfNeeded: Hashing(m.heap).deep(args[0]) >> 2))
    }
    alias("equal-hash")
  }
}
