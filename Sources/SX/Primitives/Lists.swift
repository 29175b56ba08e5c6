extension Machine {
  /// A list from elements whose number is not known beforehand.
  func makeList(_ values: some Sequence<Value>) -> Value { heap.list(Array(values)) }

  /// `from` and `to` of a slice: negative ones count from the end, both are clamped.
  func clampedRange(_ args: Arguments, _ count: Int) -> (Int, Int) {
    func place(_ i: Int) -> Int { min(max(i < 0 ? count + i : i, 0), count) }
    let from = place(args.integer(1))
    return (from, max(from, place(args.integer(2, default: count))))
  }

  /// Index in the order of elements; an error names the list's length.
  func checkedIndex(_ name: String, _ args: Arguments, _ count: Int) throws -> Int {
    let i = args.integer(1)
    guard i >= 0, i < count else { throw error("\(name): argument 2: index \(i) is out of range for a list of length \(count)") }
    return i
  }
}

extension Machine {
  /// A few elements in front of a long list share it, as with `cons`; else a chain of such calls would copy again and again. nil: not worth it.
  fileprivate func inFrontOfLast(_ args: Arguments) -> Value? {
    guard args.count >= 2, args.count <= 8, args[args.count - 1].isListCell else { return nil }
    var front = 0
    for i in 0..<(args.count - 1) { front += args[i].isListOrNil ? args[i].listCount : 1 }
    guard front > 0, front <= 64, args[args.count - 1].length > 4 * front else { return nil }
    var elements: [Value] = []
    for i in 0..<(args.count - 1) { if args[i].isListOrNil { elements += ListElements(args[i]) } else { elements.append(args[i]) } }
    return elements.reversed().reduce(args[args.count - 1]) { heap.cons($1, $0) }
  }

  /// Where a value first stands in a list at or after an index.
  fileprivate func place(of item: Value, in list: Value, from: Int) throws -> Int? {
    var place = 0
    for v in ListElements(list) {
      if place >= from, Equality.deep(v, item, heap) { break }
      place += 1
    }
    try charge(place)
    return place < list.listCount ? place : nil
  }

  /// The ascending order of values that are all numbers, or all strings.
  fileprivate func order(of values: [Value]) throws -> (Value, Value) -> Bool {
    if values.allSatisfy(\.isFix) { return Value.fixLess }
    if values.allSatisfy(Arithmetic.isNumber) { return { Arithmetic.compare($0, $1) == .less } }
    if values.allSatisfy(\.isString) { return { $0.textLess($1) } }
    throw error("sort: expected only numbers or only strings", hint: "give a comparison: (sort list (fn (a b) …))")
  }
}

