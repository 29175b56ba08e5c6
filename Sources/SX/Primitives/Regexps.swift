/// A compiled pattern.
final class Regexp: HeapObject {
  let source: String
  let flags: String
  let program: RegexpProgram
  /// For searches; nil when the program is none for it.
  let automaton: RegexpAutomaton?

  /// Flags are any of `i`, `m`, `s` and `x`; `g` and `u` mean what holds anyway.
  init(_ source: String, flags: String) throws {
    var set = RegexpParser.Flags()
    for flag in flags {
      switch flag {
      case "i": set.ignoresCase = true
      case "m": set.multiline = true
      case "s": set.dotAll = true
      case "x": set.extended = true
      case "g", "u": break
      default: throw RegexpError(message: "unknown flag `\(flag)`; known are i, m, s and x", offset: 0)
      }
    }
    self.source = source
    self.flags = String(flags.filter { "imsx".contains($0) }.sorted())
    program = try RegexpProgram(source, set)
    automaton = RegexpAutomaton(program)
    pattern = (self.flags.isEmpty ? "" : "(?\(self.flags))") + Regexp.withoutEscapedQuotes(source)
  }

  /// The whole meaning as one text, in which flags stand in front and a quote has no backslash.
  let pattern: String

  private static func withoutEscapedQuotes(_ source: String) -> String {
    var out = String.UnicodeScalarView(), escaped = false
    for c in source.unicodeScalars {
      if escaped, c == "\"" { out.removeLast() }
      out.append(c)
      escaped = c == "\\" && !escaped
    }
    return String(out)
  }

  override var typeName: String { "regexp" }
  override var externalBytes: Int { 256 + program.instructions.count * 24 + (automaton?.bytes ?? 0) }
  override func isEqual(to other: HeapObject) -> Bool { (other as? Regexp)?.pattern == pattern }
  override var contentHash: Int? { pattern.hashValue }
  /// As the reader reads it: a quote gets a backslash.
  override func describe(_ machine: Machine) -> String {
    "#\"" + pattern.unicodeScalars.reduce(into: "") { $0 += $1 == "\"" ? "\\\"" : String(Character($1)) } + "\""
  }
}

/// The regexps that strings were compiled to lately: such a string mostly stands in a function that is called again.
struct PatternCache {
  private static let mostPatterns = 32, mostInstructions = 500
  private var regexps: [String: Regexp] = [:]

  subscript(source: String) -> Regexp? { regexps[source] }

  mutating func add(_ regexp: Regexp) {
    guard regexp.program.instructions.count <= PatternCache.mostInstructions else { return }
    if regexps.count == PatternCache.mostPatterns { regexps = [:] }
    regexps[regexp.source] = regexp
  }
}

extension Machine {
  func regexpError(_ name: String, _ e: RegexpError, _ source: String) -> Raise {
    error("\(name): \(e.message), at offset \(e.offset) of `\(source)`")
  }
  /// Argument 1 as a regexp; a string is compiled.
  fileprivate func regexp(_ v: Value, _ name: String) throws -> Regexp {
    if v.isString {
      let source = v.text
      if let known = patterns[source] { return known }
      do {
        let made = try Regexp(source, flags: "")
        patterns.add(made)
        return made
      } catch let e as RegexpError { throw regexpError(name, e, source) }
    }
    guard let regexp = v.object(as: Regexp.self) else { throw wrongType(name, 1, "regexp or string", v) }
    return regexp
  }

