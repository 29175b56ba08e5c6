extension NativeTable {
  /// Characters: single Unicode scalars, as in R7RS.
  mutating func installCharacters() {
    add("char->integer", required("char", .character), doc: "The code of a character.", example: "(char->integer #\\a) → 97") { _, args in .fix(Int(args[0].scalar.value)) }
    add("integer->char", required("code", .integer), doc: "The character with a code. Half of a surrogate pair is none.", example: "(integer->char 97) → #\\a") { m, args in
      guard let code = UInt32(exactly: args.integer(0)), let scalar = Unicode.Scalar(code) else { throw m.error("integer->char: \(args.integer(0)) is no character") }
      return .character(scalar)
    }
    func mapped(_ name: String, _ doc: String, _ example: String, _ map: @escaping @Sendable (Unicode.Scalar) -> String) {
      add(name, required("char", .character), doc: doc, example: example) { _, args in
        let result = map(args[0].scalar).unicodeScalars
        return result.count == 1 ? .character(result.first.unsafelyUnwrapped) : args[0]          // ß has no capital letter that is one character
      }
    }
    mapped("char-upcase", "The capital letter, where that is one character; else the character itself.", "(char-upcase #\\é) → #\\É") { $0.properties.uppercaseMapping }
    mapped("char-downcase", "The small letter, where that is one character; else the character itself.", "(char-downcase #\\É) → #\\é") { $0.properties.lowercaseMapping }
    mapped("char-foldcase", "The form in which letters that differ in case alone are the same.", "(char-foldcase #\\Σ) → #\\σ") { String(Unicode.Scalar(CaseFold.fold($0.value)).map(Character.init) ?? "?") }

    func test(_ name: String, _ what: String, _ example: String, _ holds: @escaping @Sendable (Unicode.Scalar) -> Bool) {
      add(name, required("char", .character), doc: "Is it \(what), by Unicode?", example: example) { _, args in .bool(holds(args[0].scalar)) }
    }
    test("char-alphabetic?", "a letter", "(char-alphabetic? #\\é) → true") { $0.properties.isAlphabetic }
    test("char-numeric?", "a decimal digit", "(char-numeric? #\\7) → true") { $0.properties.generalCategory == .decimalNumber }
    test("char-whitespace?", "white space", "(char-whitespace? #\\tab) → true") { $0.properties.isWhitespace }
    test("char-upper-case?", "a capital letter", "(char-upper-case? #\\A) → true") { $0.properties.isUppercase }
    test("char-lower-case?", "a small letter", "(char-lower-case? #\\A) → false") { $0.properties.isLowercase }
    add("digit-value", required("char", .character), doc: "The value of a decimal digit of any script, or nil.", example: "(digit-value #\\7) → 7") { _, args in
      let properties = args[0].scalar.properties
      guard properties.generalCategory == .decimalNumber, let value = properties.numericValue else { return .nil }
      return .fix(Int(value))
    }

    func order(_ relation: String, _ what: String, _ holds: @escaping @Sendable (UInt32, UInt32) -> Bool) {
      for folded in [false, true] {
        let full = (folded ? "char-ci" : "char") + relation
        let answer = holds(97, folded ? 97 : 98)
        add(full, required("a", .character), required("b", .character), rest("more", .character), doc: "Is each character \(what) the next\(folded ? ", case aside" : "")?", example: "(\(full) #\\a #\\\(folded ? "A" : "b")) → \(answer)") { _, args in
          func code(_ i: Int) -> UInt32 { folded ? CaseFold.fold(args[i].scalar.value) : args[i].scalar.value }
          return .bool((1..<args.count).allSatisfy { holds(code($0 - 1), code($0)) })
        }
      }
    }
    order("=?", "equal to") { $0 == $1 }
    order("<?", "before") { $0 < $1 }
    order(">?", "after") { $0 > $1 }
    order("<=?", "before or equal to") { $0 <= $1 }
    order(">=?", "after or equal to") { $0 >= $1 }
    installCharactersOfStrings()
  }

  /// Strings as R7RS sees them: rows of characters. Strings do not change, so `string-set!` and `string-fill!` do not exist.
  private mutating func installCharactersOfStrings() {
    add("string", rest("values"), doc: "The string of the characters; other values by their display forms.", example: "(string #\\a #\\b) → \"ab\"") { m, args in try m.str(args.base, args.count) }
    add("make-string", required("count", .integer), optional("char", .character), doc: "A string of so many times the character (a space).", example: "(make-string 3 #\\x) → \"xxx\"") { m, args in
      guard args.integer(0) >= 0 else { throw m.error("make-string: argument 1: expected a length from 0, got \(args.integer(0))") }
      let char = args.optional(1) ?? .nil
      return try m.repeated("make-string", m.heap.string(char.isNil ? " " : char.scalar), args.integer(0))
    }
    add("string-ref", required("string", .string), required("index", .integer), doc: "The character at an index from 0. O(1) in ASCII text.", example: "(string-ref \"añb\" 1) → #\\ñ") { m, args in
      let i = try m.index(args, 2, below: args[0].length, "string-ref", of: "string")
      return .character(UTF8Text.decode(args[0].bytes + m.heap.byteOffset(of: args[0], scalar: i)).scalar)
    }
    add("string-copy", required("string", .string), optional("from", .integer), optional("to", .integer), doc: "The string, or a part of it.", example: "(string-copy \"hello\" 1 3) → \"el\"") { m, args in
      let range = try m.range(args, from: 2, in: args[0].length, "string-copy", of: "string")
      return m.stringSlice(args[0], range.lowerBound, range.upperBound)
    }
    add("string-foldcase", required("string", .string), walks: true, doc: "The form in which texts that differ in case alone are the same.", example: "(string-foldcase \"ABC\") → \"abc\"") { m, args in m.heap.string(StringFold.fold(args[0])) }
    func order(_ name: String, _ what: String, _ example: String, _ holds: @escaping @Sendable (Value, Value) -> Bool) {
      add(name, required("a", .string), required("b", .string), rest("more", .string), walks: true, doc: "Is each string \(what) the next, case aside?", example: example) { m, args in
        let folded = (0..<args.count).map { m.heap.string(StringFold.fold(args[$0])) }
        return .bool((1..<args.count).allSatisfy { holds(folded[$0 - 1], folded[$0]) })
      }
    }
    order("string-ci=?", "equal to", "(string-ci=? \"Ab\" \"aB\") → true") { $0.textEquals($1) }
    order("string-ci<?", "before", "(string-ci<? \"a\" \"B\") → true") { $0.textLess($1) }
    order("string-ci>?", "after", "(string-ci>? \"a\" \"B\") → false") { $1.textLess($0) }
    order("string-ci<=?", "before or equal to", "(string-ci<=? \"a\" \"A\") → true") { !$1.textLess($0) }
    order("string-ci>=?", "after or equal to", "(string-ci>=? \"a\" \"B\") → false") { !$0.textLess($1) }
  }
}

enum StringFold {
  /// `ß` and `SS` fold to one text: capital letters first, then small ones.
  static func fold(_ s: Value) -> String {
    String(String.UnicodeScalarView(s.text.unicodeScalars.flatMap { scalar -> [Unicode.Scalar] in
      scalar.properties.uppercaseMapping.unicodeScalars.flatMap { Array($0.properties.lowercaseMapping.unicodeScalars) }
    }))
  }
}
