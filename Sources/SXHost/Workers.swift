import Dispatch
public import SX
import Synchronization

/// One interpreter among those that share a server.
struct Work {
  let team: Workers
  let member: Workers.Member
  /// Takes messages of the others, each a number and bytes; nil until it is named.
  var receiver: Handle?
  /// What was said before that.
  var early: [(bytes: [UInt8], sender: Int)] = []
}

/// The interpreters that share the requests of one server, each on a thread of its own with a heap of its own. Thread-safe.
///
/// Number 0 is the one that has the listener. What they say to each other are bytes, left in a mailbox: nobody waits for anybody.
final class Workers: Sendable {
  final class Member: Sendable {
    let number: Int
    let mailbox: Mailbox
    /// Requests that its interpreter has not begun with. Where it is busy inside of a primitive, there are ever more of them.
    private let waiting = Atomic<Int>(0)
    /// Requests whose handler has not ended.
    private let open = Atomic<Int>(0)
    private let gone = Atomic<Bool>(false)
    private let retired = Atomic<Bool>(false)
    private let serving = Atomic<Bool>(false)

    init(_ number: Int, _ mailbox: Mailbox) {
      self.number = number
      self.mailbox = mailbox
    }

    /// It has ended, and hears nothing of the others any more.
    var isGone: Bool { gone.load(ordering: .acquiring) }
    /// What its requests were handed to has ended before the server. It finishes what it has, and takes nothing else.
    var isRetired: Bool { retired.load(ordering: .acquiring) }
    /// It has handed over its handler.
    var isServing: Bool { serving.load(ordering: .acquiring) }
    func serve() { serving.store(true, ordering: .releasing) }
    fileprivate func leave() { gone.store(true, ordering: .releasing) }
    fileprivate func retire() { retired.store(true, ordering: .releasing) }

    /// The more, the busier: first what waits, then what is open.
    fileprivate var load: (Int, Int) { (waiting.load(ordering: .relaxed), open.load(ordering: .relaxed)) }

    /// Gives it a request.
    func hand(_ exchange: Exchange, _ request: DatumDictionary, of server: Int) {
      waiting.add(1, ordering: .relaxed)
      open.add(1, ordering: .relaxed)
      mailbox.post { [self] interpreter, host in
        waiting.subtract(1, ordering: .relaxed)
        host.begin(exchange, request, of: server, interpreter) { [self] in open.subtract(1, ordering: .relaxed) }
      }
    }
  }

  let members: [Member]
  private let first: Cancellation
  private let turn = Atomic<Int>(0)
  private let stopping = Atomic<Bool>(false)
  /// How the start of those beside the first one went, as it becomes known.
  private let started = Mutex<[Result<Void, any Error>]>([])
  private let arrival = DispatchSemaphore(value: 0)

  init(_ count: Int, first mailbox: Mailbox, _ cancellation: Cancellation) {
    members = [Member(0, mailbox)] + (1..<count).map { Member($0, Mailbox()) }
    first = cancellation
  }

  // MARK: Requests

  /// The one with the least to do; among several of these they take turns.
  func leastBusy() -> Member {
    let start = turn.wrappingAdd(1, ordering: .relaxed).oldValue & .max
    var best = members[0], least: (Int, Int)?
    for offset in 0..<members.count {
      let member = members[(start % members.count + offset) % members.count]
      guard !member.isGone, !member.isRetired else { continue }
      let load = member.load
      if let known = least, load >= known { continue }
      best = member
      least = load
    }
    return best
  }

  // MARK: Beginning and end

  func reportStart(_ outcome: Result<Void, any Error>) {
    started.withLock { $0.append(outcome) }
    arrival.signal()
  }

  /// Blocks until all have started.
  ///
  /// - Throws: what hindered the first of them that failed.
  func waitForStart() throws {
    for index in 0..<(members.count - 1) {
      while true {
        arrival.wait()
        if let outcome = started.withLock({ $0.indices.contains(index) ? $0[index] : nil }) {
          try outcome.get()
          break
        }
      }
    }
  }

  var isStopping: Bool { stopping.load(ordering: .acquiring) }

  /// Whether there are others than the first one whose end is to be waited for.
  var hasWorkers: Bool { members.dropFirst().contains { !$0.isGone && !$0.isRetired } }

  /// The listener stops: no stream begins, and those that wait look up.
  func stop() {
    stopping.store(true, ordering: .releasing)
    for member in members.dropFirst() { member.mailbox.post { interpreter, host in host.releaseAllWaiters(interpreter) } }
  }

  /// The listener has stopped: as soon as their handlers have ended, their `http-work` is answered.
  func finish() {
    for member in members.dropFirst() { member.mailbox.post { interpreter, host in host.close(Servers.elsewhere, interpreter) } }
  }

  /// Ends the program as `exit` does in the first interpreter.
  func exit(_ status: Int32) {
    first.exit(status)
    // It may wait for events; an empty one lets it look up.
    members[0].mailbox.post { _ in }
  }
}

