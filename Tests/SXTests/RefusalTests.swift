#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif
@testable import SX
import Testing

/// The n-th request for memory is refused, for every n: an error or the right answer, and an interpreter that goes on with a heap in order.
@Suite struct RefusalTests {
  /// Something of everything that takes memory.
  private static let program = """
    (define-record-type point (make-point x y) point? (x point-x set-point-x!) (y point-y))
    (define (digits n) (if (< n 10) (list n) (append (digits (quotient n 10)) (list (mod n 10)))))
    (define (sum-to n) (if (= n 0) 0 (+ n (sum-to (- n 1)))))
    (define (generate n) (make-coroutine (fn () (for-each (fn (i) (coroutine-yield (str "y" i))) (range n)) :end)))
    (define (drain c) (let loop ((out (list)) (v (coroutine-resume c))) (if (coroutine-alive? c) (begin (append! out v) (loop out (coroutine-resume c))) out)))
    (define (dicts n)
      (let ((d {}))
        (for-each (fn (i) (dict-set! d (str "key " i) (list i (* 1.5 i)))) (range n))
        (let ((e (reduce (fn (m i) (assoc m (str "key " (* 2 i)) i)) d (range n))))
          (list (len d) (len e) (get e "key 8") (len (keys (dissoc e "key 1" "key 2")))))))
    (define (tables n)
      (let ((t (make-hash-table)) (s (make-set)))
        (for-each (fn (i) (hash-table-set! t (list i) (str i)) (set-add! s (mod i 7))) (range n))
        (list (hash-table-size t) (set-size s) (hash-table-ref/default t (list 3) nil))))
    (define (text n)
      (let ((b (make-string-buffer)))
        (for-each (fn (i) (string-buffer-append! b i " é " (list i))) (range n))
        (let ((s (string-buffer->string b)))
          (list (len s) (len (split s " ")) (upper (slice s 0 5)) (len (replace s "é" "eee")) (join "," (map str (range 5)))))))
    (define (json n)
      (let ((s (json-encode (map (fn (i) {:id i :tags (list "a" "b\\n" i)}) (range n)))))
        (len (json-decode s))))
    (define (regexps n)
      (let ((s (repeat "ab12 " n)))
        (list (len (regexp-match-all (regexp "[0-9]+") s)) (len (regexp-split " " s)) (slice (regexp-replace-all #"(a)(b)" s "$2$1") 0 5))))
    (define (errors n)
      (map (fn (i) (guard (e (true (error-message e))) (if (= 0 (mod i 2)) (error "even" i) (nth-of-nothing i)))) (range n)))
    (define (again n) (let ((k nil) (count 0)) (call/cc (fn (c) (set! k c))) (set! count (+ count 1)) (if (< count n) (k nil) count)))
    (define (delimited n) (reset (+ 1 (shift k (reduce (fn (a i) (+ a (k i))) 0 (range n))))))
    (define (vectors n)
      (let ((v (make-vector n 0)) (r (make-ring 5)))
        (for-each (fn (i) (vector-set! v i (str "element " i)) (ring-push! r i)) (range n))
        (list (vector-ref v (- n 1)) (ring->list r) (bytevector-length (bytevector-append (make-bytevector n 1) (string->utf8 "añb"))))))
    (define (closures n) (let ((makers (map (fn (i) (let ((n i)) (fn () (set! n (+ n 1)) n))) (range n)))) (map (fn (f) (f) (f)) makers)))
    (define p (make-parameter 1))
    (define (dynamic n)
      (let ((log (list)))
        (guard (e (true (list e (len log))))
          (dynamic-wind (fn () (append! log "in")) (fn () (parameterize ((p (* n 2))) (raise (p)))) (fn () (append! log "out"))))))
    (defmacro twice (x) (let ((g (gensym))) `(let ((,g ,x)) (list ,g ,g))))
    (list (map digits (list 1234 56)) (sum-to 400) (drain (generate 9)) (dicts 40) (tables 40) (text 30) (json 20) (regexps 5) (errors 4) (again 5)
      (delimited 4) (vectors 60) (closures 30) (dynamic 4) (map (fn (i) (twice (str i))) (range 3)) (eval '(let ((x 2)) (* x 21)))
      (let ((q (make-point 1 (* 4611686018427387904 2)))) (set-point-x! q (/ 1 3)) (list (point-x q) (point-y q)))
      (sort (list "b" "c" "a")) (reverse (string->list "abc")) (len (sx-parse "(a (b . c) \\"d\\" #(1 2)) 1/2 2.5")) (format "~a-~s" "x" "y")
      (force (delay (str "promise " 1))) (len (flatten (list 1 (list 2 (list 3))))) (assoc-in {:a {:b 1}} (list :a :c) 2) (pretty {:a (list 1 2)}))
    """
  private static let afterwards = """
    (list (len (map (fn (i) {:id i :name (str "item " i)}) (range 300))) (json-decode "[1,{\\"a\\":[]}]") (guard (e (true "caught")) (error "x"))
      (drain-again (make-coroutine (fn () (coroutine-yield 1) 2))))
    """

  private func interpreter() throws -> Interpreter {
    let sx = Interpreter()
    try sx.evaluate("(define (drain-again c) (list (coroutine-resume c) (coroutine-resume c)))")
    return sx
  }

  @Test func whateverIsRefusedTheInterpreterGoesOn() throws {
    let expected = try interpreter().evaluate(Self.program).description
    let after = try interpreter().evaluate(Self.afterwards).description
    let all = getenv("SX_EVERY_REFUSAL") != nil
    var refused = 0
    for requests in stride(from: 0, through: 5_000, by: all ? 1 : 41) {
      let sx = try interpreter(), heap = sx.machine.heap
      heap.refuseMemory(after: requests)
      do {
        let value = try sx.evaluate(Self.program).description
        #expect(value == expected, "request \(requests)")
      } catch let error as Diagnostic {
        refused += 1
        #expect(error.message == "out of memory: the system has none left", "request \(requests): \(error.message)")
      }
      heap.refuseMemory(after: .max)
      #expect(try sx.evaluate(Self.afterwards).description == after, "request \(requests)")
      #expect(sx.strayCells() == 0, "request \(requests)")
    }
    #expect(refused > (all ? 4_900 : 119))
  }

  /// The program asks often enough for that, and does what it says where nothing is refused.
  @Test func theProgramIsRightWhereNothingIsRefused() throws {
    let sx = try interpreter()
    sx.machine.heap.refuseMemory(after: 1 << 30)
    let value = try sx.evaluate(Self.program).description
    #expect(value == (try interpreter().evaluate(Self.program).description))
    #expect(value.hasPrefix("(((1 2 3 4) (5 6)) 80200 (\"y0\""))
    #expect(sx.strayCells() == 0)
  }
}

extension Interpreter {
  /// Cells of a heap that was collected just now that are wrong: of no kind, or leading to a cell that was not reached.
  func strayCells() -> Int {
    machine.collect()
    machine.collect()                                  // what was dead at the first one is swept now
    var cells: Set<Cell> = [], wrong = 0
    machine.heap.forEachCell { if $0[0] & 1 != 0 { cells.insert($0) } }
    for cell in cells where [nil, .free].contains(Kind(rawValue: UInt8(truncatingIfNeeded: cell[0] >> 8))) { wrong += 1 }
    guard wrong == 0 else { return wrong }
    var marker = Marker()
    for cell in cells { marker.follow(cell) }
    marker.deallocate()
    var reached = 0
    machine.heap.forEachCell { if $0[0] & 1 != 0 { reached += 1 } }
    return reached - cells.count
  }
}
