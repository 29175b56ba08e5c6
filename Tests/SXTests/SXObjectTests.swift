@testable import SX
import Testing

/// Objects of the embedding program as values.
@Suite struct SXObjectTests {
  final class Account: SXObject {
    static let sxTypeName = "account"
    var balance: Int
    init(_ balance: Int) { self.balance = balance }
  }
  final class Door: SXObject {
    static let sxTypeName = "door"
    var isOpen = false
    var sxDescription: String { "door \(isOpen ? "open" : "closed")" }
  }

  private func interpreter() -> Interpreter {
    let sx = Interpreter()
    sx.define("open-account") { (balance: Int?) in Account(balance ?? 0) }
    sx.define("deposit!") { (account: Account, amount: Int) in account.balance += amount }
    sx.define("balance") { (account: Account) in account.balance }
    sx.define("make-door") { Door() }
    return sx
  }

  @Test func scriptsHoldThemAndHandThemBack() throws {
    let sx = interpreter()
    #expect(try sx.evaluate("(define a (open-account 5)) (deposit! a 10) (balance a)").integer == 15)
    #expect(try sx.evaluate("a").as(Account.self).balance == 15)
    #expect(try sx.evaluate("(list (type-of a) (str a) (str (make-door)))").description == "(\"account\" \"#<account>\" \"#<door closed>\")")
  }

  @Test func theSameObjectIsTheSameValue() throws {
    let sx = interpreter(), account = Account(1)
    sx.setGlobal("x", to: account.handle(in: sx))
    sx.define("again") { account }
    #expect(try sx.evaluate("(list (eq? x (again)) (= x (again)) (eq? x (open-account 1)) (= x (open-account 1)))").description == "(true true false false)")
    #expect(try sx.evaluate("x").as(Account.self) === account)
  }

  @Test func anotherTypeIsAnErrorThatNamesBoth() throws {
    let sx = interpreter()
    let error = #expect(throws: Diagnostic.self) { try sx.evaluate("(balance (make-door))") }
    #expect(error?.message == "balance: argument 1: expected account, got door")
    #expect(#expect(throws: Diagnostic.self) { try sx.evaluate("(make-door)").as(Account.self) }?.message == "expected account, got door")
    #expect(#expect(throws: Diagnostic.self) { try sx.evaluate("(make-door)").datum() }?.message == "a door cannot leave the interpreter as data")
  }

  @Test func itIsReleasedWhenItsValueIsCollected() throws {
    let sx = interpreter()
    weak var weakly: Account?
    sx.define("watched") {
      let account = Account(1)
      weakly = account
      return account
    }
    try sx.evaluate("(define kept (list (watched)))")
    sx.collectGarbage()
    #expect(weakly != nil)
    try sx.evaluate("(set! kept nil)")
    sx.collectGarbage()
    #expect(weakly == nil)
    // A value that is garbage is not found again by its object.
    let account = Account(2)
    try { _ = try sx.call(try sx.evaluate("(fn (x) nil)"), [account.handle(in: sx)]) }()
    sx.collectGarbage()
    #expect(sx.machine.foreignObjects.isEmpty)
    sx.setGlobal("y", to: account.handle(in: sx))
    sx.collectGarbage()
    #expect(try sx.evaluate("(balance y)").integer == 2)
  }

  @Test func theInterpreterReleasesThemAtItsEnd() throws {
    weak var weakly: Account?
    do {
      let sx = interpreter(), account = Account(1)
      weakly = account
      sx.setGlobal("x", to: account.handle(in: sx))
    }
    #expect(weakly == nil)
  }
}