  /// Every match from a scalar on, without overlaps; after an empty match the next one begins a scalar later. `groups`: whether they are asked for.
  fileprivate func matches(_ regexp: Regexp, _ text: Value, from: Int, most: Int = .max, groups: Bool) throws -> RegexpMatches {
    var search = RegexpSearch(regexp.program, regexp.automaton, self, groups: groups), all = RegexpMatches(slotCount: search.slots.count)
    let bytes = text.utf8
    var at = heap.byteOffset(of: text, scalar: from), lastEnd = -1
    while all.count < most, at <= bytes.count, try search.next(bytes, from: at) {
      let start = search.slots[0], end = search.slots[1]
      if end > start || start != lastEnd { all.append(search.slots) }         // an empty match behind another match is none
      try reserve(next: all.count, of: 8 * all.slotCount)
      lastEnd = end
      at = end > start ? end : end < bytes.count ? end + UTF8Text.width(bytes[end]) : bytes.count + 1
    }
    return all
  }

  /// A list of the matches as data; scalars are counted on from one match to the next, so that many matches cost no more than the text is long.
  fileprivate func matchDicts(_ regexp: Regexp, _ text: Value, _ all: RegexpMatches) throws -> Value {
    let match = heap.constantString("match"), start = heap.constantString("start"), end = heap.constantString("end")
    let groups = heap.constantString("groups"), named = heap.constantString("named")
    let groupCount = regexp.program.groupCount, names = regexp.program.groupNames.map { (heap.string($0.name), $0.number) }
    var byte = 0, scalar = 0
    func index(_ b: Int) -> Int {
      if text.isASCII { return b }
      if b < byte { (byte, scalar) = (0, 0) }
      scalar += Bytes.scalarCount(text.bytes + byte, b - byte)
      byte = b
      return scalar
    }
    func group(_ i: Int, _ k: Int) -> Value {
      let start = all.start(i, group: k), end = all.end(i, group: k)
      return start < 0 || end < 0 ? .nil : heap.string(text.bytes + start, end - start)
    }
    return try heap.list(count: all.count) { matches in
      for i in 0..<all.count {
        try charge(64 + 32 * all.slotCount)
        matches[i] = heap.dict(count: names.isEmpty ? 4 : 5) { entries in
          entries[0] = (match, group(i, 0))
          entries[1] = (start, .fix(index(all.start(i))))
          entries[2] = (end, .fix(index(all.end(i))))
          entries[3] = (groups, heap.list(count: groupCount) { out in for k in 0..<groupCount { out[k] = group(i, k + 1) } })
          if !names.isEmpty {
            let byName = heap.dict(capacity: names.count)
            for (name, number) in names { heap.set(byName, name, group(i, number)) }
            entries[4] = (named, byName)
          }
        }
      }
    }
  }

  /// The first match as data, or nil.
  fileprivate func firstMatch(_ regexp: Regexp, _ text: Value, _ all: RegexpMatches) throws -> Value {
    all.count == 0 ? .nil : heap.element(try matchDicts(regexp, text, all), 0)
  }

  fileprivate func replaced(_ regexp: Regexp, _ text: Value, _ replacement: Value, _ name: StaticString, most: Int) throws -> Value {
    let all = try matches(regexp, text, from: 0, most: most, groups: replacement.utf8.contains(UInt8(ascii: "$")))
    if all.count == 0 { return text }
    let template = try RegexpTemplate(replacement.text, regexp.program, self, "\(name)")
    var out = ByteWriter(capacity: text.byteCount + 64), end = 0
    for i in 0..<all.count {
      out.append(text.bytes + end, all.start(i) - end)
      for part in template.parts {
        switch part {
        case .text(let bytes): out.append(bytes)
        case .group(let k):
          let from = all.start(i, group: k), to = all.end(i, group: k)
          if from >= 0, to >= 0 { out.append(text.bytes + from, to - from) }
        }
      }
      if out.count > 1 << 20 { try checkLength(name, out.count) }
      end = all.end(i)
    }
    out.append(text.bytes + end, text.byteCount - end)
    return try string(name, out)
  }
}

/// A replacement: `$1` or `${1}` is a group, `${name}` a named one, `$0` or `$&` the match, `$$` a dollar.
private struct RegexpTemplate {
  enum Part {
    case text(String)
    case group(Int)
  }
  private(set) var parts: [Part] = []

