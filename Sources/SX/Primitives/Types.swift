extension NativeTable {
  mutating func installTypes() {
    func type(_ name: String, _ what: String, _ test: @escaping @Sendable (Value) -> Bool) {
      add(name, required("value"), doc: "Is it \(what)?") { _, args in .bool(test(args[0])) }
    }
    type("nil?", "nil") { $0.isNil }
    type("boolean?", "true or false") { $0.isBool }
    type("number?", "a number") { Arithmetic.isNumber($0) }
    type("integer?", "an integer, or a float without fraction") { Arithmetic.integer($0) != nil || Arithmetic.float($0).map { $0.isFinite && $0 == $0.rounded() } ?? false }
    type("float?", "a float") { Arithmetic.float($0) != nil }
    type("rational?", "a finite number") { Arithmetic.exact($0) != nil || Arithmetic.float($0).map(\.isFinite) ?? false }
    type("real?", "a number") { Arithmetic.isNumber($0) }
    type("ratio?", "a fraction that is no integer") { $0.isKind(.rational) }
    type("exact?", "an exact number: an integer or a fraction") { Arithmetic.exact($0) != nil }
    type("exact-integer?", "an exact integer") { Arithmetic.integer($0) != nil }
    type("inexact?", "a float") { Arithmetic.float($0) != nil }
    type("string?", "a string") { $0.isString }
    type("symbol?", "a symbol") { $0.isKind(.symbol) }
    type("keyword?", "a keyword") { $0.isKind(.keyword) }
    type("char?", "a character") { $0.isCharacter }
    type("list?", "a list") { $0.isListCell }
    type("pair?", "a list with elements") { $0.isListCell && $0.length > 0 }
    type("null?", "the empty list or nil") { $0.isNil || $0.isListCell && $0.length == 0 }
    type("dict?", "a dict") { $0.isDict }
    type("lambda?", "a function made by `fn`") { $0.isKind(.closure) }
    type("procedure?", "something that can be called") { $0.isCallable }
    alias("callable?")
    alias("function?")
    type("continuation?", "a continuation") { $0.object(as: Continuation.self) != nil || $0.object(as: DelimitedContinuation.self) != nil }
    type("parameter?", "a parameter") { $0.object(as: Parameter.self) != nil }
    type("macro?", "a macro") { $0.object(as: Macro.self) != nil }
    type("error?", "an error value") { $0.object(as: ErrorObject.self) != nil }
    type("coroutine?", "a coroutine") { $0.object(as: Fiber.self)?.isCoroutine ?? false }
    add("type-of", required("value"), doc: "The name of the value's type.", example: "(type-of 1.5) → \"number\"") { m, args in m.heap.string(m.typeName(args[0])) }
    add("eq?", required("a"), required("b"), doc: "Is it the very same value?", example: "(eq? 'a 'a) → true") { _, args in .bool(args[0] == args[1]) }
    alias("identical?")
    add("eqv?", required("a"), required("b"), doc: "The very same value, or numbers of one kind with one value?", example: "(eqv? 1.5 1.5) → true") { _, args in .bool(Equality.eqv(args[0], args[1])) }
    add("equal?", required("a"), required("b"), doc: "Deeply equal? Cyclic data ends.", example: "(equal? (list 1 {:a 2}) (list 1 {:a 2})) → true") { m, args in .bool(Equality.deep(args[0], args[1], m.heap)) }
    add("not", required("value"), doc: "true for false and nil, else false.", example: "(not nil) → true") { _, args in .bool(args[0].isFalsy) }
    add("gensym", optional("prefix", .text), doc: "A symbol that no source can spell twice.") { m, args in
      m.gensymCount += 1
      return m.heap.symbol((args.optional(0).map { $0.isNil ? "g" : $0.text } ?? "g") + "__\(m.gensymCount)")
    }
    add("set-strict!", required("on"), doc: "Off: arithmetic takes nil and false for 0, true for 1, and parses strings.") { m, args in
      m.isStrict = !args[0].isFalsy
      return args[0]
    }
  }
}
