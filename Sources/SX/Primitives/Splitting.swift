extension NativeTable {
  mutating func installSplitting() {
    add("split", required("string", .string), optional("separator", .string), walks: true, doc: "The pieces between occurrences of the whole separator. An empty separator gives the scalars; without one, the words between white space.", example: "(split \"a, b\" \", \") → (\"a\" \"b\")") { m, args in
      guard let separator = args.optional(1), !separator.isNil else { return try Splitting.words(args[0], m) }
      return try separator.byteCount == 0 ? Splitting.scalars(args[0], m) : Splitting.split(args[0], separator, m)
    }
    add("join", required("separator", .string), required("list", .list), growth: 48, doc: "The display forms of the elements in one string, with the separator between them.", example: "(join \", \" (list \"a\" 1)) → \"a, 1\"") { m, args in
      try Splitting.join(args[0], args[1], m)
    }
    add("replace", required("string", .string), required("part", .string), required("replacement", .string), walks: true, doc: "The string with every occurrence of a part replaced, from the left, without looking at what was put in.", example: "(replace \"a-b-c\" \"-\" \"+\") → \"a+b+c\"") { m, args in
      guard args[1].byteCount > 0 else { throw m.error("replace: argument 2: the text to look for is empty") }
      return try Splitting.replace(args[0], args[1], args[2], m)
    }
    alias("string-replace")
  }
}

/// Cutting strings up and putting them together, on their bytes.
enum Splitting {
  // Pieces are counted first: so the list takes its memory once, as much as it needs, and touching memory is most of the time that a large text takes.

  static func split(_ s: Value, _ separator: Value, _ machine: Machine) throws -> Value {
    let hay = s.utf8, needle = separator.utf8, p = s.bytes, ascii = s.isASCII
    let count = 1 + occurrences(of: needle, in: hay)
    if count == 1 { return machine.heap.list([s]) }
    try machine.reserve(bytes: bytes(of: count, hay.count))
    return machine.heap.list(count: count) { out in
      var start = 0
      for i in 0..<count {
        let end = Bytes.find(needle, in: hay, from: start) ?? hay.count
        out[i] = machine.heap.string(p + start, end - start, scalars: ascii ? end - start : nil)
        start = end + needle.count
      }
    }
  }

  private static func occurrences(of needle: UnsafeBufferPointer<UInt8>, in hay: UnsafeBufferPointer<UInt8>) -> Int {
    var count = 0, from = 0
    if needle.count == 1 {
      let byte = needle[0]
      for i in hay.indices { count &+= hay[i] == byte ? 1 : 0 }
      return count
    }
    while let at = Bytes.find(needle, in: hay, from: from) {
      count += 1
      from = at + needle.count
    }
    return count
  }

  static func words(_ s: Value, _ machine: Machine) throws -> Value {
    let p = s.bytes, ascii = s.isASCII
    var count = 0
    forEachWord(of: s) { _, _ in count += 1 }
    try machine.reserve(bytes: bytes(of: count, s.byteCount))
    return machine.heap.list(count: count) { out in
      var i = 0
      forEachWord(of: s) { start, end in
        out[i] = machine.heap.string(p + start, end - start, scalars: ascii ? end - start : nil)
        i += 1
      }
    }
  }

  /// Calls `body` with the first byte of each word and the one behind it.
  @inline(__always) private static func forEachWord(of s: Value, _ body: (Int, Int) -> Void) {
    let p = s.bytes, n = s.byteCount
    var start = 0, i = 0
    while i < n {
      if p[i] > 0x20, p[i] < 0x80 {
        i += 1
        continue
      }
      let blank = LetterCase.whiteSpace(p + i)
      if blank == 0 {
        i += UTF8Text.width(p[i])
        continue
      }
      if i > start { body(start, i) }
      i += blank
      start = i
    }
    if n > start { body(start, n) }
  }

  /// About what so many pieces of a text of that many bytes take: a place in a list each, a cell, and the text.
  private static func bytes(of count: Int, _ textBytes: Int) -> Int { count * 32 + textBytes }

  static func scalars(_ s: Value, _ machine: Machine) throws -> Value {
    try machine.reserve(bytes: s.length * 32)
    var at = s.bytes
    return machine.heap.list(count: s.length) { out in
      for i in 0..<s.length {
        let width = UTF8Text.width(at[0])
        out[i] = machine.heap.string(at, width, scalars: 1)
        at += width
      }
    }
  }

  static func join(_ separator: Value, _ list: Value, _ machine: Machine) throws -> Value {
    let n = list.listCount
    if n == 0 { return machine.heap.string(uninitialized: 0, scalars: 0) }
    var bytes = separator.byteCount &* (n &- 1), scalars = separator.length &* (n &- 1)
    for part in ListElements(list) {
      // Mostly all are strings, and a list of what is joined would be a copy.
      guard part.isString else {
        return try join(separator, machine.heap.list(ListElements(list).map(machine.displayString)), machine)
      }
      bytes &+= part.byteCount
      scalars &+= part.length
    }
    let result = try machine.string("join", uninitialized: bytes, scalars: scalars)
    var out = result.bytes, isFirst = true
    for part in ListElements(list) {
      if !isFirst { Bytes.copy(separator.bytes, separator.byteCount, to: &out) }
      isFirst = false
      Bytes.copy(part.bytes, part.byteCount, to: &out)
    }
    return result
  }

  static func replace(_ s: Value, _ part: Value, _ replacement: Value, _ machine: Machine) throws -> Value {
    let hay = s.utf8, needle = part.utf8
    var places: [Int] = [], from = 0
    while let at = Bytes.find(needle, in: hay, from: from) {
      places.append(at)
      try machine.reserve(next: places.count, of: 8)
      from = at + needle.count
    }
    if places.isEmpty { return s }
    let count = hay.count + places.count * (replacement.byteCount - needle.count)
    let result = try machine.string("replace", uninitialized: count, scalars: s.length + places.count * (replacement.length - part.length))
    let p = s.bytes, with = replacement.bytes, withCount = replacement.byteCount
    var out = result.bytes, start = 0
    for at in places {
      out.update(from: p + start, count: at - start)
      out += at - start
      out.update(from: with, count: withCount)
      out += withCount
      start = at + needle.count
    }
    out.update(from: p + start, count: hay.count - start)
    return result
  }
}