extension NativeTable {
  mutating func installLists() {
    add("list", rest("values"), doc: "A list of the arguments.", example: "(list 1 2 3) → (1 2 3)") { m, args in m.heap.list(args.base, args.count) }
    alias("mutable-list")
    add("cons", required("value"), required("list", .list), doc: "A list with one more element in front. O(1).", example: "(cons 1 (list 2)) → (1 2)") { m, args in m.heap.cons(args[0], args[1]) }
    add("first", required("list", .listOrString), doc: "The first element, or nil.", example: "(first (list 1 2)) → 1") { m, args in try m.firstSlow(args[0]) }
    alias("car")
    add("rest", required("list", .list), doc: "All elements but the first. O(1).", example: "(rest (list 1 2)) → (2)") { m, args in m.heap.rest(args[0]) }
    alias("cdr")
    add("last", required("list", .listOrString), doc: "The last element, or nil.", example: "(last (list 1 2)) → 2") { m, args in
      let n = args[0].listCount
      if n == 0 { return .nil }
      return args[0].isString ? m.stringScalar(args[0], at: n - 1) : m.heap.element(args[0], n - 1)
    }
    add("empty?", required("collection", .collection), doc: "Is there nothing in it? nil counts as empty.", example: "(empty? ()) → true") { m, args in .bool(try m.isEmpty(args[0])) }
    add("len", required("collection", .collection), doc: "Number of elements, entries or scalars. O(1).", example: "(len \"añb\") → 3") { _, args in .fix(args[0].listCount) }
    alias("length")
    alias("count")
    add("nth", required("list", .listOrString), required("index", .integer), optional("default"), doc: "The element at an index from 0; `default` (nil) outside. A string yields a string of one scalar.", example: "(nth (list 1 2 3) 1) → 2") { m, args in
      let i = args.integer(1)
      guard i >= 0, i < args[0].listCount else { return args.optional(2) ?? .nil }
      return args[0].isString ? m.stringScalar(args[0], at: i) : m.heap.element(args[0], i)
    }
    add("reverse", required("list", .listOrString), growth: 24, doc: "The elements from last to first.", example: "(reverse (list 1 2 3)) → (3 2 1)") { m, args in
      if args[0].isString {
        return m.heap.string(String(String.UnicodeScalarView(args[0].text.unicodeScalars.reversed())))
      }
      try m.reserve(bytes: args[0].listCount * 8)
      return m.heap.reversed(args[0])
    }
    add("concat", rest("lists", .list), doc: "The elements of all lists in one. Strings are joined by `str`.", example: "(concat (list 1) (list 2 3)) → (1 2 3)") { m, args in
      if args.count == 0 { return m.heap.emptyList() }
      if let shared = m.inFrontOfLast(args) { return shared }
      let total = (0..<args.count).reduce(0) { $0 + args[$1].listCount }
      try m.reserve(bytes: total * 8)
      return m.heap.list(count: total) { out in
        var at = 0
        for i in 0..<args.count {
          for v in ListElements(args[i]) {
            out[at] = v
            at += 1
          }
        }
      }
    }
    add("append", rest("values"), doc: "The elements of all lists in one; an argument that is no list is added as an element.", example: "(append (list 1) 2 (list 3)) → (1 2 3)") { m, args in
      if let shared = m.inFrontOfLast(args) { return shared }
      let total = (0..<args.count).reduce(0) { $0 + (args[$1].isListOrNil ? args[$1].listCount : 1) }
      try m.reserve(bytes: total * 8)
      return m.heap.list(count: total) { out in
        var at = 0
        for i in 0..<args.count {
          guard args[i].isListOrNil else {
            out[at] = args[i]
            at += 1
            continue
          }
          for v in ListElements(args[i]) {
            out[at] = v
            at += 1
          }
        }
      }
    }
    add("append!", required("list", .listToChange), rest("values"), doc: "Adds elements at the end of this list, and of no other. Answers the list. Amortised O(1).", example: "(let ((l (list 1))) (append! l 2) l) → (1 2)") { m, args in
      if args[0].length > 1 << 16 { try m.reserve(growing: m.heap.growth(of: args[0])) }
      for i in 1..<max(1, args.count) { m.heap.append(args[0], args[i]) }
      return args[0]
    }
    add("set-nth!", required("list", .listToChange), required("index", .integer), required("value"), doc: "Replaces an element of this list, and of no other. Answers the value.", example: "(let ((l (list 1 2))) (set-nth! l 0 9) l) → (9 2)") { m, args in
      m.heap.setElement(args[0], try m.checkedIndex("set-nth!", args, args[0].length), args[2])
      return args[2]
    }
    add("take", required("list", .list), required("count", .integer), doc: "The first elements, at most `count`.", example: "(take (list 1 2 3) 2) → (1 2)") { m, args in
      try m.reserve(bytes: min(args[0].listCount, max(0, args.integer(1))) * 24)
      return m.makeList(ListElements(args[0]).prefix(max(0, args.integer(1))))
    }
    add("drop", required("list", .list), required("count", .integer), doc: "All but the first `count` elements.", example: "(drop (list 1 2 3) 2) → (3)") { m, args in
      let k = min(max(0, args.integer(1)), args[0].listCount)
      return args[0].isNil ? m.heap.emptyList() : m.heap.drop(args[0], k)
    }
    add("slice", required("sequence", .listOrString), required("from", .integer), optional("to", .integer), doc: "The elements or scalars from `from` up to `to` (not included). Negative places count from the end; places outside are clamped.", example: "(slice \"hello\" 1 3) → \"el\"") { m, args in
      let (from, to) = m.clampedRange(args, args[0].listCount)
      if args[0].isString { return m.stringSlice(args[0], from, to) }
      try m.charge(from)
      try m.reserve(bytes: (to - from) * 24)
      return m.makeList(ListElements(args[0]).dropFirst(from).prefix(to - from))
    }
    add("range", required("a", .number), optional("b", .number), optional("step", .number), doc: "The numbers from `a` (0 when alone) up to `b`, not included.", example: "(range 1 4) → (1 2 3)") { m, args in
      let one = args.count == 1
      if let from = Arithmetic.integer(one ? .fix(0) : args[0]), let to = Arithmetic.integer(args[one ? 0 : 1]), args.count < 3 || Arithmetic.integer(args[2]) != nil {
        let step = args.integer(2, default: 1)
        if step == 0 { throw m.error("range: the step must not be 0") }
        let (width, overflow) = step > 0 ? to.subtractingReportingOverflow(from) : from.subtractingReportingOverflow(to)
        if width <= 0, !overflow { return m.heap.emptyList() }
        let n = overflow ? Int.max : (width - 1) / Int(clamping: step.magnitude) + 1
        guard n < 1 << 31 else { throw m.error("range: \(n) elements are too many") }
        if n > 1 << 17 { try m.checkLength("range", n * 8) } else { try m.charge(n) }
        return m.heap.list(count: n) { out in
          var v = from
          for i in 0..<n {
            out[i] = m.heap.int(v)
            v &+= step
          }
        }
      }
      let from = one ? 0 : args.number(0), to = one ? args.number(0) : args.number(1), step = args.count > 2 && !args[2].isNil ? args.number(2) : 1
      guard step != 0, step.isFinite, ((to - from) / step).isFinite else { throw m.error("range: the bounds and the step must be finite, and the step not 0") }
      let n = max(0, ((to - from) / step).rounded(.up))
      guard n < 2_147_483_648 else { throw m.error("range: \(n) elements are too many") }
      try m.reserve(bytes: Int(n) * 48)
      return m.makeList((0..<Int(n)).map { m.heap.double(from + Double($0) * step) })
    }
    add("flatten", required("list", .list), doc: "All elements of nested lists in one list.", example: "(flatten (list 1 (list 2 (list 3)))) → (1 2 3)") { m, args in
      var out: [Value] = [], stack = [(args[0], ListIterator(args[0]))], cycles = CycleCheck()
      _ = cycles.enter(args[0])
      while case var (list, iterator)? = stack.popLast() {
        while let v = iterator.next() {
          try m.charge(1, holding: out.count * 8)
          guard v.isListCell else {
            out.append(v)
            continue
          }
          guard cycles.enter(v) else { throw m.error("flatten: the list contains itself") }
          stack.append((list, iterator))
          (list, iterator) = (v, ListIterator(v))
        }
        cycles.leave(list)
      }
      return m.heap.list(out)
    }
    add("chunk-every", required("list", .list), required("size", .integer), growth: 96, doc: "The elements in lists of `size`; the last one may be shorter.", example: "(chunk-every (list 1 2 3) 2) → ((1 2) (3))") { m, args in
      guard args.integer(1) > 0 else { throw m.wrongType("chunk-every", 2, "size above 0", args[1]) }
      let all = Array(ListElements(args[0])), size = args.integer(1)
      return m.makeList(stride(from: 0, to: all.count, by: size).map { m.heap.list(Array(all[$0..<min($0 + min(size, all.count), all.count)])) })
    }
    add("zip-pairs", required("list", .list), optional("other", .list), growth: 128, doc: "With one list its neighbours in pairs; with two, pairs of their elements.", example: "(zip-pairs (list 1 2 3)) → ((1 2) (2 3))") { m, args in
      let a = Array(ListElements(args[0]))
      let b = args.count > 1 ? Array(ListElements(args[1])) : Array(a.dropFirst())
      return m.makeList(zip(a, b).map { m.heap.list([$0, $1]) })
    }
    add("contains?", required("collection", .collection), required("item"), doc: "Is the item an element of the list, a key of the dict, a part of the string?", example: "(contains? (list 1 2) 2) → true") { m, args in
      if args[0].isDict { return .bool(try m.lookUp(args[0], args[1]) != nil) }
      if args[0].isString {
        guard args[1].isString else { throw m.wrongType("contains?", 2, "string", args[1]) }
        return .bool(try m.find(args[1], in: args[0]) != nil)
      }
      return .bool(try m.place(of: args[1], in: args[0], from: 0) != nil)
    }
    add("index-of", required("sequence", .listOrString), required("item"), optional("from", .integer), doc: "Where the item first stands at or after `from`, or -1.", example: "(index-of \"banana\" \"n\") → 2") { m, args in
      let from = max(0, args.integer(2, default: 0))
      if args[0].isString {
        guard args[1].isString else { throw m.wrongType("index-of", 2, "string", args[1]) }
        let index = m.stringIndex(of: args[1], in: args[0], from: from)
        try m.charge((index ?? args[0].length) >> 2)
        return .fix(index ?? -1)
      }
      return .fix(try m.place(of: args[1], in: args[0], from: from) ?? -1)
    }
    add("interpose", required("separator"), required("list", .list), growth: 48, doc: "The elements with the separator between them.", example: "(interpose 0 (list 1 2)) → (1 0 2)") { m, args in
      var out: [Value] = []
      for v in ListElements(args[1]) {
        if !out.isEmpty { out.append(args[0]) }
        out.append(v)
      }
      return m.heap.list(out)
    }
    add("distinct", required("list", .list), walks: true, growth: 160, doc: "The elements without those that are equal to an earlier one.", example: "(distinct (list 1 2 1)) → (1 2)") { m, args in
      let seen = ValueTable()
      var out: [Value] = []
      for v in ListElements(args[0]) where Arithmetic.float(v)?.isNaN == true || seen.set(v, .nil, m.heap) { out.append(v) }
      return m.heap.list(out)
    }
    alias("unique")
    add("sort-values", required("list", .list), doc: "Numbers, or strings, in ascending order; stable. `sort` takes an order of its own.", example: "(sort-values (list 3 1 2)) → (1 2 3)") { m, args in
      // As many comparisons as a random order takes; one that is nearly right takes fewer.
      try m.charge(args[0].listCount * (Int.bitWidth - args[0].listCount.leadingZeroBitCount))
      try m.reserve(bytes: args[0].listCount * 24)
      var all = Array(ListElements(args[0]))
      all.sort(by: try m.order(of: all))
      return m.heap.list(all)
    }
    add("sort-by-values", required("ranks", .list), required("items", .list), required("descending"), growth: 64, doc: "The items in the order of their ranks, which are numbers or strings; stable. `sort-by` takes ranks of every kind.", example: "(sort-by-values (list 2 1 2) (list \"a\" \"b\" \"c\") true) → (\"a\" \"c\" \"b\")") { m, args in
      let ranks = Array(ListElements(args[0])), less = try m.order(of: ranks)
      guard ranks.count == args[1].listCount else { throw m.error("sort-by-values: expected as many ranks as items") }
      var ranked = Array(zip(ranks, ListElements(args[1])))
      if args[2].isFalsy { ranked.sort { less($0.0, $1.0) } } else { ranked.sort { less($1.0, $0.0) } }
      return m.heap.list(ranked.map(\.1))
    }
    add("sortable-values?", required("list", .list), walks: true, doc: "Can `sort-values` order it?", example: "(sortable-values? (list 1 \"a\")) → false") { _, args in
      let all = ListElements(args[0])
      return .bool(all.allSatisfy(Arithmetic.isNumber) || all.allSatisfy(\.isString))
    }
    add("quasiquote/-spliced", required("value"), doc: "The value when it is a list, else the error of a `,@`.") { m, args in
      guard args[0].isListOrNil else { throw m.error("`,@` takes a list, got \(m.shown(args[0]))") }
      return args[0]
    }
    add("expect-function", required("value"), required("name", .text), required("position", .integer), doc: "The value when it can be called, else the usual type error.", example: "(expect-function 5 \"map\" 1) → error: map: argument 1: expected function, got number 5") { m, args in
      guard args[0].isCallable else { throw m.wrongType(args[1].text, args.integer(2), "function", args[0]) }
      return args[0]
    }
    add("expect-list", required("value"), required("name", .text), required("position", .integer), doc: "The value when it is a list, `()` for nil, else the usual type error.", example: "(expect-list nil \"map\" 2) → ()") { m, args in
      if args[0].isNil { return m.heap.emptyList() }
      guard args[0].isListCell else { throw m.wrongType(args[1].text, args.integer(2), "list", args[0]) }
      // What the function that is called on the elements appends meanwhile is not walked.
      return args[0].length > 0 ? m.heap.own(m.heap.snapshot(args[0])) : args[0]
    }
  }
}