  init(_ text: String, _ program: RegexpProgram, _ machine: Machine, _ name: String) throws {
    var plain = "", rest = Substring(text)
    func group(_ reference: Substring) throws -> Int {
      if let named = program.groupNames.first(where: { $0.name == reference }) { return named.number }
      guard let k = Int(reference), k >= 0, k <= program.groupCount else { throw machine.error("\(name): the pattern has no group `\(reference)`") }
      return k
    }
    while let c = rest.first {
      rest = rest.dropFirst()
      guard c == "$", let next = rest.first else {
        plain.append(c)
        continue
      }
      let reference: Substring
      if next == "$" {
        rest = rest.dropFirst()
        plain.append("$")
        continue
      } else if next == "&" {
        rest = rest.dropFirst()
        reference = "0"
      } else if next == "{", let close = rest.firstIndex(of: "}") {
        reference = rest[rest.index(after: rest.startIndex)..<close]
        rest = rest[rest.index(after: close)...]
      } else {
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        guard !digits.isEmpty else {
          plain.append(c)
          continue
        }
        // As many digits as make a group: with three groups $12 is the first one and a 2.
        var taken = digits
        while taken.count > 1, (Int(taken) ?? .max) > program.groupCount { taken = taken.dropLast() }
        reference = taken
        rest = rest[taken.endIndex...]
      }
      if !plain.isEmpty { parts.append(.text(plain)) }
      plain = ""
      parts.append(.group(try group(reference)))
    }
    if !plain.isEmpty { parts.append(.text(plain)) }
  }
}

