import Logging
import SX
import SXHost
import SXLifecycle
import SXTracing
import ServiceLifecycle
import Testing
import Tracing

/// The Swift on the pages for embedders: each piece stands here between `snippet` and `end` and runs, and the pages have to say the very same.
@Suite struct TutorialTests {
  @Test func fiveLines() throws {
    // snippet
    let sx = Interpreter()
    sx.define("greet") { (name: String, times: Int) in
      Array(repeating: "Hello, \(name)!", count: times).joined(separator: " ")
    }
    let greeting = try sx.evaluate("(upper (greet \"world\" 2))").as(String.self)
    // end
    #expect(greeting == "HELLO, WORLD! HELLO, WORLD!")
    var printed: [String] = []
    func print(_ text: String) { printed.append(text) }
    // snippet
    do {
      try sx.evaluate("(str (greet \"world\"))", file: "letter.sx")
    } catch let error as Diagnostic {
      print(error.rendered(color: false))
    }
    // end
    #expect(try page("Sources/SX/SX.docc/Embedding.md").contains("```\n\(printed.first ?? "-")\n```"))
  }

  @Test func functions() throws {
    let sx = Interpreter()
    // snippet
    sx.define("keep-matching", doc: "The words for which a function says yes, at most so many.") {
      (matches: Function, limit: Int?, words: Rest<String>) throws in
      try Array(words.filter { try matches($0) }.prefix(limit ?? .max))
    }
    let kept = try sx.evaluate("(keep-matching (fn (w) (> (len w) 3)) 2 \"cup\" \"kettle\" \"spoon\" \"whisk\")")
    // end
    #expect(kept.description == "(\"kettle\" \"spoon\")")
    var printed: [String] = []
    func print(_ text: String) { printed.append(text) }
    // snippet
    struct OutOfStock: Error { let article: String }
    sx.define("order") { (article: String) throws -> Int in throw OutOfStock(article: article) }
    let handled = try sx.evaluate("(guard (e (true \"sorry\")) (order \"cup\"))")
    do { try sx.evaluate("(order \"cup\")") } catch let error as Diagnostic {
      let reason = error.underlyingError as? OutOfStock
      print(reason?.article ?? "")
    }
    // end
    #expect(handled.string == "sorry")
    #expect(printed == ["cup"])
  }

  @Test func asynchronousFunctions() async throws {
    // snippet
    actor Shop {
      let sx = Interpreter()
      var questions = 0

      init() {
        sx.define("stock") { (article: String) async throws in
          try await Task.sleep(for: .milliseconds(1))
          return article.count
        }
      }

      func ask(_ source: String) async throws -> Int {
        questions += 1
        return try await sx.run(source).as(Int.self)
      }
    }
    let shop = Shop()
    async let cups = shop.ask("(stock \"cup\")")
    async let both = shop.ask("(+ (stock \"kettle\") (stock \"pot\"))")
    let answers = try await [cups, both]
    // end
    #expect(answers == [3, 9])
  }

  @Test func objects() throws {
    let sx = Interpreter()
    // snippet
    final class Account: SXObject {
      static let sxTypeName = "account"
      var balance = 0
    }
    sx.define("open-account") { Account() }
    sx.define("deposit!") { (account: Account, amount: Int) in account.balance += amount }
    let account = try sx.evaluate("(define a (open-account)) (deposit! a 5) a").as(Account.self)
    // end
    #expect(account.balance == 5)
  }

  @Test func data() throws {
    let sx = Interpreter()
    // snippet
    struct Order: Codable {
      var article: String
      var count: Int?
    }
    let order = try sx.evaluate("{:article \"cup\" :count 2}").decoded(as: Order.self)
    sx.setGlobal("order", to: try sx.makeHandle(encoding: Order(article: "pot", count: nil)))
    let article = try sx.evaluate("(get order :article)").as(String.self)

    let squares = try sx.evaluate("(map (fn (x) (* x x)) (range 1000000))")
    let firstBig = squares.list?.first { $0.integer ?? 0 > 100 }
    // end
    #expect(order.article == "cup" && order.count == 2)
    #expect(article == "pot")
    #expect(firstBig?.integer == 121)
    // snippet
    let counter = try sx.evaluate("(let ((n 0)) (fn (k) (set! n (+ n k)) n))").as(Function.self)
    let five = try counter(5, as: Int.self)
    let eleven = try counter(6, as: Int.self)
    // end
    #expect((five, eleven) == (5, 11))
  }

