/// Different values, in the order in which they were added. Which are the same is said by `ValueTable.Identity.deep`.
final class SetObject: TableObject {
  override var typeName: String { "set" }
  override var printedForm: PrintedForm? { PrintedForm(open: "#<set", parts: table.entries.map(\.key), close: ">") }
}

extension Machine {
  fileprivate func table(set v: Value, _ name: String, _ position: Int = 1) throws -> ValueTable {
    guard let set = v.object(as: SetObject.self) else { throw wrongType(name, position, "set", v) }
    return set.table
  }
  fileprivate func newSet(_ values: some Sequence<Value>, capacity: Int = 8) -> Value {
    let table = ValueTable(capacity: capacity)
    for v in values { table.set(v, .nil, heap) }
    return heap.allocate(object: SetObject(table))
  }
}

extension NativeTable {
  /// Sets: the set is the first argument of every function.
  mutating func installSets() {
    add("make-set", optional("list", .list), walks: true, growth: 48, doc: "A set, empty or of the elements of a list. Elements are the same when they are `equal?`, so 1 and 1.0 are one.", example: "(set-size (make-set (list 1 2 2))) → 2") { m, args in
      m.newSet(ListElements(args.optional(0) ?? .nil), capacity: args.optional(0)?.listCount ?? 8)
    }
    add("list->set", required("list", .list), walks: true, growth: 48, doc: "A set of the elements of a list.", example: "(set->list (list->set (list 3 1 3))) → (3 1)") { m, args in m.newSet(ListElements(args[0]), capacity: args[0].listCount) }
    add("set->list", required("set", .set), growth: 24, doc: "The elements as a list, in the order in which they were added.", example: "(set->list (make-set (list 1 2))) → (1 2)") { m, args in m.heap.list(try m.table(set: args[0], "set->list").entries.map(\.key)) }
    add("set?", required("value"), doc: "Is it a set?", example: "(set? (make-set)) → true") { _, args in .bool(args[0].object(as: SetObject.self) != nil) }
    add("set-add!", required("set", .set), rest("values"), doc: "Adds elements to this set. Answers the set. O(1).", example: "(set->list (set-add! (make-set) 1 2 1)) → (1 2)") { m, args in
      let table = try m.table(set: args[0], "set-add!")
      for i in 1..<max(1, args.count) { try m.set(table, args[i], .nil) }
      return args[0]
    }
    add("set-remove!", required("set", .set), rest("values"), doc: "Removes elements from this set. Answers the set. O(1).", example: "(set->list (set-remove! (make-set (list 1 2)) 1)) → (2)") { m, args in
      let table = try m.table(set: args[0], "set-remove!")
      for i in 1..<max(1, args.count) { table.delete(args[i], m.heap) }
      return args[0]
    }
    alias("set-delete!")
    add("set-member?", required("set", .set), required("value"), doc: "Is the value an element? O(1).", example: "(set-member? (make-set (list 1 2)) 2) → true") { m, args in .bool(try m.table(set: args[0], "set-member?").get(args[1], m.heap) != nil) }
    alias("set-contains?")
    alias("set-has?")
    add("set-size", required("set", .set), doc: "How many elements it has.", example: "(set-size (make-set)) → 0") { m, args in .fix(try m.table(set: args[0], "set-size").count) }
    alias("set-count")
    add("set-empty?", required("set", .set), doc: "Has it no element?", example: "(set-empty? (make-set)) → true") { m, args in .bool(try m.table(set: args[0], "set-empty?").count == 0) }
    add("set-copy", required("set", .set), doc: "A set of its own with the same elements.", example: "(let ((s (make-set (list 1)))) (set-add! (set-copy s) 2) (set-size s)) → 1") { m, args in m.heap.allocate(object: SetObject(try m.copy(m.table(set: args[0], "set-copy")))) }
    add("set-clear!", required("set", .set), doc: "Removes every element. Answers the set.", example: "(set-size (set-clear! (make-set (list 1)))) → 0") { m, args in
      try m.table(set: args[0], "set-clear!").clear()
      return args[0]
    }
    func combined(_ name: String, _ doc: String, _ example: String, _ keep: @escaping @Sendable (Bool) -> Bool?) {
      // `keep` of whether another set has an element; nil: the elements of the others are added.
      add(name, required("set", .set), rest("sets", .set), growth: 24, doc: doc, example: example) { m, args in
        let result = try m.copy(m.table(set: args[0], name))
        for i in 1..<max(1, args.count) {
          let other = try m.table(set: args[i], name, i + 1)
          guard keep(true) != nil else {
            for (v, _) in other.entries { try m.set(result, v, .nil) }
            continue
          }
          for (v, _) in result.entries where keep(other.get(v, m.heap) != nil) == false { result.delete(v, m.heap) }
        }
        return m.heap.allocate(object: SetObject(result))
      }
    }
    combined("set-union", "A new set of the elements of all sets.", "(set->list (set-union (make-set (list 1 2)) (make-set (list 2 3)))) → (1 2 3)") { _ in nil }
    combined("set-intersection", "A new set of the elements that all sets have.", "(set->list (set-intersection (make-set (list 1 2)) (make-set (list 2 3)))) → (2)") { $0 }
    combined("set-difference", "A new set of the elements of the first set that no other has.", "(set->list (set-difference (make-set (list 1 2)) (make-set (list 2 3)))) → (1)") { !$0 }
    add("set-subset?", required("set", .set), required("other", .set), doc: "Does the other set have every element of this one?", example: "(set-subset? (make-set (list 1)) (make-set (list 1 2))) → true") { m, args in
      let other = try m.table(set: args[1], "set-subset?", 2)
      try m.charge(m.table(set: args[0], "set-subset?").count)
      return .bool(try m.table(set: args[0], "set-subset?").entries.allSatisfy { other.get($0.key, m.heap) != nil })
    }
    add("set-disjoint?", required("set", .set), required("other", .set), doc: "Have the two no element in common?", example: "(set-disjoint? (make-set (list 1)) (make-set (list 2))) → true") { m, args in
      let other = try m.table(set: args[1], "set-disjoint?", 2)
      try m.charge(m.table(set: args[0], "set-disjoint?").count)
      return .bool(try m.table(set: args[0], "set-disjoint?").entries.allSatisfy { other.get($0.key, m.heap) == nil })
    }
  }
}
