@testable import SX
import Testing

/// Values that go in and out: views, and `Codable` types.
@Suite struct ValueTests {
  @Test(arguments: ["(list 1 2 3)", "(rest (list 0 1 2 3))", "(map inc (range 3))", "(let ((l (list 1))) (append! l 2) (append! l 3) l)", "(cons 1 (map inc (list 1 2)))", "(rest (range 4))", "(cons 1 (cons 2 (cons 3 nil)))"])
  func aListIsWalkedElementByElement(source: String) throws {
    let sx = Interpreter(), list = try #require(try sx.evaluate(source).list)
    #expect(list.count == 3)
    #expect(list.map(\.integer) == [1, 2, 3])
    #expect(try sx.evaluate("5").list == nil)
    #expect(try sx.evaluate("nil").list?.count == 0)
  }

  @Test func whatIsNotAskedForIsNotCopied() throws {
    let sx = Interpreter(), list = try #require(try sx.evaluate("(range 1000000)").list)
    sx.collectGarbage()
    let before = sx.heapBytes
    #expect(list.prefix(3).map(\.integer) == [0, 1, 2])
    #expect(list.first { ($0.integer ?? 0) > 10 }?.integer == 11)
    #expect(sx.heapBytes == before)
  }

  @Test func aListThatChangesWhileItIsWalkedIsSafe() throws {
    let sx = Interpreter(), list = try sx.evaluate("(define l (list 1 2 3)) l")
    var seen = 0
    for element in try #require(list.list) {
      seen += element.integer ?? 0
      if seen < 50 { try sx.evaluate("(append! l 10) (range 10000)") }
      sx.collectGarbage()
    }
    #expect(seen >= 6)
  }

  @Test(arguments: ["{:a 1 :b \"two\"}", "(assoc {:a 1} :b \"two\")", "(let ((d {})) (dict-set! d :a 1) (dict-set! d :b \"two\") d)"])
  func theEntriesOfADictComeInOrder(source: String) throws {
    let sx = Interpreter(), dict = try sx.evaluate(source), entries = try #require(dict.entries)
    #expect(entries.count == 2)
    #expect(entries.map(\.key) == ["a", "b"])
    #expect(entries.map(\.value.description) == ["1", "\"two\""])
    #expect(dict["b"]?.string == "two")
  }

  @Test func aLargeDictIsWalkedAsItWas() throws {
    let sx = Interpreter(), dict = try sx.evaluate("(define d {}) (for-each (fn (i) (dict-set! d (str i) (list i))) (range 1000)) d")
    var sum = 0
    for (key, value) in try #require(dict.entries) {
      try sx.call(try sx.evaluate("(fn (k) (dict-delete! d k) (collect-garbage))"), [.string(key)])
      sum += value.elements?.first?.integer ?? 0
    }
    #expect(sum == 499_500)
    #expect(dict.entries?.count == 0)
  }

  // MARK: Codable

  enum Size: String, Codable { case small, large }
  struct Line: Codable, Equatable {
    var article: String
    var count: Int
    var price: Double?
  }
  struct Order: Codable, Equatable {
    var id: UInt32
    var lines: [Line]
    var size: Size
    var tags: [String: Bool]
    var note: String?
    var nested: [[Int?]]
    var raw: Datum
  }
  let order = Order(
    id: 7, lines: [Line(article: "cup", count: 2, price: 1.5), Line(article: "tea", count: 1, price: nil)], size: .large, tags: ["gift": true], note: nil,
    nested: [[1, nil], []], raw: ["k": .keyword("v")])

  @Test func codableTypesGoInAndComeOut() throws {
    let sx = Interpreter(), handle = try sx.makeHandle(encoding: order)
    #expect(handle.description == "{:id 7 :lines ({:article \"cup\" :count 2 :price 1.5} {:article \"tea\" :count 1}) :size \"large\" :tags {:gift true} :nested ((1 nil) ()) :raw {:k :v}}")
    #expect(try handle.decoded(as: Order.self) == order)
    #expect(try DatumDecoder().decode(Order.self, from: try DatumEncoder().encode(order)) == order)
    #expect(try sx.evaluate("(list 1 2.5)").decoded(as: [Double].self) == [1, 2.5])
    #expect(try sx.evaluate("(list 'small :large)").decoded(as: [Size].self) == [.small, .large])
    #expect(try sx.evaluate("nil").decoded(as: Int?.self) == nil)
    #expect(try sx.evaluate("(bytevector 1 2)").decoded(as: [UInt8].self) == [1, 2])
    // What nobody asks for may be anything.
    #expect(try sx.evaluate("{:article \"cup\" :count 1 :f (fn () 1)}").decoded(as: Line.self) == Line(article: "cup", count: 1, price: nil))
  }

  @Test(arguments: [
    ("{:id 7 :lines (list {:article \"cup\" :count \"two\"})}", "lines.Index 0.count", "expected integer, got string"),
    ("{:id 7 :lines (list {:article \"cup\" :cuont 2})}", "lines.Index 0", "no value under :count; did you mean `cuont`?"),
    ("{:id -1}", "id", "-1 does not fit UInt32"), ("{:id nil}", "id", "expected integer, got nil"), ("{:id 7 :lines {}}", "lines", "expected list, got dict"), ("5", "", "expected dict, got number"),
  ])
  func aDecodingErrorSaysWhere(source: String, path: String, description: String) throws {
    let sx = Interpreter(), handle = try sx.evaluate(source)
    let datum = try handle.datum()
    for decode in [{ try handle.decoded(as: Order.self) }, { try DatumDecoder().decode(Order.self, from: datum) }] as [() throws -> Order] {
      let error = #expect(throws: DecodingError.self) { try decode() }
      let context: DecodingError.Context? =
        switch error {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context), .dataCorrupted(let context): context
        default: nil
        }
      #expect(context?.codingPath.map(\.stringValue).joined(separator: ".") == path)
      #expect(context?.debugDescription == description)
    }
  }

  @Test func anEncodingErrorSaysWhere() {
    struct Big: Encodable { var numbers: [UInt64] }
    let error = #expect(throws: EncodingError.self) { try DatumEncoder().encode(Big(numbers: [1, .max])) }
    guard case .invalidValue(_, let context)? = error else { return }
    #expect(context.codingPath.map(\.stringValue) == ["numbers", "Index 1"])
  }

  class Base: Codable {
    var a = 1
  }
  final class Derived: Base {
    var b = 2
    enum Keys: CodingKey { case b }
    override init() { super.init() }
    required init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: Keys.self)
      b = try container.decode(Int.self, forKey: .b)
      try super.init(from: container.superDecoder())
    }
    override func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: Keys.self)
      try container.encode(b, forKey: .b)
      try super.encode(to: container.superEncoder())
    }
  }

  @Test func classesAndNestedContainersWork() throws {
    let derived = Derived()
    (derived.a, derived.b) = (3, 4)
    let datum = try DatumEncoder().encode(derived)
    #expect(datum == ["b": 4, "super": ["a": 3]])
    let back = try DatumDecoder().decode(Derived.self, from: datum)
    #expect((back.a, back.b) == (3, 4))
  }

  struct Point: SXCodable, Equatable { var x: Double, y: Double }

  @Test func aCodableTypeIsAParameterAndAResult() throws {
    let sx = Interpreter()
    sx.define("mirror") { (p: Point) in Point(x: p.y, y: p.x) }
    #expect(try sx.evaluate("(mirror {:x 1 :y 2})").description == "{:x 2.0 :y 1.0}" || sx.evaluate("(mirror {:x 1 :y 2})").description == "{:x 2 :y 1}")
    #expect(#expect(throws: Diagnostic.self) { try sx.evaluate("(mirror {:x 1})") }?.message == "mirror: argument 1: expected point, got dict")
  }
}
