import NIOCore
public import SX

/// The servers of one interpreter and the exchanges that its fibers are busy with. Confined to the interpreter's thread.
struct Servers {
  /// An object, so that a request looks it up once.
  final class Server {
    /// Nil where another interpreter has it.
    let listener: HTTPListener?
    let handler: Handle
    /// The fiber that performed `http-serve`, parked until the end.
    let fiber: FiberID
    /// Handlers that have not returned.
    var liveHandlers = 0
    /// The listener is closed; what remains is to let the handlers finish, so that their spans are recorded.
    var isClosed = false
    /// Other interpreters answer requests as well, and it ends when they have ended.
    var isShared: Bool

    init(_ listener: HTTPListener?, _ handler: Handle, of fiber: FiberID, isShared: Bool = false) {
      (self.listener, self.handler, self.fiber, self.isShared) = (listener, handler, fiber, isShared)
    }
  }

  /// The identifier of the server that another interpreter has.
  static let elsewhere = 0

  private var nextIdentifier = 1
  var servers: [Int: Server] = [:]
  var exchanges: [Int: Exchange] = [:]
  var stopSignals: StopSignals?

  mutating func makeIdentifier() -> Int {
    defer { nextIdentifier += 1 }
    return nextIdentifier
  }
}

/// http-serve, http-work, http-respond, http-stream, http-write, http-end.
///
/// An exchange belongs to its handler's fiber: when that ends, a stream ends with it, and a request that has no answer gets a 500.
extension SystemHost {
  static let httpServerOperations: [String: OperationHandler] = [
    "http-serve": { (host, call) throws(OperationFailure) in
      let handler = try call.handle(0)
      guard handler.isFunction else { throw OperationFailure("http-serve: the handler must be a function, got \(handler)") }
      let options = try ListenerOptions(call.dictionary(1))
      let identifier = host.servers.makeIdentifier()
      let mailbox = host.mailbox
      let team = options.isShared ? host.work?.team : nil
      let listener = HTTPListener(options) { exchange, request in
        guard let team else { return mailbox.post { interpreter, host in host.begin(exchange, request, of: identifier, interpreter) } }
        let member = options.isForFirst(path: request["path"]?.string) ? team.members[0] : team.leastBusy()
        member.hand(exchange, request, of: member.number == 0 ? identifier : Servers.elsewhere)
      }
      host.servers.servers[identifier] = Servers.Server(listener, handler, of: call.fiber, isShared: team != nil)
      mailbox.expect()
      listener.start(
        started: { address in
          mailbox.post { _, host in host.onListening?(address) }
        },
        ended: { ending in
          mailbox.fulfil { interpreter, host in host.listenerEnded(identifier, ending, interpreter) }
        })
      if host.configuration.stopsServersOnSignals, host.servers.stopSignals == nil {
        host.exitSignals = nil
        host.servers.stopSignals = StopSignals { _ in
          mailbox.post { interpreter, host in host.stopServers(interpreter) }
        }
      }
    },

    // Takes requests of the server that the first one has, until it stops.
    "http-work": { (host, call) throws(OperationFailure) in
      let handler = try call.handle(0)
      guard handler.isFunction else { throw call.mismatch(0, "a function") }
      guard let work = host.work, work.member.number > 0, !work.member.isServing else {
        throw OperationFailure("http-work: this interpreter shares no server, or takes its requests already")
      }
      host.servers.servers[Servers.elsewhere] = Servers.Server(nil, handler, of: call.fiber)
      host.mailbox.expect()
      work.member.serve()
      work.team.reportStart(.success(()))
    },

    "http-respond": { (host, call) throws(OperationFailure) in
      let exchange = try host.exchange(call)
      let head = try ResponseHead(status: call.integer(1), headers: call.dictionary(2), for: call.name)
      let body = try call.body(3)
      guard exchange.answer(.complete(head, body)) else { throw call.secondAnswer() }
      call.succeed(true)
    },

    "http-stream": { (host, call) throws(OperationFailure) in
      let exchange = try host.exchange(call)
      let head = try ResponseHead(status: call.integer(1), headers: call.dictionary(2), for: call.name)
      guard exchange.answer(.stream(head)) else { throw call.secondAnswer() }
      // A stream could go on for ever: while a server stops, none begins.
      if host.isStopping { exchange.end() }
      call.succeed(true)
    },

    "http-write": { (host, call) throws(OperationFailure) in
      guard let exchange = host.servers.exchanges[try call.integer(0)] else { return call.succeed(false) }
      guard exchange.isAnswered else { throw OperationFailure("http-write: http-stream comes first") }
      switch exchange.write(try call.string(1), park: { Reply(to: call.fiber, through: host.mailbox) }) {
      case .accepted: call.succeed(true)
      case .clientGone: call.succeed(false)
      case .parked: break
      }
    },

    "http-end": { (host, call) throws(OperationFailure) in
      host.servers.exchanges[try call.integer(0)]?.end()
      call.succeed()
    },
  ]

  private func exchange(_ call: OperationCall) throws(OperationFailure) -> Exchange {
    let identifier = try call.integer(0)
    guard let exchange = servers.exchanges[identifier] else {
      throw OperationFailure("\(call.name): exchange \(identifier) is over")
    }
    return exchange
  }

