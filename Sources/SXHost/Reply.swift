import SX

/// The answer to an operation that is under way outside the interpreter's thread. Must be given exactly once.
struct Reply: Sendable {
  private let fiber: FiberID
  private let mailbox: Mailbox

  init(to fiber: FiberID, through mailbox: Mailbox) {
    self.fiber = fiber
    self.mailbox = mailbox
    mailbox.expect()
  }

  func succeed(_ value: Datum) {
    mailbox.fulfil { [fiber] interpreter in interpreter.resume(fiber, returning: value) }
  }

  func fail(_ message: String) {
    mailbox.fulfil { [fiber] interpreter in interpreter.resume(fiber, throwing: message) }
  }
}

/// Jobs that also need the host, which is a `SystemHost` in everything that posts them.
extension Mailbox {
  func post(_ job: @escaping @Sendable (Interpreter, SystemHost) -> Void) {
    post { interpreter in job(interpreter, SystemHost.of(interpreter)) }
  }
  func fulfil(_ job: @escaping @Sendable (Interpreter, SystemHost) -> Void) {
    fulfil { interpreter in job(interpreter, SystemHost.of(interpreter)) }
  }
}

extension SystemHost {
  fileprivate static func of(_ interpreter: Interpreter) -> SystemHost {
    guard let host = interpreter.host as? SystemHost else { preconditionFailure("the interpreter has another host") }
    return host
  }
}