  @Test func programs() async throws {
    // snippet
    let program = try Interpreter().compile("(define (double x) (* 2 x)) (double 21)", file: "rules.sx")
    let results = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<4 {
        group.addTask { try Interpreter().evaluate(program).as(Int.self) }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    // end
    #expect(results == [42, 42, 42, 42])
  }

  @Test func scriptsOfStrangers() throws {
    let sx = Interpreter()
    var printed: [String] = []
    func print(_ value: Any) { printed.append("\(value)") }
    // snippet
    sx.limits = Limits(steps: 10_000_000, time: .seconds(1), heapBytes: 64 << 20, stackSlots: 100_000, outputBytes: 1 << 20)
    do { try sx.evaluate("(let loop () (loop))") } catch let error as Diagnostic {
      // .steps or .time here; .heap, .memory, .stack, .output, .cancelled(reason:); nil for the script's own mistakes
      print(error.interruption as Any)
    }
    // end
    #expect(printed.first?.contains("of this run is reached") == true)
    sx.limits = .none
    printed = []
    var sent: [String] = []
    // snippet
    let cancellation = sx.cancellation
    sx.define("wait-for-me") { cancellation.cancel(reason: "the client has left") }
    do { try sx.evaluate("(wait-for-me) (let loop () (loop))") } catch let error as Diagnostic {
      print(error.message)      // cancelled: the client has left
    }
    // end
    #expect(printed == ["cancelled: the client has left"])
    // snippet
    var granted = Capabilities.none
    granted.clock = true
    granted.read = .under(["/srv/data"])
    let careful = Interpreter(host: SystemHost(), capabilities: granted)
    let now = try careful.evaluate("(now-ns)").as(Int.self)
    let refused = try careful.evaluate("(guard (e (true (error-message e))) (random-int 6))").as(String.self)

    careful.define("send-mail", needs: .networkClient) { (text: String) in sent.append(text) }
    let unsent = try careful.evaluate("(guard (e (true (error-message e))) (send-mail \"hello\"))").as(String.self)
    // end
    #expect(now > 0)
    #expect(refused == "random-int: not allowed: it needs the capability `random`")
    #expect(unsent == "send-mail: not allowed: it needs the capability `network-client`" && sent.isEmpty)
  }

  @Test func traces() throws {
    // snippet
    let traced = Interpreter(host: SystemHost(), capabilities: .all)
    let tracer = SXTracer(recordingInto: traced)
    traced.define("query") { (text: String) in
      tracer.withSpan("db.query", ofKind: .client) { span in
        span.attributes["db.query.text"] = text
        return 42
      }
    }
    _ = try tracer.withSpan("request") { _ in
      try traced.evaluate("(otel/with-span \"work\" {} (fn () (query \"select\")))")
    }
    let names = try traced.evaluate("(map (fn (span) (get span :name)) (otel/recent))").as([String].self)
    // end
    #expect(Set(names) == ["request", "work", "db.query"])
  }

  // MARK: The pages

  @Test func services() async throws {
    // snippet
    let program = try Program("(host/serve (host/make-app (list (dream-get \"/\" (fn (request) (host/ok \"hello\"))))) 0)", file: "hello.sx")
    let hello = InterpreterService(program, SystemHost.Configuration(capabilities: .all))
    let group = ServiceGroup(services: [hello], logger: Logger(label: "hello"))
    async let served: Void = group.run()
    // … and when it is enough, which the group can also take from signals:
    await group.triggerGracefulShutdown()
    try await served
    // end
  }

  @Test(arguments: ["Sources/SX/SX.docc/Embedding.md", "README.md"]) func whatThePagesSayIsWhatRuns(path: String) throws {
    let snippets = Set(blocks(in: try page("Tests/SXTracingTests/TutorialTests.swift"), from: "// snippet", to: "// end"))
    let shown = blocks(in: try page(path), from: "```swift", to: "```")
    #expect(!shown.isEmpty)
    for block in shown { #expect(snippets.contains(block), "\(path) shows what no test runs:\n\(block)") }
    if path.hasSuffix("Embedding.md") { #expect(snippets.isSubset(of: shown), "a snippet that the page does not show") }
  }

  private func page(_ path: String) throws -> String {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    return String(decoding: try Files.contents(of: "/\(root)/\(path)"), as: UTF8.self)
  }

  /// The lines between two marks, without their common indentation and without the imports at their beginning.
  private func blocks(in text: String, from start: String, to end: String) -> [String] {
    var blocks: [String] = [], lines: [Substring]?
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      let bare = line.drop { $0 == " " }
      if lines == nil, bare == start {
        lines = []
      } else if let block = lines, bare == end {
        let indentation = block.filter { !$0.isEmpty }.map { $0.prefix { $0 == " " }.count }.min() ?? 0
        blocks.append(block.map { $0.dropFirst(indentation) }.drop { $0.hasPrefix("import ") || $0.isEmpty }.joined(separator: "\n"))
        lines = nil
      } else {
        lines?.append(line)
      }
    }
    return blocks
  }
}