  // MARK: Requests

  func begin(_ exchange: Exchange, _ request: DatumDictionary, of identifier: Int, _ interpreter: Interpreter, ended: @escaping @Sendable () -> Void = {}) {
    guard let server = servers.servers[identifier] else {
      exchange.answer(.unavailable)
      return ended()
    }
    let number = servers.makeIdentifier()
    servers.exchanges[number] = exchange
    server.liveHandlers += 1
    _ = interpreter.spawn(server.handler, [.integer(number), .dict(request)]) { [unowned self, unowned interpreter] result in
      servers.exchanges[number] = nil
      finish(exchange, result)
      ended()
      server.liveHandlers -= 1
      if server.isClosed { resumeIfDone(identifier, interpreter) }
    }
  }

  private func finish(_ exchange: Exchange, _ result: Result<Handle, Diagnostic>) {
    switch result {
    case .success:
      if exchange.answer(.internalServerError) {
        write("sx: \(exchange.label): the handler ended without a response\n", to: .standardError)
      } else {
        exchange.end()
      }
    case .failure(let diagnostic):
      if !exchange.answer(.internalServerError) { exchange.abort() }
      write("sx: \(exchange.label): \(diagnostic.rendered(color: false))\n", to: .standardError)
    }
  }

  // MARK: The end

  /// Asks the program to end in order, as the first SIGTERM does that a command gets: its servers stop, see `stopServers`; one that has no server exits with
  /// status 0, see `Cancellation.exit`. Returns at once.
  public func stop(_ interpreter: Interpreter) {
    if servers.servers.isEmpty { interpreter.cancellation.exit(0) } else { stopServers(interpreter) }
  }

  /// Stops all servers gracefully: see `HTTPListener.stop`. Returns at once; each `http-serve` answers when its server has stopped.
  public func stopServers(_ interpreter: Interpreter) {
    for server in servers.servers.values {
      server.listener?.stop()
      if server.isShared { work?.team.stop() }
    }
    releaseAllWaiters(interpreter)
  }

  private var isStopping: Bool {
    servers.servers.values.contains { $0.listener?.isStopping ?? false } || work?.team.isStopping ?? false
  }

  private func listenerEnded(_ identifier: Int, _ ending: HTTPListener.Ending, _ interpreter: Interpreter) {
    guard let server = servers.servers[identifier] else { return }
    switch ending {
    case .failed(let reason):
      forget(identifier)
      interpreter.resume(server.fiber, throwing: "http-serve: \(reason)")
    case .stopped:
      if server.isShared {
        work?.team.finish()
        waitForWorkers(Self.mostPulses, interpreter)
      }
      close(identifier, interpreter)
    }
  }

  /// No request comes any more.
  func close(_ identifier: Int, _ interpreter: Interpreter) {
    servers.servers[identifier]?.isClosed = true
    resumeIfDone(identifier, interpreter)
    // Handlers that still run although nobody waits for them are not worth more than this.
    timers.add(TimerQueue.deadline(after: 1000)) { [unowned self, unowned interpreter] in
      servers.servers[identifier]?.liveHandlers = 0
      resumeIfDone(identifier, interpreter)
    }
  }

  /// A worker whose interpreter hears nothing, because a primitive takes long, is given up after this. In pulses, of which late ones come together:
  /// a machine that gives the process no time is not to take it from the workers.
  private static let mostPulses = 80
  private static let pulse = 50.0

  private func waitForWorkers(_ pulses: Int, _ interpreter: Interpreter) {
    guard pulses > 0 else { return giveUpWorkers(interpreter) }
    noteEndOfWorker(interpreter)
    guard servers.servers.values.contains(where: \.isShared) else { return }
    timers.add(TimerQueue.deadline(after: Self.pulse)) { [unowned self, unowned interpreter] in waitForWorkers(pulses - 1, interpreter) }
  }

  func noteEndOfWorker(_ interpreter: Interpreter) {
    if !(work?.team.hasWorkers ?? false) { giveUpWorkers(interpreter) }
  }

  private func giveUpWorkers(_ interpreter: Interpreter) {
    for (identifier, server) in servers.servers where server.isShared {
      servers.servers[identifier]?.isShared = false
      resumeIfDone(identifier, interpreter)
    }
  }

  private func resumeIfDone(_ identifier: Int, _ interpreter: Interpreter) {
    guard let server = servers.servers[identifier], server.isClosed, server.liveHandlers <= 0, !server.isShared else { return }
    forget(identifier)
    if identifier == Servers.elsewhere { mailbox.expectNoMore() }
    interpreter.resume(server.fiber, returning: .null)
  }

  private func forget(_ identifier: Int) {
    servers.servers[identifier] = nil
    if servers.servers.isEmpty { servers.stopSignals = nil }
  }
}

extension OperationCall {
  fileprivate func secondAnswer() -> OperationFailure { OperationFailure("\(name): the request has been answered") }
}

extension Exchange.Answer {
  fileprivate static var internalServerError: Exchange.Answer {
    .complete(.internalServerError, ByteBuffer(string: "Internal Server Error\n"))
  }
}