extension NativeTable {
  /// Regular expressions; the syntax is in `RegexpParser`. Replacing by a function is in `regexps.sx`.
  mutating func installRegexps() {
    add("regexp", required("pattern", .string), optional("flags", .string), doc: "A regular expression. Flags: `i` ignores case, `m` makes ^ and $ those of lines, `s` lets a dot be a newline, `x` skips blanks in the pattern. Matching takes time linear in the text, whatever the pattern: there are no back references and no lookaround. The literal is #\"a+\", in which a backslash is one.", example: "(regexp \"a+\" \"i\") → #\"(?i)a+\"") { m, args in
      let flags = args.optional(1) ?? .nil
      do { return m.heap.allocate(object: try Regexp(args[0].text, flags: flags.isNil ? "" : flags.text)) } catch let e as RegexpError { throw m.regexpError("regexp", e, args[0].text) }
    }
    alias("make-regexp")
    add("regexp?", required("value"), doc: "Is it a regular expression?", example: "(regexp? #\"a\") → true") { _, args in .bool(args[0].object(as: Regexp.self) != nil) }
    add("regexp-source", required("regexp", .pattern), doc: "The pattern that the regexp was made of.", example: "(regexp-source (regexp \"a+\" \"i\")) → \"a+\"") { m, args in m.heap.string(try m.regexp(args[0], "regexp-source").source) }
    add("regexp-flags", required("regexp", .pattern), doc: "Its flags, in the order of the alphabet.", example: "(regexp-flags (regexp \"a+\" \"mi\")) → \"im\"") { m, args in m.heap.string(try m.regexp(args[0], "regexp-flags").flags) }
    @Sendable func start(_ m: Machine, _ args: Arguments, _ name: String) throws -> Int {
      let from = args.integer(2, default: 0)
      guard from >= 0, from <= args[1].length else { throw m.error("\(name): argument 3: \(from) is outside a string of length \(args[1].length)") }
      return from
    }
    add("regexp-match", required("regexp", .pattern), required("string", .string), optional("from", .integer), doc: "The first match at or after the scalar `from` (0): a dict with `match`, `start`, `end`, `groups` (nil for one that took no part) and, when there are named groups, `named`. nil when there is none.", example: "(regexp-match \"b(.)\" \"abc\") → {:match \"bc\" :start 1 :end 3 :groups (\"c\")}") { m, args in
      let regexp = try m.regexp(args[0], "regexp-match")
      return try m.firstMatch(regexp, args[1], m.matches(regexp, args[1], from: try start(m, args, "regexp-match"), most: 1, groups: true))
    }
    add("regexp-match-all", required("regexp", .pattern), required("string", .string), optional("from", .integer), doc: "Every match at or after the scalar `from` (0), as `regexp-match` shows one; they do not overlap.", example: "(map (fn (m) (get m :match)) (regexp-match-all \"[0-9]+\" \"1 22 3\")) → (\"1\" \"22\" \"3\")") { m, args in
      let regexp = try m.regexp(args[0], "regexp-match-all")
      return try m.matchDicts(regexp, args[1], m.matches(regexp, args[1], from: try start(m, args, "regexp-match-all"), groups: true))
    }
    add("regexp-test", required("regexp", .pattern), required("string", .string), doc: "Does it match anywhere in the string?", example: "(regexp-test \"^[a-z]+$\" \"abc\") → true") { m, args in
      try .bool(m.matches(m.regexp(args[0], "regexp-test"), args[1], from: 0, most: 1, groups: false).count > 0)
    }
    alias("regexp-matches?")
    add("regexp-match-whole", required("regexp", .pattern), required("string", .string), doc: "The match of the whole string, as `regexp-match` shows one, or nil.", example: "(regexp-match-whole \"a|ab\" \"ab\") → {:match \"ab\" :start 0 :end 2 :groups ()}") { m, args in
      let regexp = try m.regexp(args[0], "regexp-match-whole")
      var matcher = RegexpMatcher(regexp.program, m), all = RegexpMatches(slotCount: regexp.program.slotCount)
      if try matcher.match(args[1].utf8, from: 0, whole: true) { all.append(matcher.found) }
      return try m.firstMatch(regexp, args[1], all)
    }
    add("regexp/-replace", required("regexp", .pattern), required("string", .string), required("replacement", .string), required("all"), doc: "The string with the first match, or every one, replaced by a template.") { m, args in
      let all = !args[3].isFalsy
      return try m.replaced(try m.regexp(args[0], all ? "regexp-replace-all" : "regexp-replace"), args[1], args[2], all ? "regexp-replace-all" : "regexp-replace", most: all ? .max : 1)
    }
    add("regexp-split", required("regexp", .pattern), required("string", .string), optional("limit", .integer), doc: "The pieces between the matches, at most `limit` of them; the last one is the rest. A match of nothing splits between scalars, but not at the ends.", example: "(regexp-split \", *\" \"a, b,c\") → (\"a\" \"b\" \"c\")") { m, args in
      let regexp = try m.regexp(args[0], "regexp-split"), text = args[1]
      let limit = args.integer(2, default: .max)
      guard limit > 0 else { throw m.error("regexp-split: argument 3: expected a limit from 1, got \(limit)") }
      var pieces: [Value] = [], end = 0
      let all = try m.matches(regexp, text, from: 0, groups: false)
      for i in 0..<all.count where pieces.count < limit - 1 {
        if all.start(i) == all.end(i), all.start(i) == 0 || all.start(i) == text.byteCount { continue }
        pieces.append(m.heap.string(text.bytes + end, all.start(i) - end))
        try m.reserve(next: pieces.count, of: 8)
        end = all.end(i)
      }
      pieces.append(m.heap.string(text.bytes + end, text.byteCount - end))
      return m.heap.list(pieces)
    }
    add("regexp-quote", required("string", .string), walks: true, doc: "A pattern that matches just this string.", example: "(regexp-quote \"a.b\") → \"a\\\\.b\"") { m, args in
      var out = ByteWriter(capacity: args[0].byteCount + 16)
      for b in args[0].utf8 {
        if "\\^$.|?*+()[]{}#-".utf8.contains(b) { out.append(UInt8(ascii: "\\")) }
        out.append(b)
      }
      return try m.string("regexp-quote", out)
    }
    alias("regexp-escape")
  }
}
