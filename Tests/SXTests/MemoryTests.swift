@testable import SX
import Testing

/// What values take is looked at in time. What is refused by the system is in `RefusalTests`.
@Suite struct MemoryTests {
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
