import SX
import Testing

@Suite struct DatumDictionaryTests {
  @Test(arguments: [3, 16, 17, 40]) func entriesAreFoundAndStayInOrder(count: Int) {
    var dictionary = DatumDictionary()
    for i in 0..<count { dictionary["key \(i)"] = .integer(i) }
    dictionary["key 1"] = "again"
    #expect(dictionary.count == count && dictionary["key \(count)"] == nil && dictionary["key 1"] == "again")
    #expect(dictionary.map(\.key) == (0..<count).map { "key \($0)" })
    #expect(dictionary == DatumDictionary(uniqueKeysWithValues: dictionary.reversed().map { ($0.key, $0.value) }))
    // Below the number from which on there is an index, too.
    for i in 0..<(count - 1) {
      dictionary["key \(i)"] = nil
      #expect(dictionary["key \(i)"] == nil && dictionary["key \(count - 1)"] == .integer(count - 1))
    }
    #expect(dictionary.count == 1)
  }

  @Test(arguments: [3, 20]) func entriesWithTheSameKeyAreRefused(count: Int) async {
    await #expect(processExitsWith: .failure) { [count] in
      _ = DatumDictionary(uniqueKeysWithValues: (0..<count).map { ("key \($0 % (count - 1))", .null) })
    }
  }

  @Test(arguments: [3, 16, 17, 40]) func itsEntriesAreThoseOfTheDictInSX(count: Int) throws {
    var dictionary = DatumDictionary()
    for i in 0..<count { dictionary["key \(i)"] = .integer(i) }
    let sx = Interpreter()
    sx.setGlobal("d", to: sx.makeHandle(.dict(dictionary)))
    #expect(try sx.evaluate("(list (len d) (get d \"key 1\") (get d (str \"key \" (- (len d) 1))) (get d \"none\"))").datum() == [.integer(count), 1, .integer(count - 1), nil])
    #expect(try sx.evaluate("(do (dict-set! d \"key 1\" 7) (dict-set! d \"new\" 8) (dict-delete! d \"key 0\") d)").datum()["key 1"] == 7)
    #expect(try sx.evaluate("(list (len d) (first (keys d)) (last (keys d)))").datum() == [.integer(count), "key 1", "new"])
  }

  @Test func keysOfDataAreFoundByTheirScalarsWhicheverCameBefore() throws {
    let sx = Interpreter()
    // For Swift, the Kelvin sign equals K, and an é of two scalars one of one.
    let spellings = ["K", "\u{212A}", "\u{E9}", "e\u{301}", "a\u{301}\u{323}", "a\u{323}\u{301}", "", "K"]
    try sx.evaluate("(define known {\"K\" 0 \"\u{212A}\" 1 \"\u{E9}\" 2 \"e\u{301}\" 3 \"a\u{301}\u{323}\" 4 \"a\u{323}\u{301}\" 5 \"\" 6})")
    for (i, key) in (spellings + spellings).enumerated() {
      sx.setGlobal("d", to: sx.makeHandle(.dict([key: .integer(i)])))
      #expect(try sx.evaluate("(get known (first (keys d)))").integer == i % 8 % 7, "\(key.unicodeScalars.map(\.value))")
    }
  }

  @Test(arguments: [0, 20]) func textsOfOtherScalarsAreOtherKeys(others: Int) {
    var dictionary = DatumDictionary()
    for i in 0..<others { dictionary["\(i)"] = .integer(i) }
    dictionary["\u{E9}"] = 1
    dictionary["e\u{301}"] = 2
    // Canonically equivalent, and of as many bytes.
    dictionary["a\u{301}\u{323}"] = 3
    dictionary["a\u{323}\u{301}"] = 4
    #expect(dictionary.count == others + 4)
    #expect(dictionary["\u{E9}"] == 1 && dictionary["e\u{301}"] == 2 && dictionary["a\u{301}\u{323}"] == 3 && dictionary["a\u{323}\u{301}"] == 4)
  }
}
