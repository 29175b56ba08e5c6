@testable import SX
import Testing

/// The system refuses memory: an error that no script catches, and the interpreter goes on.
@Suite struct MemoryTests {
  private static let program = """
    (define (build n) (map (fn (i) {:id i :name (str "item " i) :parts (list i (str i) (* 1.5 i))}) (range 0 n)))
    (define (churn rounds)
      (let loop ((i 0) (kept (list)))
        (if (= i rounds)
            (len kept)
            (begin (append! kept (build 40)) (loop (+ i 1) kept)))))
    (guard (e (true "caught")) (churn 60))
    """

  /// Whatever is asked for when the system says no, the evaluation ends with an error, and the next one works.
  @Test func everyRefusalIsAnError() throws {
    var refused = 0
    for requests in stride(from: 0, to: 130, by: 6) {
      let sx = Interpreter()
      sx.machine.heap.refuseMemory(after: requests)
      do {
        #expect(try sx.evaluate(Self.program).description == "60")
      } catch let error as Diagnostic {
        refused += 1
        #expect(error.message == "out of memory: the system has none left")
      }
      #expect(try sx.evaluate("(+ 1 (len (map inc (range 0 1000))))").integer == 1001)
    }
    #expect(refused > 10)
  }

  /// Collections happen between primitives, so what one of them makes has to be looked at before.
  @Test func aHeapLimitIsNoticedInsideAPrimitive() throws {
    let sx = Interpreter()
    sx.heapLimit = 40 << 20
    for source in ["(range 0 100000000)", "(repeat \"x\" 100000000)", "(make-vector 100000000 0)", "(let ((l (list))) (let loop () (append! l 1) (loop)))"] {
      let error = #expect(throws: Diagnostic.self) { try sx.evaluate("(guard (e (true 1)) \(source))") }
      #expect(error?.message == "out of memory: the heap limit is reached", "\(source)")
    }
    #expect(try sx.evaluate("(len (range 0 1000))").integer == 1000)
  }
}
