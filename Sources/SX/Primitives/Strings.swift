extension NativeTable {
  mutating func installStrings() {
    installText()
    installLetterCase()
    installSplitting()
    installPadding()
    installStringNumbers()
    installSymbolNames()
    installMarkupText()
    installStringBuffers()
  }

  /// Making, measuring, comparing and searching.
  private mutating func installText() {
    add("str", rest("values"), doc: "The display forms of the arguments in one string: a string bare, nil as nothing, a list or dict in its written form, a whole float without point.", example: "(str \"n=\" 1 nil 2.0) → \"n=12\"") { m, args in
      try m.str(args.base, args.count)
    }
    add("string-append", rest("strings", .string), doc: "The strings in one.", example: "(string-append \"a\" \"b\") → \"ab\"") { m, args in try m.str(args.base, args.count) }
    add("string-length", required("string", .string), doc: "Number of Unicode scalars. O(1).", example: "(string-length \"añb\") → 3") { _, args in .fix(args[0].length) }
    add("substring", required("string", .string), required("from", .integer), optional("to", .integer), doc: "The scalars from `from` up to `to` (default: the end), not included. A range outside the string is an error; `slice` clamps.", example: "(substring \"hello\" 1 3) → \"el\"") { m, args in
      let n = args[0].length, from = args.integer(1), to = args.integer(2, default: n)
      let isStart = from < 0 || from > n
      guard !isStart, from <= to, to <= n else {
        let problem = !isStart && to < from ? "index \(to) lies before \(from), where the range begins" : "index \(isStart ? from : to) is out of range for a string of length \(n)"
        throw m.error("substring: argument \(isStart ? 2 : 3): \(problem)", hint: "slice clamps its range")
      }
      return m.stringSlice(args[0], from, to)
    }
    add("starts-with?", required("string", .string), required("prefix", .string), doc: "Does the string begin with the prefix?", example: "(starts-with? \"hello\" \"he\") → true") { m, args in
      m.heap.countSteps(args[1].byteCount >> 2)
      return .bool(args[0].byteCount >= args[1].byteCount && Bytes.equal(args[0].bytes, args[1].bytes, args[1].byteCount))
    }
    add("ends-with?", required("string", .string), required("suffix", .string), doc: "Does the string end with the suffix?", example: "(ends-with? \"hello\" \"lo\") → true") { m, args in
      m.heap.countSteps(args[1].byteCount >> 2)
      let from = args[0].byteCount - args[1].byteCount
      return .bool(from >= 0 && Bytes.equal(args[0].bytes + from, args[1].bytes, args[1].byteCount))
    }
    add("string-contains?", required("string", .string), required("part", .string), doc: "Does the part stand anywhere in the string?", example: "(string-contains? \"hello\" \"ell\") → true") { m, args in
      .bool(try m.find(args[1], in: args[0]) != nil)
    }

    func order(_ name: String, _ what: String, _ example: String, _ holds: @escaping @Sendable (Value, Value) -> Bool) {
      add(name, required("a", .string), required("b", .string), rest("more", .string), doc: "Is each string \(what) the next, scalar by scalar?", example: example) { m, args in
        .bool((1..<args.count).allSatisfy {
          m.heap.countSteps(min(args[$0 - 1].byteCount, args[$0].byteCount) >> 2)
          return holds(args[$0 - 1], args[$0])
        })
      }
    }
    order("string=?", "equal to", "(string=? \"a\" \"a\") → true") { $0.textEquals($1) }
    order("string<?", "before", "(string<? \"a\" \"b\" \"c\") → true") { $0.textLess($1) }
    order("string>?", "after", "(string>? \"a\" \"b\") → false") { $1.textLess($0) }
    order("string<=?", "before or equal to", "(string<=? \"a\" \"a\") → true") { !$1.textLess($0) }
    order("string>=?", "after or equal to", "(string>=? \"a\" \"b\") → false") { !$0.textLess($1) }

    add("char-from-code", required("code", .integer), doc: "The string of the one Unicode scalar with this number.", example: "(char-from-code 233) → \"é\"") { m, args in
      guard let code = UInt32(exactly: args.integer(0)), let scalar = Unicode.Scalar(code) else { throw m.wrongType("char-from-code", 1, "the number of a Unicode scalar", args[0]) }
      return m.heap.string(scalar)
    }
    add("char-code", required("character"), doc: "The number of a character, or of a string's first Unicode scalar.", example: "(char-code \"é\") → 233") { m, args in
      if args[0].isCharacter { return .fix(Int(args[0].scalar.value)) }
      guard args[0].isString else { throw m.wrongType("char-code", 1, "string", args[0]) }
      guard args[0].length > 0 else { throw m.error("char-code: the string is empty") }
      return .fix(Int(UTF8Text.decode(args[0].bytes).scalar.value))
    }
    add("string->list", required("string", .string), growth: 16, doc: "The characters of a string.", example: "(string->list \"ab\") → (#\\a #\\b)") { m, args in
      let p = args[0].bytes
      return m.heap.list(count: args[0].length) { out in
        var at = 0
        for i in 0..<args[0].length {
          let (scalar, width) = UTF8Text.decode(p + at)
          out[i] = .character(scalar)
          at += width
        }
      }
    }
    add("list->string", required("list", .list), growth: 16, doc: "The string of a list of characters; strings in the list are joined as they are.", example: "(list->string (list #\\a \"bc\")) → \"abc\"") { m, args in
      var out = ByteWriter(capacity: args[0].listCount)
      for v in ListElements(args[0]) {
        if v.isCharacter { out.append(v.scalar) } else if v.isString { out.append(v.utf8) } else { throw m.wrongType("list->string", 1, "list of characters or strings", v, within: true) }
      }
      return try m.string("list->string", out)
    }
    add("string-hash64-hex", required("string", .string), walks: true, doc: "A hash of 64 bits as 16 hexadecimal digits; the same in every process. Not for secrets.", example: "(string-hash64-hex \"\") → \"f52a15e9a9b5e89b\"") { m, args in
      var hash: UInt64 = 0xCBF2_9CE4_8422_2325                         // FNV-1a, then mixed so that short texts differ in every digit
      for b in args[0].utf8 { hash = (hash ^ UInt64(b)) &* 0x100_0000_01B3 }
      hash = (hash ^ hash &>> 30) &* 0xBF58_476D_1CE4_E5B9
      hash = (hash ^ hash &>> 27) &* 0x94D0_49BB_1331_11EB
      hash ^= hash &>> 31
      let hex = String(hash, radix: 16)
      return m.heap.string(String(repeating: "0", count: 16 - hex.utf8.count) + hex)
    }
  }

  private mutating func installSymbolNames() {
    add("string->symbol", required("name", .text), growth: 3, doc: "The symbol with a name.", example: "(string->symbol \"abc\") → abc") { m, args in m.heap.symbol(args[0].utf8) }
    alias("make-symbol")
    add("symbol->string", required("symbol", .symbol), doc: "The name of a symbol.", example: "(symbol->string 'abc) → \"abc\"") { m, args in m.heap.string(args[0].utf8) }
    alias("symbol-name")
    add("make-keyword", required("name", .text), growth: 3, doc: "The keyword with a name.", example: "(make-keyword \"abc\") → :abc") { m, args in m.heap.keyword(args[0].utf8) }
    alias("string->keyword")
    add("keyword-name", required("keyword", .text), doc: "The name of a keyword. An evaluated keyword is a string already and stays as it is.", example: "(keyword-name ':abc) → \"abc\"") { m, args in
      args[0].isString ? args[0] : m.heap.string(args[0].utf8)
    }
  }
}