extension SystemHost {
  /// Starts interpreters beside this one, on threads of their own, which share the next server that this one opens for them.
  ///
  /// `body` runs in each of them. It loads the program and performs `http-work`, which hands over the handler of requests and
  /// ends with the server. Returns when all have come that far. They end with the process.
  ///
  /// When a `body` ends before the server, because its interpreter was cancelled, that worker finishes the requests that it has and takes no others; standard error
  /// tells why. It is not started again: what its program kept in globals is gone, and requests that others answer are better than some that are answered out of nothing.
  ///
  /// Blocks the thread until they have started. To be called once, on the interpreter's thread, before the server is opened.
  ///
  /// - Parameters:
  ///   - count: of interpreters in all, with this one.
  ///   - interpreter: the one of this host.
  ///   - body: gets the interpreter's number, from 1.
  /// - Throws: the first error of a `body`; `HostError` when the system refuses a thread.
  public func startWorkers(_ count: Int, beside interpreter: Interpreter, _ body: @escaping @Sendable (Int, Interpreter, SystemHost) throws -> Void) throws {
    let team = Workers(count, first: mailbox, interpreter.cancellation)
    var configuration = configuration
    configuration.stopsServersOnSignals = false
    configuration.exitsOnSignals = false
    for member in team.members.dropFirst() {
      try InterpreterThread.detach { [configuration] in
        let host = SystemHost(configuration, mailbox: member.mailbox)
        host.work = Work(team: team, member: member)
        let interpreter = Interpreter(host: host, capabilities: configuration.capabilities)
        // For the rest of the process, like the first one.
        _ = Unmanaged.passRetained(interpreter)
        let outcome = Result { try body(member.number, interpreter, host) }
        host.leaveWork(outcome, interpreter)
      }
    }
    work = Work(team: team, member: team.members[0])
    try team.waitForStart()
  }

  private func leaveWork(_ outcome: Result<Void, any Error>, _ interpreter: Interpreter) {
    guard let work else { return }
    let hasStarted = work.member.isServing
    flush()
    if !hasStarted {
      work.team.reportStart(.failure(outcome.failure ?? HostError("worker \(work.member.number) ended before it served")))
    } else if case .failure(let error) = outcome {
      let text = (error as? Diagnostic)?.rendered(color: false) ?? "\(error)"
      write("sx: worker \(work.member.number) takes no more requests: \(text)\n", to: .standardError)
    }
    if servers.servers[Servers.elsewhere] != nil {
      work.member.retire()
    } else {
      work.member.leave()
      self.work?.receiver = nil
      for exchange in servers.exchanges.values {
        if !exchange.answer(.unavailable) { exchange.abort() }
      }
    }
    work.team.members[0].mailbox.post { interpreter, host in host.noteEndOfWorker(interpreter) }
    mailbox.expect()
    // Requests that it has go on, and a probe may ask.
    repeat {
      if !work.member.isGone || !work.team.isStopping { interpreter.runReady() }
    } while waitForEvents(interpreter)
  }

  static let workerOperations: [String: OperationHandler] = [
    // Hands over the function that takes what other workers say.
    "worker-join": { (host, call) throws(OperationFailure) in
      let receiver = try call.handle(0)
      guard receiver.isFunction else { throw call.mismatch(0, "a function") }
      guard host.work != nil else { throw OperationFailure("worker-join: this interpreter is the only one") }
      host.work?.receiver = receiver
      let early = host.work?.early ?? []
      host.work?.early = []
      for message in early { host.receive(message.bytes, from: message.sender, call.interpreter) }
      call.succeed()
    },

    // Says something to a worker: its number, and a bytevector. false when it has ended.
    "worker-tell": { (host, call) throws(OperationFailure) in
      guard let work = host.work else { throw OperationFailure("worker-tell: this interpreter is the only one") }
      let number = try call.integer(0)
      guard work.team.members.indices.contains(number), let bytes = try call.datum(1).bytes else {
        throw OperationFailure("worker-tell: expected the number of a worker and a bytevector")
      }
      let member = work.team.members[number], sender = work.member.number
      if !member.isGone { member.mailbox.post { interpreter, host in host.receive(bytes, from: sender, interpreter) } }
      call.succeed(.bool(!member.isGone))
    },
  ]

  private func receive(_ bytes: [UInt8], from sender: Int, _ interpreter: Interpreter) {
    guard let receiver = work?.receiver else {
      work?.early.append((bytes, sender))
      return
    }
    _ = interpreter.spawn(receiver, [.integer(sender), .bytes(bytes)]) { [unowned self] result in
      if case .failure(let diagnostic) = result { write("sx: \(diagnostic.rendered(color: false))\n", to: .standardError) }
    }
  }
}

extension Result {
  fileprivate var failure: Failure? { if case .failure(let error) = self { error } else { nil } }
}
