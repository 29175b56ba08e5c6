import SX
import Testing

@Suite struct StringLiteralTests {
  static let texts = ["", "plain", "a \"quoted\" \\ word", "tab\tline\nreturn\r", "\u{0}\u{1F}\u{7F}", "é 🌍", "\u{85}\u{200B}\u{202E}\u{FEFF}", "#|x|# ; y"]

  @Test(arguments: texts, [StringLiteral.Style.oneLine, .source]) func theReaderReadsItBack(_ text: String, _ style: StringLiteral.Style) throws {
    #expect(try Interpreter().evaluate(StringLiteral.of(text, style)).string == text)
  }

  @Test(arguments: texts) func thePrinterWritesTheSame(_ text: String) {
    #expect(Interpreter().makeHandle(.string(text)).description == StringLiteral.of(text))
  }

  @Test func aLiteralOnOneLineHasNoControlCharacter() {
    #expect(StringLiteral.of("a\nb\r\tc\u{1B}") == #""a\nb\r\tc\u001b""#)
  }

  @Test func aLiteralForPeopleKeepsItsLinesAndHidesNothing() {
    #expect(StringLiteral.of("a\nb\u{200B}é", .source) == "\"a\nb\\u200bé\"")
  }
}
