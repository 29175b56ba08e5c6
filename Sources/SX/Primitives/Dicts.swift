extension Machine {
  /// A key argument as the string that a dict wants.
  func key(_ v: Value, _ name: String, _ position: Int) throws -> Value {
    if v.isString { return v }
    guard v.isKind(.keyword) else { throw error("\(name): argument \(position): a dict key must be a string or keyword, got \(shown(v))") }
    return keyString(v)
  }
  /// A fresh dict where nil stands for the empty one.
  func dictOrEmpty(_ v: Value) -> Value { v.isNil ? heap.dict() : v }
}

extension NativeTable {
  mutating func installDicts() {
    add("dict", rest("keys-and-values"), doc: "A dict from keys and values in turn.", example: "(dict :a 1 :b 2) → {:a 1 :b 2}") { m, args in
      guard args.count % 2 == 0 else { throw m.error("dict: expected a value for every key, got \(args.count) arguments") }
      let d = m.heap.dict(capacity: args.count / 2)
      for i in stride(from: 0, to: args.count, by: 2) { try m.set(d, m.key(args[i], "dict", i + 1), args[i + 1]) }
      return d
    }
    add("get", required("collection", .associative), required("key"), optional("default"), doc: "The value under a key, or at an index of a list; `default` (nil) when there is none.", example: "(get {:a 1} :a) → 1") { m, args in
      if args[0].isDict, !args[1].isText { return args.optional(2) ?? .nil }
      return try m.lookUp(args[0], args[1]) ?? args.optional(2) ?? .nil
    }
    add("has-key?", required("dict", .dictOrNil), required("key"), doc: "Is there an entry under the key?", example: "(has-key? {:a nil} :a) → true") { m, args in
      .bool(try m.lookUp(args[0], args[1]) != nil)
    }
    add("assoc", required("collection", .associative), rest("keys-and-values"), doc: "A new dict (or list) with entries added or changed; the given one stays as it is.", example: "(assoc {:a 1} :b 2) → {:a 1 :b 2}") { m, args in
      guard args.count % 2 == 1 else { throw m.error("assoc: expected a value for every key") }
      if args[0].isListCell {
        try m.reserve(bytes: args[0].listCount * 24)
        let copy = m.makeList(ListElements(args[0]))
        for i in stride(from: 1, to: args.count, by: 2) {
          guard let index = Arithmetic.integer(args[i]), index >= 0, index < copy.length else { throw m.error("assoc: \(m.shown(args[i])) is no index of a list of \(copy.length)") }
          m.heap.setElement(copy, index, args[i + 1])
        }
        return copy
      }
      var d = args[0].isNil ? m.heap.dict() : args[0]
      if args.count == 1 { return d }
      try m.becomeTrie(d)
      d = m.heap.assoc(d, try m.key(args[1], "assoc", 2), args[2])
      for i in stride(from: 3, to: args.count, by: 2) { try m.set(d, m.key(args[i], "assoc", i + 1), args[i + 1]) }
      return d
    }
    add("dissoc", required("dict", .dictOrNil), rest("keys"), doc: "A new dict without the keys.", example: "(dissoc {:a 1 :b 2} :a) → {:b 2}") { m, args in
      if args[0].isNil { return m.heap.dict() }
      if args[0].length > DictRepresentation.longestFlat { try m.becomeTrie(args[0]) }
      let d = try m.copyDict(args[0])
      for i in 1..<max(1, args.count) { m.heap.delete(d, try m.key(args[i], "dissoc", i + 1)) }
      return d
    }
    add("merge", rest("dicts", .dictOrNil), doc: "A new dict with the entries of all; a later one wins.", example: "(merge {:a 1} {:a 2 :b 3}) → {:a 2 :b 3}") { m, args in
      // The copy of the first one that has entries is cheaper than an empty dict that grows.
      guard let first = (0..<args.count).first(where: { !args[$0].isNil && args[$0].length > 0 }) else { return m.heap.dict() }
      let d = try m.copyDict(args[first])
      for i in (first + 1)..<max(first + 1, args.count) where !args[i].isNil {
        for (k, v) in try m.entries(of: args[i]) { try m.set(d, k, v) }
      }
      return d
    }
    add("keys", required("dict", .dictOrNil), growth: 80, doc: "The keys in order of insertion.", example: "(keys {:a 1 :b 2}) → (\"a\" \"b\")") { m, args in
      m.heap.keys(args[0])
    }
    add("vals", required("dict", .dictOrNil), growth: 80, doc: "The values in order of insertion.", example: "(vals {:a 1 :b 2}) → (1 2)") { m, args in
      m.heap.values(args[0])
    }
    add("entries", required("dict", .dictOrNil), growth: 160, doc: "Lists of key and value in order of insertion.", example: "(entries {:a 1}) → ((\"a\" 1))") { m, args in
      args[0].isNil ? m.heap.emptyList() : m.heap.list(m.heap.entries(of: args[0]).map { m.heap.list([$0.key, $0.value]) })
    }
    add("dict-set!", required("dict", .dict), required("key"), required("value"), doc: "Adds or changes an entry of this dict. Answers the value. O(1).", example: "(let ((d {})) (dict-set! d :a 1) d) → {:a 1}") { m, args in
      try m.set(args[0], m.key(args[1], "dict-set!", 2), args[2])
      return args[2]
    }
    add("dict-delete!", required("dict", .dict), required("key"), doc: "Removes an entry of this dict. Was it there?", example: "(let ((d {:a 1})) (dict-delete! d :a) d) → {}") { m, args in
      .bool(m.heap.delete(args[0], try m.key(args[1], "dict-delete!", 2)))
    }
    add("into", required("collection", .associative), required("from", .associative), doc: "A copy of the first with everything of the second added: pairs or entries to a dict, elements or entries to a list.", example: "(into {} (list (list :a 1))) → {:a 1}") { m, args in
      try m.reserve(bytes: args[1].listCount * 64)
      if args[0].isDict {
        let d = try m.copyDict(args[0])
        if args[1].isDict {
          for (k, v) in try m.entries(of: args[1]) { try m.set(d, k, v) }
        } else {
          for pair in ListElements(args[1]) {
            guard pair.isListCell, pair.length == 2 else { throw m.error("into: expected lists of key and value, got \(m.shown(pair))") }
            try m.set(d, m.key(m.heap.element(pair, 0), "into", 2), m.heap.element(pair, 1))
          }
        }
        return d
      }
      try m.reserve(bytes: args[0].listCount * 24)
      let more = args[1].isDict ? m.heap.entries(of: args[1]).map { m.heap.list([$0.key, $0.value]) } : Array(ListElements(args[1]))
      return m.heap.list(Array(ListElements(args[0])) + more)
    }
    add("zipmap", required("keys", .list), required("values", .list), doc: "A dict from a list of keys and a list of values, up to the end of the shorter one; a later value of a key wins.", example: "(zipmap (list :a :b) (list 1 2)) → {:a 1 :b 2}") { m, args in
      // Keys may be equal: beyond a small dict it grows as it needs.
      try m.charge(min(args[0].listCount, args[1].listCount))
      let d = m.heap.dict(capacity: min(args[0].listCount, args[1].listCount, DictRepresentation.longestFlat))
      for (k, v) in zip(ListElements(args[0]), ListElements(args[1])) { try m.set(d, m.key(k, "zipmap", 1), v) }
      return d
    }
    add("get-in", required("collection"), required("path", .list), optional("default"), doc: "The value at the end of a path of keys and indices.", example: "(get-in {:a {:b 1}} (list :a :b)) → 1") { m, args in
      try m.charge(args[1].listCount)
      var v = args[0]
      for k in ListElements(args[1]) {
        guard v.isDict || v.isListCell, let next = try m.lookUp(v, k) else { return args.optional(2) ?? .nil }
        v = next
      }
      return v
    }
    add("assoc-in", required("dict", .dictOrNil), required("path", .list), required("value"), doc: "A new dict with the value at the end of a path; missing dicts on the way are made.", example: "(assoc-in {} (list :a :b) 1) → {:a {:b 1}}") { m, args in
      try m.charge(args[1].listCount)
      let path = try ListElements(args[1]).enumerated().map { try m.key($1, "assoc-in", 2) }
      var levels = [m.dictOrEmpty(args[0])]
      for k in path.dropLast() {
        let next = m.heap.get(levels[levels.count - 1], k) ?? .nil
        guard next.isNil || next.isDict else { throw m.error("assoc-in: under \(Printer.text(k, m)) stands \(m.shown(next)), not a dict") }
        levels.append(m.dictOrEmpty(next))
      }
      var v = args[2]
      for (level, k) in zip(levels, path).reversed() {
        try m.becomeTrie(level)
        v = m.heap.assoc(level, k, v)
      }
      return v
    }
    add("select-keys", required("dict", .dictOrNil), required("keys", .list), doc: "A new dict with those entries alone.", example: "(select-keys {:a 1 :b 2} (list :b)) → {:b 2}") { m, args in
      try m.charge(args[1].listCount)
      let d = m.heap.dict()
      for k in ListElements(args[1]) {
        if let v = try m.lookUp(args[0], k) { try m.set(d, m.key(k, "select-keys", 2), v) }
      }
      return d
    }
  }
}
